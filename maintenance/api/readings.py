"""POST /api/v1/readings: the fast door for readings."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from maintenance.access import by_token
from maintenance.api.bodies import json_body
from maintenance.api.tokens import Problem, token_of
from maintenance.choices import ImportDoor, TokenScope
from maintenance.flow import ingest
from maintenance.models import Site

MOST_ROWS = 50_000
# An instant without its offset is refused here: a machine can say which it means.
READING = ingest.Reading(zone=None)


class Reading(msgspec.Struct):
    """One value of one measurement point."""

    asset: str
    point: str
    at: str
    value: float


class Readings(msgspec.Struct):
    readings: list[Reading]


class Refusal(msgspec.Struct):
    """A refused row: its place in the list, counted from 1."""

    row: int
    field: str
    reason: str


class Answer(msgspec.Struct):
    """What became of the rows. Sent after they are stored: repeating a request changes nothing."""

    received: int
    accepted: int
    new: int
    duplicate: int
    errors: list[Refusal]
    import_id: int


class RequestRefusal(msgspec.Struct):
    """A request that is refused whole."""

    code: str
    message: str


@dataclass
class _Rows:
    """Rows of a request: those that are readings, and the errors of those that are none."""

    numbers: list[int] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    errors: list[ingest.RowError] = field(default_factory=list)


# Who calls is told by the token in a header, never by a cookie: there is nothing to forge.
@by_token
@csrf_exempt
@require_POST
def readings(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    try:
        token = token_of(request, (TokenScope.WRITE_READINGS,), now)
        rows = _decoded(json_body(request))
    except Problem as problem:
        return problem.response()
    with transaction.atomic():
        outcome = _taken(token.site, rows, now)
        batch = ingest.take_whole(
            site=token.site, door=ImportDoor.REST, table="readings", outcome=outcome, now=now
        )
    answer = Answer(
        received=outcome.received,
        accepted=outcome.new + outcome.duplicate,
        new=outcome.new,
        duplicate=outcome.duplicate,
        errors=sorted(
            (Refusal(e.row or 0, e.field, e.reason) for e in outcome.errors),
            key=lambda refusal: refusal.row,
        ),
        import_id=batch.pk,
    )
    nothing = outcome.received and not answer.accepted
    return JsonResponse(msgspec.to_builtins(answer), status=422 if nothing else 200)


def _taken(site: Site, rows: _Rows, now: dt.datetime) -> ingest.Outcome:
    refused = ingest.all_refused(rows.errors)
    if not rows.readings:
        return refused
    read = rows.readings
    lines = ingest.ReadingLines(
        rows=rows.numbers,
        assets=pa.array([row.asset for row in read], pa.string()),
        at=pa.array([row.at for row in read], pa.string()),
        signals=[
            ingest.Signal(
                point=pa.array([row.point for row in read], pa.string()),
                values=np.array([row.value for row in read], np.float64),
            )
        ],
        raw=lambda i: msgspec.json.encode(read[i]).decode(),
        reading=READING,
    )
    return ingest.take_readings(site=site, lines=lines, now=now) + refused


def _decoded(body: bytes) -> _Rows:
    """Well-formed rows at once; where some row is not, each by itself."""
    try:
        told = msgspec.json.decode(body, type=Readings).readings
    except msgspec.DecodeError:
        return _one_by_one(_list_in(body))
    _check_count(len(told))
    return _Rows(numbers=list(range(1, len(told) + 1)), readings=told)


def _list_in(body: bytes) -> list[Any]:
    """The list of rows, by a reader that lets values such as NaN through to be named."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(422, "malformed_json", f"The body is not JSON: {error}"[:240]) from None
    found = told.get("readings") if isinstance(told, dict) else None
    if not isinstance(found, list):
        raise Problem(422, "malformed", 'Send {"readings": [{"asset": …, "point": …, …}, …]}.')
    _check_count(len(found))
    return found


def _check_count(count: int) -> None:
    if count > MOST_ROWS:
        raise Problem(413, "too_many_rows", f"Send at most {MOST_ROWS} rows: {count} came.")


def _one_by_one(told: list[Any]) -> _Rows:
    rows = _Rows()
    for number, one in enumerate(told, 1):
        try:
            reading = _reading(one)
        except ingest.Refused as refusal:
            raw = ingest.storable(json.dumps(one, ensure_ascii=False))
            rows.errors.append(ingest.RowError(number, refusal.field, refusal.reason, raw))
            continue
        rows.numbers.append(number)
        rows.readings.append(reading)
    return rows


def _reading(told: Any) -> Reading:
    if not isinstance(told, dict):
        raise ingest.Refused("row", _("is not an object"))
    texts = {}
    for name in ("asset", "point", "at"):
        value = told.get(name)
        if not isinstance(value, str):
            raise ingest.Refused(name, _("is missing") if value is None else _("is not a text"))
        if problem := ingest.text_problem(value, ingest.LONGEST_NAME):
            raise ingest.Refused(name, problem)
        texts[name] = value
    return Reading(**texts, value=_number(told.get("value")))


def _number(value: Any) -> float:
    if value is None:
        raise ingest.Refused("value", _("is missing"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        words = {"value": json.dumps(value)[:60]}
        raise ingest.Refused("value", _("%(value)s is not a number") % words)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not np.isfinite(number):
        raise ingest.Refused("value", _("is not a finite number"))
    return number
