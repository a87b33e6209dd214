import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from maintenance.flow.ingest import Period, Reading, instants, numbers
from maintenance.flow.ingest.columns import as_text, implausible, text_problem, texts

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
MADRID = ZoneInfo("Europe/Madrid")


def us(*when: int) -> int:
    return int(dt.datetime(*when, tzinfo=dt.UTC).timestamp()) * 1_000_000  # type: ignore[misc]


def instant(text: str, reading: Reading) -> tuple[int, str]:
    at_us, problems = instants(texts([text]), reading=reading)
    return int(at_us[0]), problems.get(0, "")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), (" -2.5 ", -2.5), ("+3", 3.0), (".5", 0.5), ("5.", 5.0), ("1e-3", 0.001)],
)
def test_numbers_are_read_as_written(text: str, value: float) -> None:
    values, problems = numbers(texts([text]))
    assert values.tolist() == [value]
    assert not problems


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is missing"),
        ("abc", "'abc' is not a number"),
        ("NaN", "'NaN' is no value"),
        ("-inf", "'-inf' is infinite"),
        ("1e999", "'1e999' is too large"),
        ("1,5", "has a comma, and the mapping declares no decimal comma"),
        ("0x10", "'0x10' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("1\x00", "is not a number"),
    ],
)
def test_what_is_no_number_is_refused_with_its_reason(text: str, reason: str) -> None:
    values, problems = numbers(texts(["7", text]))
    assert values.tolist() == [7.0, 0.0]
    assert reason in problems[1]


def test_a_decimal_comma_is_read_where_it_is_declared() -> None:
    values, problems = numbers(texts(["1,5", "1.500,5"]), reading=Reading(decimal_comma=True))
    assert values[0] == 1.5
    assert "has a decimal point" in problems[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", us(2026, 1, 31, 12)),
        ("2026-01-31 12:00+02:00", us(2026, 1, 31, 10)),
        ("2026-01-31T12:00:00.250000Z", us(2026, 1, 31, 12) + 250_000),
        ("2026-01-31T12:00:00.250000999Z", us(2026, 1, 31, 12) + 250_000),
        ("2026-01-31T12:00", us(2026, 1, 31, 11)),
        ("2026-01-31", us(2026, 1, 30, 23)),
        ("2026-07-31T12:00", us(2026, 7, 31, 10)),
    ],
)
def test_iso_instants_have_their_offset_or_the_zone_of_the_mapping(
    text: str, expected: int
) -> None:
    assert instant(text, Reading(zone=MADRID)) == (expected, "")


@pytest.mark.parametrize("text", ["31/01/2026", "2026-1-5", "yesterday", "20260131", "1769817600"])
def test_a_date_in_another_format_is_refused_by_name(text: str) -> None:
    _at, reason = instant(text, Reading())
    assert reason.startswith(f"'{text}' is not a date and time as expected")


def test_a_date_that_the_calendar_lacks_is_refused_and_the_others_are_kept() -> None:
    at_us, problems = instants(texts(["2026-02-30", "2026-02-28", "2026-02-28T25:00"]))
    assert at_us[1] == us(2026, 2, 28)
    assert {i: "no date of the calendar" in reason for i, reason in problems.items()} == {
        0: True,
        2: True,
    }


def test_an_hour_that_the_clocks_skip_does_not_exist() -> None:
    _at, reason = instant("2026-03-29T02:30", Reading(zone=MADRID))
    assert "does not exist in Europe/Madrid" in reason


def test_an_hour_that_the_clocks_repeat_needs_its_offset() -> None:
    _at, reason = instant("2026-10-25T02:30", Reading(zone=MADRID))
    assert "happens twice in Europe/Madrid" in reason
    assert instant("2026-10-25T02:30+01:00", Reading(zone=MADRID)) == (us(2026, 10, 25, 1, 30), "")


def test_without_a_zone_an_instant_must_have_its_offset() -> None:
    assert "has no offset from UTC" in instant("2026-01-31T12:00", Reading(zone=None))[1]
    assert instant("2026-01-31T12:00Z", Reading(zone=None)) == (us(2026, 1, 31, 12), "")


def test_a_declared_format_is_the_only_one_read() -> None:
    declared = Reading(date_format="%d/%m/%Y %H:%M")
    assert instant("31/01/2026 12:00", declared) == (us(2026, 1, 31, 12), "")
    assert "%d/%m/%Y" in instant("2026-01-31T12:00Z", declared)[1]


def test_a_declared_format_may_have_the_offset() -> None:
    declared = Reading(zone=MADRID, date_format="%d.%m.%Y %H:%M %z")
    assert instant("31.01.2026 12:00 +0200", declared) == (us(2026, 1, 31, 10), "")


def test_counts_since_1970_are_read_where_they_are_declared() -> None:
    assert instant("1769860800", Reading(date_format="epoch_s")) == (us(2026, 1, 31, 12), "")
    assert instant("1769860800250", Reading(date_format="epoch_ms"))[0] % 1_000_000 == 250_000
    assert instant("1e30", Reading(date_format="epoch_s"))[1] == "is out of range"


def test_a_daily_mean_stamped_at_its_start_is_known_at_the_end_of_its_day() -> None:
    daily = Reading(shift=Period(days=1))
    assert instant("2015-01-01", daily) == (us(2015, 1, 2), "")


@pytest.mark.parametrize(
    ("day", "known"), [("2026-03-29", us(2026, 3, 29, 22)), ("2026-10-25", us(2026, 10, 25, 23))]
)
def test_a_day_may_last_23_or_25_hours(day: str, known: int) -> None:
    assert instant(day, Reading(zone=MADRID, shift=Period(days=1))) == (known, "")


def test_an_hourly_mean_moves_by_the_clock() -> None:
    hourly = Reading(shift=Period(us=3_600_000_000))
    assert instant("2026-01-01T00:00+05:00", hourly) == (us(2025, 12, 31, 20), "")


def test_instants_long_past_or_ahead_are_implausible() -> None:
    at_us, _problems = instants(texts(["1969-12-31", "2026-03-03T11:00", "2026-03-03T13:00"]))
    assert implausible(at_us, now=NOW) == {
        0: "before 1970",
        2: "in the future: more than a day after now",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pump\x00", "NUL"),
        ("pump\ud800", "lone surrogate"),
        ("p" * 61, "longer than 60"),
        ("Bomba nº 1", ""),
    ],
)
def test_a_text_that_cannot_be_kept_is_told_why(text: str, reason: str) -> None:
    assert reason in text_problem(text, 60)
    assert bool(reason) == bool(text_problem(text, 60))


def test_values_of_any_kind_become_the_text_of_a_file() -> None:
    assert [as_text(v) for v in (None, float("nan"), 1.5, 2, NOW, "a")] == [
        "",
        "",
        "1.5",
        "2",
        "2026-03-02T12:00:00+00:00",
        "a",
    ]
