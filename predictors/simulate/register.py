"""The plant on paper: site, locations, classes, assets, points, failure modes, job plans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from predictors.simulate.catalogue import ASSET_CLASSES, AssetClass, FailureMode, JobPlan
from predictors.simulate.config import PlantConfig
from predictors.simulate.simulator import SimulatedAsset

SITE = "norte"
LINES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """Frames of what stands in the plant and how it is mended; names in English and Spanish."""

    sites: pd.DataFrame
    locations: pd.DataFrame
    asset_classes: pd.DataFrame
    assets: pd.DataFrame
    points: pd.DataFrame
    failure_modes: pd.DataFrame
    components: pd.DataFrame
    error_codes: pd.DataFrame
    job_plans: pd.DataFrame
    job_plan_tasks: pd.DataFrame
    job_plan_roles: pd.DataFrame
    job_plan_tools: pd.DataFrame
    job_plan_parts: pd.DataFrame


def draw_up_register(config: PlantConfig, assets: Sequence[SimulatedAsset]) -> Register:
    """The register of a plant's assets."""
    modes = [(kind, mode) for kind in ASSET_CLASSES for mode in kind.modes]
    plans = [mode.plan for _, mode in modes]
    return Register(
        sites=_sites(config),
        locations=_locations(),
        asset_classes=frame(
            {"code": kind.code, "name_en": kind.name.en, "name_es": kind.name.es}
            for kind in ASSET_CLASSES
        ),
        assets=frame(_asset_row(asset) for asset in assets),
        points=_points(config, assets),
        failure_modes=frame(_mode_row(kind, mode) for kind, mode in modes),
        components=_components(assets),
        error_codes=_error_codes(),
        job_plans=frame(_plan_row(kind, mode) for kind, mode in modes),
        job_plan_tasks=_tasks(plans),
        job_plan_roles=frame(
            {"job_plan": plan.code, "skill": role.skill, "level": role.level, "count": role.count}
            for plan in plans
            for role in plan.roles
        ),
        job_plan_tools=frame(
            {"job_plan": plan.code, "tool_type": tool, "count": count}
            for plan in plans
            for tool, count in plan.tools
        ),
        job_plan_parts=frame(
            {"job_plan": plan.code, "part": part.code, "quantity": quantity}
            for plan in plans
            for part, quantity in plan.parts
        ),
    )


def frame(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """A frame of rows that all have the same keys."""
    return pd.DataFrame(list(rows))


def point_code(asset: SimulatedAsset, quantity: str) -> str:
    """The external name of a measurement point."""
    return f"{asset.code}.{quantity}"


def line_code(line: int) -> str:
    """The code of a production line."""
    return f"L{line + 1}"


def _sites(config: PlantConfig) -> pd.DataFrame:
    row = {
        "code": SITE,
        "name_en": "North plant",
        "name_es": "Planta Norte",
        "time_zone": config.time_zone,
        "currency": config.currency,
    }
    return frame([row])


def _locations() -> pd.DataFrame:
    hall = {"code": "H1", "parent": "", "name_en": "Hall 1", "name_es": "Nave 1"}
    lines = [
        {
            "code": line_code(line),
            "parent": "H1",
            "name_en": f"Line {line + 1}",
            "name_es": f"Línea {line + 1}",
        }
        for line in range(LINES)
    ]
    return frame([hall, *lines])


def _asset_row(asset: SimulatedAsset) -> dict[str, object]:
    flavour = asset.asset_class.flavours[asset.flavour]
    return {
        "code": asset.code,
        "asset_class": asset.asset_class.code,
        "location": line_code(asset.line),
        "name_en": f"{flavour.en} {asset.code[-3:]}",
        "name_es": f"{flavour.es} {asset.code[-3:]}",
        "serial": asset.serial,
        "maker": asset.maker,
        "criticality": asset.criticality,
        "commissioned_us": asset.commissioned_us,
        "shifts_per_day": asset.shifts_per_day,
        "rated_power_kw": asset.rated_power_kw,
    }


def _points(config: PlantConfig, assets: Sequence[SimulatedAsset]) -> pd.DataFrame:
    return frame(
        {
            "code": point_code(asset, signal.quantity),
            "asset": asset.code,
            "quantity": signal.quantity,
            "name_en": signal.name.en,
            "name_es": signal.name.es,
            "unit": signal.unit,
            "plausible_min": float(signal.low),
            "plausible_max": float(signal.high),
            "sampling_minutes": config.sampling_minutes * signal.every,
        }
        for asset in assets
        for signal in asset.asset_class.signals
    )


def _mode_row(kind: AssetClass, mode: FailureMode) -> dict[str, object]:
    return {
        "code": mode.code,
        "asset_class": kind.code,
        "iso_code": mode.iso_code,
        "name_en": mode.name.en,
        "name_es": mode.name.es,
        "effect_en": mode.effect.en,
        "effect_es": mode.effect.es,
        "component": mode.component,
        "repair_cost": float(mode.repair_cost),
        "downtime_hours": float(mode.downtime_hours),
        "downtime_rate": float(mode.downtime_rate),
        "secondary_cost": float(mode.secondary_cost),
        "safety_cost": float(mode.safety_cost),
        "c_fail": mode.c_fail,
        "c_prev": mode.c_prev,
        "interval_days": float(mode.interval_days),
        "expert_mtbf_days": mode.expert_mtbf_days,
    }


def _components(assets: Sequence[SimulatedAsset]) -> pd.DataFrame:
    return frame(
        {
            "asset": asset.code,
            "component": mode.component,
            "name_en": mode.component_name.en,
            "name_es": mode.component_name.es,
            "mode": mode.code,
        }
        for asset in assets
        for mode in asset.asset_class.modes
    )


def _error_codes() -> pd.DataFrame:
    chatter = [
        {"code": code, "asset_class": kind.code}
        for kind in ASSET_CLASSES
        for code in kind.chatter_codes
    ]
    precursors = [
        {"code": mode.error_code, "asset_class": kind.code}
        for kind in ASSET_CLASSES
        for mode in kind.modes
        if mode.error_code is not None
    ]
    return frame([*chatter, *precursors]).sort_values("code", ignore_index=True)


def _plan_row(kind: AssetClass, mode: FailureMode) -> dict[str, object]:
    plan = mode.plan
    return {
        "code": plan.code,
        "asset_class": kind.code,
        "mode": mode.code,
        "name_en": plan.name.en,
        "name_es": plan.name.es,
        "duration_p50_minutes": plan.duration_p50_minutes,
        "duration_p80_minutes": plan.duration_p80_minutes,
        "crew_hours": plan.crew_hours,
    }


def _tasks(plans: Sequence[JobPlan]) -> pd.DataFrame:
    return frame(
        {"job_plan": plan.code, "position": position, "text_en": task.en, "text_es": task.es}
        for plan in plans
        for position, task in enumerate(plan.tasks, start=1)
    )
