"""What the data page shows: how fresh each asset's readings are, and what imports brought."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from maintenance import store
from maintenance.choices import ImportState, OperationState
from maintenance.instants import from_us
from maintenance.models import Asset, Import, MeasurementPoint, Operation

USUAL_SAMPLING = dt.timedelta(days=1)
SAMPLES_MISSED_LATE = 3
SAMPLES_MISSED_SILENT = 24
LEAST_LATE = dt.timedelta(hours=1)
LEAST_SILENT = dt.timedelta(days=2)
# Beyond so many points the newest reading of each is looked up for the assets of a page alone.
MOST_POINTS = 2_000

FRESHNESS_ORDER = ("silent", "never", "late", "fresh")


@dataclass(frozen=True)
class PointFreshness:
    pk: int
    name: str
    code: str
    last_at: dt.datetime | None
    state: str


@dataclass(frozen=True)
class AssetFreshness:
    """An asset is as fresh as its worst point."""

    asset: Asset
    points: Sequence[PointFreshness]
    state: str
    last_at: dt.datetime | None

    @property
    def behind(self) -> list[PointFreshness]:
        return [point for point in self.points if point.state != "fresh"]


@dataclass(frozen=True)
class ImportRow:
    """A batch with what its operation says of it."""

    batch: Import
    state: str
    word: str
    error: str
    done: float | None
    note: str

    @property
    def is_open(self) -> bool:
        return self.state in (ImportState.RUNNING, OperationState.QUEUED)


def freshness(
    assets: QuerySet[Asset], points: QuerySet[MeasurementPoint], *, now: dt.datetime
) -> list[AssetFreshness]:
    """Of each of the assets, the most silent first."""
    of_asset: dict[int, list[MeasurementPoint]] = defaultdict(list)
    for point in points.filter(asset__in=assets):
        of_asset[point.asset_id].append(point)
    last = store.last_at_us(point.pk for each in of_asset.values() for point in each)
    found = [
        _of_asset(asset, of_asset[asset.pk], {k: from_us(us) for k, us in last.items()}, now)
        for asset in assets.select_related("asset_class")
    ]
    oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
    return sorted(found, key=lambda f: (FRESHNESS_ORDER.index(f.state), f.last_at or oldest))


def _of_asset(
    asset: Asset,
    points: Iterable[MeasurementPoint],
    last: dict[int, dt.datetime],
    now: dt.datetime,
) -> AssetFreshness:
    told = [_of_point(point, last.get(point.pk), now) for point in points]
    known = [point.last_at for point in told if point.last_at]
    states = {point.state for point in told}
    worst = next((state for state in FRESHNESS_ORDER if state in states), "never")
    return AssetFreshness(asset, told, worst, max(known, default=None))


def _of_point(
    point: MeasurementPoint, last_at: dt.datetime | None, now: dt.datetime
) -> PointFreshness:
    return PointFreshness(point.pk, point.name, point.code, last_at, _state(point, last_at, now))


def _state(point: MeasurementPoint, last_at: dt.datetime | None, now: dt.datetime) -> str:
    if last_at is None:
        return "never"
    sampling = USUAL_SAMPLING
    if point.sampling_seconds:
        sampling = dt.timedelta(seconds=point.sampling_seconds)
    age = now - last_at
    if age <= max(LEAST_LATE, SAMPLES_MISSED_LATE * sampling):
        return "fresh"
    if age <= max(LEAST_SILENT, SAMPLES_MISSED_SILENT * sampling):
        return "late"
    return "silent"


def import_row(batch: Import) -> ImportRow:
    operation = batch.operation
    if batch.state != ImportState.RUNNING or operation is None:
        word = str(batch.get_state_display())
        return ImportRow(batch, batch.state, word, batch.error, None, "")
    if not operation.is_open and operation.state != OperationState.SUCCEEDED:
        word = str(operation.get_state_display())
        return ImportRow(batch, operation.state, word, operation.error, None, "")
    word = str(operation.get_state_display())
    done = _share(operation)
    return ImportRow(batch, operation.state, word, "", done, operation.progress_note)


def _share(operation: Operation) -> float | None:
    if not operation.progress_total:
        return None
    return min(1.0, operation.progress_done / operation.progress_total)
