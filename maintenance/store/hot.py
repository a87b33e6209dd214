"""The hot table: readings of the last days, a row each."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from django.db import IntegrityError, connection

from maintenance.store.arrays import Added, Floats, Ints, Replaced, Rows, differing, sorted_once
from maintenance.store.statements import as_parameter, of_points

_COLUMNS = "point_id, at_us, value"
_COLUMNS_OF_STAGE = "point_id, at_us, given.value"
_TABLE = "maintenance_reading"
_STAGE = "vigia_staged_reading"
_COPY_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_END = b"\xff\xff"
_COPIED = np.dtype(
    [
        ("columns", ">i2"),
        ("point_bytes", ">i4"),
        ("point", ">i8"),
        ("at_bytes", ">i4"),
        ("at", ">i8"),
        ("value_bytes", ">i4"),
        ("value", ">f8"),
    ]
)
"""A row of PostgreSQL's binary COPY."""


class KnownError(Exception):
    """Some of the rows are there already. The transaction must be rolled back and begun again."""


def insert(rows: Rows) -> Added:
    """Add rows of which all are new, or many are known. Raises KnownError where a few are known."""
    if not len(rows):
        return Added(0, rows)
    if connection.vendor != "postgresql":
        return _insert_sqlite(rows)
    if _some_known(rows):
        return _insert_lacking(rows)
    try:
        _copy(_TABLE, rows)
    except IntegrityError:
        raise KnownError from None
    return Added(len(rows), rows.part(0, 0))


def select(point_ids: Sequence[int], start_us: int, end_us: int) -> Rows:
    """Rows with start_us <= at_us < end_us, by point and instant."""
    if connection.vendor == "postgresql":
        return _select_postgresql(point_ids, start_us, end_us)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM {_TABLE} "
            "WHERE point_id IN (SELECT value FROM json_each(%s)) AND at_us >= %s AND at_us < %s "
            "ORDER BY point_id, at_us",
            [json.dumps(list(point_ids)), start_us, end_us],
        )
        return _rows(cursor.fetchall())


