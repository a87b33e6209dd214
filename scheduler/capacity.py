"""What a day can hold at most: limits that hold for every schedule.

They take the jobs of a day together, where the rules look at each technician or tool alone, and
so give the solver a bound on the cost early. For any set of people S, the work that only people
of S can do fits into the hours of S (Hall's condition).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from scheduler.bands import Band
from scheduler.options import Instance, JobOptions
from scheduler.problem import ToolType
from scheduler.state import State

MOST_SETS = 24
"""Of how many sets of people a day pairs are taken too."""


@dataclass(frozen=True)
class Limit:
    """On ``day``, the weights of the jobs that start add up to at most ``most``."""

    day: int
    weights: Mapping[int, int]
    most: int


@dataclass(frozen=True)
class DayJob:
    """A job on a day: from its first start to its last end, and who could take each seat."""

    options: JobOptions
    first_start: int
    last_end: int
    seats: tuple[int, ...]


class Capacity:
    """The limits of every day beside the pins."""

    def __init__(
        self, instance: Instance, pins: State, bands: Mapping[int, Sequence[Band]]
    ) -> None:
        self.instance = instance
        self.pins = pins
        self.bands = bands

    def limits(self) -> Iterator[Limit]:
        by_day: dict[int, dict[int, int]] = {}
        for index, bands in self.bands.items():
            for band in bands:
                starts = by_day.setdefault(band.day, {})
                starts[index] = starts.get(index, 0) | band.starts
        for day, starts in sorted(by_day.items()):
            jobs = [self._day_job(index, of_day) for index, of_day in starts.items()]
            yield from self._crew_limits(day, jobs)
            for tool in self.instance.problem.tools:
                yield from self._tool_limits(day, tool, jobs)

    def _day_job(self, index: int, starts: int) -> DayJob:
        options = self.instance.options[index]
        minutes = self.instance.grid.minutes
        first = minutes[(starts & -starts).bit_length() - 1]
        last = minutes[starts.bit_length() - 1]
        seats = tuple(
            _union(1 << offer.technician for offer in offers if offer.starts & starts)
            for offers in self.pins.free_people(options)
        )
        return DayJob(options, first, last + options.duration, seats)

    def _crew_limits(self, day: int, jobs: Sequence[DayJob]) -> Iterator[Limit]:
        sets = dict.fromkeys(seat for job in jobs for seat in job.seats)
        hours = {t: self._hours(t, jobs) for t in _members(_union(sets))}
        largest = sorted(sets, key=lambda s: (-s.bit_count(), s))[:MOST_SETS]
        unions = dict.fromkeys(a | b for a, b in combinations(largest, 2))
        for people in {**sets, **unions}:
            inside = {job.options.index: _seats_inside(job, people) for job in jobs}
            members = [hours[technician] for technician in _members(people)]
            yield from self._hours_limit(day, inside, sum(minutes for minutes, _, _ in members))
            yield from self._long_jobs_limit(day, inside, members)

    def _hours(self, technician: int, jobs: Sequence[DayJob]) -> tuple[int, int, int]:
        """Free minutes, longest stretch and number of stretches that the jobs could use."""
        mine = [job for job in jobs if any(seat >> technician & 1 for seat in job.seats)]
        first = min(job.first_start for job in mine)
        last = max(job.last_end for job in mine)
        stretches = [span.overlap(first, last) for span in self.instance.spans[technician]]
        used = [minutes for minutes in stretches if minutes]
        free = sum(used) - self.pins.busy_minutes(technician, first, last)
        return max(0, free), max(used, default=0), len(used)

    def _hours_limit(self, day: int, inside: Mapping[int, int], most: int) -> Iterator[Limit]:
        weights = {
            index: seats * self.instance.options[index].duration
            for index, seats in inside.items()
            if seats
        }
        yield from _binding(Limit(day, weights, most))

    def _long_jobs_limit(
        self, day: int, inside: Mapping[int, int], members: Sequence[tuple[int, int, int]]
    ) -> Iterator[Limit]:
        """Of the jobs longer than half of every stretch, one fits into each stretch."""
        longest = max(stretch for _, stretch, _ in members)
        weights = {
            index: seats
            for index, seats in inside.items()
            if seats and 2 * self.instance.options[index].duration > longest
        }
        yield from _binding(Limit(day, weights, sum(count for _, _, count in members)))

    def _tool_limits(self, day: int, tool: ToolType, jobs: Sequence[DayJob]) -> Iterator[Limit]:
        users = [job for job in jobs if any(n.tool_id == tool.id for n in job.options.job.tools)]
        users = [job for job in users if not job.options.forced]
        if not users:
            return
        first = min(job.first_start for job in users)
        last = max(job.last_end for job in users)
        weights = {
            job.options.index: job.options.duration * need.count
            for job in users
            for need in job.options.job.tools
            if need.tool_id == tool.id
        }
        yield from _binding(Limit(day, weights, tool.count * (last - first)))


def _seats_inside(job: DayJob, people: int) -> int:
    return sum(1 for seat in job.seats if not seat & ~people)


def _members(people: int) -> Iterator[int]:
    while people:
        lowest = people & -people
        yield lowest.bit_length() - 1
        people ^= lowest


def _union(sets: Iterable[int]) -> int:
    union = 0
    for people in sets:
        union |= people
    return union


def _binding(limit: Limit) -> Iterator[Limit]:
    """The limit, if the jobs together could break it."""
    if sum(limit.weights.values()) > limit.most:
        yield limit
