"""A move by hand: what it breaks, what it costs, and where else the job could go.

>>> from scheduler.problem import Asset, Interval, Job, Problem, Role, Technician
>>> problem = Problem(
...     day_starts_minutes=(0, 1440, 2880),
...     assets=(Asset(id="PRESS-1"),),
...     technicians=(
...         Technician(
...             id="ana", skills={"hydraulics": 2},
...             shifts=(Interval(480, 960), Interval(1920, 2400)),
...         ),
...     ),
...     jobs=(
...         Job(
...             id="J1", asset_id="PRESS-1", duration_minutes=120, cost_by_day=(100, 300),
...             leave_out_cost=900, roles=(Role(skill="hydraulics"),),
...         ),
...     ),
... )
>>> schedule = Schedule((Assignment("J1", 480, 600, ("ana",)),))
>>> move = check_move(
...     problem, schedule, job_id="J1", start_minute=2340, technician_ids=["ana"]
... )
>>> [violation.message for violation in move.violations], move.cost_change
(['ana is not on shift for the whole of J1'], 200)
>>> [(m.assignment.start_minute, m.cost_change) for m in alternatives(
...     problem, schedule, job_id="J1")]
[(480, 0), (1920, 200)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scheduler.assignment import Assignment, Cost, Violation
from scheduler.errors import ProblemError
from scheduler.explain import state_of
from scheduler.problem import Problem
from scheduler.schedule import Schedule


@dataclass(frozen=True)
class Move:
    """One job placed by hand.

    Attributes:
        violations: every rule broken that was not broken before, and every rule that the moved
            job breaks where it is now; its own first.
        cost: of the whole schedule after the move.
        cost_change: against the schedule before it.
    """

    assignment: Assignment
    violations: tuple[Violation, ...]
    cost: Cost
    cost_change: int


def check_move(
    problem: Problem,
    schedule: Schedule,
    *,
    job_id: str,
    start_minute: int,
    technician_ids: Sequence[str],
) -> Move:
    """All rules that a move by hand would break, and what it would cost.

    The job may be anywhere before, or left out. Its own pin does not count: whoever moves a job
    by hand speaks for it. People may be named in any order.

    Raises:
        ProblemError: the job is not in the problem.
    """
    problem = _unpinned(problem, job_id)
    duration = problem.job_by_id[job_id].duration_minutes
    assignment = Assignment(job_id, start_minute, start_minute + duration, tuple(technician_ids))
    after = schedule.placing(assignment)
    before = set(map(_key, schedule.violations(problem)))
    violations = [
        violation
        for violation in after.violations(problem)
        if violation.job_id == job_id or _key(violation) not in before
    ]
    violations.sort(key=lambda violation: violation.job_id != job_id)
    cost = after.cost(problem)
    change = cost.total - schedule.cost(problem).total
    return Move(assignment, tuple(violations), cost, change)


def alternatives(
    problem: Problem, schedule: Schedule, *, job_id: str, grid_minutes: int = 15
) -> tuple[Move, ...]:
    """The best lawful place of a job on each day, beside all others where they stand, best first.

    The first says what is best now, the differences what another day costs.

    Raises:
        ProblemError: the job is not in the problem.
    """
    problem = _unpinned(problem, job_id)
    rest = state_of(problem, schedule.without(job_id), grid_minutes=grid_minutes)
    options = rest.instance.options_of(rest.instance.job_index[job_id])
    found = [rest.best(options, within=starts) for starts in rest.instance.day_starts]
    moves = [
        check_move(
            problem,
            schedule,
            job_id=job_id,
            start_minute=placement.start,
            technician_ids=[problem.technicians[t].id for t in placement.crew],
        )
        for placement in found
        if placement is not None
    ]
    return tuple(sorted(moves, key=lambda m: (m.cost.total, m.assignment.start_minute)))


def _unpinned(problem: Problem, job_id: str) -> Problem:
    if job_id not in problem.job_by_id:
        raise ProblemError("job_id", f"{job_id!r} is not in the problem")
    jobs = (replace(job, pin=None) if job.id == job_id else job for job in problem.jobs)
    return replace(problem, jobs=tuple(jobs))


def _key(violation: Violation) -> tuple[str, str, str]:
    return violation.rule, violation.job_id, violation.message
