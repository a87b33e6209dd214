"""Trailing windows reduced twice: readings into blocks, blocks into windows.

A window that ends at t is cut into blocks counted back from t, so a block's content depends on
t alone and never on which other origins are asked for. Origins a whole number of blocks apart
share blocks, which is what makes many of them cheap: every reading is touched once. No state
runs along the origins, so one origin and a thousand give the same bits.

Moments are kept as count, mean and centred sums and merged pairwise (Chan, Golub, LeVeque
1979), which keeps a small deviation on a large mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from predictors.schema import DAY_US, Floats, Instants, Series


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean, extremes and centred sums of values x over time u (days before the end).

    All arrays share one shape; where ``count`` is 0 the mean is 0 and the extremes infinite.
    """

    count: Floats
    mean: Floats
    square: Floats
    time_mean: Floats
    time_square: Floats
    time_value: Floats
    low: Floats
    high: Floats

    def statistic(self, name: str) -> Floats:
        """``mean``, ``std``, ``min``, ``max``, ``slope`` (per day) or ``count``; NaN if none."""
        some = self.count > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            match name:
                case "count":
                    return self.count
                case "mean":
                    return np.where(some, self.mean, np.nan)
                case "min":
                    return np.where(some, self.low, np.nan)
                case "max":
                    return np.where(some, self.high, np.nan)
                case "std":
                    deviation = np.sqrt(self.square / (self.count - 1))
                    return np.where(self.count > 1, deviation, np.nan)
                case _:
                    slope = self.time_value / self.time_square
                    return np.where(self.time_square > 0, slope, np.nan)


def block_moments(series: Series, edges_us: Instants) -> Moments:
    """Moments of the readings in each block ``(edges_us[i], edges_us[i + 1]]``, float64[blocks]."""
    cuts = np.searchsorted(series.at_us, edges_us, side="right")
    count = np.diff(cuts)
    filled = np.flatnonzero(count)
    starts = cuts[filled] - cuts[0]
    values = series.values[cuts[0] : cuts[-1]]
    sizes = count[filled]
    time = (series.at_us[cuts[0] : cuts[-1]] - np.repeat(edges_us[filled + 1], sizes)) / DAY_US
    mean = _sums(values, starts) / sizes
    time_mean = _sums(time, starts) / sizes
    value_off = values - np.repeat(mean, sizes)
    time_off = time - np.repeat(time_mean, sizes)

    def spread(found: Floats, empty: float = 0.0) -> Floats:
        column = np.full(count.size, empty)
        column[filled] = found
        return column

    return Moments(
        count=count.astype(np.float64),
        mean=spread(mean),
        square=spread(_sums(value_off * value_off, starts)),
        time_mean=spread(time_mean),
        time_square=spread(_sums(time_off * time_off, starts)),
        time_value=spread(_sums(time_off * value_off, starts)),
        low=spread(np.minimum.reduceat(values, starts) if starts.size else values, np.inf),
        high=spread(np.maximum.reduceat(values, starts) if starts.size else values, -np.inf),
    )


def trailing_moments(
    blocks: Sequence[Moments], last_block: Instants, *, depths: Sequence[int], block_days: float
) -> Iterator[tuple[int, Moments]]:
    """Merge, for each origin, the ``depth`` blocks that end with ``last_block``.

    ``blocks`` is one `Moments` per quantity, ``last_block`` int64[k]; yields each of ``depths``
    (rising) with moments of shape [quantities, k].
    """
    stacked = {name: np.stack([getattr(block, name) for block in blocks]) for name in _MOMENT_NAMES}
    shape = (len(blocks), last_block.size)
    merged = _nothing(shape)
    for back in range(max(depths, default=0)):
        older = Moments(**{name: column[:, last_block - back] for name, column in stacked.items()})
        merged = _merge(merged, older, shift_days=back * block_days)
        if back + 1 in depths:
            yield back + 1, merged


def segment_means(values: Floats, start: Instants, stop: Instants) -> Floats:
    """Mean of each ``values[start[i]:stop[i]]``, NaN where it is empty; float64[k].

    >>> segment_means(np.array([1.0, 2.0, 6.0]), np.array([0, 1, 3]), np.array([2, 3, 3]))
    array([1.5, 4. , nan])
    """
    if not start.size:
        return np.empty(0)
    bounds = np.column_stack([start, stop]).ravel()
    sums = np.add.reduceat(np.append(values, 0.0), bounds)[::2]
    size = stop - start
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, sums / size, np.nan)


_MOMENT_NAMES = tuple(Moments.__dataclass_fields__)


def _sums(values: Floats, starts: Instants) -> Floats:
    return np.add.reduceat(values, starts) if starts.size else np.empty(0)


def _nothing(shape: tuple[int, int]) -> Moments:
    zero = np.zeros(shape)
    return Moments(zero, zero, zero, zero, zero, zero, zero + np.inf, zero - np.inf)


def _merge(near: Moments, far: Moments, *, shift_days: float) -> Moments:
    count = near.count + far.count
    share = far.count / np.maximum(count, 1.0)
    weight = near.count * share
    off = far.mean - near.mean
    time_off = (far.time_mean - shift_days) - near.time_mean
    time_off = np.where(far.count > 0, time_off, 0.0)
    return Moments(
        count=count,
        mean=near.mean + off * share,
        square=near.square + far.square + off * off * weight,
        time_mean=near.time_mean + time_off * share,
        time_square=near.time_square + far.time_square + time_off * time_off * weight,
        time_value=near.time_value + far.time_value + off * time_off * weight,
        low=np.minimum(near.low, far.low),
        high=np.maximum(near.high, far.high),
    )
