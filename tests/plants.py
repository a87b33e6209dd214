"""A tiny plant that comes in through the door of all data, and forecasts of it made by hand.

Three pumps, two failure modes, four people, one tool, two spare parts. The week that tests plan
starts on Monday, 2 March 2026, in Madrid.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from maintenance.choices import Grade, ModelState, Role, WorkOrderType
from maintenance.flow import ingest
from maintenance.instants import local_midnight, to_us
from maintenance.models import (
    Asset,
    FailureMode,
    FeatureRow,
    FeatureSet,
    Forecast,
    JobPlan,
    Membership,
    ModelVersion,
    Site,
    SparePart,
    Technician,
    ToolType,
    User,
    WorkOrder,
)

MADRID = ZoneInfo("Europe/Madrid")
MONDAY = dt.datetime(2026, 3, 2, tzinfo=MADRID).astimezone(dt.UTC)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
EARLY, LATE = ("06:00", "14:00"), ("14:00", "22:00")
SOURCE = "tests"

Rows = Sequence[Mapping[str, Any]]

REGISTER: Mapping[str, Rows] = {
    "asset_classes": [{"code": "pump", "name": "Pump"}],
    "failure_modes": [
        {
            "asset_class": "pump",
            "code": mode,
            "name": mode.title(),
            "component": mode,
            "repair_cost": cost,
            "downtime_hours": 10,
            "downtime_hourly_cost": 800,
        }
        for mode, cost in (("bearing", 6000), ("seal", 2000))
    ],
    "assets": [
        {"code": code, "asset_class": "pump", "commissioned_at": "2024-01-01T00:00:00+01:00"}
        for code in ("P-1", "P-2", "P-3")
    ],
    "points": [
        {"asset": code, "code": "vibration", "name": "Vibration", "unit": "mm/s"}
        for code in ("P-1", "P-2", "P-3")
    ],
    "skills": [{"code": "mech", "name": "Mechanics"}, {"code": "elec", "name": "Electrics"}],
    "technicians": [
        {"code": code, "name": name, "hourly_rate": rate}
        for code, name, rate in (
            ("ana", "Ana Ruiz", 40),
            ("luis", "Luis Gil", 38),
            ("nora", "Nora Pons", 45),
            ("oscar", "Óscar Rey", 36),
        )
    ],
    "technician_skills": [
        {"technician": who, "skill": skill, "level": level}
        for who, skill, level in (
            ("ana", "mech", 3),
            ("luis", "mech", 2),
            ("nora", "elec", 3),
            ("oscar", "elec", 2),
            ("oscar", "mech", 1),
        )
    ],
    "shifts": [
        {"technician": who, "weekday": day, "starts": starts, "ends": ends}
        for who, (starts, ends) in (
            ("ana", EARLY),
            ("luis", LATE),
            ("nora", EARLY),
            ("oscar", LATE),
        )
        for day in WEEKDAYS
    ],
    "tool_types": [{"code": "puller", "name": "Bearing puller"}],
    "tools": [{"tool_type": "puller", "code": "puller-1"}],
    "parts": [
        {"code": "brg", "name": "Bearing 6205", "unit_cost": 300, "stock": 2},
        {"code": "sea", "name": "Seal kit", "unit_cost": 120, "stock": 5},
    ],
    "job_plans": [
        {
            "asset_class": "pump",
            "code": f"renew-{mode}",
            "name": f"Renew the {mode}",
            "failure_mode": mode,
            "duration_p50_minutes": minutes,
            "duration_p80_minutes": minutes + 60,
        }
        for mode, minutes in (("bearing", 180), ("seal", 120))
    ],
    "job_plan_roles": [
        {"asset_class": "pump", "job_plan": plan, "skill": skill, "level": level, "count": 1}
        for plan, skill, level in (
            ("renew-bearing", "mech", 2),
            ("renew-bearing", "elec", 2),
            ("renew-seal", "mech", 2),
        )
    ],
    "job_plan_tools": [
        {"asset_class": "pump", "job_plan": "renew-bearing", "tool_type": "puller", "count": 1}
    ],
    "job_plan_parts": [
        {"asset_class": "pump", "job_plan": "renew-bearing", "part": "brg", "quantity": 1},
        {"asset_class": "pump", "job_plan": "renew-seal", "part": "sea", "quantity": 1},
    ],
}


@dataclass(frozen=True)
class Plant:
    """A site and its rows by code."""

    site: Site
    now: dt.datetime

    def asset(self, code: str) -> Asset:
        return Asset.objects.get(site=self.site, code=code)

    def mode(self, code: str) -> FailureMode:
        return FailureMode.objects.get(asset_class__site=self.site, code=code)

    def plan(self, code: str) -> JobPlan:
        return JobPlan.objects.get(asset_class__site=self.site, code=code)

    def technician(self, code: str) -> Technician:
        return Technician.objects.get(site=self.site, code=code)

    def part(self, code: str) -> SparePart:
        return SparePart.objects.get(site=self.site, code=code)

    def tool_type(self, code: str) -> ToolType:
        return ToolType.objects.get(site=self.site, code=code)

    def local(self, day: int, clock: str = "00:00") -> dt.datetime:
        """An hour of the wall clock, so many days after the plant's today, as UTC."""
        today = self.now.astimezone(ZoneInfo(self.site.time_zone)).date()
        wall = dt.datetime.combine(today + dt.timedelta(days=day), dt.time.fromisoformat(clock))
        return wall.replace(tzinfo=ZoneInfo(self.site.time_zone)).astimezone(dt.UTC)

    def take(self, table: str, rows: Rows) -> None:
        """Take rows in by the door; all of them must be good."""
        outcome = ingest.take_rows(
            site=self.site, table=table, rows=rows, source=SOURCE, now=self.now
        )
        assert not outcome.errors, outcome.errors

    def user(self, role: Role, name: str = "") -> User:
        user = User.objects.create_user(name or f"{role}-{self.site.code}")
        Membership.objects.create(user=user, site=self.site, role=role, recorded_at=self.now)
        return user


