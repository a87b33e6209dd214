"""The readings store: the only code that touches readings.

Two tables and one rule. Readings of the last days are rows of the hot table; `fold` moves whole
days of them into segments, compressed arrays of one point. A reading lives in a segment if it is
earlier than its shard's watermark, else in the hot table: each key has one home, so what is new is
counted exactly. Times are UTC microseconds. The first write of a (point, instant) wins.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction

from maintenance.store import hot, segments, shards
from maintenance.store.arrays import (
    Added,
    Floats,
    Ints,
    Replaced,
    Rows,
    differing,
    runs_of,
    sorted_once,
)
from maintenance.store.codec import CorruptSegmentError
from maintenance.store.shards import DAY_US, HOT_DAYS, SHARDS
from maintenance.store.verify import Fault, verify

__all__ = [
    "HOT_DAYS",
    "SHARDS",
    "Appended",
    "CorruptSegmentError",
    "Fault",
    "Floats",
    "Ints",
    "Replaced",
    "Rows",
    "append",
    "count",
    "first_at_us",
    "fold",
    "last_at_us",
    "read",
    "replace",
    "retain",
    "verify",
]

_ATTEMPTS = 5
_FIRST_US = -(2**62)


@dataclass(frozen=True, slots=True)
class Appended:
    """How many readings were new; of the others, those that came with another value."""

    new: int
    duplicate: int
    differing: Rows


def append(point_ids: Ints, at_us: Ints, values: Floats, *, now: dt.datetime) -> Appended:
    """Add readings in one transaction; what is already there stays as it is.

    ``now`` decides, in an empty store, where history ends. Raises ValueError when the arrays differ
    in length or a value is not finite: both are the caller's mistakes, since each door names such
    rows before it comes here.
    """
    _check(point_ids, at_us, values)
    rows, again = sorted_once(point_ids, at_us, values)
    added = _add(rows, now) if len(rows) else Added(0, rows)
    told = [added.differing, differing(again, rows)] if len(again) else [added.differing]
    return Appended(added.new, len(values) - added.new, Rows.joined(told))


def _check(point_ids: Ints, at_us: Ints, values: Floats) -> None:
    if not len(point_ids) == len(at_us) == len(values):
        raise ValueError("point_ids, at_us and values must have the same length")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")


def _add(rows: Rows, now: dt.datetime) -> Added:
    insert = hot.insert
    for _attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                sealed = shards.sealed_rows(rows, now=now)
                return segments.merge(rows.where(sealed)) + insert(rows.where(~sealed))
        except shards.MovedError:
            continue
        except hot.KnownError:
            insert = hot.insert_some
    raise RuntimeError("the store is folded faster than a batch can be added")


def read(point_ids: Sequence[int], start_us: int, end_us: int) -> dict[int, tuple[Ints, Floats]]:
    """Readings with start_us <= at_us < end_us of each point, in time order.

    Raises CorruptSegmentError.
    """
    # Hot rows first: what is folded meanwhile is then seen twice, never missed.
    recent = _by_point(hot.select(point_ids, start_us, end_us))
    parts: dict[int, list[tuple[Ints, Floats]]] = {point: [] for point in point_ids}
    for point, instants, values in segments.read(list(parts), start_us, end_us):
        parts[point].append((instants, values))
    return {point: _joined(found, recent.get(point)) for point, found in parts.items()}


def _joined(
    sealed: list[tuple[Ints, Floats]], recent: tuple[Ints, Floats] | None
) -> tuple[Ints, Floats]:
    if recent is not None:
        at_us, values = recent
        seen = int(np.searchsorted(at_us, sealed[-1][0][-1], side="right")) if sealed else 0
        sealed = [*sealed, (at_us[seen:], values[seen:])]
    if len(sealed) == 1:
        return sealed[0]
    if not sealed:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    return np.concatenate([at for at, _ in sealed]), np.concatenate([v for _, v in sealed])


def _by_point(rows: Rows) -> dict[int, tuple[Ints, Floats]]:
    begins, ends = runs_of(rows.point_ids)
    return {
        int(rows.point_ids[first]): (rows.at_us[first:end], rows.values[first:end])
        for first, end in zip(begins, ends, strict=True)
    }


def last_at_us(point_ids: Iterable[int]) -> Mapping[int, int]:
    """The instant of each point's newest reading; points without readings are absent."""
    wanted = list(point_ids)
    recent = hot.last_us(wanted)
    sealed = segments.last_us([point for point in wanted if point not in recent])
    return {**sealed, **recent}


def first_at_us(point_ids: Sequence[int]) -> int | None:
    """The instant of the oldest reading of these points; None without readings.

    Raises CorruptSegmentError.
    """
    found = hot.oldest_us(point_ids), segments.oldest_us(point_ids)
    return min((at for at in found if at is not None), default=None)


def count() -> int:
    """All readings; reads the whole hot table, for reports and tests."""
    return hot.count() + segments.count()


def fold(shard: int, *, before_us: int) -> int:
    """Seal a shard's days that end at or before that instant; how many readings moved.

    One transaction a day: writers wait for one day at most, and a kill loses nothing.
    """
    end_us = before_us - before_us % DAY_US
    moved = 0
    while (day := _fold_day(shard, end_us)) is not None:
        moved += day
    return moved


def _fold_day(shard: int, end_us: int) -> int | None:
    with transaction.atomic():
        if shards.lock_alone(shard) >= end_us:
            return None
        # Asked under the lock: a point made later waits for the watermark to have moved.
        points = shards.points_of(shard)
        oldest_us = hot.oldest_us(points)
        until_us = end_us
        if oldest_us is not None:
            until_us = min(end_us, oldest_us - oldest_us % DAY_US + DAY_US)
        rows = hot.select(points, _FIRST_US, until_us)
        if segments.merge(rows).new != len(rows):
            raise CorruptSegmentError(f"shard {shard} holds readings twice: run verify_store")
        hot.delete(points, _FIRST_US, until_us)
        shards.move(shard, sealed_before_us=until_us)
    return len(rows)


def retain(point_ids: Iterable[int], *, after_us: int) -> int:
    """Delete the readings of these points before that instant; how many."""
    gone = 0
    for shard, points in shards.by_shard(point_ids).items():
        with transaction.atomic():
            shards.lock_alone(shard)
            gone += segments.delete_before(points, after_us)
            gone += hot.delete(points, _FIRST_US, after_us)
    return gone


def replace(point_ids: Ints, at_us: Ints, values: Floats) -> list[Replaced]:
    """Give readings another value; what was replaced, in order of point and instant.

    A reading that is not there, or has that value already, is left out. The one exception to
    "first write wins": whoever calls keeps who did it and why. Raises ValueError as `append` does.
    """
    _check(point_ids, at_us, values)
    rows, _again = sorted_once(point_ids, at_us, values)
    replaced: list[Replaced] = []
    with transaction.atomic():
        for shard in np.unique(rows.point_ids % SHARDS).tolist():
            mark = shards.lock_alone(shard)
            here = rows.where(rows.point_ids % SHARDS == shard)
            replaced += segments.replace(here.where(here.at_us < mark))
            replaced += hot.replace(here.where(here.at_us >= mark))
    return sorted(replaced)
