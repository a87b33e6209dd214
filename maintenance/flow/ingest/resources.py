"""Who and what the work needs: people, their skills and hours, tools, spare parts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from maintenance.choices import StockMove
from maintenance.flow.ingest import known
from maintenance.flow.ingest.fields import Field, Kind, Row
from maintenance.flow.ingest.refusals import Outcome, Refused
from maintenance.flow.ingest.tables import Table
from maintenance.flow.ingest.upsert import Codes, Origin, named_by_code, resolved, upsert
from maintenance.models import (
    Absence,
    Delivery,
    Shift,
    Site,
    Skill,
    SparePart,
    StockEntry,
    Technician,
    TechnicianSkill,
    Tool,
    ToolType,
    User,
)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def save_skills(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    return _save_named(Skill, site, rows, origin)


def save_technicians(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    return _save_named(Technician, site, rows, origin)


def save_tool_types(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    return _save_named(ToolType, site, rows, origin)


def save_parts(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    """A stock that is told was counted: the ledger takes the difference."""
    told = {row.values["code"] for row in rows}
    # Nobody takes a part from the store between the count and its line in the ledger.
    parts = SparePart.objects.of_site(site).filter(code__in=told)
    list(parts.select_for_update().order_by("pk"))
    outcome = _save_named(SparePart, site, rows, origin)
    count_stock(parts, now=origin.now, source=origin.source)
    return outcome


def count_stock(
    parts: models.QuerySet[SparePart],
    *,
    now: dt.datetime,
    source: str = "",
    by: User | None = None,
) -> None:
    """Make the stock of the parts the sum of their ledger's lines again, by a line each."""
    summed = parts.order_by().annotate(known=Coalesce(models.Sum("entries__quantity"), 0))
    StockEntry.objects.bulk_create(
        StockEntry(
            part=part,
            kind=StockMove.COUNT,
            quantity=part.stock - part.known,
            at=now,
            by=by,
            source=source,
            recorded_at=now,
        )
        for part in summed.exclude(stock=models.F("known"))
    )


def _save_named(model: Any, site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, lambda row: {"site_id": site.pk, **row.values})
    return refused + upsert(
        model.objects.of_site(site),
        ["site_id", "code"],
        wanted,
        origin=origin,
        defaults=named_by_code,
    )


