"""A schedule as rows, bars and grey spans of a timeline.

Instants leave here as the site's wall clock without a zone (`2026-11-24T06:00`): the timeline
draws what the people of the site read on their clocks, wherever the browser is.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from maintenance.models import (
    Absence,
    AccessWindow,
    Assignment,
    Schedule,
    Shift,
    Technician,
)
from maintenance.queries.capacity import Span, working_times
from maintenance.queries.schedule import bar_band, placed, team
from maintenance.queries.words import duration_words, moment_words

MINUTE = dt.timedelta(minutes=1)
WHOLE_DAY = (0, 24)
USUAL_HOURS = (6, 22)
SATURDAY = 5


class By(StrEnum):
    """What the rows of the timeline are."""

    TECHNICIAN = "technician"
    ASSET = "asset"
    TOOL = "tool"


@dataclass(frozen=True)
class Timeline:
    """One schedule, or the days of it that are in view."""

    schedule: Schedule
    by: By
    start: dt.datetime
    end: dt.datetime

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.schedule.site.time_zone)

    @cached_property
    def assignments(self) -> list[Assignment]:
        return list(placed(self.schedule).order_by("starts_at", "work_order__number"))

    def clock(self, at: dt.datetime) -> str:
        return wall_clock(at, self.zone)


def wall_clock(at: dt.datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def document(timeline: Timeline) -> dict[str, Any]:
    """What the page's script draws."""
    return {
        "revision": timeline.schedule.revision,
        "resources": _rows(timeline),
        "events": [*_bars(timeline), *_spans(timeline)],
    }


# Rows


def _rows(timeline: Timeline) -> list[dict[str, Any]]:
    if timeline.by == By.ASSET:
        assets = {a.work_order.asset_id: a.work_order.asset for a in timeline.assignments}
        in_order = sorted(assets.values(), key=lambda asset: asset.code)
        return [_row(asset.pk, asset.code, asset.name) for asset in in_order]
    if timeline.by == By.TOOL:
        names = {
            need.tool_type_id: need.tool_type.name
            for assignment in timeline.assignments
            for need in assignment.work_order.job_plan.tools.all()
        }
        in_order_of_name = sorted(names.items(), key=lambda pair: pair[1])
        return [_row(pk, name, _("Tool")) for pk, name in in_order_of_name]
    return _technician_rows(timeline)


def _row(pk: int, title: str, note: str, **more: Any) -> dict[str, Any]:
    return {"id": str(pk), "title": title, "extendedProps": {"note": note, **more}}


def _technician_rows(timeline: Timeline) -> list[dict[str, Any]]:
    people = technicians(timeline.schedule)
    load = loads(timeline.schedule, people, timeline.assignments)
    return [_row(t.pk, t.name, _skill_names(t), load=load[t.pk]) for t in people]


def technicians(schedule: Schedule) -> list[Technician]:
    """Those who were there when the schedule starts, and whoever is in it."""
    of_site = Technician.objects.of_site(schedule.site)
    in_it = of_site.filter(pk__in=schedule.assignments.values("technicians"))
    found = (team(schedule) | in_it).distinct()
    return list(found.select_related("site").prefetch_related("skills__skill").order_by("name"))


def _skill_names(technician: Technician) -> str:
    return ", ".join(held.skill.name for held in technician.skills.all())


def loads(
    schedule: Schedule, people: Sequence[Technician], assignments: Iterable[Assignment]
) -> dict[int, int]:
    """By technician, the given minutes as a percentage of those worked in the schedule."""
    times = working_times(people, start=schedule.starts_at, end=schedule.ends_at)
    given: defaultdict[int, float] = defaultdict(float)
    for assignment in assignments:
        for technician in assignment.technicians.all():
            given[technician.pk] += (assignment.ends_at - assignment.starts_at) / MINUTE
    return {person.pk: _share(given[person.pk], times[person.pk].hours * 60) for person in people}


def _share(given: float, worked: float) -> int:
    if not worked:
        return 100 if given else 0
    return round(100 * given / worked)


# Bars


