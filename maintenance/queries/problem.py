"""The open work, the people, tools and parts of a site as a `scheduler.Problem`.

Jobs and technicians are called by their primary keys as text, other things by kind and code: the
solver asks which jobs share a thing, and a tool is no part. Money is in minor units of the site's
currency. Everything stands in the order of its codes, as Python sorts them: of two schedules that
cost the same, the solver takes one by that order, which then is alike on every database.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, QuerySet

from maintenance.choices import Criticality, Priority
from maintenance.instants import days_between, local_date, local_midnight
from maintenance.models import (
    AccessWindow,
    Asset,
    Assignment,
    Delivery,
    Forecast,
    Site,
    Skill,
    SparePart,
    Technician,
    Tool,
    ToolType,
    WorkOrder,
)
from maintenance.queries import prices
from maintenance.queries.capacity import WorkingTime, working_times
from predictors.economics import cost_by_day, leave_out_cost
from predictors.schema import RiskCurve
from scheduler import problem as core


class _Coded(Protocol):
    code: Any


C = TypeVar("C", bound=_Coded)

CHANGE_PER_DAY_MINOR = 2_000
CHANGE_PER_TECHNICIAN_MINOR = 1_000
START_GRID_MINUTES = 15
WAITING_PRICE = {
    Priority.URGENT: 400.0,
    Priority.HIGH: 150.0,
    Priority.NORMAL: 40.0,
    Priority.LOW: 10.0,
}
CRITICALITY_FACTOR = {Criticality.A: 2.0, Criticality.B: 1.0, Criticality.C: 0.5}
DAYS_LATER = 7


@dataclass(frozen=True)
class Period:
    """The days a schedule covers, in the site's local time."""

    site: Site
    starts_at: dt.datetime
    days: int

    @cached_property
    def day_starts(self) -> tuple[dt.datetime, ...]:
        zone = ZoneInfo(self.site.time_zone)
        return tuple(local_midnight(self.starts_at, zone, days=day) for day in range(self.days + 1))

    @property
    def ends_at(self) -> dt.datetime:
        return self.day_starts[-1]

    def minute(self, at: dt.datetime) -> int:
        return math.floor((at - self.starts_at) / dt.timedelta(minutes=1))

    def minute_after(self, at: dt.datetime) -> int:
        return math.ceil((at - self.starts_at) / dt.timedelta(minutes=1))

    def instant(self, minute: int) -> dt.datetime:
        return self.starts_at + dt.timedelta(minutes=minute)


@dataclass(frozen=True)
class Posed:
    """A problem, and the work orders it could not take with the reason."""

    problem: core.Problem
    period: Period


def pose(period: Period, *, not_before: dt.datetime) -> Posed:
    """The problem of a site's open work; nothing unpinned starts before `not_before`."""
    site = period.site
    work_orders = _open_work(period)
    technicians = _by_code(_team(period))
    times = working_times(technicians, start=period.starts_at, end=period.ends_at)
    skill_names = _skill_names(site)
    published = _published(site)
    frozen = max(0, period.minute_after(not_before))
    problem = core.Problem(
        day_starts_minutes=tuple(period.minute(at) for at in period.day_starts),
        frozen_until_minute=math.ceil(frozen / START_GRID_MINUTES) * START_GRID_MINUTES,
        jobs=tuple(
            _job(w, period, skill_names, technicians, published.get(w.pk), not_before)
            for w in work_orders
        ),
        technicians=tuple(_technician(t, times[t.pk], period, skill_names) for t in technicians),
        assets=_assets(work_orders, period),
        tools=_tools(site, period),
        parts=_parts(site, period),
    )
    return Posed(problem=problem, period=period)


def _open_work(period: Period) -> list[WorkOrder]:
    return list(
        WorkOrder.objects.filter(site=period.site)
        .to_schedule()
        .select_related("asset", "failure_mode__asset_class__site", "job_plan", "forecast")
        .prefetch_related(
            "job_plan__roles__skill",
            "job_plan__tools__tool_type",
            "job_plan__parts__part",
            "pinned_technicians",
        )
        .order_by("number")
    )


def _by_code(rows: Iterable[C]) -> list[C]:
    return sorted(rows, key=lambda row: row.code)


def _asset_id(asset: Asset) -> str:
    return f"asset {asset.code}"


def _tool_id(tool_type: ToolType) -> str:
    return f"tool {tool_type.code}"


def _part_id(part: SparePart) -> str:
    return f"part {part.code}"


def _team(period: Period) -> QuerySet[Technician]:
    everybody = Technician.objects.of_site(period.site).select_related("site")
    zone = ZoneInfo(period.site.time_zone)
    in_team = everybody.in_team(on=local_date(period.starts_at, zone))
    return in_team.prefetch_related("skills")


