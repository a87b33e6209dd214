"""One test for each hard rule, as the checker sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler import (
    Asset,
    Assignment,
    Delivery,
    Interval,
    Outage,
    Part,
    PartNeed,
    Pin,
    Problem,
    Role,
    Schedule,
    ToolNeed,
    ToolType,
    Violation,
    Window,
)
from scheduler.explain import BLOCKED
from scheduler.rules import MESSAGES
from tests.unit.scheduler.problems import job, problem, technician

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "scheduler.md"


def at(start: int, *technician_ids: str, job_id: str = "J1", minutes: int = 120) -> Assignment:
    return Assignment(job_id, start, start + minutes, technician_ids)


def violations(asked: Problem, *assignments: Assignment) -> tuple[Violation, ...]:
    return Schedule(assignments).violations(asked)


def rules(asked: Problem, *assignments: Assignment) -> list[str]:
    return [violation.rule for violation in violations(asked, *assignments)]


def test_a_lawful_schedule_breaks_nothing() -> None:
    assert violations(problem(), at(480, "ana")) == ()


def test_a_job_nobody_knows_is_named() -> None:
    assert rules(problem(), at(480, "ana"), at(600, "ana", job_id="ghost")) == ["unknown_job"]


def test_a_job_stands_in_the_schedule_once() -> None:
    assert rules(problem(), at(480, "ana"), at(600, "ana")) == ["scheduled_twice"]


def test_a_job_takes_its_time() -> None:
    assert rules(problem(), at(480, "ana", minutes=60)) == ["wrong_duration"]


def test_a_job_lies_within_the_schedule() -> None:
    assert "outside_schedule" in rules(problem(), at(2800, "ana"))
    assert "outside_schedule" in rules(problem(), at(-60, "ana"))


def test_nothing_new_starts_in_the_frozen_period_and_pins_stay() -> None:
    frozen = problem(frozen_until_minute=600)
    pinned = problem(job(pin=Pin(480)), frozen_until_minute=600)
    assert rules(frozen, at(480, "ana")) == ["frozen_period"]
    assert rules(pinned, at(480, "ana")) == []


def test_a_job_keeps_its_dates() -> None:
    dated = problem(job(earliest_start_minute=600, latest_end_minute=800))
    assert rules(dated, at(540, "ana")) == ["too_early"]
    assert rules(dated, at(720, "ana")) == ["too_late"]
    assert rules(dated, at(600, "ana")) == []


def test_a_pin_is_kept_at_its_start_with_its_people() -> None:
    pinned = problem(job(pin=Pin(480, ("ana",))), technicians=(technician(), technician("luis")))
    assert rules(pinned, at(480, "ana")) == []
    assert rules(pinned, at(600, "ana")) == ["pin_moved"]
    assert rules(pinned, at(480, "luis")) == ["pin_crew_changed"]
    assert rules(pinned) == ["pin_moved"]


def test_a_crew_names_people_of_the_problem_once() -> None:
    two = problem(job(roles=(Role("hydraulics", count=2),)))
    assert rules(two, at(480, "ana", "ana")) == ["technician_twice", "crew_incomplete"]
    assert rules(two, at(480, "ana", "ghost")) == ["unknown_technician", "crew_incomplete"]


def test_a_crew_is_complete_and_nobody_comes_along() -> None:
    both = problem(technicians=(technician(), technician("luis")))
    assert rules(both, at(480)) == ["crew_incomplete"]
    assert rules(both, at(480, "ana", "luis")) == ["crew_too_large"]


def test_people_have_the_skill_at_its_level() -> None:
    expert = problem(job(roles=(Role("hydraulics", level=3),)))
    electric = problem(job(roles=(Role("electrics"),)))
    assert rules(expert, at(480, "ana")) == ["level_too_low"]
    assert rules(electric, at(480, "ana")) == ["skill_missing"]


def test_people_may_be_named_in_any_order() -> None:
    luis = technician("luis", skills={"electrics": 1})
    pair = problem(
        job(roles=(Role("hydraulics"), Role("electrics"))), technicians=(technician(), luis)
    )
    assert rules(pair, at(480, "luis", "ana")) == []


def test_a_certificate_is_valid_to_the_end_of_the_job() -> None:
    certified = problem(technicians=(technician(certificates={"hydraulics": 1500}),))
    assert rules(certified, at(480, "ana")) == []
    assert rules(certified, at(1920, "ana")) == ["certificate_expired"]


def test_a_certificate_without_end_is_always_valid() -> None:
    certified = problem(technicians=(technician(certificates={"hydraulics": None}),))
    assert rules(certified, at(1920, "ana")) == []


def test_people_are_on_shift_for_the_whole_job() -> None:
    assert rules(problem(), at(900, "ana")) == ["off_shift"]


def test_a_job_may_cross_from_shift_to_shift_and_into_overtime() -> None:
    long = problem(technicians=(technician(overtime=(Interval(960, 1020),)),))
    assert rules(long, at(900, "ana")) == []


def test_absence_is_told_from_being_off_shift() -> None:
    away = technician(shifts=(Interval(480, 600),), absences=(Interval(600, 960),))
    assert rules(problem(technicians=(away,)), at(540, "ana")) == ["absent"]


def test_nobody_is_on_two_jobs_at_once() -> None:
    two = problem(job(), job("J2", asset_id="PRESS-2"))
    found = violations(two, at(480, "ana"), at(540, "ana", job_id="J2"))
    assert [(v.rule, v.job_id, v.parameters["other"]) for v in found] == [
        ("technician_busy", "J1", "J2"),
        ("technician_busy", "J2", "J1"),
    ]


def test_an_asset_is_stopped_by_one_job_at_a_time() -> None:
    two = problem(job(), job("J2"), technicians=(technician(), technician("luis")))
    assert rules(two, at(480, "ana"), at(540, "luis", job_id="J2")) == ["asset_busy"] * 2


def test_a_job_lies_within_one_window_of_its_asset() -> None:
    windows = (Window(480, 600), Window(600, 900))
    stopped = problem(assets=(Asset("PRESS", windows=windows),))
    assert rules(stopped, at(540, "ana")) == ["outside_window"]
    assert rules(stopped, at(600, "ana")) == []


def test_no_more_tools_in_use_than_there_are() -> None:
    needs = (ToolNeed("crane"),)
    two = problem(
        job(tools=needs),
        job("J2", tools=needs, asset_id="PRESS-2"),
        technicians=(technician(), technician("luis")),
        tools=(ToolType("crane", 1),),
    )
    assert rules(two, at(480, "ana"), at(540, "luis", job_id="J2")) == ["tool_short"] * 2
    assert rules(two, at(480, "ana"), at(600, "luis", job_id="J2")) == []


def test_a_tool_at_calibration_is_not_there() -> None:
    crane = ToolType("crane", 1, outages=(Outage(500, 560),))
    needing = problem(job(tools=(ToolNeed("crane"),)), tools=(crane,))
    found = violations(needing, at(480, "ana"))
    assert [(v.rule, v.parameters["reason"]) for v in found] == [
        ("tool_unavailable", "calibration")
    ]


def test_parts_are_in_stock_or_delivered_when_the_job_starts() -> None:
    seal = Part("seal", 0, deliveries=(Delivery(600, 1),))
    needing = problem(job(parts=(PartNeed("seal"),)), parts=(seal,))
    found = violations(needing, at(480, "ana"))
    assert [(v.rule, v.parameters["next_delivery"]) for v in found] == [("part_short", 600)]
    assert rules(needing, at(600, "ana")) == []


def test_parts_taken_by_earlier_starts_are_gone() -> None:
    needs = (PartNeed("seal"),)
    two = problem(job(parts=needs), job("J2", parts=needs), parts=(Part("seal", 1),))
    found = violations(two, at(480, "ana"), at(600, "ana", job_id="J2"))
    assert [(v.rule, v.job_id) for v in found] == [("part_short", "J2")]


def test_predecessors_are_in_the_schedule_and_finished() -> None:
    chain = problem(job(), job("J2", predecessors=("J1",), asset_id="PRESS-2"))
    assert rules(chain, at(480, "ana", job_id="J2")) == ["predecessor_left_out"]
    assert rules(chain, at(480, "ana"), at(600, "ana", job_id="J2")) == []
    reversed_order = rules(chain, at(600, "ana"), at(480, "ana", job_id="J2"))
    assert reversed_order == ["predecessor_not_finished"]


@pytest.mark.parametrize("code", sorted({**MESSAGES, **BLOCKED}))
def test_every_rule_code_is_in_the_reference(code: str) -> None:
    assert f"| `{code}` |" in REFERENCE.read_text(encoding="utf-8")
