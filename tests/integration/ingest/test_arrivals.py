"""What only the arrival of readings shows: wrong clocks, and values that came again otherwise."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from maintenance.choices import QualityKind
from maintenance.flow.ingest import arrivals
from maintenance.instants import from_us, to_us
from maintenance.models import MeasurementPoint, QualityInterval
from tests.factories import NOW, MeasurementPointFactory

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def point() -> MeasurementPoint:
    """A point with ten days of a reading a minute, up to now."""
    made = MeasurementPointFactory(sampling_seconds=60)
    at_us = to_us(NOW) - np.arange(14_400, -1, -1) * 60_000_000
    ids = np.full(len(at_us), made.pk, dtype=np.int64)
    arrivals.append(ids, at_us, np.full(len(at_us), 3.0), now=NOW)
    assert not QualityInterval.objects.exists()
    return made


def arrive(point: MeasurementPoint, *at: dt.datetime, now: dt.datetime, value: float = 3.0) -> None:
    at_us = np.array([to_us(one) for one in at], dtype=np.int64)
    ids = np.full(len(at_us), point.pk, dtype=np.int64)
    arrivals.append(ids, at_us, np.full(len(at_us), value), now=now)


def told(point: MeasurementPoint) -> list[tuple[str, dt.datetime, dt.datetime, int]]:
    found = QualityInterval.objects.filter(point=point).order_by("starts_at")
    return list(found.values_list("kind", "starts_at", "ends_at", "readings"))


def test_a_reading_on_time_is_no_fault(point: MeasurementPoint) -> None:
    arrive(point, NOW + MINUTE, now=NOW + MINUTE)
    assert told(point) == []


def test_a_clock_ahead_is_told(point: MeasurementPoint) -> None:
    arrive(point, NOW + HOUR, now=NOW)
    assert told(point) == [(QualityKind.CLOCK_SKEW, NOW + HOUR, NOW + HOUR, 1)]
    assert QualityInterval.objects.get().known_at == NOW


def test_a_clock_that_falls_back_among_earlier_readings_is_told(point: MeasurementPoint) -> None:
    wrong = NOW - 5 * HOUR + dt.timedelta(seconds=17)
    arrive(point, wrong, wrong + MINUTE, now=NOW + MINUTE)
    assert told(point) == [(QualityKind.CLOCK_SKEW, wrong, wrong + MINUTE, 2)]


def test_a_clock_that_stays_behind_is_told_even_where_nothing_was(point: MeasurementPoint) -> None:
    behind = 5 * HOUR - dt.timedelta(seconds=17)
    for minutes in range(0, 420, 30):
        now = NOW + minutes * MINUTE
        arrive(point, now - behind, now=now)
    assert told(point) == [(QualityKind.CLOCK_SKEW, NOW - behind, NOW + 390 * MINUTE - behind, 14)]


def test_a_clock_that_starts_years_ago_is_told(point: MeasurementPoint) -> None:
    reset = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
    arrive(point, reset, now=NOW)
    assert told(point) == [(QualityKind.CLOCK_SKEW, reset, reset, 1)]


def test_a_gap_that_is_filled_late_is_no_fault() -> None:
    point = MeasurementPointFactory(sampling_seconds=60)
    arrive(point, *(NOW + n * MINUTE for n in (0, 1, 2, 303, 304)), now=NOW + 304 * MINUTE)
    arrive(point, *(NOW + n * MINUTE for n in range(3, 120)), now=NOW + 305 * MINUTE)
    assert told(point) == []


def test_history_brought_in_at_once_is_no_fault(point: MeasurementPoint) -> None:
    year_ago = to_us(NOW - dt.timedelta(days=365))
    at_us = year_ago + np.arange(5_000) * 60_000_000
    ids = np.full(len(at_us), point.pk, dtype=np.int64)
    arrivals.append(ids, at_us, np.full(len(at_us), 3.0), now=NOW)
    assert told(point) == []


def test_another_value_for_an_instant_is_told_and_the_first_stays(point: MeasurementPoint) -> None:
    arrive(point, NOW - 2 * MINUTE, NOW - MINUTE, now=NOW, value=4.0)
    assert told(point) == [(QualityKind.CONFLICT, NOW - 2 * MINUTE, NOW - MINUTE, 2)]
    assert QualityInterval.objects.get().details == {"value": 4.0}


def test_the_same_batch_again_changes_nothing(point: MeasurementPoint) -> None:
    for _time in range(2):
        arrive(point, NOW - MINUTE, now=NOW, value=4.0)
        arrive(point, NOW + HOUR, now=NOW)
    assert [row[3] for row in told(point)] == [1, 1]


def test_conflicts_far_apart_do_not_condemn_what_lies_between(point: MeasurementPoint) -> None:
    arrive(point, NOW - 100 * HOUR, NOW - MINUTE, now=NOW, value=4.0)
    assert [row[1:3] for row in told(point)] == [
        (NOW - 100 * HOUR, NOW - 100 * HOUR),
        (NOW - MINUTE, NOW - MINUTE),
    ]


def test_what_comes_late_is_checked_after_all(point: MeasurementPoint) -> None:
    MeasurementPoint.objects.filter(pk=point.pk).update(quality_checked_until=NOW)
    late = to_us(NOW - dt.timedelta(days=30)) + np.arange(3_000) * 60_000_000
    ids = np.full(len(late), point.pk, dtype=np.int64)
    arrivals.append(ids, late, np.full(len(late), 3.0), now=NOW)
    point.refresh_from_db()
    assert point.quality_checked_until == from_us(int(late[0]))


def test_readings_far_apart_do_not_have_the_history_between_them_read(
    point: MeasurementPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = MeasurementPointFactory(sampling_seconds=60)
    arrive(other, NOW, now=NOW)
    read, seen = arrivals.store.read, []

    def counted(points: list[int], start_us: int, end_us: int) -> dict:
        found = read(points, start_us, end_us)
        seen.append(sum(len(at_us) for at_us, _values in found.values()))
        return found

    monkeypatch.setattr(arrivals.store, "read", counted)
    first = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
    at_us = np.array([to_us(first), to_us(NOW - 24 * HOUR)] * 2)
    ids = np.repeat([point.pk, other.pk], 2)
    arrivals.append(ids, at_us, np.full(4, 3.0), now=NOW)
    assert sum(seen) <= 3 * 60


def test_when_a_point_began_is_not_when_its_neighbour_did(point: MeasurementPoint) -> None:
    elder = MeasurementPointFactory(sampling_seconds=60)
    began = dt.datetime(2009, 1, 1, tzinfo=dt.UTC)
    ids = np.full(3_000, elder.pk, dtype=np.int64)
    arrivals.append(ids, to_us(began) + np.arange(3_000), np.full(3_000, 3.0), now=NOW)
    reset = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
    ids = np.array([elder.pk, point.pk])
    arrivals.append(ids, np.full(2, to_us(reset)), np.full(2, 3.0), now=NOW)
    assert told(elder) == []
    assert told(point) == [(QualityKind.CLOCK_SKEW, reset, reset, 1)]


def test_more_than_a_few_late_readings_are_compared_with_nothing(
    point: MeasurementPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals.store, "read", lambda *_given: pytest.fail("read"))
    arrive(point, *(NOW - 100 * HOUR - n * 2 * MINUTE for n in range(600)), now=NOW)
    assert told(point) == []


def test_what_one_request_cannot_compare_is_taken_as_it_comes(
    point: MeasurementPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_READS", 1)
    odd = dt.timedelta(seconds=17)
    arrive(point, NOW - 100 * HOUR + odd, NOW - 50 * HOUR + odd, now=NOW)
    assert told(point) == []
