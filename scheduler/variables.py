"""The decisions of the CP-SAT model, for the jobs that are not settled pins.

A job's starts fall into *bands*: starts of one day at one price. ``in_band`` says which band was
chosen, ``start`` the minute within it, ``works`` who fills which role. A finer set of starts (the
late shift, after a delivery) has a literal of its own, made once and shared: see `narrowed`.

Everything that is settled before the search (shifts, certificates, windows, pins in the way) is in
the sets of starts themselves, so that the constraints speak of what jobs do to each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from scheduler.bands import Band
from scheduler.options import Instance, JobOptions
from scheduler.state import State

Literal = cp_model.IntVar
Model = cp_model.CpModel


@dataclass
class JobVariables:
    """The decisions about one job.

    Attributes:
        able: by role (as in ``job.roles``), the starts at which each technician could fill it,
            whatever the other jobs do.
        works: by role, who does.
        on_job: by technician, in whatever role.
        overtime: literals with their premium, by technician: (starts, premium, literal).
    """

    options: JobOptions
    bands: list[Band]
    done: Literal
    start: cp_model.IntVar
    in_band: list[Literal]
    able: list[dict[int, int]]
    works: list[dict[int, Literal]]
    on_job: dict[int, Literal]
    interval: cp_model.IntervalVar
    narrow: dict[tuple[int, int], Literal] = field(default_factory=dict)
    overtime: dict[int, list[tuple[int, int, Literal]]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.options.job.id

    def starts_of(self, technician: int) -> int:
        """The starts at which a technician could fill at least one of the roles."""
        starts = 0
        for able in self.able:
            starts |= able.get(technician, 0)
        return starts


class Variables:
    """All decisions; `jobs` by job index."""

    def __init__(self, model: Model, instance: Instance, pins: State) -> None:
        self.model = model
        self.instance = instance
        self.pins = pins
        self.jobs: dict[int, JobVariables] = {}

    def days(self, job: JobVariables, first: int, last: int) -> list[Literal]:
        """The bands of a job from one day to another, both included."""
        return [
            literal
            for band, literal in zip(job.bands, job.in_band, strict=True)
            if first <= band.day <= last
        ]

    def domain(self, starts: int) -> cp_model.Domain:
        return cp_model.Domain.from_values(list(self.instance.grid.listed(starts)))

    def narrowed(self, job: JobVariables, band: int, starts: int) -> Literal:
        """A literal that, when true, puts the job in a band and at one of these starts."""
        key = (band, starts)
        if key not in job.narrow:
            literal = self.model.new_bool_var(f"{job.id} in part {len(job.narrow)} of {band}")
            domain = self.domain(starts)
            constraint = self.model.add_linear_expression_in_domain(job.start, domain)
            constraint.only_enforce_if(literal)
            self.model.add_implication(literal, job.in_band[band])
            job.narrow[key] = literal
        return job.narrow[key]

    def premium(self, job: JobVariables, technician: int) -> list[tuple[int, int, Literal]]:
        """Overtime literals: when true, the job lies where it costs that premium."""
        if technician not in job.overtime:
            able = job.starts_of(technician)
            premiums = self.instance.premiums(technician, job.options.duration)
            job.overtime[technician] = [
                (starts & able, cost, self._premium_literal(job, technician, starts & able, cost))
                for cost, starts in sorted(premiums.items())
                if cost and starts & able
            ]
        return job.overtime[technician]

    def _premium_literal(
        self, job: JobVariables, technician: int, starts: int, cost: int
    ) -> Literal:
        literal = self.model.new_bool_var(f"{job.id} pays {technician} {cost} overtime")
        domain = self.domain(starts)
        self.model.add_linear_expression_in_domain(job.start, domain).only_enforce_if(literal)
        return literal

    def hint(self, state: State) -> None:
        """Suggest a finished schedule, every variable of it."""
        for index, job in self.jobs.items():
            placement = state.placed.get(index)
            start = None if placement is None else placement.start
            crew = () if placement is None else placement.crew
            _hint_job(self.model, self.instance, job, start, crew)


def _hint_job(
    model: Model, instance: Instance, job: JobVariables, start: int | None, crew: tuple[int, ...]
) -> None:
    at = 0 if start is None else instance.grid.at(start)
    model.add_hint(job.done, start is not None)
    if start is not None:
        model.add_hint(job.start, start)
    else:
        model.add_hint(job.start, next(instance.grid.listed(job.bands[0].starts)))
    for band, literal in zip(job.bands, job.in_band, strict=True):
        if len(job.bands) > 1:
            model.add_hint(literal, bool(band.starts & at))
    for (_, starts), literal in job.narrow.items():
        model.add_hint(literal, bool(starts & at))
    _hint_crew(model, job, crew)
    for technician, premiums in job.overtime.items():
        for starts, _, literal in premiums:
            model.add_hint(literal, technician in crew and bool(starts & at))


def _hint_crew(model: Model, job: JobVariables, crew: tuple[int, ...]) -> None:
    seat = 0
    shown = set()
    for role, works in zip(job.options.job.roles, job.works, strict=True):
        sitting = crew[seat : seat + role.count]
        seat += role.count
        for technician, literal in works.items():
            model.add_hint(literal, technician in sitting)
            shown.add(literal.index)
    for technician, literal in job.on_job.items():
        if literal.index not in shown:
            model.add_hint(literal, technician in crew)


def declare(
    model: Model, instance: Instance, pins: State, bands: Mapping[int, list[Band]]
) -> Variables:
    """Declare the decisions of every job that has bands.

    ``pins`` holds the settled pins with their crews and the other pins without.
    """
    variables = Variables(model, instance, pins)
    for index, of_job in bands.items():
        variables.jobs[index] = _declare_job(variables, instance.options[index], of_job)
    return variables


def _declare_job(variables: Variables, options: JobOptions, bands: list[Band]) -> JobVariables:
    model, name = variables.model, options.job.id
    every_start = 0
    for band in bands:
        every_start |= band.starts
    done = model.new_bool_var(f"{name} is done")
    if options.forced:
        model.add(done == 1)
    start = model.new_int_var_from_domain(variables.domain(every_start), f"{name} starts")
    if len(bands) == 1:
        in_band = [done]
    else:
        in_band = [model.new_bool_var(f"{name} in band {i}") for i in range(len(bands))]
    interval = model.new_optional_fixed_size_interval_var(start, options.duration, done, name)
    able = list(_able(variables, options, every_start))
    works = [_declare_role(variables, options, index, role) for index, role in enumerate(able)]
    everybody = dict.fromkeys(technician for role in able for technician in role)
    on_job = {t: _on_job(variables, options, t, works) for t in everybody}
    return JobVariables(options, bands, done, start, in_band, able, works, on_job, interval)


def _able(variables: Variables, options: JobOptions, every_start: int) -> Iterator[dict[int, int]]:
    """By role, who could fill it and at which starts, whatever the other jobs do."""
    people = variables.pins.free_people(options)
    seat = 0
    for role in options.job.roles:
        able: dict[int, int] = {}
        for offer in people[seat]:
            if offer.starts & every_start:
                before = able.get(offer.technician, 0)
                able[offer.technician] = before | (offer.starts & every_start)
        yield able
        seat += role.count


def _declare_role(
    variables: Variables, options: JobOptions, index: int, able: dict[int, int]
) -> dict[int, Literal]:
    name = f"{options.job.id} role {index}"
    return {t: variables.model.new_bool_var(f"{name} by {t}") for t in able}


def _on_job(
    variables: Variables, options: JobOptions, technician: int, works: list[dict[int, Literal]]
) -> Literal:
    """One literal for a technician on the job, whatever the role."""
    literals = [role[technician] for role in works if technician in role]
    if len(literals) == 1:
        return literals[0]
    on_job = variables.model.new_bool_var(f"{options.job.id} with {technician}")
    variables.model.add(sum(literals) == on_job)
    return on_job
