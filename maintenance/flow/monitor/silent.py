"""Measurement points that no longer say anything."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q

from maintenance import store
from maintenance.choices import AlertKind
from maintenance.flow.monitor.findings import Finding
from maintenance.instants import from_us
from maintenance.models import Asset, Downtime, MeasurementPoint, Site
from maintenance.queries import quality

LEAST_SILENCE = dt.timedelta(days=1)
USUAL_SAMPLING = dt.timedelta(days=1)
MISSED_SAMPLES = 4


def silent_points(site: Site, *, as_of: dt.datetime) -> list[Finding]:
    """One alert for a point, for an asset of which every point is silent, or for the whole site.

    An asset that stands still says nothing: that is no fault of its sensors.
    """
    points = _speaking(site, as_of=as_of)
    last = store.last_at_us(point.pk for point in points)
    spoke = {point: from_us(last[point.pk]) for point in points if point.pk in last}
    silent = {point: at for point, at in spoke.items() if as_of - at > _patience(point)}
    if len(silent) > 1 and len(silent) == len(spoke):
        return [
            Finding(AlertKind.SILENT_POINT, "site", _silence(max(silent.values()), len(silent)))
        ]
    by_asset: dict[Asset, list[MeasurementPoint]] = defaultdict(list)
    for point in spoke:
        by_asset[point.asset].append(point)
    findings: list[Finding] = []
    for asset, members in by_asset.items():
        findings += _silent_of(asset, [p for p in members if p in silent], len(members), silent)
    return findings


def _speaking(site: Site, *, as_of: dt.datetime) -> list[MeasurementPoint]:
    standing = Downtime.objects.filter(asset__site=site, starts_at__lte=as_of).filter(
        Q(ends_at=None) | Q(ends_at__gt=as_of - LEAST_SILENCE)
    )
    running = Asset.objects.filter(site=site).in_service(at=as_of)
    running = running.exclude(pk__in=standing.values("asset"))
    points = MeasurementPoint.objects.filter(asset__in=running)
    return list(points.select_related("asset").order_by("asset", "code"))


def _patience(point: MeasurementPoint) -> dt.timedelta:
    """What somebody set for the point; else at least a day, and what is usual for it."""
    if point.stale_after_seconds is not None:
        return dt.timedelta(seconds=point.stale_after_seconds)
    learnt_us = quality.limits_of(point).stale_after_us
    if learnt_us is not None:
        return max(LEAST_SILENCE, dt.timedelta(microseconds=learnt_us))
    sampling = USUAL_SAMPLING
    if point.sampling_seconds:
        sampling = dt.timedelta(seconds=point.sampling_seconds)
    return max(LEAST_SILENCE, MISSED_SAMPLES * sampling)


def _silent_of(
    asset: Asset,
    silent: Sequence[MeasurementPoint],
    points: int,
    since: Mapping[MeasurementPoint, dt.datetime],
) -> Iterator[Finding]:
    if len(silent) > 1 and len(silent) == points:
        newest = max(since[point] for point in silent)
        yield Finding(
            kind=AlertKind.SILENT_POINT,
            key=f"asset:{asset.pk}",
            parameters={"asset": asset.code, **_silence(newest, points)},
            point=silent[0],
        )
        return
    for point in silent:
        yield Finding(
            kind=AlertKind.SILENT_POINT,
            key=f"point:{point.pk}",
            parameters={"asset": asset.code, "name": point.name, **_silence(since[point], 1)},
            point=point,
        )


def _silence(since: dt.datetime, points: int) -> dict[str, Any]:
    return {"since": since.isoformat(), "points": points}
