"""Solve a problem: a schedule at once, a better one soon, the best one where it can be proved.

Greedy first; a small model of days for the bound; ruin and recreate; then, up to about a hundred
jobs, the whole problem in CP-SAT started from the best so far. What is kept is what the exact
evaluator finds cheapest.

Effort is measured in work, not in seconds: the same problem, seed and effort give the same
schedule on any machine, as long as neither the clock nor the caller cuts the search short and one
worker searches. `Result.repeatable` says whether that held.

>>> from scheduler.problem import Asset, Interval, Job, Problem, Role, Technician
>>> problem = Problem(
...     day_starts_minutes=(0, 1440, 2880),
...     assets=(Asset(id="PRESS-1"),),
...     technicians=(
...         Technician(id="ana", skills={"hydraulics": 2}, shifts=(Interval(480, 960),)),
...     ),
...     jobs=tuple(
...         Job(
...             id=f"J{i}", asset_id="PRESS-1", duration_minutes=300, cost_by_day=(100, 300),
...             leave_out_cost=900, roles=(Role(skill="hydraulics"),),
...         )
...         for i in (1, 2)
...     ),
... )
>>> result = solve(problem)
>>> result.cost.total, result.bound, result.status.value
(1000, 1000, 'optimal')
>>> [(left.job_id, left.why.value, left.rules) for left in result.left_out]
[('J2', 'contention', ('off_shift',))]
"""

from __future__ import annotations

import time
from collections.abc import Callable

from scheduler.bands import Band, bands_of
from scheduler.day_model import DayModel
from scheduler.explain import explain
from scheduler.full_model import MOST_CHOICES, FullModel
from scheduler.greedy import by_saving, by_saving_for_each_hour, drop_losers, fill, place_pins
from scheduler.improve import Improver
from scheduler.objective import constant_cost
from scheduler.options import Instance
from scheduler.problem import Problem
from scheduler.result import Result, Status, TracePoint
from scheduler.schedule import cost_unscheduled
from scheduler.state import Placement, State

SEARCHES_A_JOB = 600
MOST_SEARCHES = 90_000
"""Searches for a place by ruin and recreate, for an effort of 1."""

DAY_MODEL_WORK = 1.0
FULL_MODEL_WORK = 1.2
"""Deterministic time of CP-SAT, in its own unit (some seconds), for an effort of 1."""

Progress = Callable[[int, int], None]


