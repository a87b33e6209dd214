import numpy as np
import pytest

from predictors import calibration
from predictors.calibration import IDENTITY, BetaCalibration
from predictors.evaluate import Answers, answers


def drawn(chance: np.ndarray, seed: int = 0) -> Answers:
    failed = np.random.default_rng(seed).random(chance.size) < chance
    return answers(
        duration_days=np.where(failed, 1.0, 9.0),
        failed=failed,
        weight=np.ones(chance.size),
        horizons_days=(5,),
    )


def test_small_risks_that_are_ten_times_too_high_are_mended() -> None:
    true = np.random.default_rng(1).uniform(0.0005, 0.02, 20_000)
    raw = (10 * true)[:, None]
    fitted = calibration.fit(raw, drawn(true), failed_lives=200)
    mended = fitted.apply(raw)[:, 0]
    assert mended.mean() == pytest.approx(true.mean(), rel=0.15)
    assert mended[true < 0.005].mean() == pytest.approx(true[true < 0.005].mean(), rel=0.4)


def test_without_failures_the_curve_is_left_as_it_is() -> None:
    raw = np.full((50, 1), 0.1)
    assert calibration.fit(raw, drawn(np.zeros(50)), failed_lives=0).by_edge == (IDENTITY,)


def test_few_failures_move_the_curve_less_than_many() -> None:
    true = np.full(5000, 0.02)
    raw = np.full((5000, 1), 0.2)
    few, many = (
        calibration.fit(raw, drawn(true), failed_lives=count).apply(raw).mean()
        for count in (1, 100)
    )
    assert 0.2 > few > many > 0.015


def test_calibration_keeps_the_order_of_rows_and_of_edges() -> None:
    random = np.random.default_rng(2)
    raw = np.sort(random.random((200, 3)), axis=1)
    seen = answers(
        duration_days=random.exponential(3, 200),
        failed=np.ones(200, dtype=bool),
        weight=np.ones(200),
        horizons_days=(1, 3, 9),
    )
    fitted = calibration.fit(raw, seen, failed_lives=30)
    assert (np.diff(fitted.apply(raw), axis=1) >= 0).all()
    first = fitted.apply(raw)[:, 0]
    assert (np.diff(first[np.argsort(raw[:, 0])]) >= 0).all()


def test_a_calibration_survives_json() -> None:
    fitted = BetaCalibration(((1.0, 0.5, -0.2), IDENTITY))
    assert BetaCalibration.from_list(fitted.to_list()) == fitted
