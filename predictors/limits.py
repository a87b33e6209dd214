"""What is usual for a measurement point, learnt from its history: its quality is judged by it.

Nothing here asks how good a reading is. What comes back again and again is usual: a machine that
stands still every weekend, a set point that holds for days, a logger that sleeps at night.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from predictors.schema import DAY_US, Floats, Instants

Spans = Sequence[tuple[int, int]]
"""Stretches [from, until] in UTC microseconds in which an asset is known to have stood still."""

SECOND_US = 1_000_000
WEEK_US = 7 * DAY_US
LEAST_WEEKS = 3
LEAST_READINGS = 50
"""Fewer readings teach nothing: only what somebody declared is then checked."""
SAMPLES_MISSED = 4
SAMPLES_ALIKE = 8
TIMES_THE_USUAL = 1.5
TIMES_THE_USUAL_FLAT = 2.0
TIMES_THE_USUAL_SPIKE = 1.25
MOST_REST_VALUES = 2
TIMES_THE_NOISE = 8.0
TIMES_THE_SPAN = 4.0
MOSTLY = 0.9
SELDOM = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Beyond these a reading, or its absence, is flagged; None: not checked.

    ``low`` and ``high``: plausible values. ``spike``: how far readings may stand out from both
    neighbours. ``rest_values`` are held for long when the machine rests, up to ``rest_after_us``.
    ``usual_low`` and ``usual_high`` hold the body of the values at work, ``usual_step`` the usual
    large step between readings, ``usual_spread`` their scatter over a few readings: the three that
    a change of unit breaks.
    """

    sampling_us: int | None = None
    stale_after_us: int | None = None
    flat_after_us: int | None = None
    rest_after_us: int | None = None
    rest_values: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    spike: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None
    usual_step: float | None = None
    usual_spread: float | None = None

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote; what it does not know is left out.

        >>> Limits.from_dict(Limits(low=1.0, rest_values=(0.0,)).to_dict()).rest_values
        (0.0,)
        """
        known = {one.name: plain[one.name] for one in fields(cls) if one.name in plain}
        return cls(**known | {"rest_values": tuple(known.get("rest_values", ()))})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"rest_values": list(self.rest_values)}

    def declared(
        self,
        *,
        sampling_seconds: float | None = None,
        stale_after_seconds: float | None = None,
        flat_after_seconds: float | None = None,
        low: float | None = None,
        high: float | None = None,
        spike: float | None = None,
    ) -> Limits:
        """What somebody set for the point goes before what was learnt.

        A flat line declared by hand is one at every value, a value of rest too. A declared end of
        the plausible range leaves the other end as it was learnt.
        """
        given: dict[str, Any] = {"low": low, "high": high, "spike": spike}
        if sampling_seconds and self.sampling_us is None:
            given["sampling_us"] = round(sampling_seconds * SECOND_US)
        if sampling_seconds and self.stale_after_us is None:
            given["stale_after_us"] = round(SAMPLES_MISSED * sampling_seconds * SECOND_US)
        if stale_after_seconds is not None:
            given["stale_after_us"] = round(stale_after_seconds * SECOND_US)
        if flat_after_seconds is not None:
            given["flat_after_us"] = round(flat_after_seconds * SECOND_US)
            given["rest_after_us"] = given["flat_after_us"]
        return replace(self, **{name: each for name, each in given.items() if each is not None})


def learn(at_us: Instants, values: Floats, *, standing: Spans = ()) -> Limits:
    """The limits of a point from readings in order of time, faults and all.

    A fault that happened once or twice teaches nothing; what recurs most weeks is usual.

    >>> hours = np.arange(24 * 60) * 3_600_000_000
    >>> found = learn(hours, np.random.default_rng(1).normal(50, 1, hours.size))
    >>> found.sampling_us == 3_600_000_000, round(found.usual_low) < 50 < round(found.usual_high)
    (True, True)
    """
    if len(values) < LEAST_READINGS:
        return Limits()
    gaps = np.diff(at_us)
    sampling_us = max(1, int(np.median(gaps)))
    usual_gap = _usual(at_us[1:], gaps - _stood(at_us[:-1], at_us[1:], standing))
    flat = _flat(at_us, values, sampling_us, standing)
    return replace(
        _levels(at_us, values, flat.rest_values),
        sampling_us=sampling_us,
        stale_after_us=round(max(SAMPLES_MISSED * sampling_us, TIMES_THE_USUAL * usual_gap)),
        flat_after_us=flat.flat_after_us,
        rest_after_us=flat.rest_after_us,
        rest_values=flat.rest_values,
    )


def _levels(at_us: Instants, values: Floats, rest_values: Sequence[float]) -> Limits:
    """Where the values lie, how far they step, and how far they stand out from their neighbours."""
    at_work = values[~np.isin(values, rest_values)] if rest_values else values
    if len(at_work) < LEAST_READINGS:
        at_work = values
    tenth, quarter, middle, three_quarters, ninetieth = np.quantile(
        at_work, [0.1, 0.25, 0.5, 0.75, 0.9]
    ).tolist()
    lowest, highest = np.quantile(values, [0.02, 0.98]).tolist()
    reach = TIMES_THE_SPAN * max(highest - lowest, abs(middle))
    plausible = Limits(low=lowest - reach, high=highest + reach) if reach else Limits()
    body = ninetieth - tenth
    if body <= 0:
        return plausible
    steps = np.abs(np.diff(values))
    scatter = 1.4826 * float(np.median(np.abs(np.diff(at_work)))) / math.sqrt(2)
    spike = max(
        TIMES_THE_NOISE * scatter,
        TIMES_THE_USUAL_SPIKE * _usual(at_us, outstanding(values)[0]),
        0.4 * body,
    )
    return replace(
        plausible,
        spike=spike,
        usual_low=_usual_low(quarter, three_quarters),
        usual_high=three_quarters + 2 * (three_quarters - quarter),
        usual_step=max(_usual(at_us[1:], steps), 3 * scatter),
        usual_spread=spread(at_work),
    )


def _usual_low(quarter: float, three_quarters: float) -> float:
    """As far below the middle half as its height, twice; of what is positive, as its ratio."""
    low = quarter - 2 * (three_quarters - quarter)
    return max(low, quarter * (quarter / three_quarters) ** 2) if quarter > 0 else low


def outstanding(values: Floats, widest: int = 3) -> tuple[Floats, npt.NDArray[np.int64]]:
    """How far one to ``widest`` readings from each on stand out from both neighbours; how many.

    >>> far, many = outstanding(np.array([1.0, 1, 9, 9, 1, 1]))
    >>> far.tolist(), many.tolist()
    ([0.0, 0.0, 8.0, 0.0, 0.0, 0.0], [1, 1, 2, 1, 1, 1])
    """
    far, many = np.zeros(len(values)), np.ones(len(values), np.int64)
    for width in range(1, widest + 1):
        count = len(values) - width - 1
        if count < 1:
            break
        before, after = values[:count], values[width + 1 :]
        inside = np.lib.stride_tricks.sliding_window_view(values[1:-1], width)[:count]
        above = inside.min(axis=1) - np.maximum(before, after)
        below = np.minimum(before, after) - inside.max(axis=1)
        found = np.maximum(above, below)
        wins = np.flatnonzero(found > far[1 : count + 1]) + 1
        far[wins], many[wins] = found[wins - 1], width
    return far, many


def spread(values: Floats, window: int = 6) -> float:
    """The usual range of a few readings on end."""
    if len(values) < window:
        return 0.0
    whole = values[: len(values) - len(values) % window].reshape(-1, window)
    return float(np.median(np.ptp(whole, axis=1)))


def runs_alike(values: Floats) -> tuple[Instants, Instants]:
    """Where runs of one value begin and which reading is their last."""
    if not len(values):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    return np.concatenate([[0], changes]), np.concatenate([changes - 1, [len(values) - 1]])


def _flat(at_us: Instants, values: Floats, sampling_us: int, standing: Spans) -> Limits:
    often = max(3, math.ceil(len(np.unique(at_us // WEEK_US)) / 2))
    first, last = runs_alike(values)
    lasted = at_us[last] - at_us[first] - _stood(at_us[first], at_us[last], standing)
    least_us, ends_us = SAMPLES_ALIKE * sampling_us, at_us[last]
    long = last - first + 1 >= SAMPLES_ALIKE
    held, times = np.unique(values[first[long]], return_counts=True)
    rest = held[times >= often]
    if not len(rest) or len(rest) > MOST_REST_VALUES:
        rests, rest = np.zeros(len(first), np.bool_), held[:0]
    else:
        rests = np.isin(values[first], rest)
    held_us, whole_us = lasted[long].sum(), sampling_us * len(values)
    if held_us > MOSTLY * whole_us or lasted[long & ~rests].sum() > SELDOM * whole_us:
        return Limits()  # a set point, or a state: to hold its value is its nature
    return Limits(
        flat_after_us=round(
            max(least_us, TIMES_THE_USUAL_FLAT * _usual(ends_us[~rests], lasted[~rests]))
        ),
        rest_after_us=round(
            max(least_us, TIMES_THE_USUAL_FLAT * _usual(ends_us[rests], lasted[rests]))
        ),
        rest_values=tuple(rest.tolist()),
    )


def _usual(at_us: Instants, figures: npt.NDArray[Any]) -> float:
    """The largest figure of an ordinary week: in half of the weeks there is one as large."""
    if not len(figures):
        return 0.0
    week = (at_us - at_us[0]) * max(LEAST_WEEKS / (at_us[-1] - at_us[0] + 1), 1 / WEEK_US)
    starts = np.flatnonzero(np.diff(np.floor(week), prepend=-1))
    return float(np.quantile(np.maximum.reduceat(figures, starts), 0.5, method="lower"))


def stood_us(start_us: int, end_us: int, standing: Spans) -> int:
    """For how much of a stretch the asset is known to have stood still."""
    return sum(max(0, min(end_us, until) - max(start_us, since)) for since, until in standing)


def _stood(starts_us: Instants, ends_us: Instants, standing: Spans) -> Instants:
    stood = np.zeros(len(starts_us), np.int64)
    for since, until in standing:
        stood += np.maximum(0, np.minimum(ends_us, until) - np.maximum(starts_us, since))
    return stood
