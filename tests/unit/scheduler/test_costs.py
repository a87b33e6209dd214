"""What a finished schedule costs, term by term."""

from __future__ import annotations

from scheduler import (
    Asset,
    Assignment,
    Cost,
    Interval,
    Problem,
    Published,
    Schedule,
    Window,
    cost_unscheduled,
)
from tests.unit.scheduler.problems import job, problem, technician


def cost(asked: Problem, start: int, *technician_ids: str) -> Cost:
    return Schedule((Assignment("J1", start, start + 120, technician_ids),)).cost(asked)


def test_a_job_costs_the_risk_of_its_day() -> None:
    assert cost(problem(), 480, "ana") == Cost(risk=100)
    assert cost(problem(), 1920, "ana") == Cost(risk=300)


def test_a_job_left_out_costs_waiting() -> None:
    assert cost_unscheduled(problem()) == Cost(left_out=900)


def test_labour_is_rounded_up_for_each_technician() -> None:
    people = (technician(price_per_hour=1001), technician("luis", price_per_hour=1))
    shorter = problem(job(duration_minutes=90), technicians=people)
    schedule = Schedule((Assignment("J1", 480, 570, ("ana", "luis")),))
    assert schedule.cost(shorter).labour == 1502 + 2


def test_overtime_pays_its_premium_for_the_minutes_beyond_the_shift() -> None:
    ana = technician(overtime=(Interval(960, 1080),), overtime_premium_per_hour=100)
    asked = problem(technicians=(ana,))
    assert cost(asked, 840, "ana").overtime == 0
    assert cost(asked, 870, "ana").overtime == 50
    assert cost(asked, 960, "ana").overtime == 200


def test_overtime_that_lies_in_a_shift_costs_nothing_more() -> None:
    ana = technician(overtime=(Interval(480, 600),), overtime_premium_per_hour=100)
    assert cost(problem(technicians=(ana,)), 480, "ana").overtime == 0


def test_stopping_the_asset_costs_the_cheapest_window_that_holds_the_job() -> None:
    windows = (Window(480, 960, 500), Window(540, 700, 100))
    asked = problem(assets=(Asset("PRESS", windows=windows),))
    assert cost(asked, 480, "ana").downtime == 1000
    assert cost(asked, 570, "ana").downtime == 200


def test_lateness_counts_the_days_after_the_day_it_was_due() -> None:
    asked = problem(job(due_minute=900, late_price_per_day=40))
    assert cost(asked, 480, "ana").lateness == 0
    assert cost(asked, 1920, "ana").lateness == 40


def test_moving_a_published_job_costs_each_day_and_each_person() -> None:
    published = Published(480, ("ana",), price_per_day=30, price_per_technician=7)
    asked = problem(job(published=published), technicians=(technician(), technician("luis")))
    assert cost(asked, 600, "ana").change == 0
    assert cost(asked, 1920, "luis").change == 37


def test_dropping_a_published_job_counts_as_moving_it_past_the_end() -> None:
    published = Published(1920, ("ana",), price_per_day=30, price_per_technician=7)
    assert cost_unscheduled(problem(job(published=published))) == Cost(change=37, left_out=900)


def test_a_day_of_23_hours_is_a_day() -> None:
    short_first_day = problem(day_starts_minutes=(0, 1380, 2820))
    assert cost(short_first_day, 1380, "ana").risk == 300
