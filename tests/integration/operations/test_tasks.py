"""Operations from the request to the last stage, as a worker performs them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from maintenance import operations, tasks
from maintenance.choices import OperationKind, OperationState, Trigger
from maintenance.models import Operation
from maintenance.operations import Overtaken
from tests.factories import SiteFactory, UserFactory
from tests.integration.operations.clock import START, Clock

# The heart beats from a thread of its own: it must see what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def woken(monkeypatch) -> list[int]:
    told: list[int] = []
    monkeypatch.setattr(operations, "wake", lambda pk, _kind: told.append(pk))
    return told


@pytest.fixture
def stages(monkeypatch) -> dict:
    """Stages that tests put in the place of the real ones."""
    made: dict = {}
    monkeypatch.setattr(tasks, "STAGES", made)
    return made


def ask(**more) -> Operation:
    return tasks.request_training(
        site=SiteFactory(), by=None, now=START, trigger=Trigger.BUTTON, **more
    )


def test_what_is_asked_for_is_recorded_with_who_and_when():
    site, user = SiteFactory(), UserFactory()
    asked = [
        tasks.request_training(site=site, by=user, now=START, trigger=Trigger.BUTTON),
        tasks.request_forecast(site=site, by=user, now=START),
        tasks.request_watch(site=site, by=user, now=START),
        tasks.request_schedule(site=site, by=user, now=START),
        tasks.request_loop(site=site, by=user, now=START, as_of=START, publish=True),
        tasks.request_import(site=site, by=user, now=START, arguments={"import_id": 7}),
    ]
    # An upload is asked for by the door that keeps its file.
    assert {each.kind for each in asked} == set(OperationKind) - {OperationKind.UPLOAD}
    assert {(each.requested_by, each.recorded_at) for each in asked} == {(user, START)}
    assert asked[-1].key == "7"


@pytest.mark.parametrize("trigger", Trigger)
def test_a_training_says_why_it_was_asked_for(monkeypatch, trigger):
    """The stage is told what stands in the operation, and guesses nothing."""
    told = []
    monkeypatch.setattr(tasks.retrain, "train", lambda **given: told.append(given["trigger"]))
    operation = tasks.request_training(site=SiteFactory(), by=None, now=START, trigger=trigger)
    assert operation.arguments["trigger"] == trigger.value
    assert tasks.perform(operation_id=operation.pk, clock=Clock())
    assert told == [trigger]


def test_the_timetable_says_that_it_asks():
    SiteFactory()
    tasks.train_all_sites()
    assert Operation.objects.get().arguments["trigger"] == "timetable"


def test_a_stage_that_ends_well_ends_the_operation(stages):
    stages[OperationKind.TRAIN] = lambda run: run.report(3, 3, "done")
    operation = ask()
    assert tasks.perform(operation_id=operation.pk, clock=Clock())
    operation.refresh_from_db()
    assert (operation.state, operation.progress_done) == (OperationState.SUCCEEDED, 3)


def test_work_is_done_once_however_often_the_worker_is_told(stages):
    did = []
    stages[OperationKind.TRAIN] = lambda run: did.append(run.number)
    operation = ask()
    for _ in range(3):
        tasks.run_operation(operation_id=operation.pk)
    assert did == [1]


def test_what_a_stage_raises_is_kept_and_raised(stages):
    def breaks(_run):
        raise ValueError("no such column: wear")

    stages[OperationKind.TRAIN] = breaks
    operation = ask()
    with pytest.raises(ValueError, match="wear"):
        tasks.perform(operation_id=operation.pk, clock=Clock())
    operation.refresh_from_db()
    assert operation.state == OperationState.FAILED
    assert operation.error == "ValueError: no such column: wear"


def test_a_run_that_was_overtaken_ends_without_a_word(stages):
    def taken_away(run):
        Operation.objects.update(run=2)
        run.report(1, 2)

    stages[OperationKind.TRAIN] = taken_away
    operation = ask()
    assert not tasks.perform(operation_id=operation.pk, clock=Clock())
    operation.refresh_from_db()
    assert (operation.state, operation.error) == (OperationState.RUNNING, "")


def test_a_cancelled_operation_stays_cancelled(stages):
    def cancelled(run):
        operations.cancel(operation=Operation.objects.get(), by=None, now=START)
        with pytest.raises(Overtaken):
            run.report(1, 2)

    stages[OperationKind.TRAIN] = cancelled
    operation = ask()
    assert not tasks.perform(operation_id=operation.pk, clock=Clock())
    operation.refresh_from_db()
    assert operation.state == OperationState.CANCELLED


def test_a_worker_that_died_is_followed_by_one_that_does_the_rest(stages):
    clock, did = Clock(), []

    class Killed(BaseException):
        """What no `except Exception` sees."""

    def two_stages(run):
        def stage(name):
            def work(fence):
                did.append((name, run.number))
                with transaction.atomic():
                    fence({})

            run.once(name, work)

        stage("train")
        if run.number == 1:
            raise Killed
        stage("forecast")

    stages[OperationKind.TRAIN] = two_stages
    operation = ask()
    with pytest.raises(Killed):
        tasks.perform(operation_id=operation.pk, clock=clock)
    assert not tasks.perform(operation_id=operation.pk, clock=clock)
    clock.passes(seconds=operations.LEASE.total_seconds() + 1)
    assert tasks.perform(operation_id=operation.pk, clock=clock)
    assert did == [("train", 1), ("forecast", 2)]


def test_the_sweep_tells_workers_of_stale_work(woken):
    operation = ask()
    woken.clear()
    Operation.objects.update(woken_at=START - dt.timedelta(days=1))
    tasks.sweep_operations()
    assert woken == [operation.pk]


def test_the_timetable_asks_for_every_site():
    sites = [SiteFactory(), SiteFactory()]
    tasks.train_all_sites()
    tasks.forecast_all_sites()
    tasks.forecast_all_sites()
    for kind in (OperationKind.TRAIN, OperationKind.FORECAST):
        asked = Operation.objects.filter(kind=kind)
        assert sorted(each.site_id for each in asked) == sorted(site.pk for site in sites)


def test_tasks_tolerate_what_a_newer_sender_adds():
    tasks.run_operation(operation_id=0, added_later=True)
    tasks.sweep_operations(added_later=True)
