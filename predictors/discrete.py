"""Discrete-time hazards: what the boosted and the logistic family share.

A hazard is learnt by period (`predictors.periods`), starting from the Weibull hazard at the
row's age, so that a model which learns nothing falls back to age. One member is trained per fold of
assets; each predicts the assets it has not seen, and those predictions calibrate the risk at
every bucket edge. All members serve together: their mean margin is the forecast, their
disagreement and the number of failures seen (binomial) are its band.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from predictors import calibration, periods, weibull
from predictors.boosting import Sample
from predictors.calibration import BetaCalibration
from predictors.dataset import Dataset
from predictors.errors import NotEnoughEvidence
from predictors.evaluate import answers
from predictors.forecaster import Curves, Forecaster
from predictors.schema import BASE_REASON, FeatureSpec, Floats, Instants, Reason, Rows
from predictors.weibull import Weibull

BAND_WIDTH = 1.2816
"""Half width of an 80 % interval, in standard deviations."""

REASON_DAYS = 7
ROW_LIMIT = 10_000
PERIOD_LIMIT = 24_000
CHUNK_ROWS = 4096


class Learner(Protocol):
    """A fitted score of periods; ``x`` float32[m, p + 1] ends with the bucket."""

    def read(self, x: Rows) -> Any:
        """The periods in the form that learners of this kind read: made once for all members."""

    def margin(self, periods: Any, offset: Floats) -> Floats:
        """Log-odds of failing in each period, float64[m]."""

    def contributions(self, periods: Any) -> Floats:
        """What each column adds to the margin less its offset, float64[m, p + 2], base last."""


L = TypeVar("L", bound=Learner)

Teach = Callable[[Sample, Sample, int], L]
"""Train on one sample, stop by another, with a seed."""


@dataclass(frozen=True)
class AgeOffset:
    """Where learning starts: the log-odds of the Weibull hazard of each bucket."""

    law: Weibull
    usual_age_days: float

    def log_odds(self, age_days: Floats, edges_days: Sequence[int]) -> Floats:
        """float64[n, buckets] for float64[n] ages; an unknown age is the usual one."""
        age = np.where(np.isfinite(age_days), age_days, self.usual_age_days)[:, None]
        upper = np.asarray(edges_days, dtype=np.float64)
        lower = np.concatenate([[0.0], upper[:-1]])
        hazard = np.clip(self.law.risk(age + lower, upper - lower), 1e-7, 0.9)
        return np.asarray(np.log(hazard / (1 - hazard)))

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """From the dataset's own lives; raises `NotEnoughEvidence`."""
        baseline = weibull.fit(dataset)
        return cls(baseline.law, baseline.usual_age_days)

    def to_dict(self) -> dict[str, float]:
        """Plain JSON values."""
        law = {"shape": self.law.shape, "scale_days": self.law.scale_days}
        return law | {"usual_age_days": self.usual_age_days}

    @classmethod
    def from_dict(cls, plain: dict[str, float]) -> Self:
        """Read back `to_dict`."""
        return cls(Weibull(plain["shape"], plain["scale_days"]), plain["usual_age_days"])


