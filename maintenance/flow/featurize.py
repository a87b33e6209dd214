"""Readings and events become feature rows: one for each asset and instant, written once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
from django.db import transaction

from maintenance.instants import from_us, to_us
from maintenance.models import AssetClass, FeatureRow, FeatureSet, ModelVersion, Site
from maintenance.operations import Fence, unfenced
from maintenance.queries import histories
from predictors.features import build_features
from predictors.schema import AssetHistory, Instants
from predictors.schema import FeatureSet as Declaration

WRITE_ROWS = 500


def rows(
    *, site: Site, as_of: Sequence[dt.datetime], now: dt.datetime, fence: Fence = unfenced
) -> int:
    """Write the feature rows that the serving models read at these instants.

    A row never sees what became known after its instant, so history can be replayed. What is
    there stays. Says how many rows are new.
    """
    new = [
        row
        for asset_class in AssetClass.objects.filter(site=site)
        for row in _rows_of_class(asset_class, as_of=as_of, now=now)
    ]
    with transaction.atomic():
        FeatureRow.objects.bulk_create(new, batch_size=WRITE_ROWS, ignore_conflicts=True)
        fence({"feature_rows": len(new)})
    return len(new)


def _rows_of_class(
    asset_class: AssetClass, *, as_of: Sequence[dt.datetime], now: dt.datetime
) -> Iterator[FeatureRow]:
    served = ModelVersion.objects.champions().filter(failure_mode__asset_class=asset_class)
    feature_sets = list(FeatureSet.objects.filter(pk__in=served.values("feature_set")))
    if not feature_sets:
        return
    declared_of = {one.pk: Declaration.from_dict(one.declaration) for one in feature_sets}
    known = histories.to_score(asset_class, as_of=as_of, feature_sets=list(declared_of.values()))
    key_of = dict(asset_class.assets.values_list("code", "pk"))
    for feature_set in feature_sets:
        declared = declared_of[feature_set.pk]
        written = set(
            FeatureRow.objects.filter(feature_set=feature_set, as_of__in=as_of).values_list(
                "asset_id", "as_of"
            )
        )
        for history in known:
            asset_id = key_of[history.asset_id]
            origins = [at for at in as_of if (asset_id, at) not in written]
            origins_us = _lived(history, origins)
            values = build_features(history, origins_us, declared)
            for at_us, one in zip(origins_us.tolist(), values, strict=True):
                yield FeatureRow(
                    asset_id=asset_id,
                    feature_set=feature_set,
                    as_of=from_us(at_us),
                    values=FeatureRow.packed(one),
                    recorded_at=now,
                )


def _lived(history: AssetHistory, origins: Sequence[dt.datetime]) -> Instants:
    """The instants at which the asset was in service."""
    instants = [to_us(at) for at in origins]
    return np.array([at for at in instants if at >= history.commissioned_us], dtype=np.int64)
