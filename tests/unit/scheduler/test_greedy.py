"""The first schedule: pins first, then what saves most."""

from __future__ import annotations

from scheduler import Interval, Pin
from scheduler.greedy import by_saving, drop_losers, greedy, place_pins
from scheduler.options import Instance
from scheduler.problem import Problem
from scheduler.state import Placement, State
from tests.unit.scheduler.problems import job, problem, technician


def state_of(asked: Problem) -> State:
    return State(Instance(asked, grid_minutes=60))


def test_pins_with_named_people_are_settled_and_open_ones_are_not() -> None:
    pins = (job("named", pin=Pin(480, ("ana",))), job("open", pin=Pin(720)))
    state = state_of(problem(*pins))
    assert place_pins(state) == frozenset({0})
    assert state.placed[1].crew == (0,)


def test_an_open_pin_that_finds_nobody_is_settled_without_a_crew() -> None:
    state = state_of(problem(job(pin=Pin(0))))
    assert place_pins(state) == frozenset({0})
    assert state.placed[0].crew == ()


def test_predecessors_come_before_jobs_that_save_more() -> None:
    asked = problem(job("dear", leave_out_cost=5000, predecessors=("cheap",)), job("cheap"))
    assert by_saving(Instance(asked, grid_minutes=60)) == [1, 0]


def test_what_saves_most_gets_the_scarce_hours() -> None:
    day = (technician(shifts=(Interval(480, 600),)),)
    state = state_of(problem(job("small"), job("large", leave_out_cost=5000), technicians=day))
    greedy(state)
    assert set(state.placed) == {1}


def test_a_job_that_costs_more_than_leaving_it_out_is_dropped_unless_another_needs_it() -> None:
    alone = state_of(problem(job(leave_out_cost=50)))
    alone.place(Placement(0, 480, (0,), 100))
    drop_losers(alone)
    assert alone.placed == {}
    needed = state_of(problem(job(leave_out_cost=50), job("J2", predecessors=("J1",))))
    needed.place(Placement(0, 480, (0,), 100))
    needed.place(Placement(1, 600, (0,), 100))
    drop_losers(needed)
    assert set(needed.placed) == {0, 1}
