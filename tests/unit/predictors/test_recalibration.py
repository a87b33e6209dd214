"""Steps of one sensor: found when they come from one day to the next and stay."""

import numpy as np
import pytest

from predictors.recalibration import (
    LEAST_BEFORE,
    LEAST_NIGHTS,
    NIGHTS,
    Usual,
    daily_means,
    find_step,
    stepped_together,
)
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


def test_while_few_nights_lie_after_it_a_step_must_be_surer():
    steady = np.random.default_rng(3).normal(5, 0.1, (NIGHTS, 1))
    sure = []
    for after in (4, 5):
        levels = steady.copy()
        levels[-after:] += 1
        step = find_step(levels)
        assert step
        assert 9 < step.t < 12
        sure.append(step.is_sure)
    assert sure == [False, True]


def usual():
    found = Usual.of([machine(seed) for seed in range(50, 58)])
    assert found
    return found


@pytest.mark.parametrize("before", [LEAST_BEFORE, 6, LEAST_NIGHTS - 6])
def test_a_unit_repaired_lately_is_judged_as_its_class_is_known(before):
    levels = machine(nights=before + 5)
    levels[-5:, 1] += 4.0
    assert find_step(levels) is None
    step = find_step(levels, usual=usual())
    assert step
    assert step.is_sure
    assert (step.column, step.nights) == (1, 5)
    assert step.size == pytest.approx(4.0, rel=0.1)


def test_a_heavier_week_after_a_repair_is_no_step():
    load = np.repeat([0.6, 1.0], 5)
    noise = np.random.default_rng(4).normal(0, 0.05, (10, 3))
    step = find_step(load[:, None] * [3.0, 10.0, 0.5] + noise, usual=usual())
    assert step is None or not step.is_sure


def test_damage_that_grows_after_a_repair_is_no_step():
    levels = machine(nights=14)
    levels[-8:, 0] += np.linspace(0.1, 2.5, 8) ** 2
    step = find_step(levels, usual=usual())
    assert step is None or not step.is_sure


def test_steady_units_repaired_lately_hardly_ever_step():
    known = usual()
    found = [find_step(machine(seed, nights=5 + seed % 11), usual=known) for seed in range(300)]
    assert sum(step is not None for step in found) > 290
    assert sum(step is not None and step.is_sure for step in found) <= 1


def test_the_first_nights_after_a_repair_say_nothing():
    levels = machine(nights=LEAST_BEFORE + 1)
    levels[-2:, 1] += 2.0
    assert find_step(levels, usual=usual()) is None


def test_a_class_is_not_known_by_two_of_its_units():
    assert Usual.of([machine(1), machine(2)]) is None
    assert Usual.of([machine(1), machine(2), machine(3, nights=LEAST_NIGHTS - 1)]) is None
    assert Usual.of([]) is None


def season(nights=NIGHTS):
    return 4 * np.sin(2 * np.pi * (np.arange(nights) + 290) / 365)


def fleet(units=12):
    return [machine(seed) + season()[:, None] for seed in range(units)]


def test_a_season_is_no_step_of_a_class():
    assert stepped_together(fleet()) == frozenset()


@pytest.mark.parametrize("after", [2, 7, 13])
def test_a_class_whose_sensors_read_higher_from_one_night_on_steps_together(after):
    units = fleet()
    for unit in units:
        unit[-after:, 1] *= 1.1
    assert stepped_together(units) == {1}


def test_a_class_of_which_all_sensors_read_higher_steps_together():
    units = fleet()
    for unit in units:
        unit[-7:] *= 1.4
    assert stepped_together(units)


def test_a_few_units_that_step_are_not_their_class():
    units = fleet()
    for unit in units[:5]:
        unit[-7:, 1] *= 1.1
    assert stepped_together(units) == frozenset()


def test_units_that_step_apart_do_not_step_together():
    units = fleet()
    for number, unit in enumerate(units):
        unit[-7:, 1] += 2 if number % 2 else -2
    assert stepped_together(units) == frozenset()


def test_too_few_units_are_no_class():
    units = fleet(units=4)
    for unit in units:
        unit[-7:, 1] *= 1.1
    assert stepped_together(units) == frozenset()
    assert stepped_together([]) == frozenset()


def test_too_short_a_past_says_nothing():
    assert find_step(machine(nights=LEAST_NIGHTS - 1)) is None


def test_a_machine_with_one_point_is_watched_too():
    levels = np.random.default_rng(3).normal(5, 0.1, (NIGHTS, 1))
    levels[-5:] += 1
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
