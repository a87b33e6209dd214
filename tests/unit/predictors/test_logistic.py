import numpy as np

from predictors import logistic
from predictors.boosting import Sample
from predictors.dataset import Dataset
from predictors.logistic import Line, draw_line


def test_the_line_finds_the_slope_that_made_the_data() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, 2)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(1.5 * x[:, 0] - 2)))
    line = draw_line(
        Sample(x, random.random(20_000) < chance, np.ones(20_000), np.full(20_000, -1.0))
    )
    np.testing.assert_allclose(line.slope, [1.5, 0], atol=0.1)
    np.testing.assert_allclose(line.base, -1, atol=0.1)


def test_a_gap_counts_as_the_mean() -> None:
    line = Line(np.array([3.0]), np.array([2.0]), np.array([1.0]), 0.5)
    x = np.array([[np.nan], [3.0], [5.0], [1e9]], dtype=np.float32)
    assert line.margin(x, np.zeros(4)).tolist() == [0.5, 0.5, 1.5, 5.5]
    assert line.contributions(x).sum(axis=1).tolist() == [0.5, 0.5, 1.5, 5.5]


def test_a_line_survives_its_file() -> None:
    line = Line(np.arange(3.0), np.ones(3), np.array([1.0, -1.0, 0.5]), 0.25)
    back = Line.from_bytes(line.to_bytes())
    np.testing.assert_array_equal(back.slope, line.slope)
    assert back.base == line.base


def test_a_straight_line_already_sees_wear(seals: Dataset) -> None:
    forecaster, found = logistic.learn(seals, folds=3)
    soon = found.rows.failed & (found.rows.duration_days <= 7)
    assert found.held_out[soon, 7].mean() > 3 * found.held_out[~soon, 7].mean()
    totals = [sum(reason.contribution for reason in row) for row in forecaster.reasons(seals.x[:3])]
    assert np.isfinite(totals).all()
