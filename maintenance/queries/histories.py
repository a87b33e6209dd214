"""What is known of the assets of a class at an instant, in the form the predictors read."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from maintenance import store
from maintenance.instants import to_us
from maintenance.models import (
    Asset,
    AssetClass,
    ErrorEvent,
    Failure,
    FailureMode,
    Installation,
    MeasurementPoint,
)
from maintenance.queries import quality
from predictors.features import needed_spans_us
from predictors.schema import AssetHistory, Doubts, FeatureSet, Instants, Series

Times = Mapping[int, Mapping[str, list[int]]]
Spans = list[tuple[int, int]]
"""Spans of time ``(after, until]`` in UTC microseconds, in order and apart."""


def of_class(asset_class: AssetClass, *, as_of: dt.datetime) -> list[AssetHistory]:
    """The histories of the assets in service, from facts up to and including `as_of`.

    They are called and sorted by the codes of the assets: what is learnt from them depends
    neither on keys nor on how a database collates.
    """
    assets = _in_service(asset_class, as_of=as_of)
    readings = _readings(assets, as_of=as_of)
    return _told(asset_class, assets, readings, as_of=as_of)


def to_score(
    asset_class: AssetClass, *, as_of: Sequence[dt.datetime], feature_sets: Sequence[FeatureSet]
) -> list[AssetHistory]:
    """As much of the histories as the feature rows of these instants need: the rows are the same.

    A night's forecast would otherwise read years of readings to use a month of them.
    """
    assets = _in_service(asset_class, as_of=max(as_of))
    return _to_score(asset_class, assets, as_of=as_of, feature_sets=feature_sets)


def of_asset(
    asset: Asset, *, as_of: dt.datetime, feature_sets: Sequence[FeatureSet]
) -> AssetHistory:
    """As much of one asset's history as its feature rows at `as_of` need: the rows are the same."""
    return _to_score(asset.asset_class, [asset], as_of=[as_of], feature_sets=feature_sets)[0]


def _to_score(
    asset_class: AssetClass,
    assets: list[Asset],
    *,
    as_of: Sequence[dt.datetime],
    feature_sets: Sequence[FeatureSet],
) -> list[AssetHistory]:
    origins_us = np.array([to_us(at) for at in as_of], dtype=np.int64)
    nothing_read: dict[int, dict[str, Series]] = {asset.pk: {} for asset in assets}
    bare = _told(asset_class, assets, nothing_read, as_of=max(as_of))
    spans = [needed_spans_us(history, origins_us, feature_sets) for history in bare]
    return [
        replace(history, readings=_readings_within(asset, needed, as_of=max(as_of)))
        for asset, history, needed in zip(assets, bare, spans, strict=True)
    ]


def _in_service(asset_class: AssetClass, *, as_of: dt.datetime) -> list[Asset]:
    in_service = Asset.objects.filter(asset_class=asset_class).in_service(at=as_of)
    return sorted(in_service, key=lambda asset: asset.code)


def _told(
    asset_class: AssetClass,
    assets: list[Asset],
    readings: Mapping[int, Mapping[str, Series]],
    *,
    as_of: dt.datetime,
) -> list[AssetHistory]:
    modes = list(FailureMode.objects.filter(asset_class=asset_class))
    events = _error_events(assets, as_of=as_of)
    failures = _failures(assets, as_of=as_of)
    renewals = _renewals(assets, modes, as_of=as_of)
    observed_from_us = _observed_from_us(readings, failures)
    doubts = _doubts(assets)
    return [
        AssetHistory(
            asset_id=asset.code,
            asset_class=asset_class.code,
            commissioned_us=to_us(asset.commissioned_at),
            observed_until_us=to_us(as_of),
            observed_from_us=observed_from_us,
            readings=readings[asset.pk],
            events=_arrays(events[asset.pk]),
            renewals=_arrays(renewals[asset.pk]),
            failures=_arrays(failures[asset.pk]),
            statics={name: float(value) for name, value in asset.attributes.items()},
            doubts=doubts[asset.pk],
        )
        for asset in assets
    ]


