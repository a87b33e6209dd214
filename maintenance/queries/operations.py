"""Long work as a page tells it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from maintenance.choices import OperationKind, OperationState, Permission
from maintenance.models import Operation, Schedule, Site

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Who may stop work of a kind that somebody else asked for.
MAY_CANCEL: dict[str, Permission] = {
    OperationKind.IMPORT: Permission.IMPORT_DATA,
    OperationKind.UPLOAD: Permission.IMPORT_DATA,
    OperationKind.TRAIN: Permission.MANAGE_MODELS,
    OperationKind.FORECAST: Permission.MANAGE_MODELS,
    OperationKind.SCHEDULE: Permission.PLAN,
    OperationKind.LOOP: Permission.ADMINISTER,
}


@dataclass(frozen=True)
class Progress:
    """`share` is None while nobody can know how much is left."""

    operation: Operation
    label: StrOrPromise
    share: float | None
    words: str
    best_cost: float | None
    seconds: int

    @property
    def finished(self) -> bool:
        return not self.operation.is_open


def progress(operation: Operation, *, now: dt.datetime) -> Progress:
    total = operation.progress_total
    started = operation.started_at or operation.recorded_at
    running = operation.state == OperationState.RUNNING
    return Progress(
        operation=operation,
        label=OperationKind(operation.kind).label,
        share=operation.progress_done / total if running and total else None,
        words=_words(operation),
        best_cost=_best_cost(operation) if running else None,
        seconds=round(((operation.finished_at or now) - started) / dt.timedelta(seconds=1)),
    )


def open_schedule_operation(site: Site) -> Operation | None:
    return Operation.objects.open().filter(site=site, kind=OperationKind.SCHEDULE).first()


def outcome(operation: Operation) -> Schedule | None:
    """The schedule that the operation made, if it made one."""
    return Schedule.objects.filter(operation=operation).defer("problem").first()


def _words(operation: Operation) -> str:
    if operation.state == OperationState.QUEUED:
        return _("waiting for a worker")
    if operation.state == OperationState.RUNNING:
        return _running(operation)
    return str(OperationState(operation.state).label)


def _running(operation: Operation) -> str:
    if operation.kind == OperationKind.SCHEDULE and operation.progress_done <= 1:
        return _("looking for the cheapest schedule")
    if operation.progress_note:
        return operation.progress_note
    if operation.progress_total:
        return _("step %(done)s of %(total)s") % {
            "done": operation.progress_done,
            "total": operation.progress_total,
        }
    return str(OperationState(operation.state).label)


def _best_cost(operation: Operation) -> float | None:
    """While it searches, the optimiser notes the cost of the best schedule found so far."""
    if operation.kind != OperationKind.SCHEDULE:
        return None
    try:
        return float(operation.progress_note.replace(",", ""))
    except ValueError:
        return None
