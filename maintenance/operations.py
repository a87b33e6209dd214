"""Asks for, leases and reports long work.

The row is the record and the outbox; the broker only wakes a worker. A worker leases the row and
gets a run number; each write of the run is fenced by that number, so that a worker which was
given up and comes back can no longer change anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from kombu.exceptions import OperationalError

from maintenance.choices import OperationKind, OperationState
from maintenance.models import AuditEntry, Operation, Site, User

LEASE = dt.timedelta(seconds=settings.OPERATION_LEASE_SECONDS)
HEARTBEAT = LEASE / 6
PATIENCE = dt.timedelta(seconds=60)
MOST_RUNS = 5
TASK = "maintenance.run_operation"
QUEUES = {
    OperationKind.IMPORT: "ingest",
    OperationKind.UPLOAD: "ingest",
    OperationKind.TRAIN: "learn",
    OperationKind.FORECAST: "learn",
    OperationKind.SCHEDULE: "plan",
    OperationKind.WATCH: "learn",
    OperationKind.LOOP: "learn",
}

Fence = Callable[[dict[str, Any]], "Operation | None"]
Report = Callable[[int, int, str], None]

log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """This run no longer owns its operation: it was cancelled or another run took it up."""


@dataclass(frozen=True)
class Run:
    """One attempt at an operation: what is asked, and the right to write its effects."""

    operation_id: int
    number: int
    kind: OperationKind
    site_id: int
    arguments: dict[str, Any]
    requested_by_id: int | None
    clock: Callable[[], dt.datetime]
    lost: Event = field(default_factory=Event, compare=False)

    def report(self, done: int, total: int, note: str = "") -> None:
        """Show progress. Raises Overtaken when the run has lost its operation."""
        self._still_mine(progress_done=done, progress_total=total, progress_note=note[:160])

    def beat(self) -> None:
        now = self.clock()
        self._still_mine(heartbeat_at=now, lease_until=now + LEASE)

    def fence(self, stage: str) -> Fence:
        """What a stage calls inside the transaction that writes its effects, with its result.

        Effects and the note that the stage is done are committed together: a run that takes the
        operation up later skips the stage. A run that lost its operation is Overtaken instead.
        """

        def commit(result: dict[str, Any]) -> Operation:
            operation = Operation.objects.select_for_update().filter(**self._mine()).first()
            if operation is None:
                self.lost.set()
                raise Overtaken(f"run {self.number} of operation {self.operation_id}")
            operation.result[stage] = result
            operation.useful_run = self.number
            operation.save(update_fields=["result", "useful_run"])
            return operation

        return commit

    def once(self, stage: str, work: Callable[[Fence], object]) -> None:
        """Do a stage unless an earlier run of the operation has done it."""
        done = Operation.objects.values_list("result", flat=True).get(pk=self.operation_id)
        if stage not in done:
            work(self.fence(stage))

    def finish(self) -> None:
        self._still_mine(state=OperationState.SUCCEEDED, finished_at=self.clock())

    def fail(self, error: str) -> None:
        self._still_mine(state=OperationState.FAILED, error=error[:4000], finished_at=self.clock())

    def _mine(self) -> dict[str, Any]:
        return {"pk": self.operation_id, "run": self.number, "state": OperationState.RUNNING}

    def _still_mine(self, **changes: Any) -> None:
        if self.lost.is_set() or not Operation.objects.filter(**self._mine()).update(**changes):
            self.lost.set()
            raise Overtaken(f"run {self.number} of operation {self.operation_id}")


def unfenced(_result: dict[str, Any]) -> None:
    """For a stage that runs outside any operation: nobody can overtake it."""


def unreported(_done: int, _total: int, _note: str) -> None:
    """Progress that nobody watches."""


def request(
    *,
    site: Site,
    kind: OperationKind,
    arguments: dict[str, Any],
    by: User | None,
    now: dt.datetime,
    key: str = "",
) -> Operation:
    """Ask for long work. When the same work is open already, that one is the answer."""
    try:
        with transaction.atomic():
            operation = Operation.objects.create(
                site=site,
                kind=kind,
                key=key,
                arguments=arguments,
                requested_by=by,
                recorded_at=now,
                woken_at=now,
            )
            transaction.on_commit(lambda: wake(operation.pk, kind))
            return operation
    except IntegrityError:
        return Operation.objects.open().get(site=site, kind=kind, key=key)


def wake(operation_id: int, kind: OperationKind) -> None:
    """Tell a worker of the kind's queue. When the broker is away, the sweep tells it later."""
    try:
        current_app.send_task(TASK, kwargs={"operation_id": operation_id}, queue=QUEUES[kind])
    except (OperationalError, OSError) as error:
        log.warning("broker_unreachable", operation_id=operation_id, error=str(error))


