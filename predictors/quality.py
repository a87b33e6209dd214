"""Readings that should not be believed: seven checks of one measurement point.

`check` looks at readings in order of time and flags stretches of them; `clock_faults` looks at
readings as they arrive. What is usual for the point, and therefore no fault, stands in its
`Limits`. A reading is flagged for one reason only: the most telling comes first. Nothing is
changed or deleted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.limits import SECOND_US, Limits, Spans, outstanding, runs_alike, stood_us
from predictors.schema import DAY_US, Floats, Instants
from predictors.units import Conversion, conversions

Mask = npt.NDArray[np.bool_]


class Kind(StrEnum):
    """Why readings are flagged."""

    STALE = "stale"
    FLAT = "flat"
    OUT_OF_RANGE = "out_of_range"
    SPIKE = "spike"
    CONFLICT = "conflict"
    CLOCK_SKEW = "clock_skew"
    UNIT_MISMATCH = "unit_mismatch"


MOST_STRETCHES = 200
LEAST_IN_UNIT = 6
STRANGE_IN_UNIT = 0.1
ROUNDED = 1e-4
AHEAD_US = 300 * SECOND_US
BEHIND_US = 3600 * SECOND_US
LONG_PAST_US = 30 * DAY_US
FEW = 500


@dataclass(frozen=True, slots=True)
class Stretch:
    """Flagged readings from ``start_us`` to ``end_us``, both of them flagged readings themselves.

    A stale stretch holds no readings: it begins at the last one before the silence and ends at the
    first one after it, or at the instant of the check. From ``known_us`` on it could be told.
    """

    kind: Kind
    start_us: int
    end_us: int
    readings: int
    known_us: int
    details: Mapping[str, Any] = field(default_factory=dict)


def check(
    at_us: Instants,
    values: Floats,
    limits: Limits,
    *,
    unit: str = "",
    as_of_us: int | None = None,
    standing: Spans = (),
    ongoing_unit: str = "",
) -> list[Stretch]:
    """What is wrong with a point's readings, in the order of `Kind`; instants must rise.

    ``as_of_us``: until then the silence after the last reading lasts. ``standing``: stretches in
    which the asset is known to have stood still, when neither silence nor a flat line is a fault.
    ``ongoing_unit``: the unit that readings before these were last said in, where not their own.

    >>> at_us = np.arange(10) * 60_000_000
    >>> values = np.array([4.0, 5, 4, 5, 999, 4, 5, 4, 5, 4])
    >>> [(each.kind.value, each.readings) for each in check(at_us, values, Limits(high=90.0))]
    [('out_of_range', 1)]
    """
    if not len(values):
        return []
    sound = np.ones(len(values), np.bool_)
    found = [
        *_another_unit(at_us, values, limits, unit, ongoing_unit, sound),
        *_out_of_range(at_us, values, limits, sound),
        *_spikes(at_us, values, limits, sound),
        *_flat_lines(at_us, values, limits, standing, sound),
        *_silences(at_us, limits, as_of_us, standing),
    ]
    order = list(Kind)
    return sorted(found, key=lambda each: (order.index(each.kind), each.start_us))


def clock_faults(
    at_us: Instants,
    *,
    arrived_us: int,
    known_us: Instants,
    sampling_us: int,
    behind_us: int | None = None,
) -> Mask:
    """Which of a point's readings that arrive together were stamped by a clock that is wrong.

    Ahead: later than the arrival. Behind: not too many, stamped long before they arrive, that
    fall among readings which had come before (``known_us``, sorted) or lie long before all of
    them; a gap that is filled late is none. Once behind, a clock stays so for as long as readings
    arrive late by the same ``behind_us``.

    >>> minute = 60_000_000
    >>> known = np.arange(600) * minute
    >>> late = np.array([290 * minute + 7_000_000])
    >>> clock_faults(late, arrived_us=600 * minute, known_us=known, sampling_us=minute).tolist()
    [True]
    """
    ahead = at_us > arrived_us + AHEAD_US
    late = arrived_us - at_us > max(BEHIND_US, 3 * sampling_us)
    past = at_us[late]
    if not 0 < len(past) <= FEW or not len(known_us):
        return ahead
    delay_us = arrived_us - int(past.max())
    if behind_us is not None:
        patience_us = max(2 * sampling_us, AHEAD_US, behind_us // 20)
        if abs(delay_us - behind_us) <= patience_us:
            return ahead | late
    if _among(past, known_us, sampling_us) or _long_before(past, known_us):
        return ahead | late
    return ahead


def _among(at_us: Instants, known_us: Instants, sampling_us: int) -> bool:
    """They fall between readings that follow each other as they should: there is no gap to fill."""
    place = np.searchsorted(known_us, at_us)
    if place.min() == 0 or place.max() == len(known_us):
        return False
    new = known_us[place] != at_us
    step_us = (known_us[place] - known_us[place - 1])[new]
    return bool(new.any() and np.median(step_us) <= 1.5 * sampling_us)


def _long_before(at_us: Instants, known_us: Instants) -> bool:
    return int(at_us.max()) < int(known_us[0]) - LONG_PAST_US


def _stretches(
    kind: Kind,
    at_us: Instants,
    flagged: Mask,
    *,
    details: Mapping[str, Any],
) -> list[Stretch]:
    """Flagged readings as stretches without a sound reading inside.

    Should there be very many, those that lie closest are joined: the list stays short, at the
    price of sound readings between faults.
    """
    places = np.flatnonzero(flagged)
    if not len(places):
        return []
    apart = np.diff(places)
    cuts = np.flatnonzero(apart > 1)
    if len(cuts) >= MOST_STRETCHES:
        widest = np.argsort(apart[cuts], kind="stable")[::-1][: MOST_STRETCHES - 1]
        cuts = np.sort(cuts[widest])
    firsts = places[np.concatenate([[0], cuts + 1])]
    lasts = places[np.concatenate([cuts, [len(places) - 1]])]
    return [
        Stretch(
            kind=kind,
            start_us=int(at_us[first]),
            end_us=int(at_us[last]),
            readings=int(flagged[first : last + 1].sum()),
            known_us=int(at_us[first]),
            details=details,
        )
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]


def gathered(
    kind: Kind, at_us: Instants, *, within_us: int, known_us: int, details: Mapping[str, Any]
) -> list[Stretch]:
    """Flagged instants, rising, as stretches: those no further apart than that are one.

    >>> found = gathered(Kind.CONFLICT, np.array([1, 2, 9]), within_us=3, known_us=9, details={})
    >>> [(each.start_us, each.end_us, each.readings) for each in found]
    [(1, 2, 2), (9, 9, 1)]
    """
    if not len(at_us):
        return []
    apart = np.diff(at_us)
    if len(apart) >= MOST_STRETCHES:
        place = len(apart) - MOST_STRETCHES
        within_us = max(within_us, int(np.partition(apart, place)[place]))
    cuts = np.flatnonzero(apart > within_us)
    firsts = np.concatenate([[0], cuts + 1]).tolist()
    lasts = np.concatenate([cuts, [len(at_us) - 1]]).tolist()
    return [
        Stretch(kind, int(at_us[i]), int(at_us[j]), j - i + 1, known_us, details)
        for i, j in zip(firsts, lasts, strict=True)
    ]


def _out_of_range(
    at_us: Instants, values: Floats, limits: Limits, sound: Mask
) -> Iterator[Stretch]:
    low = -np.inf if limits.low is None else limits.low
    high = np.inf if limits.high is None else limits.high
    beyond = sound & ((values < low) | (values > high))
    sound &= ~beyond
    details = {"low": limits.low, "high": limits.high}
    yield from _stretches(Kind.OUT_OF_RANGE, at_us, beyond, details=details)


def _spikes(at_us: Instants, values: Floats, limits: Limits, sound: Mask) -> Iterator[Stretch]:
    """One to three readings far from both neighbours; told when the one after them has come."""
    if limits.spike is None:
        return
    place = np.flatnonzero(sound)
    far, many = outstanding(values[place])
    taken = -1
    for i in np.flatnonzero(far > limits.spike).tolist():
        if i <= taken:
            continue
        first, last, after = place[[i, i + many[i] - 1, i + many[i]]].tolist()
        taken = i + int(many[i]) - 1
        sound[place[i : taken + 1]] = False
        yield Stretch(
            kind=Kind.SPIKE,
            start_us=int(at_us[first]),
            end_us=int(at_us[last]),
            readings=int(many[i]),
            known_us=int(at_us[after]),
            details={"step": float(far[i]), "limit": limits.spike},
        )


def _flat_lines(
    at_us: Instants, values: Floats, limits: Limits, standing: Spans, sound: Mask
) -> Iterator[Stretch]:
    """One value for longer than is usual; told once it has lasted too long."""
    if limits.flat_after_us is None:
        return
    place = np.flatnonzero(sound)
    first, last = runs_alike(values[place])
    at = at_us[place]
    least_us = min(limits.flat_after_us, limits.rest_after_us or limits.flat_after_us)
    long = at[last] - at[first] > least_us
    for begin, end in zip(first[long].tolist(), last[long].tolist(), strict=True):
        resting = values[place[begin]] in limits.rest_values
        longest_us = limits.rest_after_us if resting else limits.flat_after_us
        start_us, end_us = int(at[begin]), int(at[end])
        if longest_us is None or end_us - start_us <= longest_us or end - begin < 2:
            continue
        if end_us - start_us - stood_us(start_us, end_us, standing) <= longest_us:
            continue
        told = begin + int(np.searchsorted(at[begin:end], start_us + longest_us, side="right"))
        yield Stretch(
            kind=Kind.FLAT,
            start_us=start_us,
            end_us=end_us,
            readings=end - begin + 1,
            known_us=int(at[told]),
            details={"value": float(values[place[begin]]), "limit_seconds": longest_us / SECOND_US},
        )


def _silences(
    at_us: Instants, limits: Limits, as_of_us: int | None, standing: Spans
) -> Iterator[Stretch]:
    if limits.stale_after_us is None:
        return
    ends = at_us if as_of_us is None else np.append(at_us, max(as_of_us, int(at_us[-1])))
    for i in np.flatnonzero(np.diff(ends) > limits.stale_after_us).tolist():
        start_us, end_us = int(ends[i]), int(ends[i + 1])
        if end_us - start_us - stood_us(start_us, end_us, standing) > limits.stale_after_us:
            yield Stretch(
                kind=Kind.STALE,
                start_us=start_us,
                end_us=end_us,
                readings=0,
                known_us=start_us + limits.stale_after_us,
                details={"limit_seconds": limits.stale_after_us / SECOND_US},
            )


def _another_unit(
    at_us: Instants, values: Floats, limits: Limits, unit: str, ongoing: str, sound: Mask
) -> Iterator[Stretch]:
    if limits.usual_low is None or limits.usual_high is None:
        return
    strange = (values < limits.usual_low) | (values > limits.usual_high)
    strange &= ~np.isin(values, limits.rest_values)
    if int(strange.sum()) < LEAST_IN_UNIT:
        return
    spans = [
        (first, last, conversion)
        for conversion in conversions(unit)
        for first, last in _said_in(values, limits, strange, conversion, ongoing)
    ]
    for first, last, conversion in _longest_first(spans):
        told = first + np.flatnonzero(strange[first : last + 1])[LEAST_IN_UNIT - 1]
        sound[first : last + 1] = False
        yield Stretch(
            kind=Kind.UNIT_MISMATCH,
            start_us=int(at_us[first]),
            end_us=int(at_us[last]),
            readings=last - first + 1,
            known_us=int(at_us[told]),
            details={"unit": conversion.other},
        )


def _said_in(
    values: Floats, limits: Limits, strange: Mask, conversion: Conversion, ongoing: str
) -> Iterator[tuple[int, int]]:
    """Stretches that begin with a jump which the conversion explains, and all of which it explains.

    Converted back they must lie where the point's values lie, join on to the reading before them
    and change as its readings do: a real rise, or another fault, does one of the three otherwise.
    """
    low, high, step = limits.usual_low, limits.usual_high, limits.usual_step
    if low is None or high is None or step is None:
        return
    meant, wide = conversion.meant(values), high - low
    fits = (meant >= (low / 3 if low > 0 else low - wide)) & (meant <= high + wide)
    for rest in limits.rest_values:
        fits |= np.abs(meant - rest) <= ROUNDED * max(abs(rest), wide)
    begins, ends = _runs(fits | ~strange)
    until = -LEAST_IN_UNIT if ongoing != conversion.other else 0
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        odd = begin + np.flatnonzero(strange[begin : end + 1])
        for first, last in _joined(odd, fits):
            # A sensor that broke, unlike one that changed its unit, says the same all the time.
            alive = np.ptp(meant[first : last + 1]) > STRANGE_IN_UNIT * (limits.usual_spread or 0.0)
            reach = 2 * step if alive else ROUNDED * abs(values[first - 1])
            goes_on = first - until < LEAST_IN_UNIT
            if goes_on or (first > 0 and abs(meant[first] - values[first - 1]) <= reach):
                until = last
                yield first, last


def _joined(odd: npt.NDArray[np.intp], fits: Mask) -> Iterator[tuple[int, int]]:
    """Odd readings as spans; what lies between them fits the other unit as well, or ends a span."""
    if len(odd) < LEAST_IN_UNIT:
        return
    misfits = np.concatenate([[0], np.cumsum(~fits)])
    breaks = np.flatnonzero(misfits[odd[1:]] > misfits[odd[:-1]])
    firsts = np.concatenate([[0], breaks + 1])
    lasts = np.concatenate([breaks, [len(odd) - 1]])
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        if last - first + 1 >= LEAST_IN_UNIT:
            yield int(odd[first]), int(odd[last])


def _longest_first(
    spans: Sequence[tuple[int, int, Conversion]],
) -> Iterator[tuple[int, int, Conversion]]:
    taken: list[tuple[int, int]] = []
    for first, last, conversion in sorted(spans, key=lambda span: span[0] - span[1]):
        if all(last < begin or first > end for begin, end in taken):
            taken.append((first, last))
            yield first, last, conversion


def _runs(mask: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where runs of True begin, and their last places."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
