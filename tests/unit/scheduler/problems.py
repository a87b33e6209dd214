"""Small problems for the scheduler's tests: one job that can be done, and random ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from scheduler import (
    Asset,
    Delivery,
    Interval,
    Job,
    Outage,
    Part,
    PartNeed,
    Pin,
    Problem,
    Published,
    Role,
    Technician,
    ToolNeed,
    ToolType,
    Window,
)

DAYS = (0, 1440, 2880)


def job(job_id: str = "J1", **changes: Any) -> Job:
    """Two hours by one technician with skill ``hydraulics``; 100 today, 300 tomorrow, 900 later."""
    fields: dict[str, Any] = {
        "asset_id": "PRESS",
        "duration_minutes": 120,
        "cost_by_day": (100, 300),
        "leave_out_cost": 900,
        "roles": (Role("hydraulics"),),
    }
    return Job(job_id, **(fields | changes))


def technician(technician_id: str = "ana", **changes: Any) -> Technician:
    """On shift from 8 to 16 on both days, hydraulics level 2."""
    fields: dict[str, Any] = {
        "name": technician_id.capitalize(),
        "skills": {"hydraulics": 2},
        "shifts": (Interval(480, 960), Interval(1920, 2400)),
    }
    return Technician(technician_id, **(fields | changes))


def problem(*jobs: Job, **changes: Any) -> Problem:
    """Two days, two presses, Ana."""
    fields: dict[str, Any] = {
        "day_starts_minutes": DAYS,
        "jobs": jobs or (job(),),
        "technicians": (technician(),),
        "assets": (Asset("PRESS"), Asset("PRESS-2")),
    }
    return Problem(**(fields | changes))


# Random problems: three days of eight hours (the last one an hour short), everything an hour.
HOUR = 60
DAY = 8 * HOUR
END = 3 * DAY - HOUR
SKILLS = ("mechanics", "electrics")
hours = st.integers(0, END // HOUR - 1).map(lambda hour: hour * HOUR)
money = st.integers(0, 500)


@st.composite
def intervals(draw: st.DrawFn, longest: int = 8) -> Interval:
    start = draw(hours)
    return Interval(start, start + HOUR * draw(st.integers(1, longest)))


def tuples_of(strategy: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


@st.composite
def technicians(draw: st.DrawFn, index: int) -> Technician:
    return Technician(
        id=f"T{index}",
        skills=draw(st.dictionaries(st.sampled_from(SKILLS), st.integers(1, 2), max_size=2)),
        certificates=draw(st.dictionaries(st.sampled_from(SKILLS), st.none() | hours, max_size=1)),
        shifts=draw(tuples_of(intervals(), 3)),
        absences=draw(tuples_of(intervals(4), 1)),
        overtime=draw(tuples_of(intervals(2), 1)),
        price_per_hour=draw(st.sampled_from((0, 7, 30))),
        overtime_premium_per_hour=draw(st.sampled_from((0, 5))),
    )


@st.composite
def windows(draw: st.DrawFn) -> Window:
    interval = draw(intervals())
    price = draw(st.sampled_from((0, 20, 100)))
    return Window(interval.start_minute, interval.end_minute, price)


@st.composite
def outages(draw: st.DrawFn) -> Outage:
    interval = draw(intervals())
    return Outage(interval.start_minute, interval.end_minute, draw(st.integers(1, 2)))


@st.composite
def pins(draw: st.DrawFn, people: list[str]) -> Pin:
    crews = st.lists(st.sampled_from(people), max_size=2, unique=True).map(tuple)
    return Pin(draw(st.integers(0, END - 1)), draw(st.none() | crews) if people else None)


@st.composite
def published(draw: st.DrawFn) -> Published:
    crew = draw(st.sampled_from(((), ("T0",), ("T1", "gone"))))
    return Published(draw(hours), crew, draw(st.integers(0, 40)), draw(st.integers(0, 40)))


@st.composite
def jobs(draw: st.DrawFn, index: int, people: list[str], *, with_pins: bool) -> Job:
    roles = st.builds(Role, st.sampled_from(SKILLS), st.integers(1, 2), st.integers(1, 2))
    before = st.sampled_from([f"J{i}" for i in range(index)]) if index else st.nothing()
    rarely = st.integers(0, 3).map(lambda n: n == 0)
    return Job(
        id=f"J{index}",
        asset_id=draw(st.sampled_from(("A0", "A1"))),
        duration_minutes=draw(st.sampled_from((45, 60, 120, 200, 540))),
        cost_by_day=tuple(draw(st.lists(money, min_size=3, max_size=3))),
        leave_out_cost=draw(st.integers(0, 900)),
        roles=draw(tuples_of(roles, 2)),
        tools=draw(tuples_of(st.builds(ToolNeed, st.just("tool"), st.integers(1, 2)), 1)),
        parts=draw(tuples_of(st.builds(PartNeed, st.just("part"), st.integers(1, 2)), 1)),
        earliest_start_minute=draw(hours) if draw(rarely) else None,
        latest_end_minute=draw(hours) if draw(rarely) else None,
        due_minute=draw(hours) if draw(rarely) else None,
        late_price_per_day=draw(st.integers(0, 50)),
        predecessors=(draw(before),) if index and draw(rarely) else (),
        pin=draw(pins(people)) if with_pins and draw(rarely) else None,
        published=draw(published()) if draw(rarely) else None,
    )


@st.composite
def problems(draw: st.DrawFn, *, most_jobs: int = 5, with_pins: bool = True) -> Problem:
    """Anything that can be created: idle people, no stock, pins against rules, dead windows."""
    people = [draw(technicians(i)) for i in range(draw(st.integers(0, 3)))]
    names = [person.id for person in people]
    count = draw(st.integers(0, most_jobs))
    return Problem(
        day_starts_minutes=(0, DAY, 2 * DAY, END),
        jobs=tuple(draw(jobs(i, names, with_pins=with_pins)) for i in range(count)),
        technicians=tuple(people),
        assets=(Asset("A0"), Asset("A1", windows=draw(tuples_of(windows(), 3)))),
        tools=(ToolType("tool", draw(st.integers(0, 2)), outages=draw(tuples_of(outages(), 1))),),
        parts=(
            Part(
                "part",
                draw(st.integers(0, 2)),
                deliveries=draw(tuples_of(st.builds(Delivery, hours, st.integers(1, 2)), 2)),
            ),
        ),
        frozen_until_minute=draw(st.sampled_from((0, 0, 0, 2 * HOUR))),
    )


@st.composite
def contended_problems(draw: st.DrawFn, *, most_jobs: int = 4) -> Problem:
    """Jobs that could each be done, and that want the same people, tool, part and asset."""
    skills = st.dictionaries(st.sampled_from(SKILLS), st.integers(1, 2), min_size=1, max_size=2)
    people = [
        Technician(
            id=f"T{index}",
            skills=draw(skills),
            shifts=tuple(Interval(day, day + 4 * HOUR) for day in (0, DAY)[index % 2 :]),
            overtime=draw(tuples_of(st.just(Interval(4 * HOUR, 6 * HOUR)), 1)),
            price_per_hour=draw(st.sampled_from((0, 7, 30))),
            overtime_premium_per_hour=draw(st.sampled_from((0, 5))),
        )
        for index in range(draw(st.integers(1, 2)))
    ]
    roles = st.builds(Role, st.sampled_from(SKILLS), st.just(1), st.integers(1, 2))
    wanted = [
        Job(
            id=f"J{index}",
            asset_id=draw(st.sampled_from(("A0", "A1"))),
            duration_minutes=draw(st.sampled_from((60, 120, 150, 240))),
            cost_by_day=tuple(draw(st.lists(money, min_size=2, max_size=2))),
            leave_out_cost=draw(st.integers(300, 1500)),
            roles=(draw(roles),),
            tools=draw(tuples_of(st.just(ToolNeed("tool")), 1)),
            parts=draw(tuples_of(st.just(PartNeed("part")), 1)),
            predecessors=(f"J{index - 1}",) if index and draw(st.booleans()) else (),
            published=draw(published()) if draw(st.booleans()) else None,
        )
        for index in range(draw(st.integers(2, most_jobs)))
    ]
    return Problem(
        day_starts_minutes=(0, DAY, 2 * DAY),
        jobs=tuple(wanted),
        technicians=tuple(people),
        assets=(Asset("A0"), Asset("A1", windows=(Window(0, DAY, 20), Window(DAY, 2 * DAY)))),
        tools=(ToolType("tool", 1, outages=draw(tuples_of(outages(), 1))),),
        parts=(Part("part", draw(st.integers(0, 2)), deliveries=(Delivery(3 * HOUR, 1),)),),
    )
