"""The hard rules in the CP-SAT model: one function a rule, in planners' words.

What shifts, certificates, windows, dates and pins allow is in the sets of starts of
`scheduler.variables`; here stands what ties the decisions together. The order of the rules does
not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from ortools.sat.python import cp_model

from scheduler.problem import Part
from scheduler.state import State, Use
from scheduler.variables import JobVariables, Literal, Variables


def a_job_is_done_once_or_left_out(variables: Variables) -> None:
    """A job that is done starts in exactly one of its bands, one that is left out in none."""
    for job in variables.jobs.values():
        if len(job.bands) > 1:
            variables.model.add(sum(job.in_band) == job.done)
        for band, literal in zip(job.bands, job.in_band, strict=True):
            if len(job.bands) > 1:
                domain = variables.domain(band.starts)
                chosen = variables.model.add_linear_expression_in_domain(job.start, domain)
                chosen.only_enforce_if(literal)


def every_role_has_its_people(variables: Variables) -> None:
    """A job that is done has all its people, nobody in two roles of it."""
    for job in variables.jobs.values():
        for role, works in zip(job.options.job.roles, job.works, strict=True):
            variables.model.add(sum(works.values()) == role.count * job.done)


def people_work_when_they_may(variables: Variables) -> None:
    """Who fills a role is on shift for the whole job and certified to its end."""
    for job in variables.jobs.values():
        for able, works in zip(job.able, job.works, strict=True):
            for technician, literal in works.items():
                _keep_within(variables, job, literal, able[technician])


def _keep_within(variables: Variables, job: JobVariables, literal: Literal, starts: int) -> None:
    """When ``literal`` is true, the job is at one of these starts."""
    for index, band in enumerate(job.bands):
        both = band.starts & starts
        if not both:
            variables.model.add_bool_or(~literal, ~job.in_band[index])
        elif both != band.starts:
            narrowed = variables.narrowed(job, index, both)
            variables.model.add_bool_or(~literal, ~job.in_band[index], narrowed)


def overtime_is_paid(variables: Variables) -> None:
    """Who works beyond the shift costs the premium of those minutes."""
    for job in variables.jobs.values():
        for technician, on_job in job.on_job.items():
            premiums = variables.premium(job, technician)
            if premiums:
                _pay_overtime(variables, job, on_job, premiums)


def _pay_overtime(
    variables: Variables,
    job: JobVariables,
    on_job: Literal,
    premiums: list[tuple[int, int, Literal]],
) -> None:
    dear = 0
    for starts, _, _ in premiums:
        dear |= starts
    for index, band in enumerate(job.bands):
        paid = [literal for starts, _, literal in premiums if starts & band.starts]
        free = band.starts & ~dear
        if not paid:
            continue
        if free:
            paid.append(variables.narrowed(job, index, free))
        variables.model.add_bool_or(~on_job, ~job.in_band[index], *paid)


def nobody_does_two_jobs_at_once(variables: Variables) -> None:
    """A technician is on one job at a time."""
    for technician in range(len(variables.instance.problem.technicians)):
        work = [
            variables.model.new_optional_fixed_size_interval_var(
                job.start, job.options.duration, job.on_job[technician], job.id
            )
            for job in variables.jobs.values()
            if technician in job.on_job
        ]
        if len(work) > 1:
            variables.model.add_no_overlap(work)


def an_asset_is_stopped_by_one_job_at_a_time(variables: Variables) -> None:
    """Two jobs on one asset do not overlap; pins may, and are kept."""
    for asset in variables.instance.problem.assets:
        stops = [
            job.interval
            for job in variables.jobs.values()
            if job.options.job.asset_id == asset.id and not job.options.forced
        ]
        if len(stops) > 1:
            variables.model.add_no_overlap(stops)


def tools_are_shared(variables: Variables) -> None:
    """No more tools of a type in use at once than there are, less those away or pinned."""
    for tool in variables.instance.problem.tools:
        demands = {
            job.options.index: need.count
            for job in variables.jobs.values()
            for need in job.options.job.tools
            if need.tool_id == tool.id and not job.options.forced
        }
        if len(demands) > 1:
            intervals = [variables.jobs[index].interval for index in demands]
            counts = list(demands.values())
            taken = list(_taken(variables.model, variables.pins.tool_uses(tool.id), tool.count))
            variables.model.add_cumulative(
                intervals + [interval for interval, _ in taken],
                counts + [count for _, count in taken],
                tool.count,
            )


def _taken(
    model: cp_model.CpModel, uses: list[Use], count: int
) -> Iterator[tuple[cp_model.IntervalVar, int]]:
    """Tools that are away or pinned, never more than there are."""
    changes: dict[int, int] = {}
    for use in uses:
        changes[use.start] = changes.get(use.start, 0) + use.amount
        changes[use.end] = changes.get(use.end, 0) - use.amount
    level = 0
    for start, end in pairwise(sorted(changes)):
        level += changes[start]
        if level:
            interval = model.new_fixed_size_interval_var(start, end - start, "taken")
            yield interval, min(level, count)


def parts_are_there_at_the_start(variables: Variables) -> None:
    """What all jobs started by then take is in stock or delivered by then, pins first."""
    for part in variables.instance.problem.parts:
        takers = {
            job.options.index: need.quantity
            for job in variables.jobs.values()
            for need in job.options.job.parts
            if need.part_id == part.id and not job.options.forced
        }
        if takers:
            for until, left in supply_steps(part, variables.pins):
                _take_at_most(variables, takers, until, left)


def supply_steps(part: Part, pins: State) -> list[tuple[int | None, int]]:
    """(until, left): of starts before ``until``, at most ``left`` beyond what pins take.

    The last step has no end.
    """
    changes: dict[int, int] = {}
    for delivery in part.deliveries:
        changes[delivery.minute] = changes.get(delivery.minute, 0) + delivery.quantity
    for start, quantity in pins.part_takings(part.id):
        changes[start] = changes.get(start, 0) - quantity
    least = part.stock + sum(changes.values())
    steps: list[tuple[int | None, int]] = [(None, max(0, least))]
    left = least
    for minute in sorted(changes, reverse=True):
        left -= changes[minute]
        if left < least:
            least = left
            steps.append((minute, max(0, least)))
    return steps


def _take_at_most(
    variables: Variables, takers: dict[int, int], until: int | None, left: int
) -> None:
    """Jobs that start before ``until`` take at most ``left``."""
    terms = []
    for index, quantity in takers.items():
        terms += [quantity * term for term in _starts_before(variables, index, until)]
    if terms:
        variables.model.add(sum(terms) <= left)


def _starts_before(
    variables: Variables, index: int, until: int | None
) -> Iterator[cp_model.LinearExprT]:
    """Terms that add up to at least 1 when the job starts before ``until``."""
    job = variables.jobs[index]
    if until is None:
        yield job.done
        return
    grid = variables.instance.grid
    late = grid.between(until, variables.instance.problem.end_minute)
    for band_index, band in enumerate(job.bands):
        if not band.starts & late:
            yield job.in_band[band_index]
        elif band.starts & ~late:
            yield job.in_band[band_index]
            yield -variables.narrowed(job, band_index, band.starts & late)


def predecessors_finish_first(variables: Variables) -> None:
    """A job waits until what must come before it is done, and is left out if that is."""
    for job in variables.jobs.values():
        if job.options.forced:
            continue
        for index in variables.instance.predecessors[job.options.index]:
            if index in variables.pins.placed:
                continue
            before = variables.jobs.get(index)
            if before is None:
                variables.model.add(job.done == 0)
            else:
                _finish_first(variables, before, job)


def _finish_first(variables: Variables, before: JobVariables, job: JobVariables) -> None:
    variables.model.add_implication(job.done, before.done)
    finished = before.start + before.options.duration
    variables.model.add(job.start >= finished).only_enforce_if(job.done)
    for day in range(variables.instance.problem.day_count - 1):
        early, first = variables.days(job, 0, day), variables.days(before, 0, day)
        if early:
            variables.model.add(sum(early) <= sum(first))


RULES: tuple[Callable[[Variables], None], ...] = (
    a_job_is_done_once_or_left_out,
    every_role_has_its_people,
    people_work_when_they_may,
    overtime_is_paid,
    nobody_does_two_jobs_at_once,
    an_asset_is_stopped_by_one_job_at_a_time,
    tools_are_shared,
    parts_are_there_at_the_start,
    predecessors_finish_first,
)
