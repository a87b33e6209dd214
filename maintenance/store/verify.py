"""Does the store hold what it promises? Reads everything, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction

from maintenance.store import hot, segments, shards
from maintenance.store.arrays import Floats, Ints
from maintenance.store.codec import CorruptSegmentError, unpack_instants, unpack_values


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a stretch of a point's readings."""

    point_id: int
    start_us: int
    reason: str


def verify() -> Iterator[Fault]:
    """Every promise that is broken: one home a key, order, counts, cells, whole values.

    Each shard is read under its lock, as it stands between two writes.
    """
    yield from _orphans()
    for shard in range(shards.SHARDS):
        with transaction.atomic():
            mark_us = shards.lock_alone(shard)
            points = shards.points_of(shard)
            faults = [*_hot_too_old(points, mark_us), *_segments(points, mark_us)]
        yield from faults


def _orphans() -> Iterator[Fault]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT point_id FROM maintenance_reading WHERE NOT EXISTS "
            "(SELECT 1 FROM maintenance_measurementpoint WHERE id = point_id) ORDER BY point_id"
        )
        for (point,) in cursor.fetchall():
            yield Fault(point, 0, "hot readings of a point that is not there")


def _hot_too_old(points: Sequence[int], mark_us: int) -> Iterator[Fault]:
    oldest_us = hot.oldest_us(points)
    if oldest_us is not None and oldest_us < mark_us:
        early = hot.select(points, oldest_us, mark_us)
        for point in np.unique(early.point_ids).tolist():
            yield Fault(point, oldest_us, "hot readings earlier than the watermark")


def _segments(points: Sequence[int], mark_us: int) -> Iterator[Fault]:
    lengths_us = segments.lengths_us(points)
    for point in points:
        for stored in segments.stored(point):
            try:
                at_us, values = unpack_instants(stored.instants), unpack_values(stored.data)
            except CorruptSegmentError as error:
                yield Fault(point, stored.start_us, str(error))
                continue
            for reason in _wrong(stored, at_us, values, lengths_us.get(point) or 0):
                yield Fault(point, stored.start_us, reason)
            if at_us.size and at_us[-1] >= mark_us:
                yield Fault(point, stored.start_us, "sealed readings later than the watermark")


def _wrong(stored: segments.Stored, at_us: Ints, values: Floats, length_us: int) -> Iterator[str]:
    if not len(at_us) == len(values) == stored.n or not stored.n:
        yield f"says {stored.n} readings, holds {len(at_us)} instants and {len(values)} values"
        return
    if (np.diff(at_us) <= 0).any():
        yield "instants do not rise"
    if at_us[-1] != stored.last_us:
        yield "the last instant is not the one it says"
    if not length_us or stored.start_us % length_us:
        yield "does not begin where a cell of its point begins"
    elif at_us[0] < stored.start_us or at_us[-1] >= stored.start_us + length_us:
        yield "holds readings outside its cell"
    if not np.isfinite(values).all():
        yield "holds values that are not finite"
