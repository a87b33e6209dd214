"""Feature rows become risk by day, by the model that serves; and models are fitted from history."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef

from maintenance.choices import Grade, ModelState
from maintenance.models import (
    AssetClass,
    FailureMode,
    FeatureRow,
    FeatureSet,
    Forecast,
    ModelVersion,
    Site,
)
from maintenance.operations import Fence, Report, unfenced, unreported
from maintenance.queries import histories
from predictors import registry
from predictors.constant import fit as fit_constant
from predictors.dataset import Dataset, build_table, label
from predictors.errors import ArtefactCorrupt, NotEnoughEvidence
from predictors.schema import FeatureSet as Declaration
from predictors.select import Model, ModelCard, fit_best
from predictors.serving import Score, score
from predictors.weibull import Ages, Weibull, fit_ages

MOST_REASONS = 12
WRITE_ROWS = 500
PURPOSE = "Failure risk by day of {mode} on {asset_class}, to decide when to do preventive work."


@dataclass(frozen=True)
class _Fitted:
    mode: FailureMode
    card: ModelCard
    life: Weibull
    declaration: Declaration
    folder: Path
    artefact_sha256: str


def train(
    *,
    site: Site,
    as_of: dt.datetime,
    now: dt.datetime,
    threads: int = 1,
    fence: Fence = unfenced,
    report: Report = unreported,
) -> dict[str, Any]:
    """Fit a model of every failure mode from what was known at `as_of`; the new ones serve.

    A fit that does not beat the baselines on held-out assets and later time never serves: then
    the baseline does, and says why (`predictors.select`).
    """
    modes = FailureMode.objects.filter(asset_class__site=site)
    total, fitted = modes.count(), list[_Fitted]()
    for asset_class in AssetClass.objects.filter(site=site, failure_modes__in=modes).distinct():
        for one in _fit_class(asset_class, as_of=as_of, threads=threads):
            fitted.append(one)
            report(len(fitted), total, f"{asset_class.name}: {one.mode.name}")
    with transaction.atomic():
        versions = [_register(one, as_of=as_of, now=now) for one in fitted]
        result = {
            "models": [_summary(version) for version in versions],
            "never_watched": _never_watched(modes, fitted),
        }
        fence(result)
    return result


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


def _never_watched(modes: Iterable[FailureMode], fitted: Iterable[_Fitted]) -> list[str]:
    """Failure modes without a model: no asset of theirs has been watched for any time."""
    known = {one.mode.pk for one in fitted}
    return sorted(mode.code for mode in modes if mode.pk not in known)


def _summary(version: ModelVersion) -> dict[str, Any]:
    return {
        "asset_class": version.failure_mode.asset_class.code,
        "failure_mode": version.failure_mode.code,
        "version": version.version,
        "family": version.family,
        "grade": version.grade,
        "why": version.why,
    }


def _fit_class(asset_class: AssetClass, *, as_of: dt.datetime, threads: int) -> Iterator[_Fitted]:
    known = histories.of_class(asset_class, as_of=as_of)
    if not known:
        return
    declaration = Declaration.for_class(known, name=asset_class.code)
    table = build_table(known, declaration)
    horizon_days = asset_class.site.forecast_horizon_days
    for mode in asset_class.failure_modes.all():
        dataset = label(table, mode.code, horizon_days=horizon_days)
        if any(life.end_us > life.entry_us for life in dataset.lives):
            yield _fit_mode(mode, dataset, threads=threads)


def _fit_mode(mode: FailureMode, dataset: Dataset, *, threads: int) -> _Fitted:
    model = fit_best(dataset, threads=threads)
    folder = _new_folder(mode)
    manifest = registry.save(model, settings.ARTEFACTS_DIR / folder)
    return _Fitted(
        mode=mode,
        card=model.card,
        life=_life(dataset),
        declaration=dataset.feature_set,
        folder=folder,
        artefact_sha256=manifest.artefact_hash,
    )


def _life(dataset: Dataset) -> Weibull:
    """How long a renewed unit lasts, for the price of a day of life; memoryless when unknown."""
    try:
        return fit_ages(Ages.of(dataset.lives))[0]
    except NotEnoughEvidence:
        return Weibull(shape=1.0, scale_days=1 / fit_constant(dataset).rate_per_day)


def _new_folder(mode: FailureMode) -> Path:
    """A name of its own for each fit, so that a fit that is given up never hides another."""
    return Path(mode.asset_class.site.code) / str(mode.pk) / uuid.uuid4().hex


def _register(fitted: _Fitted, *, as_of: dt.datetime, now: dt.datetime) -> ModelVersion:
    mode, card = fitted.mode, fitted.card
    versions = ModelVersion.objects.filter(failure_mode=mode)
    newest = versions.aggregate(newest=Max("version"))["newest"] or 0
    versions.champions().update(state=ModelState.RETIRED)
    return ModelVersion.objects.create(
        failure_mode=mode,
        feature_set=_declared(mode.asset_class, fitted.declaration, now=now),
        version=newest + 1,
        family=card.family,
        why=card.why[:240],
        purpose=PURPOSE.format(mode=mode.name, asset_class=mode.asset_class.name),
        state=ModelState.CHAMPION,
        grade=Grade(str(card.grade)),
        trained_as_of=as_of,
        dataset_hash=card.dataset_hash,
        life={"shape": fitted.life.shape, "scale_days": fitted.life.scale_days},
        metrics=card.to_dict(),
        artefact=str(fitted.folder),
        artefact_sha256=fitted.artefact_sha256,
        recorded_at=now,
    )


def _declared(asset_class: AssetClass, declaration: Declaration, *, now: dt.datetime) -> FeatureSet:
    """The feature set of this declaration: the one on record, or the class's next version."""
    sets = FeatureSet.objects.filter(asset_class=asset_class)
    known = sets.filter(code_hash=declaration.code_hash).first()
    newest = sets.aggregate(newest=Max("version"))["newest"] or 0
    return known or FeatureSet.objects.create(
        asset_class=asset_class,
        version=newest + 1,
        code_hash=declaration.code_hash,
        declaration=declaration.to_dict(),
        recorded_at=now,
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
    scores = score(_artefact(version), np.stack([row.unpacked() for row in rows]))
    return [_forecast(version, row, one, now=now) for row, one in zip(rows, scores, strict=True)]


def _artefact(version: ModelVersion) -> Model:
    """The kept model, refused when it is not the one that was registered."""
    folder = settings.ARTEFACTS_DIR / version.artefact
    if registry.read_manifest(folder).artefact_hash != version.artefact_sha256:
        raise ArtefactCorrupt(f"{version}: the manifest is not the registered one")
    return registry.load(folder)


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
