"""Tiny problems against every schedule there is, and what must hold at the optimum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scheduler import Assignment, Interval, Job, Problem, Result, Schedule, Status, solve
from tests.unit.scheduler.problems import HOUR, contended_problems, problems

quick = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
tiny = contended_problems(most_jobs=3) | problems(most_jobs=3, with_pins=False)


def best(problem: Problem) -> Result:
    return solve(problem, effort=0.3, grid_minutes=HOUR)


def cheapest_of_all(problem: Problem) -> int:
    """Try every place of every job, with the checker as the only judge."""
    choices = [sorted(places(problem, job), key=lambda place: place[0]) for job in problem.jobs]
    least = [0]
    for of_job in reversed(choices):
        least.append(least[-1] + of_job[0][0])
    least.reverse()
    found = Schedule().cost(problem).total

    def extend(index: int, chosen: tuple[Assignment, ...], cost: int) -> None:
        nonlocal found
        if cost + least[index] >= found:
            return
        if index == len(choices):
            if not Schedule(chosen).violations(problem):
                found = cost
            return
        for price, assignment in choices[index]:
            extend(index + 1, chosen if assignment is None else (*chosen, assignment), cost + price)

    extend(0, (), 0)
    return found


def places(problem: Problem, job: Job) -> Iterator[tuple[int, Assignment | None]]:
    """What the job costs left out, and in each place that breaks no rule by itself."""
    alone = replace(problem, jobs=(replace(job, predecessors=()),))
    yield Schedule().cost(alone).total, None
    crews = list(combinations([t.id for t in problem.technicians], len(job.seats)))
    for start in range(0, problem.end_minute, HOUR):
        for crew in crews:
            assignment = Assignment(job.id, start, start + job.duration_minutes, crew)
            schedule = Schedule((assignment,))
            if not schedule.violations(alone):
                yield schedule.cost(alone).total, assignment


@quick
@given(tiny)
def test_a_tiny_problem_is_solved_to_the_optimum_of_every_schedule_there_is(
    problem: Problem,
) -> None:
    result = best(problem)
    optimum = cheapest_of_all(problem)
    assert result.cost.total == optimum
    assert result.bound <= optimum


@quick
@given(tiny, st.sampled_from(("stock", "tools", "shift", "person")))
def test_more_stock_tools_hours_or_people_never_cost_more(problem: Problem, what: str) -> None:
    assume(problem.technicians)
    before, after = best(problem), best(with_more(problem, what))
    assume(before.status is Status.optimal and after.status is Status.optimal)
    assert after.cost.total <= before.cost.total


def with_more(problem: Problem, what: str) -> Problem:
    first = problem.technicians[0]
    if what == "stock":
        more = tuple(replace(part, stock=part.stock + 1) for part in problem.parts)
        return replace(problem, parts=more)
    if what == "tools":
        tools = tuple(replace(tool, count=tool.count + 1) for tool in problem.tools)
        return replace(problem, tools=tools)
    if what == "shift":
        longer = replace(first, shifts=(*first.shifts, Interval(0, 8 * HOUR)))
        return replace(problem, technicians=(longer, *problem.technicians[1:]))
    return replace(problem, technicians=(*problem.technicians, replace(first, id="twin")))


@quick
@given(tiny)
def test_calling_technicians_by_other_names_changes_nothing(problem: Problem) -> None:
    turned = tuple(reversed(problem.technicians))
    before, after = best(problem), best(replace(problem, technicians=turned))
    assume(before.status is Status.optimal and after.status is Status.optimal)
    assert after.cost.total == before.cost.total


@quick
@given(tiny, st.integers(1, 200))
def test_a_dearer_wait_never_makes_a_schedule_cheaper(problem: Problem, more: int) -> None:
    dearer = [replace(job, leave_out_cost=job.leave_out_cost + more) for job in problem.jobs]
    before, after = best(problem), best(replace(problem, jobs=tuple(dearer)))
    assume(before.status is Status.optimal and after.status is Status.optimal)
    assert after.cost.total >= before.cost.total
