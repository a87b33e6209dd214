"""Which jobs on which day: a small CP-SAT model whose optimum no schedule can beat.

Minutes, single people and what jobs do to each other within a day are left out; what a day can
hold (`scheduler.capacity`), parts and the order of jobs are in. Its bound is the yardstick for
every schedule, and its days are a start for large problems.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from scheduler.bands import Band
from scheduler.capacity import Capacity
from scheduler.constraints import supply_steps
from scheduler.objective import constant_cost
from scheduler.options import Instance
from scheduler.state import State

Literal = cp_model.IntVar


@dataclass(frozen=True)
class DayAnswer:
    """A lower bound of the cost, and the day of each job that the model would do."""

    bound: int
    days: dict[int, int]
    repeatable: bool


class DayModel:
    """The model; ``bands`` by job index, as in the full model."""

    def __init__(self, instance: Instance, pins: State, bands: dict[int, list[Band]]) -> None:
        self.instance = instance
        self.pins = pins
        self.bands = bands
        self.model = cp_model.CpModel()
        self.chosen = {
            index: [self.model.new_bool_var(f"{index} in {i}") for i in range(len(of_job))]
            for index, of_job in bands.items()
        }
        self._do_each_job_once()
        self._hold_what_a_day_can_hold()
        self._take_parts_that_are_there()
        self._keep_the_order()
        self._minimise_cost()

    def solve(self, *, deterministic_limit: float, seconds: float, seed: int) -> DayAnswer | None:
        """The bound reached within the limits; None without one."""
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = seed
        solver.parameters.max_deterministic_time = deterministic_limit
        solver.parameters.max_time_in_seconds = max(0.01, seconds)
        solver.parameters.linearization_level = 2
        status = solver.solve(self.model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        bound = math.ceil(solver.best_objective_bound - 1e-3)
        repeatable = status == cp_model.OPTIMAL or solver.wall_time < seconds
        return DayAnswer(bound, self._days(solver), repeatable)

    def hint(self, state: State) -> None:
        """Suggest the days of a finished schedule."""
        for index, literals in self.chosen.items():
            placement = state.placed.get(index)
            at = 0 if placement is None else self.instance.grid.at(placement.start)
            for band, literal in zip(self.bands[index], literals, strict=True):
                self.model.add_hint(literal, bool(band.starts & at))

    def _days(self, solver: cp_model.CpSolver) -> dict[int, int]:
        return {
            index: band.day
            for index, literals in self.chosen.items()
            for band, literal in zip(self.bands[index], literals, strict=True)
            if solver.boolean_value(literal)
        }

    def _do_each_job_once(self) -> None:
        for index, literals in self.chosen.items():
            if self.instance.options[index].forced:
                self.model.add_exactly_one(literals)
            else:
                self.model.add_at_most_one(literals)

    def _hold_what_a_day_can_hold(self) -> None:
        for limit in Capacity(self.instance, self.pins, self.bands).limits():
            terms = [
                weight * literal
                for index, weight in limit.weights.items()
                for literal in self._from_day_to_day(index, limit.day, limit.day)
            ]
            self.model.add(sum(terms) <= limit.most)

    def _take_parts_that_are_there(self) -> None:
        for part in self.instance.problem.parts:
            for until, left in supply_steps(part, self.pins):
                terms = [
                    quantity * literal
                    for index, quantity in self._takers(part.id)
                    for literal in self._surely_before(index, until)
                ]
                if terms:
                    self.model.add(sum(terms) <= left)

    def _takers(self, part_id: str) -> Iterator[tuple[int, int]]:
        for index in self.chosen:
            options = self.instance.options[index]
            for need in options.job.parts:
                if need.part_id == part_id and not options.forced:
                    yield index, need.quantity

    def _surely_before(self, index: int, until: int | None) -> Iterator[Literal]:
        grid, end = self.instance.grid, self.instance.problem.end_minute
        late = 0 if until is None else grid.between(until, end)
        for band, literal in zip(self.bands[index], self.chosen[index], strict=True):
            if not band.starts & late:
                yield literal

    def _keep_the_order(self) -> None:
        for index in self.chosen:
            if self.instance.options[index].forced:
                continue
            for before in self.instance.predecessors[index]:
                if before not in self.pins.placed:
                    self._keep_behind(before, index)

    def _keep_behind(self, before: int, index: int) -> None:
        for day in range(self.instance.problem.day_count):
            early = self._from_day_to_day(index, 0, day)
            first = self._from_day_to_day(before, 0, day)
            if early:
                self.model.add(sum(early) <= sum(first))

    def _from_day_to_day(self, index: int, first: int, last: int) -> Sequence[Literal]:
        if index not in self.chosen:
            return []
        pairs = zip(self.bands[index], self.chosen[index], strict=True)
        return [literal for band, literal in pairs if first <= band.day <= last]

    def _minimise_cost(self) -> None:
        terms: list[cp_model.LinearExprT] = []
        total = constant_cost(self.instance, self.pins, self.chosen)
        for index, literals in self.chosen.items():
            options = self.instance.options[index]
            left_out = 0 if options.forced else options.leave_out_cost
            total += left_out
            for band, literal in zip(self.bands[index], literals, strict=True):
                terms.append((band.least_cost - left_out) * literal)
        self.model.minimize(sum(terms) + total)
