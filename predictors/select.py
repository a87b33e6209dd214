"""Which family serves: the boosted hazard if it has earned it, else a baseline that says why.

Two trials decide. *Other assets*: every family is judged on assets it was not fitted on.
*Later time*: every family is fitted on what was known at a past instant and judged on what
came after. A hazard that is worse than a baseline by integrated Brier score in either does not
serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from predictors import constant, discrete, hazard, logistic, periods, weibull
from predictors.boosting import Boosting, Trees
from predictors.dataset import Dataset
from predictors.discrete import Fit
from predictors.errors import NotEnoughEvidence
from predictors.evaluate import report
from predictors.forecaster import Forecaster
from predictors.schema import Floats, Grade, Instants

SMALLEST_FAILURES = 10
SMALLEST_ASSETS = 5
SMALLEST_LATER_FAILURES = 4
LATER_SHARE = 0.3
LATER_FOLDS = 2
BASELINE_FOLDS = 4
MARGIN = 0.002
"""How much worse, relative to the baseline, still counts as not worse: sampling of rows."""

Report = dict[str, Any]


@dataclass(frozen=True)
class ModelCard:
    """What a forecaster is, what it learnt from and why it serves.

    ``metrics`` maps a trial (``other_assets``, ``later_time``) to the report of each family.
    ``skill`` is 1 - integrated Brier / that of the best baseline on other assets, or None.
    """

    mode: str
    family: str
    why: str
    grade: Grade
    metrics: Mapping[str, Mapping[str, Report]]
    skill: float | None
    failures: int
    lives: int
    assets: int
    rows: int
    horizon_days: int
    seed: int
    dataset_hash: str
    feature_hash: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, read back by `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read back `to_dict`."""
        return cls(**{**plain, "grade": Grade(plain["grade"])})


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What each family said of assets that it was not fitted on.

    ``rows`` is a weighted sample of the dataset; ``risk`` maps a family to its curves of those
    rows, float64[n, ``horizon_days`` + 1].
    """

    rows: Dataset
    risk: Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Model:
    """A forecaster and its card: what `predictors.registry` keeps.

    ``held_out`` is there after a fit, for a judge (`predictors.gate`); it is not kept.
    """

    forecaster: Forecaster
    card: ModelCard
    held_out: HeldOut | None = None


def fit_best(
    dataset: Dataset, *, seed: int = 0, threads: int = 1, how: Boosting | None = None
) -> Model:
    """Fit every family that the evidence allows and choose the one that serves.

    Same dataset and seed, same bits. Raises `NotEnoughEvidence` only when no life of the mode
    was ever watched.
    """
    baseline, why_baseline = _baseline(dataset)
    refusal = _too_little(dataset)
    if refusal:
        return _by_age(dataset, baseline, f"{refusal}; {why_baseline}", seed)
    try:
        forecaster, found = hazard.learn(dataset, seed=seed, threads=threads, how=how)
        held_out = HeldOut(found.rows, _held_out(found))
        trials = {
            "other_assets": _other_assets(found, held_out, seed),
            "later_time": _later_time(dataset, seed=seed, threads=threads, how=how),
        }
    except NotEnoughEvidence as error:
        return _by_age(dataset, baseline, f"{error}; {why_baseline}", seed)
    verdict = _verdict(trials)
    if verdict:
        model = _model(dataset, baseline, f"{verdict}; {why_baseline}", trials, seed)
    else:
        why = "better than age and constant, held out"
        model = _model(dataset, forecaster, why, trials, seed)
    return replace(model, held_out=held_out)


def fit_baseline(dataset: Dataset, *, why: str, like: Model) -> Model:
    """The baseline of the dataset of ``like``, which it replaces for the reason ``why``."""
    baseline, why_baseline = _baseline(dataset)
    told = f"{why}; {why_baseline}"
    model = _model(dataset, baseline, told, like.card.metrics, like.card.seed)
    return replace(model, held_out=like.held_out)


def _too_little(dataset: Dataset) -> str:
    if not len(dataset):
        return "no decision instant lies within a life"
    failing = len({life.asset_id for life in dataset.lives if life.failed})
    if dataset.failures < SMALLEST_FAILURES:
        return f"{dataset.failures} failures, {SMALLEST_FAILURES} needed for a model of readings"
    if failing < SMALLEST_ASSETS:
        return f"failures on {failing} assets, {SMALLEST_ASSETS} needed for a model of readings"
    return ""


def _baseline(dataset: Dataset) -> tuple[Forecaster, str]:
    try:
        return weibull.fit(dataset), "risk by age serves"
    except NotEnoughEvidence as error:
        return constant.fit(dataset), f"{error}: one constant rate serves"


Baseline = Callable[[Dataset], Forecaster]
BASELINES: Mapping[str, Baseline] = {"weibull": weibull.fit, "constant": constant.fit}


def _held_out(found: Fit[Trees]) -> dict[str, Floats]:
    by_age = {name: _by_fold(found.rows, found.fold, fit) for name, fit in BASELINES.items()}
    return {"hazard": found.held_out, **by_age}


def _other_assets(found: Fit[Trees], held_out: HeldOut, seed: int) -> dict[str, Report]:
    _, line = logistic.learn(found.rows, seed=seed, folds=int(found.fold.max()) + 1)
    reports = {family: _report(held_out.rows, risk) for family, risk in held_out.risk.items()}
    return reports | {"logistic": _report(line.rows, line.held_out)}


def _by_fold(rows: Dataset, fold: Instants, fit: Baseline) -> Floats:
    risk = np.zeros((len(rows), rows.horizon_days + 1))
    for held in np.unique(fold):
        ids = {rows.lives[life].asset_id for life in rows.life[fold != held]}
        fitted = fit(rows.of_assets(ids))
        risk[fold == held] = fitted.risk(rows.x[fold == held])
    return risk


def _by_age(dataset: Dataset, baseline: Forecaster, why: str, seed: int) -> Model:
    """The baseline, with what it says of assets left out where there is more than one."""
    model = _model(dataset, baseline, why, {}, seed)
    random = np.random.default_rng(seed)
    rows = periods.thin_rows(dataset, at_most=discrete.ROW_LIMIT, random=random)
    fold = discrete.fold_of_rows(rows, folds=BASELINE_FOLDS, random=random)
    try:
        risk = _by_fold(rows, fold, BASELINES[baseline.family])
    except NotEnoughEvidence:
        return model
    return replace(model, held_out=HeldOut(rows, {baseline.family: risk}))


def _later_time(
    dataset: Dataset, *, seed: int, threads: int, how: Boosting | None
) -> dict[str, Report]:
    """Reports on the last rows by families fitted before them; {} if too few failures to tell."""
    split_us = int(np.quantile(dataset.origin_us, 1 - LATER_SHARE))
    before = dataset.known_by(split_us)
    after = dataset.take(dataset.origin_us >= split_us)
    failed_lives = np.unique(after.life[after.failed]).size
    if failed_lives < SMALLEST_LATER_FAILURES or before.failures < SMALLEST_FAILURES:
        return {}
    random = np.random.default_rng(seed)
    judged = periods.thin_rows(after, at_most=discrete.ROW_LIMIT // 2, random=random)
    families: dict[str, Forecaster] = {
        "hazard": hazard.learn(before, seed=seed, threads=threads, folds=LATER_FOLDS, how=how)[0],
        **{family: fit(before) for family, fit in BASELINES.items()},
    }
    return {family: _report(judged, fitted.risk(judged.x)) for family, fitted in families.items()}


def _report(rows: Dataset, risk: Floats) -> Report:
    return report(risk, duration_days=rows.duration_days, failed=rows.failed, weight=rows.weight)


def _verdict(trials: Mapping[str, Mapping[str, Report]]) -> str:
    """Why the hazard may not serve; empty if it may."""
    for trial, reports in trials.items():
        for family in BASELINES:
            if not reports:
                continue
            ours, theirs = (reports[name]["integrated_brier"] for name in ("hazard", family))
            if not ours <= theirs * (1 + MARGIN):
                words = trial.replace("_", " ")
                return f"on {words} the hazard's Brier score {ours:.4g} is worse than {family}'s"
    return ""


def _model(
    dataset: Dataset,
    forecaster: Forecaster,
    why: str,
    trials: Mapping[str, Mapping[str, Report]],
    seed: int,
) -> Model:
    skill = _skill(trials.get("other_assets", {}))
    card = ModelCard(
        mode=dataset.mode,
        family=forecaster.family,
        why=why,
        grade=_grade(dataset, forecaster.family, skill),
        metrics=trials,
        skill=skill,
        failures=dataset.failures,
        lives=len(dataset.lives),
        assets=len(dataset.asset_ids),
        rows=len(dataset),
        horizon_days=dataset.horizon_days,
        seed=seed,
        dataset_hash=dataset.content_hash,
        feature_hash=dataset.feature_set.code_hash,
    )
    return Model(forecaster, card)


def _skill(reports: Mapping[str, Report]) -> float | None:
    if not reports:
        return None
    best = min(reports[family]["integrated_brier"] for family in BASELINES)
    return float(1 - reports["hazard"]["integrated_brier"] / best)


def _grade(dataset: Dataset, family: str, skill: float | None) -> Grade:
    """A: a model of readings with 30 failures and a skill of .1; D: fewer than 3 failures."""
    if family == "hazard":
        strong = dataset.failures >= 30 and (skill or 0) >= 0.1
        return Grade.A if strong else Grade.B
    return Grade.C if dataset.failures >= weibull.SMALLEST_FAILURES else Grade.D
