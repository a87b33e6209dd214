"""One test for each rule of the CP-SAT model: without the rule the answer would break it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler import (
    Asset,
    Delivery,
    Interval,
    Outage,
    Part,
    PartNeed,
    Pin,
    Problem,
    Role,
    Schedule,
    ToolNeed,
    ToolType,
    Window,
    constraints,
)
from scheduler import full_model as full
from scheduler.solve import Search
from scheduler.variables import Variables
from tests.unit.scheduler.problems import job, problem, technician

TWO = (technician(), technician("luis"))
CRANE = (ToolNeed("crane"),)
SEAL = (PartNeed("seal"),)
LATE_LUIS = technician("luis", shifts=(Interval(960, 1440),), price_per_hour=100)

CASES: dict[Callable[[Variables], None], tuple[Problem, str]] = {
    constraints.a_job_is_done_once_or_left_out: (
        problem(job(cost_by_day=(300, 100), latest_end_minute=1440)),
        "",
    ),
    constraints.every_role_has_its_people: (
        problem(job(roles=(Role("hydraulics", count=2),)), technicians=TWO),
        "crew_incomplete",
    ),
    constraints.people_work_when_they_may: (
        problem(
            *(
                job(f"J{i}", asset_id=asset, earliest_start_minute=840, latest_end_minute=1440)
                for i, asset in enumerate(("PRESS", "PRESS-2"))
            ),
            technicians=(technician(), LATE_LUIS),
        ),
        "off_shift",
    ),
    constraints.nobody_does_two_jobs_at_once: (
        problem(
            *(
                job(f"J{i}", asset_id=a, duration_minutes=300)
                for i, a in enumerate(("PRESS", "PRESS-2"))
            )
        ),
        "technician_busy",
    ),
    constraints.an_asset_is_stopped_by_one_job_at_a_time: (
        problem(*(job(f"J{i}", duration_minutes=300) for i in (1, 2)), technicians=TWO),
        "asset_busy",
    ),
    constraints.tools_are_shared: (
        problem(
            job("J1", tools=CRANE, duration_minutes=300),
            job("J2", tools=CRANE, duration_minutes=300, asset_id="PRESS-2"),
            technicians=TWO,
            tools=(ToolType("crane", 2, outages=(Outage(0, 1440),)),),
        ),
        "tool_unavailable",
    ),
    constraints.parts_are_there_at_the_start: (
        problem(
            job("J1", parts=SEAL),
            job("J2", parts=SEAL, asset_id="PRESS-2"),
            technicians=TWO,
            parts=(Part("seal", 1, deliveries=(Delivery(1500, 1),)),),
        ),
        "part_short",
    ),
    constraints.predecessors_finish_first: (
        problem(
            job("J1", duration_minutes=300, cost_by_day=(300, 100)),
            job("J2", predecessors=("J1",), asset_id="PRESS-2", cost_by_day=(100, 500)),
            technicians=TWO,
        ),
        "predecessor_not_finished",
    ),
}


def whole(asked: Problem) -> Schedule:
    """The whole model alone, from an empty schedule."""
    search = Search(
        asked,
        seed=1,
        time_limit_seconds=10,
        grid_minutes=60,
        on_progress=None,
        stop=None,
    )
    model = full.FullModel(search.instance, search.pins, search.bands)
    answer = model.solve(
        search.best,
        deterministic_limit=1,
        seconds=10,
        seed=1,
        workers=1,
        progress=lambda _cost, _bound: None,
        stop=lambda: False,
    )
    assert answer is not None
    state = search.best
    for placement in answer.placements:
        state.place(placement)
    return state.schedule()


@pytest.mark.parametrize("rule", CASES)
def test_the_model_keeps_the_rule(rule: Callable[[Variables], None]) -> None:
    asked, _ = CASES[rule]
    schedule = whole(asked)
    assert schedule.violations(asked) == ()
    assert len(schedule.assignments) == len(asked.jobs)


@pytest.mark.parametrize("rule", [rule for rule, (_, broken) in CASES.items() if broken])
def test_without_the_rule_the_model_breaks_it(
    rule: Callable[[Variables], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, broken = CASES[rule]
    monkeypatch.setattr(full, "RULES", tuple(r for r in full.RULES if r is not rule))
    monkeypatch.setattr(full, "BOUNDS", ())
    assert broken in {violation.rule for violation in whole(asked).violations(asked)}


def test_every_rule_of_the_model_is_tested() -> None:
    assert {*CASES, constraints.overtime_is_paid} == set(constraints.RULES)


def test_overtime_is_paid_where_it_pays() -> None:
    ana = technician(
        shifts=(Interval(480, 960),),
        overtime=(Interval(960, 1200),),
        overtime_premium_per_hour=60,
    )
    two = [
        job(f"J{i}", asset_id=a, duration_minutes=300) for i, a in enumerate(("PRESS", "PRESS-2"))
    ]
    asked = problem(*two, technicians=(ana,))
    schedule = whole(asked)
    assert len(schedule.assignments) == 2
    assert schedule.cost(asked).overtime == 120


def test_the_order_of_the_rules_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, _ = CASES[constraints.predecessors_finish_first]
    straight = whole(asked).cost(asked)
    monkeypatch.setattr(full, "RULES", tuple(reversed(full.RULES)))
    assert whole(asked).cost(asked) == straight


def test_pins_take_parts_first() -> None:
    asked = problem(
        job("J1", parts=SEAL, pin=Pin(1920)),
        job("J2", parts=SEAL, asset_id="PRESS-2", cost_by_day=(0, 0)),
        parts=(Part("seal", 1),),
    )
    assert set(whole(asked).by_job) == {"J1"}


def test_the_cheaper_window_is_chosen() -> None:
    windows = (Window(480, 700, 500), Window(700, 960))
    asked = problem(assets=(Asset("PRESS", windows=windows),))
    assert [a.start_minute for a in whole(asked).assignments] == [700]
