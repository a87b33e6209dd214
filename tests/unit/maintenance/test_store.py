"""The readings store: first write wins, half-open reads, nothing invented."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from maintenance import store
from maintenance.instants import to_us
from maintenance.models import MeasurementPoint, Reading, ReadingSegment, Watermark
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
    appended = _append(point, [], [])
    assert (appended.new, appended.duplicate, len(appended.differing)) == (0, 0, 0)


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


LONG_AGO = to_us(NOW - dt.timedelta(days=40))
TODAY = to_us(NOW)


@pytest.mark.parametrize("at_us", [LONG_AGO, TODAY], ids=["sealed", "hot"])
def test_a_reading_sent_again_with_another_value_is_told(point, at_us):
    _append(point, [at_us, at_us + 1], [1.0, 2.0])
    differing = _append(point, [at_us, at_us + 1, at_us + 2], [1.0, 5.0, 6.0]).differing
    assert (differing.point_ids.tolist(), differing.at_us.tolist()) == ([point], [at_us + 1])
    assert differing.values.tolist() == [5.0]


def test_two_values_for_one_instant_in_one_batch_are_told(point):
    differing = _append(point, [10, 10, 10], [1.0, 1.0, 2.0]).differing
    assert differing.values.tolist() == [2.0]


def test_what_is_older_than_two_days_is_sealed_at_once_in_an_empty_store(point):
    _append(point, [LONG_AGO, TODAY], [1.0, 2.0])
    assert ReadingSegment.objects.count() == 1
    assert Reading.objects.count() == 1


def test_a_point_that_speaks_every_minute_has_a_segment_a_day_and_a_slow_one_a_segment_of_32(point):
    slow = MeasurementPointFactory().pk
    minutes = [LONG_AGO + i * 60_000_000 for i in range(2 * 1440)]
    hours = [LONG_AGO + i * 3_600_000_000 for i in range(48)]
    _append(point, minutes, [1.0] * len(minutes))
    _append(slow, hours, [1.0] * len(hours))
    assert MeasurementPoint.objects.get(pk=point).segment_days == 1
    assert MeasurementPoint.objects.get(pk=slow).segment_days == 32
    assert ReadingSegment.objects.filter(point=point).count() == 3
    assert ReadingSegment.objects.filter(point=slow).count() in (1, 2)


def test_a_segment_with_a_flipped_byte_is_refused(point):
    _append(point, [LONG_AGO + i for i in range(100)], [float(i) for i in range(100)])
    segment = ReadingSegment.objects.get()
    broken = bytearray(segment.data)
    broken[0] ^= 0xFF
    ReadingSegment.objects.update(data=bytes(broken))
    with pytest.raises(store.CorruptSegmentError):
        store.read([point], 0, TODAY)
    assert [fault.point_id for fault in store.verify()] == [point]


def test_verify_names_hot_readings_earlier_than_the_watermark(point):
    _append(point, [TODAY], [1.0])
    Watermark.objects.update(sealed_before_us=TODAY + 1)
    assert [fault.reason for fault in store.verify()] == ["hot readings earlier than the watermark"]


def test_the_oldest_instant_is_a_readings_own_and_not_where_its_segment_begins(point):
    often, silent = MeasurementPointFactory().pk, MeasurementPointFactory().pk
    assert store.first_at_us([point, silent]) is None
    _append(point, [LONG_AGO + i * 3_600_000_000 for i in range(48)], [1.0] * 48)
    _append(often, [LONG_AGO - 60_000_000 + i * 60_000_000 for i in range(99)], [1.0] * 99)
    _append(point, [TODAY], [1.0])
    assert ReadingSegment.objects.count() >= 2
    assert store.first_at_us([point, silent]) == LONG_AGO
    assert store.first_at_us([point, often, silent]) == LONG_AGO - 60_000_000
