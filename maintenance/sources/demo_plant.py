"""The simulated plant as rows of the tables that any plant fills, through the same door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from maintenance.choices import ImportDoor
from maintenance.flow import ingest
from maintenance.instants import from_us
from maintenance.models import Site
from predictors.simulate import Observed, Plant, Register, Resources

SOURCE = "demo"

Rows = list[dict[str, Any]]


def feed(plant: Plant, *, language: str, now: dt.datetime) -> Site:
    """Create the site and take in all that is known of the plant; names in one language."""
    told = plant.register.sites.iloc[0]
    site = ingest.ensure_site(
        code=told["code"],
        name=told[f"name_{language}"],
        time_zone=told["time_zone"],
        currency=told["currency"],
        now=now,
    )
    for table, rows in _tables(plant, language):
        outcome = ingest.take_rows(site=site, table=table, rows=rows, source=SOURCE, now=now)
        ingest.take_whole(site=site, door=ImportDoor.DEMO, table=table, outcome=outcome, now=now)
    take_measured(site, plant, plant.history, now=now)
    return site


def take_measured(site: Site, plant: Plant, observed: Observed, *, now: dt.datetime) -> None:
    """The readings of a window."""
    series = list(_series(plant.register, observed.readings))
    outcome = ingest.take_series(site=site, series=series, now=now)
    ingest.take_whole(site=site, door=ImportDoor.DEMO, table="readings", outcome=outcome, now=now)


def error_rows(observed: Observed) -> Rows:
    """The error codes of a window."""
    return _rows(observed.error_events, asset="asset", code="code", occurred_at=("at_us", from_us))


def _tables(plant: Plant, language: str) -> Iterator[tuple[str, Rows]]:
    """Each table after those it refers to."""
    yield from _register_tables(plant, language)
    yield from _history_tables(plant)
    yield from _resource_tables(plant, language)
    yield from _plan_tables(plant, language)


def _register_tables(plant: Plant, language: str) -> Iterator[tuple[str, Rows]]:
    register, name = plant.register, f"name_{language}"
    yield "functional_locations", _rows(register.locations, code="code", parent="parent", name=name)
    yield "asset_classes", _rows(register.asset_classes, code="code", name=name)
    yield (
        "failure_modes",
        _rows(
            register.failure_modes,
            asset_class="asset_class",
            code="code",
            name=name,
            component="component",
            effect=f"effect_{language}",
            repair_cost="repair_cost",
            downtime_hours="downtime_hours",
            downtime_hourly_cost="downtime_rate",
            secondary_cost="secondary_cost",
            safety_cost="safety_cost",
            expert_mtbf_days="expert_mtbf_days",
        ),
    )
    yield "assets", [_asset_row(row, language) for _, row in register.assets.iterrows()]
    yield "components", _rows(register.components, asset="asset", code="component", name=name)
    yield "points", [_point_row(row, language) for _, row in register.points.iterrows()]


def _asset_row(row: pd.Series[Any], language: str) -> dict[str, Any]:
    return {
        "code": row["code"],
        "asset_class": row["asset_class"],
        "location": row["location"],
        "name": row[f"name_{language}"],
        "serial": row["serial"],
        "criticality": row["criticality"],
        "commissioned_at": from_us(row["commissioned_us"]),
        "attributes.rated_power_kw": float(row["rated_power_kw"]),
        "attributes.shifts_per_day": float(row["shifts_per_day"]),
    }


def _point_row(row: pd.Series[Any], language: str) -> dict[str, Any]:
    return {
        "asset": row["asset"],
        "code": row["quantity"],
        "name": row[f"name_{language}"],
        "unit": row["unit"],
        "plausible_min": row["plausible_min"],
        "plausible_max": row["plausible_max"],
        "sampling_seconds": int(row["sampling_minutes"]) * 60,
    }


def _history_tables(plant: Plant) -> Iterator[tuple[str, Rows]]:
    commissioned = dict(
        zip(plant.register.assets["code"], plant.register.assets["commissioned_us"], strict=True)
    )
    installed = plant.installations.rename(columns={"installed_us": "replaced_us"})
    later = installed["replaced_us"] > installed["asset"].map(commissioned)
    replaced = _rows(
        pd.concat([installed[later], plant.history.replacements]),
        asset="asset",
        component="component",
        replaced_at=("replaced_us", from_us),
    )
    yield "replacements", replaced
    yield "errors", error_rows(plant.history)
    yield (
        "failures",
        _rows(
            plant.history.failures,
            asset="asset",
            failure_mode="mode",
            occurred_at=("failed_us", from_us),
        ),
    )


def _resource_tables(plant: Plant, language: str) -> Iterator[tuple[str, Rows]]:
    resources, name = plant.resources, f"name_{language}"
    yield (
        "access_windows",
        _rows(
            resources.access_windows,
            asset="asset",
            starts_at=("starts_us", from_us),
            ends_at=("ends_us", from_us),
            price_per_hour="price_per_hour",
        ),
    )
    yield from workforce_tables(resources, language)
    yield (
        "parts",
        _rows(
            resources.parts,
            code="code",
            name=name,
            unit_cost="unit_cost",
            lead_time_days="lead_time_days",
            stock="stock",
        ),
    )
    yield (
        "deliveries",
        _rows(
            resources.deliveries,
            part="part",
            expected_at=("expected_us", from_us),
            quantity="quantity",
        ),
    )


def workforce_tables(resources: Resources, language: str) -> Iterator[tuple[str, Rows]]:
    """Technicians and tools alone: what a plant without a workforce of its own can borrow."""
    name = f"name_{language}"
    yield "skills", _rows(resources.skills, code="code", name=name)
    yield (
        "technicians",
        _rows(resources.technicians, code="code", name="name", hourly_rate="hourly_rate"),
    )
    yield (
        "technician_skills",
        _rows(resources.technician_skills, technician="technician", skill="skill", level="level"),
    )
    yield (
        "shifts",
        _rows(
            resources.shifts,
            technician="technician",
            weekday=("weekday", lambda day: ingest.WEEKDAYS[day]),
            starts="starts",
            ends="ends",
        ),
    )
    yield (
        "absences",
        _rows(
            resources.absences,
            technician="technician",
            starts_at=("starts_us", from_us),
            ends_at=("ends_us", from_us),
            reason=f"reason_{language}",
        ),
    )
    yield "tool_types", _rows(resources.tool_types, code="code", name=name)
    yield (
        "tools",
        _rows(
            resources.tools,
            tool_type="tool_type",
            code="code",
            calibration_due_on=("calibration_due_us", lambda at_us: from_us(at_us).date()),
        ),
    )


def _plan_tables(plant: Plant, language: str) -> Iterator[tuple[str, Rows]]:
    register = plant.register
    class_of = dict(zip(register.job_plans["code"], register.job_plans["asset_class"], strict=True))
    tasks = {
        plan: "|".join(rows.sort_values("position")[f"text_{language}"])
        for plan, rows in register.job_plan_tasks.groupby("job_plan")
    }
    yield (
        "job_plans",
        _rows(
            register.job_plans,
            asset_class="asset_class",
            code="code",
            name=f"name_{language}",
            failure_mode="mode",
            tasks=("code", lambda code: tasks.get(code, "")),
            duration_p50_minutes="duration_p50_minutes",
            duration_p80_minutes="duration_p80_minutes",
        ),
    )
    in_class = ("job_plan", lambda code: class_of[code])
    yield (
        "job_plan_roles",
        _rows(
            register.job_plan_roles,
            asset_class=in_class,
            job_plan="job_plan",
            skill="skill",
            level="level",
            count="count",
        ),
    )
    yield (
        "job_plan_tools",
        _rows(
            register.job_plan_tools,
            asset_class=in_class,
            job_plan="job_plan",
            tool_type="tool_type",
            count="count",
        ),
    )
    yield (
        "job_plan_parts",
        _rows(
            register.job_plan_parts,
            asset_class=in_class,
            job_plan="job_plan",
            part="part",
            quantity="quantity",
        ),
    )


Column: TypeAlias = str | tuple[str, Callable[[Any], Any]]


def _rows(frame: pd.DataFrame, **columns: Column) -> Rows:
    """Rows by our field names, from columns of the frame, converted where a column says how."""
    taken = {name: _column(frame, column) for name, column in columns.items()}
    return [dict(zip(taken, values, strict=True)) for values in zip(*taken.values(), strict=True)]


def _column(frame: pd.DataFrame, column: Column) -> list[Any]:
    name, convert = column if isinstance(column, tuple) else (column, None)
    values = [None if pd.isna(value) else value for value in frame[name].tolist()]
    return values if convert is None else [None if v is None else convert(v) for v in values]


def _series(register: Register, readings: pd.DataFrame) -> Iterator[ingest.Series]:
    of_point = dict(list(readings.groupby("point", sort=False, observed=True)))
    points = register.points
    for code, asset, quantity in zip(
        points["code"], points["asset"], points["quantity"], strict=True
    ):
        rows = of_point.get(code)
        if rows is not None:
            yield ingest.Series(
                asset=asset,
                point=quantity,
                at_us=rows["at_us"].to_numpy(dtype=np.int64),
                values=rows["value"].to_numpy(dtype=np.float64),
            )
