"""Steps of one sensor: found when they come from one day to the next and stay."""

import numpy as np
import pytest

from predictors.recalibration import LEAST_NIGHTS, NIGHTS, daily_means, find_step
from predictors.schema import DAY_US


def machine(seed=1, nights=NIGHTS):
    """Three points of one machine: its load changes every day and all of them feel it."""
    random = np.random.default_rng(seed)
    load = random.choice([0.6, 0.8, 1.0], nights)
    gains = np.array([3.0, 10.0, 0.5])
    return load[:, None] * gains + [2.0, 40.0, 6.0] + random.normal(0, 0.05, (nights, 3))


@pytest.mark.parametrize(("column", "offset"), [(0, 0.6), (1, 2.0), (2, -0.6)])
@pytest.mark.parametrize("after", [2, 4, 7])
def test_a_new_offset_is_found_at_its_night_and_point(column, offset, after):
    levels = machine()
    levels[-after:, column] += offset
    step = find_step(levels)
    assert step
    assert step.is_sure
    assert (step.column, step.nights) == (column, after)
    assert step.size == pytest.approx(offset, rel=0.25)


def test_a_new_gain_is_found_in_spite_of_the_load():
    levels = machine()
    levels[-5:, 1] *= 1.1
    step = find_step(levels)
    assert step
    assert step.is_sure
    assert step.column == 1


def test_a_heavier_week_is_no_step():
    random = np.random.default_rng(2)
    load = np.where(np.arange(NIGHTS) < NIGHTS - 5, 0.6, 1.0) + random.normal(0, 0.02, NIGHTS)
    levels = load[:, None] * [3.0, 10.0, 0.5] + random.normal(0, 0.05, (NIGHTS, 3))
    step = find_step(levels)
    assert step is None or not step.is_sure


def test_damage_that_grows_is_no_step():
    levels = machine()
    levels[-8:, 0] += np.linspace(0.1, 2.5, 8) ** 2
    step = find_step(levels)
    assert step is None or not step.is_sure


def test_steady_machines_hardly_ever_step():
    found = [find_step(machine(seed)) for seed in range(300)]
    assert sum(step is not None and step.is_sure for step in found) <= 1


def test_too_short_a_past_says_nothing():
    assert find_step(machine(nights=LEAST_NIGHTS - 1)) is None


def test_a_machine_with_one_point_is_watched_too():
    levels = np.random.default_rng(3).normal(5, 0.1, (NIGHTS, 1))
    levels[-4:] += 1
    step = find_step(levels)
    assert step
    assert step.is_sure


def test_a_point_that_is_mostly_missing_hinders_no_other():
    levels = machine()
    levels[::2, 2] = np.nan
    levels[-4:, 0] += 0.6
    step = find_step(levels)
    assert step
    assert step.is_sure
    assert step.column == 0


def test_a_constant_point_that_jumps_is_sure_and_finite():
    levels = machine()
    levels[:, 2] = 1.0
    levels[-3:, 2] = 2.0
    step = find_step(levels)
    assert step
    assert step.is_sure
    assert step.column == 2
    assert np.isfinite([step.t, step.size, step.spread]).all()


def test_an_older_step_is_found_only_by_who_looks_back():
    levels = machine()
    levels[-15:, 1] += 2.0
    recent = find_step(levels, only=1)
    assert recent is None or not recent.is_sure
    remembered = find_step(levels, only=1, most_after=21)
    assert remembered
    assert remembered.is_sure
    assert remembered.nights == 15


def test_nothing_is_found_of_nothing():
    assert find_step(np.empty((0, 0))) is None
    assert find_step(np.empty((0, 3))) is None


def test_days_end_at_the_instant_asked_for_and_hold_their_last_reading():
    at_us = np.array([0, 1, DAY_US, DAY_US + 1, 2 * DAY_US, 2 * DAY_US + 1])
    means = daily_means(at_us, np.arange(6.0), end_us=2 * DAY_US, nights=2)
    assert means.tolist() == [1.5, 3.5]
