"""History and labels become a challenger; it serves only if it passes the gate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Max

from maintenance.choices import Grade, ModelState, ServingStart, Trigger, Verdict
from maintenance.flow.retrain.challengers import Challenger, Trial, plain_life, trials
from maintenance.flow.retrain.pruning import prune
from maintenance.flow.retrain.swaps import MOST_WORDS, lock, serve
from maintenance.models import (
    AssetClass,
    DatasetVersion,
    FailureMode,
    FeatureSet,
    ModelVersion,
    Operation,
    Site,
    TrainingRun,
)
from maintenance.operations import Fence, Report, unfenced, unreported
from predictors import gate
from predictors.schema import FeatureSet as Declaration

PURPOSE = "Failure risk by day of {mode} on {asset_class}, to decide when to do preventive work."


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
    total, tried = modes.count(), list[Trial]()
    for asset_class in AssetClass.objects.filter(site=site, failure_modes__in=modes).distinct():
        for trial in trials(asset_class, as_of=as_of, threads=threads):
            tried.append(trial)
            report(len(tried), total, f"{asset_class.name}: {trial.mode.name}")
    with transaction.atomic():
        runs = [
            run for trial in tried for run in _settle(trial, trigger=trigger, as_of=as_of, now=now)
        ]
        result = {
            "models": [_summary(run) for run in runs],
            "never_watched": _never_watched(modes, tried),
        }
        asked = fence(result) or operation
        TrainingRun.objects.filter(pk__in=[run.pk for run in runs]).update(operation=asked)
    prune(site=site, now=now)
    return result


def _never_watched(modes: Iterable[FailureMode], tried: Iterable[Trial]) -> list[str]:
    """Failure modes without a model: no asset of theirs has been watched for any time."""
    watched = {trial.mode.pk for trial in tried}
    return sorted(mode.code for mode in modes if mode.pk not in watched)


def _settle(
    trial: Trial, *, trigger: Trigger, as_of: dt.datetime, now: dt.datetime
) -> Iterator[TrainingRun]:
    lock(trial.mode)
    serving = ModelVersion.objects.champions().filter(failure_mode=trial.mode).first()
    kept = _dataset_version(trial, as_of=as_of, now=now)
    for challenger in trial.challengers:
        verdict = _as_things_stand(challenger.verdict, judged=trial.champion, serving=serving)
        version = _register(trial, challenger, kept, as_of=as_of, now=now)
        if verdict.promoted:
            reason = verdict.reason
            serve(version, start=ServingStart.PROMOTION, by=None, now=now, reason=reason)
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


def _dataset_version(trial: Trial, *, as_of: dt.datetime, now: dt.datetime) -> DatasetVersion:
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
    if not kept.folder:  # it was pruned, and written again for this trial
        kept.folder = str(trial.dataset_folder)
        kept.save(update_fields=["folder"])
    return kept


def _register(
    trial: Trial,
    challenger: Challenger,
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
        life=plain_life(trial.life),
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
