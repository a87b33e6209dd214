"""Ruin and recreate: better or the same, never at the price of a rule."""

from __future__ import annotations

from scheduler import Pin
from scheduler.greedy import greedy, place_pins
from scheduler.improve import Improver
from scheduler.options import Instance
from scheduler.state import State
from tests.unit.scheduler.problems import job, problem, technician

LENGTHS = (300, 240, 180, 240, 120, 60, 300, 180)
JOBS = tuple(
    job(f"J{i}", asset_id=("PRESS", "PRESS-2")[i % 2], duration_minutes=m, leave_out_cost=300 + m)
    for i, m in enumerate(LENGTHS)
)
CROWDED = problem(*JOBS, technicians=(technician(), technician("luis")))


def improver(seed: int = 1) -> Improver:
    state = State(Instance(CROWDED, grid_minutes=60))
    greedy(state)
    return Improver(state, range(len(JOBS)), seed=seed)


def run(search: Improver, *, searches: int = 800, until: int = 0) -> list[int]:
    told: list[int] = []
    search.run(searches, until=until, progress=told.append, stop=lambda: False)
    return told


def test_the_best_is_never_worse_than_the_start_and_breaks_nothing() -> None:
    search = improver()
    start = search.cost
    run(search)
    schedule = search.best.schedule()
    assert search.best_cost <= start
    assert schedule.violations(CROWDED) == ()
    assert schedule.cost(CROWDED).total == search.best_cost


def test_each_better_cost_is_told() -> None:
    search = improver()
    told = run(search)
    assert told == sorted(set(told), reverse=True)
    assert told == [] or told[-1] == search.best_cost


def test_the_same_seed_takes_the_same_way() -> None:
    first, second = improver(), improver()
    assert run(first) == run(second)
    assert first.best.placed == second.best.placed


def test_a_cost_that_is_good_enough_ends_the_search() -> None:
    search = improver()
    run(search, until=search.cost)
    assert search.state.searches <= len(JOBS)


def test_an_open_pin_keeps_its_start() -> None:
    asked = problem(job("pinned", pin=Pin(600)), *JOBS[:5])
    state = State(Instance(asked, grid_minutes=60))
    place_pins(state)
    greedy(state)
    search = Improver(state, range(6), seed=1)
    run(search)
    assert search.best.placed[0].start == 600
