"""Discrete time: one row and one horizon bucket make one *period*, the unit a hazard learns.

A row with ``d`` days left is at risk in the bucket ``(e[j-1], e[j]]`` if ``d > e[j-1]``, and
fails in it if it fails at all and ``d <= e[j]``. A row censored inside a bucket counts there
for the part that was watched. Thinning is by weight, so it changes the noise and not the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from predictors.dataset import Dataset, Flags
from predictors.schema import Floats, Instants

DEFAULT_EDGES_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365)


def bucket_edges(horizon_days: int, wanted: Sequence[int] = DEFAULT_EDGES_DAYS) -> tuple[int, ...]:
    """The upper edges below the horizon, and the horizon itself.

    >>> bucket_edges(25)
    (1, 2, 3, 5, 7, 10, 14, 21, 25)
    """
    return (*(edge for edge in wanted if edge < horizon_days), horizon_days)


@dataclass(frozen=True, eq=False)
class Periods:
    """``row`` int64[m] in the dataset, ``bucket`` int64[m], ``failed`` bool[m], ``weight``."""

    row: Instants
    bucket: Instants
    failed: Flags
    weight: Floats

    def take(self, chosen: Flags | Instants) -> Periods:
        """The chosen periods."""
        return Periods(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def expand(dataset: Dataset, edges_days: Sequence[int]) -> Periods:
    """Every period that the rows of ``dataset`` were watched in."""
    upper = np.asarray(edges_days, dtype=np.float64)
    lower = np.concatenate([[0.0], upper[:-1]])
    duration = dataset.duration_days[:, None]
    at_risk = duration > lower
    failed = at_risk & dataset.failed[:, None] & (duration <= upper)
    watched = np.clip((duration - lower) / (upper - lower), 0.0, 1.0)
    share = np.where(failed, 1.0, watched) * dataset.weight[:, None]
    row, bucket = np.nonzero(at_risk)
    return Periods(row, bucket, failed[row, bucket], share[row, bucket])


def thin_periods(periods: Periods, *, at_most: int, random: np.random.Generator) -> Periods:
    """Keep every failing period and a weighted sample of the others."""
    quiet = np.flatnonzero(~periods.failed)
    room = max(at_most - int(periods.failed.sum()), at_most // 2)
    if quiet.size <= room:
        return periods
    kept = np.sort(random.choice(quiet, size=room, replace=False))
    chosen = np.sort(np.concatenate([np.flatnonzero(periods.failed), kept]))
    thinned = periods.take(chosen)
    factor = np.where(thinned.failed, 1.0, quiet.size / room)
    return replace(thinned, weight=thinned.weight * factor)


def thin_rows(dataset: Dataset, *, at_most: int, random: np.random.Generator) -> Dataset:
    """A weighted sample of rows: those soon to fail first, at most half of all each way."""
    near = dataset.failed & (dataset.duration_days <= dataset.horizon_days)
    weight, chosen = dataset.weight.copy(), []
    room = at_most
    for share, rows in ((2, np.flatnonzero(near)), (1, np.flatnonzero(~near))):
        size = min(rows.size, room // share)
        kept = rows if size == rows.size else random.choice(rows, size=size, replace=False)
        weight[kept] *= rows.size / max(size, 1)
        chosen.append(kept)
        room -= size
    return replace(dataset, weight=weight).take(np.sort(np.concatenate(chosen)))


def hazards_to_risk(hazard: Floats, edges_days: Sequence[int]) -> Floats:
    """Hazards by bucket, float64[n, buckets], to risk by edge, float64[n, buckets].

    >>> hazards_to_risk(np.array([[0.5, 0.5]]), (1, 2)).tolist()
    [[0.5, 0.75]]
    """
    if hazard.shape[1] != len(edges_days):
        raise ValueError(f"hazard: {hazard.shape[1]} buckets for {len(edges_days)} edges")
    return np.asarray(1 - np.cumprod(1 - hazard, axis=1), dtype=np.float64)


def risk_by_day(risk: Floats, edges_days: Sequence[int]) -> Floats:
    """Risk at the edges to risk by whole day 0..last edge: a constant hazard within a bucket.

    >>> risk_by_day(np.array([[0.0, 0.75]]), (1, 3)).round(2).tolist()
    [[0.0, 0.0, 0.5, 0.75]]
    """
    risk = np.maximum.accumulate(np.clip(risk, 0.0, 1 - 1e-12), axis=1)
    hazard = np.concatenate([np.zeros((len(risk), 1)), -np.log1p(-risk)], axis=1)
    edges = np.concatenate([[0.0], np.asarray(edges_days, dtype=np.float64)])
    days = np.arange(edges_days[-1] + 1, dtype=np.float64)
    upper = np.clip(np.searchsorted(edges, days, side="left"), 1, edges.size - 1)
    part = (days - edges[upper - 1]) / (edges[upper] - edges[upper - 1])
    lower_hazard = hazard[:, upper - 1]
    by_day = -np.expm1(-(lower_hazard + part * (hazard[:, upper] - lower_hazard)))
    # Rounding can take the last digit back between two days.
    return np.asarray(np.maximum.accumulate(by_day, axis=1))
