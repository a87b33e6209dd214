"""Readings as they are asked for: as many as a chart has pixels, or all of them page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maintenance import store
from maintenance.store import Floats, Ints

SECOND_US = 1_000_000
# A silence this many times the usual step is a gap: the line is not drawn across it.
GAP_STEPS = 3
# The lowest and highest of so many buckets a drawn point are what its triangles are chosen from.
_BUCKETS_A_TRIANGLE = 2
_FIRST_SLICE_US = 86_400 * SECOND_US

Method: TypeAlias = Literal["min_max", "lttb"]
Series: TypeAlias = Mapping[int, tuple[Ints, Floats]]


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


def thinned(
    point_ids: Sequence[int], *, start_us: int, end_us: int, most: int, method: Method
) -> dict[int, tuple[Ints, Floats]]:
    """At most so many readings of each point that look like all of them.

    "min_max" keeps the lowest and the highest of each stretch of time, so that no peak is lost;
    "lttb" keeps those that change the line most.
    """
    found = {}
    for point in point_ids:
        # One at a time: all readings of many points may be more than fits in memory.
        at_us, values = store.read([point], start_us, end_us)[point]
        kept = chosen(at_us, values, (start_us, end_us), most, method)
        found[point] = (at_us[kept], values[kept])
    return found


def page(
    point_ids: Sequence[int], *, start_us: int, end_us: int, most: int
) -> tuple[Series, int | None]:
    """The first readings of the range, about so many, and where the next page begins.

    A page ends between two instants, never within one: all points that spoke then are in it.
    """
    first_us = store.first_at_us(point_ids)
    if first_us is None or first_us >= end_us or start_us >= end_us:
        return {point: (np.empty(0, np.int64), np.empty(0)) for point in point_ids}, None
    slices: list[Series] = []
    count, begin_us, length_us = 0, max(start_us, first_us), _FIRST_SLICE_US
    while begin_us < end_us and count <= most:
        # There may be a long silence after the first instant: the slices grow.
        until_us = min(end_us, begin_us + length_us)
        slices.append(store.read(point_ids, begin_us, until_us))
        count += sum(len(at_us) for at_us, _values in slices[-1].values())
        begin_us, length_us = until_us, length_us * 2
    found = {point: _joined([one[point] for one in slices]) for point in point_ids}
    if count <= most:
        return found, None
    instants = np.sort(np.concatenate([at_us for at_us, _values in found.values()]))
    cut_us = int(instants[most])
    if cut_us == instants[0]:
        cut_us += 1
    ends = {point: np.searchsorted(at_us, cut_us) for point, (at_us, _) in found.items()}
    cut = {point: (at[: ends[point]], v[: ends[point]]) for point, (at, v) in found.items()}
    return cut, cut_us


def _joined(parts: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    return np.concatenate([at for at, _ in parts]), np.concatenate([v for _, v in parts])


def chosen(
    at_us: Ints, values: Floats, window_us: tuple[int, int], most: int, method: Method
) -> Ints:
    """The places of the readings to give, in order of time: `most` of them or fewer."""
    if len(values) <= most:
        return np.arange(len(values))
    if method == "lttb":
        some = _thinned(at_us, values, window_us, most * _BUCKETS_A_TRIANGLE)
        return some[_triangles(at_us[some].astype(np.float64), values[some], most)]
    if most < 4:
        return np.linspace(0, len(values) - 1, most).astype(np.int64)
    return _thinned(at_us, values, window_us, (most - 2) // 2)


def _thinned(at_us: Ints, values: Floats, window_us: tuple[int, int], buckets: int) -> Ints:
    """The first, the last, and of each bucket of time the lowest and the highest."""
    if len(values) <= 2 * buckets:
        return np.arange(len(values))
    start_us, end_us = window_us
    start_us, end_us = max(start_us, int(at_us[0])), min(end_us, int(at_us[-1]) + 1)
    # In two parts: years of microseconds times many buckets are more than 64 bits hold.
    step_us, rest_us = divmod(end_us - start_us, buckets)
    i = np.arange(buckets, dtype=np.int64)
    edges_us = start_us + step_us * i + rest_us * i // buckets
    begins = np.unique(np.searchsorted(at_us, edges_us))
    lengths = np.diff(begins, append=len(values))
    kept = [np.array([0, len(values) - 1])]
    for extreme in (np.minimum, np.maximum):
        reached = np.flatnonzero(values == np.repeat(extreme.reduceat(values, begins), lengths))
        bucket = np.searchsorted(begins, reached, side="right")
        kept.append(reached[np.diff(bucket, prepend=0) > 0])
    return np.unique(np.concatenate(kept))


def _triangles(at: Floats, values: Floats, most: int) -> Ints:
    """Of each bucket the one that makes the largest triangle with its neighbours.

    Largest triangle, three buckets: Steinarsson, Downsampling Time Series for Visual
    Representation, 2013.
    """
    if len(values) <= most or most < 3:
        return np.linspace(0, len(values) - 1, min(most, len(values))).astype(np.int64)
    edges = np.linspace(1, len(values) - 1, most - 1).astype(np.int64)
    chosen = np.zeros(most, np.int64)
    chosen[-1] = len(values) - 1
    for i in range(most - 2):
        first, end = edges[i], edges[i + 1]
        after = slice(end, edges[i + 2]) if i < most - 3 else slice(len(values) - 1, None)
        last = chosen[i]
        width = at[after].mean() - at[last]
        height = values[after].mean() - values[last]
        area = np.abs(
            width * (values[first:end] - values[last]) - height * (at[first:end] - at[last])
        )
        chosen[i + 1] = first + int(np.argmax(area))
    return chosen


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
