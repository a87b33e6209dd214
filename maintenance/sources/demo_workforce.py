"""A borrowed workforce for a site that has readings and failures, but no people on record.

The technicians and tools are those of the simulated plant; each failure mode without a job plan
gets one, with a spare part of its own. It shows what a schedule would look like, nothing more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from maintenance.choices import ImportDoor
from maintenance.flow import ingest
from maintenance.instants import to_us
from maintenance.models import FailureMode, Site
from maintenance.sources.demo_plant import workforce_tables
from predictors.simulate import PlantConfig, PlantSimulator, gather_resources

SOURCE = "demo-workforce"
SKILLS = ("mechanics", "electrics", "fluids", "precision")
TOOL_EVERY = 2
PART_UNIT_COST = 250
PART_STOCK = 4
DELIVERED_AFTER_DAYS = 6
DELIVERED = 4
SHORTEST_MINUTES, STEP_MINUTES = 120, 60

Rows = list[dict[str, Any]]


def lend(site: Site, *, as_of: dt.datetime, language: str, now: dt.datetime) -> None:
    """Give the site technicians and tools, and job plans where failure modes have none."""
    config = PlantConfig(end_us=to_us(as_of), time_zone=site.time_zone, currency=site.currency)
    resources = gather_resources(config, PlantSimulator(config).assets)
    for table, rows in workforce_tables(resources, language):
        _take(site, table, rows, now=now)
    tools = [row["code"] for row in resources.tool_types.to_dict("records")]
    for table, rows in _plan_tables(site, tools, as_of=as_of):
        _take(site, table, rows, now=now)


def _take(site: Site, table: str, rows: Rows, *, now: dt.datetime) -> None:
    outcome = ingest.take_rows(site=site, table=table, rows=rows, source=SOURCE, now=now)
    ingest.take_whole(site=site, door=ImportDoor.DEMO, table=table, outcome=outcome, now=now)


def _plan_tables(site: Site, tools: list[str], *, as_of: dt.datetime) -> Iterator[tuple[str, Rows]]:
    bare = FailureMode.objects.filter(asset_class__site=site, job_plans=None)
    modes = list(bare.select_related("asset_class"))
    parts = sorted({mode.component_code for mode in modes})
    yield "parts", [_part_row(code) for code in parts]
    yield "deliveries", [_delivery_row(code, as_of) for code in parts]
    yield "job_plans", [_plan_row(mode, number) for number, mode in enumerate(modes)]
    yield "job_plan_roles", [_role_row(mode, number) for number, mode in enumerate(modes)]
    yield (
        "job_plan_tools",
        [
            _in_plan(mode) | {"tool_type": tools[number % len(tools)], "count": 1}
            for number, mode in enumerate(modes)
            if number % TOOL_EVERY == 0
        ],
    )
    yield "job_plan_parts", [_in_plan(m) | {"part": m.component_code, "quantity": 1} for m in modes]


def _in_plan(mode: FailureMode) -> dict[str, Any]:
    return {"asset_class": mode.asset_class.code, "job_plan": _plan_code(mode)}


def _plan_code(mode: FailureMode) -> str:
    return f"renew-{mode.code}"


def _part_row(code: str) -> dict[str, Any]:
    return {"code": code, "name": code, "unit_cost": PART_UNIT_COST, "stock": PART_STOCK}


def _delivery_row(code: str, as_of: dt.datetime) -> dict[str, Any]:
    expected_at = as_of + dt.timedelta(days=DELIVERED_AFTER_DAYS)
    return {"part": code, "expected_at": expected_at, "quantity": DELIVERED}


def _plan_row(mode: FailureMode, number: int) -> dict[str, Any]:
    minutes = SHORTEST_MINUTES + STEP_MINUTES * (number % 4)
    return {
        "asset_class": mode.asset_class.code,
        "code": _plan_code(mode),
        "name": f"Replace {mode.component_code}",
        "failure_mode": mode.code,
        "duration_p50_minutes": minutes,
        "duration_p80_minutes": minutes * 5 // 4,
    }


def _role_row(mode: FailureMode, number: int) -> dict[str, Any]:
    skill = SKILLS[number % len(SKILLS)]
    return _in_plan(mode) | {"skill": skill, "level": 2, "count": 1 + number % 2}
