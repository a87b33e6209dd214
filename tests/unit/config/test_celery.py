from pathlib import Path

from django.conf import settings

from config.celery import app


def test_messages_are_json_and_nothing_else() -> None:
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]


def test_a_task_whose_worker_dies_is_given_to_another() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_the_timetable_stands_in_the_database() -> None:
    assert app.conf.beat_scheduler == "django_celery_beat.schedulers:DatabaseScheduler"


def test_a_wake_up_sent_to_the_folder_of_the_queue_arrives_there() -> None:
    folder = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"])
    before = set(folder.glob("*")) if folder.is_dir() else set()
    app.send_task("no.such.task", args=[7], queue="of_this_test")
    [message] = set(folder.iterdir()) - before
    assert message.name.endswith(".of_this_test.msg")
