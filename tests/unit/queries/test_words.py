"""Rules, reasons and unlocks in words."""

import datetime as dt

import pytest
from django.utils import translation

from maintenance.choices import LeftOutClass
from maintenance.models import LeftOut, Schedule
from maintenance.queries.words import (
    BLOCKED_WORDS,
    KIND_WORDS,
    RULE_WORDS,
    WAIVER_WORDS,
    duration_words,
    left_out_words,
    risk_band,
    rule_words,
)
from scheduler.explain import BLOCKED
from scheduler.options import Waiver
from scheduler.rules import MESSAGES

START = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
COUNTED = {"crew_incomplete"}


def test_every_rule_of_the_scheduler_has_words() -> None:
    assert RULE_WORDS.keys() | COUNTED == MESSAGES.keys()
    assert BLOCKED_WORDS.keys() == BLOCKED.keys()


def test_every_waiver_and_class_of_reason_has_words() -> None:
    assert WAIVER_WORDS.keys() == {waiver.value for waiver in Waiver}
    assert KIND_WORDS.keys() == set(LeftOutClass.values)


@pytest.mark.parametrize("rule", [*MESSAGES, *BLOCKED])
def test_every_rule_makes_a_sentence_even_of_no_parameters(rule: str) -> None:
    sentence = rule_words(rule, {}, starts_at=START)
    assert sentence.endswith(".")
    assert "%(" not in sentence


def test_minutes_become_moments_of_the_schedule() -> None:
    sentence = rule_words("too_early", {"earliest": 24 * 60 + 390}, starts_at=START)
    assert sentence == "It may not start before Tue 24 Nov, 06:30."


def test_minutes_of_work_become_hours() -> None:
    sentence = rule_words("wrong_duration", {"needed": 90, "given": 60}, starts_at=START)
    assert sentence == "The work takes 1 h 30 min; it was given 1 h."
    assert [duration_words(n) for n in (0, 45, 60, 61)] == ["0 min", "45 min", "1 h", "1 h 1 min"]


def test_a_short_part_tells_when_more_comes() -> None:
    facts = {"part": "Seal kit", "needed": 2, "available": 1}
    alone = rule_words("part_short", facts, starts_at=START)
    assert alone == "Seal kit: 2 needed by then, only 1 will be there."
    told = rule_words("part_short", {**facts, "next_delivery": 4320}, starts_at=START)
    assert told == alone + " The next delivery is due on Thu 26 Nov, 00:00."


@pytest.mark.parametrize(("missing", "words"), [(1, "1 person"), (3, "3 people")])
def test_missing_people_are_counted(missing: int, words: str) -> None:
    facts = {"missing": missing, "skill": "Hydraulics", "level": 2}
    assert rule_words("crew_incomplete", facts, starts_at=START).startswith(words)


def test_a_rule_of_another_version_is_named_by_its_code() -> None:
    assert "moon_phase" in rule_words("moon_phase", {}, starts_at=START)


def test_the_page_decides_the_language_of_a_sentence_when_it_is_shown() -> None:
    with translation.override("es"):
        told = rule_words("too_late", {"latest": 0}, starts_at=START)
    assert "lun" in told


def test_left_out_work_says_what_would_bring_it_in() -> None:
    broken = {
        "rule": "part_short",
        "parameters": {"part": "Seal kit", "needed": 1, "available": 0},
    }
    left_out = LeftOut(
        schedule=Schedule(starts_at=START),
        reason_class=LeftOutClass.CONTENTION,
        rules=[broken, broken],
        unlocks=[
            {
                "waivers": ["part", "tool"],
                "start_minute": 600,
                "technician_ids": ["7", "99"],
                "cost": 100,
                "saving": 123450,
                "broken": [broken],
            }
        ],
        cost_minor=1,
    )
    told = left_out_words(left_out, names={"7": "Ana Ruiz"})
    assert str(told.label) == "There is no room beside work that matters more."
    assert told.short == ("Others come first. Have the part delivered in time + Get one more tool.")
    assert told.obstacles == ["Seal kit: 1 needed by then, only 0 will be there."]
    unlock = told.unlocks[0]
    assert unlock.actions == ["Have the part delivered in time", "Get one more tool"]
    assert unlock.starts_at == START + dt.timedelta(hours=10)
    assert (unlock.technicians, unlock.saving) == (["Ana Ruiz"], 1234.5)


@pytest.mark.parametrize(
    ("risk", "band"),
    [
        (None, "unknown"),
        (0.0, "low"),
        (0.12, "watch"),
        (0.3, "high"),
        (0.6, "critical"),
        (1, "critical"),
    ],
)
def test_a_risk_has_a_band(risk: float | None, band: str) -> None:
    assert risk_band(risk) == band
