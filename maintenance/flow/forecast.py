"""Feature rows become risk by day, by the model that serves at that moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef

from maintenance.choices import Grade
from maintenance.instants import to_us
from maintenance.models import (
    Asset,
    AssetClass,
    FailureMode,
    FeatureRow,
    Forecast,
    ModelVersion,
    Site,
)
from maintenance.operations import Fence, unfenced
from maintenance.queries import artefacts, histories
from predictors.features import build_features
from predictors.schema import Rows
from predictors.select import Model
from predictors.serving import Score, score

MOST_REASONS = 12
WRITE_ROWS = 500


@dataclass(frozen=True, eq=False)
class ForecastNow:
    """An answer that is given and not kept, with all it was made from."""

    version: ModelVersion
    as_of: dt.datetime
    answer: Score
    features: Mapping[str, float | None]

    @property
    def grade(self) -> Grade:
        return Grade(self.version.grade)


class UnknownFeatures(Exception):
    """Features were given that no serving model of the class reads."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


def serve(
    *, site: Site, as_of: Sequence[dt.datetime], now: dt.datetime, fence: Fence = unfenced
) -> int:
    """Forecast every feature row of these instants by the serving models; what is there stays.

    Says how many forecasts are new.
    """
    champions = ModelVersion.objects.champions().filter(failure_mode__asset_class__site=site)
    new: list[Forecast] = []
    for version in champions.select_related("failure_mode", "feature_set"):
        new += _new_forecasts(version, as_of=as_of, now=now)
    with transaction.atomic():
        Forecast.objects.bulk_create(new, batch_size=WRITE_ROWS, ignore_conflicts=True)
        fence({"forecasts": len(new)})
    return len(new)


def now_for(
    *,
    asset: Asset,
    now: dt.datetime,
    failure_mode: FailureMode | None = None,
    reasons: bool = True,
) -> list[ForecastNow]:
    """What the serving models say of an asset at this moment; nothing is written.

    The same as `serve` would write for an instant that is now. Raises
    predictors.errors.ArtefactError where a model's files are not whole.
    """
    serving = _serving(asset.asset_class_id, failure_mode)
    declared = {
        model.forecaster.feature_set.code_hash: model.forecaster.feature_set for _, model in serving
    }
    origin_us = np.array([to_us(now)], dtype=np.int64)
    history = histories.of_asset(asset, as_of=now, feature_sets=list(declared.values()))
    rows = {key: build_features(history, origin_us, each) for key, each in declared.items()}
    return [
        _now(
            version, model, rows[model.forecaster.feature_set.code_hash], as_of=now, reasons=reasons
        )
        for version, model in serving
    ]


def of_features(
    *,
    asset_class: AssetClass,
    features: Mapping[str, float | None],
    now: dt.datetime,
    failure_mode: FailureMode | None = None,
    reasons: bool = True,
) -> list[ForecastNow]:
    """What the serving models of a class say of features that somebody else computed.

    What is not given counts as not measured. Raises UnknownFeatures.
    """
    serving = _serving(asset_class.pk, failure_mode)
    unknown = set(features).difference(
        *(model.forecaster.feature_set.names for _, model in serving)
    )
    if unknown:
        raise UnknownFeatures(sorted(unknown))
    given = {name: np.nan if value is None else value for name, value in features.items()}
    return [
        _now(
            version,
            model,
            _row(given, model.forecaster.feature_set.names),
            as_of=now,
            reasons=reasons,
        )
        for version, model in serving
    ]


def _row(given: Mapping[str, float], names: Sequence[str]) -> Rows:
    return np.array([[given.get(name, np.nan) for name in names]], dtype=np.float32)


def _serving(
    asset_class_id: int, failure_mode: FailureMode | None
) -> list[tuple[ModelVersion, Model]]:
    """What serves, with what it is made of: kept in memory, so that a request reads one row each.

    The documents of a version are long and no answer needs them.
    """
    champions = ModelVersion.objects.champions().defer("profile", "metrics", "life")
    found = champions.filter(failure_mode__asset_class=asset_class_id)
    if failure_mode is not None:
        found = found.filter(failure_mode=failure_mode)
    served = found.select_related("failure_mode").order_by("failure_mode__code")
    return [(version, artefacts.remembered(version)) for version in served]


def _now(
    version: ModelVersion, model: Model, row: Rows, *, as_of: dt.datetime, reasons: bool
) -> ForecastNow:
    values = zip(model.forecaster.feature_set.names, row[0].tolist(), strict=True)
    return ForecastNow(
        version=version,
        as_of=as_of,
        answer=score(model, row, reasons=reasons)[0],
        features={name: value if np.isfinite(value) else None for name, value in values},
    )


def _new_forecasts(
    version: ModelVersion, *, as_of: Sequence[dt.datetime], now: dt.datetime
) -> list[Forecast]:
    done = Forecast.objects.filter(
        failure_mode=version.failure_mode, asset=OuterRef("asset"), as_of=OuterRef("as_of")
    )
    rows = list(
        FeatureRow.objects.filter(feature_set=version.feature_set, as_of__in=as_of)
        .exclude(Exists(done))
        .order_by("as_of", "asset")
    )
    if not rows:
        return []
    scores = score(artefacts.load(version), np.stack([row.unpacked() for row in rows]))
    return [_forecast(version, row, one, now=now) for row, one in zip(rows, scores, strict=True)]


def _forecast(
    version: ModelVersion, row: FeatureRow, answer: Score, *, now: dt.datetime
) -> Forecast:
    curve, life = answer.curve, answer.remaining_life
    return Forecast(
        asset_id=row.asset_id,
        failure_mode=version.failure_mode,
        model_version=version,
        feature_row=row,
        as_of=row.as_of,
        state=str(answer.state),
        grade=version.grade,
        horizon_days=curve.horizon_days,
        risk=_rounded(curve.risk),
        risk_low=_rounded(curve.low),
        risk_high=_rounded(curve.high),
        risk_14_days=float(curve.at(min(14.0, curve.horizon_days))),
        rul_p10_days=life.p10_days,
        rul_p50_days=life.p50_days,
        rul_p90_days=life.p90_days,
        reasons=[asdict(reason) for reason in answer.reasons[:MOST_REASONS]],
        recorded_at=now,
    )


def _rounded(curve: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    """Six decimals: a millionth of probability is below any decision, and pages stay small."""
    return [float(value) for value in np.round(curve, 6)]
