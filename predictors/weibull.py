"""Age alone: Weibull lives, the baseline every model must beat.

Log likelihood of lives entered at age e and left at age t, d of them failing (Lawless 2003,
section 2.4, with left truncation):

    sum over failures of log k - k log L + (k - 1) log t, less the sum of (t^k - e^k) / L^k

For a given shape k the scale L is explicit, so the shape is found on a line. A weak prior,
worth about one failure, keeps it from running away when there are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import optimize

from predictors.dataset import Dataset, Flags, Life
from predictors.errors import NotEnoughEvidence
from predictors.forecaster import Curves, Forecaster
from predictors.schema import BASE_REASON, FeatureSet, Floats, Reason, Rows

SMALLEST_FAILURES = 3
LOG_SHAPE_BOUNDS = (float(np.log(0.4)), float(np.log(12.0)))
PRIOR_LOG_SHAPE, PRIOR_SPREAD = np.log(1.5), 1.0
BAND_DRAWS = 48


@dataclass(frozen=True, eq=False)
class Ages:
    """Lives as ages in days: ``entry``, ``end`` float64[n] and ``failed`` bool[n]."""

    entry: Floats
    end: Floats
    failed: Flags

    @classmethod
    def of(cls, lives: tuple[Life, ...]) -> Self:
        """The lives that were watched for any time at all."""
        watched = [life for life in lives if life.end_us > life.entry_us]
        return cls(
            entry=np.array([life.entry_days for life in watched], dtype=np.float64),
            end=np.array([life.end_days for life in watched], dtype=np.float64),
            failed=np.array([life.failed for life in watched], dtype=bool),
        )

    def exposure(self, shape: float, unit_days: float) -> float:
        """Sum of (end/unit)^k - (entry/unit)^k."""
        return float(((self.end / unit_days) ** shape - (self.entry / unit_days) ** shape).sum())


@dataclass(frozen=True)
class Weibull:
    """Survival exp(-(age / scale_days) ** shape).

    >>> Weibull(2.0, 100.0).risk(np.array([50.0]), np.array([10.0])).round(4).tolist()
    [0.1042]
    """

    shape: float
    scale_days: float

    def risk(self, age_days: Floats, days: Floats) -> Floats:
        """P(failure within ``days`` more | alive at ``age_days``), broadcast."""
        before = (age_days / self.scale_days) ** self.shape
        after = ((age_days + days) / self.scale_days) ** self.shape
        return np.asarray(-np.expm1(before - after), dtype=np.float64)


def fit_ages(ages: Ages) -> tuple[Weibull, Floats]:
    """The most likely `Weibull` and ``BAND_DRAWS`` x (shape, scale) from its posterior.

    Raises `NotEnoughEvidence` below `SMALLEST_FAILURES`.

    >>> ends = 100 * np.random.default_rng(1).weibull(3, 400)
    >>> found, _ = fit_ages(Ages(np.zeros(400), ends, np.ones(400, dtype=bool)))
    >>> abs(found.shape - 3) < 0.2 and abs(found.scale_days - 100) < 5
    True
    """
    failures = int(ages.failed.sum())
    if failures < SMALLEST_FAILURES:
        raise NotEnoughEvidence(f"{failures} failures, Weibull needs {SMALLEST_FAILURES}")
    unit_days = float(ages.end.max())
    log_ends = float(np.log(ages.end[ages.failed] / unit_days).sum())

    def loss(log_shape: float) -> float:
        shape = float(np.exp(log_shape))
        exposure = max(ages.exposure(shape, unit_days), 1e-300)
        likelihood = failures * (log_shape - np.log(exposure / failures)) + (shape - 1) * log_ends
        return float(((log_shape - PRIOR_LOG_SHAPE) / PRIOR_SPREAD) ** 2 / 2 - likelihood)

    best = optimize.minimize_scalar(loss, bounds=LOG_SHAPE_BOUNDS, method="bounded").x
    step = 0.05
    bend = (loss(best - step) - 2 * loss(best) + loss(best + step)) / step**2
    spread = 1 / np.sqrt(max(bend, 1.0))
    draws = _posterior(ages, unit_days, float(best), float(spread), failures)
    return _with_scale(ages, float(np.exp(best)), unit_days, float(failures)), draws


def _with_scale(ages: Ages, shape: float, unit_days: float, failures: float) -> Weibull:
    exposure = max(ages.exposure(shape, unit_days), 1e-300)
    return Weibull(shape, unit_days * (exposure / failures) ** (1 / shape))


def _posterior(
    ages: Ages, unit_days: float, log_shape: float, spread: float, failures: int
) -> Floats:
    random = np.random.default_rng(failures)
    log_shapes = log_shape + spread * random.standard_normal(BAND_DRAWS)
    shapes = np.exp(np.clip(log_shapes, *LOG_SHAPE_BOUNDS))
    counts = random.gamma(failures, size=BAND_DRAWS)  # given the shape, scale^-k is gamma
    drawn = [
        _with_scale(ages, float(shape), unit_days, max(float(count), 1e-6))
        for shape, count in zip(shapes, counts, strict=True)
    ]
    return np.array([(one.shape, one.scale_days) for one in drawn])


@dataclass(frozen=True, eq=False, kw_only=True)
class WeibullForecaster(Forecaster):
    """Risk from the age of the mode; an unknown age is taken as ``usual_age_days``."""

    family: ClassVar[str] = "weibull"

    law: Weibull
    draws: Floats
    usual_age_days: float

    def curves(self, x: Rows) -> Curves:
        """Conditional Weibull risk; the band is the 10-90 % range over posterior draws."""
        age_days = self._age(x)[:, None]
        drawn = np.stack(
            [Weibull(*draw).risk(age_days, self._days) for draw in self.draws.tolist()]
        )
        low, high = np.quantile(drawn, (0.1, 0.9), axis=0)
        return Curves.banded(self.risk(x), low, high)

    def risk(self, x: Rows) -> Floats:
        """Conditional Weibull risk by day."""
        return self.law.risk(self._age(x)[:, None], self._days)

    @property
    def _days(self) -> Floats:
        return np.arange(self.horizon_days + 1, dtype=np.float64)[None, :]

    def reasons(self, x: Rows) -> list[list[Reason]]:
        """The log-odds at the usual age, and what this row's age adds."""
        days = np.array(min(7.0, self.horizon_days))
        base = float(_log_odds(self.law.risk(np.array([self.usual_age_days]), days))[0])
        ages = self._age(x)
        added = _log_odds(self.law.risk(ages, days)) - base
        return [
            [
                Reason(BASE_REASON, BASE_REASON, BASE_REASON, None, None, None, base),
                Reason(f"{self.mode}.age", self.mode, "age", None, age, self.usual_age_days, more),
            ]
            for age, more in zip(ages.tolist(), added.tolist(), strict=True)
        ]

    def _age(self, x: Rows) -> Floats:
        age_days = self.age_days(x)
        return np.where(np.isfinite(age_days), age_days, self.usual_age_days)

    def parameters(self) -> dict[str, Any]:
        """Shape, scale, posterior draws and usual age."""
        return {
            "shape": self.law.shape,
            "scale_days": self.law.scale_days,
            "usual_age_days": self.usual_age_days,
            "draws": self.draws.tolist(),
        }

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
        return cls(
            mode=mode,
            horizon_days=horizon_days,
            feature_set=feature_set,
            law=Weibull(parameters["shape"], parameters["scale_days"]),
            draws=np.asarray(parameters["draws"], dtype=np.float64),
            usual_age_days=parameters["usual_age_days"],
        )


def fit(dataset: Dataset) -> WeibullForecaster:
    """Maximum likelihood with right censoring and left truncation, from the dataset's lives."""
    ages = Ages.of(dataset.lives)
    law, draws = fit_ages(ages)
    usual = float(np.median(dataset.age_days)) if len(dataset) else float(np.median(ages.end)) / 2
    return WeibullForecaster(
        mode=dataset.mode,
        horizon_days=dataset.horizon_days,
        feature_set=dataset.feature_set,
        law=law,
        draws=draws,
        usual_age_days=usual,
    )


def _log_odds(risk: Floats) -> Floats:
    held = np.clip(risk, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(held / (1 - held)), dtype=np.float64)
