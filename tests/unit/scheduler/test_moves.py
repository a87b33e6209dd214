"""A move by hand: all broken rules at once, and where else the job could go."""

from __future__ import annotations

import pytest

from scheduler import (
    Assignment,
    Pin,
    ProblemError,
    Role,
    Schedule,
    alternatives,
    check_move,
)
from tests.unit.scheduler.problems import job, problem, technician

LUIS = technician("luis", skills={"electrics": 1})
PAIR = problem(job(), job("J2", asset_id="PRESS-2"), technicians=(technician(), LUIS))
STANDING = Schedule((Assignment("J1", 480, 600, ("ana",)), Assignment("J2", 600, 720, ("ana",))))


def test_a_lawful_move_breaks_nothing_and_says_what_it_costs() -> None:
    move = check_move(PAIR, STANDING, job_id="J1", start_minute=1920, technician_ids=["ana"])
    assert move.violations == ()
    assert (move.cost_change, move.cost.total) == (200, 400)


def test_all_broken_rules_are_told_at_once() -> None:
    move = check_move(PAIR, STANDING, job_id="J1", start_minute=640, technician_ids=["luis"])
    assert [v.rule for v in move.violations] == ["skill_missing"]
    move = check_move(PAIR, STANDING, job_id="J1", start_minute=900, technician_ids=["luis"])
    assert [v.rule for v in move.violations] == ["skill_missing", "off_shift"]


def test_the_other_side_of_a_clash_is_told_too() -> None:
    move = check_move(PAIR, STANDING, job_id="J1", start_minute=640, technician_ids=["ana"])
    assert [(v.rule, v.job_id) for v in move.violations] == [
        ("technician_busy", "J1"),
        ("technician_busy", "J2"),
    ]


def test_what_was_broken_before_elsewhere_is_not_told_again() -> None:
    crooked = STANDING.placing(Assignment("J2", 0, 120, ("luis",)))
    move = check_move(PAIR, crooked, job_id="J1", start_minute=720, technician_ids=["ana"])
    assert move.violations == ()


def test_a_successor_left_behind_is_told() -> None:
    chain = problem(job(), job("J2", predecessors=("J1",), asset_id="PRESS-2"))
    move = check_move(chain, STANDING, job_id="J1", start_minute=720, technician_ids=["ana"])
    assert [(v.rule, v.job_id) for v in move.violations] == [("predecessor_not_finished", "J2")]


def test_whoever_moves_a_pinned_job_speaks_for_it() -> None:
    pinned = problem(job(pin=Pin(480)))
    schedule = Schedule((Assignment("J1", 480, 600, ("ana",)),))
    move = check_move(pinned, schedule, job_id="J1", start_minute=720, technician_ids=["ana"])
    assert move.violations == ()


def test_a_left_out_job_may_be_brought_in() -> None:
    move = check_move(PAIR, Schedule(), job_id="J1", start_minute=480, technician_ids=["ana"])
    assert (move.violations, move.cost_change) == ((), -800)


def test_a_job_nobody_knows_is_refused() -> None:
    with pytest.raises(ProblemError, match="'ghost' is not in the problem"):
        check_move(PAIR, STANDING, job_id="ghost", start_minute=0, technician_ids=[])
    with pytest.raises(ProblemError, match="'ghost' is not in the problem"):
        alternatives(PAIR, STANDING, job_id="ghost")


def test_the_best_place_of_each_day_is_offered_best_first() -> None:
    moves = alternatives(PAIR, STANDING, job_id="J1")
    assert [(m.assignment.start_minute, m.cost_change) for m in moves] == [(480, 0), (1920, 200)]
    assert all(move.violations == () for move in moves)


def test_a_job_without_a_lawful_place_is_offered_none() -> None:
    welding = problem(job(roles=(Role("welding"),)))
    assert alternatives(welding, Schedule(), job_id="J1") == ()
