"""Gradient boosted hazards: the only module that speaks to XGBoost.

Buckets are learnt in *stages*, near to far, each with trees of its own. What announces
a failure tomorrow is sharp and what tells of next month is faint; boosted together, the noise of
the far buckets stops the growth before the near ones have been learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import xgboost

from predictors.dataset import Flags
from predictors.schema import Floats, Instants, Rows


@dataclass(frozen=True)
class Boosting:
    """How trees are grown; defaults suit tens of failures and about a hundred columns.

    ``stage_starts``: the first bucket of each stage after the nearest.
    """

    rounds: int = 200
    patience: int = 15
    learning_rate: float = 0.1
    depth: int = 6
    leaf_weight: float = 5.0
    ridge: float = 5.0
    column_share: float = 0.5
    row_share: float = 0.8
    bins: int = 64
    stage_starts: tuple[int, ...] = (3, 6, 9)

    def parameters(self, *, seed: int, threads: int) -> dict[str, object]:
        """As XGBoost names them."""
        return {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "base_score": 0.5,
            "eta": self.learning_rate,
            "max_depth": self.depth,
            "min_child_weight": self.leaf_weight,
            "lambda": self.ridge,
            "colsample_bytree": self.column_share,
            "subsample": self.row_share,
            "max_bin": self.bins,
            "seed": seed,
            "nthread": threads,
            "verbosity": 0,
        }


Stage = tuple[Instants, xgboost.DMatrix]
"""Positions of the rows of a stage, and those rows as XGBoost holds them."""


@dataclass(frozen=True, eq=False)
class Staged:
    """Periods cut into stages: for few rows, making a matrix costs more than reading it.

    XGBoost remembers what a booster said of a matrix: each learner reads it once.
    """

    x: Rows
    starts: tuple[int, ...]
    stages: tuple[Stage, ...]

    @classmethod
    def of(cls, x: Rows, starts: tuple[int, ...]) -> Self:
        """Rows that end with their bucket."""
        cut = tuple((rows, xgboost.DMatrix(x[rows], nthread=1)) for rows in stages(x, starts))
        return cls(x, starts, cut)


@dataclass(frozen=True, eq=False)
class Trees:
    """One booster per stage, whose margin adds to an offset in log-odds.

    ``starts`` the first bucket of each stage, 0 first; ``x`` float32[m, p + 1] always ends with
    the bucket.
    """

    starts: tuple[int, ...]
    boosters: tuple[xgboost.Booster, ...]

    def read(self, x: Rows) -> Staged:
        """Periods to be read, once, by this learner and by others that share its stages."""
        return Staged.of(x, self.starts)

    def margin(self, periods: Staged, offset: Floats) -> Floats:
        """Log-odds of failing in each period, float64[m]."""
        found = np.empty(len(periods.x))
        for booster, (rows, matrix) in self._by_stage(periods):
            matrix.set_base_margin(offset[rows])
            found[rows] = booster.predict(matrix, output_margin=True, validate_features=False)
        return found

    def contributions(self, periods: Staged) -> Floats:
        """Exact Shapley values of the margin less its offset, float64[m, p + 2], base last."""
        found = np.empty((len(periods.x), periods.x.shape[1] + 1))
        for booster, (rows, matrix) in self._by_stage(periods):
            found[rows] = booster.predict(matrix, pred_contribs=True, validate_features=False)
        return found

    def _by_stage(self, periods: Staged) -> Iterator[tuple[xgboost.Booster, Stage]]:
        cut = periods if periods.starts == self.starts else self.read(periods.x)
        for booster, stage in zip(self.boosters, cut.stages, strict=True):
            if stage[0].size:
                yield booster, stage

    def to_bytes(self) -> tuple[bytes, ...]:
        """UBJSON by stage, XGBoost's own portable format."""
        return tuple(bytes(booster.save_raw(raw_format="ubj")) for booster in self.boosters)

    @classmethod
    def from_bytes(cls, starts: Sequence[int], raw: Sequence[bytes], *, threads: int = 1) -> Self:
        """Read back `to_bytes`."""
        boosters = [xgboost.Booster({"nthread": threads}) for _ in raw]
        for booster, content in zip(boosters, raw, strict=True):
            booster.load_model(bytearray(content))
        return cls(tuple(starts), tuple(boosters))


def stages(x: Rows, starts: Sequence[int]) -> list[Instants]:
    """Positions of the rows of each stage, by the bucket in the last column.

    >>> [rows.tolist() for rows in stages(np.array([[0], [4], [1], [3]]), (0, 3))]
    [[0, 2], [1, 3]]
    """
    stage = np.searchsorted(np.asarray(starts), x[:, -1], side="right") - 1
    return [np.flatnonzero(stage == one) for one in range(len(starts))]


@dataclass(frozen=True, eq=False)
class Sample:
    """Periods ready to learn from: ``x`` float32[m, p + 1], the rest [m]."""

    x: Rows
    failed: Flags
    weight: Floats
    offset: Floats

    def take(self, rows: Instants) -> Sample:
        """The chosen periods."""
        return Sample(self.x[rows], self.failed[rows], self.weight[rows], self.offset[rows])

    def details(self) -> dict[str, Any]:
        """What XGBoost wants to know beside ``x``."""
        return {
            "label": self.failed,
            "weight": self.weight,
            "base_margin": self.offset,
            "nthread": 1,
        }


@dataclass(eq=False)
class Grower:
    """Grows the members of one forecaster; all share the bins of the first one's columns.

    Binning is a third of the work and knows no outcome, so it is done once a stage.
    """

    how: Boosting
    threads: int
    _bins: dict[int, xgboost.QuantileDMatrix] = field(default_factory=dict)

    def __call__(self, train: Sample, check: Sample, seed: int) -> Trees:
        """Boost each stage on ``train`` until ``check`` stops improving."""
        farthest = train.x[:, -1].max()
        starts = (0, *(start for start in self.how.stage_starts if start <= farthest))
        sides = zip(stages(train.x, starts), stages(check.x, starts), strict=True)
        boosters = [
            self._grow(stage, train.take(learnt), check.take(checked), seed)
            for stage, (learnt, checked) in enumerate(sides)
        ]
        return Trees(starts, tuple(boosters))

    def _grow(self, stage: int, train: Sample, check: Sample, seed: int) -> xgboost.Booster:
        matrix = xgboost.QuantileDMatrix(
            train.x, max_bin=self.how.bins, ref=self._bins.get(stage), **train.details()
        )
        self._bins.setdefault(stage, matrix)
        parameters = self.how.parameters(seed=seed, threads=self.threads)
        if not (train.failed.any() and check.failed.any()):
            return xgboost.train(parameters, matrix, num_boost_round=0)  # age alone
        watched = xgboost.DMatrix(check.x, **check.details())  # unbinned: faster to read
        booster = xgboost.train(
            parameters,
            matrix,
            num_boost_round=self.how.rounds,
            evals=[(watched, "check")],
            early_stopping_rounds=self.how.patience,
            verbose_eval=False,
        )
        return booster[: booster.best_iteration + 1]
