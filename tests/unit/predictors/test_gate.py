"""Who may serve is decided by money, Brier score and calibration on rows nobody has seen."""

import json
from dataclasses import replace

import numpy as np
import pytest

from predictors.dataset import Dataset
from predictors.economics import Prices, best_time
from predictors.errors import DatasetError
from predictors.gate import (
    BASELINE,
    CHALLENGER,
    CHAMPION,
    SMALLEST_FAILED_LIVES,
    acts,
    compare,
    decide,
    judged_rows,
)
from predictors.schema import DAY_US, RiskCurve
from predictors.select import Model

PRICES = Prices(c_fail=10_000.0, c_prev=1_000.0, g=30.0)


@pytest.fixture(scope="module")
def rows(seal_model: Model) -> Dataset:
    assert seal_model.held_out is not None
    return seal_model.held_out.rows


@pytest.fixture(scope="module")
def risks(seal_model: Model) -> dict[str, np.ndarray]:
    assert seal_model.held_out is not None
    told = seal_model.held_out.risk
    return {"good": told["hazard"], "age": told["weibull"]}


def true_risk(rows: Dataset) -> np.ndarray:
    """Foresight: certain failure on its day."""
    days = np.arange(rows.horizon_days + 1)[None, :]
    left = np.where(rows.failed, rows.duration_days, np.inf)[:, None]
    return np.where(days >= left, 1.0, 0.0) * (days > 0)


def test_the_rule_for_many_rows_is_the_rule_of_the_economics_for_one(risks) -> None:
    some = risks["good"][::97]
    alone = [best_time(RiskCurve.certain(horizon_days=30, risk=r), PRICES) < 7 for r in some]
    assert acts(some, PRICES, review_days=7).tolist() == alone
    assert 0 < sum(alone) < len(alone)


def test_foresight_costs_least_and_running_to_failure_most(rows, risks) -> None:
    never = np.zeros_like(risks["good"])
    told = {CHALLENGER: true_risk(rows), CHAMPION: risks["good"], BASELINE: never}
    cost = {role: one.cost for role, one in compare(rows, told, prices=PRICES).scores.items()}
    assert cost[CHALLENGER] < cost[CHAMPION] < cost[BASELINE]


def test_a_better_challenger_is_promoted_with_its_figures(rows, risks) -> None:
    told = {CHALLENGER: risks["good"], CHAMPION: risks["age"], BASELINE: risks["age"]}
    comparison = compare(rows, told, prices=PRICES)
    verdict = decide(comparison)
    assert verdict.promoted
    assert "an asset-year against" in verdict.reason
    assert len(verdict.reason) <= 240
    assert comparison.against[CHAMPION].brier.is_clearly_better


def test_a_worse_challenger_is_rejected_and_the_reason_names_the_rival(rows, risks) -> None:
    told = {CHALLENGER: risks["age"], CHAMPION: risks["good"]}
    verdict = decide(compare(rows, told, prices=PRICES))
    assert not verdict.promoted
    assert verdict.reason.startswith("costs ")
    assert "the champion" in verdict.reason


def test_a_challenger_that_loses_to_the_baseline_never_serves(rows, risks) -> None:
    wild = np.clip(risks["good"] + 0.3, 0, 1) * (np.arange(31) > 0)
    verdict = decide(compare(rows, {CHALLENGER: wild, BASELINE: risks["age"]}, prices=PRICES))
    assert not verdict.promoted
    assert "the baseline" in verdict.reason


def test_a_forecast_as_good_for_decisions_but_untrue_is_rejected(rows, risks) -> None:
    """Twice the risk where no decision hangs on it: the money is the same, the words are not."""
    calm = ~acts(risks["good"], PRICES, review_days=30)
    louder = np.where(calm[:, None], np.minimum(risks["good"] * 3, 0.9), risks["good"])
    same = acts(louder, PRICES, review_days=7) == acts(risks["good"], PRICES, review_days=7)
    told = np.where(same[:, None], louder, risks["good"])
    verdict = decide(compare(rows, {CHALLENGER: told, CHAMPION: risks["good"]}, prices=PRICES))
    assert not verdict.promoted
    assert "Brier" in verdict.reason or "calibration" in verdict.reason


def test_the_same_forecast_is_not_worse_than_itself(rows, risks) -> None:
    comparison = compare(rows, {CHALLENGER: risks["good"], CHAMPION: risks["good"]}, prices=PRICES)
    assert decide(comparison).promoted
    assert comparison.against[CHAMPION].cost.value == 0