def save_technician_skills(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    """A skill that nobody had until now is a new skill of the site."""
    _make_named(Skill, site, (row.values["skill"] for row in rows), origin)
    skills = known.skills(site)

    def more(values: dict[str, Any]) -> dict[str, Any]:
        return values | {"skill_id": skills.find("skill", values.pop("skill"))}

    keys = ["technician_id", "skill_id"]
    return _save_of_technician(TechnicianSkill, site, rows, origin, keys, more)


def save_shifts(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    def more(values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "weekday": WEEKDAYS.index(values["weekday"])}

    keys = ["technician_id", "weekday", "starts"]
    return _save_of_technician(Shift, site, rows, origin, keys, more)


def save_absences(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    keys = ["technician_id", "starts_at"]
    return _save_of_technician(Absence, site, rows, origin, keys, _in_order)


def _in_order(values: dict[str, Any]) -> dict[str, Any]:
    if "ends_at" in values and values["ends_at"] <= values["starts_at"]:
        raise Refused("ends_at", _("is not after the start"))
    return values


def _save_of_technician(
    model: Any,
    site: Site,
    rows: list[Row],
    origin: Origin,
    keys: list[str],
    more: Callable[[dict[str, Any]], dict[str, Any]],
) -> Outcome:
    technicians = known.technicians(site)

    def resolve(row: Row) -> dict[str, Any]:
        values = dict(row.values)
        technician = technicians.find("technician", values.pop("technician"))
        return more({**values, "technician_id": technician})

    wanted, refused = resolved(rows, resolve)
    needed = {TechnicianSkill: [], Shift: ["ends"], Absence: ["ends_at"]}[model]
    existing = model.objects.of_site(site)
    return refused + upsert(existing, keys, wanted, origin=origin, needed=needed)


def save_tools(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    """A tool of an unknown type makes the type known."""
    _make_named(ToolType, site, (row.values["tool_type"] for row in rows), origin)
    wanted, refused = resolved(rows, known.keyed("tool_type", known.tool_types(site)))
    existing = Tool.objects.of_site(site)
    return refused + upsert(existing, ["tool_type_id", "code"], wanted, origin=origin)


def save_deliveries(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, known.keyed("part", known.parts(site)))
    existing = Delivery.objects.of_site(site)
    keys = ["part_id", "expected_at"]
    return refused + upsert(existing, keys, wanted, origin=origin, needed=["quantity"])


def _make_named(model: Any, site: Site, codes: Iterable[str], origin: Origin) -> None:
    have: Codes[int] = Codes(model.objects.of_site(site).values_list("code", "pk"))
    missing = sorted({code for code in codes if have.get(code) is None})
    model.objects.bulk_create(
        [model(site=site, code=code, name=code, recorded_at=origin.now) for code in missing]
    )


_EXTERNAL_ID = Field("external_id", "its name in the system it comes from", "")
_TECHNICIAN = Field("technician", "code of the technician", "ana", key=True)


def _code(help_text: str, example: str) -> Field:
    return Field("code", help_text, example, key=True, longest=60)


TABLES = (
    Table(
        "skills",
        "names of skills; one that a technician has is made by itself",
        (_code("code of the skill", "mechanical"), Field("name", "its name", "Mechanical")),
        save_skills,
    ),
    Table(
        "technicians",
        "people who do the work",
        (
            _code("code of the technician", "ana"),
            Field("name", "the name", "Ana Ruiz"),
            Field("hourly_rate", "cost of an hour", "42", kind=Kind.MONEY, most=9_999_999),
            Field("left_on", "last day in the team", "", kind=Kind.DATE),
            _EXTERNAL_ID,
        ),
        save_technicians,
    ),
    Table(
        "technician_skills",
        "who can do what",
        (
            _TECHNICIAN,
            Field("skill", "code of the skill", "mechanical", key=True, longest=60),
            Field(
                "level",
                "1 trainee, 2 skilled, 3 expert",
                "2",
                kind=Kind.WHOLE,
                least=1,
                most=3,
            ),
            Field("valid_until", "last day of the certificate", "", kind=Kind.DATE),
        ),
        save_technician_skills,
    ),
    Table(
        "shifts",
        "who works when; an end not after the start is on the next day",
        (
            _TECHNICIAN,
            Field(
                "weekday",
                "day of the week",
                "monday",
                kind=Kind.CHOICE,
                choices=WEEKDAYS,
                key=True,
            ),
            Field("starts", "start, in the plant's time", "07:00", kind=Kind.TIME, key=True),
            Field("ends", "end", "15:00", kind=Kind.TIME, needed=True),
        ),
        save_shifts,
    ),
    Table(
        "absences",
        "who is away when",
        (
            _TECHNICIAN,
            Field("starts_at", "first instant", "2026-08-03", kind=Kind.INSTANT, key=True),
            Field("ends_at", "instant of return", "2026-08-17", kind=Kind.INSTANT, needed=True),
            Field("reason", "why", "Holiday"),
        ),
        save_absences,
    ),
    Table(
        "tool_types",
        "names of kinds of tools; one that a tool has is made by itself",
        (_code("code of the kind", "puller"), Field("name", "its name", "Bearing puller")),
        save_tool_types,
    ),
    Table(
        "tools",
        "each tool there is",
        (
            Field("tool_type", "code of its kind", "puller", key=True, longest=60),
            _code("code on the tool", "puller-1"),
            Field("calibration_due_on", "last day it may be used", "", kind=Kind.DATE),
        ),
        save_tools,
    ),
    Table(
        "parts",
        "spare parts and how many there are",
        (
            _code("code of the part", "6205"),
            Field("name", "its name", "Bearing 6205"),
            Field("unit_cost", "cost of one", "38.50", kind=Kind.MONEY),
            Field("lead_time_days", "days from order to arrival", "10", kind=Kind.WHOLE, most=3650),
            Field("stock", "how many are in stock", "4", kind=Kind.WHOLE),
            _EXTERNAL_ID,
        ),
        save_parts,
    ),
    Table(
        "deliveries",
        "spare parts on their way",
        (
            Field("part", "code of the part", "6205", key=True),
            Field("expected_at", "when they come", "2026-02-10", kind=Kind.INSTANT, key=True),
            Field("quantity", "how many", "2", kind=Kind.WHOLE, least=1, needed=True),
            Field("received_at", "when they came", "", kind=Kind.INSTANT, past=True),
            _EXTERNAL_ID,
        ),
        save_deliveries,
    ),
)
