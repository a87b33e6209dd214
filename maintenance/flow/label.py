"""What became of each forecast, once it can be known: it failed, it lasted, or nobody can tell.

The first thing to happen after a forecast decides. A failure within its horizon: failed. The
horizon passed: survived. A renewal, or the asset's retirement, before that: censored, for a
component that was renewed can no longer show whether it would have failed.

A fact that arrives late corrects the label it contradicts.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from maintenance.choices import Outcome
from maintenance.models import Failure, FailureMode, Forecast, Installation, Label, Site
from maintenance.models.prognosis import ForecastQuerySet
from maintenance.operations import Fence, unfenced

WRITE_ROWS = 500
DAY = dt.timedelta(days=1)

Times = Mapping[tuple[int, int], list[dt.datetime]]


@dataclass(frozen=True)
class _Facts:
    """Instants in order, by asset and failure mode; retirements by asset."""

    failures: Times
    renewals: Times
    retired: Mapping[int, dt.datetime]


@dataclass(frozen=True)
class _Found:
    outcome: Outcome
    observed_days: float
    matured_at: dt.datetime


def mature(
    *, site: Site, as_of: dt.datetime, now: dt.datetime, fence: Fence = unfenced
) -> dict[str, int]:
    """Label the forecasts whose outcome had happened by `as_of`; what is labelled stays so.

    Says how many labels are new by outcome, and how many late facts corrected.
    """
    facts = _facts(site, as_of=as_of)
    new = list(_new(site, facts, as_of=as_of, now=now))
    corrected = list(_corrected(site, facts, as_of=as_of, now=now))
    counted = Counter(label.outcome for label in new)
    result = {
        "labels": len(new),
        **{outcome.value: counted[outcome] for outcome in Outcome},
        "corrected": len(corrected),
    }
    with transaction.atomic():
        Label.objects.bulk_create(new, batch_size=WRITE_ROWS, ignore_conflicts=True)
        changed = ["outcome", "observed_days", "matured_at", "recorded_at"]
        Label.objects.bulk_update(corrected, changed, batch_size=WRITE_ROWS)
        fence(dict(result))
    return result


def _new(site: Site, facts: _Facts, *, as_of: dt.datetime, now: dt.datetime) -> Iterator[Label]:
    for forecast in _forecasts(site, as_of=as_of).filter(label=None).iterator():
        found = _outcome(forecast, facts, as_of=as_of)
        if found is not None:
            yield Label(
                forecast=forecast,
                outcome=found.outcome,
                observed_days=found.observed_days,
                matured_at=found.matured_at,
                recorded_at=now,
            )


def _corrected(
    site: Site, facts: _Facts, *, as_of: dt.datetime, now: dt.datetime
) -> Iterator[Label]:
    """Labels of forecasts about which something was recorded after the label."""
    asset, later = OuterRef("asset"), Q(recorded_at__gt=OuterRef("label__recorded_at"))
    failed = Failure.objects.filter(
        later, asset=asset, failure_mode=OuterRef("failure_mode"), occurred_at__gt=OuterRef("as_of")
    )
    renewed = Installation.objects.filter(
        later,
        component__asset=asset,
        component__code=OuterRef("failure_mode__component_code"),
        installed_at__gt=OuterRef("as_of"),
    )
    labelled = _forecasts(site, as_of=as_of).exclude(label=None)
    told = labelled.filter(Exists(failed) | Exists(renewed)).select_related("label")
    for forecast in told.iterator():
        found, label = _outcome(forecast, facts, as_of=as_of), forecast.label
        if found is not None and (found.outcome, found.observed_days) != (
            label.outcome,
            label.observed_days,
        ):
            label.outcome, label.observed_days = found.outcome, found.observed_days
            label.matured_at, label.recorded_at = found.matured_at, now
            yield label


def _forecasts(site: Site, *, as_of: dt.datetime) -> ForecastQuerySet:
    """All that an outcome needs, without the curves."""
    made = Forecast.objects.filter(asset__site=site, as_of__lt=as_of)
    return made.defer("risk", "risk_low", "risk_high", "reasons").order_by("pk")


def _outcome(forecast: Forecast, facts: _Facts, *, as_of: dt.datetime) -> _Found | None:
    """None while it is still open."""
    key = (forecast.asset_id, forecast.failure_mode_id)
    ends_at = forecast.as_of + forecast.horizon_days * DAY
    failed_at = _first_after(facts.failures.get(key, []), forecast.as_of)
    renewed_at = _first_after(facts.renewals.get(key, []), forecast.as_of)
    stopped_at = _earliest(renewed_at, facts.retired.get(forecast.asset_id))
    if failed_at and failed_at <= ends_at and (stopped_at is None or failed_at <= stopped_at):
        return _found(Outcome.FAILED, forecast, failed_at)
    if stopped_at and stopped_at < ends_at:
        return _found(Outcome.CENSORED, forecast, stopped_at)
    if ends_at <= as_of:
        return _found(Outcome.SURVIVED, forecast, ends_at)
    return None


def _found(outcome: Outcome, forecast: Forecast, at: dt.datetime) -> _Found:
    return _Found(outcome, max(0.0, (at - forecast.as_of) / DAY), at)


def _earliest(*instants: dt.datetime | None) -> dt.datetime | None:
    return min((at for at in instants if at is not None), default=None)


def _first_after(instants: list[dt.datetime], at: dt.datetime) -> dt.datetime | None:
    position = bisect_right(instants, at)
    return instants[position] if position < len(instants) else None


def _facts(site: Site, *, as_of: dt.datetime) -> _Facts:
    failures = Failure.objects.filter(asset__site=site, occurred_at__lte=as_of)
    retired = site.assets.filter(retired_at__lte=as_of).values_list("pk", "retired_at")
    return _Facts(
        failures=_in_order(failures.values_list("asset_id", "failure_mode_id", "occurred_at")),
        renewals=_in_order(_renewals(site, as_of=as_of)),
        retired={asset: at for asset, at in retired if at is not None},
    )


def _renewals(site: Site, *, as_of: dt.datetime) -> Iterator[tuple[int, int, dt.datetime]]:
    """An installation renews every failure mode of its class that its component can suffer."""
    modes_of: dict[tuple[int, str], list[int]] = defaultdict(list)
    for mode in FailureMode.objects.filter(asset_class__site=site):
        modes_of[mode.asset_class_id, mode.component_code].append(mode.pk)
    installed = Installation.objects.filter(
        component__asset__site=site, installed_at__lte=as_of
    ).values_list(
        "component__asset_id", "component__asset__asset_class_id", "component__code", "installed_at"
    )
    for asset, asset_class, component, at in installed:
        for key in modes_of[asset_class, component]:
            yield asset, key, at


def _in_order(rows: Iterable[tuple[int, int, dt.datetime]]) -> Times:
    found: dict[tuple[int, int], list[dt.datetime]] = defaultdict(list)
    for asset, mode, at in rows:
        found[asset, mode].append(at)
    return {key: sorted(instants) for key, instants in found.items()}
