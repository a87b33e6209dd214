"""Asking, leasing, fencing: whatever dies, the work is done and is in effect once."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from kombu.exceptions import OperationalError

from maintenance import operations
from maintenance.choices import OperationKind, OperationState
from maintenance.models import AuditEntry, Operation, Site
from maintenance.operations import MOST_RUNS, Overtaken, Run
from tests.factories import SiteFactory, UserFactory
from tests.integration.operations.clock import START, Clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def woken(monkeypatch) -> list[int]:
    """Ids of the operations that a worker was told of."""
    told: list[int] = []
    monkeypatch.setattr(operations, "wake", lambda pk, _kind: told.append(pk))
    return told


def ask(site: Site, **more) -> Operation:
    asked = {"kind": OperationKind.TRAIN, "arguments": {"a": 1}, "by": None, "now": START}
    return operations.request(site=site, **{**asked, **more})


def run_of(operation: Operation, clock: Clock) -> Run:
    run = operations.lease(operation_id=operation.pk, clock=clock)
    assert run is not None
    return run


def die(clock: Clock) -> None:
    """The worker is gone: nobody renews the lease, and it runs out."""
    clock.passes(seconds=operations.LEASE.total_seconds() + 1)


class TestAsking:
    def test_the_same_work_is_open_once(self, woken):
        site = SiteFactory()
        assert ask(site) == ask(site)
        assert Operation.objects.count() == 1

    def test_other_work_another_key_or_another_site_is_other_work(self):
        site = SiteFactory()
        asked = {
            ask(site),
            ask(site, kind=OperationKind.SCHEDULE),
            ask(site, key="another"),
            ask(SiteFactory()),
        }
        assert len(asked) == 4

    def test_work_that_ended_can_be_asked_for_again(self, clock):
        site = SiteFactory()
        first = ask(site)
        run_of(first, clock).finish()
        assert ask(site) != first

    def test_the_database_itself_refuses_a_second_open_row(self):
        first = ask(SiteFactory())
        first.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            first.save(force_insert=True)

    def test_a_worker_is_told_when_the_row_is_committed_and_not_before(
        self, woken, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            operation = ask(SiteFactory())
            assert woken == []
        assert woken == [operation.pk]

    def test_asking_for_what_is_open_tells_nobody_again(
        self, woken, django_capture_on_commit_callbacks
    ):
        site = SiteFactory()
        with django_capture_on_commit_callbacks(execute=True):
            ask(site)
            ask(site)
        assert len(woken) == 1

    @pytest.mark.parametrize("error", [OperationalError("refused"), ConnectionError("no broker")])
    def test_a_lost_broker_is_survived_and_the_sweep_tells_later(
        self, error, monkeypatch, django_capture_on_commit_callbacks
    ):
        class Broken:
            def send_task(self, *_args, **_kwargs):
                raise error

        monkeypatch.setattr(operations, "current_app", Broken())
        with django_capture_on_commit_callbacks(execute=True):
            operation = ask(SiteFactory())
        operation.refresh_from_db()
        assert operation.state == OperationState.QUEUED


class TestLeasing:
    def test_a_lease_numbers_the_run_and_says_until_when(self, clock):
        operation = ask(SiteFactory())
        run = run_of(operation, clock)
        operation.refresh_from_db()
        assert (run.number, operation.run, operation.state) == (1, 1, OperationState.RUNNING)
        assert operation.lease_until == START + operations.LEASE
        assert operation.started_at == operation.heartbeat_at == START
        assert (run.kind, run.arguments, run.site_id) == (
            OperationKind.TRAIN,
            {"a": 1},
            operation.site_id,
        )

    def test_leased_work_is_not_given_to_another_worker(self, clock):
        operation = ask(SiteFactory())
        run_of(operation, clock)
        clock.passes(seconds=operations.LEASE.total_seconds() - 1)
        assert operations.lease(operation_id=operation.pk, clock=clock) is None

    def test_a_stale_lease_is_taken_up_again_with_the_next_number(self, clock):
        operation = ask(SiteFactory())
        run_of(operation, clock)
        die(clock)
        assert run_of(operation, clock).number == 2
        operation.refresh_from_db()
        assert operation.started_at == START

    def test_a_beat_renews_the_lease(self, clock):
        operation = ask(SiteFactory())
        run = run_of(operation, clock)
        clock.passes(seconds=20)
        run.beat()
        clock.passes(seconds=20)
        assert operations.lease(operation_id=operation.pk, clock=clock) is None
        operation.refresh_from_db()
        assert operation.heartbeat_at == START + dt.timedelta(seconds=20)

    @pytest.mark.parametrize(
        "state", [OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED]
    )
    def test_work_that_ended_is_never_leased_again(self, clock, state):
        operation = ask(SiteFactory())
        Operation.objects.update(state=state)
        die(clock)
        assert operations.lease(operation_id=operation.pk, clock=clock) is None

    def test_work_that_was_deleted_is_no_error(self, clock):
        assert operations.lease(operation_id=0, clock=clock) is None

    def test_work_whose_worker_dies_five_times_is_given_up_and_says_so(self, clock):
        operation = ask(SiteFactory())
        for number in range(1, MOST_RUNS + 1):
            assert run_of(operation, clock).number == number
            die(clock)
        assert operations.lease(operation_id=operation.pk, clock=clock) is None
        operation.refresh_from_db()
        assert operation.state == OperationState.FAILED
        assert operation.error == "Given up: its worker died 5 times."
        assert operation.finished_at == clock.now
        assert operation.run == MOST_RUNS


class TestFencing:
    @pytest.fixture
    def overtaken(self, clock) -> Run:
        operation = ask(SiteFactory())
        run = run_of(operation, clock)
        die(clock)
        run_of(operation, clock)
        return run

    def row(self, run: Run) -> dict:
        return Operation.objects.filter(pk=run.operation_id).values().get()

    @pytest.mark.parametrize(
        "write",
        [
            lambda run: run.report(1, 2, "half"),
            lambda run: run.beat(),
            lambda run: run.finish(),
            lambda run: run.fail("it broke"),
            lambda run: run.fence("train")({"models": 1}),
        ],
        ids=["report", "beat", "finish", "fail", "fence"],
    )
    def test_an_overtaken_run_writes_nothing(self, overtaken, write):
        before = self.row(overtaken)
        with pytest.raises(Overtaken, match="run 1 of operation"), transaction.atomic():
            write(overtaken)
        assert self.row(overtaken) == before
        assert overtaken.lost.is_set()

    def test_the_effects_of_an_overtaken_run_are_rolled_back(self, overtaken):
        @transaction.atomic
        def stage() -> None:
            SiteFactory(code="an-effect")
            overtaken.fence("train")({})

        with pytest.raises(Overtaken):
            stage()
        assert not Site.objects.filter(code="an-effect").exists()

    def test_the_run_that_holds_the_lease_writes(self, clock):
        operation = ask(SiteFactory())
        run = run_of(operation, clock)
        run.report(1, 2, "x" * 500)
        with transaction.atomic():
            assert run.fence("train")({"models": 3}) == operation
        clock.passes(seconds=3)
        run.finish()
        operation.refresh_from_db()
        assert (operation.progress_done, operation.progress_total) == (1, 2)
        assert len(operation.progress_note) == 160
        assert operation.result == {"train": {"models": 3}}
        assert (operation.state, operation.finished_at) == (OperationState.SUCCEEDED, clock.now)

    def test_a_failure_keeps_its_words_but_not_endlessly(self, clock):
        operation = ask(SiteFactory())
        run_of(operation, clock).fail("no disk " * 1000)
        operation.refresh_from_db()
        assert operation.state == OperationState.FAILED
        assert operation.error.startswith("no disk")
        assert len(operation.error) == 4000

    def test_a_stage_that_committed_is_skipped_by_the_next_run(self, clock):
        operation, did = ask(SiteFactory()), []

        def stage(name: str, run: Run) -> None:
            def work(fence: operations.Fence) -> None:
                did.append((run.number, name))
                with transaction.atomic():
                    fence({"by": run.number})

            run.once(name, work)

        first = run_of(operation, clock)
        stage("features", first)
        die(clock)
        second = run_of(operation, clock)
        stage("features", second)
        stage("forecast", second)
        assert did == [(1, "features"), (2, "forecast")]
        operation.refresh_from_db()
        assert operation.result == {"features": {"by": 1}, "forecast": {"by": 2}}

    def test_a_stage_that_did_not_commit_is_done_again(self, clock):
        operation, did = ask(SiteFactory()), []

        def dies(fence: operations.Fence) -> None:
            did.append("begun")
            with transaction.atomic():
                fence({})
                raise MemoryError

        with pytest.raises(MemoryError):
            run_of(operation, clock).once("train", dies)
        die(clock)
        run_of(operation, clock).once("train", lambda fence: did.append("again"))
        assert did == ["begun", "again"]


class TestCancelling:
    def test_queued_work_is_cancelled_and_nobody_takes_it_up(self, clock):
        operation = ask(SiteFactory())
        assert operations.cancel(operation=operation, by=None, now=START)
        assert operations.lease(operation_id=operation.pk, clock=clock) is None
        operation.refresh_from_db()
        assert (operation.state, operation.finished_at) == (OperationState.CANCELLED, START)

    def test_a_running_worker_finds_out_at_its_next_word(self, clock):
        operation = ask(SiteFactory())
        run = run_of(operation, clock)
        assert operations.cancel(operation=operation, by=None, now=START)
        with pytest.raises(Overtaken):
            run.report(1, 2)

    def test_what_ended_cannot_be_cancelled(self, clock):
        operation = ask(SiteFactory())
        run_of(operation, clock).finish()
        assert not operations.cancel(operation=operation, by=None, now=START)
        operation.refresh_from_db()
        assert operation.state == OperationState.SUCCEEDED

    def test_the_audit_says_who_stopped_what_once(self, clock):
        user, operation = UserFactory(), ask(SiteFactory())
        run_of(operation, clock)
        for _ in range(2):
            operations.cancel(operation=operation, by=user, now=START)
        entry = AuditEntry.objects.get()
        assert (entry.site, entry.by, entry.at) == (operation.site, user, START)
        assert entry.subject == f"train operation {operation.pk}"
        assert (entry.before, entry.after) == ({"state": "running"}, {"state": "cancelled"})


class TestSweeping:
    def test_stale_and_forgotten_work_is_told_of_again_and_no_other(self, clock, woken):
        sites = [SiteFactory() for _ in range(5)]
        stale, held, forgotten, fresh, done = (ask(site) for site in sites)
        run_of(stale, clock)
        run_of(done, clock).finish()
        clock.passes(seconds=operations.PATIENCE.total_seconds() + 1)
        run_of(held, clock)
        Operation.objects.filter(pk=fresh.pk).update(woken_at=clock.now)
        assert operations.sweep(now=clock.now) == 2
        assert sorted(woken) == sorted([stale.pk, forgotten.pk])

    def test_what_was_just_told_of_is_left_in_peace(self, clock, woken):
        ask(SiteFactory())
        clock.passes(seconds=operations.PATIENCE.total_seconds() + 1)
        assert operations.sweep(now=clock.now) == 1
        clock.passes(seconds=10)
        assert operations.sweep(now=clock.now) == 0
