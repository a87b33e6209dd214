"""The day model's bound: below every schedule, and close where a day is full."""

from __future__ import annotations

from scheduler import Interval, Part, PartNeed, Problem, Role, ToolNeed, ToolType
from scheduler.bands import bands_of
from scheduler.capacity import Capacity
from scheduler.day_model import DayAnswer, DayModel
from scheduler.options import Instance
from scheduler.state import State
from tests.unit.scheduler.problems import job, problem, technician


def answer(asked: Problem) -> DayAnswer:
    instance = Instance(asked, grid_minutes=60)
    pins = State(instance)
    bands = {o.index: bands_of(instance, pins, o) for o in instance.options}
    model = DayModel(instance, pins, {index: found for index, found in bands.items() if found})
    found = model.solve(deterministic_limit=1, seconds=10, seed=1)
    assert found is not None
    return found


def test_the_hours_of_those_who_can_do_it_bound_the_cost() -> None:
    jobs = [job(f"J{i}", duration_minutes=240) for i in range(5)]
    assert answer(problem(*jobs)).bound == 2 * 100 + 2 * 300 + 900


def test_of_jobs_longer_than_half_a_shift_one_fits_into_each() -> None:
    jobs = [job(f"J{i}", duration_minutes=250) for i in range(2)]
    assert answer(problem(*jobs)).bound == 100 + 300


def test_people_who_can_do_something_else_do_not_help() -> None:
    jobs = [job(f"J{i}", duration_minutes=480) for i in range(3)]
    other = technician("luis", skills={"electrics": 3})
    both = problem(*jobs, technicians=(technician(), other))
    assert answer(both).bound == 100 + 300 + 900


def test_parts_and_tools_bound_the_cost() -> None:
    seal = [job(f"J{i}", parts=(PartNeed("seal"),)) for i in range(3)]
    assert answer(problem(*seal, parts=(Part("seal", 2),))).bound == 100 + 100 + 900
    crane = [job(f"J{i}", tools=(ToolNeed("crane"),), duration_minutes=480) for i in range(2)]
    people = (technician(), technician("luis"))
    asked = problem(*crane, technicians=people, tools=(ToolType("crane", 1),))
    assert answer(asked).bound == 100 + 300


def test_a_job_is_never_on_an_earlier_day_than_its_predecessor() -> None:
    late = technician("luis", skills={"welding": 1}, shifts=(Interval(1920, 2400),))
    first = job("J1", roles=(Role("welding"),))
    asked = problem(first, job("J2", predecessors=("J1",)), technicians=(technician(), late))
    assert answer(asked).days == {0: 1, 1: 1}


def test_a_limit_that_cannot_bind_is_not_made() -> None:
    instance = Instance(problem(), grid_minutes=60)
    pins = State(instance)
    bands = {0: bands_of(instance, pins, instance.options[0])}
    assert list(Capacity(instance, pins, bands).limits()) == []
