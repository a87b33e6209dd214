"""Discrete-time hazard by ridge logistic regression: the straight line beside the trees."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from predictors import discrete
from predictors.boosting import Sample
from predictors.dataset import Dataset
from predictors.discrete import AgeOffset, DiscreteForecaster, Fit, Member
from predictors.schema import FeatureSet, Floats, Rows

RIDGE = 10.0
STEPS = 12
PERIOD_LIMIT = 6000
LIMIT = 5.0
"""Standard deviations beyond which a value is held: a line must not follow an outlier."""


@dataclass(frozen=True, eq=False)
class Line:
    """``slope`` float64[p + 1] on standardised columns (gaps at the mean), and its ``base``."""

    centre: Floats
    spread: Floats
    slope: Floats
    base: float

    def read(self, x: Rows) -> Rows:
        """Periods as they are."""
        return x

    def contributions(self, x: Rows) -> Floats:
        """Slope times standardised value by column, the base last; float64[m, p + 2]."""
        parts = standardised(x, self.centre, self.spread) * self.slope
        return np.column_stack([parts, np.full(len(x), self.base)])

    def margin(self, x: Rows, offset: Floats) -> Floats:
        """Log-odds of failing in each period, float64[m]."""
        line = standardised(x, self.centre, self.spread) @ self.slope
        return np.asarray(line + self.base + offset, dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Four plain arrays in NumPy's own format, without pickle."""
        buffer = io.BytesIO()
        np.save(buffer, np.stack([self.centre, self.spread, self.slope]), allow_pickle=False)
        np.save(buffer, np.array([self.base]), allow_pickle=False)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read back `to_bytes`."""
        buffer = io.BytesIO(raw)
        centre, spread, slope = np.load(buffer, allow_pickle=False)
        return cls(centre, spread, slope, float(np.load(buffer, allow_pickle=False)[0]))


def standardised(x: Rows, centre: Floats, spread: Floats) -> Floats:
    """(x - centre) / spread, held within `LIMIT`; a gap becomes 0."""
    scaled = np.clip((x.astype(np.float64) - centre) / spread, -LIMIT, LIMIT)
    return np.asarray(np.where(np.isfinite(scaled), scaled, 0.0), dtype=np.float64)


def draw_line(sample: Sample) -> Line:
    """Newton's method on the weighted, ridged log likelihood."""
    centre, spread = _scale(sample.x)
    z = np.column_stack([standardised(sample.x, centre, spread), np.ones(len(sample.x))])
    ridge = np.full(z.shape[1], RIDGE)
    ridge[-1] = 0.01
    theta = np.zeros(z.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(z @ theta + sample.offset, -30, 30)))
        slope = z.T @ (sample.weight * (chance - sample.failed)) + ridge * theta
        bend = (z * (sample.weight * chance * (1 - chance))[:, None]).T @ z + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        theta -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-5:
            break
    return Line(centre, spread, theta[:-1], float(theta[-1]))


def _scale(x: Rows) -> tuple[Floats, Floats]:
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, x, 0.0).astype(np.float64)
    centre = values.sum(axis=0) / count
    spread = np.sqrt((np.where(known, x - centre, 0.0) ** 2).sum(axis=0) / count)
    return centre, np.where(spread > 1e-9, spread, 1.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class LogisticForecaster(DiscreteForecaster[Line]):
    """Linear members; see `predictors.discrete`."""

    family: ClassVar[str] = "logistic"

    def files(self) -> Mapping[str, bytes]:
        """One array file per member."""
        return {
            f"member-{position}.npy": member.learner.to_bytes()
            for position, member in enumerate(self.members)
        }

    @classmethod
    def restore(
        cls,
        *,
        mode: str,
        horizon_days: int,
        feature_set: FeatureSet,
        parameters: Mapping[str, Any],
        files: Mapping[str, bytes],
    ) -> Self:
        """Read back `parameters` and `files`."""
        members = tuple(
            Member(AgeOffset.from_dict(offset), Line.from_bytes(files[f"member-{position}.npy"]))
            for position, offset in enumerate(parameters["offsets"])
        )
        return cls(
            mode=mode,
            horizon_days=horizon_days,
            feature_set=feature_set,
            **discrete.restored(members, parameters),
        )


def learn(
    dataset: Dataset,
    *,
    seed: int = 0,
    folds: int = 4,
    row_limit: int = discrete.ROW_LIMIT,
    period_limit: int = PERIOD_LIMIT,
) -> tuple[LogisticForecaster, Fit[Line]]:
    """A forecaster and its out-of-fold risks; raises `NotEnoughEvidence` as `hazard.learn`."""

    def teach(train: Sample, _check: Sample, _seed: int) -> Line:
        return draw_line(train)

    found = discrete.fit(
        dataset, teach, seed=seed, folds=folds, row_limit=row_limit, period_limit=period_limit
    )
    return LogisticForecaster(**discrete.assembled(dataset, found)), found
