from dataclasses import replace

import numpy as np
import pytest

from predictors import hazard
from predictors.boosting import Boosting
from predictors.dataset import Dataset
from predictors.discrete import Fit, fold_of_rows
from predictors.errors import DatasetError, NotEnoughEvidence
from predictors.hazard import HazardForecaster

SMALL = Boosting(rounds=40)


@pytest.fixture(scope="module")
def learnt(seals: Dataset) -> tuple[HazardForecaster, Fit]:
    return hazard.learn(seals, folds=3, how=SMALL)


def test_worn_seals_are_told_from_sound_ones(
    learnt: tuple[HazardForecaster, Fit], seals: Dataset
) -> None:
    risk = learnt[0].risk(seals.x)[:, 7]
    soon = seals.failed & (seals.duration_days <= 5)
    sound = seals.duration_days > 30
    assert np.median(risk[soon]) > 0.5
    assert np.median(risk[sound]) < 0.05


def test_the_same_dataset_and_seed_give_the_same_bits(
    learnt: tuple[HazardForecaster, Fit], seals: Dataset
) -> None:
    again, _ = hazard.learn(seals, folds=3, how=SMALL)
    np.testing.assert_array_equal(again.risk(seals.x[:50]), learnt[0].risk(seals.x[:50]))
    assert again.files() == learnt[0].files()


def test_a_row_is_forecast_alike_alone_and_in_company(
    learnt: tuple[HazardForecaster, Fit], seals: Dataset
) -> None:
    together = learnt[0].curves(seals.x[:40])
    alone = learnt[0].curves(seals.x[17:18])
    np.testing.assert_array_equal(together.risk[17], alone.risk[0])
    np.testing.assert_array_equal(together.high[17], alone.high[0])


def test_the_curve_is_the_middle_of_its_band(
    learnt: tuple[HazardForecaster, Fit], seals: Dataset
) -> None:
    for curve in learnt[0].forecast(seals.x[::400]):
        assert curve.horizon_days == 30
        assert curve.low[30] < curve.risk[30] < curve.high[30]


def test_reasons_sum_to_the_mean_margin_of_the_members(
    learnt: tuple[HazardForecaster, Fit], seals: Dataset
) -> None:
    forecaster, x = learnt[0], seals.x[100:130]
    bucket = forecaster.edges_days.index(7)
    margins = np.mean(
        [
            member.margins(x, forecaster.age_days(x), forecaster.edges_days)[:, bucket]
            for member in forecaster.members
        ],
        axis=0,
    )
    totals = [sum(reason.contribution for reason in row) for row in forecaster.reasons(x)]
    np.testing.assert_allclose(totals, margins, atol=1e-4)


def test_wear_is_blamed_on_what_shows_it(
    learnt: tuple[HazardForecaster, Fit], seals: Dataset
) -> None:
    soon = np.flatnonzero(seals.failed & (seals.duration_days <= 3))
    for _, *reasons in learnt[0].reasons(seals.x[soon[:5]]):
        blamed = {"vibration": 0.0, "E1": 0.0, "load": 0.0, "seal": 0.0}
        for reason in reasons:
            if reason.quantity in blamed:
                blamed[reason.quantity] += reason.contribution
        assert blamed["vibration"] + blamed["E1"] > 2
        assert abs(blamed["load"]) < 0.5


def test_no_asset_is_judged_by_a_member_that_saw_it(seals: Dataset) -> None:
    fold = fold_of_rows(seals, folds=4, random=np.random.default_rng(0))
    for group in np.unique(seals.groups):
        assert np.unique(fold[seals.groups == group]).size == 1
    failing = [
        len(
            {
                seals.lives[life]
                for life in np.unique(seals.life[fold == held])
                if seals.lives[life].failed
            }
        )
        for held in range(4)
    ]
    assert min(failing) > 0


def test_held_out_risks_rank_failures_first(learnt: tuple[HazardForecaster, Fit]) -> None:
    rows, risk = learnt[1].rows, learnt[1].held_out[:, 7]
    soon = rows.failed & (rows.duration_days <= 7)
    assert risk[soon].mean() > 5 * risk[~soon].mean()


def test_rows_of_another_feature_set_are_refused(
    learnt: tuple[HazardForecaster, Fit], seals: Dataset
) -> None:
    with pytest.raises(DatasetError, match="seal"):
        learnt[0].forecast(seals.x[:, 1:])


def test_no_row_gives_no_curve(learnt: tuple[HazardForecaster, Fit], seals: Dataset) -> None:
    assert learnt[0].forecast(seals.x[:0]) == []
    assert learnt[0].reasons(seals.x[:0]) == []


def test_a_fold_without_failures_is_refused(seals: Dataset) -> None:
    few = seals.of_assets(set(seals.asset_ids[:4]))
    first = next(life for life in few.lives if life.failed)
    lives = tuple(
        life if life.asset_id == first.asset_id else replace(life, failed=False)
        for life in few.lives
    )
    failed = few.failed & np.array([lives[life].failed for life in few.life])
    with pytest.raises(NotEnoughEvidence):
        hazard.learn(replace(few, lives=lives, failed=failed), folds=3, how=SMALL)


def test_a_short_horizon_has_fewer_stages(seals: Dataset) -> None:
    forecaster, _ = hazard.learn(replace(seals, horizon_days=4), folds=2, how=SMALL)
    assert forecaster.members[0].learner.starts == (0, 3)
    assert forecaster.risk(seals.x[:1]).shape == (1, 5)


def test_a_stage_without_failures_is_left_to_age(seals: Dataset) -> None:
    late = seals.take(~(seals.failed & (seals.duration_days <= 3)))
    forecaster, _ = hazard.learn(late, folds=2, how=SMALL)
    boosters = forecaster.members[0].learner.boosters
    assert boosters[0].num_boosted_rounds() == 0
    assert boosters[1].num_boosted_rounds() > 0
    assert np.isfinite(forecaster.risk(late.x[:5])).all()
    assert all(row[0].feature == "base" for row in forecaster.reasons(late.x[:5]))
