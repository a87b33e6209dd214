from dataclasses import replace

import numpy as np
import pytest

from predictors.dataset import Dataset
from predictors.periods import (
    bucket_edges,
    expand,
    hazards_to_risk,
    risk_by_day,
    thin_periods,
    thin_rows,
)


def outcomes(seals: Dataset, duration: list[float], failed: list[bool]) -> Dataset:
    rows = seals.take(np.arange(len(duration)))
    return replace(rows, duration_days=np.array(duration), failed=np.array(failed))


def test_a_row_is_at_risk_until_its_failure(seals: Dataset) -> None:
    found = expand(outcomes(seals, [2.5], [True]), (1, 2, 3, 5))
    assert found.bucket.tolist() == [0, 1, 2]
    assert found.failed.tolist() == [False, False, True]


def test_a_row_censored_inside_a_bucket_counts_in_part(seals: Dataset) -> None:
    found = expand(outcomes(seals, [4.0], [False]), (1, 3, 5))
    assert found.weight.tolist() == [1, 1, 0.5]
    assert not found.failed.any()


def test_thinned_periods_stand_for_the_others(seals: Dataset) -> None:
    whole = expand(seals, bucket_edges(30))
    thin = thin_periods(whole, at_most=3000, random=np.random.default_rng(0))
    assert thin.failed.sum() == whole.failed.sum()
    assert thin.row.size <= 3000
    assert thin.weight.sum() == pytest.approx(whole.weight.sum(), rel=0.02)


def test_thinned_rows_keep_those_that_soon_fail(seals: Dataset) -> None:
    near = (seals.failed & (seals.duration_days <= 30)).sum()
    thin = thin_rows(seals, at_most=int(2 * near) + 20, random=np.random.default_rng(0))
    assert (thin.failed & (thin.duration_days <= 30)).sum() == near
    assert len(thin) == 2 * near + 20
    assert thin.weight.sum() == pytest.approx(len(seals))


def test_few_rows_are_not_thinned(seals: Dataset) -> None:
    thin = thin_rows(seals, at_most=10 * len(seals), random=np.random.default_rng(0))
    assert len(thin) == len(seals)
    assert (thin.weight == 1).all()


def test_hazards_of_another_number_of_buckets_are_refused() -> None:
    with pytest.raises(ValueError, match="2 buckets for 1 edges"):
        hazards_to_risk(np.zeros((1, 2)), (1,))


def test_risk_by_day_meets_the_edges() -> None:
    risk = np.array([[0.1, 0.3, 0.8]])
    days = risk_by_day(risk, (1, 4, 10))
    assert days.shape == (1, 11)
    np.testing.assert_allclose(days[0, [0, 1, 4, 10]], [0, 0.1, 0.3, 0.8])
    assert (np.diff(days) >= 0).all()


def test_the_horizon_is_always_an_edge() -> None:
    assert bucket_edges(1) == (1,)
    assert bucket_edges(60)[-2:] == (45, 60)
