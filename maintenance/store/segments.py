"""Sealed readings: a compressed stretch of one point's readings a row.

A segment covers a cell: a day of a point that speaks often, 32 days of one that speaks seldom. The
length is chosen when a point is sealed first and never changes, so that cells never overlap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from django.db import connection

from maintenance.models import MeasurementPoint
from maintenance.store.arrays import Added, Floats, Ints, Replaced, Rows, runs_of
from maintenance.store.codec import pack, unpack_instants, unpack_values
from maintenance.store.shards import DAY_US
from maintenance.store.statements import as_parameter, of_points

SLOW_DAYS = 32
OFTEN_A_DAY = 200
"""A point with so many readings a day has segments of a day."""
_LEAST_GAPS = 8
_CELLS_AT_ONCE = 2_000
_TABLE = "maintenance_readingsegment"
_COLUMNS = "point_id, start_us, last_us, n, instants, data"
_TYPES = ("int8", "int8", "int8", "int4", "bytea", "bytea")

Cell: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """Readings of one cell, in time order."""

    cell: Cell
    at_us: Ints
    values: Floats

    def row(self) -> tuple[int, int, int, int, bytes, bytes]:
        point, start_us = self.cell
        last_us = int(self.at_us[-1])
        return point, start_us, last_us, len(self.at_us), pack(self.at_us), pack(self.values)


def merge(rows: Rows) -> Added:
    """Add what is not there yet. Needs the shards' locks, alone."""
    added = Added(0, rows.part(0, 0))
    for some in _at_once(_by_cell(rows)):
        added += _merge_cells(some)
    return added


def _at_once(cells: Iterator[tuple[Cell, Rows]]) -> Iterator[dict[Cell, Rows]]:
    while some := dict(islice(cells, _CELLS_AT_ONCE)):
        yield some


def _by_cell(rows: Rows) -> Iterator[tuple[Cell, Rows]]:
    starts_us = _cell_starts(rows)
    begins, ends = runs_of(rows.point_ids, starts_us)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        yield (int(rows.point_ids[begin]), int(starts_us[begin])), rows.part(begin, end)


def _merge_cells(given: Mapping[Cell, Rows]) -> Added:
    known = _load(given)
    changed, new, told = [], 0, [Rows.none()]
    for cell, rows in given.items():
        if cell not in known:
            changed.append(Segment(cell, rows.at_us, rows.values))
            new += len(rows)
            continue
        segment, added = _with(cell, known[cell], rows)
        if added.new:
            changed.append(segment)
            new += added.new
        if len(added.differing):
            told.append(added.differing)
    write(changed, instead_of=known.keys())
    return Added(new, Rows.joined(told))


def _with(cell: Cell, packed: tuple[bytes, bytes], rows: Rows) -> tuple[Segment, Added]:
    """The segment with the rows it lacked."""
    at_us, values = unpack_instants(packed[0]), unpack_values(packed[1])
    nothing = rows.part(0, 0)
    if rows.at_us[0] > at_us[-1]:
        both = np.concatenate([at_us, rows.at_us]), np.concatenate([values, rows.values])
        return Segment(cell, *both), Added(len(rows), nothing)
    place = np.searchsorted(at_us, rows.at_us)
    inside = np.minimum(place, len(at_us) - 1)
    lacking = at_us[inside] != rows.at_us
    other = rows.where(~lacking & (values[inside] != rows.values))
    if lacking.any():
        values = np.insert(values, place[lacking], rows.values[lacking])
        at_us = np.insert(at_us, place[lacking], rows.at_us[lacking])
    return Segment(cell, at_us, values), Added(int(lacking.sum()), other)


def read(
    point_ids: Sequence[int], start_us: int, end_us: int
) -> Iterator[tuple[int, Ints, Floats]]:
    """Readings with start_us <= at_us < end_us, segment by segment, by point and time.

    Raises CorruptSegmentError.
    """
    for point, _start_us, packed in _rows_of(point_ids, start_us, end_us):
        at_us, values = unpack_instants(packed[0]), unpack_values(packed[1])
        first, end = np.searchsorted(at_us, [start_us, end_us])
        if first < end:
            yield point, at_us[first:end], values[first:end]


