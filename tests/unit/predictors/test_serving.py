from dataclasses import replace

import numpy as np
import pytest

from predictors import constant
from predictors.dataset import Dataset
from predictors.errors import DatasetError
from predictors.schema import ForecastState
from predictors.select import Model
from predictors.serving import score


def test_a_worn_asset_has_days_left_and_reasons(seal_model: Model, seals: Dataset) -> None:
    soon = np.flatnonzero(seals.failed & (seals.duration_days <= 4))
    (found,) = score(seal_model, seals.x[soon[:1]])
    life = found.remaining_life
    assert found.state is ForecastState.VALUE
    assert life.p10_days is not None
    assert life.p50_days is not None
    assert life.p10_days < life.p50_days
    assert found.reasons[0].feature == "base"
    sizes = [abs(reason.contribution) for reason in found.reasons[1:]]
    assert sizes == sorted(sizes, reverse=True)


def test_reasons_that_nobody_asks_for_are_not_computed(seal_model: Model, seals: Dataset) -> None:
    whole, spared = (score(seal_model, seals.x[:2], reasons=asked) for asked in (True, False))
    assert all(one.reasons for one in whole)
    assert not any(one.reasons for one in spared)
    assert [one.curve.risk.tolist() for one in whole] == [one.curve.risk.tolist() for one in spared]
    assert [one.state for one in whole] == [one.state for one in spared]


def test_a_new_asset_lives_beyond_the_horizon(seal_model: Model, seals: Dataset) -> None:
    column = seals.names.index("seal.age")
    young = np.flatnonzero((seals.x[:, column] < 10) & (seals.duration_days > 60))
    states = {found.state for found in score(seal_model, seals.x[young[:20]])}
    assert ForecastState.BEYOND_HORIZON in states


def test_an_asset_without_readings_says_so(seal_model: Model, seals: Dataset) -> None:
    x = seals.x[:1].copy()
    x[:, [name.split(".")[0] in ("vibration", "load") for name in seals.names]] = np.nan
    (found,) = score(seal_model, x)
    assert found.state is ForecastState.NOT_ENOUGH_DATA


def test_age_needs_no_readings(seals: Dataset) -> None:
    x = np.full_like(seals.x[:1], np.nan)
    (found,) = score(constant.fit(seals), x)
    assert found.state is not ForecastState.NOT_ENOUGH_DATA


def test_a_mode_that_never_failed_says_so(seal_model: Model, seals: Dataset) -> None:
    unseen = replace(seal_model, card=replace(seal_model.card, failures=0))
    assert score(unseen, seals.x[:1])[0].state is ForecastState.NOT_ENOUGH_DATA


def test_rows_of_another_shape_are_refused(seal_model: Model, seals: Dataset) -> None:
    with pytest.raises(DatasetError, match="shape"):
        score(seal_model, seals.x[0])
