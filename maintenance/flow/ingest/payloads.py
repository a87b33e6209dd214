"""Messages of machines into readings: JSON in the few shapes that gateways write.

    {"ts": 1767225600000, "values": {"vibration": 2.4}}     an instant and values by name
    {"ts": 1767225600000, "vibration": 2.4}                 the same, flat
    2.4                                                     one value, named by its topic
    [ … ]                                                   several of these

Whatever bytes come, each reading is told with its instant and value or with why it is none; a
message that holds no reading at all raises Unreadable.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from maintenance.flow.ingest.columns import DAY_US, shown, text_problem
from maintenance.flow.ingest.readings import LONGEST_NAME
from maintenance.instants import to_us

LARGEST_PAYLOAD = 256 * 1024
KEPT_OF_A_LARGER_ONE = 2000
UNTIMED = "untimed"
"""Instead of an instant, where the moment that a message came is not its instant either."""

# In milliseconds, 1973: a smaller count is one of seconds.
_LEAST_MS = 100_000_000_000
_MOST_MS = 100_000_000_000_000


class Unreadable(Exception):
    """A message without a single reading. The text says why, for people."""


@dataclass(frozen=True, slots=True)
class Told:
    """One reading of a message; where `reason` says what is wrong, it is none."""

    name: str
    ts: Any
    given: Any
    at_us: int = 0
    value: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """When a message came, and which instants are still no future; all in microseconds.

    What the broker had retained may be of any age: it needs an instant of its own.
    """

    received_us: int
    now_us: int
    retained: bool = False


def readings_in(payload: bytes, clock: Clock) -> list[Told]:
    """Raises Unreadable."""
    whole = _decoded(payload)
    parts = whole if isinstance(whole, list) else [whole]
    found = [_told(*one, clock) for part in parts for one in _named(part)]
    if not found:
        raise Unreadable(_("holds no value"))
    return list(_told_apart(found))


def written(readings: Iterable[Told]) -> str:
    """Readings as a message that says the same."""
    parts: list[dict[str, Any]] = []
    for one in readings:
        ts = {} if one.ts is None else {"ts": _plain(one.ts)}
        last = parts[-1] if parts else {"values": {one.name: None}}
        if one.name in last["values"] or last != {"values": last["values"], **ts}:
            last = {**ts, "values": {}}
            parts.append(last)
        last["values"][one.name] = _plain(one.given)
    return json.dumps(parts)


def _plain(given: Any) -> Any:
    """What is no number may be nested too deeply to be written."""
    return "…" if isinstance(given, dict | list) else given


def storable_payload(payload: bytes) -> str:
    """A message as text that a database keeps, and that never reads as anything else."""
    if len(payload) > LARGEST_PAYLOAD:
        return storable_payload(payload[:KEPT_OF_A_LARGER_ONE]) + "…"
    return payload.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")


def _decoded(payload: bytes) -> Any:
    if not payload:
        raise Unreadable(_("is empty"))
    try:
        return json.loads(payload.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise Unreadable(_("is not UTF-8: byte %(place)d") % {"place": error.start}) from None
    except RecursionError:
        raise Unreadable(_("is nested too deeply")) from None
    except ValueError as error:
        raise Unreadable(_("is not JSON: %(error)s") % {"error": str(error)[:120]}) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(_("names %(name)s twice") % {"name": shown(twice)})
    return found


def _named(part: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, instant and value as given. What stands beside `values` is no reading."""
    if not isinstance(part, dict):
        yield "", None, part
        return
    ts, values = part.get("ts"), part.get("values")
    if not isinstance(values, dict):
        values = {name: value for name, value in part.items() if name != "ts"}
    for name, value in values.items():
        yield name, ts, value


def _told(name: str, ts: Any, given: Any, clock: Clock) -> Told:
    problem = text_problem(name, LONGEST_NAME)
    if problem:
        return Told(name, ts, given, reason=_("the name %(why)s") % {"why": problem})
    if ts is None and clock.retained:
        reason = _("was retained by the broker: nobody knows how old it is")
        return Told(name, UNTIMED, given, reason=reason)
    at_us, wrong_at = _instant(ts, clock)
    value, wrong_value = _number(given)
    return Told(name, ts, given, at_us, value, wrong_at or wrong_value)


def _told_apart(readings: list[Told]) -> Iterator[Told]:
    """Without instants, several values of one name are all of the moment they came: which holds?"""
    untimed: dict[str, float] = {}
    for one in readings:
        if (
            one.ts is None
            and not one.reason
            and untimed.setdefault(one.name, one.value) != one.value
        ):
            yield replace(one, ts=UNTIMED, reason=_("is a second value without an instant"))
        else:
            yield one


def _instant(ts: Any, clock: Clock) -> tuple[int, str]:
    if ts is None:
        return clock.received_us, ""
    at_us = _microseconds(ts)
    if at_us is None:
        words = {"value": shown(str(ts)[:80])}
        return 0, _("ts %(value)s is no count of milliseconds since 1970") % words
    if at_us > clock.now_us + DAY_US:
        return 0, _("ts is in the future: more than a day after now")
    return at_us, ""


def _microseconds(ts: Any) -> int | None:
    if isinstance(ts, str):
        return _of_text(ts)
    if isinstance(ts, bool) or not isinstance(ts, int | float):
        return None
    return round(ts * 1000) if _LEAST_MS <= ts < _MOST_MS else None


def _of_text(text: str) -> int | None:
    """An instant with its offset from UTC."""
    try:
        at = dt.datetime.fromisoformat(text)
        at_us = to_us(at) if at.tzinfo else -1
    except (ValueError, OverflowError):
        return None
    return at_us if at_us >= 0 else None


def _number(given: Any) -> tuple[float, str]:
    if given is None:
        return 0.0, _("is missing")
    if isinstance(given, bool) or not isinstance(given, int | float):
        return 0.0, _("%(value)s is not a number") % {"value": shown(_short(given))}
    try:
        value = float(given)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        return 0.0, _("is not a finite number")
    return value, ""


def _short(given: Any) -> str:
    return given if isinstance(given, str) else type(given).__name__