def _rows_of(
    point_ids: Sequence[int], start_us: int, end_us: int
) -> list[tuple[int, int, tuple[bytes, bytes]]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT point_id, start_us, instants, data FROM {_TABLE} "
            f"WHERE {of_points()} AND start_us > %s AND start_us < %s AND last_us >= %s "
            "ORDER BY point_id, start_us",
            [as_parameter(point_ids), start_us - SLOW_DAYS * DAY_US, end_us, start_us],
        )
        return [(point, start, (at, values)) for point, start, at, values in cursor.fetchall()]


def last_us(point_ids: Sequence[int]) -> dict[int, int]:
    """The newest sealed instant of each point that has segments."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, (SELECT last_us FROM {_TABLE} WHERE point_id = wanted.id "
            "ORDER BY start_us DESC LIMIT 1) FROM maintenance_measurementpoint AS wanted "
            f"WHERE {of_points('wanted.id')}",
            [as_parameter(point_ids)],
        )
        return {int(point): int(at) for point, at in cursor.fetchall() if at is not None}


def oldest_us(point_ids: Sequence[int]) -> int | None:
    """The oldest sealed instant of these points. Raises CorruptSegmentError."""
    oldest: int | None = None
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT first.start_us, first.instants FROM maintenance_measurementpoint AS wanted "
            f"JOIN {_TABLE} AS first ON first.point_id = wanted.id AND first.start_us = "
            f"(SELECT min(start_us) FROM {_TABLE} WHERE point_id = wanted.id) "
            f"WHERE {of_points('wanted.id')} ORDER BY first.start_us",
            [as_parameter(point_ids)],
        )
        # A cell may begin long before its first reading.
        for start_us, instants in cursor:
            if oldest is not None and oldest <= start_us:
                break
            at_us = int(unpack_instants(instants)[0])
            oldest = at_us if oldest is None else min(oldest, at_us)
    return oldest


def count() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(sum(n), 0) FROM {_TABLE}")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def delete_before(point_ids: Sequence[int], before_us: int) -> int:
    """Delete readings earlier than that; how many. Needs the shards' locks, alone."""
    kept: list[Segment] = []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT point_id, start_us, n, last_us FROM {_TABLE} "
            f"WHERE {of_points()} AND start_us < %s",
            [as_parameter(point_ids), before_us],
        )
        found = cursor.fetchall()
    cut = [(point, start) for point, start, _n, last in found if last >= before_us]
    whole = [(point, start) for point, start, _n, last in found if last < before_us]
    gone = int(sum(n for _point, _start, n, last in found if last < before_us))
    for cell, packed in _load(cut).items():
        at_us, values = unpack_instants(packed[0]), unpack_values(packed[1])
        first = int(np.searchsorted(at_us, before_us))
        gone += first
        kept.append(Segment(cell, at_us[first:], values[first:]))
    delete(whole)
    write(kept, instead_of=cut)
    return gone


def replace(rows: Rows) -> list[Replaced]:
    """Give sealed readings another value; those that changed. Needs the shards' locks, alone."""
    replaced, changed = [], []
    for cell, given in _by_cell(rows):
        packed = _load([cell]).get(cell)
        if packed is None:
            continue
        at_us, values = unpack_instants(packed[0]), unpack_values(packed[1]).copy()
        place = np.minimum(np.searchsorted(at_us, given.at_us), len(at_us) - 1)
        differs = (at_us[place] == given.at_us) & (values[place] != given.values)
        replaced += [
            Replaced(cell[0], int(given.at_us[i]), float(values[place[i]]), float(given.values[i]))
            for i in np.flatnonzero(differs).tolist()
        ]
        values[place[differs]] = given.values[differs]
        if differs.any():
            changed.append(Segment(cell, at_us, values))
    write(changed, instead_of=[segment.cell for segment in changed])
    return replaced


