"""What the checks flag, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from predictors.limits import Limits, learn
from predictors.quality import MOST_STRETCHES, Kind, Stretch, check, clock_faults
from predictors.schema import DAY_US
from predictors.units import conversions

MINUTE_US = 60_000_000
TEN_MINUTES_US = 10 * MINUTE_US
HOUR_US = 60 * MINUTE_US
DAYS = 42
A_DAY = 144


def steady(*, level: float = 50.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Six weeks of a reading every ten minutes."""
    at_us = np.arange(DAYS * A_DAY) * TEN_MINUTES_US
    return at_us, np.random.default_rng(seed).normal(level, level / 50, len(at_us)).round(3)


def at_rest(values: np.ndarray) -> np.ndarray:
    """Zero from ten at night to six in the morning, and all weekend."""
    hour = np.arange(len(values)) % A_DAY // 6
    day = np.arange(len(values)) // A_DAY % 7
    return np.where((hour < 6) | (hour >= 22) | (day >= 5), 0.0, values)


def told(at_us: np.ndarray, values: np.ndarray, **given) -> list[Stretch]:
    return check(at_us, values, learn(at_us, values), **given)


def places(stretch: Stretch) -> tuple[str, int, int]:
    return stretch.kind.value, stretch.start_us // TEN_MINUTES_US, stretch.end_us // TEN_MINUTES_US


def test_steady_readings_are_left_alone() -> None:
    assert told(*steady()) == []


def test_too_few_readings_teach_nothing() -> None:
    at_us, values = steady()
    assert learn(at_us[:49], values[:49]) == Limits()


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_few_readings_far_from_both_neighbours_are_a_spike(width: int) -> None:
    at_us, values = steady()
    values[2000 : 2000 + width] = 80
    (found,) = told(at_us, values)
    assert places(found) == ("spike", 2000, 1999 + width)
    assert found.known_us == (2000 + width) * TEN_MINUTES_US


def test_a_step_is_no_spike() -> None:
    at_us, values = steady()
    values[3000:] += 20
    assert told(at_us, values) == []


def test_a_short_shift_every_day_is_no_spike() -> None:
    at_us, values = steady()
    values[np.arange(len(values)) % A_DAY < 2] += 20
    assert told(at_us, values) == []


def test_a_machine_at_rest_every_night_and_weekend_is_not_flat() -> None:
    at_us, values = steady()
    assert told(at_us, at_rest(values)) == []


def test_a_sensor_that_sticks_at_work_is_flat_though_rest_lasts_longer() -> None:
    at_us, values = steady()
    values = at_rest(values)
    values[2070:2110] = values[2070]
    (found,) = told(at_us, values)
    assert places(found) == ("flat", 2070, 2109)


def test_a_machine_that_rests_far_longer_than_ever_is_flat() -> None:
    at_us, values = steady()
    values = at_rest(values)
    values[20 * A_DAY : 30 * A_DAY] = 0
    (found,) = told(at_us, values)
    assert found.kind is Kind.FLAT


def test_unless_it_is_known_to_stand_still() -> None:
    at_us, values = steady()
    values = at_rest(values)
    values[20 * A_DAY : 30 * A_DAY] = 0
    limits = learn(at_us, values)
    assert check(at_us, values, limits, standing=[(20 * DAY_US, 30 * DAY_US)]) == []