def tiny(
    code: str = "tiny",
    *,
    now: dt.datetime = MONDAY,
    register: Mapping[str, Rows] = REGISTER,
    **site: Any,
) -> Plant:
    """The register, people, stores and job plans; nothing measured, foreseen or asked for yet."""
    made = ingest.ensure_site(code=code, time_zone="Europe/Madrid", now=now)
    if site:
        Site.objects.filter(pk=made.pk).update(**site)
        made.refresh_from_db()
    plant = Plant(site=made, now=now)
    for table, rows in register.items():
        plant.take(table, rows)
    return plant


def model(plant: Plant, mode: str, *, shape: float = 3.0, scale_days: float = 200) -> ModelVersion:
    """The serving model of a mode, on record only: it has no artefact."""
    failure_mode = plant.mode(mode)
    known = ModelVersion.objects.champions().filter(failure_mode=failure_mode).first()
    if known is not None:
        return known
    feature_set, _made = FeatureSet.objects.get_or_create(
        asset_class=failure_mode.asset_class,
        version=1,
        defaults={"code_hash": "0" * 64, "declaration": {}, "recorded_at": plant.now},
    )
    return ModelVersion.objects.create(
        failure_mode=failure_mode,
        feature_set=feature_set,
        version=1,
        family="weibull",
        why="made by hand",
        purpose="tests",
        state=ModelState.CHAMPION,
        grade=Grade.B,
        trained_as_of=plant.now,
        dataset_hash="0" * 64,
        life={"shape": shape, "scale_days": scale_days},
        artefact="none",
        artefact_sha256="0" * 64,
        recorded_at=plant.now,
    )


def forecast(
    plant: Plant, asset: str, mode: str, *, risk: float, as_of: dt.datetime | None = None
) -> Forecast:
    """A forecast of that risk within 14 days, rising ever faster; `as_of` is today's midnight."""
    version = model(plant, mode)
    instant = as_of or local_midnight(plant.now, ZoneInfo(plant.site.time_zone))
    row, _made = FeatureRow.objects.get_or_create(
        asset=plant.asset(asset),
        feature_set=version.feature_set,
        as_of=instant,
        defaults={"values": b"", "recorded_at": plant.now},
    )
    horizon_days = plant.site.forecast_horizon_days
    curve = rising(risk, horizon_days=horizon_days)
    return Forecast.objects.create(
        asset=row.asset,
        failure_mode=version.failure_mode,
        model_version=version,
        feature_row=row,
        as_of=instant,
        state="value",
        grade=Grade.B,
        horizon_days=horizon_days,
        risk=curve,
        risk_low=curve,
        risk_high=curve,
        risk_14_days=curve[14],
        recorded_at=plant.now,
    )


