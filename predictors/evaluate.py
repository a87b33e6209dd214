"""How good a forecast was, judged on rows that it has not seen.

Rows censored before a horizon have no answer there. They are left out, and the rows that do
have one are weighted up by the inverse probability of still being watched (Graf, Schmoor,
Sauerbrei, Schumacher 1999), so that prevented failures do not count as "no failure".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.dataset import Flags
from predictors.schema import Floats

REPORTED_HORIZONS_DAYS = (1, 7, 14, 30, 60)
WEIGHT_LIMIT = 10.0


@dataclass(frozen=True, eq=False)
class Answers:
    """What happened within each horizon: ``failed`` and ``weight`` float64[n, horizons].

    ``weight`` is 0 where the row was censored before the horizon.
    """

    horizons_days: tuple[int, ...]
    failed: Floats
    weight: Floats


def answers(
    *,
    duration_days: Floats,
    failed: Flags,
    weight: Floats,
    horizons_days: Sequence[int],
) -> Answers:
    """Outcomes by horizon with inverse-probability-of-censoring weights.

    >>> import numpy as np
    >>> seen = answers(duration_days=np.array([2.0, 5.0, 9.0]), weight=np.ones(3),
    ...                failed=np.array([True, False, True]), horizons_days=(3, 6))
    >>> seen.failed.tolist(), seen.weight.tolist()
    ([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0], [1.0, 2.0]])
    """
    event = failed[:, None]
    duration = duration_days[:, None]
    horizon = np.asarray(horizons_days, dtype=np.float64)[None, :]
    watched = _Watched.of(duration_days, event[:, 0], weight)
    happened = event & (duration <= horizon)
    survived = duration > horizon
    share = np.where(happened, watched.just_before(duration), watched.until(horizon))
    factor = 1 / np.maximum(share, 1 / WEIGHT_LIMIT)
    known = np.where(happened | survived, factor * weight[:, None], 0.0)
    return Answers(tuple(horizons_days), happened.astype(np.float64), known)


@dataclass(frozen=True, eq=False)
class _Watched:
    """Kaplan-Meier estimate of P(not yet censored), at a duration or just before it."""

    at_days: Floats
    share: Floats

    @classmethod
    def of(cls, duration_days: Floats, event: Flags, weight: Floats) -> _Watched:
        at_days, position = np.unique(duration_days, return_inverse=True)
        failing = np.bincount(position, weight * event, minlength=at_days.size)
        leaving = np.bincount(position, weight * ~event, minlength=at_days.size)
        at_risk = np.cumsum((failing + leaving)[::-1])[::-1] - failing
        staying = np.where(at_risk > 0, 1 - leaving / np.maximum(at_risk, 1e-12), 1.0)
        return cls(at_days, np.concatenate([[1.0], np.cumprod(np.maximum(staying, 0.0))]))

    def until(self, days: Floats) -> Floats:
        return self.share[np.searchsorted(self.at_days, days, side="right")]

    def just_before(self, days: Floats) -> Floats:
        return self.share[np.searchsorted(self.at_days, days, side="left")]


def brier(risk: Floats, seen: Answers) -> Floats:
    """Weighted mean squared error by horizon; ``risk`` float64[n, horizons] -> [horizons]."""
    return _weighted_mean((risk - seen.failed) ** 2, seen.weight)


def log_loss(risk: Floats, seen: Answers) -> Floats:
    """Weighted negative log likelihood by horizon; risks are held within 1e-6 of 0 and 1."""
    held = np.clip(risk, 1e-6, 1 - 1e-6)
    loss = -(seen.failed * np.log(held) + (1 - seen.failed) * np.log1p(-held))
    return _weighted_mean(loss, seen.weight)


def average_precision(risk: Floats, failed: Floats, weight: Floats | None = None) -> float:
    """Area under the precision-recall steps of one horizon; NaN without a failure.

    >>> average_precision(np.array([0.9, 0.8, 0.1]), np.array([1, 0, 1]))
    0.8333333333333333
    """
    weight = np.ones(risk.size) if weight is None else weight
    order = np.argsort(-risk, kind="stable")
    hits = np.cumsum((failed * weight)[order])
    drawn = np.cumsum(weight[order])
    if not hits.size or hits[-1] <= 0:
        return float("nan")
    last_of_tie = np.append(np.flatnonzero(np.diff(risk[order])), risk.size - 1)
    hits, drawn = hits[last_of_tie], drawn[last_of_tie]
    precision = hits / np.maximum(drawn, 1e-12)
    return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


def report(risk: Floats, *, duration_days: Floats, failed: Flags, weight: Floats) -> dict[str, Any]:
    """The metrics of one family: ``risk`` float64[n, H + 1] by whole days from 0.

    Integrated Brier over 1..H; Brier, log loss and average precision at the reported horizons.
    """
    horizon_days = risk.shape[1] - 1
    days = tuple(range(1, horizon_days + 1))
    seen = answers(duration_days=duration_days, failed=failed, weight=weight, horizons_days=days)
    squared, loss = brier(risk[:, 1:], seen), log_loss(risk[:, 1:], seen)
    shown = [day for day in REPORTED_HORIZONS_DAYS if day <= horizon_days]
    return {
        "integrated_brier": float(np.nanmean(squared)),
        "brier": {str(day): float(squared[day - 1]) for day in shown},
        "log_loss": {str(day): float(loss[day - 1]) for day in shown},
        "average_precision": {
            str(day): average_precision(
                risk[:, day], seen.failed[:, day - 1], seen.weight[:, day - 1]
            )
            for day in shown
        },
    }


def precision_recall_f1(*, hits: int, alarms: int, failures: int) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean; 0 where a ratio has no denominator.

    >>> precision_recall_f1(hits=3, alarms=4, failures=6)
    (0.75, 0.5, 0.6)
    """
    precision = hits / alarms if alarms else 0.0
    recall = hits / failures if failures else 0.0
    f1 = 2 * hits / (alarms + failures) if alarms + failures else 0.0
    return precision, recall, f1


def _weighted_mean(values: Floats, weight: Floats) -> Floats:
    total = weight.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (values * weight).sum(axis=0) / total, np.nan)
