"""Columns of text into instants and numbers, whole columns at a time.

Each function gives the values and, for the few that cannot be read, the reason by position.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from maintenance.instants import to_us

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Texts: TypeAlias = "pa.StringArray"
Problems: TypeAlias = dict[int, str]

UTC = ZoneInfo("UTC")
DAY_US = 86_400_000_000
EPOCH_UNITS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
"""Values of `date_format` that stand for counts since 1970: microseconds in one of them."""

_CLOCK = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?"
_WITH_OFFSET = f"^{_CLOCK}(Z|[+-]\\d\\d:?\\d\\d)$"
_LOCAL = f"^({_CLOCK}|\\d{{4}}-\\d\\d-\\d\\d)$"
_FULL = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_FEW = 200
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time: whole days follow the calendar of a zone, the rest the clock."""

    days: int = 0
    us: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source writes instants and numbers. No zone: an instant must have its offset."""

    zone: ZoneInfo | None = UTC
    date_format: str = ""
    decimal_comma: bool = False
    shift: Period = Period()


PLAIN = Reading()


def texts(values: Iterable[Any]) -> Texts:
    """Values of any kind as the text a file would have held."""
    return pa.array([as_text(value) for value in values], pa.string())


def as_text(value: Any) -> str:
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, float) and np.isnan(value):
        return ""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    text = str(value)
    # What no column can hold becomes a NUL, which is refused by name.
    return text if text.isascii() else _LONE_SURROGATE.sub("\x00", text)


def numbers(column: Texts, *, reading: Reading = PLAIN) -> tuple[Floats, Problems]:
    """Finite numbers; 0 where there is a problem."""
    trimmed = pc.utf8_trim_whitespace(column)
    if reading.decimal_comma:
        pointed = pc.match_substring(trimmed, ".")
        swapped = pc.replace_substring(trimmed, ",", ".")
        # A point beside decimal commas parts thousands or is a mistake: nobody can tell which.
        trimmed = pc.if_else(pointed, "?", swapped)
    good = _flags(pc.match_substring_regex(trimmed, _NUMBER))
    values = _floats(pc.if_else(pa.array(good), trimmed, "0").cast(pa.float64()))
    bad = np.flatnonzero(~good | ~np.isfinite(values))
    problems = {int(i): _not_a_number(column[int(i)].as_py(), reading) for i in bad}
    values[bad] = 0.0
    return values, problems


def instants(column: Texts, *, reading: Reading = PLAIN) -> tuple[Ints, Problems]:
    """UTC microseconds; 0 where there is a problem."""
    trimmed = pc.utf8_trim_whitespace(column)
    if reading.date_format in EPOCH_UNITS:
        at_us, problems = _counted(trimmed, EPOCH_UNITS[reading.date_format])
    elif reading.date_format:
        at_us, problems = _declared(trimmed, reading)
    else:
        at_us, problems = _iso(trimmed, reading)
    for i in problems:
        at_us[i] = 0
    return at_us, problems


def counted(counts: Floats, unit_us: int) -> tuple[Ints, Problems]:
    """Counts since 1970 as UTC microseconds; 0 where there is a problem."""
    near = np.abs(counts) < 1e17 / unit_us
    problems = {int(i): _("is out of range") for i in np.flatnonzero(~near)}
    return np.round(np.where(near, counts, 0.0) * unit_us).astype(np.int64), problems


def later(at_us: Ints, period: Period, zone: ZoneInfo) -> Ints:
    """Each instant moved by the period: a day is a day of the zone, be it 23 or 25 hours long."""
    if period.days and zone.key != "UTC":
        local = pd.DatetimeIndex(at_us.astype("datetime64[us]"), tz="UTC").tz_convert(zone)
        moved = local.tz_localize(None) + pd.Timedelta(days=period.days)
        ahead = np.ones(len(at_us), dtype=bool)
        placed = moved.tz_localize(zone, ambiguous=ahead, nonexistent="shift_forward")
        return _us(placed) + period.us
    return at_us + (period.days * DAY_US + period.us)


def from_clock(local_us: Ints, *, reading: Reading) -> tuple[Ints, Problems]:
    """Clock times without an offset as UTC microseconds; 0 where there is a problem."""
    if reading.zone is None:
        shown_us = local_us.astype("datetime64[us]")
        return np.zeros_like(local_us), {i: _no_offset(str(at)) for i, at in enumerate(shown_us)}
    return _placed(local_us, reading.zone, reading.shift, {})


def implausible(at_us: Ints, *, now: dt.datetime) -> Problems:
    """Instants that no plant can mean: long past, or in the future."""
    latest = int(now.timestamp() * 1_000_000) + DAY_US
    problems = {int(i): _("before 1970") for i in np.flatnonzero(at_us < 0)}
    ahead = _("in the future: more than a day after now")
    return problems | {int(i): ahead for i in np.flatnonzero(at_us > latest)}


def text_problem(text: str, longest: int) -> str:
    """Why a text cannot be kept, or nothing."""
    if "\x00" in text:
        return _("contains a NUL character")
    if not text.isascii() and _LONE_SURROGATE.search(text):
        return _("contains half a character (a lone surrogate)")
    if len(text) > longest:
        return _("is longer than %(longest)d characters") % {"longest": longest}
    return ""


def shown(text: str) -> str:
    """A value inside a sentence, cut where it is too long to read."""
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")


def _not_a_number(text: str, reading: Reading) -> str:
    bare = text.strip().lower()
    if not bare:
        return _("is missing")
    if bare.lstrip("+-") in ("nan", "#n/a", "null", "none", "na"):
        return _("%(value)s is no value") % {"value": shown(text)}
    if bare.lstrip("+-") in ("inf", "infinity"):
        return _("%(value)s is infinite") % {"value": shown(text)}
    if reading.decimal_comma and "." in bare:
        return _("%(value)s has a decimal point, where the file declares commas") % {
            "value": shown(text)
        }
    if not reading.decimal_comma and bare.count(",") == 1:
        return _("%(value)s has a comma, and the mapping declares no decimal comma") % {
            "value": shown(text)
        }
    if np.isinf(_float_or_zero(bare.replace(",", "."))):
        return _("%(value)s is too large") % {"value": shown(text)}
    return _("%(value)s is not a number") % {"value": shown(text)}


def _float_or_zero(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _not_an_instant(text: str, expected: str) -> str:
    if not text:
        return _("is missing")
    return _("%(value)s is not a date and time as expected: %(expected)s") % {
        "value": shown(text),
        "expected": expected,
    }


def _no_offset(text: str) -> str:
    words = {"value": shown(text)}
    return _("%(value)s has no offset from UTC: write 2026-01-31T23:59:00Z or …+01:00") % words


def _iso(column: Texts, reading: Reading) -> tuple[Ints, Problems]:
    if len(column) <= _FEW and not reading.shift.us and not reading.shift.days:
        told = _iso_few(column.to_pylist())
        if told is not None:
            return told, {}
    with_offset = _flags(pc.match_substring_regex(column, _WITH_OFFSET))
    local = _flags(pc.match_substring_regex(column, _LOCAL))
    at_us = np.zeros(len(column), np.int64)
    problems = {
        int(i): _not_an_instant(column[int(i)].as_py(), "2026-01-31T23:59:00+01:00")
        for i in np.flatnonzero(~with_offset & ~local)
    }
    if reading.zone is None:
        problems |= {int(i): _no_offset(column[int(i)].as_py()) for i in np.flatnonzero(local)}
        local = np.zeros(len(column), bool)
    for flags, zone in ((with_offset, None), (local, reading.zone)):
        where = np.flatnonzero(flags)
        if len(where):
            part, wrong = _iso_part(column.filter(pa.array(flags)), zone, reading.shift)
            at_us[where] = part
            problems.update({int(where[i]): reason for i, reason in wrong.items()})
    return at_us, problems


def _iso_few(texts: list[str]) -> Ints | None:
    """Some instants that are all as they should be, with their offsets; else nothing.

    A request tells of many points at few instants: compiling patterns would take longer.
    """
    at_us = np.empty(len(texts), np.int64)
    for i, text in enumerate(texts):
        if not _FULL.fullmatch(text):
            return None
        try:
            at_us[i] = to_us(dt.datetime.fromisoformat(text))
        except ValueError:
            return None
    return at_us


def _iso_part(column: Texts, zone: ZoneInfo | None, shift: Period) -> tuple[Ints, Problems]:
    """Texts that are all alike: with an offset (no zone given), or local to the zone."""
    cut = pc.replace_substring_regex(column, r"(\.\d{6})\d+", r"\1")
    kind = pa.timestamp("us", "UTC" if zone is None else None)
    problems: Problems = {}
    try:
        read = cut.cast(kind).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        read, problems = _one_by_one(cut)
    at_us = read.astype("datetime64[us]").astype(np.int64)
    if zone is None:
        return later(at_us, shift, UTC), problems
    return _placed(at_us, zone, shift, problems)


def _one_by_one(column: Texts) -> tuple[NDArray[Any], Problems]:
    """The shape is right, but some value is no instant: a 30th of February, an hour 25."""
    at = np.zeros(len(column), "datetime64[us]")
    problems: Problems = {}
    for i, text in enumerate(column.to_pylist()):
        try:
            instant = dt.datetime.fromisoformat(text)
            if instant.tzinfo is not None:
                instant = instant.astimezone(dt.UTC).replace(tzinfo=None)
            at[i] = np.datetime64(instant, "us")
        except (ValueError, OverflowError):
            problems[i] = _("%(value)s is no date of the calendar") % {"value": shown(text)}
    return at, problems


def _placed(
    local_us: Ints, zone: ZoneInfo, shift: Period, problems: Problems
) -> tuple[Ints, Problems]:
    """Local clock times as instants; an hour that a clock change skips or repeats is refused.

    Days of the shift are added first, on the local calendar, so that a day's mean stamped at its
    start lands on the next local midnight.
    """
    moved = local_us + shift.days * DAY_US
    if zone.key == "UTC":
        return moved + shift.us, problems
    naive = pd.DatetimeIndex(moved.astype("datetime64[us]"))
    at = naive.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    unclear = np.flatnonzero(np.asarray(at.isna()))
    wrong = {int(i): _unclear(naive[int(i)].to_pydatetime(), zone) for i in unclear}
    return _us(at) + shift.us, problems | wrong


def _unclear(local: dt.datetime, zone: ZoneInfo) -> str:
    before = local.replace(tzinfo=zone, fold=0).utcoffset()
    after = local.replace(tzinfo=zone, fold=1).utcoffset()
    words = {"value": local.isoformat(" "), "zone": zone.key}
    if before is not None and after is not None and before < after:
        return _("%(value)s does not exist in %(zone)s: the clocks went forward") % words
    return _("%(value)s happens twice in %(zone)s: the clocks went back; give the offset") % words


def _declared(column: Texts, reading: Reading) -> tuple[Ints, Problems]:
    with_offset = "%z" in reading.date_format
    parsed = pd.to_datetime(
        pd.Series(column.to_pylist(), dtype=object),
        format=reading.date_format,
        errors="coerce",
        exact=True,
        utc=with_offset,
    )
    index = pd.DatetimeIndex(parsed)
    problems = {
        int(i): _not_an_instant(column[int(i)].as_py(), reading.date_format)
        for i in np.flatnonzero(index.isna())
    }
    if with_offset:
        return later(_us(index), reading.shift, UTC), problems
    return _placed(_us(index), reading.zone or UTC, reading.shift, problems)


def _counted(column: Texts, unit_us: int) -> tuple[Ints, Problems]:
    counts, problems = numbers(column)
    at_us, beyond = counted(counts, unit_us)
    return at_us, problems | beyond


def _us(index: pd.DatetimeIndex) -> Ints:
    """Microseconds of each; 0 where there is no instant."""
    utc = index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index
    at = utc.to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(at), 0, at.astype(np.int64))


def _flags(array: Any) -> Flags:
    flags: Flags = array.to_numpy(zero_copy_only=False)
    return flags.astype(bool)


def _floats(array: Any) -> Floats:
    return np.array(array.to_numpy(zero_copy_only=False), np.float64)
