"""From a problem to a result: pins, progress, limits, what a planner may count on."""

from __future__ import annotations

import json
import time

from scheduler import (
    Assignment,
    Interval,
    Part,
    PartNeed,
    Pin,
    Problem,
    Published,
    Role,
    Status,
    Why,
    solve,
)
from tests.unit.scheduler.problems import job, problem, technician


def starts(asked: Problem, **limits: float) -> dict[str, int]:
    result = solve(asked, effort=0.1, **limits)  # type: ignore[arg-type]
    return {a.job_id: a.start_minute for a in result.schedule.assignments}


def crowded(jobs: int = 30) -> Problem:
    """More work than two people can do, of different urgency."""
    lengths = (90, 150, 240, 210, 330)
    wanted = [
        job(
            f"J{i}",
            asset_id=("PRESS", "PRESS-2")[i % 2],
            duration_minutes=lengths[i % 5],
            cost_by_day=(100 + 17 * i % 90, 150 + 31 * i % 300),
            leave_out_cost=400 + 37 * i % 500,
            roles=(Role("hydraulics", level=1 + i % 2),),
            parts=(PartNeed("seal"),) if i % 3 == 0 else (),
        )
        for i in range(jobs)
    ]
    people = (technician(price_per_hour=10), technician("luis", price_per_hour=14))
    return problem(*wanted, technicians=people, parts=(Part("seal", 3),))


def test_an_empty_problem_has_an_empty_optimal_schedule() -> None:
    result = solve(Problem(day_starts_minutes=(0, 1440)))
    assert result.schedule.assignments == ()
    assert (result.status, result.cost.total, result.gap) == (Status.optimal, 0, 0)


def test_the_worth_of_a_job_decides_who_gets_the_last_hours() -> None:
    day = (technician(shifts=(Interval(480, 660),)),)
    cheap, dear = job("cheap"), job("dear", leave_out_cost=2000, asset_id="PRESS-2")
    assert starts(problem(cheap, dear, technicians=day)) == {"dear": 480}


def test_a_costly_predecessor_is_done_for_the_sake_of_its_successor() -> None:
    first = job("first", leave_out_cost=50)
    then = job("then", predecessors=("first",), leave_out_cost=900)
    assert starts(problem(first, then)) == {"first": 480, "then": 600}


def test_a_pin_against_every_rule_is_kept_and_what_it_breaks_is_listed() -> None:
    pinned = job(
        pin=Pin(0, ("luis",)),
        roles=(Role("welding"),),
        parts=(PartNeed("seal"),),
        earliest_start_minute=600,
    )
    luis = technician("luis", skills={})
    asked = problem(pinned, technicians=(luis,), parts=(Part("seal", 0),))
    result = solve(asked, effort=0.1)
    assert result.schedule.assignments == (Assignment("J1", 0, 120, ("luis",)),)
    broken = {violation.rule for violation in result.violations}
    assert broken == {"too_early", "skill_missing", "off_shift", "part_short"}


def test_a_pin_that_names_nobody_gets_a_crew() -> None:
    result = solve(problem(job(pin=Pin(600))), effort=0.1)
    assert result.schedule.assignments == (Assignment("J1", 600, 720, ("ana",)),)
    assert result.violations == ()


def test_a_pin_without_a_free_crew_is_kept_with_the_people_there_are() -> None:
    pair = job(pin=Pin(600), roles=(Role("hydraulics"), Role("welding")))
    result = solve(problem(pair), effort=0.1)
    assert result.schedule.by_job["J1"].technician_ids == ("ana",)
    assert [violation.rule for violation in result.violations] == ["crew_incomplete"]


def test_two_pins_in_each_others_way_are_both_kept() -> None:
    both = [job(f"J{i}", pin=Pin(480, ("ana",)), asset_id="PRESS") for i in (1, 2)]
    result = solve(problem(*both), effort=0.1)
    assert len(result.schedule.assignments) == 2
    assert {v.rule for v in result.violations} == {"technician_busy", "asset_busy"}


def test_other_jobs_keep_clear_of_pins() -> None:
    pinned = job("pinned", pin=Pin(480, ("ana",)), duration_minutes=400)
    assert starts(problem(pinned, job("other"))) == {"pinned": 480, "other": 1920}


def test_the_crew_of_a_pin_makes_room_for_a_job_that_needs_somebody_special() -> None:
    welder = technician("luis", skills={"hydraulics": 1, "welding": 1})
    pinned = job("pinned", pin=Pin(480))
    special = job("special", asset_id="PRESS-2", roles=(Role("welding"),), latest_end_minute=600)
    plain = technician(price_per_hour=60)
    result = solve(problem(pinned, special, technicians=(welder, plain)), effort=0.1)
    assert result.schedule.by_job["pinned"].technician_ids == ("ana",)
    assert result.schedule.by_job["special"].technician_ids == ("luis",)


def test_a_published_job_stays_where_people_expect_it_when_that_costs_no_more() -> None:
    asked = problem(job(published=Published(700, ("ana",), price_per_day=10)))
    assert starts(asked) == {"J1": 700}


def test_a_change_price_keeps_a_published_job_on_its_day() -> None:
    moved = job(published=Published(1920, ("ana",), price_per_day=150))
    stays = job(published=Published(1920, ("ana",), price_per_day=250))
    assert starts(problem(moved)) == {"J1": 480}
    assert starts(problem(stays)) == {"J1": 1920}


def test_a_crowded_problem_is_answered_within_a_known_distance_of_the_best() -> None:
    asked = crowded()
    result = solve(asked, effort=0.2)
    assert result.violations == ()
    assert result.cost.total < result.cost_unscheduled.total
    assert 0 <= result.gap < 0.05
    assert {left.why for left in result.left_out} <= {Why.contention, Why.economic}
    assert result.trace[0].step == "greedy"


def test_the_same_seed_and_effort_give_the_same_result() -> None:
    first, second = (solve(crowded(), effort=0.1) for _ in range(2))
    assert first.schedule == second.schedule
    assert (first.cost, first.bound, first.left_out) == (second.cost, second.bound, second.left_out)
    assert first.repeatable


def test_more_effort_never_loses_what_greedy_found() -> None:
    result = solve(crowded(), effort=0.05)
    assert result.cost.total <= result.trace[0].cost


def test_progress_tells_cost_and_bound_as_they_get_better() -> None:
    told: list[tuple[int, int]] = []
    result = solve(
        crowded(), effort=0.1, on_progress=lambda cost, bound: told.append((cost, bound))
    )
    assert told[-1] == (result.cost.total, result.bound)
    bounds = [bound for _, bound in told]
    assert bounds == sorted(bounds)


def test_a_stop_keeps_the_best_and_says_it_is_not_repeatable() -> None:
    result = solve(crowded(), stop=lambda: True)
    assert result.schedule.assignments
    assert result.violations == ()
    assert not result.repeatable


def test_the_clock_cuts_a_long_search_short() -> None:
    began = time.perf_counter()
    result = solve(crowded(), effort=1000, time_limit_seconds=1.0)
    assert time.perf_counter() - began < 10
    assert result.schedule.assignments
    assert not result.repeatable


def test_a_result_is_plain_json() -> None:
    document = json.loads(solve(crowded(5), effort=0.1).to_json())
    assert set(document["schedule"]["assignments"][0]) == {
        "job_id",
        "start_minute",
        "end_minute",
        "technician_ids",
    }
