"""Rows, bars and spans of the timeline."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from maintenance.models import Absence, AccessWindow, Schedule, Shift, Technician
from maintenance.queries.timeline import (
    By,
    Timeline,
    document,
    visible_hours,
    wall_clock,
    works_on_weekends,
)
from tests.integration.web.plant import Plant, small_plant, with_draft

NOW = dt.datetime(2026, 3, 26, 9, tzinfo=dt.UTC)
MADRID = ZoneInfo("Europe/Madrid")


@pytest.fixture
def plant(db: None) -> Plant:
    return small_plant(NOW)


@pytest.fixture
def schedule(plant: Plant) -> Schedule:
    Absence.objects.all().delete()
    made = with_draft(plant, NOW, seconds=1).schedule
    assert made is not None
    return made


def spans(schedule: Schedule, technician: Technician, day: int) -> list[tuple[str, str, str]]:
    start = dt.datetime(2026, 3, day, tzinfo=MADRID)
    timeline = Timeline(schedule, By.TECHNICIAN, start, start + dt.timedelta(days=1))
    return sorted(
        (event["start"][8:], event["end"][8:], event["classNames"][0])
        for event in document(timeline)["events"]
        if event.get("display") == "background" and event["resourceIds"] == [str(technician.pk)]
    )


def test_the_rest_of_the_day_is_grey(plant: Plant, schedule: Schedule) -> None:
    early = plant.technicians[0]
    assert spans(schedule, early, 27) == [
        ("27T00:00", "27T06:00", "off-shift"),
        ("27T14:00", "28T00:00", "off-shift"),
    ]


def test_a_free_day_is_one_span_also_when_the_clock_changes(
    plant: Plant, schedule: Schedule
) -> None:
    assert spans(schedule, plant.technicians[0], 29) == [("29T00:00", "30T00:00", "off-shift")]


def test_an_absence_is_told_apart_from_the_rest(plant: Plant, schedule: Schedule) -> None:
    early = plant.technicians[0]
    start = dt.datetime(2026, 3, 27, 10, tzinfo=MADRID)
    Absence.objects.create(
        technician=early,
        starts_at=start,
        ends_at=start + dt.timedelta(hours=2),
        reason="Doctor",
        recorded_at=NOW,
    )
    assert spans(schedule, early, 27) == [
        ("27T00:00", "27T06:00", "off-shift"),
        ("27T10:00", "27T12:00", "absent"),
        ("27T14:00", "28T00:00", "off-shift"),
    ]


def test_an_asset_is_grey_outside_its_windows(schedule: Schedule) -> None:
    place = schedule.assignments.select_related("work_order__asset").first()
    assert place is not None
    AccessWindow.objects.create(
        asset=place.work_order.asset,
        starts_at=schedule.starts_at,
        ends_at=schedule.starts_at + dt.timedelta(days=2),
        recorded_at=NOW,
    )
    timeline = Timeline(schedule, By.ASSET, schedule.starts_at, schedule.ends_at)
    grey = [e for e in document(timeline)["events"] if e.get("display") == "background"]
    assert [e["resourceIds"] for e in grey] == [[str(place.work_order.asset_id)]]
    assert grey[0]["start"] == wall_clock(schedule.starts_at + dt.timedelta(days=2), MADRID)


def test_load_counts_given_minutes_against_shifts(plant: Plant, schedule: Schedule) -> None:
    whole = Timeline(schedule, By.TECHNICIAN, schedule.starts_at, schedule.ends_at)
    given = {row["id"]: row["extendedProps"]["load"] for row in document(whole)["resources"]}
    for technician in plant.technicians:
        places = schedule.assignments.filter(technicians=technician)
        hours = sum((p.ends_at - p.starts_at) / dt.timedelta(hours=1) for p in places)
        assert given[str(technician.pk)] == round(100 * hours / 80)


def test_the_hours_shown_are_those_in_which_somebody_works(schedule: Schedule) -> None:
    assert visible_hours(schedule) == (6, 22)


def test_a_night_shift_shows_the_whole_day(plant: Plant, schedule: Schedule) -> None:
    Shift.objects.create(
        technician=plant.technicians[0], weekday=5, starts=dt.time(22), ends=dt.time(6)
    )
    assert visible_hours(schedule) == (0, 24)


def test_a_shift_until_midnight_ends_the_day(plant: Plant, schedule: Schedule) -> None:
    Shift.objects.create(
        technician=plant.technicians[0], weekday=5, starts=dt.time(16), ends=dt.time()
    )
    assert visible_hours(schedule) == (6, 24)


def test_without_shifts_a_usual_day_is_shown(schedule: Schedule) -> None:
    Shift.objects.all().delete()
    schedule.assignments.all().delete()
    assert visible_hours(schedule) == (6, 22)


def test_instants_leave_as_the_clock_on_the_wall() -> None:
    summer = dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)
    assert wall_clock(summer, MADRID) == "2026-03-29T03:30"


def test_weekends_are_shown_where_somebody_works_then(plant: Plant, schedule: Schedule) -> None:
    assert not works_on_weekends(schedule)
    Shift.objects.create(
        technician=plant.technicians[0], weekday=6, starts=dt.time(6), ends=dt.time(14)
    )
    assert works_on_weekends(schedule)


def test_weekends_are_shown_where_work_is_placed_then(schedule: Schedule) -> None:
    place = schedule.assignments.first()
    assert place is not None
    place.starts_at = dt.datetime(2026, 3, 28, 10, tzinfo=MADRID)
    place.ends_at = place.starts_at + dt.timedelta(hours=1)
    place.save()
    assert works_on_weekends(schedule)