@dataclass(frozen=True, eq=False)
class Member(Generic[L]):
    """One fold's learner with its starting point."""

    offset: AgeOffset
    learner: L

    def margins(self, x: Rows, age_days: Floats, edges_days: Sequence[int]) -> Floats:
        """Log-odds of every bucket's hazard, float64[n, buckets]."""
        return self.margins_of(self.learner.read(every_bucket(x, edges_days)), age_days, edges_days)

    def margins_of(self, periods: Any, age_days: Floats, edges_days: Sequence[int]) -> Floats:
        """`margins` of periods that a learner of the same kind has read."""
        offset = self.offset.log_odds(age_days, edges_days)
        return self.learner.margin(periods, offset.ravel()).reshape(offset.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class DiscreteForecaster(Forecaster, Generic[L]):
    """Members of one family, their joint calibration, and the evidence behind them."""

    edges_days: tuple[int, ...]
    members: tuple[Member[L], ...]
    calibrated: BetaCalibration
    failures: int
    usual: Floats = field(repr=False)

    def curves(self, x: Rows) -> Curves:
        """Calibrated risk by day and its band."""
        chunks = [
            self._curves(x[start : start + CHUNK_ROWS]) for start in range(0, len(x), CHUNK_ROWS)
        ] or [self._curves(x)]
        return Curves(
            *(
                np.concatenate([getattr(chunk, name) for chunk in chunks])
                for name in ("risk", "low", "high")
            )
        )

    def _curves(self, x: Rows) -> Curves:
        margins = self._margins(x)
        centre = _log_odds(self._edge_risk(margins.mean(axis=0)))
        each = np.stack([_log_odds(self._edge_risk(margin)) for margin in margins])
        spread = each.var(axis=0, ddof=1)
        width = BAND_WIDTH * np.sqrt(spread + 1 / max(self.failures, 1))
        return Curves.banded(
            *(
                periods.risk_by_day(_chance(log_odds), self.edges_days)
                for log_odds in (centre, centre - width, centre + width)
            )
        )

    def risk(self, x: Rows) -> Floats:
        """Calibrated risk by day."""
        chunks = [
            self._edge_risk(self._margins(x[start : start + CHUNK_ROWS]).mean(axis=0))
            for start in range(0, len(x), CHUNK_ROWS)
        ] or [np.empty((0, len(self.edges_days)))]
        return periods.risk_by_day(np.concatenate(chunks), self.edges_days)

    def _margins(self, x: Rows) -> Floats:
        age_days = self.age_days(x)
        periods = self.members[0].learner.read(every_bucket(x, self.edges_days))
        margins = [one.margins_of(periods, age_days, self.edges_days) for one in self.members]
        return np.stack(margins)

    def _edge_risk(self, margins: Floats) -> Floats:
        raw = periods.hazards_to_risk(_chance(margins), self.edges_days)
        return self.calibrated.apply(raw)

    def reasons(self, x: Rows) -> list[list[Reason]]:
        """Mean contributions of the members to the log-odds of the bucket that ends the week."""
        bucket = max(at for at, edge in enumerate(self.edges_days) if edge <= REASON_DAYS or not at)
        shares = self._shares(x, bucket)
        specs = self.feature_set.specs
        return [
            [
                Reason(BASE_REASON, BASE_REASON, BASE_REASON, None, None, None, float(share[-1])),
                *(
                    _reason(spec, float(value), float(usual), float(part))
                    for spec, value, usual, part in zip(specs, row, self.usual, share, strict=False)
                    if part
                ),
            ]
            for row, share in zip(x, shares, strict=True)
        ]

    def _shares(self, x: Rows, bucket: int) -> Floats:
        """float64[n, p + 1]: each column's part of the mean margin, the base last."""
        periods = self.members[0].learner.read(with_bucket(x, np.full(len(x), bucket)))
        raw = np.mean([member.learner.contributions(periods) for member in self.members], axis=0)
        shares = np.delete(raw, -2, axis=1)
        shares[:, -1] += raw[:, -2]  # the bucket is the same for all rows: part of the base
        age_days = self.age_days(x)
        age_column = self.feature_set.names.index(f"{self.mode}.age")
        for member in self.members:
            usual = np.array([member.offset.usual_age_days])
            base = member.offset.log_odds(usual, self.edges_days)[0, bucket]
            offset = member.offset.log_odds(age_days, self.edges_days)[:, bucket]
            shares[:, -1] += base / len(self.members)
            shares[:, age_column] += (offset - base) / len(self.members)
        return np.asarray(shares)

    def parameters(self) -> dict[str, Any]:
        """All but the learners, which are files."""
        return {
            "edges_days": list(self.edges_days),
            "offsets": [member.offset.to_dict() for member in self.members],
            "calibration": self.calibrated.to_list(),
            "failures": self.failures,
            "usual": [None if np.isnan(value) else float(value) for value in self.usual],
        }


@dataclass(frozen=True, eq=False)
class Fit(Generic[L]):
    """A forecaster with the out-of-fold risk of the rows that it was chosen on.

    ``held_out`` float64[n, horizon_days + 1] for the rows of ``rows``: each predicted by a
    member that saw neither its asset nor, in its calibration, its fold.
    """

    members: tuple[Member[L], ...]
    edges_days: tuple[int, ...]
    calibrated: BetaCalibration
    rows: Dataset
    fold: Instants
    held_out: Floats
    usual: Floats


def fit(
    dataset: Dataset, teach: Teach[L], *, seed: int, folds: int, row_limit: int, period_limit: int
) -> Fit[L]:
    """Train one member per fold of assets and calibrate them on what they have not seen.

    Raises `NotEnoughEvidence` if a fold is left without failures to learn from.
    """
    random = np.random.default_rng(seed)
    rows = periods.thin_rows(dataset, at_most=row_limit, random=random)
    fold = fold_of_rows(rows, folds=folds, random=random)
    edges = periods.bucket_edges(dataset.horizon_days)
    members, raw = [], np.zeros((len(rows), len(edges)))
    for held in range(folds):
        inside, outside = rows.take(fold == held), _train_side(rows, fold != held)
        member = _teach(outside, inside, teach, edges, random, period_limit, seed + held)
        margins = member.margins(inside.x, inside.age_days, edges)
        raw[fold == held] = periods.hazards_to_risk(_chance(margins), edges)
        members.append(member)
    everything, crossed = _calibrate(rows, raw, fold, edges)
    return Fit(
        members=tuple(members),
        edges_days=edges,
        calibrated=everything,
        rows=rows,
        fold=fold,
        held_out=periods.risk_by_day(crossed, edges),
        usual=_medians(rows.x),
    )


def assembled(dataset: Dataset, found: Fit[L]) -> dict[str, Any]:
    """The fields of a forecaster made from a fit."""
    return {
        "mode": dataset.mode,
        "horizon_days": dataset.horizon_days,
        "feature_set": dataset.feature_set,
        "edges_days": found.edges_days,
        "members": found.members,
        "calibrated": found.calibrated,
        "failures": dataset.failures,
        "usual": found.usual,
    }


def restored(members: tuple[Member[L], ...], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `DiscreteForecaster.parameters` wrote down, beside its members."""
    usual = [np.nan if value is None else value for value in parameters["usual"]]
    return {
        "edges_days": tuple(parameters["edges_days"]),
        "members": members,
        "calibrated": BetaCalibration.from_list(parameters["calibration"]),
        "failures": parameters["failures"],
        "usual": np.array(usual, dtype=np.float64),
    }


def fold_of_rows(dataset: Dataset, *, folds: int, random: np.random.Generator) -> Instants:
    """A fold per row: whole assets, failures shared out evenly; int64[n]."""
    failures = dict.fromkeys(dataset.asset_ids, 0)
    for life in dataset.lives:
        failures[life.asset_id] += life.failed
    shuffled = random.permutation(list(failures))
    dealt = sorted(shuffled.tolist(), key=lambda asset_id: -failures[asset_id])
    fold_of = {asset_id: position % folds for position, asset_id in enumerate(dealt)}
    of_life = np.array([fold_of[life.asset_id] for life in dataset.lives], dtype=np.int64)
    return of_life[dataset.life]


def every_bucket(x: Rows, edges_days: Sequence[int]) -> Rows:
    """Each row of ``x`` once for every bucket."""
    buckets = np.tile(np.arange(len(edges_days)), len(x))
    return with_bucket(np.repeat(x, len(edges_days), axis=0), buckets)


def with_bucket(x: Rows, bucket: Instants) -> Rows:
    """``x`` with the bucket as its last column."""
    return np.concatenate([x, bucket[:, None].astype(np.float32)], axis=1)


def _train_side(rows: Dataset, chosen: Any) -> Dataset:
    side = rows.take(chosen)
    return rows.of_assets({rows.lives[life].asset_id for life in np.unique(side.life)})


def _teach(
    train: Dataset,
    check: Dataset,
    teach: Teach[L],
    edges: tuple[int, ...],
    random: np.random.Generator,
    period_limit: int,
    seed: int,
) -> Member[L]:
    offset = AgeOffset.of(train)
    samples = [
        _sample(side, offset, edges, random, limit)
        for side, limit in ((train, period_limit), (check, period_limit // 2))
    ]
    if not (samples[0].failed.any() and samples[1].failed.any()):
        raise NotEnoughEvidence(f"{train.mode}: a fold without failures")
    return Member(offset, teach(samples[0], samples[1], seed))


def _sample(
    dataset: Dataset,
    offset: AgeOffset,
    edges: tuple[int, ...],
    random: np.random.Generator,
    period_limit: int,
) -> Sample:
    chosen = periods.thin_periods(
        periods.expand(dataset, edges), at_most=period_limit, random=random
    )
    offsets = offset.log_odds(dataset.age_days, edges)
    return Sample(
        x=with_bucket(dataset.x[chosen.row], chosen.bucket),
        failed=chosen.failed,
        weight=chosen.weight,
        offset=offsets[chosen.row, chosen.bucket],
    )


def _calibrate(
    rows: Dataset, raw: Floats, fold: Instants, edges: tuple[int, ...]
) -> tuple[BetaCalibration, Floats]:
    """The calibration that serves, and each row's risk by one that has not seen its fold."""

    def learn(chosen: Any) -> BetaCalibration:
        side = rows.take(chosen)
        seen = answers(
            duration_days=side.duration_days,
            failed=side.failed,
            weight=side.weight,
            horizons_days=edges,
        )
        failed_lives = np.unique(side.life[side.failed & (side.duration_days <= edges[-1])]).size
        return calibration.fit(raw[chosen], seen, failed_lives=int(failed_lives))

    crossed = np.zeros_like(raw)
    for held in np.unique(fold):
        crossed[fold == held] = learn(fold != held).apply(raw[fold == held])
    return learn(np.ones(len(rows), dtype=bool)), crossed


def _medians(x: Rows) -> Floats:
    """Median of each column without its gaps, NaN where there is nothing else."""
    some = np.isfinite(x).any(axis=0)
    usual = np.full(x.shape[1], np.nan)
    usual[some] = np.nanmedian(x[:, some], axis=0)
    return usual


def _reason(spec: FeatureSpec, value: float, usual: float, part: float) -> Reason:
    return Reason(
        feature=spec.name,
        quantity=spec.quantity,
        statistic=spec.statistic,
        window_days=spec.window_days,
        value=None if np.isnan(value) else value,
        usual=None if np.isnan(usual) else usual,
        contribution=part,
    )


def _chance(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -35, 35))))


def _log_odds(risk: Floats) -> Floats:
    held = np.clip(risk, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(held / (1 - held)))
