"""The readings store: the only code that touches the readings table.

Times are UTC microseconds. The first write of a (point, instant) wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from maintenance.models import Reading

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_WRITE_ROWS = 50_000
_INSERT = {
    "postgresql": (
        "INSERT INTO maintenance_reading (point_id, at_us, value) "
        "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::float8[]) ON CONFLICT DO NOTHING"
    ),
    "sqlite": (
        "INSERT OR IGNORE INTO maintenance_reading (point_id, at_us, value) VALUES (%s, %s, %s)"
    ),
}
_SELECT = {
    "postgresql": (
        "SELECT point_id, at_us, value FROM maintenance_reading "
        "WHERE point_id = ANY(%s) AND at_us >= %s AND at_us < %s ORDER BY point_id, at_us"
    ),
    "sqlite": (
        "SELECT point_id, at_us, value FROM maintenance_reading "
        "WHERE point_id IN (SELECT value FROM json_each(%s)) AND at_us >= %s AND at_us < %s "
        "ORDER BY point_id, at_us"
    ),
}


@dataclass(frozen=True, slots=True)
class Appended:
    new: int
    duplicate: int


def append(point_ids: Ints, at_us: Ints, values: Floats) -> Appended:
    """Add readings in one transaction; what is already there stays as it is.

    Raises ValueError when the arrays differ in length or a value is not finite: both are the
    caller's mistakes, since each door names such rows before it comes here.
    """
    if not len(point_ids) == len(at_us) == len(values):
        raise ValueError("point_ids, at_us and values must have the same length")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")
    points, instants, kept = _first_of_each(point_ids, at_us, values)
    new = 0
    with transaction.atomic():
        for start in range(0, len(points), _WRITE_ROWS):
            part = slice(start, start + _WRITE_ROWS)
            new += _insert(points[part], instants[part], kept[part])
    return Appended(new=new, duplicate=len(values) - new)


def read(point_ids: Sequence[int], start_us: int, end_us: int) -> dict[int, tuple[Ints, Floats]]:
    """Readings with start_us <= at_us < end_us of each point, in time order."""
    found: dict[int, tuple[Ints, Floats]] = {
        point: (np.empty(0, np.int64), np.empty(0, np.float64)) for point in point_ids
    }
    points, instants, values = _select(point_ids, start_us, end_us)
    starts = np.flatnonzero(np.diff(points, prepend=-1))
    ends = np.append(starts, len(points))[1:]
    for first, end in zip(starts, ends, strict=True):
        found[int(points[first])] = (instants[first:end], values[first:end])
    return found


def last_at_us(point_ids: Iterable[int]) -> Mapping[int, int]:
    """The instant of each point's newest reading; points without readings are absent."""
    newest: dict[int, int] = {}
    with connection.cursor() as cursor:
        for point in point_ids:
            cursor.execute(
                "SELECT max(at_us) FROM maintenance_reading WHERE point_id = %s", [point]
            )
            row = cursor.fetchone()
            if row and row[0] is not None:
                newest[point] = row[0]
    return newest


def count() -> int:
    return Reading.objects.count()


def _first_of_each(point_ids: Ints, at_us: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
    order = np.lexsort((at_us, point_ids))
    points, instants = point_ids[order], at_us[order]
    first = np.ones(len(points), dtype=bool)
    first[1:] = (points[1:] != points[:-1]) | (instants[1:] != instants[:-1])
    return points[first], instants[first], values[order][first]


def _insert(points: Ints, instants: Ints, values: Floats) -> int:
    columns = (points.tolist(), instants.tolist(), values.tolist())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_INSERT["postgresql"], columns)
        else:
            cursor.executemany(_INSERT["sqlite"], list(zip(*columns, strict=True)))
        return max(0, int(cursor.rowcount))


def _select(point_ids: Sequence[int], start_us: int, end_us: int) -> tuple[Ints, Ints, Floats]:
    wanted = list(point_ids) if connection.vendor == "postgresql" else json.dumps(list(point_ids))
    with connection.cursor() as cursor:
        cursor.execute(_SELECT[connection.vendor], [wanted, start_us, end_us])
        rows = cursor.fetchall()
    points, instants, values = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(points, np.int64), np.array(instants, np.int64), np.array(values, np.float64)
