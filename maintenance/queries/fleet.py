"""The fleet as its page shows it: every asset with its risk, trend and next work."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Prefetch, Q

from maintenance.choices import ScheduleState
from maintenance.models import (
    Asset,
    Assignment,
    Component,
    Forecast,
    FunctionalLocation,
    Site,
    WorkOrder,
)
from maintenance.models.access import AnyUser
from maintenance.queries import risk
from maintenance.queries.words import risk_band

TREND = dt.timedelta(days=30)
DEFAULT_SORT = "-risk"


@dataclass(frozen=True)
class NextWork:
    """The open work order an asset waits for, and when the schedule does it."""

    work_order: WorkOrder
    starts_at: dt.datetime | None
    pinned: bool


@dataclass(frozen=True)
class Row:
    """One asset of the fleet; `weakest` is the forecast of its most likely failure mode."""

    asset: Asset
    risk: float | None
    trend: tuple[float, ...]
    median_days: float | None
    weakest: Forecast | None
    component: str
    next_work: NextWork | None

    @property
    def band(self) -> str:
        return risk_band(self.risk)

    @property
    def band_before(self) -> str:
        """The band by the round of forecasts before the newest."""
        return risk_band(self.trend[-2] if len(self.trend) > 1 else self.risk)

    @property
    def component_beside(self) -> str:
        """The component, where the name of its failure mode does not say it already."""
        mode = self.weakest.failure_mode.name if self.weakest else ""
        return "" if self.component.casefold() in mode.casefold() else self.component

    @property
    def location(self) -> str:
        return self.asset.location.name if self.asset.location else ""


@dataclass(frozen=True)
class Wanted:
    """What the reader asked to see; an empty word asks for nothing."""

    text: str = ""
    location: str = ""
    band: str = ""
    sort: str = DEFAULT_SORT

    @property
    def narrows(self) -> bool:
        return bool(self.text or self.location or self.band)


@dataclass(frozen=True)
class Fleet:
    rows: tuple[Row, ...]
    as_of: dt.datetime | None

    def count(self, band: str) -> int:
        return sum(row.band == band for row in self.rows)

    @property
    def critical(self) -> int:
        return self.count("critical")

    @property
    def newly_critical(self) -> int:
        """How many more are critical than by the round of forecasts before."""
        return self.critical - sum(row.band_before == "critical" for row in self.rows)


@dataclass(frozen=True)
class MapLine:
    """A functional location on the risk map, its assets from worst to best."""

    location: str
    rows: tuple[Row, ...]


def fleet(user: AnyUser, site: Site, *, now: dt.datetime) -> Fleet:
    """All assets in service at the site, with what is known of each, in a few queries."""
    assets = (
        Asset.objects.for_user(user)
        .of_site(site)
        .in_service(at=now)
        .select_related("asset_class", "location")
        .order_by("code")
    )
    visible = Forecast.objects.for_user(user).of_site(site)
    newest = visible.order_by("-as_of").values_list("as_of", flat=True).first()
    latest = _latest(user, site)
    trends = _trends(user, site, until=newest) if newest else {}
    components = _component_names(user, site)
    work = _next_work(user, site)
    rows = [
        _row(asset, latest[asset.pk], trends.get(asset.pk, ()), components, work.get(asset.pk))
        for asset in assets
    ]
    return Fleet(rows=tuple(rows), as_of=newest)


def shown(
    fleet: Fleet, wanted: Wanted, *, within: frozenset[int], found: frozenset[int]
) -> list[Row]:
    """The rows that the reader asked for, in the order asked for.

    `within` are the ids of the locations of the wanted branch, `found` the ids of the assets
    whose words match; each counts only where `wanted` asks for it.
    """
    rows = [
        row
        for row in fleet.rows
        if (not wanted.band or row.band == wanted.band)
        and (not wanted.location or row.asset.location_id in within)
        and (not wanted.text or row.asset.pk in found)
    ]
    key = SORTS[wanted.sort.removeprefix("-")]
    return _sorted(rows, key, falling=wanted.sort.startswith("-"))


def found(user: AnyUser, site: Site, text: str) -> frozenset[int]:
    """Assets whose code, name, serial, class, component, failure modes or place say all words."""
    assets = Asset.objects.for_user(user).of_site(site)
    matches = [
        set(
            assets.filter(
                Q(pk__in=assets.matching(word).values("pk"))
                | Q(asset_class__failure_modes__name__icontains=word)
                | Q(location__name__icontains=word)
            ).values_list("pk", flat=True)
        )
        for word in text.split()
    ]
    return frozenset(set.intersection(*matches)) if matches else frozenset()


def locations(user: AnyUser, site: Site) -> list[FunctionalLocation]:
    return list(FunctionalLocation.objects.for_user(user).of_site(site).order_by("name"))


def branch(locations: Iterable[FunctionalLocation], code: str) -> frozenset[int]:
    """The location of that code with all that stands below it."""
    below: dict[int | None, list[int]] = defaultdict(list)
    top = None
    for location in locations:
        below[location.parent_id].append(location.pk)
        if location.code == code:
            top = location.pk
    reached = set() if top is None else {top}
    waiting = list(reached)
    while waiting:
        children = set(below[waiting.pop()]) - reached
        reached |= children
        waiting += children
    return frozenset(reached)


def risk_map(fleet: Fleet) -> list[MapLine]:
    by_location: dict[str, list[Row]] = defaultdict(list)
    for row in fleet.rows:
        by_location[row.location].append(row)
    return [
        MapLine(location, tuple(_sorted(rows, SORTS["risk"], falling=True)))
        for location, rows in sorted(by_location.items(), key=lambda line: (not line[0], line[0]))
    ]


def _row(
    asset: Asset,
    forecasts: list[Forecast],
    trend: tuple[float, ...],
    components: dict[tuple[int, str], str],
    work: NextWork | None,
) -> Row:
    weakest = max(forecasts, key=lambda forecast: forecast.risk_14_days, default=None)
    component = ""
    if weakest is not None:
        component = components.get((asset.pk, weakest.failure_mode.component_code), "")
    curve = risk.of_any_by_day([forecast.risk for forecast in forecasts])
    return Row(
        asset=asset,
        risk=risk.of_any(f.risk_14_days for f in forecasts) if forecasts else None,
        trend=trend,
        median_days=risk.median_days(curve),
        weakest=weakest,
        component=component,
        next_work=work,
    )


def _latest(user: AnyUser, site: Site) -> dict[int, list[Forecast]]:
    forecasts = (
        Forecast.objects.for_user(user)
        .of_site(site)
        .newest()
        .filter(state__in=risk.SAYS_SOMETHING)
        .select_related("failure_mode")
        .defer("risk_low", "risk_high", "reasons")
    )
    by_asset: dict[int, list[Forecast]] = defaultdict(list)
    for forecast in forecasts:
        by_asset[forecast.asset_id].append(forecast)
    return by_asset


def _trends(user: AnyUser, site: Site, *, until: dt.datetime) -> dict[int, tuple[float, ...]]:
    """The joint risk by round of forecasts, oldest first."""
    rounds: dict[int, dict[dt.datetime, list[float]]] = defaultdict(lambda: defaultdict(list))
    past = (
        Forecast.objects.for_user(user)
        .of_site(site)
        .filter(as_of__gt=until - TREND, state__in=risk.SAYS_SOMETHING)
        .order_by("as_of")
    )
    for asset, as_of, risk_14_days in past.values_list("asset_id", "as_of", "risk_14_days"):
        rounds[asset][as_of].append(risk_14_days)
    return {
        asset: tuple(risk.of_any(risks) for risks in by_round.values())
        for asset, by_round in rounds.items()
    }


def _component_names(user: AnyUser, site: Site) -> dict[tuple[int, str], str]:
    components = Component.objects.for_user(user).of_site(site)
    return {
        (asset, code): name
        for asset, code, name in components.values_list("asset_id", "code", "name")
    }


def _next_work(user: AnyUser, site: Site) -> dict[int, NextWork]:
    """By asset: what is scheduled soonest, else what is worth most."""
    current = Assignment.objects.filter(
        schedule__state__in=[ScheduleState.PUBLISHED, ScheduleState.DRAFT]
    )
    places = Prefetch("assignments", current.order_by("-schedule__state"), to_attr="places")
    waiting = WorkOrder.objects.for_user(user).of_site(site).open().prefetch_related(places)
    by_asset: dict[int, NextWork] = {}
    for work_order in waiting.order_by(F("saving").desc(nulls_last=True)):
        place = next(iter(work_order.places), None)  # type: ignore[attr-defined]
        work = NextWork(
            work_order=work_order,
            starts_at=place.starts_at if place else None,
            pinned=work_order.is_pinned or bool(place and place.pinned),
        )
        known = by_asset.get(work_order.asset_id)
        if known is None or _sooner(work, known):
            by_asset[work_order.asset_id] = work
    return by_asset


def _sooner(one: NextWork, other: NextWork) -> bool:
    if one.starts_at is None:
        return False
    return other.starts_at is None or one.starts_at < other.starts_at


SORTS: dict[str, Callable[[Row], Any]] = {
    "asset": lambda row: row.asset.code,
    "location": lambda row: row.location or None,
    "risk": lambda row: row.risk,
    "trend": lambda row: row.trend[-1] - row.trend[0] if len(row.trend) > 1 else None,
    # Beyond the horizon counts as longest; without a forecast there is no figure at all.
    "life": lambda row: None if row.risk is None else (row.median_days or float("inf")),
    "weakest": lambda row: row.weakest.failure_mode.name if row.weakest else None,
    "grade": lambda row: row.weakest.grade if row.weakest else None,
    "work": lambda row: row.next_work.starts_at if row.next_work else None,
}


def _sorted(rows: Sequence[Row], key: Callable[[Row], Any], *, falling: bool) -> list[Row]:
    """Ordered by the key, then by code; rows without a figure come last either way."""
    by_code = sorted(rows, key=lambda row: row.asset.code)
    known = [row for row in by_code if key(row) is not None]
    return sorted(known, key=key, reverse=falling) + [row for row in by_code if key(row) is None]
