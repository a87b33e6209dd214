"""The timetable: what runs by itself, in words, and who may change it."""

from __future__ import annotations

import datetime as dt
from importlib import import_module

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from maintenance.choices import Role
from maintenance.models import AuditEntry
from tests.plants import Plant, tiny

pytestmark = pytest.mark.django_db

DAILY = {"enabled": "on", "rhythm": "daily", "time": "03:15", "zone": "Europe/Madrid"}


@pytest.fixture(autouse=True)
def the_defaults(db: None) -> None:
    """A test that commits empties every table behind it, those that migrations filled as well."""
    for name in ("0002_timetable", "0004_watch_every_night", "0008_seal_every_night"):
        migration = import_module(f"maintenance.migrations.{name}").Migration
        migration.operations[0].code(apps, None)


@pytest.fixture
def plant() -> Plant:
    return tiny("north", now=timezone.now())


@pytest.fixture
def engineer(plant: Plant, client: Client) -> Client:
    client.force_login(plant.user(Role.RELIABILITY_ENGINEER, "rita"))
    return client


def task(name: str) -> PeriodicTask:
    return PeriodicTask.objects.get(task=f"maintenance.{name}")


def change(client: Client, name: str, given: dict[str, str]):
    return client.post(reverse("timetable_edit", args=[task(name).pk]), given)


def test_the_defaults_are_there_in_words(engineer):
    text = engineer.get(reverse("timetable")).content.decode()
    assert "Every 15 seconds" in text
    assert "Every day at 01:00 (UTC)" in text
    assert "Every day at 01:30 (UTC)" in text
    assert "Every week on Sunday at 02:00 (UTC)" in text
    assert "Record labels, and watch drift and sensors" in text


def test_the_watch_runs_after_the_forecasts_of_the_night():
    forecasts, watch = task("forecast_all_sites").crontab, task("watch_all_sites").crontab
    when = [(int(cron.hour), int(cron.minute)) for cron in (forecasts, watch)]
    assert when == sorted(when)


def test_tasks_of_others_are_not_shown(engineer):
    text = engineer.get(reverse("timetable")).content.decode()
    assert "backend_cleanup" not in text
    theirs = PeriodicTask.objects.create(
        name="theirs", task="celery.backend_cleanup", crontab=task("train_all_sites").crontab
    )
    assert engineer.get(reverse("timetable_edit", args=[theirs.pk])).status_code == 404


def test_a_time_of_day_is_set_and_audited(engineer, plant):
    assert change(engineer, "forecast_all_sites", DAILY).status_code == 302
    text = engineer.get(reverse("timetable")).content.decode()
    assert "Every day at 03:15 (Europe/Madrid)" in text
    entry = AuditEntry.objects.get(action="timetable changed")
    assert entry.site == plant.site
    assert entry.before != entry.after


def test_another_task_with_the_same_hour_keeps_it(engineer):
    shared = task("forecast_all_sites").crontab
    PeriodicTask.objects.filter(task="maintenance.watch_all_sites").update(crontab=shared)
    change(engineer, "forecast_all_sites", DAILY)
    assert task("watch_all_sites").crontab == shared
    assert (shared.hour, shared.minute) == ("1", "0")


def test_a_weekday_is_set(engineer):
    given = DAILY | {"rhythm": "weekly", "weekday": "3", "time": "22:00"}
    change(engineer, "train_all_sites", given)
    cron = task("train_all_sites").crontab
    assert (cron.day_of_week, cron.hour, cron.minute) == ("3", "22", "0")


def test_every_so_many_seconds_is_set(engineer):
    change(engineer, "forecast_all_sites", {"rhythm": "interval", "seconds": "3600"})
    changed = task("forecast_all_sites")
    assert changed.crontab is None
    assert changed.interval.every == 3600
    assert not changed.enabled


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"rhythm": "daily"}, "time"),
        ({"rhythm": "weekly", "time": "01:00"}, "weekday"),
        ({"rhythm": "interval"}, "seconds"),
        ({"rhythm": "interval", "seconds": "0"}, "seconds"),
        ({"rhythm": "daily", "time": "25:00"}, "time"),
        ({"rhythm": "daily", "time": "01:00", "zone": "Mars/North"}, "zone"),
        ({"rhythm": "sometimes"}, "rhythm"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(engineer, given, field):
    answer = change(engineer, "forecast_all_sites", given)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert task("forecast_all_sites").crontab is not None


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("forecast_all_sites", {"enabled": "on", "rhythm": "interval", "seconds": "60"}),
        ("sweep_operations", {"rhythm": "interval", "seconds": "15"}),
        ("sweep_operations", DAILY),
        ("sweep_operations", {"enabled": "on", "rhythm": "interval", "seconds": "3000"}),
        ("sweep_operations", {"enabled": "on", "rhythm": "interval", "seconds": "1"}),
    ],
)
def test_a_timetable_that_would_do_harm_is_refused(engineer, name, given):
    before = str(task(name).schedule)
    assert change(engineer, name, given).status_code == 422
    assert str(task(name).schedule) == before


def test_the_next_run_follows_the_last(engineer):
    ran = timezone.now() - dt.timedelta(seconds=10)
    PeriodicTask.objects.filter(task="maintenance.sweep_operations").update(last_run_at=ran)
    rows = engineer.get(reverse("timetable")).context["rows"]
    sweep = next(row for row in rows if row.task.task == "maintenance.sweep_operations")
    assert abs(sweep.next_at - (ran + dt.timedelta(seconds=15))) < dt.timedelta(seconds=2)


def test_a_task_that_is_off_has_no_next_run(engineer):
    change(engineer, "train_all_sites", {"rhythm": "daily", "time": "01:00"})
    rows = engineer.get(reverse("timetable")).context["rows"]
    assert [row.next_at for row in rows if not row.task.enabled] == [None]


def test_an_intricate_crontab_is_shown_as_it_stands(engineer):
    cron = CrontabSchedule.objects.create(minute="*/5", hour="8-18", timezone="UTC")
    PeriodicTask.objects.filter(task="maintenance.forecast_all_sites").update(crontab=cron)
    assert "*/5 8-18" in engineer.get(reverse("timetable")).content.decode()
    answer = engineer.get(reverse("timetable_edit", args=[task("forecast_all_sites").pk]))
    assert answer.status_code == 200


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PLANNER])
def test_who_may_only_look_changes_nothing(client, plant, role):
    client.force_login(plant.user(role))
    text = client.get(reverse("timetable")).content.decode()
    url = reverse("timetable_edit", args=[task("train_all_sites").pk])
    assert url not in text
    assert client.post(url, DAILY).status_code == 403


def test_who_answers_for_one_site_alone_does_not_change_what_runs_for_all(engineer, plant):
    tiny("south", now=plant.now)
    assert change(engineer, "train_all_sites", DAILY).status_code == 403
