"""A finished schedule: it recomputes its own cost and lists its own violations.

>>> from scheduler.problem import Asset, Interval, Job, Problem, Role, Technician
>>> problem = Problem(
...     day_starts_minutes=(0, 1440),
...     assets=(Asset(id="PRESS-1"),),
...     technicians=(Technician(id="ana", shifts=(Interval(480, 960),), price_per_hour=3000),),
...     jobs=(
...         Job(
...             id="J1", asset_id="PRESS-1", duration_minutes=90, cost_by_day=(100,),
...             leave_out_cost=9000, roles=(Role(skill="hydraulics"),),
...         ),
...     ),
... )
>>> schedule = Schedule((Assignment("J1", 480, 570, ("ana",)),))
>>> [violation.message for violation in schedule.violations(problem)]
['ana does not have hydraulics, which J1 needs']
>>> schedule.cost(problem).total, Schedule().cost(problem).total
(4600, 9000)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scheduler.assignment import Assignment, Cost, Violation
from scheduler.costs import cost_of_doing, cost_of_leaving_out
from scheduler.documents import decode, encode
from scheduler.problem import Problem
from scheduler.rules import RULES, Board


@dataclass(frozen=True)
class Schedule:
    """Assignments, at most one a job; jobs without one are left out."""

    assignments: tuple[Assignment, ...] = ()

    @cached_property
    def by_job(self) -> dict[str, Assignment]:
        return {assignment.job_id: assignment for assignment in self.assignments}

    def violations(self, problem: Problem) -> tuple[Violation, ...]:
        """Every broken rule, judged without the solver."""
        board = Board(problem, self.assignments)
        return tuple(violation for rule in RULES for violation in rule(board))

    def cost(self, problem: Problem) -> Cost:
        """What the schedule costs by term, in minor units, jobs left out included."""
        cost = Cost()
        for job in problem.jobs:
            assignment = self.by_job.get(job.id)
            if assignment is None:
                cost += cost_of_leaving_out(problem, job)
            else:
                cost += cost_of_doing(problem, job, assignment)
        return cost

    def placing(self, assignment: Assignment) -> Schedule:
        """The same schedule with this job placed so, wherever it stood before."""
        return Schedule((*self.without(assignment.job_id).assignments, assignment))

    def without(self, job_id: str) -> Schedule:
        return Schedule(tuple(a for a in self.assignments if a.job_id != job_id))

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = encode(self)
        return plain

    @classmethod
    def from_dict(cls, document: object) -> Schedule:
        """A schedule from plain JSON values.

        Raises:
            DocumentError: a key or a type is not as documented.
        """
        return decode(cls, document)


def cost_unscheduled(problem: Problem) -> Cost:
    """What it costs to do nothing: every job left out."""
    return Schedule().cost(problem)
