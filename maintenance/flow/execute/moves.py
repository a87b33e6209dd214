"""Changes of state of work that is being done, each with its entry in the audit trail."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from maintenance.choices import WorkOrderState
from maintenance.flow.execute import spells
from maintenance.flow.execute.refusals import NotAllowed
from maintenance.models import AuditEntry, User, WorkOrder, WorkSpell


@transaction.atomic
def start(*, work_order: WorkOrder, by: User | None, now: dt.datetime) -> WorkOrder:
    """Begin, or go on after a pause."""
    locked = lock(work_order, becoming=WorkOrderState.IN_PROGRESS)
    WorkSpell.objects.create(work_order=locked, by=by, started_at=now)
    return move(locked, WorkOrderState.IN_PROGRESS, by=by, now=now)


@transaction.atomic
def pause(*, work_order: WorkOrder, by: User | None, now: dt.datetime) -> WorkOrder:
    locked = lock(work_order, becoming=WorkOrderState.PAUSED)
    spells.end(locked, at=now, now=now)
    return move(locked, WorkOrderState.PAUSED, by=by, now=now)


@transaction.atomic
def cancel(*, work_order: WorkOrder, note: str, by: User | None, now: dt.datetime) -> WorkOrder:
    """It was decided, perhaps begun, and will not be done; what was worked until now stays."""
    locked = lock(work_order, becoming=WorkOrderState.CANCELLED)
    spells.end(locked, at=now, now=now)
    locked.decided_at, locked.decided_by = now, by
    locked.pinned_start_at = None
    return move(locked, WorkOrderState.CANCELLED, by=by, now=now, note=note)


def lock(work_order: WorkOrder, *, becoming: WorkOrderState) -> WorkOrder:
    """The work order as it is now, for this transaction alone; NotAllowed if it cannot become so.

    Work that nobody started may still be finished: it is started and finished at once.
    """
    locked = WorkOrder.objects.select_for_update().get(pk=work_order.pk)
    at_once = becoming == WorkOrderState.DONE and locked.may_become(WorkOrderState.IN_PROGRESS)
    if not (locked.may_become(becoming) or at_once):
        raise NotAllowed(locked, becoming)
    return locked


def move(
    locked: WorkOrder,
    state: WorkOrderState,
    *,
    by: User | None,
    now: dt.datetime,
    **told: Any,
) -> WorkOrder:
    before = locked.state
    locked.state = state
    locked.save()
    AuditEntry.objects.create(
        site=locked.site,
        at=now,
        by=by,
        action=f"work order {state}",
        subject=f"work order {locked.number}",
        before={"state": before},
        after={"state": state, **told},
    )
    return locked