def _skill_names(site: Site) -> dict[int, str]:
    """Names where they tell skills apart, name and code where they do not."""
    skills = list(Skill.objects.filter(site=site))
    times = Counter(skill.name for skill in skills)
    return {s.pk: s.name if times[s.name] == 1 else f"{s.name} ({s.code})" for s in skills}


def _published(site: Site) -> dict[int, Assignment]:
    assigned = Assignment.objects.filter(schedule__in=site.schedules.published())
    return {a.work_order_id: a for a in assigned.prefetch_related("technicians")}


def _job(
    work_order: WorkOrder,
    period: Period,
    skill_names: dict[int, str],
    technicians: list[Technician],
    published: Assignment | None,
    not_before: dt.datetime,
) -> core.Job:
    plan = work_order.job_plan
    begun = published if published and published.starts_at < not_before else None
    by_day, left_out = _costs(work_order, period)
    return core.Job(
        id=str(work_order.pk),
        name=f"{work_order.number} {work_order.title}",
        asset_id=_asset_id(work_order.asset),
        duration_minutes=plan.duration_p50_minutes,
        cost_by_day=by_day,
        leave_out_cost=left_out,
        roles=tuple(
            core.Role(skill=skill_names[r.skill_id], level=r.level, count=r.count)
            for r in sorted(plan.roles.all(), key=lambda r: (r.skill.code, -r.level))
        ),
        tools=tuple(
            core.ToolNeed(_tool_id(n.tool_type), n.count)
            for n in sorted(plan.tools.all(), key=lambda n: n.tool_type.code)
        ),
        parts=tuple(
            core.PartNeed(_part_id(n.part), n.quantity)
            for n in sorted(plan.parts.all(), key=lambda n: n.part.code)
        ),
        earliest_start_minute=_earliest(work_order, period),
        pin=_pin(work_order, period, technicians, begun),
        published=_published_place(published, period),
    )


def _earliest(work_order: WorkOrder, period: Period) -> int | None:
    if work_order.earliest_at is None or work_order.earliest_at <= period.starts_at:
        return None
    return period.minute_after(work_order.earliest_at)


def _costs(work_order: WorkOrder, period: Period) -> tuple[tuple[int, ...], int]:
    forecast = _newest_forecast(work_order)
    if forecast is None or work_order.failure_mode is None:
        return _waiting_costs(work_order, period)
    site, plan, mode = period.site, work_order.job_plan, work_order.failure_mode
    curve = RiskCurve(
        horizon_days=forecast.horizon_days,
        risk=forecast.risk,
        low=forecast.risk_low,
        high=forecast.risk_high,
    )
    first = min(max(0.0, days_between(forecast.as_of, period.starts_at)), curve.horizon_days - 1.0)
    days = min(period.days, math.floor(curve.horizon_days - first))
    version = forecast.model_version
    scheduled = prices.of_renewal(mode=mode, plan=plan, version=version, labour=0)
    labour = prices.standard_labour(plan, site)
    later = prices.of_renewal(mode=mode, plan=plan, version=version, labour=labour)
    by_day = [_minor(cost) for cost in cost_by_day(curve, days, scheduled, first_day=first)]
    by_day += [by_day[-1]] * (period.days - days)
    end = min(first + period.days, float(curve.horizon_days))
    return tuple(by_day), _minor(leave_out_cost(curve, end, later))


def _newest_forecast(work_order: WorkOrder) -> Forecast | None:
    if work_order.failure_mode is None:
        return None
    known = Forecast.objects.filter(
        asset=work_order.asset_id, failure_mode=work_order.failure_mode_id
    )
    return known.select_related("model_version").order_by("-as_of").first()


def _waiting_costs(work_order: WorkOrder, period: Period) -> tuple[tuple[int, ...], int]:
    """Work without a forecast: a price for each day it waits beyond the day it is due."""
    price = WAITING_PRICE[Priority(work_order.priority)]
    price *= CRITICALITY_FACTOR[Criticality(work_order.asset.criticality)]
    due = work_order.latest_at or period.starts_at
    late_days = [max(0.0, days_between(due, at)) + 0.01 * day for day, at in _days(period)]
    by_day = tuple(_minor(price * late) for late in late_days)
    later = max(0.0, days_between(due, period.ends_at)) + DAYS_LATER
    labour = prices.standard_labour(work_order.job_plan, period.site)
    return by_day, _minor(price * later + labour)


def _days(period: Period) -> list[tuple[int, dt.datetime]]:
    return list(enumerate(period.day_starts[:-1]))


def _minor(money: float) -> int:
    return round(money * 100)


def _pin(
    work_order: WorkOrder,
    period: Period,
    technicians: list[Technician],
    begun: Assignment | None,
) -> core.Pin | None:
    """Where a planner wants it; work that has begun as it was published stays where it is."""
    at = begun.starts_at if begun else work_order.pinned_start_at
    if at is None or not period.starts_at <= at < period.ends_at:
        return None
    named = begun.technicians.all() if begun else work_order.pinned_technicians.all()
    here = {technician.pk for technician in technicians}
    crew = [str(t.pk) for t in _by_code(named) if t.pk in here]
    return core.Pin(start_minute=period.minute(at), technician_ids=tuple(crew) or None)