def write(segments: Sequence[Segment], *, instead_of: Iterable[Cell] = ()) -> None:
    """Write segments, none of them empty; `instead_of` holds the cells that have one already."""
    old = set(instead_of)
    delete([segment.cell for segment in segments if segment.cell in old])
    rows = [segment.row() for segment in segments]
    if not rows:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = f"COPY {_TABLE} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
            with connection.wrap_database_errors, cursor.copy(statement) as copy:
                copy.set_types(_TYPES)
                for row in rows:
                    copy.write_row(row)
        else:
            cursor.executemany(
                f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)", rows
            )


def delete(cells: Sequence[Cell]) -> None:
    with connection.cursor() as cursor:
        for first in range(0, len(cells), _CELLS_AT_ONCE):
            some = cells[first : first + _CELLS_AT_ONCE]
            cursor.execute(f"DELETE FROM {_TABLE} WHERE {_in_cells()}", _cells(some))


def _cell_starts(rows: Rows) -> Ints:
    """The start of the cell in which each row belongs; a point without a length is given one."""
    begins, ends = runs_of(rows.point_ids)
    points = rows.point_ids[begins]
    known = _days_of(points.tolist())
    chosen = {}
    for point, begin, end in zip(points.tolist(), begins.tolist(), ends.tolist(), strict=True):
        days, sampling_seconds = known[point]
        if not days:
            days = _days_for(rows.at_us[begin:end], sampling_seconds)
            chosen[point] = days
            known[point] = days, sampling_seconds
    for days in set(chosen.values()):
        MeasurementPoint.objects.filter(
            pk__in=[point for point, one in chosen.items() if one == days]
        ).update(segment_days=days)
    length_us = np.array([known[point][0] for point in points.tolist()], np.int64) * DAY_US
    of_row = np.repeat(length_us, ends - begins)
    return rows.at_us - rows.at_us % of_row


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment as it stands in its row."""

    start_us: int
    last_us: int
    n: int
    instants: bytes
    data: bytes


def stored(point_id: int) -> list[Stored]:
    """All segments of a point, in time order."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT start_us, last_us, n, instants, data FROM {_TABLE} WHERE point_id = %s "
            "ORDER BY start_us",
            [point_id],
        )
        return [Stored(*row) for row in cursor.fetchall()]


def lengths_us(point_ids: Sequence[int]) -> dict[int, int]:
    """The length of a cell of each point that has been sealed."""
    return {
        point: days * DAY_US for point, (days, _sampling) in _days_of(point_ids).items() if days
    }


def _days_for(at_us: Ints, sampling_seconds: int | None) -> int:
    gaps = np.diff(at_us)
    if sampling_seconds:
        a_day = 86_400 / sampling_seconds
    elif len(gaps) >= _LEAST_GAPS:
        a_day = DAY_US / max(1.0, float(np.median(gaps)))
    else:
        a_day = 0.0
    return 1 if a_day >= OFTEN_A_DAY else SLOW_DAYS


def _days_of(point_ids: Sequence[int]) -> dict[int, tuple[int | None, int | None]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, segment_days, sampling_seconds FROM maintenance_measurementpoint "
            f"WHERE {of_points('id')}",
            [as_parameter(point_ids)],
        )
        return {point: (days, seconds) for point, days, seconds in cursor.fetchall()}


def _load(cells: Iterable[Cell]) -> dict[Cell, tuple[bytes, bytes]]:
    wanted, found = list(cells), {}
    with connection.cursor() as cursor:
        for first in range(0, len(wanted), _CELLS_AT_ONCE):
            some = wanted[first : first + _CELLS_AT_ONCE]
            cursor.execute(
                f"SELECT point_id, start_us, instants, data FROM {_TABLE} WHERE {_in_cells()}",
                _cells(some),
            )
            found.update({(point, at): (a, b) for point, at, a, b in cursor.fetchall()})
    return found


def _in_cells() -> str:
    if connection.vendor == "postgresql":
        return "(point_id, start_us) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))"
    return (
        "(point_id, start_us) IN "
        "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(%s))"
    )


def _cells(cells: Sequence[Cell]) -> list[Any]:
    if connection.vendor == "postgresql":
        return [[point for point, _start in cells], [start for _point, start in cells]]
    return [json.dumps(cells)]
