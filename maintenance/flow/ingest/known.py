"""What the codes in a row stand for, at one site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from maintenance.flow.ingest.fields import Row
from maintenance.flow.ingest.upsert import Codes
from maintenance.models import (
    Asset,
    AssetClass,
    Component,
    FailureMode,
    FunctionalLocation,
    JobPlan,
    Site,
    Skill,
    SparePart,
    Technician,
    ToolType,
)


def assets(site: Site) -> Codes[int]:
    """By code, or by the name another system gives it."""
    return _by_code_or_external_id(Asset.objects.of_site(site))


def classes(site: Site) -> Codes[int]:
    return _by_code(AssetClass.objects.of_site(site))


def locations(site: Site) -> Codes[int]:
    return _by_code(FunctionalLocation.objects.of_site(site))


def skills(site: Site) -> Codes[int]:
    return _by_code(Skill.objects.of_site(site))


def technicians(site: Site) -> Codes[int]:
    return _by_code_or_external_id(Technician.objects.of_site(site))


def tool_types(site: Site) -> Codes[int]:
    return _by_code(ToolType.objects.of_site(site))


def parts(site: Site) -> Codes[int]:
    return _by_code_or_external_id(SparePart.objects.of_site(site))


def modes_by_class(site: Site) -> dict[int, Codes[int]]:
    return _grouped(FailureMode.objects.of_site(site), "asset_class_id")


def plans_by_class(site: Site) -> dict[int, Codes[int]]:
    return _grouped(JobPlan.objects.of_site(site), "asset_class_id")


def components_by_asset(site: Site) -> dict[int, Codes[int]]:
    return _grouped(Component.objects.of_site(site), "asset_id")


def class_of_assets(site: Site) -> dict[int, int]:
    return dict(Asset.objects.of_site(site).values_list("pk", "asset_class_id"))


def keyed(name: str, codes: Codes[int]) -> Callable[[Row], dict[str, Any]]:
    """Reads a row's values with the key of what the code under a name stands for."""

    def resolve(row: Row) -> dict[str, Any]:
        values = dict(row.values)
        key = codes.find(name, values.pop(name))
        return {**values, f"{name}_id": key}

    return resolve


def _by_code(rows: QuerySet[Any]) -> Codes[int]:
    return Codes(rows.values_list("code", "pk"))


def _by_code_or_external_id(rows: QuerySet[Any]) -> Codes[int]:
    named = rows.values_list("code", "external_id", "pk")
    by_external_id = [(external_id, pk) for _code, external_id, pk in named if external_id]
    return Codes([*by_external_id, *((code, pk) for code, _external_id, pk in named)])


def _grouped(rows: QuerySet[Any], by: str) -> dict[int, Codes[int]]:
    groups: dict[int, list[tuple[str, int]]] = {}
    for group, code, pk in rows.values_list(by, "code", "pk"):
        groups.setdefault(group, []).append((code, pk))
    return {group: Codes(pairs) for group, pairs in groups.items()}
