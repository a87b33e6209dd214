"""Rows of any table that can be brought in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from django.db import transaction
from django.utils.translation import gettext as _

from maintenance.flow.ingest import catalogue, events, plans, resources
from maintenance.flow.ingest.columns import PLAIN, Reading
from maintenance.flow.ingest.fields import columns_of, read_rows
from maintenance.flow.ingest.refusals import Outcome, Refused, all_refused
from maintenance.flow.ingest.tables import Table
from maintenance.flow.ingest.upsert import Origin
from maintenance.models import Site

TABLES: Mapping[str, Table] = {
    table.name: table for module in (catalogue, events, resources, plans) for table in module.TABLES
}
"""In the order in which one refers to another."""


def take_columns(
    *,
    site: Site,
    table: Table,
    columns: Mapping[str, pa.StringArray],
    rows: Sequence[int],
    raw: Callable[[int], str],
    source: str,
    now: dt.datetime,
    reading: Reading = PLAIN,
) -> Outcome:
    """Keep rows that stand as columns of text. Bad ones are refused by name, the others kept."""
    read, errors = read_rows(table.fields, columns, rows, raw, reading=reading, now=now)
    with transaction.atomic():
        # One batch of a site at a time: what is new is decided by what is there.
        Site.objects.select_for_update().get(pk=site.pk)
        return all_refused(errors) + table.save(site, read, Origin(source=source, now=now))


def take_rows(
    *,
    site: Site,
    table: str,
    rows: Sequence[Mapping[str, Any]],
    source: str,
    now: dt.datetime,
    reading: Reading = PLAIN,
) -> Outcome:
    """Keep rows of values (text, numbers, instants, None) by field name, numbered from 1."""
    return take_columns(
        site=site,
        table=TABLES[table],
        columns=columns_of(rows),
        rows=range(1, len(rows) + 1),
        raw=lambda i: ", ".join(f"{k}={v}" for k, v in rows[i].items()),
        source=source,
        now=now,
        reading=reading,
    )


def ensure_site(
    *,
    code: str,
    now: dt.datetime,
    name: str = "",
    time_zone: str = "UTC",
    currency: str = "EUR",
) -> Site:
    """The site of that code, made if there is none. Raises Refused on a time zone that is none."""
    if not code or len(code) > 40 or not code.replace("-", "").replace("_", "").isalnum():
        raise Refused("code", _("%(code)r is no code: letters, digits, - and _") % {"code": code})
    site, _made = Site.objects.get_or_create(
        code=code,
        defaults={
            "name": name or code,
            "time_zone": catalogue.check_time_zone(time_zone),
            "currency": catalogue.check_currency(currency),
            "recorded_at": now,
        },
    )
    return site
