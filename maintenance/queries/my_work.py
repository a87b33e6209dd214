"""A technician's own work, as the phone shows it: what runs, what comes, what was done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from maintenance.choices import Permission, ScheduleState, WorkOrderState
from maintenance.models import (
    Assignment,
    JobPlanPart,
    Shift,
    SparePart,
    Technician,
    User,
    WorkOrder,
    WorkReport,
    WorkSpell,
)
from maintenance.queries.words import risk_band

DONE_FOR = dt.timedelta(days=7)
MOST_DONE = 12
SHOWN_STATES = (
    WorkOrderState.ACCEPTED,
    WorkOrderState.SCHEDULED,
    WorkOrderState.IN_PROGRESS,
    WorkOrderState.PAUSED,
)


def own(user: User) -> QuerySet[WorkOrder]:
    """The work orders of any state that the user is to do, with what the pages show of each."""
    told = Assignment.objects.filter(schedule__state=ScheduleState.PUBLISHED)
    return (
        WorkOrder.objects.for_user(user, Permission.EXECUTE)
        .filter(assigned_to__user=user)
        .select_related(
            "site",
            "asset__asset_class",
            "asset__location",
            "failure_mode",
            "forecast",
            "job_plan__failure_mode",
        )
        .prefetch_related(Prefetch("assignments", told, to_attr="told"))
        .prefetch_related("spells", "assigned_to", "job_plan__tools__tool_type")
    )


@dataclass(frozen=True)
class Entry:
    """One work order on the board: where it stands, and how long it has been worked on."""

    work_order: WorkOrder
    starts_at: dt.datetime | None
    minutes: int
    late: bool
    since: dt.datetime | None
    worked_minutes: int
    mates: list[Technician]
    band: str

    @property
    def state(self) -> str:
        return self.work_order.state


def entry(work_order: WorkOrder, *, user: User, now: dt.datetime) -> Entry:
    """`own` fetched all that this reads."""
    place = _place(work_order)
    spells = list(work_order.spells.all())
    risk = work_order.forecast.risk_14_days if work_order.forecast else None
    starts_at = place.starts_at if place else None
    return Entry(
        work_order=work_order,
        starts_at=starts_at,
        minutes=work_order.job_plan.duration_p50_minutes,
        late=starts_at is not None and starts_at < now and not spells,
        since=next((spell.started_at for spell in spells if spell.ended_at is None), None),
        worked_minutes=_minutes(spells, now),
        mates=[mate for mate in work_order.assigned_to.all() if mate.user_id != user.pk],
        band=risk_band(risk),
    )


def _place(work_order: WorkOrder) -> Assignment | None:
    told: Sequence[Assignment] = work_order.told  # type: ignore[attr-defined]
    return told[0] if told else None


def _minutes(spells: Iterable[WorkSpell], now: dt.datetime) -> int:
    spans = ((spell.ended_at or now) - spell.started_at for spell in spells)
    return round(sum(spans, dt.timedelta()) / dt.timedelta(minutes=1))


@dataclass(frozen=True)
class Day:
    date: dt.date
    entries: list[Entry]


@dataclass(frozen=True)
class Board:
    """`today` holds what was to begin by the end of today and was not started."""

    started: list[Entry] = field(default_factory=list)
    today: list[Entry] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    without_day: list[Entry] = field(default_factory=list)
    done: list[WorkReport] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        return not (self.started or self.today or self.days or self.without_day)


def board(user: User, *, now: dt.datetime) -> Board:
    """Days are those of the page's time zone."""
    shown = own(user).filter(state__in=SHOWN_STATES)
    entries = [entry(work_order, user=user, now=now) for work_order in shown]
    started = [each for each in entries if each.worked_minutes or each.since]
    waiting = [each for each in entries if each not in started]
    placed = sorted((e for e in waiting if e.starts_at), key=_order)
    today = timezone.localtime(now).date()
    return Board(
        started=sorted(started, key=lambda e: (e.state != WorkOrderState.IN_PROGRESS, _order(e))),
        today=[each for each in placed if _date(each) <= today],
        days=[
            Day(date, list(group))
            for date, group in groupby((e for e in placed if _date(e) > today), key=_date)
        ],
        without_day=[each for each in waiting if each.starts_at is None],
        done=list(_done(user, now)),
    )


def _order(each: Entry) -> tuple[float, int]:
    at = each.starts_at.timestamp() if each.starts_at else float("inf")
    return at, each.work_order.number


def _date(each: Entry) -> dt.date:
    return timezone.localtime(each.starts_at).date()


def _done(user: User, now: dt.datetime) -> QuerySet[WorkReport]:
    done = WorkReport.objects.filter(
        work_order__in=WorkOrder.objects.for_user(user, Permission.EXECUTE).filter(
            assigned_to__user=user
        ),
        finished_at__gte=now - DONE_FOR,
    )
    return done.select_related("work_order__asset", "failure_mode").order_by("-finished_at")[
        :MOST_DONE
    ]


def shifts_today(technician: Technician, *, now: dt.datetime) -> list[Shift]:
    weekday = timezone.localtime(now).weekday()
    return list(technician.shifts.filter(weekday=weekday).order_by("starts"))


@dataclass(frozen=True)
class PlannedPart:
    """A part of the job plan, and how many a report starts with: never more than there are."""

    need: JobPlanPart

    @property
    def part(self) -> SparePart:
        return self.need.part

    @property
    def likely(self) -> int:
        return min(self.need.quantity, self.need.part.stock)


def planned_parts(work_order: WorkOrder) -> list[PlannedPart]:
    needs = work_order.job_plan.parts.select_related("part").order_by("part__name")
    return [PlannedPart(need) for need in needs]


def other_parts(work_order: WorkOrder) -> QuerySet[SparePart]:
    """What the store has besides the parts of the job plan."""
    planned = work_order.job_plan.parts.values("part")
    in_store = SparePart.objects.filter(site=work_order.site, stock__gt=0)
    return in_store.exclude(pk__in=planned).order_by("name")
