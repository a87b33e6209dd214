"""A large file of readings, piece by piece: typed columns where they can be read at once.

Each piece says where the next one begins. A reader that is given that place goes on from there, in
another process if need be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from maintenance.flow import ingest
from maintenance.sources import mapped
from maintenance.sources.mappings import READINGS_WIDE, Column, TableMapping

PIECE_BYTES = 4 * 1024 * 1024
TEXT_BYTES = 256 * 1024
"""So much is read as text at a time: it takes far more memory than typed columns."""

Place: TypeAlias = dict[str, int]


@dataclass(frozen=True)
class Piece:
    """Some lines, those among them that are no record, and where the next piece begins.

    `lost` counts lines that could not even be read beside the first, which `errors` names.
    """

    lines: ingest.TypedLines | ingest.ReadingLines | None
    errors: list[ingest.RowError]
    after: Place
    done: int
    lost: int = 0

    def found(self, finder: ingest.Finder) -> ingest.Found:
        parts = [ingest.Found.nothing(len(self.errors) + self.lost, self.errors)]
        if isinstance(self.lines, ingest.TypedLines):
            parts.append(finder.in_columns(self.lines))
        elif self.lines is not None:
            parts.append(finder.in_text(self.lines))
        return ingest.Found.joined(parts)


@dataclass(frozen=True)
class Layout:
    """Which columns hold what; by point where the table is wide."""

    spec: TableMapping
    columns: Mapping[str, Column]
    points: Mapping[str, Column] = field(default_factory=dict)

    @property
    def is_wide(self) -> bool:
        return self.spec.table == READINGS_WIDE

    @property
    def is_plain(self) -> bool:
        """Whether columns only have other names, or another unit."""
        return all(
            one == Column(column=one.column, scale=one.scale, offset=one.offset)
            for one in (*self.columns.values(), *self.points.values())
        ) and all(one.scale == 1 and one.offset == 0 for one in self._names())

    @property
    def asset(self) -> str:
        return self.columns["asset"].column

    @property
    def at(self) -> str:
        return self.columns["at"].column

    @property
    def point(self) -> str:
        return self.columns["point"].column

    def values(self) -> list[tuple[str | None, Column]]:
        """The columns with values; of which point, where the whole column is of one."""
        if self.is_wide:
            return list(self.points.items())
        return [(None, self.columns["value"])]

    def _names(self) -> list[Column]:
        return [column for name, column in self.columns.items() if name != "value"]


def layout_of(spec: TableMapping, header: Sequence[str]) -> Layout:
    """Raises MappingError when a column is missing."""
    mapped.check_header(spec, header)
    columns = mapped.columns_of(spec, header)
    points = mapped.points_of(spec, header) if spec.table == READINGS_WIDE else {}
    return Layout(spec, columns, points)


def signals_of(
    layout: Layout, column: Callable[[str], tuple[ingest.Floats, ingest.Flags | None]], point: Any
) -> list[ingest.TypedSignal]:
    """`column` gives the numbers of one, and which are given; `point` the column of points."""
    made = []
    for name, told in layout.values():
        values, given = column(told.column)
        if told.scale != 1 or told.offset != 0:
            values = values * told.scale + told.offset
        field_name = told.column
        made.append(ingest.TypedSignal(name or point, values, given, field_name))
    return made


def instants_of(array: pa.Array, reading: ingest.Reading) -> tuple[ingest.Ints, dict[int, str]]:
    """Instants of a column of timestamps that has no nulls: with a zone, or as a clock shows."""
    at_us = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64()).to_numpy()
    if array.type.tz is None:
        return ingest.from_clock(at_us, reading=reading)
    return ingest.later(at_us, reading.shift, ingest.UTC), {}


def all_finite(signals: Sequence[ingest.TypedSignal]) -> bool:
    """What is not finite is named in the words of its text."""
    for signal in signals:
        finite = np.isfinite(signal.values)
        if not (finite if signal.given is None else finite | ~signal.given).all():
            return False
    return True


def numbers_of(column: pa.ChunkedArray) -> tuple[ingest.Floats, ingest.Flags | None]:
    """Numbers of a column, and which are given, unless all are."""
    if not column.null_count:
        return column.to_numpy(), None
    return pc.fill_null(column, 0.0).to_numpy(), pc.is_valid(column).to_numpy()
