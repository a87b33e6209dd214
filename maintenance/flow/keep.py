"""Keeping readings: whole days are sealed, old ones deleted, wrong ones corrected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Coalesce

from maintenance import store
from maintenance.instants import from_us, to_us
from maintenance.models import AuditEntry, MeasurementPoint, ReadingCorrection, Site, User
from maintenance.store import Floats, Ints


@dataclass(frozen=True)
class Corrected:
    """How many values were replaced; the others had that value already, or no reading at all."""

    replaced: int
    left: int


def seal(*, now: dt.datetime, report: Callable[[int, int], object] | None = None) -> int:
    """Move the whole days that are over for long enough into segments; how many readings moved.

    Shard by shard, each day of it a transaction: it may be killed and run again at any time.
    """
    before_us = to_us(now - dt.timedelta(days=store.HOT_DAYS))
    moved = 0
    for shard in range(store.SHARDS):
        moved += store.fold(shard, before_us=before_us)
        if report is not None:
            report(shard + 1, store.SHARDS)
    return moved


def retain(*, now: dt.datetime) -> int:
    """Delete readings older than their point, or else its site, is to keep them; how many.

    Where neither says for how long, readings are kept for good.
    """
    kept = MeasurementPoint.objects.annotate(
        days=Coalesce("keep_days", "asset__site__keep_readings_days")
    ).exclude(days=None)
    by_days: dict[int, list[int]] = {}
    for point, days in kept.values_list("pk", "days"):
        by_days.setdefault(days, []).append(point)
    return sum(
        store.retain(points, after_us=to_us(now - dt.timedelta(days=days)))
        for days, points in sorted(by_days.items())
    )


def correct(
    *,
    site: Site,
    point_ids: Ints,
    at_us: Ints,
    values: Floats,
    reason: str,
    by: User | None,
    now: dt.datetime,
) -> Corrected:
    """Replace stored values; each old one is kept, with who replaced it and why.

    Forecasts keep the features that they were made of. Those made from now on, and models trained
    from now on, see the corrected values.
    """
    wanted = set(point_ids.tolist())
    if MeasurementPoint.objects.of_site(site).filter(pk__in=wanted).count() != len(wanted):
        raise ValueError("the points must be of the site")
    with transaction.atomic():
        replaced = store.replace(point_ids, at_us, values)
        ReadingCorrection.objects.bulk_create(
            [
                ReadingCorrection(
                    point_id=one.point_id,
                    at=from_us(one.at_us),
                    old=one.old,
                    new=one.new,
                    reason=reason,
                    by=by,
                    recorded_at=now,
                )
                for one in replaced
            ],
            batch_size=2_000,
        )
        if replaced:
            _audit(site, replaced, reason=reason, by=by, now=now)
            _check_again(replaced)
    return Corrected(replaced=len(replaced), left=len(values) - len(replaced))


def _check_again(replaced: Sequence[store.Replaced]) -> None:
    """What a corrected point's quality is from there on is judged anew by the next check."""
    since = from_us(min(one.at_us for one in replaced))
    corrected = MeasurementPoint.objects.filter(pk__in={one.point_id for one in replaced})
    corrected.filter(quality_checked_until__gt=since).update(quality_checked_until=since)


def _audit(
    site: Site,
    replaced: Sequence[store.Replaced],
    *,
    reason: str,
    by: User | None,
    now: dt.datetime,
) -> None:
    by_point: dict[int, int] = {}
    for one in replaced:
        by_point[one.point_id] = by_point.get(one.point_id, 0) + 1
    names: Mapping[int, MeasurementPoint] = MeasurementPoint.objects.select_related(
        "asset"
    ).in_bulk(by_point)
    AuditEntry.objects.bulk_create(
        AuditEntry(
            site=site,
            at=now,
            by=by,
            action="readings corrected",
            subject=str(names[point])[:160],
            after={"readings": count, "reason": reason},
        )
        for point, count in by_point.items()
    )
