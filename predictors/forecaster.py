"""The one interface behind which every estimator family stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from predictors.errors import DatasetError
from predictors.schema import FeatureSet, Floats, Reason, RiskCurve, Rows


@dataclass(frozen=True, eq=False)
class Curves:
    """Many risk curves at once: ``risk``, ``low``, ``high`` float64[n, horizon_days + 1]."""

    risk: Floats
    low: Floats
    high: Floats

    @classmethod
    def banded(cls, risk: Floats, low: Floats, high: Floats) -> Curves:
        """Make the curves and their band start at 0, never decrease and hold each other."""
        risk, low, high = (_rising(curve) for curve in (risk, low, high))
        return cls(risk=risk, low=np.minimum(low, risk), high=np.maximum(high, risk))

    def split(self) -> list[RiskCurve]:
        """One `RiskCurve` per row."""
        horizon_days = self.risk.shape[1] - 1
        return [
            RiskCurve(horizon_days=horizon_days, risk=risk, low=low, high=high)
            for risk, low, high in zip(self.risk, self.low, self.high, strict=True)
        ]


def _rising(curve: Floats) -> Floats:
    curve = np.clip(curve, 0.0, 1.0)
    curve[:, 0] = 0.0
    return np.maximum.accumulate(curve, axis=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecaster(ABC):
    """A fitted family for one failure mode: feature rows in, risk curves and reasons out.

    ``x`` is always float32[n, p] with the columns of ``feature_set`` in order.
    """

    family: ClassVar[str]

    mode: str
    horizon_days: int
    feature_set: FeatureSet

    @abstractmethod
    def curves(self, x: Rows) -> Curves:
        """Risk with its 80 % band for every row, by whole days 0..``horizon_days``."""

    def risk(self, x: Rows) -> Floats:
        """The curves without their band, float64[n, ``horizon_days`` + 1]."""
        return self.curves(x).risk

    @abstractmethod
    def reasons(self, x: Rows) -> list[list[Reason]]:
        """Per row, contributions that sum to the row's score, the base first."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """The family's own parameters as plain JSON values."""

    def files(self) -> Mapping[str, bytes]:
        """Artefacts that JSON cannot hold, by file name."""
        return {}

    @classmethod
    @abstractmethod
    def restore(
        cls,
        *,
        mode: str,
        horizon_days: int,
        feature_set: FeatureSet,
        parameters: Mapping[str, Any],
        files: Mapping[str, bytes],
    ) -> Forecaster:
        """The inverse of `parameters` and `files`."""

    def forecast(self, x: Rows) -> list[RiskCurve]:
        """One `RiskCurve` per row; raises `DatasetError` if ``x`` has other columns."""
        return self.curves(self.checked(x)).split()

    def checked(self, x: Rows) -> Rows:
        """``x`` as contiguous float32[n, p], or `DatasetError`."""
        rows = np.ascontiguousarray(x, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != len(self.feature_set.names):
            wanted = len(self.feature_set.names)
            raise DatasetError(f"x: shape {rows.shape}, not (n, {wanted}) of {self.mode}")
        return rows

    def age_days(self, x: Rows) -> Floats:
        """Age of the mode in each row, NaN where it is unknown."""
        column = self.feature_set.names.index(f"{self.mode}.age")
        return x[:, column].astype(np.float64)
