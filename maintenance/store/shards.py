"""Which home a reading has, and who may write there.

A reading lives in a segment if it is earlier than its shard's watermark, else in the hot table:
one home a key. Whoever adds to the hot table holds the shard's lock together with others; whoever
changes segments or moves the watermark holds it alone. On SQLite the one writer's lock of the
database does for both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import numpy as np
from django.db import connection
from django.db.models import F
from django.db.models.functions import Mod

from maintenance.instants import to_us
from maintenance.models import MeasurementPoint, Watermark
from maintenance.store.arrays import Flags, Ints, Rows

SHARDS = 64
HOT_DAYS = 2
"""So many whole days before today stay hot: what comes late within them costs no segment."""
DAY_US = 86_400_000_000
_LOCKS = 0x5649
_LOCK = (
    "SELECT CASE WHEN alone THEN pg_advisory_xact_lock(%s, shard)::text "
    "ELSE pg_advisory_xact_lock_shared(%s, shard)::text END "
    "FROM unnest(%s::int[], %s::bool[]) AS wanted (shard, alone)"
)

_seen: list[Ints] = []
"""The watermarks as this process saw them last. They decide what is locked, and nothing else."""


class MovedError(Exception):
    """A watermark moved between looking at it and locking it."""


def sealed_rows(rows: Rows, *, now: dt.datetime) -> Flags:
    """Lock the shards of the rows, and tell which rows live in segments.

    Needs a transaction, whose end unlocks. Raises MovedError where a shard that was locked together
    with others must be locked alone after all: the transaction must be begun again.
    """
    shard = rows.point_ids % SHARDS
    wanted = np.flatnonzero(np.bincount(shard, minlength=SHARDS))
    looked = _seen[0] if _seen else _watermarks(now)
    alone = np.isin(wanted, shard[rows.at_us < looked[shard]])
    if connection.vendor == "postgresql":
        _lock(wanted, alone)
    looked = _watermarks(now)
    _seen[:] = [looked]
    sealed = rows.at_us < looked[shard]
    if not set(np.unique(shard[sealed]).tolist()) <= set(wanted[alone].tolist()):
        raise MovedError
    return sealed


def lock_alone(shard: int) -> int:
    """Lock one shard against everybody, and give its watermark. Needs a transaction."""
    if connection.vendor == "postgresql":
        _lock(np.array([shard]), np.array([True]))
    mark = Watermark.objects.filter(shard=shard).first()
    return mark.sealed_before_us if mark is not None else 0


def move(shard: int, *, sealed_before_us: int) -> None:
    """Needs the shard's lock alone."""
    Watermark.objects.update_or_create(shard=shard, defaults={"sealed_before_us": sealed_before_us})


def points_of(shard: int) -> list[int]:
    placed = MeasurementPoint.objects.annotate(shard=Mod(F("pk"), SHARDS))
    return list(placed.filter(shard=shard).order_by("pk").values_list("pk", flat=True))


def by_shard(point_ids: Iterable[int]) -> dict[int, list[int]]:
    shards: dict[int, list[int]] = {}
    for point in sorted(set(point_ids)):
        shards.setdefault(point % SHARDS, []).append(point)
    return shards


def _watermarks(now: dt.datetime) -> Ints:
    """By shard. What an empty store is told first is history up to some days ago: sealed."""
    marks = _marks()
    if len(marks) < SHARDS:
        today_us = to_us(now) - to_us(now) % DAY_US
        first = today_us - HOT_DAYS * DAY_US
        missing = [shard for shard in range(SHARDS) if shard not in marks]
        Watermark.objects.bulk_create(
            [Watermark(shard=shard, sealed_before_us=first) for shard in missing],
            ignore_conflicts=True,
        )
        marks = _marks()
    return np.array([marks[shard] for shard in range(SHARDS)], np.int64)


def _marks() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT shard, sealed_before_us FROM maintenance_watermark")
        return dict(cursor.fetchall())


def _lock(shards: Ints, alone: Flags) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [_LOCKS, _LOCKS, shards.tolist(), alone.tolist()])