def solve(
    problem: Problem,
    *,
    effort: float = 1.0,
    time_limit_seconds: float = 60.0,
    seed: int = 1,
    workers: int = 1,
    grid_minutes: int = 15,
    on_progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Result:
    """The cheapest schedule found, with what it costs, a bound, and why jobs are left out.

    Never raises for a problem that could be created: what is impossible is left out and
    explained, pins are kept and what they break is listed.

    Args:
        effort: how much work to spend; 1 takes 10 to 20 seconds at 100 jobs on one core.
        time_limit_seconds: the search is cut short after this long.
        workers: CP-SAT threads; more than 1 is faster and not repeatable.
        grid_minutes: jobs start every so many minutes, and when a shift, window or the like does.
        on_progress: called with the cost and the bound whenever one gets better.
        stop: asked now and then; when it says True, the best schedule so far is the answer.
    """
    search = Search(
        problem,
        seed=seed,
        time_limit_seconds=time_limit_seconds,
        grid_minutes=grid_minutes,
        on_progress=on_progress,
        stop=stop,
    )
    search.construct()
    search.bound_by_days(effort)
    search.improve(effort)
    search.solve_whole(effort, workers)
    search.tidy()
    return search.result(grid_minutes)


class Search:
    """One run: the best state so far, the best bound so far, and the clock."""

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int,
        time_limit_seconds: float,
        grid_minutes: int,
        on_progress: Progress | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.began = time.perf_counter()
        self.problem = problem
        self.seed = seed
        self.time_limit_seconds = time_limit_seconds
        self.on_progress = on_progress
        self.asked_to_stop = stop
        self.repeatable = True
        self.step = "pins"
        self.trace: list[TracePoint] = []
        self.instance = Instance(problem, grid_minutes=grid_minutes)
        self.best = State(self.instance)
        self.settled = place_pins(self.best)
        self.pins = self._pins()
        self.bands = self._bands()
        self.bound = self._simple_bound()

    def _pins(self) -> State:
        """The settled pins with their crews, the others without."""
        pins = State(self.instance)
        for placement in self.best.placed.values():
            settled = placement.job in self.settled
            pins.place(placement if settled else placement._replace(crew=()))
        return pins

    def _bands(self) -> dict[int, list[Band]]:
        found = {
            options.index: bands_of(self.instance, self.pins, options)
            for options in self.instance.options
            if options.index not in self.settled
        }
        return {index: bands for index, bands in found.items() if bands}

    def _simple_bound(self) -> int:
        """Each job alone beside the pins, at its cheapest."""
        total = constant_cost(self.instance, self.pins, self.bands)
        for index, bands in self.bands.items():
            cheapest = min(band.least_cost for band in bands)
            total += min(cheapest, self.instance.options[index].leave_out_cost)
        return total

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def seconds_left(self) -> float:
        return self.time_limit_seconds - self.seconds

    def stop(self) -> bool:
        """Whether the clock or the caller wants an end; the answer then depends on when."""
        asked = self.asked_to_stop is not None and self.asked_to_stop()
        if asked or self.seconds_left <= 0:
            self.repeatable = False
            return True
        return False

    def tell(self, cost: int, bound: int) -> None:
        self.trace.append(TracePoint(self.step, round(self.seconds, 3), cost, bound))
        if self.on_progress is not None:
            self.on_progress(cost, bound)

    def keep(self, state: State) -> None:
        """Make it the best if it is."""
        if state.cost < self.best.cost:
            self.best = state

    def construct(self) -> None:
        """Two greedy schedules; the cheaper is kept."""
        self.step = "greedy"
        pinned = self.best
        for order in (by_saving(self.instance), by_saving_for_each_hour(self.instance)):
            state = pinned.copy()
            fill(state, order)
            self.keep(state)
        self.tell(self.best.cost, self.bound)

    @property
    def finished(self) -> bool:
        return self.best.cost <= self.bound

    def bound_by_days(self, effort: float) -> None:
        """The day model's bound, and a schedule that follows its days."""
        if self.finished or self.stop():
            return
        self.step = "days"
        model = DayModel(self.instance, self.pins, self.bands)
        model.hint(self.best)
        answer = model.solve(
            deterministic_limit=DAY_MODEL_WORK * effort,
            seconds=self.seconds_left / 3,
            seed=self.seed,
        )
        if answer is None:
            self.repeatable = False
            return
        self.repeatable &= answer.repeatable
        self.bound = max(self.bound, answer.bound)
        self.keep(self._following(answer.days))
        self.tell(self.best.cost, self.bound)

    def _following(self, days: dict[int, int]) -> State:
        """The pins, then each job on its day if it can be, then the others."""
        state = State(self.instance)
        place_pins(state)
        order = by_saving(self.instance)
        for index in order:
            if index in days and index not in state.placed:
                of_day = self.instance.day_starts[days[index]]
                found = state.best(self.instance.options[index], within=of_day)
                if found is not None:
                    state.place(found)
        fill(state, order)
        return state

    def improve(self, effort: float) -> None:
        """Ruin and recreate, the longer the more jobs there are."""
        if self.finished or self.stop():
            return
        self.step = "ruin and recreate"
        improver = Improver(self.best.copy(), self.bands, seed=self.seed)
        improver.run(
            round(min(MOST_SEARCHES, SEARCHES_A_JOB * len(self.bands)) * effort),
            until=self.bound,
            progress=lambda cost: self.tell(cost, self.bound),
            stop=self.stop,
        )
        self.keep(improver.best)

    @property
    def whole_fits(self) -> bool:
        """Whether the whole problem in one model is worth building."""
        choices = sum(
            len(bands) * sum(len({o.technician for o in seat.offers}) for seat in options.seats)
            for options, bands in ((self.instance.options[i], b) for i, b in self.bands.items())
        )
        return choices <= MOST_CHOICES

    def solve_whole(self, effort: float, workers: int) -> None:
        """The whole problem in CP-SAT, from the best schedule so far."""
        if self.finished or not self.whole_fits or self.stop():
            return
        self.step = "whole"
        model = FullModel(self.instance, self.pins, self.bands)
        answer = model.solve(
            self.best,
            deterministic_limit=FULL_MODEL_WORK * effort,
            seconds=self.seconds_left,
            seed=self.seed,
            workers=workers,
            progress=self._tell_better,
            stop=self.stop,
        )
        if answer is None:
            self.repeatable &= self.seconds_left > 0
            return
        self.repeatable &= answer.repeatable and workers == 1
        self.bound = max(self.bound, answer.bound)
        self.keep(self._with_pins(answer.placements))
        self.tell(self.best.cost, self.bound)

    def _tell_better(self, cost: int, bound: int) -> None:
        if cost < self.best.cost or bound > self.bound:
            self.bound = max(self.bound, bound)
            self.tell(min(cost, self.best.cost), self.bound)

    def _with_pins(self, placements: list[Placement]) -> State:
        state = State(self.instance)
        for index in sorted(self.settled):
            state.place(self.pins.placed[index])
        for placement in placements:
            state.place(placement)
        return state

    def tidy(self) -> None:
        """Every job as early as its cost allows, published ones where people expect them."""
        self.step = "tidy"
        published = [o.job.published is not None for o in self.instance.options]
        order = sorted(
            self.best.placed.values(), key=lambda p: (not published[p.job], p.start, p.job)
        )
        for placement in order:
            if placement.job not in self.settled:
                self._settle_down(placement)
        fill(self.best, by_saving(self.instance))
        drop_losers(self.best)
        self.tell(self.best.cost, self.bound)

    def _settle_down(self, placement: Placement) -> None:
        options = self.instance.options[placement.job]
        self.best.take_away(placement.job)
        at_most = placement.cost + 1
        found = self.best.best(options, below=at_most)
        if options.job.published is not None:
            start = self.instance.grid.at(options.job.published.start_minute)
            same = self.best.best(options, below=at_most, within=start)
            if same is not None and (found is None or same.cost <= found.cost):
                found = same
        self.best.place(found or placement)

    def result(self, grid_minutes: int) -> Result:
        schedule = self.best.schedule()
        cost = schedule.cost(self.problem)
        bound = min(self.bound, cost.total)
        return Result(
            schedule=schedule,
            cost=cost,
            cost_unscheduled=cost_unscheduled(self.problem),
            bound=bound,
            gap=(cost.total - bound) / max(1, abs(cost.total)),
            status=Status.optimal if bound == cost.total else Status.feasible,
            left_out=explain(self.problem, schedule, grid_minutes=grid_minutes),
            violations=schedule.violations(self.problem),
            seed=self.seed,
            repeatable=self.repeatable,
            seconds=round(self.seconds, 3),
            trace=tuple(self.trace),
        )
