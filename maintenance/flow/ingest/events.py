"""What happened to assets: error codes, failures, replaced components."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from django.db.models import QuerySet

from maintenance.flow.ingest import known
from maintenance.flow.ingest.fields import Field, Kind, Row
from maintenance.flow.ingest.lives import COMMISSIONING, install
from maintenance.flow.ingest.refusals import Outcome
from maintenance.flow.ingest.tables import Table
from maintenance.flow.ingest.upsert import Codes, Origin, Wanted, resolved, upsert
from maintenance.models import ErrorEvent, Failure, Installation, Site


def save_errors(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, known.keyed("asset", known.assets(site)))
    existing = _around(ErrorEvent.objects.of_site(site), wanted)
    return refused + upsert(existing, ["asset_id", "code", "occurred_at"], wanted, origin=origin)


def save_failures(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    assets, modes = known.assets(site), known.modes_by_class(site)
    class_of = known.class_of_assets(site)

    def resolve(row: Row) -> dict[str, Any]:
        values = dict(row.values)
        asset = assets.find("asset", values.pop("asset"))
        of_class = modes.get(class_of[asset], Codes([]))
        mode = of_class.find("failure_mode", values.pop("failure_mode"))
        return {**values, "asset_id": asset, "failure_mode_id": mode}

    wanted, refused = resolved(rows, resolve)
    existing = _around(Failure.objects.of_site(site), wanted)
    keys = ["asset_id", "failure_mode_id", "occurred_at"]
    return refused + upsert(existing, keys, wanted, origin=origin)


def _around(events: QuerySet[Any], wanted: list[Wanted]) -> QuerySet[Any]:
    """Only the events of the same stretch of time: the table may be long."""
    instants = [one.values["occurred_at"] for one in wanted]
    if not instants:
        return events.none()
    return events.filter(occurred_at__gte=min(instants), occurred_at__lte=max(instants))


def save_replacements(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    """Each closes the life of the item that was there and opens the next one's."""
    assets, components = known.assets(site), known.components_by_asset(site)

    def resolve(row: Row) -> dict[str, Any]:
        asset = assets.find("asset", row.values["asset"])
        of_asset = components.get(asset, Codes([]))
        component = of_asset.find("component", row.values["component"])
        return {"component_id": component, "installed_at": row.values["replaced_at"]}

    wanted, refused = resolved(rows, resolve)
    begun = set(
        Installation.objects.of_site(site)
        .exclude(source=COMMISSIONING)
        .values_list("component_id", "installed_at")
    )
    starts: dict[int, list[dt.datetime]] = defaultdict(list)
    duplicate = 0
    for one in wanted:
        key = (one.values["component_id"], one.values["installed_at"])
        if key in begun:
            duplicate += 1
            continue
        begun.add(key)
        starts[key[0]].append(key[1])
    install(starts, now=origin.now)
    new = len(wanted) - duplicate
    return refused + Outcome(received=len(wanted), new=new, duplicate=duplicate)


_ASSET = Field("asset", "code or external id of the asset", "P-101", key=True)

TABLES = (
    Table(
        "replacements",
        "components that were replaced: a new life starts",
        (
            _ASSET,
            Field("component", "code of the component", "bearing", key=True, longest=60),
            Field(
                "replaced_at",
                "when the new one was in place",
                "2025-06-01T10:30",
                kind=Kind.INSTANT,
                key=True,
                past=True,
            ),
        ),
        save_replacements,
    ),
    Table(
        "errors",
        "error codes that controllers reported",
        (
            _ASSET,
            Field("code", "the error code", "E42", key=True, longest=60),
            Field(
                "occurred_at",
                "when it was reported",
                "2025-06-01T09:12",
                kind=Kind.INSTANT,
                key=True,
                past=True,
            ),
        ),
        save_errors,
        by_blocks=True,
    ),
    Table(
        "failures",
        "failures: the asset stopped doing its work",
        (
            _ASSET,
            Field("failure_mode", "code of the failure mode", "bearing", key=True, longest=60),
            Field(
                "occurred_at",
                "when it failed",
                "2025-06-01T09:30",
                kind=Kind.INSTANT,
                key=True,
                past=True,
            ),
        ),
        save_failures,
        by_blocks=True,
    ),
)
