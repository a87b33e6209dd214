"""The readings store: first write wins, half-open reads, nothing invented."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from maintenance import store
from tests.factories import MeasurementPointFactory

NOW = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
pytestmark = pytest.mark.django_db


def _append(point: int, at_us: list[int], values: list[float]) -> store.Appended:
    return store.append(
        np.full(len(at_us), point, dtype=np.int64),
        np.array(at_us, dtype=np.int64),
        np.array(values, dtype=np.float64),
        now=NOW,
    )


@pytest.fixture
def point() -> int:
    return MeasurementPointFactory().pk


def test_what_is_appended_is_read_in_time_order(point):
    _append(point, [30, 10, 20], [3.0, 1.0, 2.0])
    at_us, values = store.read([point], 0, 100)[point]
    assert at_us.tolist() == [10, 20, 30]
    assert values.tolist() == [1.0, 2.0, 3.0]


def test_the_same_batch_twice_adds_nothing(point):
    first = _append(point, [10, 20], [1.0, 2.0])
    again = _append(point, [10, 20], [1.0, 2.0])
    assert (first.new, first.duplicate) == (2, 0)
    assert (again.new, again.duplicate) == (0, 2)
    assert store.count() == 2


def test_the_first_value_of_an_instant_stays(point):
    _append(point, [10], [1.0])
    _append(point, [10], [99.0])
    assert store.read([point], 0, 100)[point][1].tolist() == [1.0]


def test_the_first_value_wins_within_one_batch_too(point):
    appended = _append(point, [10, 10, 5], [1.0, 99.0, 0.5])
    assert (appended.new, appended.duplicate) == (2, 1)
    assert store.read([point], 0, 100)[point][1].tolist() == [0.5, 1.0]


def test_a_read_holds_its_start_and_not_its_end(point):
    _append(point, [10, 20, 30], [1.0, 2.0, 3.0])
    assert store.read([point], 10, 30)[point][0].tolist() == [10, 20]


def test_each_point_gets_its_own_readings_and_a_silent_one_gets_none(point):
    other, silent = MeasurementPointFactory().pk, MeasurementPointFactory().pk
    _append(point, [10], [1.0])
    _append(other, [11, 12], [2.0, 3.0])
    found = store.read([other, silent, point], 0, 100)
    assert {key: at_us.tolist() for key, (at_us, _) in found.items()} == {
        other: [11, 12],
        silent: [],
        point: [10],
    }


def test_reading_no_point_is_no_error():
    assert store.read([], 0, 100) == {}


def test_appending_nothing_is_no_error(point):
    assert _append(point, [], []) == store.Appended(new=0, duplicate=0)


def test_instants_before_1970_and_far_ahead_are_kept_exactly(point):
    instants = [-62_135_596_800_000_000, -1, 4_102_444_800_000_001]
    _append(point, instants, [1.0, 2.0, 3.0])
    assert store.read([point], instants[0], 2**62)[point][0].tolist() == instants


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_no_number_is_the_callers_mistake(point, value):
    with pytest.raises(ValueError, match="finite"):
        _append(point, [10, 20], [1.0, value])
    assert store.count() == 0


def test_arrays_of_different_length_are_the_callers_mistake(point):
    with pytest.raises(ValueError, match="same length"):
        store.append(np.array([point]), np.array([1, 2]), np.array([1.0]), now=NOW)


def test_the_newest_instant_of_each_point_is_known(point):
    silent = MeasurementPointFactory().pk
    _append(point, [10, 30, 20], [1.0, 1.0, 1.0])
    assert store.last_at_us([point, silent]) == {point: 30}