def test_with_few_failures_the_champion_stays(rows, risks) -> None:
    failing = np.unique(rows.life[rows.failed])[:1]
    few = rows.failed & np.isin(rows.life, failing)
    kept = few | ~rows.failed
    told = {CHALLENGER: risks["good"][kept], CHAMPION: risks["good"][kept]}
    verdict = decide(compare(rows.take(kept), told, prices=PRICES))
    assert not verdict.promoted
    assert verdict.reason.startswith("1 failures to judge by, 3 needed")


def test_without_prices_the_brier_score_decides(rows, risks) -> None:
    told = {CHALLENGER: risks["age"], CHAMPION: risks["good"]}
    worse = compare(rows, told, prices=None)
    assert worse.scores[CHALLENGER].cost is None
    assert decide(worse).reason.startswith("Brier score worse")
    told = {CHALLENGER: risks["good"], CHAMPION: risks["age"]}
    assert "no job plan prices it" in decide(compare(rows, told, prices=None)).reason


def test_a_prevented_failure_does_not_count_as_lasting(rows, risks) -> None:
    """Renewing early what would have failed must not make a blind forecast look good."""
    near = rows.failed & (rows.duration_days < 7)
    prevented = np.zeros(len(rows), dtype=bool)
    prevented[np.flatnonzero(near)[::2]] = True
    hidden = replace(
        rows,
        failed=rows.failed & ~prevented,
        duration_days=np.where(prevented, rows.duration_days / 2, rows.duration_days),
    )
    never = {CHALLENGER: np.zeros_like(risks["good"])}
    open_eyed = compare(rows, never, prices=PRICES).scores[CHALLENGER].cost
    told = compare(hidden, never, prices=PRICES).scores[CHALLENGER].cost
    counted_as_lasting = open_eyed * (1 - prevented.sum() / near.sum())
    assert told > counted_as_lasting


def test_rows_after_the_champion_are_judged_where_enough_failed(rows) -> None:
    as_of_us = int(np.quantile(rows.origin_us, 0.5))
    judged = judged_rows(rows, champion_as_of_us=as_of_us)
    assert not judged.champion_saw_rows
    assert (rows.origin_us[judged.positions] >= as_of_us).all()


def test_else_the_last_part_is_judged_and_the_champion_is_known_to_have_seen_it(rows) -> None:
    newest_us = int(rows.origin_us.max())
    judged = judged_rows(rows, champion_as_of_us=newest_us - DAY_US)
    assert judged.champion_saw_rows
    share = judged.positions.size / len(rows)
    assert share == pytest.approx(0.3, abs=0.05)
    failed = rows.take(judged.positions)
    assert np.unique(failed.life[failed.failed]).size >= SMALLEST_FAILED_LIVES


def test_a_first_model_is_judged_on_every_row(rows) -> None:
    assert judged_rows(rows, champion_as_of_us=None).positions.size == len(rows)


def test_horizons_that_nobody_could_follow_are_not_judged(rows) -> None:
    last_week = rows.take(rows.origin_us >= rows.origin_us.max() - 6 * DAY_US)
    risk = np.zeros((len(last_week), 31))
    assert max(compare(last_week, {CHALLENGER: risk}, prices=PRICES).scores[CHALLENGER].brier) <= 7


def test_scores_of_foresight_are_perfect(rows) -> None:
    scores = compare(rows, {CHALLENGER: true_risk(rows)}, prices=PRICES).scores[CHALLENGER]
    assert scores.integrated_brier == 0
    assert scores.average_precision[14] == 1
    assert scores.calibration_error == pytest.approx(0, abs=1e-12)
    assert scores.rul_rmse < 1


def test_the_comparison_is_plain_json_without_nan(rows, risks) -> None:
    told = {CHALLENGER: risks["good"], BASELINE: risks["age"]}
    plain = compare(rows, told, prices=PRICES).to_dict()
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again["scores"][CHALLENGER]["brier"].keys() == {"1", "3", "7", "14", "30"}
    assert again["against"][BASELINE]["cost"].keys() == {"value", "low", "high"}


def test_nothing_to_judge_on_is_an_error(rows) -> None:
    with pytest.raises(DatasetError, match="no rows"):
        compare(rows.take(np.zeros(len(rows), dtype=bool)), {}, prices=None)
