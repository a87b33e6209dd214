"""Why a job is left out, and the least that would have to change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler import (
    Asset,
    Assignment,
    Delivery,
    Interval,
    Job,
    LeftOut,
    Outage,
    Part,
    PartNeed,
    Problem,
    Role,
    Schedule,
    Technician,
    ToolNeed,
    ToolType,
    Why,
    Window,
    explain,
    solve,
)
from tests.unit.scheduler.problems import job, problem, technician


def left_out(asked: Problem, *assignments: Assignment) -> LeftOut:
    (first,) = explain(asked, Schedule(assignments))
    return first


def test_a_job_dearer_than_waiting_is_economic() -> None:
    left = left_out(problem(job(leave_out_cost=80)))
    assert (left.why, left.rules, left.unlocks) == (Why.economic, (), ())
    assert left.message == "J1 could be done at minute 480 for 100; leaving it out costs 80"
    assert left.parameters["saving"] == -20


def test_a_job_that_would_pay_is_possible() -> None:
    left = left_out(problem())
    assert left.why is Why.possible
    assert left.parameters["saving"] == 800


def test_an_economic_job_is_told_what_would_make_it_pay() -> None:
    asset = Asset("PRESS", windows=(Window(480, 960, 400), Window(1920, 2400, 0)))
    late = job(cost_by_day=(100, 300), leave_out_cost=250)
    ana = technician(shifts=(Interval(480, 960),))
    left = left_out(problem(late, assets=(asset,), technicians=(ana,)))
    assert left.why is Why.economic
    assert left.unlocks == ()


def test_a_job_longer_than_any_shift_is_refused_loudly() -> None:
    asked = problem(job(duration_minutes=500))
    left = solve(asked, effort=0.1).left_out[0]
    assert left.why is Why.structural
    assert left.rules[0] == "longer_than_any_shift"
    assert (left.parameters["needed"], left.parameters["longest"]) == (500, 480)
    assert "longer than any shift of those who can do it (480)" in left.message


def test_a_job_longer_than_the_schedule_is_refused_loudly() -> None:
    left = left_out(problem(job(duration_minutes=3000, roles=())))
    assert (left.why, left.rules) == (Why.structural, ("longer_than_schedule",))
    assert left.unlocks == ()


def test_a_job_for_more_people_than_there_are_is_refused_loudly() -> None:
    left = left_out(problem(job(roles=(Role("hydraulics", count=2),))))
    assert (left.why, left.rules) == (Why.structural, ("too_few_people",))


AWAY = technician(shifts=(), absences=(Interval(480, 960),))
EXPIRED = technician(certificates={"hydraulics": 0})
SEAL = (PartNeed("seal"),)
CRANE = (ToolNeed("crane"),)
STRUCTURAL: dict[str, tuple[Problem, str]] = {
    "skill": (problem(job(roles=(Role("welding"),))), "skill_missing"),
    "certificate": (problem(technicians=(EXPIRED,)), "certificate_expired"),
    "absence": (problem(technicians=(AWAY,)), "absent"),
    "window": (problem(assets=(Asset("PRESS", windows=(Window(0, 60),)),)), "outside_window"),
    "dates": (problem(job(latest_end_minute=100)), "too_late"),
    "part": (problem(job(parts=SEAL), parts=(Part("seal", 0),)), "part_short"),
    "tool": (problem(job(tools=CRANE), tools=(ToolType("crane", 0),)), "tool_short"),
    "calibration": (
        problem(job(tools=CRANE), tools=(ToolType("crane", 1, outages=(Outage(0, 2880),)),)),
        "tool_unavailable",
    ),
}


@pytest.mark.parametrize("waiver", STRUCTURAL)
def test_what_is_impossible_on_an_empty_schedule_is_structural(waiver: str) -> None:
    asked, rule = STRUCTURAL[waiver]
    left = left_out(asked)
    assert left.why is Why.structural
    assert (waiver,) in [unlock.waivers for unlock in left.unlocks]
    unlock = next(unlock for unlock in left.unlocks if unlock.waivers == (waiver,))
    assert [violation.rule for violation in unlock.broken] == [rule]
    assert unlock.saving == 800


def beside(other: Job, start: int, *technician_ids: str) -> Assignment:
    return Assignment(other.id, start, start + other.duration_minutes, technician_ids)


def test_a_busy_technician_is_contention_and_is_named_with_the_other_job() -> None:
    day = (technician(shifts=(Interval(480, 600),)),)
    other = job("J2", asset_id="PRESS-2", name="Gearbox")
    left = left_out(problem(job(), other, technicians=day), beside(other, 480, "ana"))
    assert left.why is Why.contention
    busy = next(u for u in left.unlocks if u.waivers == ("technician",))
    assert busy.broken[0].message == "Ana is on Gearbox at that time"
    assert (busy.start_minute, busy.saving, busy.technician_ids) == (480, 800, ("ana",))


def test_a_part_another_job_took_is_contention() -> None:
    asked = problem(
        job(parts=SEAL),
        job("J2", parts=SEAL, asset_id="PRESS-2"),
        parts=(Part("seal", 1, deliveries=(Delivery(2700, 1),)),),
    )
    left = left_out(asked, beside(asked.jobs[1], 480, "ana"))
    assert (left.why, left.rules) == (Why.contention, ("part_short",))
    assert left.unlocks[0].broken[0].parameters["next_delivery"] == 2700


def test_a_predecessor_left_out_is_contention() -> None:
    asked = problem(job(leave_out_cost=0), job("J2", predecessors=("J1",), leave_out_cost=50))
    waiting = explain(asked, Schedule())[1]
    assert (waiting.why, waiting.rules) == (Why.contention, ("predecessor_left_out",))


def test_two_rules_in_the_way_take_a_pair() -> None:
    asked = problem(job(roles=(Role("welding"),), parts=SEAL), parts=(Part("seal", 0),))
    left = left_out(asked)
    assert [unlock.waivers for unlock in left.unlocks] == [("part", "skill")]
    assert left.rules == ("skill_missing", "part_short")


def test_the_cheapest_unlock_comes_first() -> None:
    asset = Asset("PRESS", windows=(Window(1920, 2400),))
    asked = problem(job(latest_end_minute=1440), assets=(asset,))
    unlocks = left_out(asked).unlocks
    assert [unlock.waivers for unlock in unlocks] == [("window",), ("dates",)]
    assert [unlock.saving for unlock in unlocks] == [800, 600]


def test_applying_an_unlock_schedules_the_job() -> None:
    asked, _ = STRUCTURAL["part"]
    unlock = left_out(asked).unlocks[0]
    stocked = replace(asked, parts=(Part("seal", 1),))
    result = solve(stocked, effort=0.1)
    assert result.cost.total == unlock.cost
    assert result.schedule.by_job["J1"].start_minute == unlock.start_minute


def test_nobody_at_all_is_told() -> None:
    left = left_out(problem(technicians=()))
    assert (left.why, left.rules) == (Why.structural, ("too_few_people",))


def test_unknown_jobs_and_people_in_the_schedule_are_passed_over() -> None:
    stranger = (Assignment("ghost", 480, 600, ("nobody",)), Assignment("J2", 480, 600, ("gone",)))
    asked = problem(job(leave_out_cost=80), job("J2"))
    assert left_out(asked, *stranger).why is Why.economic


def test_a_technician_is_called_by_name() -> None:
    people = (Technician("t-17", name="Marta Ruiz", shifts=(Interval(480, 960),)),)
    assert "Marta Ruiz does not have hydraulics" in left_out(problem(technicians=people)).message
