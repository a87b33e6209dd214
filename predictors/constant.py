"""The least that can be said: one failure rate for every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import stats

from predictors.dataset import Dataset
from predictors.errors import NotEnoughEvidence
from predictors.forecaster import Curves, Forecaster
from predictors.schema import BASE_REASON, FeatureSet, Reason, Rows


@dataclass(frozen=True, eq=False, kw_only=True)
class ConstantForecaster(Forecaster):
    """Exponential lives: ``rate_per_day`` with its 80 % posterior interval."""

    family: ClassVar[str] = "constant"

    rate_per_day: float
    low_rate_per_day: float
    high_rate_per_day: float

    def curves(self, x: Rows) -> Curves:
        """The same curve for every row."""
        days = np.arange(self.horizon_days + 1)
        risk, low, high = (
            np.tile(-np.expm1(-rate * days), (len(x), 1))
            for rate in (self.rate_per_day, self.low_rate_per_day, self.high_rate_per_day)
        )
        return Curves.banded(risk, low, high)

    def reasons(self, x: Rows) -> list[list[Reason]]:
        """The base alone: the log-odds of failing within a week, or within the horizon."""
        days = min(7, self.horizon_days)
        score = float(np.log(np.expm1(self.rate_per_day * days)))
        base = Reason(BASE_REASON, BASE_REASON, BASE_REASON, None, None, None, score)
        return [[base] for _ in range(len(x))]

    def parameters(self) -> dict[str, Any]:
        """The three rates."""
        names = ("rate_per_day", "low_rate_per_day", "high_rate_per_day")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(
        cls,
        *,
        mode: str,
        horizon_days: int,
        feature_set: FeatureSet,
        parameters: Mapping[str, Any],
        files: Mapping[str, bytes],  # noqa: ARG003 - part of the interface
    ) -> Self:
        """Read back `parameters`."""
        return cls(mode=mode, horizon_days=horizon_days, feature_set=feature_set, **parameters)


def fit(dataset: Dataset) -> ConstantForecaster:
    """Posterior rate under Jeffreys' prior: Gamma(failures + 1/2, exposure in days).

    Works with no failure at all; raises `NotEnoughEvidence` if no life was ever watched.
    """
    exposure_days = float(sum(life.end_days - life.entry_days for life in dataset.lives))
    if exposure_days <= 0:
        raise NotEnoughEvidence(f"{dataset.mode}: no life was watched")
    shape = dataset.failures + 0.5
    low, high = (float(stats.gamma.ppf(q, shape) / exposure_days) for q in (0.1, 0.9))
    return ConstantForecaster(
        mode=dataset.mode,
        horizon_days=dataset.horizon_days,
        feature_set=dataset.feature_set,
        rate_per_day=shape / exposure_days,
        low_rate_per_day=low,
        high_rate_per_day=high,
    )
