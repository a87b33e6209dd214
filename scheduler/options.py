"""The lawful choices of each job, worked out once: its starts, its prices, its people.

Starts come from one sorted list of minutes, the *grid*: every ``grid_minutes``, and every minute
at which something begins (a shift, a window, a delivery, the end of an outage). A set of starts is
one integer, bit ``i`` standing for the ``i``-th start of the grid, so that "free for the whole
job" is a handful of machine words and exact to the minute.

A rule can be waived (`Waiver`), which is how the reasons for a left-out job are found.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from scheduler.problem import Asset, Interval, Job, Problem, Role, Technician, Window

MUST = 10**17
"""What leaving out a pinned job costs inside the solver: more than all else together can."""


class Waiver(StrEnum):
    """A rule that an explanation may set aside for one job."""

    window = "window"
    dates = "dates"
    predecessor = "predecessor"
    skill = "skill"
    certificate = "certificate"
    absence = "absence"
    shift = "shift"
    technician = "technician"
    asset = "asset"
    tool = "tool"
    calibration = "calibration"
    part = "part"


NO_WAIVER: frozenset[Waiver] = frozenset()


@dataclass(frozen=True)
class Grid:
    """The minutes at which jobs may start, and sets of them as bits."""

    minutes: tuple[int, ...]

    def between(self, first: int, last: int) -> int:
        """The starts from ``first`` to ``last``, both included.

        >>> Grid((0, 15, 30, 45)).between(10, 30)
        6
        """
        low = bisect_left(self.minutes, first)
        high = bisect_right(self.minutes, last)
        return ((1 << (high - low)) - 1) << low if high > low else 0

    def at(self, minute: int) -> int:
        return self.between(minute, minute)

    @cached_property
    def everything(self) -> int:
        return (1 << len(self.minutes)) - 1

    def within(self, intervals: Iterable[Interval], duration: int) -> int:
        """The starts at which a job of this duration lies within one of the intervals."""
        starts = 0
        for interval in intervals:
            starts |= self.between(interval.start_minute, interval.end_minute - duration)
        return starts

    def clashing(self, start: int, end: int, duration: int) -> int:
        """The starts at which a job of this duration would overlap ``[start, end)``."""
        return self.between(start - duration + 1, end - 1)

    def listed(self, starts: int) -> Iterator[int]:
        """The minutes of a set, in order."""
        while starts:
            lowest = starts & -starts
            yield self.minutes[lowest.bit_length() - 1]
            starts ^= lowest


class Offer(NamedTuple):
    """Starts at which a technician could take a seat, for the same wages and overtime."""

    wage: int
    technician: int
    starts: int


@dataclass(frozen=True)
class Seat:
    """One place in a crew, and who could take it, cheapest first."""

    role: Role
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class JobOptions:
    """What one job may do if nothing else were in the schedule.

    Attributes:
        starts: the starts its dates, its windows and the frozen period allow.
        prices: sets of starts with what they cost without the crew, cheapest first.
        wages: by technician, labour less the change price saved by keeping a published one.
        leave_out_cost: with the change price of dropping a published job.
        forced: pinned; it starts then whatever it breaks, only its crew is open.
    """

    index: int
    job: Job
    starts: int
    prices: tuple[tuple[int, int], ...]
    seats: tuple[Seat, ...]
    wages: dict[int, int]
    leave_out_cost: int
    forced: bool = False
    waived: frozenset[Waiver] = NO_WAIVER

    @property
    def duration(self) -> int:
        return self.job.duration_minutes

    @cached_property
    def people(self) -> tuple[int, ...]:
        """Everybody who could take at least one seat."""
        seated = (offer.technician for seat in self.seats for offer in seat.offers)
        return tuple(dict.fromkeys(seated))

    @cached_property
    def cheapest_crew(self) -> int:
        """A lower bound of what the crew costs."""
        return sum(min((o.wage for o in seat.offers), default=0) for seat in self.seats)

    @cached_property
    def least_cost(self) -> int:
        """A lower bound of what doing the job costs."""
        possible = [price for price, starts in self.prices if starts & self.starts]
        return min(possible, default=self.leave_out_cost) + self.cheapest_crew

    @cached_property
    def most_saved(self) -> int:
        """An upper bound of what doing the job saves."""
        return max(0, self.leave_out_cost - self.least_cost)


class Instance:
    """A problem with its grid and the options of its jobs."""

    def __init__(
        self, problem: Problem, *, grid_minutes: int, also_minutes: Iterable[int] = ()
    ) -> None:
        self.problem = problem
        minutes = {*_start_minutes(problem, grid_minutes), *also_minutes}
        self.grid = Grid(tuple(sorted(minutes)))
        self.job_index = {job.id: i for i, job in enumerate(problem.jobs)}
        self.technician_index = {t.id: i for i, t in enumerate(problem.technicians)}
        self.predecessors = [
            tuple(self.job_index[p] for p in job.predecessors) for job in problem.jobs
        ]
        self.successors = [
            tuple(self.job_index[s] for s in problem.successors[job.id]) for job in problem.jobs
        ]
        self.regular = [merged(t.shifts) for t in problem.technicians]
        self.spans = [merged((*t.shifts, *t.overtime)) for t in problem.technicians]
        self._premiums: dict[tuple[int, int], dict[int, int]] = {}
        self._on_duty: dict[tuple[int, int, frozenset[Waiver]], int] = {}
        self._options: dict[tuple[int, frozenset[Waiver]], JobOptions] = {}
        starts = problem.day_starts_minutes
        self.day_starts = [self.grid.between(a, b - 1) for a, b in pairwise(starts)]
        self.options = [self.options_of(i) for i in range(len(problem.jobs))]

    def options_of(self, index: int, waived: frozenset[Waiver] = NO_WAIVER) -> JobOptions:
        key = (index, waived)
        if key not in self._options:
            self._options[key] = _job_options(self, index, waived)
        return self._options[key]

    def on_duty(self, technician: int, duration: int, waived: frozenset[Waiver]) -> int:
        """The starts at which a technician is at work for a whole job."""
        key = (technician, duration, waived & {Waiver.shift, Waiver.absence})
        if key not in self._on_duty:
            self._on_duty[key] = self._find_on_duty(technician, duration, waived)
        return self._on_duty[key]

    def _find_on_duty(self, technician: int, duration: int, waived: frozenset[Waiver]) -> int:
        person = self.problem.technicians[technician]
        spans: Iterable[Interval] = self.spans[technician]
        if Waiver.absence in waived:
            spans = merged((*person.shifts, *person.overtime, *person.absences))
        starts = self.grid.within(spans, duration)
        if Waiver.shift not in waived:
            return starts
        starts = self.grid.everything
        if Waiver.absence not in waived:
            for absence in person.absences:
                clash = self.grid.clashing(absence.start_minute, absence.end_minute, duration)
                starts &= ~clash
        return starts

    def premiums(self, technician: int, duration: int) -> dict[int, int]:
        """Starts by what a technician's overtime costs then; within the shifts it is nothing."""
        key = (technician, duration)
        if key not in self._premiums:
            self._premiums[key] = dict(self._find_premiums(technician, duration))
        return self._premiums[key]

    def _find_premiums(self, technician: int, duration: int) -> Iterator[tuple[int, int]]:
        person = self.problem.technicians[technician]
        touching = 0
        for interval in person.overtime:
            start, end = interval.start_minute, interval.end_minute
            touching |= self.grid.clashing(start, end, duration)
        by_cost = {0: self.grid.everything & ~touching}
        for start in self.grid.listed(touching):
            minutes = self._overtime_minutes(technician, start, start + duration)
            cost = rounded_up(person.overtime_premium_per_hour * minutes)
            by_cost[cost] = by_cost.get(cost, 0) | self.grid.at(start)
        yield from by_cost.items()

    def _overtime_minutes(self, technician: int, start: int, end: int) -> int:
        at_work = sum(span.overlap(start, end) for span in self.spans[technician])
        return at_work - sum(shift.overlap(start, end) for shift in self.regular[technician])

    def longest_stretch(self, technician: int) -> int:
        return max((span.minutes for span in self.spans[technician]), default=0)


