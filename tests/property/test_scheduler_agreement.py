"""The solver and the checker, written apart, say the same of every problem."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from scheduler import Problem, Result, Schedule, Status, Why, check_move, explain, solve
from tests.unit.scheduler.problems import contended_problems, problems

quick = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
anything = contended_problems() | problems()
unpinned = contended_problems() | problems(with_pins=False)


def answer(problem: Problem) -> Result:
    return solve(problem, effort=0.02, grid_minutes=30)


@quick
@given(anything)
def test_any_problem_is_answered_and_only_pins_break_rules(problem: Problem) -> None:
    result = answer(problem)
    pinned = {job.id for job in problem.jobs if job.pin is not None}
    assert all(violation.job_id in pinned for violation in result.violations)
    assert pinned <= set(result.schedule.by_job)


@quick
@given(anything)
def test_the_reported_cost_is_the_recomputed_cost_to_the_cent(problem: Problem) -> None:
    result = answer(problem)
    assert result.cost == result.schedule.cost(problem)
    assert result.trace[-1].cost == result.cost.total
    assert result.bound <= result.cost.total
    assert (result.status is Status.optimal) == (result.bound == result.cost.total)


@quick
@given(anything)
def test_every_job_left_out_is_explained_and_none_would_pay(problem: Problem) -> None:
    result = answer(problem)
    scheduled = set(result.schedule.by_job)
    assert [left.job_id for left in result.left_out] == [
        job.id for job in problem.jobs if job.id not in scheduled
    ]
    assert all(left.why is not Why.possible for left in result.left_out)
    assert all(left.rules or left.why is Why.economic for left in result.left_out)
    assert explain(problem, result.schedule, grid_minutes=30) == result.left_out


@quick
@given(unpinned)
def test_an_unlock_breaks_only_what_it_says_and_costs_what_it_says(problem: Problem) -> None:
    result = answer(problem)
    for left in result.left_out:
        for unlock in left.unlocks:
            move = check_move(
                problem,
                result.schedule,
                job_id=left.job_id,
                start_minute=unlock.start_minute,
                technician_ids=unlock.technician_ids,
            )
            assert move.violations
            assert {v.rule for v in unlock.broken} <= {v.rule for v in move.violations}
            if "window" not in unlock.waivers:
                assert move.cost_change == -unlock.saving


@quick
@given(anything)
def test_problem_result_and_schedule_survive_json(problem: Problem) -> None:
    result = answer(problem)
    assert Problem.from_json(problem.to_json()) == problem
    assert Result.from_dict(result.to_dict()) == result
    assert Schedule.from_dict(result.schedule.to_dict()) == result.schedule


@quick
@given(anything)
def test_the_same_problem_seed_and_effort_give_the_same_schedule(problem: Problem) -> None:
    first, second = answer(problem), answer(problem)
    assert first.schedule == second.schedule
    assert first.left_out == second.left_out
    assert first.repeatable
