"""A schedule in the making, exact to the minute: place, take away, find the best place.

`State.best` looks through the lawful starts of one job beside everything already placed and
returns the cheapest, with the cheapest crew. Greedy construction, improvement and explanations are
all made of these three moves.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from scheduler.assignment import Assignment
from scheduler.options import MUST, Instance, JobOptions, Offer, Waiver
from scheduler.problem import Part
from scheduler.schedule import Schedule

BLINK = 0.03
"""How often a randomised search skips a price, so as not to be greedy twice the same way."""


class Placement(NamedTuple):
    """One job's place; the crew by index, in the order of the seats."""

    job: int
    start: int
    crew: tuple[int, ...]
    cost: int


class Use(NamedTuple):
    """``amount`` of something in use during ``[start, end)``."""

    start: int
    end: int
    amount: int


class State:
    """Which jobs stand where.

    Attributes:
        placed: by job index.
        cost: as the checker would say, but a missing pin costs `MUST`.
        searches: how often a place was looked for, the measure of effort.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.placed: dict[int, Placement] = {}
        self.searches = 0
        self.cost = sum(options.leave_out_cost for options in instance.options)
        problem = instance.problem
        self._technicians: list[list[Placement]] = [[] for _ in problem.technicians]
        self._assets: dict[str, list[Placement]] = {asset.id: [] for asset in problem.assets}
        self._tools: dict[str, list[Placement]] = {tool.id: [] for tool in problem.tools}
        self._parts: dict[str, list[Placement]] = {part.id: [] for part in problem.parts}

    def copy(self) -> State:
        twin = State(self.instance)
        for placement in self.placed.values():
            twin.place(placement)
        return twin

    def place(self, placement: Placement) -> None:
        self.placed[placement.job] = placement
        self.cost += placement.cost - self.instance.options[placement.job].leave_out_cost
        for used in self._used_by(placement):
            used.append(placement)

    def take_away(self, job: int) -> Placement:
        placement = self.placed.pop(job)
        self.cost -= placement.cost - self.instance.options[job].leave_out_cost
        for used in self._used_by(placement):
            used.remove(placement)
        return placement

    def _used_by(self, placement: Placement) -> Iterator[list[Placement]]:
        job = self.instance.problem.jobs[placement.job]
        yield self._assets[job.asset_id]
        for technician in placement.crew:
            yield self._technicians[technician]
        for tool in job.tools:
            yield self._tools[tool.tool_id]
        for part in job.parts:
            yield self._parts[part.part_id]

    def end(self, placement: Placement) -> int:
        return placement.start + self.instance.problem.jobs[placement.job].duration_minutes

    def schedule(self) -> Schedule:
        """The finished schedule, by start and then by job."""
        problem = self.instance.problem
        ordered = sorted(self.placed.values(), key=lambda p: (p.start, p.job))
        return Schedule(
            tuple(
                Assignment(
                    job_id=problem.jobs[placement.job].id,
                    start_minute=placement.start,
                    end_minute=self.end(placement),
                    technician_ids=tuple(problem.technicians[t].id for t in placement.crew),
                )
                for placement in ordered
            )
        )

    def best(
        self,
        options: JobOptions,
        *,
        below: int = MUST,
        within: int = -1,
        rng: random.Random | None = None,
    ) -> Placement | None:
        """The cheapest lawful place that costs less than ``below``, the earliest among equals.

        ``within`` is the set of starts to look at; with ``rng`` some prices are skipped by chance.
        """
        self.searches += 1
        starts = within & self._open_starts(options)
        if not starts:
            return None
        people = self.free_people(options)
        starts &= _all_seats_filled(people)
        found: Placement | None = None
        for price, priced_starts in options.prices:
            if price + options.cheapest_crew >= below:
                break
            candidates = starts & priced_starts
            if not candidates or (rng is not None and rng.random() < BLINK):
                continue
            crewed = self._cheapest_crewed(options, candidates, people, below - price)
            if crewed is not None:
                start, crew, wages = crewed
                below = price + wages
                found = Placement(options.index, start, crew, below)
        return found

    def possible_starts(self, options: JobOptions) -> int:
        """The starts at which nothing is in the way and each seat, taken alone, finds somebody."""
        return self._open_starts(options) & _all_seats_filled(self.free_people(options))

    def crew_at(self, options: JobOptions, start: int) -> tuple[int, ...] | None:
        """The cheapest complete crew at one start, or None."""
        at = self.instance.grid.at(start)
        crewed = self._cheapest_crewed(options, at, self.free_people(options), MUST)
        return None if crewed is None else crewed[1]

    def partial_crew_at(self, options: JobOptions, start: int) -> tuple[int, ...]:
        """As many seats as can be filled at one start, in order."""
        at = self.instance.grid.at(start)
        crew: list[int] = []
        for seat_people in self.free_people(options):
            free = [o.technician for o in seat_people if o.starts & at]
            crew += [technician for technician in free if technician not in crew][:1]
        return tuple(crew)

    def price_at(self, options: JobOptions, start: int, crew: Sequence[int]) -> int:
        """What the job costs at one start with one crew."""
        at = self.instance.grid.at(start)
        price = next(price for price, starts in options.prices if starts & at)
        for technician in crew:
            premiums = self.instance.premiums(technician, options.duration)
            premium = next(cost for cost, starts in premiums.items() if starts & at)
            price += options.wages[technician] + premium
        return price

    def _open_starts(self, options: JobOptions) -> int:
        """The starts that leave asset, tools, parts and the order of jobs in peace."""
        starts = options.starts
        if options.forced:
            return starts
        starts &= self._order_starts(options)
        if Waiver.asset not in options.waived:
            starts &= ~self._clashes(self._assets[options.job.asset_id], options.duration)
        for need in options.job.tools:
            starts &= self._tool_starts(options, need.tool_id, need.count)
        for wanted in options.job.parts:
            if Waiver.part not in options.waived:
                starts &= self._part_starts(wanted.part_id, wanted.quantity)
        return starts

    def _clashes(self, work: Sequence[Placement], duration: int) -> int:
        clash = 0
        for other in work:
            clash |= self.instance.grid.clashing(other.start, self.end(other), duration)
        return clash

    def _order_starts(self, options: JobOptions) -> int:
        if Waiver.predecessor in options.waived:
            return self.instance.grid.everything
        for predecessor in self.instance.predecessors[options.index]:
            if predecessor not in self.placed:
                return 0
        return self.starts_in_order(options)

    def starts_in_order(self, options: JobOptions) -> int:
        """The starts after the placed jobs that must come before, and before those after."""
        first, last = 0, self.instance.problem.end_minute
        for predecessor in self.instance.predecessors[options.index]:
            before = self.placed.get(predecessor)
            if before is not None:
                first = max(first, self.end(before))
        for successor in self.instance.successors[options.index]:
            after = self.placed.get(successor)
            if after is not None:
                last = min(last, after.start - options.duration)
        return self.instance.grid.between(first, last)

    def _tool_starts(self, options: JobOptions, tool_id: str, count: int) -> int:
        tool = self.instance.problem.tool_by_id[tool_id]
        uses: list[Use] = []
        if Waiver.tool not in options.waived:
            uses += self._tool_users(tool_id)
        elif count > tool.count:
            count = tool.count
        if Waiver.calibration not in options.waived:
            uses += [Use(o.start_minute, o.end_minute, o.count) for o in tool.outages]
        starts = self.instance.grid.everything
        for start, end in overloaded(uses, tool.count - count):
            starts &= ~self.instance.grid.clashing(start, end, options.duration)
        return starts

    def tool_uses(self, tool_id: str) -> list[Use]:
        """What is in use by placed jobs or away."""
        outages = self.instance.problem.tool_by_id[tool_id].outages
        away = [Use(o.start_minute, o.end_minute, o.count) for o in outages]
        return self._tool_users(tool_id) + away

    def _tool_users(self, tool_id: str) -> list[Use]:
        return [self._tool_use(placement, tool_id) for placement in self._tools[tool_id]]

    def _tool_use(self, placement: Placement, tool_id: str) -> Use:
        needs = self.instance.problem.jobs[placement.job].tools
        count = next(need.count for need in needs if need.tool_id == tool_id)
        return Use(placement.start, self.end(placement), count)

    def _part_starts(self, part_id: str, quantity: int) -> int:
        part = self.instance.problem.part_by_id[part_id]
        first = first_minute_with(part, self.part_takings(part_id), quantity)
        if first is None:
            return 0
        return self.instance.grid.between(first, self.instance.problem.end_minute)

    def part_takings(self, part_id: str) -> list[tuple[int, int]]:
        """(start, quantity) of every placed job that takes the part."""
        takings = []
        for placement in self._parts[part_id]:
            needs = self.instance.problem.jobs[placement.job].parts
            quantity = next(need.quantity for need in needs if need.part_id == part_id)
            takings.append((placement.start, quantity))
        return takings

    def busy_minutes(self, technician: int, start: int, end: int) -> int:
        """Minutes of placed work of a technician within ``[start, end)``."""
        return sum(
            max(0, min(self.end(placement), end) - max(placement.start, start))
            for placement in self._technicians[technician]
        )

    def free_people(self, options: JobOptions) -> list[list[Offer]]:
        """For each seat, who may take it and from which starts, cheapest first."""
        busy: dict[int, int] = {}
        if Waiver.technician not in options.waived:
            for technician in options.people:
                work = self._technicians[technician]
                busy[technician] = self._clashes(work, options.duration)
        return [
            [
                Offer(offer.wage, offer.technician, free)
                for offer in seat.offers
                if (free := offer.starts & ~busy.get(offer.technician, 0))
            ]
            for seat in options.seats
        ]

    def _cheapest_crewed(
        self,
        options: JobOptions,
        candidates: int,
        people: list[list[Offer]],
        below: int,
    ) -> tuple[int, tuple[int, ...], int] | None:
        """The start, crew and wages that cost least among the candidate starts."""
        if len(people) == 1:
            return self._cheapest_one(candidates, people[0], below)
        found = None
        for start in self.instance.grid.listed(candidates):
            if below <= options.cheapest_crew:
                break
            crew, wages = self._cheapest_crew_at(start, people, below)
            if crew is not None:
                found, below = (start, crew, wages), wages
        return found

    def _cheapest_one(
        self, candidates: int, people: list[Offer], below: int
    ) -> tuple[int, tuple[int, ...], int] | None:
        """The cheapest person alone, at the earliest start among equals."""
        found = None
        for wage, technician, starts in people:
            if wage >= below and (found is None or wage > below):
                break
            both = candidates & starts
            if both:
                start = next(self.instance.grid.listed(both))
                if found is None or start < found[0]:
                    found, below = (start, (technician,), wage), wage
        return found

    def _cheapest_crew_at(
        self, start: int, people: list[list[Offer]], below: int
    ) -> tuple[tuple[int, ...] | None, int]:
        at = self.instance.grid.at(start)
        seats = len(people)
        offers = [
            list(islice(((o.wage, o.technician) for o in offered if o.starts & at), seats))
            for offered in people
        ]
        return cheapest_distinct(offers, below)


def _all_seats_filled(people: list[list[Offer]]) -> int:
    """The starts at which each seat, taken alone, finds somebody."""
    filled = -1
    for seat_people in people:
        somebody = 0
        for offer in seat_people:
            somebody |= offer.starts
        filled &= somebody
    return filled


def cheapest_distinct(
    offers: Sequence[Sequence[tuple[int, int]]], below: int
) -> tuple[tuple[int, ...] | None, int]:
    """One person for each seat, nobody twice, for the least wages below ``below``.

    ``offers`` holds (wage, person) for each seat, cheapest first. With n seats the n cheapest
    offers of each are enough: at most n - 1 of them are taken by the other seats.

    >>> cheapest_distinct([[(5, 0), (9, 1)], [(5, 0), (6, 2)]], 100)
    ((0, 2), 11)
    """
    best: tuple[int, ...] | None = None
    least_after = [0]
    for offer in reversed(offers):
        least_after.append(least_after[-1] + (offer[0][0] if offer else 0))
    least_after.reverse()

    def fill(seat: int, crew: tuple[int, ...], wages: int) -> None:
        nonlocal best, below
        if wages + least_after[seat] >= below:
            return
        if seat == len(offers):
            best, below = crew, wages
            return
        for wage, person in offers[seat]:
            if person not in crew:
                fill(seat + 1, (*crew, person), wages + wage)

    fill(0, (), 0)
    return best, below


def overloaded(uses: Sequence[Use], limit: int) -> Iterator[tuple[int, int]]:
    """The stretches in which more than ``limit`` is in use; all time if even nothing is too much.

    >>> list(overloaded([Use(0, 60, 1), Use(30, 90, 1)], 1))
    [(30, 60)]
    """
    if limit < 0:
        yield -MUST, MUST
        return
    changes: dict[int, int] = {}
    for use in uses:
        changes[use.start] = changes.get(use.start, 0) + use.amount
        changes[use.end] = changes.get(use.end, 0) - use.amount
    level, since = 0, None
    for minute in sorted(changes):
        level += changes[minute]
        if level > limit and since is None:
            since = minute
        elif level <= limit and since is not None:
            yield since, minute
            since = None


def first_minute_with(part: Part, taken: Sequence[tuple[int, int]], quantity: int) -> int | None:
    """The first minute from which ``quantity`` can be taken without robbing a later start.

    >>> from scheduler.problem import Delivery
    >>> part = Part(id="seal", stock=1, deliveries=(Delivery(500, 1),))
    >>> first_minute_with(part, [(900, 1)], 1), first_minute_with(part, [(100, 1), (900, 1)], 1)
    (0, None)
    """
    changes: dict[int, int] = {}
    for delivery in part.deliveries:
        changes[delivery.minute] = changes.get(delivery.minute, 0) + delivery.quantity
    for start, amount in taken:
        changes[start] = changes.get(start, 0) - amount
    left = part.stock + sum(changes.values())
    if left < quantity:
        return None
    for minute in sorted(changes, reverse=True):
        left -= changes[minute]
        if left < quantity:
            return minute
    return 0
