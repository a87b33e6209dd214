"""Ruin and recreate: take some related jobs away, put them back better.

Simulated annealing over the exact `State`, after Schrimpf et al. (2000), "Record breaking
optimization results using the ruin and recreate principle". Effort is counted in searches for a
place, never in seconds, so that the same seed gives the same schedule on any machine.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Sequence

from scheduler.greedy import drop_losers, in_order, pays_below
from scheduler.options import JobOptions
from scheduler.state import Placement, State

START_TEMPERATURE = 4e-4
"""Share of the cost by which a worse schedule is still accepted at the beginning."""

LARGEST_RUIN = 16

FIRST = -1e30
"""Before every rank, after the pins."""


class Improver:
    """Improves a state in place; `best` is the cheapest schedule met.

    Only the ``hopeful`` jobs are moved: not settled, and possible beside the pins.
    """

    def __init__(self, state: State, hopeful: Collection[int], *, seed: int) -> None:
        self.state = state
        self.hopeful = sorted(hopeful)
        self._movable = frozenset(hopeful)
        self.progress: Callable[[int], None] = _tell_nobody
        self.rng = random.Random(seed)  # noqa: S311  a search, not a secret
        self.cost = state.cost
        self.best = state.copy()
        self.best_cost = self.cost

    def run(
        self,
        searches: int,
        *,
        until: int,
        progress: Callable[[int], None],
        stop: Callable[[], bool],
    ) -> None:
        """Search that many times for a place, or until the cost is ``until`` or less.

        Calls ``progress`` with each better cost, ``stop`` between moves.
        """
        self.progress = progress
        first = self.state.searches
        warm = START_TEMPERATURE * max(1, abs(self.cost))
        while (spent := self.state.searches - first) < searches and self.best_cost > until:
            if stop() or not self._move(warm * 10 ** (-3 * spent / searches)):
                return

    def _move(self, temperature: float) -> bool:
        """One ruin and recreation, undone unless accepted; False when there is nothing to do."""
        before = dict(self.state.placed)
        wanted = self._ruin()
        waiting = [index for index in self.hopeful if index not in self.state.placed]
        if not waiting:
            return False
        self._recreate(self._order(waiting, wanted))
        if self.state.cost <= self.cost - temperature * math.log(1.0 - self.rng.random()):
            self._accept()
        else:
            self._restore(before)
        return True

    def _accept(self) -> None:
        self.cost = self.state.cost
        if self.cost < self.best_cost:
            self.best, self.best_cost = self.state.copy(), self.cost
            self.progress(self.cost)

    def _restore(self, before: dict[int, Placement]) -> None:
        changed = [p.job for p in self.state.placed.values() if before.get(p.job) != p]
        for job in changed:
            self.state.take_away(job)
        for placement in before.values():
            if placement.job not in self.state.placed:
                self.state.place(placement)

    def _ruin(self) -> int | None:
        """Take away some related jobs and whatever waits for them.

        Related to a placed job, or to a left-out one, which is then returned: it comes first.
        """
        placed = self.state.placed
        movable = [placed[index] for index in self.hopeful if index in placed]
        if not movable:
            return None
        wanted = self._left_out_that_could_pay()
        centre = self.rng.choice(movable) if wanted is None else self._at_its_cheapest(wanted)
        size = min(len(movable), self.rng.randint(2, LARGEST_RUIN))
        distance = self.rng.choice(DISTANCES)
        near = {p.job: distance(self.state, centre, p) + self.rng.random() for p in movable}
        for placement in sorted(movable, key=lambda p: near[p.job])[:size]:
            self._take_away_with_successors(placement.job)
        return wanted

    def _left_out_that_could_pay(self) -> int | None:
        """One of them by chance, about every second time."""
        if self.rng.random() < 0.5:
            return None
        left_out = [index for index in self.hopeful if index not in self.state.placed]
        return self.rng.choice(left_out) if left_out else None

    def _at_its_cheapest(self, job: int) -> Placement:
        """Where a left-out job would like to stand, with everybody who could do it."""
        options = self.state.instance.options[job]
        starts = next(both for _, starts in options.prices if (both := starts & options.starts))
        start = self.rng.choice(list(self.state.instance.grid.listed(starts)))
        return Placement(job, start, options.people, options.least_cost)

    def _take_away_with_successors(self, job: int) -> None:
        for successor in self.state.instance.successors[job]:
            self._take_away_with_successors(successor)
        if job in self.state.placed and job in self._movable:
            self.state.take_away(job)

    def _order(self, waiting: Sequence[int], wanted: int | None) -> list[int]:
        """Pins, the wanted one, then the others by chance, saving, saving an hour or size."""
        noise = {index: self.rng.random() for index in waiting}
        rank = self.rng.choice(RANKS)

        def key(index: int) -> float:
            options = self.state.instance.options[index]
            if options.forced or index == wanted:
                return -math.inf if options.forced else FIRST
            return rank(options, noise[index])

        return in_order(self.state.instance, waiting, key)

    def _recreate(self, order: Sequence[int]) -> None:
        for index in order:
            options = self.state.instance.options[index]
            below = pays_below(self.state, index)
            found = self.state.best(options, below=below, rng=self.rng)
            if found is not None:
                self.state.place(found)
        drop_losers(self.state)


def _tell_nobody(_cost: int) -> None:
    pass


def _apart_in_time(_state: State, centre: Placement, other: Placement) -> float:
    return abs(centre.start - other.start) / 720


def _apart_in_people(state: State, centre: Placement, other: Placement) -> float:
    shared = bool(set(centre.crew) & set(other.crew))
    return _apart_in_time(state, centre, other) + (0 if shared else 6)


def _apart_in_things(state: State, centre: Placement, other: Placement) -> float:
    shared = _things(state, centre) & _things(state, other)
    return _apart_in_time(state, centre, other) / 4 + (0 if shared else 6)


def _things(state: State, placement: Placement) -> set[str]:
    job = state.instance.problem.jobs[placement.job]
    tools, parts = (need.tool_id for need in job.tools), (need.part_id for need in job.parts)
    return {job.asset_id, *tools, *parts}


def _by_chance(_state: State, _centre: Placement, _other: Placement) -> float:
    return 0.0


DISTANCES: tuple[Callable[[State, Placement, Placement], float], ...] = (
    _apart_in_time,
    _apart_in_people,
    _apart_in_things,
    _by_chance,
)


def _rank_by_chance(_options: JobOptions, noise: float) -> float:
    return noise


def _rank_by_saving(options: JobOptions, noise: float) -> float:
    return -options.most_saved * (0.5 + noise)


def _rank_by_saving_an_hour(options: JobOptions, noise: float) -> float:
    return _rank_by_saving(options, noise) / _hours(options)


def _rank_by_size(options: JobOptions, noise: float) -> float:
    return -_hours(options) * (0.5 + noise)


def _hours(options: JobOptions) -> float:
    return options.duration * max(1, len(options.seats)) / 60


RANKS: tuple[Callable[[JobOptions, float], float], ...] = (
    _rank_by_chance,
    _rank_by_saving,
    _rank_by_saving_an_hour,
    _rank_by_size,
)
