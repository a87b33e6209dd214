"""A schedule as its page shows it: figures, what waits, what changed, one work order in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from maintenance.choices import ScheduleState
from maintenance.instants import local_date
from maintenance.models import Assignment, LeftOut, Schedule, Site, Technician, User, WorkOrder
from maintenance.models.resources import TechnicianQuerySet
from maintenance.queries.capacity import working_times
from maintenance.queries.words import (
    LeftOutWords,
    left_out_words,
    risk_band,
    technician_names,
)

# Bars have four looks; work without a forecast, or with little risk, is routine.
ROUTINE = "routine"
BAR_BANDS = {"critical": "critical", "high": "high", "watch": "watch"}


def chosen(user: User, site: Site, *, number: int | None) -> Schedule | None:
    """The one asked for by its number; else the draft, else what is published, else the newest."""
    of_site = Schedule.objects.for_user(user).of_site(site)
    if number is not None:
        return of_site.filter(number=number).first()
    return of_site.draft().first() or of_site.published().first() or of_site.first()


def bar_band(work_order: WorkOrder) -> str:
    forecast = work_order.forecast
    band = risk_band(forecast.risk_14_days if forecast else None)
    return BAR_BANDS.get(band, ROUTINE)


@dataclass(frozen=True)
class Summary:
    """The figures atop the page; money in major units."""

    scheduled: int
    waiting: int
    pinned: int
    cost: float
    cost_unscheduled: float
    gap: float | None
    changed: int

    @property
    def saved(self) -> float:
        return self.cost_unscheduled - self.cost


def summary(schedule: Schedule) -> Summary:
    assigned = list(schedule.assignments.values_list("pinned", flat=True))
    return Summary(
        scheduled=len(assigned),
        waiting=schedule.left_out.count(),
        pinned=sum(assigned),
        cost=schedule.cost_minor / 100,
        cost_unscheduled=schedule.cost_unscheduled_minor / 100,
        gap=schedule.gap,
        changed=schedule.moves.filter(undone=False).count(),
    )


def may_undo(schedule: Schedule) -> bool:
    draft = schedule.state == ScheduleState.DRAFT
    return draft and schedule.moves.filter(undone=False).exists()


@dataclass(frozen=True)
class Waiting:
    """A work order that the schedule leaves out, as a card."""

    work_order: WorkOrder
    band: str
    why: LeftOutWords
    skills: str
    cost: float


def waiting(schedule: Schedule) -> list[Waiting]:
    """The dearest to leave out first."""
    rows = (
        schedule.left_out.select_related(
            "work_order__asset", "work_order__forecast", "work_order__job_plan"
        )
        .prefetch_related("work_order__job_plan__roles__skill")
        .order_by("-cost_minor", "work_order__number")
    )
    names = technician_names(schedule.site)
    return [_waiting(row, schedule, names) for row in rows]


def _waiting(left_out: LeftOut, schedule: Schedule, names: dict[str, str]) -> Waiting:
    left_out.schedule = schedule
    work_order = left_out.work_order
    roles = work_order.job_plan.roles.all()
    return Waiting(
        work_order=work_order,
        band=bar_band(work_order),
        why=left_out_words(left_out, names=names),
        skills=", ".join(dict.fromkeys(role.skill.name for role in roles)),
        cost=left_out.cost_minor / 100,
    )


def placed(schedule: Schedule) -> QuerySet[Assignment]:
    """Its assignments with what a bar or a line shows."""
    return schedule.assignments.select_related(
        "work_order__asset", "work_order__forecast", "work_order__job_plan"
    ).prefetch_related(
        "technicians",
        "work_order__job_plan__roles__skill",
        "work_order__job_plan__tools__tool_type",
    )


@dataclass(frozen=True)
class AgendaLine:
    assignment: Assignment
    band: str


@dataclass(frozen=True)
class AgendaDay:
    date: dt.date
    lines: list[AgendaLine]


def agenda(schedule: Schedule) -> list[AgendaDay]:
    """The schedule as a list by local day, for narrow screens and paper."""
    zone = ZoneInfo(schedule.site.time_zone)

    def day(assignment: Assignment) -> dt.date:
        return assignment.starts_at.astimezone(zone).date()

    rows = placed(schedule).order_by("starts_at", "work_order__number")
    return [
        AgendaDay(date, [AgendaLine(row, bar_band(row.work_order)) for row in of_day])
        for date, of_day in groupby(rows, key=day)
    ]


@dataclass(frozen=True)
class Moved:
    before: Assignment
    after: Assignment


@dataclass(frozen=True)
class Changes:
    """What people will notice when the draft takes the place of what is published."""

    new: list[Assignment]
    moved: list[Moved]
    removed: list[Assignment]
    same: int


def changes(draft: Schedule, published: Schedule | None) -> Changes:
    """Work that is over when the draft starts counts as done, not as removed."""
    after = {row.work_order_id: row for row in placed(draft).order_by("starts_at")}
    before = {} if published is None else _still_ahead(published, draft)
    kept = [(before[pk], row) for pk, row in after.items() if pk in before]
    moved = [Moved(*pair) for pair in kept if _told(pair[0]) != _told(pair[1])]
    return Changes(
        new=[row for pk, row in after.items() if pk not in before],
        moved=moved,
        removed=[row for pk, row in before.items() if pk not in after],
        same=len(kept) - len(moved),
    )


def _still_ahead(published: Schedule, draft: Schedule) -> dict[int, Assignment]:
    ahead = placed(published).filter(ends_at__gt=draft.starts_at).order_by("starts_at")
    return {row.work_order_id: row for row in ahead}


def _told(assignment: Assignment) -> tuple[dt.datetime, frozenset[int]]:
    return assignment.starts_at, frozenset(t.pk for t in assignment.technicians.all())


@dataclass(frozen=True)
class Seat:
    """One place in the crew: the skill it asks for, who sits there, who could."""

    skill: str
    level: int
    taken_by: int | None
    able: list[Technician]
    others: list[Technician]


def seats(work_order: WorkOrder, crew: Sequence[Technician], *, schedule: Schedule) -> list[Seat]:
    """The crew as the job plan asks for it; whoever has the skill is offered first."""
    everybody = list(team(schedule).select_related("site").prefetch_related("skills"))
    free = [technician.pk for technician in crew]
    found = []
    for role in work_order.job_plan.roles.select_related("skill"):
        able = [t for t in everybody if _has(t, role.skill_id, role.level)]
        others = [t for t in everybody if t not in able]
        for _ in range(role.count):
            taken_by = _take(free, able)
            found.append(Seat(role.skill.name, role.level, taken_by, able, others))
    return found


def team(schedule: Schedule) -> TechnicianQuerySet:
    """Who belongs to the site when the schedule starts."""
    first_day = local_date(schedule.starts_at, ZoneInfo(schedule.site.time_zone))
    return Technician.objects.of_site(schedule.site).in_team(on=first_day)


def _has(technician: Technician, skill_id: int, level: int) -> bool:
    held = technician.skills.all()
    return any(skill.skill_id == skill_id and skill.level >= level for skill in held)


def _take(free: list[int], able: Iterable[Technician]) -> int | None:
    """Somebody of the crew who is able, else whoever is left of it."""
    fits = {technician.pk for technician in able}
    taken = next((pk for pk in free if pk in fits), free[0] if free else None)
    if taken is not None:
        free.remove(taken)
    return taken


def fill_crew(
    work_order: WorkOrder, given: Sequence[Technician], *, schedule: Schedule, start: dt.datetime
) -> list[Technician]:
    """The crew that was named, and for each seat left somebody able, on shift and free then."""
    minutes = dt.timedelta(minutes=work_order.job_plan.duration_p50_minutes)
    taken = seats(work_order, given, schedule=schedule)
    if len(given) >= len(taken):
        return list(given)
    crew = list(given)
    busy = _busy(schedule, work_order, start=start, end=start + minutes)
    for seat in taken:
        if seat.taken_by is None:
            free = [t for t in seat.able if t.pk not in busy and t not in crew]
            at_work = working_times(free, start=start, end=start + minutes)
            crew += [t for t in free if at_work[t.pk].present == ((start, start + minutes),)][:1]
    return crew


def _busy(
    schedule: Schedule, work_order: WorkOrder, *, start: dt.datetime, end: dt.datetime
) -> set[int]:
    others = schedule.assignments.exclude(work_order=work_order)
    then = others.filter(starts_at__lt=end, ends_at__gt=start)
    return set(then.values_list("technicians", flat=True))
