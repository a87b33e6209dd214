"""Making small probabilities true: a beta calibration at every bucket edge.

Beta calibration (Kull, Silva Filho, Flach 2017): log-odds of the calibrated risk are
a ln p - b ln(1 - p) + c. The identity is a = b = 1, c = 0; a ridge pulls towards it, as strong
as one failure of doubt, so that a mode with few failures keeps its raw curve. Neighbouring rows
of one life tell the same story, so the likelihood is scaled to the number of failed lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import optimize

from predictors.evaluate import Answers
from predictors.schema import Floats

RIDGE = 1.0
FLOOR = 1e-7
IDENTITY = (1.0, 1.0, 0.0)


@dataclass(frozen=True)
class BetaCalibration:
    """One (a, b, c) per edge; a, b >= 0 keep the order of the rows.

    >>> raw = np.array([[0.2, 0.4]])
    >>> BetaCalibration((IDENTITY, (1.0, 1.0, 1.0))).apply(raw).round(3).tolist()
    [[0.2, 0.644]]
    """

    by_edge: tuple[tuple[float, float, float], ...]

    def apply(self, risk: Floats) -> Floats:
        """Calibrated risk by edge, never decreasing; float64[n, edges] to the same."""
        a, b, c = np.array(self.by_edge).T
        held = np.clip(risk, FLOOR, 1 - FLOOR)
        log_odds = a * np.log(held) - b * np.log1p(-held) + c
        return np.maximum.accumulate(1 / (1 + np.exp(-log_odds)), axis=1)

    def to_list(self) -> list[list[float]]:
        """Plain JSON values."""
        return [list(edge) for edge in self.by_edge]

    @classmethod
    def from_list(cls, plain: Sequence[Sequence[Any]]) -> Self:
        """Read back `to_list`."""
        return cls(tuple((float(a), float(b), float(c)) for a, b, c in plain))


def fit(risk: Floats, seen: Answers, *, failed_lives: int) -> BetaCalibration:
    """Calibrate out-of-fold ``risk`` float64[n, edges] against what happened."""
    return BetaCalibration(
        tuple(
            _fit_edge(risk[:, edge], seen.failed[:, edge], seen.weight[:, edge], failed_lives)
            for edge in range(risk.shape[1])
        )
    )


def _fit_edge(
    risk: Floats, failed: Floats, weight: Floats, failed_lives: int
) -> tuple[float, float, float]:
    happened = float((failed * weight).sum())
    if happened <= 0 or failed_lives <= 0:
        return IDENTITY
    scaled = weight * failed_lives / happened
    held = np.clip(risk, FLOOR, 1 - FLOOR)
    basis = np.column_stack([np.log(held), -np.log1p(-held), np.ones(held.size)])

    def loss(theta: Floats) -> tuple[float, Floats]:
        log_odds = basis @ theta
        chance = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
        off = theta - IDENTITY
        value = (scaled * (np.logaddexp(0, log_odds) - failed * log_odds)).sum()
        slope = basis.T @ (scaled * (chance - failed)) + 2 * RIDGE * off
        return float(value + RIDGE * (off**2).sum()), np.asarray(slope)

    found = optimize.minimize(
        loss, IDENTITY, jac=True, method="L-BFGS-B", bounds=((0, None), (0, None), (None, None))
    )
    a, b, c = (float(value) for value in found.x)
    return a, b, c
