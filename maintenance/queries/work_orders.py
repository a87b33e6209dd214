"""Work orders as pages list and show them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, F, Min, OrderBy, Prefetch, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from maintenance.choices import (
    STARTED_WORK_ORDER_STATES,
    TO_SCHEDULE_STATES,
    ScheduleState,
    WorkOrderState,
)
from maintenance.models import (
    Assignment,
    Delivery,
    JobPlan,
    JobPlanPart,
    LeftOut,
    Schedule,
    WorkOrder,
    WorkReport,
)
from maintenance.models.work import WorkOrderQuerySet
from maintenance.queries.words import LeftOutWords, left_out_words, risk_band, technician_names

# The tabs of the list, and the states that each one holds.
TABS: dict[WorkOrderState, tuple[WorkOrderState, ...]] = {
    WorkOrderState.PROPOSED: (WorkOrderState.PROPOSED,),
    WorkOrderState.ACCEPTED: (WorkOrderState.ACCEPTED,),
    WorkOrderState.SCHEDULED: (WorkOrderState.SCHEDULED,),
    WorkOrderState.IN_PROGRESS: STARTED_WORK_ORDER_STATES,
    WorkOrderState.DONE: (WorkOrderState.DONE,),
    WorkOrderState.CANCELLED: (WorkOrderState.CANCELLED,),
    WorkOrderState.DISMISSED: (WorkOrderState.DISMISSED,),
}
DEFAULT_SORT = "-saving"
DEFAULT_SORTS = {
    WorkOrderState.IN_PROGRESS: "-started",
    WorkOrderState.DONE: "-finished",
    WorkOrderState.CANCELLED: "-decided",
    WorkOrderState.DISMISSED: "-decided",
}
SORTS = {
    "number": "number",
    "asset": "asset__code",
    "risk": "forecast__risk_14_days",
    "priority": "priority",
    "saving": "saving",
    "waiting": "cost_of_waiting_week",
    "best": "best_at",
    "latest": "latest_at",
    "decided": "decided_at",
    "started": "began_at",
    "finished": "report__finished_at",
}
CURRENT_SCHEDULES = (ScheduleState.DRAFT, ScheduleState.PUBLISHED)


@dataclass(frozen=True)
class Wanted:
    """What the reader of the list asked for; an empty word asks for nothing.

    `state` is a tab: work that was paused stands in the one of work in progress.
    """

    state: str = WorkOrderState.PROPOSED
    text: str = ""
    type: str = ""
    priority: str = ""
    asset_class: str = ""
    sort: str = DEFAULT_SORT

    @property
    def states(self) -> tuple[WorkOrderState, ...]:
        return TABS[WorkOrderState(self.state)]

    @property
    def may_be_dismissed(self) -> bool:
        return self.state in TO_SCHEDULE_STATES


def tab_of(state: str, *, otherwise: WorkOrderState = WorkOrderState.PROPOSED) -> WorkOrderState:
    """The tab that holds a state; another where it is none."""
    return next((tab for tab, states in TABS.items() if state in states), otherwise)


def listed(work_orders: WorkOrderQuerySet, wanted: Wanted) -> QuerySet[WorkOrder]:
    """The rows of one tab, with what their columns show."""
    return (
        matching(work_orders, wanted)
        .filter(state__in=wanted.states)
        .select_related(
            "asset__asset_class", "failure_mode", "forecast", "decided_by", "report__by"
        )
        .annotate(began_at=Min("spells__started_at"))
        .prefetch_related(_places(), "assigned_to")
        .order_by(_order(wanted.sort), F("saving").desc(nulls_last=True), "number")
    )


def matching(work_orders: WorkOrderQuerySet, wanted: Wanted) -> WorkOrderQuerySet:
    for word in wanted.text.split():
        work_orders = work_orders.filter(_mentions(word))
    if wanted.type:
        work_orders = work_orders.filter(type=wanted.type)
    if wanted.priority:
        work_orders = work_orders.filter(priority=wanted.priority)
    if wanted.asset_class:
        work_orders = work_orders.filter(asset__asset_class__code=wanted.asset_class)
    return work_orders


def counts_by_state(work_orders: WorkOrderQuerySet) -> dict[str, int]:
    """By tab."""
    counted = dict(work_orders.order_by().values_list("state").annotate(Count("pk")))
    return {
        tab.value: sum(counted.get(state.value, 0) for state in states)
        for tab, states in TABS.items()
    }


@dataclass(frozen=True)
class Row:
    """One line of the list; `place` is where it stands in the newest current schedule."""

    work_order: WorkOrder
    band: str
    late: bool
    place: Assignment | None
    report: WorkReport | None


def row(work_order: WorkOrder, *, now: dt.datetime) -> Row:
    """`listed` fetched all that this reads."""
    forecast = work_order.forecast
    return Row(
        work_order=work_order,
        band=risk_band(forecast.risk_14_days if forecast else None),
        late=work_order.overdue(now=now),
        place=published_place(work_order),
        report=getattr(work_order, "report", None),
    )


def published_place(work_order: WorkOrder) -> Assignment | None:
    """The place people were told of; `listed` and `shown` fetched it."""
    places: Sequence[Assignment] = work_order.places  # type: ignore[attr-defined]
    told = (p for p in places if p.schedule.state == ScheduleState.PUBLISHED)
    return next(told, None)


@dataclass(frozen=True)
class Totals:
    """What the work of one tab is worth together."""

    saving: Decimal
    waiting: Decimal


def totals(work_orders: QuerySet[WorkOrder]) -> Totals:
    nothing = Decimal(0)
    summed = work_orders.order_by().aggregate(
        saving=Coalesce(Sum("saving"), nothing),
        waiting=Coalesce(Sum("cost_of_waiting_week"), nothing),
    )
    return Totals(**summed)


def shown(work_orders: WorkOrderQuerySet) -> QuerySet[WorkOrder]:
    """Work orders with all that the page of one shows."""
    return work_orders.select_related(
        "site",
        "asset__asset_class",
        "asset__location",
        "failure_mode",
        "forecast__model_version",
        "job_plan",
        "requested_by",
        "decided_by",
    ).prefetch_related(_places(), _left_out())


@dataclass(frozen=True)
class PartNeed:
    """A part of the plan beside what the store has and when more comes."""

    need: JobPlanPart
    next_delivery: Delivery | None

    @property
    def enough(self) -> bool:
        return self.need.part.stock >= self.need.quantity


def parts_needed(job_plan: JobPlan, *, now: dt.datetime) -> list[PartNeed]:
    coming = Delivery.objects.filter(received_at=None, expected_at__gte=now)
    needs = job_plan.parts.select_related("part").prefetch_related(
        Prefetch("part__deliveries", coming.order_by("expected_at"), to_attr="coming")
    )
    return [PartNeed(need, _next(need)) for need in needs]


def _next(need: JobPlanPart) -> Delivery | None:
    coming: list[Delivery] = need.part.coming  # type: ignore[attr-defined]
    return coming[0] if coming else None


@dataclass(frozen=True)
class Standing:
    """Where a work order stands in one of the current schedules."""

    schedule: Schedule
    place: Assignment | None
    why: LeftOutWords | None


def standings(work_order: WorkOrder) -> list[Standing]:
    """In the draft first, then in the published schedule; `shown` fetched both.

    Of work that is over, a draft made before says nothing any more.
    """
    places: Sequence[Assignment] = work_order.places  # type: ignore[attr-defined]
    reasons: Sequence[LeftOut] = work_order.reasons  # type: ignore[attr-defined]
    found = [Standing(place.schedule, place, None) for place in places]
    names = technician_names(work_order.site) if reasons else {}
    found += [
        Standing(reason.schedule, None, left_out_words(reason, names=names)) for reason in reasons
    ]
    if not work_order.is_open:
        found = [one for one in found if one.schedule.state != ScheduleState.DRAFT]
    return sorted(found, key=lambda standing: standing.schedule.state)


def _places() -> Prefetch[str, QuerySet[Assignment], str]:
    current = Assignment.objects.filter(schedule__state__in=CURRENT_SCHEDULES)
    rows = current.select_related("schedule").defer("schedule__problem")
    return Prefetch("assignments", rows.prefetch_related("technicians"), to_attr="places")


def _left_out() -> Prefetch[str, QuerySet[LeftOut], str]:
    current = LeftOut.objects.filter(schedule__state__in=CURRENT_SCHEDULES)
    return Prefetch(
        "left_out", current.select_related("schedule").defer("schedule__problem"), to_attr="reasons"
    )


def _mentions(word: str) -> Q:
    mentions = (
        Q(title__icontains=word)
        | Q(asset__code__icontains=word)
        | Q(asset__name__icontains=word)
        | Q(failure_mode__name__icontains=word)
    )
    return mentions | Q(number=int(word)) if word.isdecimal() and len(word) < 10 else mentions


def _order(sort: str) -> OrderBy:
    column = F(SORTS.get(sort.removeprefix("-"), SORTS["saving"]))
    if sort.startswith("-"):
        return column.desc(nulls_last=True)
    return column.asc(nulls_last=True)
