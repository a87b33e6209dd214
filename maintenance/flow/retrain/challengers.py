"""What was known of a class of assets becomes datasets and challengers: files, and no row yet."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from maintenance.flow.retrain import judging
from maintenance.models import AssetClass, FailureMode, JobPlan, ModelVersion
from maintenance.queries import histories, prices
from predictors import archive, gate, registry
from predictors.constant import fit as fit_constant
from predictors.dataset import Dataset, FeatureTable, build_table, label
from predictors.economics import Prices
from predictors.errors import NotEnoughEvidence
from predictors.gate import Comparison
from predictors.profiles import profile
from predictors.schema import FeatureSet
from predictors.select import Model, fit_baseline, fit_best
from predictors.weibull import Ages, Weibull, fit_ages

DATASETS = Path("datasets")


@dataclass(frozen=True, eq=False)
class Challenger:
    """A fitted model on disk, and what the gate says of it."""

    model: Model
    folder: Path
    artefact_sha256: str
    profile: Mapping[str, Any]
    held_out: Comparison | None
    comparison: Comparison | None
    verdict: gate.Verdict


@dataclass(frozen=True, eq=False)
class Trial:
    """What one failure mode's training came to: the challengers in the order they were judged."""

    mode: FailureMode
    champion: ModelVersion | None
    dataset: Dataset
    dataset_folder: Path
    life: Weibull
    challengers: tuple[Challenger, ...]


def trials(asset_class: AssetClass, *, as_of: dt.datetime, threads: int) -> Iterator[Trial]:
    known = histories.of_class(asset_class, as_of=as_of)
    if not known:
        return
    declaration = FeatureSet.for_class(known, name=asset_class.code)
    table = build_table(known, declaration)
    horizon_days = asset_class.site.forecast_horizon_days
    for mode in asset_class.failure_modes.select_related("asset_class__site"):
        dataset = label(table, mode.code, horizon_days=horizon_days)
        if any(life.end_us > life.entry_us for life in dataset.lives):
            yield _trial(mode, dataset, table, threads=threads)


def _trial(mode: FailureMode, dataset: Dataset, table: FeatureTable, *, threads: int) -> Trial:
    served = ModelVersion.objects.champions().select_related("failure_mode", "feature_set")
    champion = served.filter(failure_mode=mode).first()
    life = _life(dataset)
    priced = _prices(mode, life)
    model = fit_best(dataset, threads=threads)
    first = _judged(mode, model, dataset, table, champion, priced)
    challengers = [first]
    if champion is None and not first.verdict.promoted:
        instead = fit_baseline(dataset, why=first.verdict.reason, like=first.model)
        challengers.append(_judged(mode, instead, dataset, table, champion, priced))
    return Trial(
        mode=mode,
        champion=champion,
        dataset=dataset,
        dataset_folder=_keep(mode, dataset),
        life=life,
        challengers=tuple(challengers),
    )


def _judged(
    mode: FailureMode,
    model: Model,
    dataset: Dataset,
    table: FeatureTable,
    champion: ModelVersion | None,
    priced: Prices | None,
) -> Challenger:
    folder = _new_folder(mode)
    manifest = registry.save(model, settings.ARTEFACTS_DIR / folder)
    comparison = judging.compare(model, table, champion, priced)
    return Challenger(
        model=model,
        folder=folder,
        artefact_sha256=manifest.artefact_hash,
        profile=profile(dataset, model.forecaster).to_dict(),
        held_out=judging.compare(model, table, None, priced) if champion else comparison,
        comparison=comparison,
        verdict=judging.verdict(model, champion, comparison),
    )


def _life(dataset: Dataset) -> Weibull:
    """How long a renewed unit lasts, for the price of a day of life; memoryless when unknown."""
    try:
        return fit_ages(Ages.of(dataset.lives))[0]
    except NotEnoughEvidence:
        return Weibull(shape=1.0, scale_days=1 / fit_constant(dataset).rate_per_day)


def _prices(mode: FailureMode, life: Weibull) -> Prices | None:
    """What a failure and its planned renewal cost; None where no job plan renews the mode."""
    plans = JobPlan.objects.filter(failure_mode=mode).prefetch_related("roles", "parts__part")
    plan = plans.order_by("code").first()
    if plan is None:
        return None
    priced_by = ModelVersion(life=plain_life(life))
    labour = prices.standard_labour(plan, mode.asset_class.site)
    return prices.of_renewal(mode=mode, plan=plan, version=priced_by, labour=labour)


def plain_life(life: Weibull) -> dict[str, float]:
    return {"shape": life.shape, "scale_days": life.scale_days}


def _keep(mode: FailureMode, dataset: Dataset) -> Path:
    """Equal rows, equal folder: written once."""
    folder = DATASETS / mode.asset_class.site.code / str(mode.pk) / dataset.content_hash
    archive.keep(dataset, settings.ARTEFACTS_DIR / folder)
    return folder


def _new_folder(mode: FailureMode) -> Path:
    """A name of its own for each fit, so that a fit that is given up never hides another."""
    return Path(mode.asset_class.site.code) / str(mode.pk) / uuid.uuid4().hex