def _published_place(assignment: Assignment | None, period: Period) -> core.Published | None:
    if assignment is None or not period.starts_at <= assignment.starts_at < period.ends_at:
        return None
    return core.Published(
        start_minute=period.minute(assignment.starts_at),
        technician_ids=tuple(str(t.pk) for t in _by_code(assignment.technicians.all())),
        price_per_day=CHANGE_PER_DAY_MINOR,
        price_per_technician=CHANGE_PER_TECHNICIAN_MINOR,
    )


def _technician(
    technician: Technician, time: WorkingTime, period: Period, skill_names: dict[int, str]
) -> core.Technician:
    held = technician.skills.all()
    zone = ZoneInfo(period.site.time_zone)
    return core.Technician(
        id=str(technician.pk),
        name=technician.name,
        skills={skill_names[h.skill_id]: h.level for h in held},
        certificates={
            skill_names[h.skill_id]: _end_of_day(h.valid_until, period, zone)
            for h in held
            if h.valid_until is not None
        },
        shifts=_intervals(time.present, period),
        absences=_intervals(time.absent, period),
        price_per_hour=_minor(float(technician.hourly_rate)),
    )


def _end_of_day(date: dt.date, period: Period, zone: ZoneInfo) -> int:
    midnight = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), tzinfo=zone)
    return period.minute(midnight)


def _intervals(
    spans: tuple[tuple[dt.datetime, dt.datetime], ...], period: Period
) -> tuple[core.Interval, ...]:
    minutes = [(period.minute_after(start), period.minute(end)) for start, end in spans]
    return tuple(core.Interval(start, end) for start, end in minutes if start < end)


def _assets(work_orders: list[WorkOrder], period: Period) -> tuple[core.Asset, ...]:
    wanted = {work_order.asset_id for work_order in work_orders}
    windows = AccessWindow.objects.filter(
        starts_at__lt=period.ends_at, ends_at__gt=period.starts_at
    )
    assets = Asset.objects.filter(pk__in=wanted).prefetch_related(
        Prefetch("access_windows", queryset=windows, to_attr="windows_now")
    )
    restricted = set(AccessWindow.objects.filter(asset__in=wanted).values_list("asset", flat=True))
    return tuple(_asset(asset, period, restricted) for asset in _by_code(assets))


def _asset(asset: Asset, period: Period, restricted: set[int]) -> core.Asset:
    windows: list[AccessWindow] = asset.windows_now  # type: ignore[attr-defined]
    spans = [
        (max(0, period.minute_after(w.starts_at)), period.minute(min(w.ends_at, period.ends_at)), w)
        for w in windows
    ]
    given = tuple(
        core.Window(start, end, _minor(float(w.price_per_hour)))
        for start, end, w in spans
        if start < end
    )
    # An asset with windows, but none in these days, may not be stopped: a window of one minute
    # before the schedule says so, since no window at all would mean that it always may.
    if asset.pk in restricted and not given:
        given = (core.Window(-1, 0),)
    return core.Asset(id=_asset_id(asset), name=asset.code, windows=given)


def _tools(site: Site, period: Period) -> tuple[core.ToolType, ...]:
    types = ToolType.objects.filter(site=site).prefetch_related("tools")
    return tuple(
        core.ToolType(
            id=_tool_id(tool_type),
            name=tool_type.name,
            count=len(tool_type.tools.all()),
            outages=tuple(_outages(list(tool_type.tools.all()), period)),
        )
        for tool_type in _by_code(types)
    )


def _outages(tools: list[Tool], period: Period) -> list[core.Outage]:
    """A tool is not used from the end of the day its calibration is due."""
    zone = ZoneInfo(period.site.time_zone)
    end = period.minute(period.ends_at)
    starts = [
        max(0, _end_of_day(tool.calibration_due_on, period, zone))
        for tool in tools
        if tool.calibration_due_on is not None
    ]
    return [core.Outage(start, end) for start in starts if start < end]


def _parts(site: Site, period: Period) -> tuple[core.Part, ...]:
    coming = Delivery.objects.filter(received_at=None, expected_at__lt=period.ends_at)
    parts = SparePart.objects.filter(site=site).prefetch_related(
        Prefetch("deliveries", queryset=coming, to_attr="coming")
    )
    return tuple(
        core.Part(
            id=_part_id(part),
            name=part.name,
            stock=part.stock,
            deliveries=tuple(
                core.Delivery(max(0, period.minute_after(d.expected_at)), d.quantity)
                for d in part.coming
            ),
        )
        for part in _by_code(parts)
    )
