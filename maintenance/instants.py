"""Instants as the database keeps them and as the cores count them."""

import datetime as dt
from zoneinfo import ZoneInfo

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def to_us(at: dt.datetime) -> int:
    """UTC microseconds since 1970, exactly."""
    return (at - EPOCH) // _MICROSECOND


def from_us(at_us: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=int(at_us))


def local_midnight(at: dt.datetime, zone: ZoneInfo, *, days: int = 0) -> dt.datetime:
    """The start of the local day of `at`, or of the day that many days later."""
    date = local_date(at, zone) + dt.timedelta(days=days)
    return dt.datetime.combine(date, dt.time(), tzinfo=zone).astimezone(dt.UTC)


def local_date(at: dt.datetime, zone: ZoneInfo) -> dt.date:
    return at.astimezone(zone).date()


def days_between(earlier: dt.datetime, later: dt.datetime) -> float:
    return (later - earlier) / dt.timedelta(days=1)
