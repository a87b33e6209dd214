"""History and labels become a challenger; it serves only if it passes the gate, and can go back.

Which version serves is written in one place and one transaction: the state of the versions, the
row of `Serving` that opens, the one that closes, and the audit entry.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max

from maintenance.choices import Grade, ModelState, ServingStart, Trigger, Verdict
from maintenance.instants import to_us
from maintenance.models import (
    AssetClass,
    AuditEntry,
    DatasetVersion,
    FailureMode,
    FeatureSet,
    JobPlan,
    ModelVersion,
    Operation,
    Serving,
    Site,
    TrainingRun,
    User,
)
from maintenance.operations import Fence, Report, unfenced, unreported
from maintenance.queries import artefacts, histories, prices
from predictors import archive, gate, registry
from predictors.constant import fit as fit_constant
from predictors.dataset import Dataset, FeatureTable, build_table, label
from predictors.economics import Prices
from predictors.errors import ArtefactError, NotEnoughEvidence
from predictors.gate import BASELINE, CHALLENGER, CHAMPION, Comparison
from predictors.profiles import profile
from predictors.schema import AssetHistory, Floats
from predictors.schema import FeatureSet as Declaration
from predictors.select import HeldOut, Model, fit_baseline, fit_best
from predictors.weibull import Ages, Weibull, fit_ages

PURPOSE = "Failure risk by day of {mode} on {asset_class}, to decide when to do preventive work."
DATASETS = Path("datasets")
MOST_WORDS = 240

log = structlog.get_logger(__name__)


class AlreadyServes(Exception):
    """The version serves already."""


class NothingBefore(Exception):
    """No version served before the one that serves."""


@dataclass(frozen=True, eq=False)
class _Challenger:
    """A fitted model on disk, and what the gate says of it."""

    model: Model
    folder: Path
    artefact_sha256: str
    profile: Mapping[str, Any]
    held_out: Comparison | None
    comparison: Comparison | None
    verdict: gate.Verdict


@dataclass(frozen=True, eq=False)
class _Trial:
    """What one failure mode's training came to: the challengers in the order they were judged."""

    mode: FailureMode
    champion: ModelVersion | None
    dataset: Dataset
    dataset_folder: Path
    life: Weibull
    challengers: tuple[_Challenger, ...]


def train(
    *,
    site: Site,
    as_of: dt.datetime,
    now: dt.datetime,
    trigger: Trigger = Trigger.BUTTON,
    threads: int = 1,
    fence: Fence = unfenced,
    report: Report = unreported,
    operation: Operation | None = None,
) -> dict[str, Any]:
    """Fit a challenger of every failure mode from what was known at `as_of`, and judge it.

    It serves from now on if the gate lets it; otherwise what served goes on. Where nothing
    served, the baseline stands in for a challenger that loses to it (`predictors.gate`).
    """
    modes = FailureMode.objects.filter(asset_class__site=site)
    total, trials = modes.count(), list[_Trial]()
    for asset_class in AssetClass.objects.filter(site=site, failure_modes__in=modes).distinct():
        for trial in _trials(asset_class, as_of=as_of, threads=threads):
            trials.append(trial)
            report(len(trials), total, f"{asset_class.name}: {trial.mode.name}")
    with transaction.atomic():
        runs = [
            run for trial in trials for run in _settle(trial, trigger=trigger, as_of=as_of, now=now)
        ]
        result = {
            "models": [_summary(run) for run in runs],
            "never_watched": _never_watched(modes, trials),
        }
        asked = fence(result) or operation
        TrainingRun.objects.filter(pk__in=[run.pk for run in runs]).update(operation=asked)
    return result


def _never_watched(modes: Iterable[FailureMode], trials: Iterable[_Trial]) -> list[str]:
    """Failure modes without a model: no asset of theirs has been watched for any time."""
    tried = {trial.mode.pk for trial in trials}
    return sorted(mode.code for mode in modes if mode.pk not in tried)


