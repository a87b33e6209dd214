"""Readings and events become feature rows: one for each asset, at one instant, written once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import numpy as np
from django.db import transaction

from maintenance.instants import to_us
from maintenance.models import Asset, AssetClass, FeatureRow, FeatureSet, ModelVersion, Site
from maintenance.queries import histories
from predictors.features import build_features
from predictors.schema import AssetHistory, Instants
from predictors.schema import FeatureSet as Declaration


def rows(*, site: Site, as_of: dt.datetime, now: dt.datetime) -> int:
    """Write the feature rows that the serving models read. Says how many are new."""
    written = 0
    for asset_class in AssetClass.objects.filter(site=site):
        written += _rows_of_class(asset_class, as_of=as_of, now=now)
    return written


def _rows_of_class(asset_class: AssetClass, *, as_of: dt.datetime, now: dt.datetime) -> int:
    served = ModelVersion.objects.champions().filter(failure_mode__asset_class=asset_class)
    feature_sets = FeatureSet.objects.filter(pk__in=served.values("feature_set"))
    missing = {
        feature_set: set(_without_row(asset_class, feature_set, as_of))
        for feature_set in feature_sets
    }
    if not any(missing.values()):
        return 0
    known = histories.of_class(asset_class, as_of=as_of)
    origins_us = np.array([to_us(as_of)], dtype=np.int64)
    new = [
        _row(history, feature_set, origins_us, as_of=as_of, now=now)
        for feature_set in feature_sets
        for history in known
        if int(history.asset_id) in missing[feature_set]
    ]
    with transaction.atomic():
        FeatureRow.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _row(
    history: AssetHistory,
    feature_set: FeatureSet,
    origins_us: Instants,
    *,
    as_of: dt.datetime,
    now: dt.datetime,
) -> FeatureRow:
    declared = Declaration.from_dict(feature_set.declaration)
    values = build_features(history, origins_us, declared)[0]
    return FeatureRow(
        asset_id=int(history.asset_id),
        feature_set=feature_set,
        as_of=as_of,
        values=FeatureRow.packed(values),
        recorded_at=now,
    )


def _without_row(
    asset_class: AssetClass, feature_set: FeatureSet, as_of: dt.datetime
) -> Iterable[int]:
    assets = Asset.objects.filter(asset_class=asset_class).in_service(at=as_of)
    have = FeatureRow.objects.filter(feature_set=feature_set, as_of=as_of)
    return assets.exclude(pk__in=have.values("asset")).values_list("pk", flat=True)