def rising(risk: float, *, horizon_days: int, at_day: int = 14) -> list[float]:
    """A curve that reaches `risk` on a day, with a hazard that grows."""
    scale = -math.log1p(-risk) / at_day**2
    return [round(-math.expm1(-scale * day**2), 9) for day in range(horizon_days + 1)]


def work_order(plant: Plant, asset: str, mode: str | None = None, **fields: Any) -> WorkOrder:
    """Open work; with a mode, that mode's renewal, else preventive work by the seal's plan."""
    highest = WorkOrder.objects.filter(site=plant.site).order_by("-number").first()
    plan = plant.plan(f"renew-{mode or 'seal'}")
    known = {
        "number": highest.number + 1 if highest else 1001,
        "failure_mode": plant.mode(mode) if mode else None,
        "job_plan": plan,
        "type": WorkOrderType.PREDICTIVE if mode else WorkOrderType.PREVENTIVE,
        "title": plan.name,
        "recorded_at": plant.now,
    }
    return WorkOrder.objects.create(
        site=plant.site, asset=plant.asset(asset), **{**known, **fields}
    )


def busy(code: str = "tiny", **options: Any) -> Plant:
    """The tiny plant with three risks and their three work orders."""
    plant = tiny(code, **options)
    for asset, mode, risk in (
        ("P-1", "bearing", 0.6),
        ("P-2", "bearing", 0.4),
        ("P-3", "seal", 0.5),
    ):
        foreseen = forecast(plant, asset, mode, risk=risk)
        work_order(plant, asset, mode, forecast=foreseen)
    return plant


def measure(
    plant: Plant,
    asset: str,
    *,
    until: dt.datetime,
    days: int,
    point: str = "vibration",
    values: Sequence[float] | None = None,
) -> None:
    """One reading a day at noon UTC, the last on the day before `until`."""
    end = until.astimezone(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    at = [end - dt.timedelta(days=days - day) for day in range(days)]
    series = ingest.Series(
        asset=asset,
        point=point,
        at_us=np.array([to_us(instant) for instant in at], dtype=np.int64),
        values=np.array(values if values is not None else [2.0 + 0.01 * d for d in range(days)]),
    )
    outcome = ingest.take_series(site=plant.site, series=[series], now=plant.now)
    assert not outcome.errors, outcome.errors


def with_history(
    code: str = "tiny",
    *,
    assets: int = 6,
    days: int = 120,
    lives_days: Sequence[int] = (70, 80, 90),
    now: dt.datetime = MONDAY,
) -> Plant:
    """Pumps whose bearings wear out and are replaced, with a reading a day; seals never fail."""
    codes = [f"P-{number}" for number in range(1, assets + 1)]
    begun = now - dt.timedelta(days=days)
    register = REGISTER | {
        "assets": [
            {"code": each, "asset_class": "pump", "commissioned_at": begun} for each in codes
        ],
        "points": [
            {"asset": each, "code": "vibration", "name": "Vibration", "unit": "mm/s"}
            for each in codes
        ],
    }
    plant = tiny(code, now=now, register=register)
    random = np.random.default_rng(7)
    failures, replacements = [], []
    for number, each in enumerate(codes):
        ages, age = [], 13 * number % 40
        for day in range(days):
            ages.append(age)
            age += 1
            if age >= lives_days[(number + day) % len(lives_days)]:
                at = begun + dt.timedelta(days=day, hours=15)
                failures.append({"asset": each, "failure_mode": "bearing", "occurred_at": at})
                repaired = at + dt.timedelta(hours=6)
                replacements.append(
                    {"asset": each, "component": "bearing", "replaced_at": repaired}
                )
                age = 0
        wear = np.array(ages) / max(lives_days)
        values = 2 + 3 * wear**3 + random.normal(0, 0.1, days)
        measure(plant, each, until=now, days=days, values=values.tolist())
    plant.take("replacements", replacements)
    plant.take("failures", failures)
    return plant