@transaction.atomic
def promote(
    *, model_version: ModelVersion, by: User | None, now: dt.datetime, reason: str
) -> Serving:
    """Let a version serve that somebody chose; forecasts from now on are its own.

    Raises AlreadyServes, or predictors.errors.ArtefactError where its files are not whole.
    """
    _lock(model_version.failure_mode)
    version = ModelVersion.objects.select_related("failure_mode__asset_class__site").get(
        pk=model_version.pk
    )
    if version.state == ModelState.CHAMPION:
        raise AlreadyServes(str(version))
    artefacts.load(version)
    return _serve(version, start=ServingStart.PROMOTION, by=by, now=now, reason=reason)


@transaction.atomic
def roll_back(
    *, failure_mode: FailureMode, by: User | None, now: dt.datetime, reason: str
) -> Serving:
    """Go back to the version that served before the one that serves was promoted.

    Raises NothingBefore, or predictors.errors.ArtefactError where its files are not whole.
    """
    _lock(failure_mode)
    version = served_before(failure_mode)
    if version is None:
        raise NothingBefore(str(failure_mode))
    artefacts.load(version)
    return _serve(version, start=ServingStart.ROLLBACK, by=by, now=now, reason=reason)


def served_before(failure_mode: FailureMode) -> ModelVersion | None:
    """What a rollback would return to, if there is anything."""
    servings = Serving.objects.filter(failure_mode=failure_mode).order_by("-pk")
    current = servings.filter(until_at=None).first()
    if current is None:
        return None
    promotions = servings.filter(
        model_version=current.model_version_id, start=ServingStart.PROMOTION
    )
    began = promotions.first() or current
    earlier = servings.filter(pk__lt=began.pk).exclude(model_version=current.model_version_id)
    before = earlier.select_related("model_version__failure_mode__asset_class__site").first()
    return before.model_version if before else None


def _trials(asset_class: AssetClass, *, as_of: dt.datetime, threads: int) -> Iterator[_Trial]:
    known = histories.of_class(asset_class, as_of=as_of)
    if not known:
        return
    declaration = Declaration.for_class(known, name=asset_class.code)
    table = build_table(known, declaration)
    horizon_days = asset_class.site.forecast_horizon_days
    for mode in asset_class.failure_modes.select_related("asset_class__site"):
        dataset = label(table, mode.code, horizon_days=horizon_days)
        if any(life.end_us > life.entry_us for life in dataset.lives):
            yield _trial(mode, dataset, table, threads=threads)


def _trial(mode: FailureMode, dataset: Dataset, table: FeatureTable, *, threads: int) -> _Trial:
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
    return _Trial(
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
) -> _Challenger:
    folder = _new_folder(mode)
    manifest = registry.save(model, settings.ARTEFACTS_DIR / folder)
    comparison = _compare(model, table, champion, priced)
    return _Challenger(
        model=model,
        folder=folder,
        artefact_sha256=manifest.artefact_hash,
        profile=profile(dataset, model.forecaster).to_dict(),
        held_out=_compare(model, table, None, priced) if champion else comparison,
        comparison=comparison,
        verdict=_verdict(model, champion, comparison),
    )


def _verdict(
    model: Model, champion: ModelVersion | None, comparison: Comparison | None
) -> gate.Verdict:
    if champion is None and comparison is None:
        return gate.Verdict(promoted=True, reason=f"nothing served before; {model.card.why}")
    if champion is not None and champion.dataset_hash == model.card.dataset_hash:
        told = f"it learnt from the same rows as version {champion.version}: nothing is new"
        return gate.Verdict(promoted=False, reason=told)
    if comparison is None:
        told = "too few units to leave some out: nobody can tell whether it is better"
        return gate.Verdict(promoted=False, reason=told)
    return gate.decide(comparison)


def _compare(
    model: Model, table: FeatureTable, champion: ModelVersion | None, priced: Prices | None
) -> Comparison | None:
    """The challenger beside what serves and the baseline, on rows of assets it left out.

    None where no assets could be left out.
    """
    held_out = model.held_out
    if held_out is None or not len(held_out.rows):
        return None
    as_of_us = to_us(champion.trained_as_of) if champion else None
    judged = gate.judged_rows(held_out.rows, champion_as_of_us=as_of_us)
    rows = held_out.rows.take(judged.positions)
    risks = _own_risks(model, held_out, judged.positions)
    if champion is not None:
        risks |= _champion_risk(champion, rows, table)
    horizon_days = min(risk.shape[1] for risk in risks.values()) - 1
    return gate.compare(
        replace(rows, horizon_days=horizon_days),
        {role: risk[:, : horizon_days + 1] for role, risk in risks.items()},
        prices=priced,
        champion_saw_rows=judged.champion_saw_rows,
    )


