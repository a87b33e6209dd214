"""Readings as three arrays of one length: point, instant, value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings in the order of point and instant, each (point, instant) once."""

    point_ids: Ints
    at_us: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.at_us)

    def where(self, chosen: Flags) -> Rows:
        if chosen.all():
            return self
        return Rows(self.point_ids[chosen], self.at_us[chosen], self.values[chosen])

    def part(self, first: int, end: int) -> Rows:
        return Rows(self.point_ids[first:end], self.at_us[first:end], self.values[first:end])

    @classmethod
    def none(cls) -> Self:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.point_ids for part in parts]),
            np.concatenate([part.at_us for part in parts]),
            np.concatenate([part.values for part in parts]),
        )


def sorted_once(point_ids: Ints, at_us: Ints, values: Floats) -> tuple[Rows, Rows]:
    """Rows in any order: each (point, instant) as it came first; and what came for it later."""
    given = Rows(point_ids, at_us, values)
    if _rising(point_ids, at_us).all():
        return given, given.part(0, 0)
    order = _order(point_ids, at_us)
    ordered = Rows(point_ids[order], at_us[order], values[order])
    other = ordered.point_ids[1:] != ordered.point_ids[:-1]
    other |= ordered.at_us[1:] != ordered.at_us[:-1]
    first = np.concatenate([[True], other])
    return ordered.where(first), ordered.where(~first)


def differing(given: Rows, kept: Rows) -> Rows:
    """Those of the given rows for which another value is kept. Both in order, `kept` each once."""
    if not len(given) or not len(kept):
        return given.part(0, 0)
    _points, point = np.unique(
        np.concatenate([kept.point_ids, given.point_ids]), return_inverse=True
    )
    instants, instant = np.unique(np.concatenate([kept.at_us, given.at_us]), return_inverse=True)
    key = point.astype(np.int64) * len(instants) + instant
    known, asked = key[: len(kept)], key[len(kept) :]
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return given.where((known[place] == asked) & (kept.values[place] != given.values))


@dataclass(frozen=True, slots=True)
class Added:
    """How many rows were new; of the others, those for which another value is kept."""

    new: int
    differing: Rows

    def __add__(self, other: Added) -> Added:
        parts = [part for part in (self.differing, other.differing) if len(part)]
        return Added(self.new + other.new, Rows.joined(parts or [self.differing]))


@dataclass(frozen=True, slots=True, order=True)
class Replaced:
    """A reading whose value was corrected."""

    point_id: int
    at_us: int
    old: float
    new: float


def runs_of(*columns: Ints) -> tuple[Ints, Ints]:
    """Where runs of equal values begin in sorted columns, and where they end.

    >>> [ends.tolist() for ends in runs_of(np.array([7, 7, 9]))]
    [[0, 2], [2, 3]]
    """
    length = len(columns[0])
    if not length:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    changed = np.zeros(length - 1, bool)
    for column in columns:
        changed |= column[1:] != column[:-1]
    inside = np.flatnonzero(changed) + 1
    return np.concatenate([[0], inside]), np.concatenate([inside, [length]])


def _order(points: Ints, instants: Ints) -> NDArray[np.intp]:
    """By point and instant; what is equal stays as it came."""
    first, span = int(instants.min()), int(np.ptp(instants)) + 1
    if (int(np.ptp(points)) + 1) * span < _LARGEST:
        # As one number each, which is sorted several times as fast as two columns; and faster
        # again where order among equals does not matter because there are none.
        key = (points - points.min()) * span + (instants - first)
        order = np.argsort(key)
        if (np.diff(key[order]) > 0).all():
            return order
    return np.lexsort((instants, points))


def _rising(points: Ints, instants: Ints) -> Flags:
    same = points[1:] == points[:-1]
    rising: Flags = (points[1:] > points[:-1]) | (same & (instants[1:] > instants[:-1]))
    return rising
