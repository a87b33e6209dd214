"""Readings as a chart shows them: as many points as it has pixels, gaps left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maintenance import store
from maintenance.store import Floats, Ints

SECOND_US = 1_000_000
# A silence this many times the usual step is a gap: the line is not drawn across it.
GAP_STEPS = 3


@dataclass(frozen=True)
class Drawn:
    """`values[i]` at `at[i]` seconds since 1970; None opens a gap. Figures are of all readings."""

    at: list[float]
    values: list[float | None]
    last: float | None
    least: float | None
    mean: float | None
    most: float | None


def drawn(
    point_ids: Sequence[int], *, start_us: int, end_us: int, buckets: int
) -> dict[int, Drawn]:
    """Each point's readings in [start_us, end_us): of each bucket the lowest and the highest."""
    return {
        point: _drawn(at_us, values, _thinned(at_us, values, (start_us, end_us), buckets))
        for point, (at_us, values) in store.read(point_ids, start_us, end_us).items()
    }


def _thinned(at_us: Ints, values: Floats, window_us: tuple[int, int], buckets: int) -> Ints:
    """The places of the readings to draw, in order of time."""
    if len(values) <= 2 * buckets:
        return np.arange(len(values))
    start_us, end_us = window_us
    bucket = (at_us - start_us) * buckets // (end_us - start_us)
    by_bucket = np.lexsort((values, bucket))
    first = np.flatnonzero(np.diff(bucket[by_bucket], prepend=-1))
    final = np.append(first[1:], len(values)) - 1
    ends = np.array([0, len(values) - 1])
    return np.unique(np.concatenate([by_bucket[first], by_bucket[final], ends]))


def _drawn(at_us: Ints, values: Floats, kept: Ints) -> Drawn:
    if not len(values):
        return Drawn([], [], None, None, None, None)
    gaps = _gaps(at_us)
    places = np.searchsorted(kept, gaps, side="right")
    middles = (at_us[gaps] + at_us[gaps + 1]) // 2
    at = np.insert(at_us[kept], places, middles)
    shown = np.insert(values[kept], places, np.nan)
    return Drawn(
        at=np.round(at / SECOND_US, 3).tolist(),
        values=[None if np.isnan(value) else float(f"{value:.5g}") for value in shown],
        last=float(values[-1]),
        least=float(values.min()),
        mean=float(values.mean()),
        most=float(values.max()),
    )


def _gaps(at_us: Ints) -> NDArray[np.intp]:
    """The places of the readings after which there is a silence."""
    steps = np.diff(at_us)
    if not len(steps):
        return np.empty(0, np.intp)
    return np.flatnonzero(steps > GAP_STEPS * np.median(steps))
