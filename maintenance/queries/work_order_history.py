"""What happened to a work order: who decided, who moved it, when it was published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from maintenance.choices import AsFound, DismissReason, WorkOrderState
from maintenance.models import Assignment, AuditEntry, ScheduleMove, User, WorkOrder
from maintenance.queries.words import moment_words


@dataclass(frozen=True)
class Happening:
    at: dt.datetime
    icon: str
    what: str
    by: str
    note: str = ""


def work_order_history(work_order: WorkOrder) -> list[Happening]:
    """Newest first."""
    happened = [_began(work_order), *_decided(work_order), *_moved(work_order)]
    happened += _published(work_order)
    return sorted(happened, key=lambda happening: happening.at, reverse=True)


def person(user: User | None) -> str:
    if user is None:
        return _("Vigía")
    return user.get_full_name() or user.get_username()


def _began(work_order: WorkOrder) -> Happening:
    asked = work_order.requested_by
    what = _("Asked for") if asked else _("Proposed from the forecast")
    return Happening(work_order.recorded_at, "bulb", what, person(asked))


def _decided(work_order: WorkOrder) -> Iterator[Happening]:
    entries = AuditEntry.objects.filter(
        site=work_order.site_id, subject=f"work order {work_order.number}"
    ).select_related("by")
    for entry in entries:
        told = _decision(entry.before.get("state"), entry.after)
        if told is not None:
            icon, what, note = told
            yield Happening(entry.at, icon, what, person(entry.by), note)


def _decision(before: str | None, after: dict[str, Any]) -> tuple[str, str, str] | None:
    """The decision behind a change of state; None for what is told elsewhere."""
    state = after.get("state")
    if before is None or before == state:
        return None
    if state == WorkOrderState.DISMISSED:
        reason = after.get("dismiss_reason") or DismissReason.OTHER
        what = _("Dismissed: %(reason)s") % {"reason": DismissReason(reason).label}
        return "circle-x", what, str(after.get("note") or "")
    if state == WorkOrderState.ACCEPTED:
        return "thumb-up", _("Accepted"), ""
    if state == WorkOrderState.PROPOSED:
        return "arrow-back-up", _("Proposed again"), ""
    return _executed(before, after)


def _executed(before: str, after: dict[str, Any]) -> tuple[str, str, str] | None:
    state, note = after.get("state"), str(after.get("note") or "")
    if state == WorkOrderState.IN_PROGRESS:
        again = before == WorkOrderState.PAUSED
        return "player-play", _("Gone on with") if again else _("Started"), note
    if state == WorkOrderState.PAUSED:
        return "player-pause", _("Paused"), note
    if state == WorkOrderState.DONE:
        found = after.get("as_found")
        return (
            "circle-check",
            pgettext("work order", "Closed"),
            str(AsFound(found).label) if found else note,
        )
    if state == WorkOrderState.CANCELLED:
        return "ban", pgettext("work order", "Cancelled"), note
    return None


def _moved(work_order: WorkOrder) -> Iterator[Happening]:
    moves = ScheduleMove.objects.filter(work_order=work_order).select_related("by", "schedule")
    for move in moves:
        names = {"schedule": move.schedule.number}
        what = _("Changed by hand in schedule %(schedule)s") % names
        note = _("undone") if move.undone else ""
        yield Happening(move.recorded_at, "arrows-move", what, person(move.by), note)


def _published(work_order: WorkOrder) -> Iterator[Happening]:
    places = Assignment.objects.filter(
        work_order=work_order, schedule__published_at__isnull=False
    ).select_related("schedule__published_by")
    for place in places:
        schedule = place.schedule
        if schedule.published_at is not None:
            what = _("Published in schedule %(schedule)s") % {"schedule": schedule.number}
            note = moment_words(place.starts_at)
            yield Happening(
                schedule.published_at, "send", what, person(schedule.published_by), note
            )
