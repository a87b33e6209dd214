"""One asset as its page shows it: what is expected of it, what waits for it, what happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, F, Max, OuterRef, Prefetch, Subquery
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils.translation import gettext as _

from maintenance import store
from maintenance.choices import ScheduleState
from maintenance.instants import days_between, from_us
from maintenance.models import (
    Asset,
    Assignment,
    Component,
    ErrorEvent,
    Failure,
    Forecast,
    FunctionalLocation,
    Installation,
    WorkOrder,
)
from maintenance.models.access import AnyUser
from maintenance.queries import risk
from maintenance.queries.words import risk_band

HISTORY_ROWS = 20
FORETOLD_DAYS = 3


@dataclass(frozen=True)
class Prospect:
    """The newest forecasts of an asset, likeliest failure mode first, and their joint curve.

    Low and high of the joint curve join the lows and the highs: a wide band, never a narrow one.
    """

    forecasts: tuple[Forecast, ...]
    silent: tuple[Forecast, ...]

    @property
    def weakest(self) -> Forecast | None:
        return self.forecasts[0] if self.forecasts else None

    @property
    def as_of(self) -> dt.datetime | None:
        return max((forecast.as_of for forecast in self.forecasts), default=None)

    @cached_property
    def likely(self) -> list[float]:
        return risk.of_any_by_day([forecast.risk for forecast in self.forecasts])

    @cached_property
    def low(self) -> list[float]:
        return risk.of_any_by_day([forecast.risk_low for forecast in self.forecasts])

    @cached_property
    def high(self) -> list[float]:
        return risk.of_any_by_day([forecast.risk_high for forecast in self.forecasts])

    @property
    def horizon_days(self) -> int:
        return max(0, len(self.likely) - 1)

    @cached_property
    def risk_14_days(self) -> float | None:
        if not self.forecasts:
            return None
        return risk.of_any(forecast.risk_14_days for forecast in self.forecasts)

    @property
    def band(self) -> str:
        return risk_band(self.risk_14_days)

    @property
    def median_days(self) -> float | None:
        return risk.median_days(self.likely)


@dataclass(frozen=True)
class Happening:
    at: dt.datetime
    tone: str
    icon: str
    what: str
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class Part:
    """A component position and the item in it now."""

    component: Component
    installed_at: dt.datetime | None

    def age_days(self, now: dt.datetime) -> float | None:
        return None if self.installed_at is None else days_between(self.installed_at, now)


def prospect(asset: Asset) -> Prospect:
    newest = (
        Forecast.objects.filter(asset=asset)
        .newest()
        .select_related("failure_mode", "model_version")
        .order_by("-risk_14_days")
    )
    found = list(newest)
    return Prospect(
        forecasts=tuple(f for f in found if f.state in risk.SAYS_SOMETHING),
        silent=tuple(f for f in found if f.state not in risk.SAYS_SOMETHING),
    )


def trail(location: FunctionalLocation | None) -> list[FunctionalLocation]:
    """The locations above the asset, from the top down."""
    above: list[FunctionalLocation] = []
    while location is not None and location not in above:
        above.insert(0, location)
        location = location.parent
    return above


def open_work(user: AnyUser, asset: Asset) -> list[WorkOrder]:
    """What waits to be done, with `places`: where the draft or published schedule puts it."""
    current = (
        Assignment.objects.filter(
            schedule__state__in=[ScheduleState.PUBLISHED, ScheduleState.DRAFT]
        )
        .select_related("schedule")
        .defer("schedule__problem")
        .prefetch_related("technicians")
        .order_by("-schedule__state")
    )
    return list(
        WorkOrder.objects.for_user(user)
        .filter(asset=asset)
        .open()
        .select_related("failure_mode", "job_plan", "site")
        .prefetch_related(
            Prefetch("assignments", current, to_attr="places"),
            "job_plan__parts__part",
            "job_plan__tools__tool_type",
        )
        .order_by(F("saving").desc(nulls_last=True), "number")
    )


def parts(asset: Asset) -> list[Part]:
    components = asset.components.annotate(newest_at=Max("installations__installed_at")).order_by(
        "name"
    )
    return [Part(component, component.newest_at) for component in components]


def newest_reading_at(asset: Asset) -> dt.datetime | None:
    """When the asset was last heard of."""
    newest = store.last_at_us(asset.points.values_list("pk", flat=True))
    return from_us(max(newest.values())) if newest else None


def marks(asset: Asset, *, start: dt.datetime, end: dt.datetime) -> list[Happening]:
    """Failures and renewals between two instants, for the sensor charts."""
    happened = [*_failures(asset), *_renewals(asset)]
    return sorted((h for h in happened if start <= h.at < end), key=lambda h: h.at)


def history(user: AnyUser, asset: Asset, *, most: int = HISTORY_ROWS) -> list[Happening]:
    """Newest first."""
    happened = [
        *_failures(asset),
        *_renewals(asset),
        *_decisions(user, asset),
        *_error_days(asset),
    ]
    return sorted(happened, key=lambda happening: happening.at, reverse=True)[:most]


def _failures(asset: Asset) -> Iterator[Happening]:
    """Each with what the forecast of the days before had said."""
    foretold = Forecast.objects.filter(
        asset=OuterRef("asset"),
        failure_mode=OuterRef("failure_mode"),
        as_of__lte=OuterRef("occurred_at"),
        as_of__gt=OuterRef("occurred_at") - dt.timedelta(days=FORETOLD_DAYS),
        state__in=risk.SAYS_SOMETHING,
    ).order_by("-as_of")
    failures = Failure.objects.filter(asset=asset).select_related("failure_mode")
    newest = failures.annotate(foretold=Subquery(foretold.values("risk_14_days")[:1]))
    for failure in newest.order_by("-occurred_at")[:HISTORY_ROWS]:
        note = ""
        if failure.foretold is not None:
            note = _("the forecast before gave it %(risk)s %% within 14 days") % {
                "risk": round(failure.foretold * 100)
            }
        what = _("Failure: %(mode)s") % {"mode": failure.failure_mode.name}
        yield Happening(failure.occurred_at, "critical", "alert-octagon", what, note)


def _renewals(asset: Asset) -> Iterator[Happening]:
    installed = Installation.objects.filter(
        component__asset=asset, installed_at__gt=asset.commissioned_at
    ).select_related("component")
    for installation in installed.order_by("-installed_at")[:HISTORY_ROWS]:
        what = _("Renewed: %(component)s") % {"component": installation.component.name}
        yield Happening(installation.installed_at, "low", "refresh", what)


def _decisions(user: AnyUser, asset: Asset) -> Iterator[Happening]:
    work_orders = WorkOrder.objects.for_user(user).filter(asset=asset)
    for work_order in work_orders.order_by("-recorded_at")[:HISTORY_ROWS]:
        note = str(work_order.get_state_display())
        if work_order.dismiss_reason:
            note += f": {work_order.get_dismiss_reason_display()}"
        yield Happening(
            at=work_order.decided_at or work_order.recorded_at,
            tone="info",
            icon="clipboard-check",
            what=str(work_order),
            note=note,
            href=reverse("work_order", args=[work_order.pk]),
        )


def _error_days(asset: Asset) -> Iterator[Happening]:
    """Error codes by day: a controller says the same thing many times."""
    days = (
        ErrorEvent.objects.filter(asset=asset)
        .annotate(date=TruncDate("occurred_at"))
        .values("date", "code")
        .annotate(times=Count("pk"), last_at=Max("occurred_at"))
        .order_by("-last_at")
    )
    for day in days[: HISTORY_ROWS // 2]:
        what = _("Error code %(code)s") % {"code": day["code"]}
        note = f"{day['times']} \N{MULTIPLICATION SIGN}" if day["times"] > 1 else ""
        yield Happening(day["last_at"], "watch", "bell-exclamation", what, note)
