"""The whole problem in CP-SAT, started from a schedule that is already good."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ortools.sat.python import cp_model

from scheduler.bands import Band
from scheduler.constraints import RULES
from scheduler.objective import BOUNDS, minimise_cost
from scheduler.options import Instance
from scheduler.state import Placement, State
from scheduler.variables import JobVariables, declare

MOST_CHOICES = 12_000
"""Above this many (job, role, technician, day) choices the model is not worth building."""

Progress = Callable[[int, int], None]


class _Watcher(cp_model.CpSolverSolutionCallback):
    """Passes on each better cost and bound; asks whether to stop."""

    def __init__(self, progress: Progress, stop: Callable[[], bool]) -> None:
        super().__init__()
        self.progress = progress
        self.stop = stop

    def on_solution_callback(self) -> None:
        self.progress(round(self.objective_value), math.ceil(self.best_objective_bound - 1e-3))
        if self.stop():
            self.stop_search()


@dataclass(frozen=True)
class WholeAnswer:
    """The jobs placed in the best answer found, and a bound that no schedule beats."""

    placements: list[Placement]
    bound: int
    repeatable: bool


class FullModel:
    """The model over every job that has bands.

    ``pins`` holds the settled pins with their crews and the other pins without.
    """

    def __init__(self, instance: Instance, pins: State, bands: Mapping[int, list[Band]]) -> None:
        self.model = cp_model.CpModel()
        self.variables = declare(self.model, instance, pins, bands)
        self.solver = cp_model.CpSolver()
        for add in (*RULES, *BOUNDS):
            add(self.variables)
        minimise_cost(self.variables)

    def solve(
        self,
        start: State,
        *,
        deterministic_limit: float,
        seconds: float,
        seed: int,
        workers: int,
        progress: Progress,
        stop: Callable[[], bool],
    ) -> WholeAnswer | None:
        """The best answer within the limits; None when none was found."""
        self.variables.hint(start)
        self._set_limits(deterministic_limit, seconds, seed, workers)
        status = self.solver.solve(self.model, _Watcher(progress, stop))
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        jobs = self.variables.jobs.values()
        return WholeAnswer(
            placements=[self._placement(j) for j in jobs if self.solver.boolean_value(j.done)],
            bound=math.ceil(self.solver.best_objective_bound - 1e-3),
            repeatable=status == cp_model.OPTIMAL or self.solver.wall_time < seconds,
        )

    def _set_limits(
        self, deterministic_limit: float, seconds: float, seed: int, workers: int
    ) -> None:
        parameters = self.solver.parameters
        parameters.num_workers = workers
        parameters.random_seed = seed
        # One worker takes turns between strategies, in an order that does not depend on the clock.
        parameters.interleave_search = workers == 1
        parameters.max_deterministic_time = deterministic_limit
        parameters.max_time_in_seconds = max(0.01, seconds)
        # A long presolve would lose the hint.
        parameters.cp_model_probing_level = 0
        parameters.symmetry_level = 0
        parameters.max_presolve_iterations = 1
        parameters.linearization_level = 2

    def _placement(self, job: JobVariables) -> Placement:
        start = self.solver.value(job.start)
        crew: list[int] = []
        for works in job.works:
            crew += [t for t, literal in works.items() if self.solver.boolean_value(literal)]
        price = self.variables.pins.price_at(job.options, start, crew)
        return Placement(job.options.index, start, tuple(crew), price)
