"""A problem refuses nonsense when it is created, and survives JSON."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler import (
    Asset,
    Delivery,
    DocumentError,
    Interval,
    Job,
    Outage,
    Part,
    PartNeed,
    Pin,
    Problem,
    ProblemError,
    Role,
    ToolNeed,
    ToolType,
    Window,
)
from tests.unit.scheduler.problems import job, problem, technician

NONSENSE: dict[str, dict[str, Any]] = {
    "day_starts_minutes: needs the start": {"day_starts_minutes": (0,)},
    "day_starts_minutes: must start at 0": {"day_starts_minutes": (60, 120)},
    "day_starts_minutes: must increase": {"day_starts_minutes": (0, 60, 60)},
    r"jobs\[J1\]: stands twice": {"jobs": (job(), job())},
    "technicians.id: is empty": {"technicians": (technician(""),)},
    r"technicians\[ana\].price_per_hour: must lie": {
        "technicians": (technician(price_per_hour=-1),)
    },
    r"assets\[PRESS\].windows\[0\].price_per_hour": {
        "assets": (Asset("PRESS", windows=(Window(0, 60, -5),)),)
    },
    r"tools\[crane\].count: must be at least 0": {"tools": (ToolType("crane", -1),)},
    r"tools\[crane\].outages\[0\].count": {
        "tools": (ToolType("crane", 1, outages=(Outage(0, 60, 0),)),)
    },
    r"parts\[seal\].stock": {"parts": (Part("seal", -1),)},
    r"parts\[seal\].deliveries\[0\].quantity": {
        "parts": (Part("seal", 0, deliveries=(Delivery(0, 0),)),)
    },
}

NONSENSE_OF_A_JOB: dict[str, Job] = {
    "duration_minutes: must be at least 1, is 0": job(duration_minutes=0),
    r"cost_by_day: needs one amount a day \(2\), has 1": job(cost_by_day=(1,)),
    r"cost_by_day\[1\]: must lie between": job(cost_by_day=(1, 10**15)),
    "leave_out_cost: must lie between": job(leave_out_cost=10**15),
    r"roles\[0\].count": job(roles=(Role("x", count=0),)),
    "asset_id: 'ghost' is not in the problem": job(asset_id="ghost"),
    "tools: 'ghost' is not in the problem": job(tools=(ToolNeed("ghost"),)),
    "parts: 'ghost' is not in the problem": job(parts=(PartNeed("ghost"),)),
    "predecessors: 'ghost' is not in the problem": job(predecessors=("ghost",)),
    r"pin.start_minute: must lie in \[0, 2880\), is 2880": job(pin=Pin(2880)),
    "pin.technician_ids: 'ghost' is not": job(pin=Pin(480, ("ghost",))),
}


@pytest.mark.parametrize(("words", "changes"), NONSENSE.items())
def test_nonsense_is_refused_by_the_name_of_its_field(words: str, changes: Any) -> None:
    with pytest.raises(ProblemError, match=words):
        Problem(**({"day_starts_minutes": (0, 1440, 2880), "assets": (Asset("PRESS"),)} | changes))


@pytest.mark.parametrize(("words", "wrong"), NONSENSE_OF_A_JOB.items())
def test_a_nonsensical_job_is_refused_by_the_name_of_its_field(words: str, wrong: Job) -> None:
    with pytest.raises(ProblemError, match=rf"jobs\[J1\]\.{words}"):
        problem(wrong)


def test_jobs_that_wait_for_each_other_in_a_circle_are_refused() -> None:
    with pytest.raises(ProblemError, match="in a circle: J1, J2"):
        problem(job(predecessors=("J2",)), job("J2", predecessors=("J1",)), job("J3"))


def test_an_interval_ends_after_it_starts() -> None:
    with pytest.raises(ProblemError, match="must end after it starts"):
        Interval(60, 60)


def test_the_day_of_a_minute_follows_the_local_days() -> None:
    spring = Problem(day_starts_minutes=(0, 1440, 2820, 4260))
    assert [spring.day_of(m) for m in (0, 1439, 1440, 2819, 2820, 4259)] == [0, 0, 1, 1, 2, 2]


def test_a_problem_survives_json() -> None:
    full = problem(
        job(
            tools=(ToolNeed("crane"),),
            parts=(PartNeed("seal", 2),),
            pin=Pin(480, ("ana",)),
            earliest_start_minute=60,
        ),
        technicians=(technician(certificates={"hydraulics": None, "crane": 900}),),
        tools=(ToolType("crane", 1, outages=(Outage(0, 60),)),),
        parts=(Part("seal", 0, deliveries=(Delivery(0, 3),)),),
    )
    assert Problem.from_json(full.to_json()) == full


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", r"\$: not JSON"),
        ("[]", r"\$: expected an object, found a list"),
        ("{}", r"\$.day_starts_minutes: missing"),
        ('{"day_starts_minutes": [0, 1], "colour": 1}', r"\$.colour: unknown key"),
        ('{"day_starts_minutes": [0, "1"]}', r"minutes\[1\]: expected a whole number, found text"),
        ('{"day_starts_minutes": [0, true]}', r"found true or false"),
        ('{"day_starts_minutes": [0, 1.5]}', r"found a number"),
    ],
)
def test_a_document_in_another_form_is_refused_by_its_place(text: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        Problem.from_json(text)


def test_nonsense_within_a_document_is_refused_by_its_place() -> None:
    text = (
        '{"day_starts_minutes": [0, 1440], '
        '"technicians": [{"id": "ana", "shifts": [{"start_minute": 9, "end_minute": 3}]}]}'
    )
    with pytest.raises(ProblemError, match=r"\$.technicians\[0\].shifts\[0\].interval: must end"):
        Problem.from_json(text)
