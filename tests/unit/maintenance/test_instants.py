"""Instants: exact microseconds, and days as the plant's clocks have them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from maintenance.instants import days_between, from_us, local_midnight, to_us

MADRID = ZoneInfo("Europe/Madrid")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "at",
    [utc("1969-12-31T23:59:59.999999"), utc("1970-01-01"), utc("2026-03-02T05:06:07.000001")],
)
def test_microseconds_lead_back_to_the_same_instant(at):
    assert from_us(to_us(at)) == at


def test_an_instant_is_the_same_in_every_time_zone():
    at = dt.datetime(2026, 7, 1, 12, tzinfo=MADRID)
    assert to_us(at) == to_us(at.astimezone(dt.UTC))


def test_the_day_starts_at_local_midnight():
    assert local_midnight(utc("2026-03-01T23:30"), MADRID) == utc("2026-03-01T23:00")
    assert local_midnight(utc("2026-03-01T22:30"), MADRID) == utc("2026-02-28T23:00")


@pytest.mark.parametrize(
    ("at", "hours"), [("2026-03-29T10:00", 23), ("2026-10-25T10:00", 25), ("2026-06-01T10:00", 24)]
)
def test_the_day_on_which_the_clocks_change_is_shorter_or_longer(at, hours):
    start = local_midnight(utc(at), MADRID)
    end = local_midnight(utc(at), MADRID, days=1)
    assert end - start == dt.timedelta(hours=hours)


def test_days_between_count_parts_of_days():
    assert days_between(utc("2026-03-01"), utc("2026-03-02T12:00")) == 1.5
