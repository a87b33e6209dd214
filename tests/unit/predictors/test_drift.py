"""Drift against a profile: what moves, what chance does, and what a better kept fleet does."""

import numpy as np
import pytest

from predictors.drift import (
    LEAST_UNITS,
    Histogram,
    Profile,
    Shift,
    chance_index,
    distance,
    kept_promise,
    moved_quantities,
    persists,
    shift,
    shifts,
    stability_index,
)
from predictors.errors import DatasetError
from predictors.schema import FeatureSet

TINY = FeatureSet(
    "tiny",
    "1",
    quantities=("load",),
    modes=("seal",),
    statistics={"mean": (1, 7), "max": (7,)},
    deviation_windows_days=(),
)


def profile(rows, names=TINY.names):
    return Profile.of(rows, names, np.linspace(0, 0.5, len(rows)))


def learnt_rows(random, count=2000):
    return random.normal(10, 2, (count, len(TINY.names))).astype(np.float32)


def test_bins_hold_nearly_equal_shares():
    values = np.random.default_rng(1).normal(size=5000)
    told = Histogram.of(values)
    assert len(told.shares) == 10
    assert max(told.shares) - min(told.shares) < 0.001


def test_a_column_without_a_value_has_one_bin():
    assert Histogram.of(np.array([np.nan, np.inf])) == Histogram(edges=(), shares=(1.0,))


def test_a_constant_column_keeps_one_bin_and_moves_nowhere():
    told = Histogram.of(np.full(50, 3.0))
    assert told.shares == (1.0,)
    assert not shift(np.full(50, 9.0), told, units=50, name="x").moved


@pytest.mark.parametrize(
    "plain",
    [{}, {"edges": [1]}, {"edges": "x", "shares": [1]}, {"edges": [1, 2, 3], "shares": [1]}],
)
def test_a_histogram_that_makes_no_sense_is_refused(plain):
    with pytest.raises(DatasetError):
        Histogram.from_dict(plain)


def test_edges_that_do_not_rise_are_refused():
    with pytest.raises(DatasetError, match="rise"):
        Histogram(edges=(2.0, 1.0), shares=(0.2, 0.3, 0.5))


def test_a_profile_survives_its_plain_form():
    told = profile(learnt_rows(np.random.default_rng(2)))
    assert Profile.from_dict(told.to_dict()) == told


def test_a_profile_whose_names_do_not_fit_its_columns_is_refused():
    with pytest.raises(DatasetError, match="names"):
        Profile.of(np.ones((3, 2)), ["one"], np.ones(3))


@pytest.mark.parametrize("plain", [{}, {"features": {}}, {"features": [], "risk_14_days": {}}])
def test_a_profile_that_cannot_be_read_is_refused(plain):
    with pytest.raises(DatasetError):
        Profile.from_dict(plain)


def test_without_rows_nothing_is_far():
    nothing = np.zeros(3, dtype=np.int64)
    assert stability_index([0.2, 0.3, 0.5], nothing) == distance([0.2, 0.3, 0.5], nothing) == 0


def test_an_empty_bin_costs_something_finite():
    assert 0 < stability_index([0.5, 0.5], np.array([30, 0])) < 10


def test_chance_alone_exceeds_its_limit_about_once_in_a_thousand():
    random = np.random.default_rng(3)
    told = Histogram.of(random.normal(size=50_000))
    found = [stability_index(told.shares, told.count(random.normal(size=200))) for _ in range(3000)]
    assert np.mean(np.array(found) > chance_index(10, 200)) < 0.004


def test_stationary_rows_do_not_move():
    random = np.random.default_rng(4)
    told = profile(learnt_rows(random))
    found = shifts(learnt_rows(random, 200), TINY.specs, told, units=40)
    assert not any(one.moved for one in found)


