"""What changed between two schedules, and who could do a work order."""

import datetime as dt

import pytest

from maintenance.flow import schedule as flow
from maintenance.models import Schedule, Technician
from maintenance.queries.places import best_places
from maintenance.queries.schedule import agenda, changes, chosen, fill_crew, seats
from tests.integration.web.plant import Plant, small_plant, with_draft

NOW = dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)


@pytest.fixture
def plant(db: None) -> Plant:
    return with_draft(small_plant(NOW), NOW, seconds=1)


@pytest.fixture
def draft(plant: Plant) -> Schedule:
    assert plant.schedule is not None
    return plant.schedule


def published_and_draft(plant: Plant, draft: Schedule) -> tuple[Schedule, Schedule]:
    published = flow.publish(schedule=draft, revision=1, by=plant.planner, now=NOW)
    return published, flow.start_draft(schedule=published, by=plant.planner, now=NOW)


def test_a_copy_changes_nothing(plant: Plant, draft: Schedule) -> None:
    published, copy = published_and_draft(plant, draft)
    told = changes(copy, published)
    assert (told.new, told.moved, told.removed) == ([], [], [])
    assert told.same == published.assignments.count()


def test_without_a_published_schedule_all_is_new(draft: Schedule) -> None:
    assert len(changes(draft, None).new) == draft.assignments.count()


def test_moved_and_removed_work_is_told(plant: Plant, draft: Schedule) -> None:
    published, copy = published_and_draft(plant, draft)
    first, second = copy.assignments.select_related("work_order").order_by("-starts_at")[:2]
    best = best_places(copy, first.work_order)[0]
    crew = Technician.objects.filter(pk__in=best.technician_ids)
    copy = flow.move(
        schedule=copy,
        work_order=first.work_order,
        start_at=best.starts_at,
        technicians=list(crew),
        revision=1,
        by=plant.planner,
        now=NOW,
    )
    copy = flow.remove(
        schedule=copy, work_order=second.work_order, revision=2, by=plant.planner, now=NOW
    )
    told = changes(copy, published)
    assert [m.after.work_order_id for m in told.moved] == [first.work_order_id]
    assert [row.work_order_id for row in told.removed] == [second.work_order_id]
    again = changes(published, copy)
    assert [row.work_order_id for row in again.new] == [second.work_order_id]


def test_the_draft_is_shown_before_what_is_published(plant: Plant, draft: Schedule) -> None:
    assert chosen(plant.planner, plant.site, number=None) == draft
    published, copy = published_and_draft(plant, draft)
    assert chosen(plant.planner, plant.site, number=None) == copy
    assert chosen(plant.planner, plant.site, number=published.number) == published
    assert chosen(plant.planner, plant.site, number=77) is None


def test_the_list_by_day_holds_each_place_once_in_order(draft: Schedule) -> None:
    days = agenda(draft)
    lines = [line.assignment for day in days for line in day.lines]
    assert [day.date for day in days] == sorted({day.date for day in days})
    assert [line.pk for line in lines] == list(
        draft.assignments.order_by("starts_at", "work_order__number").values_list("pk", flat=True)
    )


def test_a_seat_is_taken_by_whoever_of_the_crew_is_able(plant: Plant, draft: Schedule) -> None:
    work_order = plant.work_orders[0]
    (seat,) = seats(work_order, [], schedule=draft)
    assert seat.taken_by is None
    assert set(seat.able).isdisjoint(seat.others)
    (taken,) = seats(work_order, [seat.others[0], seat.able[0]], schedule=draft)
    assert taken.taken_by == seat.able[0].pk
    (unable,) = seats(work_order, [seat.others[0]], schedule=draft)
    assert unable.taken_by == seat.others[0].pk


def test_an_empty_seat_goes_to_somebody_able_on_shift_and_free(
    plant: Plant, draft: Schedule
) -> None:
    place = draft.assignments.select_related("work_order__site").first()
    assert place is not None
    work_order = place.work_order
    found = fill_crew(work_order, [], schedule=draft, start=place.starts_at)
    assert len(found) == place.technicians.count()
    night = place.starts_at.replace(hour=1)
    assert fill_crew(work_order, [], schedule=draft, start=night) == []
    named = [plant.technicians[3]]
    assert fill_crew(work_order, named, schedule=draft, start=night) == named


def test_the_best_places_break_no_rule_and_come_cheapest_first(draft: Schedule) -> None:
    place = draft.assignments.select_related("work_order").first()
    assert place is not None
    found = best_places(draft, place.work_order)
    assert found
    assert [p.cost_change for p in found] == sorted(p.cost_change for p in found)
    assert all(p.starts_at != place.starts_at or p.technicians for p in found)
