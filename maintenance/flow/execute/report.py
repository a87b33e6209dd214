"""Work is finished: what was found and done becomes a report, and the report becomes facts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from maintenance.choices import AsFound, WorkOrderState
from maintenance.flow.execute import photos as pictures
from maintenance.flow.execute import spells, stock
from maintenance.flow.execute.moves import lock, move
from maintenance.flow.execute.refusals import Refusal
from maintenance.flow.execute.renewal import renew
from maintenance.models import FailureMode, SparePart, User, WorkOrder, WorkReport

# The forecasts of the day do not know of the renewal yet; the next ones do.
QUIET_AFTER_RENEWAL = dt.timedelta(days=1)
QUIET_AFTER_NOTHING_FOUND = dt.timedelta(days=14)


def finish(
    *,
    work_order: WorkOrder,
    as_found: AsFound,
    failure_mode: FailureMode | None,
    renewed: bool,
    parts: Mapping[SparePart, int],
    note: str,
    photos: Sequence[UploadedFile[Any]] = (),
    by: User | None,
    now: dt.datetime,
    started_at: dt.datetime | None = None,
    finished_at: dt.datetime | None = None,
) -> WorkReport:
    """Report the finding and close the work order; all of it, or nothing.

    `failure_mode` is the failure code of another fault; otherwise the work order's own mode was
    found, or nothing. `renewed` speaks of the component of the mode that was found, or, where none
    was, of the one the work was about. `finished_at` is when the work really ended, `now` when it
    is told.
    """
    checked = pictures.checked(photos)
    ended = finished_at or now
    if ended > now:
        raise Refusal("finished_at", _("That is in the future."))
    with transaction.atomic():
        locked = lock(work_order, becoming=WorkOrderState.DONE)
        found = _mode_found(locked, as_found, failure_mode)
        worked_minutes = spells.end_all(
            locked, started_at=started_at, finished_at=ended, by=by, now=now
        )
        report = WorkReport.objects.create(
            work_order=locked,
            by=by,
            as_found=as_found,
            failure_mode=found,
            renewed=renewed,
            worked_minutes=worked_minutes,
            note=note,
            finished_at=ended,
            recorded_at=now,
        )
        stock.issue(parts, work_order=locked, at=ended, by=by, now=now)
        if renewed:
            renew(asset=locked.asset, failure_mode=_mode_renewed(locked, found), at=ended, now=now)
        locked.snoozed_until = _quiet_until(locked, report)
        move(locked, WorkOrderState.DONE, by=by, now=now, as_found=as_found, renewed=renewed)
        pictures.keep(checked, report=report, now=now)
    return report


def _mode_found(
    work_order: WorkOrder, as_found: AsFound, told: FailureMode | None
) -> FailureMode | None:
    if as_found == AsFound.NOTHING_FOUND:
        return None
    if as_found != AsFound.OTHER_FAULT:
        return mode_of(work_order)
    if told is not None and told.asset_class_id != work_order.asset.asset_class_id:
        raise Refusal("failure_mode", _("Assets of this class do not fail like that."))
    return told


def mode_of(work_order: WorkOrder) -> FailureMode | None:
    """The failure mode that the work is against: its own, or that of its job plan."""
    return work_order.failure_mode or work_order.job_plan.failure_mode


def _mode_renewed(work_order: WorkOrder, found: FailureMode | None) -> FailureMode:
    mode = found or mode_of(work_order)
    if mode is None:
        raise Refusal("renewed", _("This work is about no component that could be renewed."))
    return mode


def _quiet_until(work_order: WorkOrder, report: WorkReport) -> dt.datetime | None:
    """How long the same work is not proposed again.

    Renewed means of the work order's own mode: what another fault cost does not make this one go.
    """
    own = report.failure_mode is None or report.failure_mode == mode_of(work_order)
    if report.renewed and own:
        return report.recorded_at + QUIET_AFTER_RENEWAL
    if report.as_found == AsFound.NOTHING_FOUND:
        return report.recorded_at + QUIET_AFTER_NOTHING_FOUND
    return work_order.snoozed_until