def test_a_set_point_that_holds_is_not_flat() -> None:
    at_us, _values = steady()
    values = np.repeat([50.0, 55.0, 50.0, 60.0, 45.0, 60.0], len(at_us) // 6)
    assert told(at_us, values) == []


def test_a_flat_line_is_told_once_it_has_lasted_too_long() -> None:
    at_us, values = steady()
    values[2000:2040] = 50
    (found,) = told(at_us, values)
    limit_us = found.details["limit_seconds"] * 1e6
    assert found.known_us == pytest.approx(2000 * TEN_MINUTES_US + limit_us, abs=TEN_MINUTES_US)


def test_what_a_broken_wire_says_is_out_of_range() -> None:
    at_us, values = steady()
    values[2000:2010] = -9999
    assert [places(one) for one in told(at_us, values)] == [("out_of_range", 2000, 2009)]


def test_a_declared_range_goes_before_the_learnt_one() -> None:
    at_us, values = steady()
    values[2000:2010] += 8
    limits = learn(at_us, values).declared(high=57.0)
    found = check(at_us, values, limits)
    assert {one.kind for one in found} == {Kind.OUT_OF_RANGE}


def test_a_silence_is_told_from_the_reading_before_to_the_one_after() -> None:
    at_us, values = steady()
    keep = np.r_[0:2000, 2030 : len(values)]
    assert [places(one) for one in told(at_us[keep], values[keep])] == [("stale", 1999, 2030)]


def test_a_logger_that_sleeps_at_night_is_not_stale() -> None:
    at_us, values = steady()
    awake = np.arange(len(values)) % A_DAY >= 48
    assert told(at_us[awake], values[awake]) == []


def test_a_silence_lasts_until_the_instant_of_the_check() -> None:
    at_us, values = steady()
    as_of_us = int(at_us[-1]) + 6 * HOUR_US
    (found,) = told(at_us, values, as_of_us=as_of_us)
    assert (found.kind, found.end_us, found.readings) == (Kind.STALE, as_of_us, 0)


@pytest.mark.parametrize(
    ("unit", "other"),
    [
        (unit, one.other)
        for unit in ("°C", "bar", "mm/s", "°F", "A")
        for one in conversions(unit)
        if one.other not in ("cm/s", "m/s", "mbar", "MPa", "Pa")
    ],
)
def test_readings_in_another_unit_are_told_with_its_name(unit: str, other: str) -> None:
    at_us, values = steady()
    (conversion,) = (one for one in conversions(unit) if one.other == other)
    values[2000:2300] = conversion.said(values[2000:2300])
    (found,) = told(at_us, values, unit=unit)
    assert places(found) == ("unit_mismatch", 2000, 2299)
    assert found.details == {"unit": found.details["unit"]}
    said = next(one for one in conversions(unit) if one.other == found.details["unit"])
    assert said.factor == pytest.approx(conversion.factor)


def test_a_real_rise_to_the_same_height_is_no_other_unit() -> None:
    at_us, values = steady()
    values[2000:2300] += np.linspace(0, 72, 300)
    assert Kind.UNIT_MISMATCH not in {one.kind for one in told(at_us, values, unit="°C")}


def test_a_reading_is_flagged_for_one_reason() -> None:
    at_us, values = steady()
    values[2000:2100] = 9999
    found = told(at_us, values)
    assert [one.kind for one in found] == [Kind.OUT_OF_RANGE]


def test_a_sensor_that_flaps_makes_no_endless_list() -> None:
    at_us, values = steady()
    values[1000:3000:2] = -9999
    limits = Limits(low=0.0)
    found = check(at_us, values, limits)
    assert len(found) == MOST_STRETCHES
    assert sum(one.readings for one in found) == 1000


def test_checks_of_no_readings_find_nothing() -> None:
    nothing = np.empty(0)
    assert check(nothing.astype(np.int64), nothing, Limits(low=0.0, stale_after_us=1)) == []


def arrive(late_us: np.ndarray, **given) -> list[bool]:
    known_us = np.arange(6000) * TEN_MINUTES_US
    return clock_faults(
        late_us,
        arrived_us=6000 * TEN_MINUTES_US,
        known_us=known_us,
        sampling_us=TEN_MINUTES_US,
        **given,
    ).tolist()


def test_a_stamp_ahead_of_its_arrival_is_a_fault() -> None:
    now_us = 6000 * TEN_MINUTES_US
    assert arrive(np.array([now_us, now_us + 6 * MINUTE_US])) == [False, True]


def test_a_stamp_among_earlier_readings_is_a_fault() -> None:
    assert arrive(np.array([3000 * TEN_MINUTES_US + MINUTE_US])) == [True]


def test_a_reading_sent_twice_is_none() -> None:
    assert arrive(np.array([3000 * TEN_MINUTES_US])) == [False]


def test_a_lost_reading_sent_late_is_none() -> None:
    known_us = np.delete(np.arange(6000), 3000) * TEN_MINUTES_US
    flagged = clock_faults(
        np.array([3000 * TEN_MINUTES_US]),
        arrived_us=6000 * TEN_MINUTES_US,
        known_us=known_us,
        sampling_us=TEN_MINUTES_US,
    )
    assert flagged.tolist() == [False]


def test_a_clock_found_behind_stays_so_while_the_delay_is_the_same() -> None:
    late = np.array([7000 * TEN_MINUTES_US])
    given = {
        "arrived_us": 7060 * TEN_MINUTES_US,
        "known_us": np.arange(6000) * TEN_MINUTES_US,
        "sampling_us": TEN_MINUTES_US,
    }
    assert clock_faults(late, **given).tolist() == [False]
    assert clock_faults(late, **given, behind_us=60 * TEN_MINUTES_US).tolist() == [True]