def delete(point_ids: Sequence[int], start_us: int, end_us: int) -> int:
    """How many rows were there."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {_TABLE} WHERE {of_points()} AND at_us >= %s AND at_us < %s",
            [as_parameter(point_ids), start_us, end_us],
        )
        return int(cursor.rowcount)


def replace(rows: Rows) -> list[Replaced]:
    """Give hot rows another value; those that changed."""
    replaced = []
    with connection.cursor() as cursor:
        columns = (rows.point_ids.tolist(), rows.at_us.tolist(), rows.values.tolist())
        for point, at, value in zip(*columns, strict=True):
            cursor.execute(
                f"SELECT value FROM {_TABLE} WHERE point_id = %s AND at_us = %s", [point, at]
            )
            found = cursor.fetchone()
            if found is not None and found[0] != value:
                replaced.append(Replaced(point, at, float(found[0]), value))
                cursor.execute(
                    f"UPDATE {_TABLE} SET value = %s WHERE point_id = %s AND at_us = %s",
                    [value, point, at],
                )
    return replaced


def oldest_us(point_ids: Sequence[int]) -> int | None:
    with connection.cursor() as cursor:
        # The index finds each point's oldest row; min() over all of them would read every row.
        cursor.execute(
            f"SELECT min(first) FROM (SELECT (SELECT min(at_us) FROM {_TABLE} "
            f"WHERE point_id = wanted.id) AS first FROM maintenance_measurementpoint AS wanted "
            f"WHERE {of_points('wanted.id')}) AS firsts",
            [as_parameter(point_ids)],
        )
        row = cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _insert_sqlite(rows: Rows) -> Added:
    columns = (rows.point_ids.tolist(), rows.at_us.tolist(), rows.values.tolist())
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT OR IGNORE INTO {_TABLE} ({_COLUMNS}) VALUES (%s, %s, %s)",
            list(zip(*columns, strict=True)),
        )
        new = max(0, int(cursor.rowcount))
        if new == len(rows):
            return Added(new, rows.part(0, 0))
        cursor.execute(
            "SELECT kept.point_id, kept.at_us, kept.value "
            f"FROM json_each(%s) AS given JOIN {_TABLE} AS kept "
            "ON kept.point_id = json_extract(given.value, '$[0]') "
            "AND kept.at_us = json_extract(given.value, '$[1]') ORDER BY kept.point_id, kept.at_us",
            [json.dumps(list(zip(*columns[:2], strict=True)))],
        )
        return Added(new, differing(rows, _rows(cursor.fetchall())))


def _some_known(rows: Rows) -> bool:
    """Whether the first, a middle or the last row is there: a batch that was sent before.

    A guess that spares a COPY which must fail; what it misses, the unique key finds.
    """
    probed = [0, len(rows) // 2, len(rows) - 1]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {_TABLE} JOIN unnest(%s::bigint[], %s::bigint[]) "
            "AS probed (point, at) ON point_id = probed.point AND at_us = probed.at)",
            [rows.point_ids[probed].tolist(), rows.at_us[probed].tolist()],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _insert_lacking(rows: Rows) -> Added:
    """Add those of the rows that are not there; others may be adding them as well."""
    kept = _kept(rows)
    known = ~np.isnan(kept)
    other = rows.where(known & (kept != rows.values))
    lacking = rows.where(~known)
    if not len(lacking):
        return Added(0, other)
    try:
        _copy(_TABLE, lacking)
    except IntegrityError:
        raise KnownError from None
    return Added(len(lacking), other)


def _kept(rows: Rows) -> Floats:
    """The value that is kept for each row; NaN, which no reading has, where there is none."""
    keys = [_array(rows.point_ids), _array(rows.at_us)]
    with connection.cursor() as cursor:
        # A subquery a row: joined, the planner would rather read the whole table. It would also
        # compile the statement each time, which takes longer than answering it.
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(
            "SELECT string_agg(float8send(coalesce((SELECT value FROM "
            f"{_TABLE} WHERE point_id = given.point AND at_us = given.at), 'NaN')), '' ORDER BY n) "
            "FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS given (point, at, n)",
            keys,
        )
        row = cursor.fetchone()
    return np.frombuffer(row[0] if row else b"", ">f8").astype(np.float64)


def _array(column: Ints) -> str:
    return "{" + ",".join(map(str, column.tolist())) + "}"


def insert_some(rows: Rows) -> Added:
    """Add those of the rows that are not there, whatever others add meanwhile."""
    if not len(rows):
        return Added(0, rows)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {_STAGE} "
            "(point_id bigint, at_us bigint, value float8) ON COMMIT DELETE ROWS"
        )
        cursor.execute(f"TRUNCATE {_STAGE}")
        _copy(_STAGE, rows)
        cursor.execute(
            f"INSERT INTO {_TABLE} ({_COLUMNS}) SELECT {_COLUMNS} FROM {_STAGE} "
            "ON CONFLICT DO NOTHING"
        )
        new = int(cursor.rowcount)
        cursor.execute(
            f"SELECT {_COLUMNS_OF_STAGE} FROM {_STAGE} AS given JOIN {_TABLE} AS kept "
            "USING (point_id, at_us) WHERE given.value <> kept.value ORDER BY point_id, at_us"
        )
        return Added(new, _rows(cursor.fetchall()))


def _rows(found: Sequence[tuple[int, int, float]]) -> Rows:
    if not found:
        return Rows.none()
    points, instants, values = zip(*found, strict=True)
    return Rows(
        np.array(points, np.int64), np.array(instants, np.int64), np.array(values, np.float64)
    )


def _copy(table: str, rows: Rows) -> None:
    packed = np.empty(len(rows), _COPIED)
    packed["columns"] = 3
    for name, column in (("point", rows.point_ids), ("at", rows.at_us), ("value", rows.values)):
        packed[f"{name}_bytes"] = 8
        packed[name] = column
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(_COPY_HEAD)
        copy.write(packed.tobytes())
        copy.write(_COPY_END)


def _select_postgresql(point_ids: Sequence[int], start_us: int, end_us: int) -> Rows:
    """A row of bytes a point: read row by row, each reading would cost ten times as much."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT point_id, count(*), string_agg(int8send(at_us), ''), "
            "string_agg(float8send(value), '') "
            f"FROM (SELECT {_COLUMNS} FROM {_TABLE} WHERE point_id = ANY(%s) "
            "AND at_us >= %s AND at_us < %s ORDER BY point_id, at_us) AS found "
            "GROUP BY point_id ORDER BY point_id",
            [list(point_ids), start_us, end_us],
        )
        found = cursor.fetchall()
    if not found:
        return Rows.none()
    points, counts, instants, values = zip(*found, strict=True)
    rows, _again = sorted_once(
        np.repeat(np.array(points, np.int64), counts),
        np.frombuffer(b"".join(instants), ">i8").astype(np.int64),
        np.frombuffer(b"".join(values), ">f8").astype(np.float64),
    )
    return rows


def count() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {_TABLE}")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def last_us(point_ids: Sequence[int]) -> dict[int, int]:
    """The newest instant of each point that has hot rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, (SELECT max(at_us) FROM {_TABLE} WHERE point_id = wanted.id) "
            f"FROM maintenance_measurementpoint AS wanted WHERE {of_points('wanted.id')}",
            [as_parameter(point_ids)],
        )
        return {int(point): int(at) for point, at in cursor.fetchall() if at is not None}