def lease(*, operation_id: int, clock: Callable[[], dt.datetime]) -> Run | None:
    """Take the operation up; None when it is done, cancelled, or another run holds it."""
    now = clock()
    with transaction.atomic():
        operation = Operation.objects.select_for_update().filter(pk=operation_id).first()
        if operation is None or not _free(operation, now):
            return None
        if operation.run - operation.useful_run >= MOST_RUNS:
            _give_up(operation, now)
            return None
        operation.run += 1
        operation.state = OperationState.RUNNING
        operation.started_at = operation.started_at or now
        operation.heartbeat_at = now
        operation.lease_until = now + LEASE
        operation.save()
    return Run(
        operation_id=operation.pk,
        number=operation.run,
        kind=OperationKind(operation.kind),
        site_id=operation.site_id,
        arguments=operation.arguments,
        requested_by_id=operation.requested_by_id,
        clock=clock,
    )


@transaction.atomic
def cancel(*, operation: Operation, by: User | None, now: dt.datetime) -> bool:
    """Stop open work: a running worker finds out at its next report and writes nothing more.

    False when it had ended already.
    """
    held = Operation.objects.select_for_update().open().filter(pk=operation.pk).first()
    if held is None:
        return False
    before = held.state
    held.state, held.finished_at = OperationState.CANCELLED, now
    held.save(update_fields=["state", "finished_at"])
    AuditEntry.objects.create(
        site_id=held.site_id,
        at=now,
        by=by,
        action="operation cancelled",
        subject=f"{held.kind} operation {held.pk}",
        before={"state": before},
        after={"state": held.state},
    )
    return True


def sweep(*, now: dt.datetime) -> int:
    """Wake workers for operations whose worker died or whose message was lost."""
    stale = Operation.objects.stale(now=now)
    forgotten = Operation.objects.waiting_too_long(now=now, patience=PATIENCE)
    to_wake = dict((stale | forgotten).values_list("pk", "kind"))
    Operation.objects.filter(pk__in=to_wake).update(woken_at=now)
    for operation_id, kind in to_wake.items():
        wake(operation_id, OperationKind(kind))
    return len(to_wake)


class Heart:
    """Renews the lease from a thread while the run works; stops when the run is overtaken."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stop = Event()
        self._thread = Thread(target=self._beat, name=f"heart-{run.operation_id}", daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(HEARTBEAT.total_seconds()):
                self._beat_once()
        except Overtaken:
            log.warning("run_overtaken", operation_id=self._run.operation_id)
        finally:
            connection.close()

    def _beat_once(self) -> None:
        """A database that is busy or away for a moment costs a beat, not the run."""
        try:
            self._run.beat()
        except DatabaseError as error:
            log.warning("beat_missed", operation_id=self._run.operation_id, error=str(error))
            connection.close()


def _free(operation: Operation, now: dt.datetime) -> bool:
    if operation.state == OperationState.QUEUED:
        return True
    expired = operation.lease_until is not None and operation.lease_until < now
    return operation.state == OperationState.RUNNING and expired


def _give_up(operation: Operation, now: dt.datetime) -> None:
    operation.state = OperationState.FAILED
    operation.error = f"Given up: its worker died {MOST_RUNS} times."
    operation.finished_at = now
    operation.save()
