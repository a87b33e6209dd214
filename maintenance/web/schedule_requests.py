"""What the timeline's script sends: JSON bodies, read once, refused by the name of the field."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from maintenance.web.asked import whole


class BadBody(Exception):
    """A body that is not what the page sends, in words for whoever reads the answer."""


@dataclass(frozen=True)
class Change:
    """A change of one work order in a schedule that the reader saw at `revision`."""

    revision: int
    work_order: int

    @classmethod
    def read(cls, body: bytes) -> Self:
        fields = _object(body)
        return cls(revision=_whole(fields, "revision"), work_order=_whole(fields, "work_order"))


@dataclass(frozen=True)
class Pinning(Change):
    pinned: bool

    @classmethod
    def read(cls, body: bytes) -> Self:
        fields = _object(body)
        return cls(
            revision=_whole(fields, "revision"),
            work_order=_whole(fields, "work_order"),
            pinned=_flag(fields, "pinned"),
        )


@dataclass(frozen=True)
class Placing(Change):
    """`start_at` comes as the wall clock of the site."""

    start_at: dt.datetime
    technicians: list[int]
    anyway: bool

    @classmethod
    def read_in(cls, zone: ZoneInfo, body: bytes) -> Self:
        fields = _object(body)
        return cls(
            revision=_whole(fields, "revision"),
            work_order=_whole(fields, "work_order"),
            start_at=_moment(fields, "start", zone),
            technicians=_whole_numbers(fields, "technicians"),
            anyway=_flag(fields, "anyway", default=False),
        )


def read_revision(body: bytes) -> int:
    return _whole(_object(body), "revision")


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(_("The body is not JSON.")) from error
    if not isinstance(fields, dict):
        raise BadBody(_("The body is not a JSON object."))
    return fields


def _whole(fields: dict[str, Any], name: str) -> int:
    return _as_whole(fields.get(name), name)


def _as_whole(value: Any, name: str) -> int:
    number = whole(str(value)) if isinstance(value, str | int) else None
    if number is not None:
        return number
    raise BadBody(_("“%(field)s” is not a whole number.") % {"field": name})


def _whole_numbers(fields: dict[str, Any], name: str) -> list[int]:
    given = fields.get(name)
    if not isinstance(given, list):
        raise BadBody(_("“%(field)s” is not a list.") % {"field": name})
    return list(dict.fromkeys(_as_whole(value, name) for value in given))


def _flag(fields: dict[str, Any], name: str, *, default: bool | None = None) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise BadBody(_("“%(field)s” is neither true nor false.") % {"field": name})
    return value


def _moment(fields: dict[str, Any], name: str, zone: ZoneInfo) -> dt.datetime:
    """The earlier instant where the clock shows the time twice."""
    value = fields.get(name)
    try:
        clock = dt.datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise BadBody(_("“%(field)s” is not a date with a time.") % {"field": name}) from error
    if clock.tzinfo is not None:
        return clock.astimezone(dt.UTC)
    return clock.replace(second=0, microsecond=0, tzinfo=zone).astimezone(dt.UTC)
