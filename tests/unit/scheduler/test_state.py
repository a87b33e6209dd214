"""Placing, taking away and finding the best place, exact to the minute."""

from __future__ import annotations

from scheduler import Asset, Interval, Outage, Problem, Published, Role, ToolNeed, ToolType, Window
from scheduler.options import Grid, Instance, Waiver
from scheduler.problem import Job
from scheduler.state import Placement, State, cheapest_distinct
from tests.unit.scheduler.problems import job, problem, technician


def best(asked: Problem, *, waived: Waiver | None = None, grid_minutes: int = 60) -> Placement:
    instance = Instance(asked, grid_minutes=grid_minutes)
    options = instance.options_of(0, frozenset({waived} if waived else ()))
    found = State(instance).best(options)
    assert found is not None
    return found


def test_the_earliest_of_the_cheapest_starts_is_taken() -> None:
    assert best(problem()) == Placement(job=0, start=480, crew=(0,), cost=100)


def test_a_window_that_starts_between_grid_minutes_can_be_used() -> None:
    asset = Asset("PRESS", windows=(Window(491, 611),))
    assert best(problem(assets=(asset,))).start == 491


def test_a_placed_job_blocks_asset_and_people_to_the_minute() -> None:
    asked = problem(job(duration_minutes=61), job("J2", duration_minutes=60))
    state = State(Instance(asked, grid_minutes=30))
    state.place(Placement(0, 480, (0,), 100))
    found = state.best(state.instance.options[1])
    assert found is not None
    assert found.start == 570


def test_taking_away_undoes_placing() -> None:
    state = State(Instance(problem(), grid_minutes=60))
    placement = best(problem())
    cost = state.cost
    state.place(placement)
    assert state.cost == 100
    assert state.take_away(0) == placement
    assert state.cost == cost == 900


def test_the_cheapest_able_person_is_chosen() -> None:
    people = (technician(price_per_hour=50), technician("luis", price_per_hour=10))
    assert best(problem(technicians=people)).crew == (1,)


def test_a_crew_takes_nobody_twice() -> None:
    people = (technician(skills={"hydraulics": 1, "electrics": 1}), technician("luis"))
    pair: Job = job(roles=(Role("hydraulics"), Role("electrics")))
    assert best(problem(pair, technicians=people)).crew == (1, 0)


def test_a_later_shift_is_cheaper_than_overtime_only_while_the_risk_is_small() -> None:
    ana = technician(
        shifts=(Interval(1920, 2400),),
        overtime=(Interval(480, 960),),
        overtime_premium_per_hour=150,
    )
    asked = problem(technicians=(ana,))
    assert best(asked).start == 1920
    urgent = problem(job(cost_by_day=(100, 700)), technicians=(ana,))
    assert best(urgent).start == 480


def test_a_published_technician_is_kept_while_changing_costs_more() -> None:
    published = Published(480, ("ana",), price_per_technician=50)
    people = (technician(price_per_hour=20), technician("luis"))
    assert best(problem(job(published=published), technicians=people)).crew == (0,)


def test_a_tool_that_is_away_is_waited_for() -> None:
    crane = ToolType("crane", 1, outages=(Outage(0, 700),))
    asked = problem(job(tools=(ToolNeed("crane"),)), tools=(crane,))
    assert best(asked).start == 700
    assert best(asked, waived=Waiver.calibration).start == 480


def test_a_waived_shift_lets_a_job_start_at_night() -> None:
    assert best(problem(), waived=Waiver.shift).start == 0


def test_no_offer_is_no_crew() -> None:
    assert cheapest_distinct([[], [(1, 0)]], 100) == (None, 100)


def test_sets_of_starts_are_listed_in_order() -> None:
    grid = Grid((0, 7, 15, 30))
    assert list(grid.listed(grid.between(1, 15) | grid.at(30))) == [7, 15, 30]
    assert list(grid.listed(grid.clashing(10, 20, duration=5))) == [7, 15]
