"""What a finished schedule costs, term by term; nothing here is shared with the solver."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

from scheduler.assignment import Assignment, Cost
from scheduler.problem import Job, Problem, Technician


def cost_of_doing(problem: Problem, job: Job, assignment: Assignment) -> Cost:
    """Cost of a job that is in the schedule."""
    day = problem.day_of(assignment.start_minute)
    ids = dict.fromkeys(assignment.technician_ids)
    people = [problem.technician_by_id[i] for i in ids if i in problem.technician_by_id]
    return Cost(
        risk=job.cost_by_day[day],
        labour=sum(_priced(p.price_per_hour, job.duration_minutes) for p in people),
        overtime=sum(_overtime(person, assignment) for person in people),
        downtime=_downtime(problem, job, assignment),
        lateness=_lateness(problem, job, day),
        change=_change(problem, job, day, assignment.technician_ids),
    )


def cost_of_leaving_out(problem: Problem, job: Job) -> Cost:
    """Cost of a job that is not; a published one counts as moved to the day after the end."""
    return Cost(left_out=job.leave_out_cost, change=_change(problem, job, problem.day_count, ()))


def _priced(price_per_hour: int, minutes: int) -> int:
    return math.ceil(Fraction(price_per_hour * minutes, 60))


def _overtime(person: Technician, assignment: Assignment) -> int:
    """Premium for the minutes that lie in overtime and in no shift."""
    start, end = assignment.start_minute, assignment.end_minute
    if not any(overtime.overlap(start, end) for overtime in person.overtime):
        return 0
    marks = sorted(
        {start, end}
        | {i.start_minute for i in (*person.shifts, *person.overtime)}
        | {i.end_minute for i in (*person.shifts, *person.overtime)}
    )
    extra = 0
    for left, right in pairwise(marks):
        if left < start or right > end or any(s.overlap(left, right) for s in person.shifts):
            continue
        if any(overtime.overlap(left, right) for overtime in person.overtime):
            extra += right - left
    return _priced(person.overtime_premium_per_hour, extra)


def _downtime(problem: Problem, job: Job, assignment: Assignment) -> int:
    """Price of the cheapest window that holds the whole job; nothing where none does."""
    prices = [
        window.price_per_hour
        for window in problem.asset_by_id[job.asset_id].windows
        if window.start_minute <= assignment.start_minute
        and assignment.end_minute <= window.end_minute
    ]
    return _priced(min(prices, default=0), job.duration_minutes)


def _lateness(problem: Problem, job: Job, day: int) -> int:
    if job.due_minute is None:
        return 0
    return job.late_price_per_day * max(0, day - problem.day_of(job.due_minute))


def _change(problem: Problem, job: Job, day: int, technician_ids: tuple[str, ...]) -> int:
    if job.published is None:
        return 0
    days = abs(day - problem.day_of(job.published.start_minute))
    gone = set(job.published.technician_ids) - set(technician_ids)
    return days * job.published.price_per_day + len(gone) * job.published.price_per_technician
