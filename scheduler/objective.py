"""What the CP-SAT model minimises, and bounds that the solver would find late by itself."""

from __future__ import annotations

from collections.abc import Container

from ortools.sat.python import cp_model

from scheduler.capacity import Capacity
from scheduler.options import Instance
from scheduler.state import State
from scheduler.variables import JobVariables, Variables


def minimise_cost(variables: Variables) -> None:
    """Risk, lateness, downtime and change of the bands, wages, overtime, jobs left out."""
    total = constant_cost(variables.instance, variables.pins, variables.jobs)
    terms = [term for job in variables.jobs.values() for term in _terms(variables, job)]
    variables.model.minimize(sum(terms) + total)


def constant_cost(instance: Instance, pins: State, open_jobs: Container[int]) -> int:
    """What is settled before the search: pins with their crews, and jobs that cannot pay."""
    total = 0
    for options in instance.options:
        if options.index not in open_jobs:
            placement = pins.placed.get(options.index)
            total += options.leave_out_cost if placement is None else placement.cost
    return total


def _terms(variables: Variables, job: JobVariables) -> list[cp_model.LinearExprT]:
    bands = zip(job.bands, job.in_band, strict=True)
    terms: list[cp_model.LinearExprT] = [band.price * literal for band, literal in bands]
    for technician, literal in job.on_job.items():
        terms.append(job.options.wages[technician] * literal)
        terms += [cost * paid for _, cost, paid in variables.premium(job, technician)]
    if not job.options.forced:
        terms.append(job.options.leave_out_cost * (1 - job.done))
    return terms


def a_crew_costs_at_least_the_cheapest(variables: Variables) -> None:
    """A bound: wages and overtime of a job reach those of the cheapest crew of its band."""
    for job in variables.jobs.values():
        wages = [job.options.wages[t] * literal for t, literal in job.on_job.items()]
        for technician in job.on_job:
            wages += [cost * paid for _, cost, paid in variables.premium(job, technician)]
        bands = zip(job.bands, job.in_band, strict=True)
        least = [(band.least_cost - band.price) * literal for band, literal in bands]
        if wages:
            variables.model.add(sum(wages) >= sum(least))


def a_day_holds_what_it_can_hold(variables: Variables) -> None:
    """A bound: the jobs of a day fit into the hours of those who can do them."""
    bands = {index: job.bands for index, job in variables.jobs.items()}
    for limit in Capacity(variables.instance, variables.pins, bands).limits():
        terms = [
            weight * literal
            for index, weight in limit.weights.items()
            for literal in variables.days(variables.jobs[index], limit.day, limit.day)
        ]
        variables.model.add(sum(terms) <= limit.most)


BOUNDS = (a_crew_costs_at_least_the_cheapest, a_day_holds_what_it_can_hold)
