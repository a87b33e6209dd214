"""Readings as three arrays of one length: point, instant, value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


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
    def sorted_once(cls, point_ids: Ints, at_us: Ints, values: Floats) -> Self:
        """Any order, any repetition; of what is given twice, the first counts."""
        if _rising(point_ids, at_us).all():
            return cls(point_ids, at_us, values)
        order = np.lexsort((at_us, point_ids))
        points, instants, sorted_values = point_ids[order], at_us[order], values[order]
        first = np.concatenate([[True], _other(points, instants)])
        return cls(points[first], instants[first], sorted_values[first])


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


def _other(points: Ints, instants: Ints) -> Flags:
    other: Flags = (points[1:] != points[:-1]) | (instants[1:] != instants[:-1])
    return other


def _rising(points: Ints, instants: Ints) -> Flags:
    same = points[1:] == points[:-1]
    rising: Flags = (points[1:] > points[:-1]) | (same & (instants[1:] > instants[:-1]))
    return rising