def rounded_up(price_times_minutes: int) -> int:
    """Price per hour times minutes, in whole minor units, rounded up.

    >>> rounded_up(3000 * 90), rounded_up(1001 * 30)
    (4500, 501)
    """
    return (price_times_minutes + 59) // 60


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Intervals that touch or overlap become one.

    >>> merged((Interval(0, 60), Interval(60, 90), Interval(120, 180)))
    (Interval(start_minute=0, end_minute=90), Interval(start_minute=120, end_minute=180))
    """
    joined: list[Interval] = []
    for interval in sorted(intervals, key=lambda i: (i.start_minute, i.end_minute)):
        if joined and interval.start_minute <= joined[-1].end_minute:
            end = max(joined[-1].end_minute, interval.end_minute)
            joined[-1] = Interval(joined[-1].start_minute, end)
        else:
            joined.append(Interval(interval.start_minute, interval.end_minute))
    return tuple(joined)


def _start_minutes(problem: Problem, grid_minutes: int) -> Iterator[int]:
    yield from range(0, problem.end_minute, grid_minutes)
    for minute in _event_minutes(problem):
        if 0 <= minute < problem.end_minute:
            yield minute


def _event_minutes(problem: Problem) -> Iterator[int]:
    yield problem.frozen_until_minute
    for technician in problem.technicians:
        for interval in (*technician.shifts, *technician.overtime):
            yield interval.start_minute
    for asset in problem.assets:
        yield from (window.start_minute for window in asset.windows)
    for tool in problem.tools:
        yield from (outage.end_minute for outage in tool.outages)
    for part in problem.parts:
        yield from (delivery.minute for delivery in part.deliveries)
    for job in problem.jobs:
        if job.earliest_start_minute is not None:
            yield job.earliest_start_minute
        if job.published is not None:
            yield job.published.start_minute
        if job.pin is not None:
            yield from (job.pin.start_minute, job.pin.start_minute + job.duration_minutes)


def _job_options(instance: Instance, index: int, waived: frozenset[Waiver]) -> JobOptions:
    problem, grid = instance.problem, instance.grid
    job = problem.jobs[index]
    pinned = job.pin is not None
    wages = _wages(problem, job)
    return JobOptions(
        index=index,
        job=job,
        starts=grid.at(job.pin.start_minute) if job.pin else _starts(problem, grid, job, waived),
        prices=tuple(_prices(problem, grid, job, waived)),
        seats=tuple(_seats(instance, job, wages, waived)),
        wages=wages,
        leave_out_cost=MUST if pinned else _leave_out_cost(problem, job),
        forced=pinned,
        waived=waived,
    )


def _starts(problem: Problem, grid: Grid, job: Job, waived: frozenset[Waiver]) -> int:
    duration = job.duration_minutes
    starts = grid.between(problem.frozen_until_minute, problem.end_minute - duration)
    if Waiver.dates not in waived:
        earliest = job.earliest_start_minute or 0
        latest = job.latest_end_minute
        last = problem.end_minute if latest is None else latest
        starts &= grid.between(earliest, last - duration)
    windows = problem.asset_by_id[job.asset_id].windows
    if windows and Waiver.window not in waived:
        starts &= grid.within(windows, duration)
    return starts


def _prices(
    problem: Problem, grid: Grid, job: Job, waived: frozenset[Waiver]
) -> Iterator[tuple[int, int]]:
    """Sets of starts with risk, lateness, downtime and change of day, cheapest first."""
    by_price: dict[int, int] = {}
    stops = list(_stop_prices(problem.asset_by_id[job.asset_id], grid, job, waived))
    for day, cost in enumerate(job.cost_by_day):
        first, after = problem.day_starts_minutes[day : day + 2]
        that_day = grid.between(first, after - 1)
        day_price = cost + _late_price(problem, job, day) + _day_change(problem, job, day)
        for stop_price, starts in stops:
            if starts & that_day:
                price = day_price + stop_price
                by_price[price] = by_price.get(price, 0) | (starts & that_day)
    yield from sorted(by_price.items())


def _stop_prices(
    asset: Asset, grid: Grid, job: Job, waived: frozenset[Waiver]
) -> Iterator[tuple[int, int]]:
    """Disjoint sets of starts with the price of stopping the asset then.

    A start in no window is priced as the dearest window when windows are waived, and at nothing
    when a pin breaks the rule, as the checker does.
    """
    duration = job.duration_minutes
    left = grid.everything
    for window in sorted(asset.windows, key=_window_price):
        starts = left & grid.within((window,), duration)
        left &= ~starts
        if starts:
            yield rounded_up(window.price_per_hour * duration), starts
    dearest = max((window.price_per_hour for window in asset.windows), default=0)
    yield rounded_up(dearest * duration) if Waiver.window in waived else 0, left


def _window_price(window: Window) -> int:
    return window.price_per_hour


def _late_price(problem: Problem, job: Job, day: int) -> int:
    if job.due_minute is None:
        return 0
    return max(0, day - problem.day_of(job.due_minute)) * job.late_price_per_day


def _day_change(problem: Problem, job: Job, day: int) -> int:
    """Change of day, and the whole crew's change: `_wages` gives back whoever stays."""
    if job.published is None:
        return 0
    moved = abs(day - problem.day_of(job.published.start_minute))
    crew = len(set(job.published.technician_ids))
    return moved * job.published.price_per_day + crew * job.published.price_per_technician


