"""Forecasts against what came, as soon as their days have passed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import numpy as np

from maintenance.choices import AlertKind, Outcome
from maintenance.flow.monitor.findings import Finding
from maintenance.models import Forecast, Label, ModelVersion
from predictors.drift import Promise, kept_promise

DAY = dt.timedelta(days=1)
WITHIN_DAYS = 14
LATE_NEWS = dt.timedelta(days=2)
JUDGED = dt.timedelta(days=180)


def worse_forecasts(champions: Iterable[ModelVersion], *, as_of: dt.datetime) -> Iterator[Finding]:
    for version in champions:
        told = _promise(version, as_of=as_of)
        if told is not None and told.is_broken:
            yield Finding(
                kind=AlertKind.PERFORMANCE,
                key=f"mode:{version.failure_mode_id}",
                parameters={
                    "failure_mode": version.failure_mode.name,
                    "asset_class": version.failure_mode.asset_class.name,
                    "forecasts": told.forecasts,
                    "failures": told.failures,
                    "expected_failures": round(told.expected_failures, 1),
                    "brier": round(told.brier, 4),
                    "expected_brier": round(told.expected_brier, 4),
                },
                model_version=version,
            )


def _promise(version: ModelVersion, *, as_of: dt.datetime) -> Promise | None:
    """The version's forecasts that are old enough to be judged, one a unit and fortnight.

    All forecasts of that age take part, also those whose life goes on: to wait for labels alone
    would judge by the lives that ended.
    """
    old_enough = as_of - WITHIN_DAYS * DAY - LATE_NEWS
    served = Forecast.objects.filter(
        model_version=version, as_of__lte=old_enough, as_of__gt=as_of - JUDGED
    ).order_by("asset", "-as_of")
    chosen = list(_apart(served.values_list("pk", "asset_id", "as_of", "risk_14_days")))
    labels = {
        forecast: (outcome, observed_days)
        for forecast, outcome, observed_days in Label.objects.filter(
            forecast__model_version=version, matured_at__lte=as_of
        ).values_list("forecast_id", "outcome", "observed_days")
    }
    seen = [labels.get(pk, ("", WITHIN_DAYS + 1.0)) for pk, _risk in chosen]
    return kept_promise(
        np.array([risk for _pk, risk in chosen], dtype=np.float64),
        observed_days=np.array([days for _outcome, days in seen], dtype=np.float64),
        failed=np.array([outcome == Outcome.FAILED for outcome, _days in seen], dtype=np.bool_),
        within_days=WITHIN_DAYS,
    )


def _apart(
    rows: Iterable[tuple[int, int, dt.datetime, float]],
) -> Iterator[tuple[int, float]]:
    """Of each asset the newest forecast, then the newest that ends before that one, and so on."""
    taken: dict[int, dt.datetime] = {}
    for pk, asset_id, at, risk in rows:
        if asset_id not in taken or at <= taken[asset_id] - WITHIN_DAYS * DAY:
            taken[asset_id] = at
            yield pk, risk
