from dataclasses import replace

import numpy as np
import pytest

from predictors import weibull
from predictors.dataset import Dataset
from predictors.errors import NotEnoughEvidence
from predictors.weibull import Ages, Weibull, fit_ages


def drawn(count: int, *, shape: float, scale: float, random: np.random.Generator) -> Ages:
    """Lives entered late and left early, independently of their failure."""
    life = scale * random.weibull(shape, 20 * count)
    entry, leave = random.uniform(0, scale, life.size), random.uniform(0, 3 * scale, life.size)
    seen = np.flatnonzero((life > entry) & (leave > entry))[:count]
    return Ages(entry[seen], np.minimum(life, leave)[seen], (life <= leave)[seen])


@pytest.mark.parametrize(("shape", "scale"), [(0.8, 50), (1.5, 200), (3.0, 100)])
def test_late_entry_and_early_leave_do_not_bend_the_law(shape: float, scale: float) -> None:
    found, _ = fit_ages(drawn(3000, shape=shape, scale=scale, random=np.random.default_rng(5)))
    assert found.shape == pytest.approx(shape, rel=0.07)
    assert found.scale_days == pytest.approx(scale, rel=0.07)


def test_two_failures_are_not_enough() -> None:
    with pytest.raises(NotEnoughEvidence, match="2 failures"):
        fit_ages(Ages(np.zeros(5), np.arange(1.0, 6), np.array([1, 1, 0, 0, 0], dtype=bool)))


def test_three_equal_lives_do_not_run_away() -> None:
    found, draws = fit_ages(Ages(np.zeros(3), np.full(3, 50.0), np.ones(3, dtype=bool)))
    assert 1 < found.shape <= 12
    assert np.isfinite(draws).all()


def test_the_band_covers_the_truth_as_often_as_it_says() -> None:
    true = Weibull(2.0, 100.0).risk(np.array([60.0]), np.array(30.0))[0]
    inside = 0
    for seed in range(100):
        ages = drawn(60, shape=2.0, scale=100.0, random=np.random.default_rng(seed))
        _, draws = fit_ages(ages)
        risks = [Weibull(*draw).risk(np.array([60.0]), np.array(30.0))[0] for draw in draws]
        low, high = np.quantile(risks, (0.1, 0.9))
        inside += bool(low <= true <= high)
    assert 65 <= inside <= 92


def test_the_forecast_is_conditional_on_the_age_reached(seals: Dataset) -> None:
    fitted = weibull.fit(seals)
    column = seals.names.index("seal.age")
    x = seals.x[:2].copy()
    x[:, column] = [5, 80]
    young, old = fitted.forecast(x)
    assert old.at(14) > young.at(14)
    assert young.low[14] < young.risk[14] < young.high[14]


def test_an_unknown_age_is_taken_as_usual(seals: Dataset) -> None:
    fitted = weibull.fit(seals)
    x = seals.x[:2].copy()
    x[:, seals.names.index("seal.age")] = [np.nan, fitted.usual_age_days]
    unknown, usual = fitted.risk(x)
    np.testing.assert_allclose(unknown, usual, rtol=1e-6)


def test_reasons_are_a_base_and_the_age(seals: Dataset) -> None:
    fitted = weibull.fit(seals)
    base, age = fitted.reasons(seals.x[:1])[0]
    within_a_week = fitted.risk(seals.x[:1])[0, 7]
    assert (base.feature, age.feature) == ("base", "seal.age")
    assert base.contribution + age.contribution == pytest.approx(
        np.log(within_a_week / (1 - within_a_week))
    )


def test_lives_that_were_never_watched_are_left_out(seals: Dataset) -> None:
    unwatched = replace(seals.lives[0], end_us=seals.lives[0].entry_us)
    assert Ages.of((unwatched,)).end.size == 0