def _bars(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for assignment in timeline.assignments:
        if assignment.starts_at < timeline.end and assignment.ends_at > timeline.start:
            yield bar(assignment, timeline)


def bar(assignment: Assignment, timeline: Timeline) -> dict[str, Any]:
    work_order, band = assignment.work_order, bar_band(assignment.work_order)
    return {
        "id": str(work_order.pk),
        "resourceIds": _rows_of(assignment, timeline.by),
        "start": timeline.clock(assignment.starts_at),
        "end": timeline.clock(assignment.ends_at),
        "title": work_order.title,
        "classNames": ["bar", f"bar-{band}", *(["bar-pinned"] if assignment.pinned else [])],
        "extendedProps": {
            "number": work_order.number,
            "asset": work_order.asset.code,
            "pinned": assignment.pinned,
            "crew": [str(t.pk) for t in assignment.technicians.all()],
            "label": ", ".join(_said(assignment, band)),
            "tip": list(_tip(assignment)),
        },
    }


def _rows_of(assignment: Assignment, by: By) -> list[str]:
    if by == By.ASSET:
        return [str(assignment.work_order.asset_id)]
    if by == By.TOOL:
        needs = assignment.work_order.job_plan.tools.all()
        return [str(need.tool_type_id) for need in needs]
    return [str(technician.pk) for technician in assignment.technicians.all()]


BAND_WORDS = {
    "critical": lambda: _("critical risk"),
    "high": lambda: _("high risk"),
    "watch": lambda: _("risk to watch"),
    "routine": lambda: _("routine"),
}


def _said(assignment: Assignment, band: str) -> Iterator[str]:
    """A bar as a screen reader says it."""
    work_order = assignment.work_order
    yield f"{work_order.number} {work_order.title}"
    yield work_order.asset.code
    yield _people(assignment)
    yield moment_words(assignment.starts_at)
    yield duration_words(round((assignment.ends_at - assignment.starts_at) / MINUTE))
    yield BAND_WORDS[band]()
    if assignment.pinned:
        yield _("pinned")


def _tip(assignment: Assignment) -> Iterator[str]:
    work_order = assignment.work_order
    minutes = round((assignment.ends_at - assignment.starts_at) / MINUTE)
    yield f"{work_order.asset.code} · {moment_words(assignment.starts_at)} · " + duration_words(
        minutes
    )
    yield _people(assignment)
    plan = work_order.job_plan
    needs = [role.skill.name for role in plan.roles.all()]
    needs += [need.tool_type.name for need in plan.tools.all()]
    if needs:
        yield _("Needs %(what)s") % {"what": ", ".join(needs)}
    if work_order.forecast is not None:
        risk = f"{work_order.forecast.risk_14_days * 100:.0f} %"
        yield _("Failure risk in 14 days: %(risk)s") % {"risk": risk}


def _people(assignment: Assignment) -> str:
    names = [technician.name for technician in assignment.technicians.all()]
    return ", ".join(names) or _("nobody")


# Grey spans: when a row's owner is not to be had


def _spans(timeline: Timeline) -> Iterator[dict[str, Any]]:
    if timeline.by == By.TECHNICIAN:
        yield from _time_off(timeline)
    elif timeline.by == By.ASSET:
        yield from _closed(timeline)


def _time_off(timeline: Timeline) -> Iterator[dict[str, Any]]:
    people = technicians(timeline.schedule)
    times = working_times(people, start=timeline.start, end=timeline.end)
    absences = Absence.objects.filter(
        technician__in=people, starts_at__lt=timeline.end, ends_at__gt=timeline.start
    )
    away = defaultdict(list)
    for absence in absences.order_by("starts_at"):
        away[absence.technician_id].append(absence)
        yield _span(
            timeline,
            absence.technician_id,
            _within(absence, timeline),
            "absent",
            absence.reason or _("Absent"),
        )
    for person in people:
        taken = [*times[person.pk].present, *(_within(a, timeline) for a in away[person.pk])]
        for gap in _gaps(taken, timeline):
            yield _span(timeline, person.pk, gap, "off-shift")


def _within(absence: Absence, timeline: Timeline) -> Span:
    return max(absence.starts_at, timeline.start), min(absence.ends_at, timeline.end)


def _closed(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Where an asset has windows, all the rest of the time."""
    assets = {assignment.work_order.asset_id for assignment in timeline.assignments}
    windows = defaultdict(list)
    for window in AccessWindow.objects.filter(asset__in=assets).order_by("starts_at"):
        windows[window.asset_id].append((window.starts_at, window.ends_at))
    for asset_id, spans in windows.items():
        for gap in _gaps(spans, timeline):
            yield _span(timeline, asset_id, gap, "off-shift")


def _gaps(taken: Iterable[Span], timeline: Timeline) -> Iterator[Span]:
    reached = timeline.start
    for start, end in sorted(taken):
        if start > reached:
            yield reached, min(start, timeline.end)
        reached = max(reached, end)
        if reached >= timeline.end:
            return
    yield reached, timeline.end


def _span(timeline: Timeline, row: int, span: Span, kind: str, title: str = "") -> dict[str, Any]:
    start, end = (timeline.clock(at) for at in span)
    return {
        "id": f"{kind}-{row}-{start}",
        "resourceIds": [str(row)],
        "start": start,
        "end": end,
        "title": title,
        "display": "background",
        "classNames": [kind],
    }


def visible_hours(schedule: Schedule) -> tuple[int, int]:
    """The hours of the day in which somebody of the site works or something is placed."""
    shifts = Shift.objects.filter(technician__in=team(schedule))
    hours: list[tuple[int, int]] = []
    for starts, ends in shifts.values_list("starts", "ends").distinct():
        if ends <= starts and ends != dt.time():
            return WHOLE_DAY
        hours.append((starts.hour, ends.hour + bool(ends.minute) if ends != dt.time() else 24))
    zone = ZoneInfo(schedule.site.time_zone)
    for starts_at, ends_at in schedule.assignments.values_list("starts_at", "ends_at"):
        start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
        if end.date() != start.date() and end.time() != dt.time():
            return WHOLE_DAY
        hours.append((start.hour, (end.hour + bool(end.minute)) or 24))
    if not hours:
        return USUAL_HOURS
    return min(first for first, _last in hours), max(last for _first, last in hours)


def works_on_weekends(schedule: Schedule) -> bool:
    """Whether hiding the weekends would hide people or work."""
    shifts = Shift.objects.filter(technician__in=team(schedule))
    if shifts.filter(weekday__gte=SATURDAY).exists():
        return True
    zone = ZoneInfo(schedule.site.time_zone)
    starts = schedule.assignments.values_list("starts_at", flat=True)
    return any(at.astimezone(zone).weekday() >= SATURDAY for at in starts)