def _readings(assets: list[Asset], *, as_of: dt.datetime) -> dict[int, dict[str, Series]]:
    found: dict[int, dict[str, Series]] = {asset.pk: {} for asset in assets}
    points = MeasurementPoint.objects.filter(asset__in=assets)
    by_id = {point.pk: point for point in points}
    for point_id, (at_us, values) in store.read(list(by_id), 0, to_us(as_of) + 1).items():
        if len(at_us):
            point = by_id[point_id]
            found[point.asset_id][point.code] = Series(at_us=at_us, values=values)
    return found


def _readings_within(asset: Asset, spans: Spans, *, as_of: dt.datetime) -> dict[str, Series]:
    """A point that is silent in all spans is read whole: features tell silent from never there."""
    if not spans:
        return {}
    code_of = dict(MeasurementPoint.objects.filter(asset=asset).values_list("pk", "code"))
    known_us = to_us(as_of)
    parts = [
        store.read(list(code_of), after + 1, min(until, known_us) + 1) for after, until in spans
    ]
    found = {}
    for point_id, code in code_of.items():
        at_us = np.concatenate([part[point_id][0] for part in parts])
        values = np.concatenate([part[point_id][1] for part in parts])
        if not len(at_us):
            at_us, values = store.read([point_id], 0, known_us + 1)[point_id]
        if len(at_us):
            found[code] = Series(at_us=at_us, values=values)
    return found


def _doubts(assets: list[Asset]) -> dict[int, dict[str, Doubts]]:
    """Flagged stretches go with the history: which origin knows of which, the features decide."""
    found: dict[int, dict[str, Doubts]] = {asset.pk: {} for asset in assets}
    points = MeasurementPoint.objects.filter(asset__in=assets)
    by_id = {pk: (asset, code) for pk, asset, code in points.values_list("pk", "asset_id", "code")}
    for point_id, doubts in quality.doubts(by_id).items():
        asset_id, code = by_id[point_id]
        found[asset_id][code] = doubts
    return found


def _error_events(assets: list[Asset], *, as_of: dt.datetime) -> Times:
    events = ErrorEvent.objects.filter(asset__in=assets, occurred_at__lte=as_of)
    return _grouped(events.order_by("occurred_at").values_list("asset_id", "code", "occurred_at"))


def _failures(assets: list[Asset], *, as_of: dt.datetime) -> Times:
    failures = Failure.objects.filter(asset__in=assets, occurred_at__lte=as_of)
    return _grouped(
        failures.order_by("occurred_at").values_list(
            "asset_id", "failure_mode__code", "occurred_at"
        )
    )


def _renewals(assets: list[Asset], modes: list[FailureMode], *, as_of: dt.datetime) -> Times:
    """An installation renews every failure mode that its component can suffer."""
    modes_of = defaultdict(list)
    for mode in modes:
        modes_of[mode.component_code].append(mode.code)
    installations = (
        Installation.objects.filter(component__asset__in=assets, installed_at__lte=as_of)
        .order_by("installed_at")
        .values_list("component__asset_id", "component__code", "installed_at")
    )
    return _grouped(
        (asset_id, mode, at)
        for asset_id, component, at in installations
        for mode in modes_of[component]
    )


def _observed_from_us(readings: Mapping[int, Mapping[str, Series]], failures: Times) -> int | None:
    """Failures count as recorded from the first reading or failure of the class on."""
    first = [
        int(series.at_us[0]) for by_code in readings.values() for series in by_code.values()
    ] + [times[0] for by_mode in failures.values() for times in by_mode.values()]
    return min(first, default=None)


def _grouped(rows: Iterable[tuple[int, str, dt.datetime]]) -> Times:
    grouped: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for asset_id, code, at in rows:
        grouped[asset_id][code].append(to_us(at))
    return grouped


def _arrays(times: Mapping[str, list[int]]) -> dict[str, Instants]:
    return {code: np.array(instants, dtype=np.int64) for code, instants in times.items()}
