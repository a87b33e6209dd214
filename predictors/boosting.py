"""Gradient boosted hazards: the only module that speaks to XGBoost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import xgboost

from predictors.dataset import Flags
from predictors.schema import Floats, Rows


@dataclass(frozen=True)
class Boosting:
    """How trees are grown; defaults suit tens of failures and about a hundred columns."""

    rounds: int = 200
    patience: int = 15
    learning_rate: float = 0.1
    depth: int = 6
    leaf_weight: float = 2.0
    ridge: float = 5.0
    column_share: float = 0.5
    row_share: float = 0.8
    bins: int = 64

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


@dataclass(frozen=True, eq=False)
class Trees:
    """A booster whose margin adds to an offset in log-odds."""

    booster: xgboost.Booster

    def margin(self, x: Rows, offset: Floats) -> Floats:
        """Log-odds of failing in the period; ``x`` float32[n, p + 1] ends with the bucket."""
        raw = self.booster.inplace_predict(x, predict_type="margin", base_margin=offset)
        return np.asarray(raw, dtype=np.float64)

    def contributions(self, x: Rows) -> Floats:
        """Exact Shapley values float64[n, p + 2] of the margin less its offset, base last."""
        if not len(x):
            return np.empty((0, x.shape[1] + 1))
        shares = self.booster.predict(xgboost.DMatrix(x, nthread=1), pred_contribs=True)
        return np.asarray(shares, dtype=np.float64)

    def to_bytes(self) -> bytes:
        """UBJSON, XGBoost's own portable format."""
        return bytes(self.booster.save_raw(raw_format="ubj"))

    @classmethod
    def from_bytes(cls, raw: bytes, *, threads: int = 1) -> Self:
        """Read back `to_bytes`."""
        booster = xgboost.Booster({"nthread": threads})
        booster.load_model(bytearray(raw))
        return cls(booster)


@dataclass(frozen=True, eq=False)
class Sample:
    """Periods ready to learn from: ``x`` float32[m, p + 1], the rest [m]."""

    x: Rows
    failed: Flags
    weight: Floats
    offset: Floats

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

    Binning is a third of the work and knows no outcome, so it is done once.
    """

    how: Boosting
    threads: int
    _bins: xgboost.QuantileDMatrix | None = None

    def __call__(self, train: Sample, check: Sample, seed: int) -> Trees:
        """Boost on ``train`` until ``check`` stops improving."""
        matrix = xgboost.QuantileDMatrix(
            train.x, max_bin=self.how.bins, ref=self._bins, **train.details()
        )
        self._bins = self._bins or matrix
        watched = xgboost.DMatrix(check.x, **check.details())  # unbinned: faster to read
        booster = xgboost.train(
            self.how.parameters(seed=seed, threads=self.threads),
            matrix,
            num_boost_round=self.how.rounds,
            evals=[(watched, "check")],
            early_stopping_rounds=self.how.patience,
            verbose_eval=False,
        )
        return Trees(booster[: booster.best_iteration + 1])
