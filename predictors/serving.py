"""From feature rows to what a planner is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predictors.dataset import Flags
from predictors.forecaster import Forecaster
from predictors.schema import ForecastState, Reason, RemainingLife, RiskCurve, Rows
from predictors.select import Model


@dataclass(frozen=True, eq=False)
class Score:
    """One forecast: the curve, remaining life, what it means, and why."""

    curve: RiskCurve
    remaining_life: RemainingLife
    state: ForecastState
    reasons: tuple[Reason, ...]


def score(model: Model | Forecaster, x: Rows, *, reasons: bool = True) -> list[Score]:
    """One `Score` per row of ``x`` float32[n, p] (columns of the model's feature set).

    Reasons come largest first, the base ahead of them; they sum to the row's log-odds. They take
    half as long as the curve: ``reasons=False`` leaves them out. State is ``not_enough_data``
    when a model of readings is given a row without any, or when no failure was ever seen;
    ``beyond_horizon`` when even P10 lies past the horizon.
    """
    forecaster = model.forecaster if isinstance(model, Model) else model
    rows = forecaster.checked(x)
    blind = _blind(forecaster, rows)
    unseen = isinstance(model, Model) and model.card.failures == 0
    told = map(_ranked, forecaster.reasons(rows)) if reasons else [()] * len(rows)
    return [
        Score(curve, life := remaining_life(curve), _state(life, poor or unseen), why)
        for curve, poor, why in zip(forecaster.forecast(rows), blind.tolist(), told, strict=True)
    ]


def remaining_life(curve: RiskCurve) -> RemainingLife:
    """P10, P50 and P90 of the days left.

    >>> curve = RiskCurve.certain(horizon_days=2, risk=np.array([0, 0.2, 0.6]))
    >>> remaining_life(curve)
    RemainingLife(p10_days=0.5, p50_days=1.75, p90_days=None)
    """
    return RemainingLife(*(curve.rul_quantile(p) for p in (0.1, 0.5, 0.9)))


def _blind(forecaster: Forecaster, x: Rows) -> Flags:
    """Rows without a fresh reading of any quantity, where the family reads them."""
    latest = [
        position
        for position, spec in enumerate(forecaster.feature_set.specs)
        if spec.statistic == "last"
    ]
    if not latest or forecaster.family in ("weibull", "constant"):
        return np.zeros(len(x), dtype=bool)
    return np.asarray(np.isnan(x[:, latest]).all(axis=1), dtype=bool)


def _state(life: RemainingLife, poor: bool) -> ForecastState:  # noqa: FBT001 - one of two facts
    if poor:
        return ForecastState.NOT_ENOUGH_DATA
    return ForecastState.BEYOND_HORIZON if life.p10_days is None else ForecastState.VALUE


def _ranked(reasons: list[Reason]) -> tuple[Reason, ...]:
    base, *others = reasons
    return (base, *sorted(others, key=lambda reason: -abs(reason.contribution)))
