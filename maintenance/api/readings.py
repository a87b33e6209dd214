"""POST /api/v1/readings: the fast door for readings."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import msgspec
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from maintenance.api.bodies import json_body
from maintenance.api.tokens import one_more, points_of
from maintenance.api.told import Told, told_in
from maintenance.choices import ImportDoor
from maintenance.flow import ingest
from maintenance.models import ApiToken, Import

MOST_ERRORS = 1_000
"""Refused rows that an answer names; the record of the import has more of them."""


class Refusal(msgspec.Struct):
    """A refused reading: its place in the list, counted from 1, and what is wrong with it.

    In columns `row` is the place of its instant, counted through all blocks.
    """

    row: int
    field: str
    reason: str


class Answer(msgspec.Struct):
    """What became of the readings. Sent after they are stored: repeating changes nothing.

    accepted = new + duplicate; received = accepted + refused. `errors` names the first 1,000.
    """

    received: int
    accepted: int
    new: int
    duplicate: int
    refused: int
    errors: list[Refusal]
    import_id: int


class RequestRefusal(msgspec.Struct):
    """A request that is refused whole."""

    code: str
    message: str


def take(request: HttpRequest, token: ApiToken, *, now: dt.datetime) -> HttpResponse:
    """Store what a request tells. Raises Problem."""
    with one_more(token):
        told = told_in(json_body(request))
        with transaction.atomic():
            outcome = _stored(token, told, now)
            batch = ingest.take_whole(
                site=token.site, door=ImportDoor.REST, table="readings", outcome=outcome, now=now
            )
    return _answer(outcome, batch)


def _stored(token: ApiToken, told: Told, now: dt.datetime) -> ingest.Outcome:
    finder = ingest.Finder(token.site, now=now, allowed=points_of(token))
    outcome = ingest.take_found(finder.in_columns(told.lines), now=now)
    return replace(outcome, errors=tuple(map(told.place, outcome.errors)))


def _answer(outcome: ingest.Outcome, batch: Import) -> HttpResponse:
    errors = sorted(outcome.errors, key=lambda error: error.row or 0)[:MOST_ERRORS]
    answer = Answer(
        received=outcome.received,
        accepted=outcome.new + outcome.duplicate,
        new=outcome.new,
        duplicate=outcome.duplicate,
        refused=outcome.refused,
        errors=[Refusal(error.row or 0, error.field, error.reason) for error in errors],
        import_id=batch.pk,
    )
    nothing = outcome.received and not answer.accepted
    return HttpResponse(
        msgspec.json.encode(answer),
        content_type="application/json",
        status=422 if nothing else 200,
    )
