"""How work is done: job plans with the people, tools and parts they need."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from maintenance.flow.ingest import known
from maintenance.flow.ingest.fields import Field, Kind, Row
from maintenance.flow.ingest.refusals import Outcome, Refused
from maintenance.flow.ingest.tables import Table
from maintenance.flow.ingest.upsert import Codes, Origin, resolved, upsert
from maintenance.models import JobPlan, JobPlanPart, JobPlanRole, JobPlanTool, Site


def save_plans(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    classes, modes = known.classes(site), known.modes_by_class(site)

    def resolve(row: Row) -> dict[str, Any]:
        values = dict(row.values)
        asset_class = classes.find("asset_class", values.pop("asset_class"))
        if "failure_mode" in values:
            of_class = modes.get(asset_class, Codes([]))
            values["failure_mode_id"] = of_class.find("failure_mode", values.pop("failure_mode"))
        _check_durations(values)
        return {**values, "asset_class_id": asset_class}

    wanted, refused = resolved(rows, resolve)
    return refused + upsert(
        JobPlan.objects.of_site(site),
        ["asset_class_id", "code"],
        wanted,
        origin=origin,
        needed=["duration_p50_minutes"],
        defaults=lambda values: {
            "name": values["code"],
            "duration_p80_minutes": values["duration_p50_minutes"],
        },
    )


def _check_durations(values: dict[str, Any]) -> None:
    usual = values.get("duration_p50_minutes")
    long = values.get("duration_p80_minutes")
    if usual is not None and long is not None and long < usual:
        raise Refused("duration_p80_minutes", _("is shorter than the usual duration"))


def save_roles(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    keys = ["job_plan_id", "skill_id", "level"]
    return _save_need(JobPlanRole, site, rows, origin, "skill", known.skills(site), keys)


def save_tools(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    keys = ["job_plan_id", "tool_type_id"]
    return _save_need(JobPlanTool, site, rows, origin, "tool_type", known.tool_types(site), keys)


def save_parts(site: Site, rows: list[Row], origin: Origin) -> Outcome:
    keys = ["job_plan_id", "part_id"]
    return _save_need(JobPlanPart, site, rows, origin, "part", known.parts(site), keys)


def _save_need(
    model: Any,
    site: Site,
    rows: list[Row],
    origin: Origin,
    name: str,
    codes: Codes[int],
    keys: list[str],
) -> Outcome:
    classes, plans = known.classes(site), known.plans_by_class(site)

    def resolve(row: Row) -> dict[str, Any]:
        values = dict(row.values)
        asset_class = classes.find("asset_class", values.pop("asset_class"))
        of_class = plans.get(asset_class, Codes([]))
        plan = of_class.find("job_plan", values.pop("job_plan"))
        need = {"job_plan_id": plan, f"{name}_id": codes.find(name, values.pop(name))}
        level = {"level": 1} if "level" in keys and "level" not in values else {}
        return {**values, **need, **level}

    wanted, refused = resolved(rows, resolve)
    return refused + upsert(model.objects.of_site(site), keys, wanted, origin=origin)


_CLASS = Field("asset_class", "code of the class", "pump", key=True)
_PLAN = Field("job_plan", "code of the job plan", "replace-bearing", key=True)

TABLES = (
    Table(
        "job_plans",
        "how a kind of work is done",
        (
            _CLASS,
            Field("code", "code of the job plan", "replace-bearing", key=True, longest=60),
            Field("name", "its name", "Replace the bearing"),
            Field("failure_mode", "the failure mode it prevents", "bearing", longest=60),
            Field(
                "tasks",
                "what is done, parted by |",
                "Lock out|Replace the bearing|Test run",
                kind=Kind.LIST,
                longest=2000,
            ),
            Field(
                "duration_p50_minutes",
                "usual duration",
                "180",
                kind=Kind.WHOLE,
                least=1,
                most=100_000,
                needed=True,
            ),
            Field(
                "duration_p80_minutes",
                "duration that 4 of 5 stay within",
                "240",
                kind=Kind.WHOLE,
                least=1,
                most=100_000,
            ),
        ),
        save_plans,
    ),
    Table(
        "job_plan_roles",
        "people a job plan needs",
        (
            _CLASS,
            _PLAN,
            Field("skill", "code of the skill", "mechanical", key=True),
            Field("level", "level at least", "2", kind=Kind.WHOLE, least=1, most=3),
            Field("count", "how many people", "1", kind=Kind.WHOLE, least=1, most=12),
        ),
        save_roles,
    ),
    Table(
        "job_plan_tools",
        "tools a job plan needs",
        (
            _CLASS,
            _PLAN,
            Field("tool_type", "code of the kind of tool", "puller", key=True),
            Field("count", "how many", "1", kind=Kind.WHOLE, least=1, most=100),
        ),
        save_tools,
    ),
    Table(
        "job_plan_parts",
        "spare parts a job plan needs",
        (
            _CLASS,
            _PLAN,
            Field("part", "code of the part", "6205", key=True),
            Field("quantity", "how many", "1", kind=Kind.WHOLE, least=1, most=10_000),
        ),
        save_parts,
    ),
)
