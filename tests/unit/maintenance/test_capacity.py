"""When people work: local shifts, over midnight and changes of the clock, less absences."""

from __future__ import annotations

import datetime as dt

import pytest

from maintenance.models import Absence, Shift, Technician
from maintenance.queries import capacity
from tests.factories import NOW, SiteFactory, TechnicianFactory

pytestmark = pytest.mark.django_db

MONDAY, FRIDAY, SATURDAY, SUNDAY = 0, 4, 5, 6


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def ana() -> Technician:
    return TechnicianFactory(site=SiteFactory(time_zone="Europe/Madrid"))


def shift(technician: Technician, weekday: int, starts: str, ends: str) -> None:
    Shift.objects.create(
        technician=technician,
        weekday=weekday,
        starts=dt.time.fromisoformat(starts),
        ends=dt.time.fromisoformat(ends),
    )


def absence(technician: Technician, starts: str, ends: str) -> None:
    Absence.objects.create(
        technician=technician, starts_at=utc(starts), ends_at=utc(ends), recorded_at=NOW
    )


def times(technician: Technician, start: str, end: str) -> capacity.WorkingTime:
    found = capacity.working_times([technician], start=utc(start), end=utc(end))
    return found[technician.pk]


def spans(listed: tuple[capacity.Span, ...]) -> list[tuple[str, str]]:
    return [(f"{start:%m-%d %H:%M}", f"{end:%m-%d %H:%M}") for start, end in listed]


def test_shifts_are_local_hours(ana):
    shift(ana, MONDAY, "06:00", "14:00")
    winter = times(ana, "2026-03-01T23:00", "2026-03-02T23:00")
    assert spans(winter.present) == [("03-02 05:00", "03-02 13:00")]
    summer = times(ana, "2026-07-05T22:00", "2026-07-06T22:00")
    assert spans(summer.present) == [("07-06 04:00", "07-06 12:00")]


def test_a_shift_that_ends_before_it_starts_ends_on_the_next_day(ana):
    shift(ana, SUNDAY, "22:00", "06:00")
    week = times(ana, "2026-03-01T23:00", "2026-03-09T23:00")
    assert spans(week.present) == [("03-01 23:00", "03-02 05:00"), ("03-08 21:00", "03-09 05:00")]


def test_the_night_before_the_first_day_counts_from_midnight(ana):
    """The part of it that lies within: the rest belongs to the days before."""
    shift(ana, SUNDAY, "22:00", "06:00")
    assert times(ana, "2026-03-01T23:00", "2026-03-02T23:00").hours == 6


def test_a_shift_of_equal_hours_lasts_a_day(ana):
    shift(ana, MONDAY, "06:00", "06:00")
    assert times(ana, "2026-03-01T23:00", "2026-03-08T23:00").hours == 24


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-27T23:00", "2026-03-29T22:00", 7),  # the clock goes from 2 to 3
        ("2026-10-23T22:00", "2026-10-25T23:00", 9),  # the hour from 2 to 3 comes twice
        ("2026-03-20T23:00", "2026-03-22T23:00", 8),
    ],
)
def test_the_night_in_which_the_clocks_change_is_worked_as_long_as_it_is(ana, start, end, hours):
    shift(ana, SATURDAY, "22:00", "06:00")
    assert times(ana, start, end).hours == hours


def test_shifts_that_meet_are_one_stretch(ana):
    shift(ana, MONDAY, "06:00", "14:00")
    shift(ana, MONDAY, "14:00", "18:00")
    assert spans(times(ana, "2026-03-01T23:00", "2026-03-02T23:00").present) == [
        ("03-02 05:00", "03-02 17:00")
    ]


def test_shifts_that_overlap_are_not_worked_twice(ana):
    shift(ana, MONDAY, "06:00", "14:00")
    shift(ana, MONDAY, "10:00", "16:00")
    assert times(ana, "2026-03-01T23:00", "2026-03-02T23:00").hours == 10


def test_absence_is_taken_out_and_remembered(ana):
    shift(ana, MONDAY, "06:00", "14:00")
    absence(ana, "2026-03-02T08:00", "2026-03-02T10:00")
    day = times(ana, "2026-03-01T23:00", "2026-03-02T23:00")
    assert spans(day.present) == [("03-02 05:00", "03-02 08:00"), ("03-02 10:00", "03-02 13:00")]
    assert spans(day.absent) == [("03-02 08:00", "03-02 10:00")]
    assert day.hours == 6


def test_only_lost_working_time_is_remembered_as_absence(ana):
    shift(ana, FRIDAY, "06:00", "14:00")
    absence(ana, "2026-03-03T00:00", "2026-03-06T06:00")
    week = times(ana, "2026-03-01T23:00", "2026-03-08T23:00")
    assert spans(week.absent) == [("03-06 05:00", "03-06 06:00")]
    assert week.hours == 7


def test_absences_that_overlap_are_taken_out_once(ana):
    shift(ana, MONDAY, "06:00", "14:00")
    absence(ana, "2026-03-02T05:00", "2026-03-02T08:00")
    absence(ana, "2026-03-02T07:00", "2026-03-02T09:00")
    day = times(ana, "2026-03-01T23:00", "2026-03-02T23:00")
    assert spans(day.present) == [("03-02 09:00", "03-02 13:00")]
    assert spans(day.absent) == [("03-02 05:00", "03-02 09:00")]


def test_absence_over_the_whole_time_leaves_none(ana):
    shift(ana, MONDAY, "22:00", "06:00")
    absence(ana, "2026-02-01T00:00", "2026-04-01T00:00")
    week = times(ana, "2026-03-01T23:00", "2026-03-08T23:00")
    assert week.present == ()
    assert week.hours == 0
    assert spans(week.absent) == [("03-02 21:00", "03-03 05:00")]


def test_somebody_without_shifts_does_not_work(ana):
    assert times(ana, "2026-03-01T23:00", "2026-03-08T23:00").hours == 0


def test_the_crews_hours_are_those_of_everybody_still_in_the_team(ana):
    here, gone = (TechnicianFactory(site=ana.site) for _ in range(2))
    gone.left_on = dt.date(2026, 2, 27)
    gone.save()
    elsewhere = TechnicianFactory()
    for somebody in (ana, here, gone, elsewhere):
        shift(somebody, MONDAY, "06:00", "14:00")
    week = {"start": utc("2026-03-01T23:00"), "end": utc("2026-03-08T23:00")}
    assert capacity.crew_hours(ana.site, **week) == 16


def test_somebody_who_leaves_works_to_the_end_of_their_last_day_and_no_longer(ana):
    for weekday in (MONDAY, MONDAY + 1, MONDAY + 2):
        shift(ana, weekday, "06:00", "14:00")
    ana.left_on = dt.date(2026, 3, 3)
    week = times(ana, "2026-03-01T23:00", "2026-03-08T23:00")
    assert spans(week.present) == [("03-02 05:00", "03-02 13:00"), ("03-03 05:00", "03-03 13:00")]


def test_more_people_take_no_more_queries(ana, django_assert_num_queries):
    for _ in range(3):
        TechnicianFactory(site=ana.site)
    with django_assert_num_queries(3):
        capacity.crew_hours(ana.site, start=NOW, end=NOW + dt.timedelta(days=14))
