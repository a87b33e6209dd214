"""What is maintained: the site, its locations, classes, failure modes, assets and points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from django.db.models import F
from django.utils.translation import gettext as _

from maintenance.choices import Criticality
from maintenance.flow.ingest import known
from maintenance.flow.ingest.fields import ATTRIBUTES, Field, Kind, Row
from maintenance.flow.ingest.lives import COMMISSIONING, ensure_components, install
from maintenance.flow.ingest.refusals import Outcome, Refused, RowError, all_refused
from maintenance.flow.ingest.tables import Table
from maintenance.flow.ingest.upsert import Codes, Origin, Wanted, named_by_code, resolved, upsert
from maintenance.models import (
    AccessWindow,
    Asset,
    AssetClass,
    Component,
    FailureMode,
    FunctionalLocation,
    Installation,
    MeasurementPoint,
    Site,
)

Resolve: TypeAlias = Callable[[Row], dict[str, Any]]
Resolved: TypeAlias = tuple[list[Wanted], Outcome]

EXTERNAL_ID = Field("external_id", "its name in the system it comes from", "EQ-1001")


def save_site(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, lambda row: _site(site, row))
    existing = Site.objects.filter(pk=site.pk)
    return refused + upsert(existing, ["code"], wanted, origin=origin)


def _site(site: Site, row: Row) -> dict[str, Any]:
    values = dict(row.values)
    if values["code"] != site.code:
        raise Refused("code", _("these data are for the site %(code)s") % {"code": site.code})
    if "time_zone" in values:
        check_time_zone(values["time_zone"])
    if "currency" in values:
        values["currency"] = check_currency(values["currency"])
    return values


def check_time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        reason = _("%(name)r is no time zone such as Europe/Madrid") % {"name": name[:60]}
        raise Refused("time_zone", reason) from None


def check_currency(code: str) -> str:
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        reason = _("%(code)r is no currency such as EUR") % {"code": code[:20]}
        raise Refused("currency", reason)
    return code.upper()


def save_locations(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    return _save_tree(FunctionalLocation, site, rows, origin, lambda row: dict(row.values), ())


def save_classes(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, lambda row: {"site_id": site.pk, **row.values})
    return refused + upsert(
        AssetClass.objects.of_site(site),
        ["site_id", "code"],
        wanted,
        origin=origin,
        defaults=named_by_code,
    )


def save_failure_modes(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    classes = known.classes(site)

    def resolve(row: Row) -> dict[str, Any]:
        values = dict(row.values)
        values["asset_class_id"] = classes.find("asset_class", values.pop("asset_class"))
        if "component" in values:
            values["component_code"] = values.pop("component")
        return values

    wanted, refused = resolved(rows, resolve)
    outcome = upsert(
        FailureMode.objects.of_site(site),
        ["asset_class_id", "code"],
        wanted,
        origin=origin,
        defaults=lambda values: {"name": values["code"], "component_code": values["code"]},
    )
    ensure_components(site=site, now=origin.now)
    return refused + outcome


def save_assets(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    classes, locations = known.classes(site), known.locations(site)
    attributes = dict(Asset.objects.of_site(site).values_list("code", "attributes"))

    def resolve(row: Row) -> dict[str, Any]:
        told_of = {k: v for k, v in row.values.items() if k.startswith(ATTRIBUTES)}
        values = {k: v for k, v in row.values.items() if k not in told_of}
        if "asset_class" in values:
            values["asset_class_id"] = classes.find("asset_class", values.pop("asset_class"))
        if "location" in values:
            values["location_id"] = locations.find("location", values.pop("location"))
        if told_of:
            named = {k.removeprefix(ATTRIBUTES): v for k, v in told_of.items()}
            values["attributes"] = {**attributes.get(values["code"], {}), **named}
        return values

    needed = ["asset_class_id", "commissioned_at"]
    outcome = _save_tree(Asset, site, rows, origin, resolve, needed)
    ensure_components(site=site, now=origin.now)
    _follow_commissioning(site, origin)
    return outcome


def _follow_commissioning(site: Site, origin: Origin) -> None:
    """A corrected date of commissioning moves the start of the first lives."""
    begun = Installation.objects.of_site(site).filter(source=COMMISSIONING)
    moved = begun.exclude(installed_at=F("component__asset__commissioned_at"))
    components = list(moved.values_list("component_id", flat=True))
    if components:
        install(dict.fromkeys(components, ()), now=origin.now)


def save_components(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, known.keyed("asset", known.assets(site)))
    existing = Component.objects.of_site(site)
    keys = ["asset_id", "code"]
    outcome = upsert(existing, keys, wanted, origin=origin, defaults=named_by_code)
    ensure_components(site=site, now=origin.now)
    return refused + outcome


def save_points(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, known.keyed("asset", known.assets(site)))
    existing = MeasurementPoint.objects.of_site(site)
    keys = ["asset_id", "code"]
    return refused + upsert(existing, keys, wanted, origin=origin, defaults=named_by_code)


def save_windows(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    wanted, refused = resolved(rows, known.keyed("asset", known.assets(site)))
    existing = AccessWindow.objects.of_site(site)
    keys = ["asset_id", "starts_at"]
    return refused + upsert(existing, keys, wanted, origin=origin, needed=["ends_at"])


def _save_tree(
    model: Any, site: Site, rows: list[Row], origin: Origin, resolve: Resolve, needed: Sequence[str]
) -> Outcome:
    """Parents before children, in whatever order the rows stand."""
    outcome = Outcome()
    waiting = rows
    while waiting:
        tree = _Tree.of(model, site)
        ready = [row for row in waiting if tree.knows_parent_of(row)]
        if not ready:
            return outcome + all_refused(tree.orphan(row) for row in waiting)
        waiting = [row for row in waiting if not tree.knows_parent_of(row)]
        wanted, refused = tree.resolved(ready, site, resolve)
        outcome += refused + upsert(
            model.objects.of_site(site),
            ["site_id", "code"],
            wanted,
            origin=origin,
            needed=needed,
            defaults=lambda values: {} if model is Asset else named_by_code(values),
        )
    return outcome


@dataclass(frozen=True)
class _Tree:
    """The rows of a tree that are known so far, and which stands above which."""

    codes: Codes[int]
    above: dict[int, int | None]

    @classmethod
    def of(cls, model: Any, site: Site) -> _Tree:
        codes = known.assets(site) if model is Asset else known.locations(site)
        return cls(codes, dict(model.objects.of_site(site).values_list("pk", "parent_id")))

    def knows_parent_of(self, row: Row) -> bool:
        return "parent" not in row.values or self.codes.get(row.values["parent"]) is not None

    def orphan(self, row: Row) -> RowError:
        return row.error("parent", self.codes.unknown(row.values["parent"]))

    def resolved(self, rows: list[Row], site: Site, resolve: Resolve) -> Resolved:
        return resolved(rows, lambda row: {"site_id": site.pk, **self._placed(row, resolve(row))})

    def _placed(self, row: Row, values: dict[str, Any]) -> dict[str, Any]:
        if "parent" in values:
            parent = self.codes.find("parent", values.pop("parent"))
            if self.codes.get(row.values["code"]) in _line_up(parent, self.above):
                raise Refused("parent", _("would stand below itself"))
            values["parent_id"] = parent
        return values


def _line_up(start: int, above: dict[int, int | None]) -> set[int]:
    line: set[int] = set()
    here: int | None = start
    while here is not None and here not in line:
        line.add(here)
        here = above.get(here)
    return line


def _code(help_text: str, example: str) -> Field:
    return Field("code", help_text, example, key=True, longest=60)


_ASSET = Field("asset", "code or external id of the asset", "P-101", key=True)
_CLASS = Field("asset_class", "code of the class", "pump", key=True)

TABLES = (
    Table(
        "sites",
        "the plant itself",
        (
            Field("code", "short name of the plant", "plant", key=True, longest=40),
            Field("name", "name of the plant", "Plant North"),
            Field("time_zone", "where its clocks stand", "Europe/Madrid", longest=64),
            Field("currency", "of all amounts", "EUR", longest=3),
            Field("hourly_rate", "standard labour rate", "42", kind=Kind.MONEY),
        ),
        save_site,
    ),
    Table(
        "functional_locations",
        "where assets work: a tree",
        (
            _code("code of the location", "L1"),
            Field("name", "its name", "Line 1"),
            Field("parent", "code of the location above", "", longest=60),
            EXTERNAL_ID,
        ),
        save_locations,
    ),
    Table(
        "asset_classes",
        "kinds of assets that fail alike",
        (_code("code of the class", "pump"), Field("name", "its name", "Pump")),
        save_classes,
    ),
    Table(
        "failure_modes",
        "how assets of a class fail, and what a failure costs",
        (
            _CLASS,
            _code("code of the failure mode", "bearing"),
            Field("name", "its name", "Bearing worn"),
            Field("component", "the component it happens to", "bearing", longest=60),
            Field("effect", "what people notice", "Noise, heat", longest=240),
            Field("repair_cost", "parts and labour after a failure", "900", kind=Kind.MONEY),
            Field("downtime_hours", "hours it stops", "8", kind=Kind.MONEY, most=99_999),
            Field("downtime_hourly_cost", "cost of an hour's stop", "350", kind=Kind.MONEY),
            Field("secondary_cost", "damage beside it", "0", kind=Kind.MONEY),
            Field("safety_cost", "safety and environment", "0", kind=Kind.MONEY),
            Field("expert_mtbf_days", "expected life", "700", kind=Kind.NUMBER, least=0.01),
        ),
        save_failure_modes,
    ),
    Table(
        "assets",
        "the machines; further columns attributes.NAME hold numbers",
        (
            _code("code on the machine", "P-101"),
            Field("name", "its name", "Feed pump"),
            Field("asset_class", "code of its class", "pump", needed=True, longest=60),
            Field("location", "code of its location", "L1", longest=60),
            Field("parent", "code of the asset it is part of", "", longest=60),
            Field("serial", "serial number", "SN-9", longest=80),
            Field(
                "criticality",
                "A stops the plant, B slows it, C can wait",
                "A",
                kind=Kind.CHOICE,
                choices=Criticality.values,
            ),
            Field(
                "commissioned_at",
                "when it began to work",
                "2021-03-01",
                kind=Kind.INSTANT,
                needed=True,
                past=True,
            ),
            Field("retired_at", "when it stopped for good", "", kind=Kind.INSTANT),
            EXTERNAL_ID,
        ),
        save_assets,
    ),
    Table(
        "components",
        "names of the replaceable parts of an asset; each failure mode's is made by itself",
        (
            _ASSET,
            _code("code of the component", "bearing"),
            Field("name", "its name", "Bearing, drive end"),
        ),
        save_components,
    ),
    Table(
        "points",
        "what is measured on an asset",
        (
            _ASSET,
            _code("code of the point, alike across a class", "vibration"),
            Field("name", "its name", "Vibration"),
            Field("unit", "unit of its values", "mm/s", longest=24),
            Field("plausible_min", "lowest plausible value", "0", kind=Kind.NUMBER),
            Field("plausible_max", "highest plausible value", "50", kind=Kind.NUMBER),
            Field(
                "sampling_seconds",
                "seconds between readings",
                "3600",
                kind=Kind.WHOLE,
                least=1,
            ),
            EXTERNAL_ID,
        ),
        save_points,
    ),
    Table(
        "access_windows",
        "when an asset may be stopped; one without windows may be stopped at any time",
        (
            _ASSET,
            Field("starts_at", "when it may stop", "2026-01-31T22:00", kind=Kind.INSTANT, key=True),
            Field(
                "ends_at", "when it must run", "2026-02-01T06:00", kind=Kind.INSTANT, needed=True
            ),
            Field("price_per_hour", "price of an hour's stop", "0", kind=Kind.MONEY),
        ),
        save_windows,
    ),
)
