"""The reference that drift is measured against holds what moves the forecast."""

import numpy as np
import pytest

from predictors import weibull
from predictors.dataset import Dataset
from predictors.drift import Profile
from predictors.profiles import MOST_FEATURES, profile
from predictors.select import Model


def test_the_features_that_move_the_forecast_come_first(seals: Dataset, seal_model: Model) -> None:
    found = profile(seals, seal_model.forecaster)
    names = list(found.features)
    assert 0 < len(names) <= MOST_FEATURES
    assert any(name.startswith("vibration.") for name in names[:3])
    assert sum(found.risk_14_days.shares) == pytest.approx(1)
    assert Profile.from_dict(found.to_dict()) == found


def test_a_model_of_age_is_watched_by_age_alone(seals: Dataset) -> None:
    assert list(profile(seals, weibull.fit(seals)).features) == ["seal.age"]


def test_without_rows_the_profile_is_empty(seals: Dataset, seal_model: Model) -> None:
    none = seals.take(np.zeros(len(seals), dtype=bool))
    assert profile(none, seal_model.forecaster).features == {}
