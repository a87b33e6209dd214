from dataclasses import replace

import numpy as np
import pytest

from predictors import constant
from predictors.dataset import Dataset
from predictors.errors import NotEnoughEvidence


def test_the_rate_is_failures_over_exposure(relays: Dataset) -> None:
    exposure_days = sum(life.end_days - life.entry_days for life in relays.lives)
    fitted = constant.fit(relays)
    assert fitted.rate_per_day == pytest.approx((relays.failures + 0.5) / exposure_days)
    assert fitted.low_rate_per_day < fitted.rate_per_day < fitted.high_rate_per_day


def test_no_failure_still_leaves_a_small_risk(relays: Dataset) -> None:
    quiet = replace(relays, lives=tuple(replace(life, failed=False) for life in relays.lives))
    (curve,) = constant.fit(quiet).forecast(relays.x[:1])
    assert 0 < curve.at(30) < 0.05


def test_a_mode_that_was_never_watched_is_refused(relays: Dataset) -> None:
    with pytest.raises(NotEnoughEvidence, match="no life was watched"):
        constant.fit(replace(relays.take(np.empty(0, dtype=int)), lives=()))


def test_the_base_is_the_only_reason(relays: Dataset) -> None:
    fitted = constant.fit(relays)
    ((base,),) = fitted.reasons(relays.x[:1])
    week = -np.expm1(-7 * fitted.rate_per_day)
    assert base.contribution == pytest.approx(np.log(week / (1 - week)))
