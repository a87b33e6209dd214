"""The gate: a challenger serves only if its decisions are no worse than those it replaces.

Challenger, champion and baseline are judged on the same held-out rows:

- *later time*: rows decided after the champion learnt, so that it has not seen them. Where too
  few units failed since, the last 30 % of the history: the champion has seen part of those rows,
  which can only flatter it.
- *unseen assets*: challenger and baseline speak of assets that they were not fitted on.

What is judged is money first. At each row the rule of `predictors.economics` either renews now
(the cheapest time of E falls before the next review) or waits. Over a review period of d days,
a renewal now throws away d days of life, g d; waiting costs C_fail - C_prev + g (d - T) if the
unit fails after T < d days, and nothing otherwise. Rows renewed by somebody in between have no
answer: the others are weighted up (`predictors.evaluate`), so that a prevented failure never
counts as "it would have lasted". The sum is money an asset-year above one planned renewal a life.
Brier score and calibration are judged beside it, for a lucky decision is no better forecast.

Intervals are paired and by asset: whole assets are drawn again, the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from predictors.dataset import Dataset, Flags
from predictors.economics import Prices
from predictors.errors import DatasetError
from predictors.evaluate import Answers, answers, average_precision
from predictors.schema import DAY_US, Floats, Instants

HORIZONS_DAYS = (1, 3, 7, 14, 30, 60)
REVIEW_DAYS = 7
ALARM_DAYS = 14
FOLLOWED_SHARE = 0.2
"""A horizon is judged where at least this share of the rows was decided so long before the end."""

LATER_SHARE = 0.3
SMALLEST_FAILED_LIVES = 3
MARGIN = 0.002
"""How much worse, relative to the rival, still counts as not worse: sampling of rows."""

BINS = 10
DRAWS = 400
INTERVAL = (0.05, 0.95)
YEAR_DAYS = 365.25

CHALLENGER, CHAMPION, BASELINE = "challenger", "champion", "baseline"


@dataclass(frozen=True)
class Bin:
    """One point of a calibration plot: mean forecast, share that failed, weight of the rows."""

    forecast: float
    failed: float
    weight: float


@dataclass(frozen=True)
class Scores:
    """How one forecaster did on the judged rows.

    ``brier`` and ``average_precision`` by horizon in days. ``cost`` is money an asset-year (see
    the module's head), None without prices. The alarm of a row is the rule's "renew now";
    accuracy, precision, recall and F1 set it against a failure within ``alarm_days``. ``rul_``
    compare min(remaining life, ``rul_days``) with its expectation. NaN where nothing happened.
    """

    brier: Mapping[int, float]
    average_precision: Mapping[int, float]
    integrated_brier: float
    cost: float | None
    alarm_days: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    rul_days: int
    rul_mse: float
    rul_mae: float
    rul_rmse: float
    calibration: tuple[Bin, ...]
    calibration_error: float


@dataclass(frozen=True)
class Difference:
    """Challenger less rival, with a paired 90 % interval over assets; below 0 is better."""

    value: float
    low: float
    high: float

    @property
    def is_clearly_worse(self) -> bool:
        """Whether even the lower limit lies above zero."""
        return self.low > 0

    @property
    def is_clearly_better(self) -> bool:
        """Whether even the upper limit lies below zero."""
        return self.high < 0


@dataclass(frozen=True)
class Paired:
    """Challenger against one rival, by money, integrated Brier score and calibration error."""

    cost: Difference | None
    brier: Difference
    calibration: Difference


@dataclass(frozen=True)
class Comparison:
    """Everybody's scores on the same rows, and the challenger against each rival.

    ``champion_saw_rows``: some of the rows were there when the champion learnt.
    """

    from_us: int
    until_us: int
    rows: int
    assets: int
    failed_lives: int
    champion_saw_rows: bool
    review_days: int
    scores: Mapping[str, Scores]
    against: Mapping[str, Paired]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; what is not a number is None."""
        return dict(plain_json(asdict(self)))


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve, and why, in a sentence."""

    promoted: bool
    reason: str


@dataclass(frozen=True, eq=False)
class Judged:
    """The rows of a trial: positions in the held-out rows, int64[k]."""

    positions: Instants
    champion_saw_rows: bool


def judged_rows(rows: Dataset, *, champion_as_of_us: int | None) -> Judged:
    """Which held-out rows to judge on; all of them where nothing serves yet."""
    everything = np.arange(len(rows))
    if champion_as_of_us is None:
        return Judged(everything, champion_saw_rows=False)
    later = everything[rows.origin_us >= champion_as_of_us]
    if _failed_lives(rows.take(later)) >= SMALLEST_FAILED_LIVES:
        return Judged(later, champion_saw_rows=False)
    split_us = np.quantile(rows.origin_us, 1 - LATER_SHARE) if len(rows) else champion_as_of_us
    split_us = min(split_us, champion_as_of_us)
    return Judged(everything[rows.origin_us >= split_us], champion_saw_rows=True)


def compare(
    rows: Dataset,
    risks: Mapping[str, Floats],
    *,
    prices: Prices | None,
    champion_saw_rows: bool = False,
    seed: int = 0,
) -> Comparison:
    """Judge the ``challenger`` of ``risks`` against the others on ``rows``.

    ``risks`` maps a role to float64[n, ``horizon_days`` + 1]. Raises `DatasetError` without rows
    or without a challenger.
    """
    if not len(rows) or CHALLENGER not in risks:
        raise DatasetError("gate: no rows to judge on, or no challenger")
    trial = _Trial.of(rows, prices)
    measured = {role: trial.measure(risk) for role, risk in risks.items()}
    draws = _draws(trial.asset_count, seed)
    return Comparison(
        from_us=int(rows.origin_us.min()),
        until_us=_until_us(rows),
        rows=len(rows),
        assets=rows.assets,
        failed_lives=_failed_lives(rows),
        champion_saw_rows=champion_saw_rows,
        review_days=trial.review_days,
        scores={role: trial.scores(risks[role], one) for role, one in measured.items()},
        against={
            role: _paired(measured[CHALLENGER], rival, draws)
            for role, rival in measured.items()
            if role != CHALLENGER
        },
    )


def decide(comparison: Comparison) -> Verdict:
    """The verdict on a challenger, with the figures that decided.

    The baseline is never to be preferred, by money or Brier score. The champion is kept unless
    the challenger's decisions cost no more and nothing speaks clearly against its forecasts; and
    where fewer than 3 units failed, nobody can tell.
    """
    against, lives = comparison.against, comparison.failed_lives
    if CHAMPION in against and lives < SMALLEST_FAILED_LIVES:
        told = f"{lives} failures to judge by, {SMALLEST_FAILED_LIVES} needed: the champion stays"
        return Verdict(promoted=False, reason=told)
    for role, pair in against.items():
        worse = _objection(comparison, role, pair)
        if worse:
            return Verdict(promoted=False, reason=worse)
    rival = CHAMPION if CHAMPION in against else BASELINE
    if rival not in against:
        return Verdict(promoted=True, reason=f"the baseline itself, {_ground(comparison)}")
    return Verdict(promoted=True, reason=_in_figures(comparison, rival))


def acts(risk: Floats, prices: Prices, *, review_days: float) -> Flags:
    """Rows whose cheapest whole day of E(tau) comes before the next review; bool[n].

    ``risk`` float64[n, H + 1]. The same rule as `economics.best_time`, for many rows at once.

    >>> doomed, safe = np.minimum(np.arange(61) / 10, 1.0), np.zeros(61)
    >>> prices = Prices(c_fail=20.0, c_prev=1.0, g=0.05)
    >>> acts(np.stack([doomed, safe]), prices, review_days=7).tolist()
    [True, False]
    """
    horizon_days = risk.shape[1] - 1
    lived = _life_until(risk)
    cost = (
        risk * prices.c_fail
        + (1 - risk) * prices.c_prev
        + prices.life_rate * (horizon_days - lived)
    )
    return np.asarray(cost.argmin(axis=1) < review_days, dtype=bool)


def decision_cost(
    acting: Flags, *, fails_after_days: Floats, prices: Prices, review_days: float
) -> Floats:
    """Money lost over one review period, row by row; float64[n].

    ``fails_after_days`` is infinite where the unit lasts.

    >>> prices = Prices(c_fail=20.0, c_prev=1.0, g=0.5)
    >>> decision_cost(np.array([True, False, False]), prices=prices, review_days=7,
    ...               fails_after_days=np.array([np.inf, np.inf, 5.0])).tolist()
    [3.5, 0.0, 20.0]
    """
    failing = fails_after_days <= review_days
    left = np.where(failing, review_days - np.minimum(fails_after_days, review_days), 0.0)
    waiting = np.where(failing, prices.c_fail - prices.c_prev + prices.g * left, 0.0)
    return np.where(acting, prices.g * review_days, waiting)


def plain_json(value: Any) -> Any:
    """The value with texts as keys, lists for tuples and None for what is not a finite number.

    >>> plain_json({7: (0.5, float("nan"))})
    {'7': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


@dataclass(frozen=True, eq=False)
class _Measure:
    """Weighted sums by asset: numerators and weights of Brier [A, h] and cost [A]; bins [A, b]."""

    brier: Floats
    brier_weight: Floats
    cost: Floats | None
    cost_weight: Floats
    per_year: float
    bin_forecast: Floats
    bin_failed: Floats
    bin_weight: Floats

    def integrated_brier(self, counts: Floats) -> Floats:
        """Mean over the judged horizons; ``counts`` float64[draws, A] -> float64[draws]."""
        by_horizon = _ratio(counts @ self.brier, counts @ self.brier_weight)
        return np.asarray(np.nanmean(by_horizon, axis=1))

    def yearly_cost(self, counts: Floats) -> Floats | None:
        """Money an asset-year, float64[draws]."""
        if self.cost is None:
            return None
        return np.asarray(_ratio(counts @ self.cost, counts @ self.cost_weight) * self.per_year)

    def calibration_error(self, counts: Floats) -> Floats:
        """Weighted mean gap between forecast and failed share of the bins, float64[draws]."""
        gap = np.abs(counts @ self.bin_forecast - counts @ self.bin_failed).sum(axis=1)
        return _ratio(gap, (counts @ self.bin_weight).sum(axis=1))


@dataclass(frozen=True, eq=False)
class _Trial:
    """The rows with their answers, ready to measure one forecaster after the other."""

    rows: Dataset
    prices: Prices | None
    horizons_days: tuple[int, ...]
    review_days: int
    seen: Answers
    asset: Instants
    asset_count: int

    @classmethod
    def of(cls, rows: Dataset, prices: Prices | None) -> _Trial:
        horizons = _followed(rows)
        ids, asset = np.unique(rows.groups, return_inverse=True)
        return cls(
            rows=rows,
            prices=prices,
            horizons_days=horizons,
            review_days=max(day for day in horizons if day <= REVIEW_DAYS),
            seen=_answers(rows, horizons),
            asset=asset.astype(np.int64),
            asset_count=int(ids.size),
        )

    @property
    def alarm_days(self) -> int:
        return max(day for day in self.horizons_days if day <= ALARM_DAYS)

    def at(self, day: int) -> tuple[Floats, Floats]:
        """What happened within a judged horizon, and the weights."""
        column = self.horizons_days.index(day)
        return self.seen.failed[:, column], self.seen.weight[:, column]

    def measure(self, risk: Floats) -> _Measure:
        days = list(self.horizons_days)
        weight = self.seen.weight
        squared = (risk[:, days] - self.seen.failed) ** 2
        _, review_weight = self.at(self.review_days)
        cost = self._cost(risk)
        failed, alarm_weight = self.at(self.alarm_days)
        forecast = risk[:, self.alarm_days]
        place = _bins(forecast)
        return _Measure(
            brier=self._by_asset(squared * weight),
            brier_weight=self._by_asset(weight),
            cost=None if cost is None else self._by_asset(cost * review_weight),
            cost_weight=self._by_asset(review_weight),
            per_year=YEAR_DAYS / self.review_days,
            bin_forecast=self._by_bin(forecast * alarm_weight, place),
            bin_failed=self._by_bin(failed * alarm_weight, place),
            bin_weight=self._by_bin(alarm_weight, place),
        )

    def scores(self, risk: Floats, measured: _Measure) -> Scores:
        once = np.ones((1, self.asset_count))
        cost = measured.yearly_cost(once)
        brier = _ratio(measured.brier.sum(axis=0), measured.brier_weight.sum(axis=0))
        bins = zip(
            measured.bin_forecast.sum(axis=0),
            measured.bin_failed.sum(axis=0),
            measured.bin_weight.sum(axis=0),
            strict=True,
        )
        return Scores(
            brier=dict(zip(self.horizons_days, map(float, brier), strict=True)),
            average_precision={
                day: average_precision(risk[:, day], *self.at(day)) for day in self.horizons_days
            },
            integrated_brier=float(measured.integrated_brier(once)[0]),
            cost=None if cost is None else float(cost[0]),
            alarm_days=self.alarm_days,
            **self._alarms(risk),
            **self._remaining_life(risk),
            calibration=tuple(Bin(float(f / w), float(x / w), float(w)) for f, x, w in bins if w),
            calibration_error=float(measured.calibration_error(once)[0]),
        )

    def _cost(self, risk: Floats) -> Floats | None:
        if self.prices is None:
            return None
        failed, _ = self.at(self.review_days)
        return decision_cost(
            acts(risk, self.prices, review_days=self.review_days),
            fails_after_days=np.where(failed > 0, self.rows.duration_days, np.inf),
            prices=self.prices,
            review_days=self.review_days,
        )

    def _alarms(self, risk: Floats) -> dict[str, Any]:
        """Without prices the alarm is an even chance or more."""
        failed, weight = self.at(self.alarm_days)
        if self.prices is None:
            alarm = risk[:, self.alarm_days] >= 0.5
        else:
            alarm = acts(risk, self.prices, review_days=self.review_days)
        hits = float((weight * alarm * failed).sum())
        alarms, failures = float((weight * alarm).sum()), float((weight * failed).sum())
        right = float((weight * (alarm == (failed > 0))).sum())
        return {
            "accuracy": _share(right, float(weight.sum())),
            "precision": _share(hits, alarms),
            "recall": _share(hits, failures),
            "f1": _share(2 * hits, alarms + failures),
        }

    def _remaining_life(self, risk: Floats) -> dict[str, Any]:
        day = self.horizons_days[-1]
        _, weight = self.at(day)
        told = _life_until(risk)[:, day]
        error = told - np.minimum(self.rows.duration_days, day)
        total = float(weight.sum())
        mse = _share(float((weight * error**2).sum()), total)
        return {
            "rul_days": day,
            "rul_mse": mse,
            "rul_mae": _share(float((weight * np.abs(error)).sum()), total),
            "rul_rmse": float(np.sqrt(mse)),
        }

    def _by_asset(self, values: Floats) -> Floats:
        summed = np.zeros((self.asset_count, *values.shape[1:]))
        np.add.at(summed, self.asset, values)
        return summed

    def _by_bin(self, values: Floats, place: Instants) -> Floats:
        flat = np.bincount(self.asset * BINS + place, values, minlength=self.asset_count * BINS)
        return np.asarray(flat.reshape(self.asset_count, BINS), dtype=np.float64)


def _followed(rows: Dataset) -> tuple[int, ...]:
    """The horizons that enough rows lie far enough before the end to be judged at."""
    left_days = (_until_us(rows) - rows.origin_us) / DAY_US
    judged = [
        day
        for day in HORIZONS_DAYS
        if day <= rows.horizon_days and (left_days >= day).mean() >= FOLLOWED_SHARE
    ]
    return tuple(judged) or (1,)


def _until_us(rows: Dataset) -> int:
    return max((life.end_us for life in rows.lives), default=int(rows.origin_us.max()))


def _answers(rows: Dataset, horizons_days: tuple[int, ...]) -> Answers:
    return answers(
        duration_days=rows.duration_days,
        failed=rows.failed,
        weight=rows.weight,
        horizons_days=horizons_days,
    )


def _failed_lives(rows: Dataset) -> int:
    return int(np.unique(rows.life[rows.failed]).size)


def _life_until(risk: Floats) -> Floats:
    """E[min(T, day)] by whole day: the integral of survival; float64[n, H + 1]."""
    alive = 1 - risk
    steps = (alive[:, 1:] + alive[:, :-1]) / 2
    return np.concatenate([np.zeros((len(risk), 1)), np.cumsum(steps, axis=1)], axis=1)


def _bins(forecast: Floats) -> Instants:
    """Tenths of the rows by forecast, int64[n]; equal forecasts share a bin."""
    edges = np.unique(np.quantile(forecast, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, forecast, side="right").astype(np.int64)


def _draws(assets: int, seed: int) -> Floats:
    """How often each asset is drawn, float64[draws, assets]; every draw has at least one."""
    random = np.random.default_rng(seed)
    return random.multinomial(assets, np.full(assets, 1 / assets), size=DRAWS).astype(np.float64)


def _paired(challenger: _Measure, rival: _Measure, draws: Floats) -> Paired:
    counts = np.concatenate([np.ones((1, draws.shape[1])), draws])
    ours, theirs = (one.yearly_cost(counts) for one in (challenger, rival))
    return Paired(
        cost=None if ours is None or theirs is None else _difference(ours - theirs),
        brier=_difference(challenger.integrated_brier(counts) - rival.integrated_brier(counts)),
        calibration=_difference(
            challenger.calibration_error(counts) - rival.calibration_error(counts)
        ),
    )


def _difference(values: Floats) -> Difference:
    """The first value is that of all assets, the others are draws."""
    low, high = np.nanquantile(values, INTERVAL)
    return Difference(float(values[0]), float(low), float(high))


def _objection(comparison: Comparison, role: str, pair: Paired) -> str:
    """Why the challenger may not replace a rival; empty if it may."""
    ours, theirs = comparison.scores[CHALLENGER], comparison.scores[role]
    ground = _ground(comparison)
    if ours.cost is not None and theirs.cost is not None and _worse(ours.cost, theirs.cost):
        return f"costs {ours.cost:,.0f} an asset-year, the {role} {theirs.cost:,.0f}, {ground}"
    strict = role == BASELINE or pair.cost is None
    worse = _worse(ours.integrated_brier, theirs.integrated_brier)
    if (strict and worse) or pair.brier.is_clearly_worse:
        scores = f"{ours.integrated_brier:.4g} against {theirs.integrated_brier:.4g}"
        return f"Brier score worse than the {role}'s, {scores}, {ground}"
    if pair.calibration.is_clearly_worse:
        errors = f"{ours.calibration_error:.3f} against {theirs.calibration_error:.3f}"
        return f"less true to its word than the {role}: calibration error {errors}, {ground}"
    return ""


def _worse(ours: float, theirs: float) -> bool:
    return not ours <= theirs * (1 + MARGIN)


def _in_figures(comparison: Comparison, rival: str) -> str:
    ours, theirs = comparison.scores[CHALLENGER], comparison.scores[rival]
    brier = f"Brier {ours.integrated_brier:.4g} against {theirs.integrated_brier:.4g}"
    if ours.cost is None or theirs.cost is None:
        return f"not worse than the {rival}: {brier} (no job plan prices it), {_ground(comparison)}"
    money = f"{ours.cost:,.0f} an asset-year against {theirs.cost:,.0f}"
    return f"not worse than the {rival}: {money}, {brier}, {_ground(comparison)}"


def _ground(comparison: Comparison) -> str:
    told = f"on {comparison.failed_lives} failures of {comparison.assets} unseen assets"
    return f"{told} (the champion knew some)" if comparison.champion_saw_rows else told


def _ratio(sums: Floats, weights: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weights > 0, sums / weights, np.nan))


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