def test_a_class_that_reads_higher_moves_its_quantity():
    random = np.random.default_rng(5)
    told = profile(learnt_rows(random))
    found = shifts(learnt_rows(random, 200) + 4, TINY.specs, told, units=40)
    assert moved_quantities(found, units=40) == ("load",)


def test_ages_and_silence_are_not_watched():
    random = np.random.default_rng(6)
    told = profile(learnt_rows(random))
    names = {one.name for one in shifts(learnt_rows(random, 9), TINY.specs, told, units=9)}
    assert names == {"load.last", "load.mean.1d", "load.mean.7d", "load.max.7d"}


def test_a_fleet_with_fewer_worn_units_has_not_moved():
    """A quarter of the rows learnt from were worn; now nearly none is."""
    random = np.random.default_rng(7)
    worn = np.arange(4000) % 4 == 0
    told = Histogram.of(random.normal(10, 1, 4000) + 6 * worn)
    assert not shift(random.normal(10, 1, 600), told, units=90, name="load.last").moved


def test_few_units_cannot_show_that_a_class_moved():
    far = Shift("load.last", "load", rows=99, index=9.0, limit=0.3, distance=1.0)
    assert moved_quantities([far], units=LEAST_UNITS) == ("load",)
    assert moved_quantities([far], units=LEAST_UNITS - 1) == ()


def test_one_feature_that_moved_a_little_does_not_speak_for_its_quantity():
    near = [
        Shift(f"load.{n}", "load", rows=99, index=0.9, limit=0.3, distance=0.4) for n in range(3)
    ]
    assert moved_quantities(near[:2], units=40) == ()
    assert moved_quantities(near, units=40) == ("load",)


def test_it_persists_only_while_it_is_there_tonight():
    assert persists([False, True, True])
    assert persists([True, False, True])
    assert not persists([True, True, False])
    assert not persists([])


def came(random, risk):
    failed = random.random(risk.size) < risk
    return failed, np.where(failed, random.uniform(0, 14, risk.size), 15.0)


def test_honest_risks_keep_their_promise():
    random = np.random.default_rng(8)
    broken = 0
    for _ in range(200):
        risk = random.beta(1, 6, 150)
        failed, days = came(random, risk)
        told = kept_promise(risk, observed_days=days, failed=failed, within_days=14)
        assert told
        broken += told.is_broken
    assert broken == 0


def test_risks_that_promise_too_little_break_it():
    random = np.random.default_rng(9)
    risk = random.beta(1, 6, 300)
    failed, days = came(random, np.minimum(1, risk * 3))
    told = kept_promise(risk, observed_days=days, failed=failed, within_days=14)
    assert told
    assert told.is_broken
    assert told.failures > told.expected_failures


def test_prevented_failures_do_not_make_honest_risks_look_worse():
    """Half of the units are renewed on some day before their fortnight is over."""
    random = np.random.default_rng(10)
    z = []
    for _ in range(150):
        risk = random.beta(1, 4, 200)
        failed, days = came(random, risk)
        renewed = np.where(random.random(200) < 0.5, random.uniform(0, 14, 200), 99.0)
        told = kept_promise(
            risk,
            observed_days=np.minimum(days, renewed),
            failed=failed & (days < renewed),
            within_days=14,
        )
        assert told
        z.append(told.z)
    assert abs(np.mean(z)) < 0.3
    assert max(z) < 4.5


def test_without_an_answer_there_is_no_judgement():
    nothing = np.empty(0)
    assert kept_promise(nothing, observed_days=nothing, failed=nothing > 0, within_days=14) is None
    early = np.array([3.0])
    censored = np.array([False])
    told = kept_promise(np.array([0.2]), observed_days=early, failed=censored, within_days=14)
    assert told is None


def test_few_failures_break_no_promise():
    risk = np.full(100, 0.001)
    failed = np.arange(100) < 4
    told = kept_promise(
        risk, observed_days=np.where(failed, 2.0, 15.0), failed=failed, within_days=14
    )
    assert told
    assert told.z > 10
    assert not told.is_broken
