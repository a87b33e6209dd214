import numpy as np
import pytest

from predictors.evaluate import (
    answers,
    average_precision,
    brier,
    log_loss,
    precision_recall_f1,
    report,
)


def test_without_censoring_the_brier_score_is_the_plain_one() -> None:
    random = np.random.default_rng(0)
    duration, risk = random.exponential(20, 500), random.random((500, 2))
    seen = answers(
        duration_days=duration,
        failed=np.ones(500, dtype=bool),
        weight=np.ones(500),
        horizons_days=(5, 20),
    )
    plain = [((risk[:, at] - (duration <= day)) ** 2).mean() for at, day in ((0, 5), (1, 20))]
    np.testing.assert_allclose(brier(risk, seen), plain)


def test_censored_rows_do_not_bend_the_failure_rate() -> None:
    random = np.random.default_rng(1)
    life, watched = random.exponential(20, 20_000), random.uniform(0, 40, 20_000)
    seen = answers(
        duration_days=np.minimum(life, watched),
        failed=life <= watched,
        weight=np.ones(20_000),
        horizons_days=(10, 30),
    )
    rate = (seen.failed * seen.weight).sum(axis=0) / seen.weight.sum(axis=0)
    np.testing.assert_allclose(rate, 1 - np.exp([-0.5, -1.5]), atol=0.02)


def test_a_row_censored_before_the_horizon_has_no_answer() -> None:
    seen = answers(
        duration_days=np.array([3.0, 9.0]),
        failed=np.array([False, False]),
        weight=np.ones(2),
        horizons_days=(5,),
    )
    assert seen.weight[0, 0] == 0
    assert seen.weight[1, 0] > 0


def test_thinned_rows_count_for_those_they_stand_for() -> None:
    duration, failed = np.array([1.0, 9.0]), np.array([True, False])
    seen = answers(
        duration_days=duration, failed=failed, weight=np.array([1.0, 3.0]), horizons_days=(5,)
    )
    assert brier(np.zeros((2, 1)), seen)[0] == pytest.approx(0.25)


def test_certainty_that_is_wrong_costs_a_finite_log_loss() -> None:
    seen = answers(
        duration_days=np.array([1.0]),
        failed=np.array([True]),
        weight=np.ones(1),
        horizons_days=(5,),
    )
    assert log_loss(np.zeros((1, 1)), seen)[0] == pytest.approx(-np.log(1e-6))


def test_ties_in_risk_share_their_precision() -> None:
    assert average_precision(np.full(4, 0.5), np.array([1, 0, 0, 0])) == pytest.approx(0.25)
    assert np.isnan(average_precision(np.ones(2), np.zeros(2)))


def test_the_report_names_every_measure_by_horizon() -> None:
    random = np.random.default_rng(2)
    found = report(
        np.tile(np.linspace(0, 0.5, 15), (50, 1)),
        duration_days=random.exponential(20, 50),
        failed=np.ones(50, dtype=bool),
        weight=np.ones(50),
    )
    assert set(found) == {"integrated_brier", "brier", "log_loss", "average_precision"}
    assert set(found["brier"]) == {"1", "7", "14"}


def test_no_alarm_and_no_failure_score_nothing() -> None:
    assert precision_recall_f1(hits=0, alarms=0, failures=0) == (0, 0, 0)