def _own_risks(
    model: Model, held_out: HeldOut, positions: np.ndarray[Any, np.dtype[np.int64]]
) -> dict[str, Floats]:
    family = model.card.family
    risks = {CHALLENGER: held_out.risk[family][positions]}
    if family == "hazard":
        risks[BASELINE] = held_out.risk["weibull"][positions]
    return risks


def _champion_risk(
    champion: ModelVersion, rows: Dataset, table: FeatureTable
) -> Mapping[str, Floats]:
    """What serves, asked about the same rows; nothing where its files cannot be read.

    It reads the columns it learnt, which need not be those of today.
    """
    try:
        forecaster = artefacts.load(champion).forecaster
    except ArtefactError as error:
        log.warning("champion_unreadable", version=str(champion), error=str(error))
        return {}
    declared = forecaster.feature_set
    if declared.code_hash == rows.feature_set.code_hash:
        return {CHAMPION: forecaster.risk(rows.x)}
    asked = [table.histories[asset] for asset in np.unique(rows.groups)]
    return {CHAMPION: forecaster.risk(_rows_again(asked, rows, table, declared))}


def _rows_again(
    asked: Sequence[AssetHistory], rows: Dataset, table: FeatureTable, declared: Declaration
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The same rows, by asset and instant, in the columns of another feature set."""
    origins = {
        table.histories[asset].asset_id: rows.origin_us[rows.groups == asset]
        for asset in np.unique(rows.groups)
    }
    return build_table(asked, declared, origins_us=origins).x


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
    priced_by = ModelVersion(life=_plain_life(life))
    labour = prices.standard_labour(plan, mode.asset_class.site)
    return prices.of_renewal(mode=mode, plan=plan, version=priced_by, labour=labour)


def _plain_life(life: Weibull) -> dict[str, float]:
    return {"shape": life.shape, "scale_days": life.scale_days}


def _keep(mode: FailureMode, dataset: Dataset) -> Path:
    """Equal rows, equal folder: written once."""
    folder = DATASETS / mode.asset_class.site.code / str(mode.pk) / dataset.content_hash
    archive.keep(dataset, settings.ARTEFACTS_DIR / folder)
    return folder


def _new_folder(mode: FailureMode) -> Path:
    """A name of its own for each fit, so that a fit that is given up never hides another."""
    return Path(mode.asset_class.site.code) / str(mode.pk) / uuid.uuid4().hex


def _settle(
    trial: _Trial, *, trigger: Trigger, as_of: dt.datetime, now: dt.datetime
) -> Iterator[TrainingRun]:
    _lock(trial.mode)
    serving = ModelVersion.objects.champions().filter(failure_mode=trial.mode).first()
    kept = _dataset_version(trial, as_of=as_of, now=now)
    for challenger in trial.challengers:
        verdict = _as_things_stand(challenger.verdict, judged=trial.champion, serving=serving)
        version = _register(trial, challenger, kept, as_of=as_of, now=now)
        if verdict.promoted:
            reason = verdict.reason
            _serve(version, start=ServingStart.PROMOTION, by=None, now=now, reason=reason)
        yield TrainingRun.objects.create(
            failure_mode=trial.mode,
            trigger=trigger if trial.champion else Trigger.FIRST,
            challenger=version,
            champion_before=serving,
            verdict=Verdict.PROMOTED if verdict.promoted else Verdict.REJECTED,
            reason=verdict.reason[:MOST_WORDS],
            comparison=challenger.comparison.to_dict() if challenger.comparison else {},
            recorded_at=now,
        )


def _as_things_stand(
    verdict: gate.Verdict, *, judged: ModelVersion | None, serving: ModelVersion | None
) -> gate.Verdict:
    """A verdict holds against the version it was found against, and no other."""
    if judged == serving:
        return verdict
    told = "another version began to serve meanwhile: it was not judged against that one"
    return gate.Verdict(promoted=False, reason=told)


def _dataset_version(trial: _Trial, *, as_of: dt.datetime, now: dt.datetime) -> DatasetVersion:
    dataset = trial.dataset
    kept, _made = DatasetVersion.objects.get_or_create(
        failure_mode=trial.mode,
        content_hash=trial.challengers[0].model.card.dataset_hash,
        defaults={
            "as_of": as_of,
            "rows": len(dataset),
            "lives": len(dataset.lives),
            "failures": dataset.failures,
            "folder": str(trial.dataset_folder),
            "recorded_at": now,
        },
    )
    return kept


def _register(
    trial: _Trial,
    challenger: _Challenger,
    kept: DatasetVersion,
    *,
    as_of: dt.datetime,
    now: dt.datetime,
) -> ModelVersion:
    mode, card = trial.mode, challenger.model.card
    newest = ModelVersion.objects.filter(failure_mode=mode).aggregate(newest=Max("version"))
    held_out = challenger.held_out.to_dict() if challenger.held_out else {}
    return ModelVersion.objects.create(
        failure_mode=mode,
        feature_set=_declared(mode.asset_class, trial.dataset.feature_set, now=now),
        version=(newest["newest"] or 0) + 1,
        family=card.family,
        why=card.why[:MOST_WORDS],
        purpose=PURPOSE.format(mode=mode.name, asset_class=mode.asset_class.name)[:MOST_WORDS],
        state=ModelState.REJECTED,
        grade=Grade(str(card.grade)),
        trained_as_of=as_of,
        dataset_hash=card.dataset_hash,
        dataset=kept,
        profile=challenger.profile,
        life=_plain_life(trial.life),
        metrics={**gate.plain_json(card.to_dict()), "held_out": held_out},
        artefact=str(challenger.folder),
        artefact_sha256=challenger.artefact_sha256,
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


def _lock(mode: FailureMode) -> None:
    """Trainings, promotions and rollbacks of a failure mode come one after the other."""
    FailureMode.objects.select_for_update().get(pk=mode.pk)


def _serve(
    version: ModelVersion, *, start: ServingStart, by: User | None, now: dt.datetime, reason: str
) -> Serving:
    """Swap what serves; the caller holds the lock of the failure mode."""
    mode = version.failure_mode
    before = ModelVersion.objects.champions().filter(failure_mode=mode).first()
    if before is not None:
        _retire(before, now=now)
    version.state = ModelState.CHAMPION
    version.save(update_fields=["state"])
    AuditEntry.objects.create(
        site=mode.asset_class.site,
        at=now,
        by=by,
        action="roll back model" if start == ServingStart.ROLLBACK else "promote model",
        subject=f"{mode.asset_class.code} {mode.code}"[:160],
        before={"version": before.version if before else None},
        after={"version": version.version, "reason": reason},
    )
    return Serving.objects.create(
        failure_mode=mode,
        model_version=version,
        start=start,
        from_at=now,
        by=by,
        reason=reason[:MOST_WORDS],
    )


def _retire(version: ModelVersion, *, now: dt.datetime) -> None:
    """A version that began to serve before servings were kept gets its row now."""
    version.state = ModelState.RETIRED
    version.save(update_fields=["state"])
    serving, _made = Serving.objects.get_or_create(
        failure_mode=version.failure_mode,
        until_at=None,
        defaults={
            "model_version": version,
            "start": ServingStart.PROMOTION,
            "from_at": min(version.recorded_at, now),
            "reason": version.why,
        },
    )
    serving.until_at = max(now, serving.from_at)
    serving.save(update_fields=["until_at"])


def _summary(run: TrainingRun) -> dict[str, Any]:
    version = run.challenger
    return {
        "asset_class": version.failure_mode.asset_class.code,
        "failure_mode": version.failure_mode.code,
        "version": version.version,
        "family": version.family,
        "grade": version.grade,
        "why": version.why,
        "verdict": run.verdict,
        "reason": run.reason,
    }
