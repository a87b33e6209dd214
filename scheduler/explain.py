"""Why a job is left out, and the least that would have to change.

For each left-out job the rules are waived one by one, then in twos and threes, until a place is
found that pays; the rules broken there, as the checker names them, are the reason in words. No
solver is asked, so an explanation takes milliseconds and can be checked by hand.

>>> from scheduler.problem import Asset, Interval, Job, PartNeed, Part, Problem, Role, Technician
>>> problem = Problem(
...     day_starts_minutes=(0, 1440),
...     assets=(Asset(id="PRESS-1"),),
...     technicians=(
...         Technician(id="ana", skills={"hydraulics": 2}, shifts=(Interval(480, 960),)),
...     ),
...     parts=(Part(id="seal", stock=0),),
...     jobs=(
...         Job(
...             id="J1", asset_id="PRESS-1", duration_minutes=120, cost_by_day=(100,),
...             leave_out_cost=900, roles=(Role("hydraulics"),), parts=(PartNeed("seal"),),
...         ),
...     ),
... )
>>> (left,) = explain(problem, Schedule())
>>> left.message
'J1 could not be done even on an empty schedule: 1 seal needed by then, 0 there'
>>> [(unlock.waivers, unlock.saving) for unlock in left.unlocks]
[(('part',), 800)]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from scheduler.assignment import Assignment, Parameter, Violation
from scheduler.costs import cost_of_doing
from scheduler.options import Instance, JobOptions, Waiver
from scheduler.problem import Job, Problem
from scheduler.result import LeftOut, Unlock, Why
from scheduler.schedule import Schedule
from scheduler.state import Placement, State

MOST_WAIVERS = 3
MOST_UNLOCKS = 6

MESSAGES: dict[Why, str] = {
    Why.economic: (
        "{job} could be done at minute {start} for {cost}; leaving it out costs {leave_out_cost}"
    ),
    Why.structural: "{job} could not be done even on an empty schedule: {details}",
    Why.contention: "{job} finds no place beside the other jobs: {details}",
    Why.possible: (
        "{job} could be done at minute {start} for {cost}, "
        "which saves {saving} against leaving it out"
    ),
}

BLOCKED: dict[str, str] = {
    "longer_than_any_shift": (
        "it takes {needed} minutes, longer than any shift of those who can do it ({longest})"
    ),
    "longer_than_schedule": "it takes {needed} minutes, longer than what is left of the schedule",
    "too_few_people": "it needs {needed} people, there are {available}",
}
"""Reasons that no rule of the checker names."""


def explain(problem: Problem, schedule: Schedule, *, grid_minutes: int = 15) -> tuple[LeftOut, ...]:
    """Why each job that is not in the schedule is left out, in the order of the problem."""
    explainer = Explainer(problem, schedule, grid_minutes=grid_minutes)
    return tuple(explainer.explain(job) for job in problem.jobs if job.id not in schedule.by_job)


class Explainer:
    """Explains jobs that one schedule leaves out."""

    def __init__(self, problem: Problem, schedule: Schedule, *, grid_minutes: int) -> None:
        self.problem = _without_pins(problem, schedule)
        self.schedule = schedule
        self.state = state_of(self.problem, schedule, grid_minutes=grid_minutes)
        self.instance = self.state.instance
        self.empty = State(self.instance)
        self.broken_today = {_key(v) for v in schedule.violations(self.problem)}

    def explain(self, job: Job) -> LeftOut:
        index = self.instance.job_index[job.id]
        options = self.instance.options_of(index)
        beside = self.state.best(options)
        if beside is not None:
            return self._explain_possible(options, beside)
        alone = self.instance.options_of(index, frozenset({Waiver.predecessor}))
        possible = self.empty.best(alone) is not None
        return self._explain_impossible(options, Why.contention if possible else Why.structural)

    def _explain_possible(self, options: JobOptions, best: Placement) -> LeftOut:
        pays = best.cost < options.leave_out_cost
        why = Why.possible if pays else Why.economic
        unlocks = () if pays else self._unlocks(options, most_waivers=2)
        parameters = _numbers(options, best)
        return LeftOut(
            job_id=options.job.id,
            why=why,
            rules=(),
            message=MESSAGES[why].format(**parameters),
            parameters=parameters,
            unlocks=tuple(unlock for unlock in unlocks if unlock.saving > 0),
        )

    def _explain_impossible(self, options: JobOptions, why: Why) -> LeftOut:
        unlocks = self._unlocks(options, most_waivers=MOST_WAIVERS)
        parameters: dict[str, Parameter] = {"job": options.job.label}
        blocked = list(self._blocked(options))
        rules = [rule for rule, _ in blocked]
        details = [BLOCKED[rule].format(**numbers) for rule, numbers in blocked]
        for _, numbers in blocked:
            parameters.update(numbers)
        for violation in unlocks[0].broken if unlocks else self._all_broken(options):
            rules.append(violation.rule)
            details.append(violation.message)
        parameters["details"] = "; ".join(dict.fromkeys(details))
        return LeftOut(
            job_id=options.job.id,
            why=why,
            rules=tuple(dict.fromkeys(rules)),
            message=MESSAGES[why].format(**parameters),
            parameters=parameters,
            unlocks=unlocks,
        )

    def _blocked(self, options: JobOptions) -> Iterator[tuple[str, dict[str, Parameter]]]:
        """What stands in the way whatever the other jobs do, beyond the rules of the checker."""
        needed, seats = options.duration, len(options.seats)
        if needed > self.problem.end_minute - self.problem.frozen_until_minute:
            yield "longer_than_schedule", {"needed": needed}
            return
        if seats > len(self.problem.technicians):
            available = len(self.problem.technicians)
            yield "too_few_people", {"needed": seats, "available": available}
        longest = self._longest_stretches(options.job)
        if longest and min(longest) < needed:
            yield "longer_than_any_shift", {"needed": needed, "longest": min(longest)}

    def _longest_stretches(self, job: Job) -> list[int]:
        """For each role that somebody has the skill for, their longest shift."""
        longest = []
        for role in job.roles:
            able = [
                self.instance.longest_stretch(index)
                for index, person in enumerate(self.problem.technicians)
                if role.skill in person.skills and person.skills[role.skill] >= role.level
            ]
            longest += [max(able)] if able else []
        return longest

    def _all_broken(self, options: JobOptions) -> tuple[Violation, ...]:
        """What the job breaks where it would be cheapest if no rule held."""
        waived = self.instance.options_of(
            options.index, frozenset(relevant_waivers(self.problem, options.job))
        )
        placement = self.state.best(waived)
        return () if placement is None else self._broken_by(placement)

    def _unlocks(self, options: JobOptions, *, most_waivers: int) -> tuple[Unlock, ...]:
        """The smallest sets of waivers that let the job in and pay, best saving first.

        Where none pays, the smallest that let it in at all.
        """
        relevant = relevant_waivers(self.problem, options.job)
        smallest: list[tuple[frozenset[Waiver], Placement]] = []
        for size in range(1, most_waivers + 1):
            found = list(self._openings(options, relevant, size))
            paying = [(w, p) for w, p in found if p.cost < options.leave_out_cost]
            if paying:
                smallest = paying
                break
            smallest = smallest or found
        smallest.sort(key=lambda pair: (pair[1].cost, sorted(pair[0])))
        return tuple(self._unlock(options, w, p) for w, p in smallest[:MOST_UNLOCKS])

    def _openings(
        self, options: JobOptions, relevant: Sequence[Waiver], size: int
    ) -> Iterator[tuple[frozenset[Waiver], Placement]]:
        for waivers in combinations(relevant, size):
            waived = frozenset(waivers)
            placement = self.state.best(self.instance.options_of(options.index, waived))
            if placement is not None:
                yield waived, placement

    def _unlock(
        self, options: JobOptions, waived: frozenset[Waiver], placement: Placement
    ) -> Unlock:
        technicians = self.problem.technicians
        return Unlock(
            waivers=tuple(sorted(waiver.value for waiver in waived)),
            start_minute=placement.start,
            technician_ids=tuple(technicians[index].id for index in placement.crew),
            cost=placement.cost,
            saving=options.leave_out_cost - placement.cost,
            broken=self._broken_by(placement),
        )

    def _broken_by(self, placement: Placement) -> tuple[Violation, ...]:
        """The rules broken with the job placed so and not today; each clash told once."""
        job = self.problem.jobs[placement.job]
        technicians = self.problem.technicians
        assignment = Assignment(
            job_id=job.id,
            start_minute=placement.start,
            end_minute=placement.start + job.duration_minutes,
            technician_ids=tuple(technicians[index].id for index in placement.crew),
        )
        violations = self.schedule.placing(assignment).violations(self.problem)
        new = [v for v in violations if _key(v) not in self.broken_today]
        own = [v for v in new if v.job_id == job.id]
        seen = {violation.rule for violation in own}
        return tuple(own + [v for v in new if v.job_id != job.id and v.rule not in seen])


def state_of(problem: Problem, schedule: Schedule, *, grid_minutes: int) -> State:
    """A finished schedule as a state; jobs and people the problem does not know are left away."""
    starts = [a.start_minute for a in schedule.assignments]
    instance = Instance(problem, grid_minutes=grid_minutes, also_minutes=starts)
    state = State(instance)
    known = instance.technician_index
    for job_id, assignment in schedule.by_job.items():
        if job_id in instance.job_index:
            index = instance.job_index[job_id]
            crew = tuple(known[i] for i in dict.fromkeys(assignment.technician_ids) if i in known)
            cost = cost_of_doing(problem, problem.jobs[index], assignment).total
            state.place(Placement(index, assignment.start_minute, crew, cost))
    return state


def relevant_waivers(problem: Problem, job: Job) -> tuple[Waiver, ...]:
    """The rules that could stand in the way of a job at all."""
    people = problem.technicians
    tools = [problem.tool_by_id[need.tool_id] for need in job.tools]
    relevant = {
        Waiver.window: problem.asset_by_id[job.asset_id].windows,
        Waiver.dates: job.earliest_start_minute is not None or job.latest_end_minute is not None,
        Waiver.predecessor: job.predecessors or problem.successors[job.id],
        Waiver.skill: job.roles,
        Waiver.certificate: job.roles and any(person.certificates for person in people),
        Waiver.absence: job.roles and any(person.absences for person in people),
        Waiver.shift: job.roles,
        Waiver.technician: job.roles,
        Waiver.asset: True,
        Waiver.tool: tools,
        Waiver.calibration: any(tool.outages for tool in tools),
        Waiver.part: job.parts,
    }
    return tuple(waiver for waiver in Waiver if relevant[waiver])


def _without_pins(problem: Problem, schedule: Schedule) -> Problem:
    """Left-out jobs are explained as if nobody had pinned them."""
    free = [j if j.id in schedule.by_job else replace(j, pin=None) for j in problem.jobs]
    return replace(problem, jobs=tuple(free))


def _numbers(options: JobOptions, best: Placement) -> dict[str, Parameter]:
    return {
        "job": options.job.label,
        "start": best.start,
        "cost": best.cost,
        "leave_out_cost": options.leave_out_cost,
        "saving": options.leave_out_cost - best.cost,
    }


def _key(violation: Violation) -> tuple[str, str, str]:
    return violation.rule, violation.job_id, violation.message