def _leave_out_cost(problem: Problem, job: Job) -> int:
    return job.leave_out_cost + _day_change(problem, job, problem.day_count)


def _wages(problem: Problem, job: Job) -> dict[int, int]:
    kept = job.published.price_per_technician if job.published else 0
    stays = set(job.published.technician_ids) if job.published else set()
    return {
        index: rounded_up(person.price_per_hour * job.duration_minutes)
        - (kept if person.id in stays else 0)
        for index, person in enumerate(problem.technicians)
    }


def _seats(
    instance: Instance, job: Job, wages: Mapping[int, int], waived: frozenset[Waiver]
) -> Iterator[Seat]:
    for role in job.roles:
        offers = sorted(_offers(instance, job, role, wages, waived))
        yield from [Seat(role, tuple(offers))] * role.count


def _offers(
    instance: Instance,
    job: Job,
    role: Role,
    wages: Mapping[int, int],
    waived: frozenset[Waiver],
) -> Iterator[Offer]:
    for index, person in enumerate(instance.problem.technicians):
        starts = _papers(instance.grid, job, role, person, waived)
        starts &= instance.on_duty(index, job.duration_minutes, waived)
        if not starts:
            continue
        for premium, priced in instance.premiums(index, job.duration_minutes).items():
            if starts & priced:
                yield Offer(wages[index] + premium, index, starts & priced)


def _papers(grid: Grid, job: Job, role: Role, person: Technician, waived: frozenset[Waiver]) -> int:
    """The starts at which a person's skill, level and certificate fit a role."""
    skilled = role.skill in person.skills and person.skills[role.skill] >= role.level
    if not skilled and Waiver.skill not in waived:
        return 0
    until = person.certificates.get(role.skill)
    if until is None or Waiver.certificate in waived:
        return grid.everything
    return grid.between(0, until - job.duration_minutes)
