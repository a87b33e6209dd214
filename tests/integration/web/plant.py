"""A plant with people, work and a draft schedule, for the pages of the planner."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from decimal import Decimal

from maintenance.flow import schedule
from maintenance.models import (
    Absence,
    Asset,
    AssetClass,
    Delivery,
    FailureMode,
    FeatureRow,
    FeatureSet,
    Forecast,
    FunctionalLocation,
    JobPlan,
    JobPlanPart,
    JobPlanRole,
    JobPlanTool,
    MeasurementPoint,
    Membership,
    ModelVersion,
    Schedule,
    Shift,
    Site,
    Skill,
    SparePart,
    Technician,
    TechnicianSkill,
    Tool,
    ToolType,
    User,
    WorkOrder,
)

PASSWORD = "a plant of tests"
NAMES = (
    "Ana Ruiz",
    "Luis Ortega",
    "Marta Gil",
    "Pablo Soler",
    "Irene Vidal",
    "Jon Etxebarria",
    "Nuria Pons",
    "Diego Rey",
    "Sara Molina",
    "Hugo Peña",
    "Eva Cano",
    "Iván Lozano",
    "Laia Serra",
    "Óscar Bravo",
    "Clara Núñez",
    "Raúl Prieto",
)
SKILLS = ("Mechanical", "Electrical", "Hydraulics", "Automation")
TOOLS = ("Hoist 2 t", "Laser aligner", "Bearing puller", "Thermal camera")
PARTS = ("Main bearing", "Drive belt", "Seal kit", "Spindle cartridge", "Fan motor")
CLASSES = (("PMP", "Pump"), ("CNV", "Conveyor"), ("CMP", "Compressor"), ("PRS", "Press"))
MODES = ("Bearing wear", "Belt wear", "Seal leak")
TASKS = ("Isolate and lock out", "Take the guard off", "Replace the worn part", "Align and test")


@dataclass
class Plant:
    """What was made, by the words tests use."""

    site: Site
    planner: User
    viewer: User
    technician_user: User
    requester: User
    technicians: list[Technician] = field(default_factory=list)
    work_orders: list[WorkOrder] = field(default_factory=list)
    schedule: Schedule | None = None


class Builder:
    def __init__(self, *, now: dt.datetime, seed: int = 7, code: str = "north") -> None:
        self.now = now
        self.random = random.Random(seed)
        self.code = code

    def site(self):

        self.made = Site.objects.create(
            code=self.code,
            name=f"Plant {self.code.title()}",
            time_zone="Europe/Madrid",
            recorded_at=self.now,
        )
        return self.made

    def user(self, name: str, role: str, full_name: str = ""):

        first, _, last = full_name.partition(" ")
        user = User.objects.create_user(
            f"{name}-{self.code}", password=PASSWORD, first_name=first, last_name=last
        )
        Membership.objects.create(user=user, site=self.made, role=role, recorded_at=self.now)
        return user

    def people(self, count: int):

        known = {"site": self.made, "recorded_at": self.now}
        self.skills = [Skill.objects.create(code=s.upper()[:4], name=s, **known) for s in SKILLS]
        people = []
        for index, name in enumerate(NAMES[:count]):
            person = Technician.objects.create(code=f"T{index + 1:02}", name=name, **known)
            # Everybody's first skill goes round, so that each skill is held.
            held = {self.skills[index % 4], *self.random.sample(self.skills, 1 + index % 2)}
            TechnicianSkill.objects.bulk_create(
                TechnicianSkill(technician=person, skill=skill, level=2 + index % 2)
                for skill in held
            )
            early = index % 3 != 1
            Shift.objects.bulk_create(
                Shift(
                    technician=person,
                    weekday=weekday,
                    starts=dt.time(6 if early else 14),
                    ends=dt.time(14 if early else 22),
                )
                for weekday in range(5)
            )
            people.append(person)
        for person, first, days in ((people[3 % count], 2, 3), (people[8 % count], 0, 5)):
            start = self.now + dt.timedelta(days=first)
            Absence.objects.create(
                technician=person,
                starts_at=start,
                ends_at=start + dt.timedelta(days=days),
                reason="Leave",
                recorded_at=self.now,
            )
        return people

    def stores(self):

        known = {"site": self.made, "recorded_at": self.now}
        self.tools = [
            ToolType.objects.create(code=f"TL{n}", name=name, **known)
            for n, name in enumerate(TOOLS)
        ]
        for tool_type in self.tools:
            Tool.objects.create(
                tool_type=tool_type, code=f"{tool_type.code}-1", recorded_at=self.now
            )
        self.parts = [
            SparePart.objects.create(
                code=f"SP-{n:03}",
                name=name,
                unit_cost=120 + 80 * n,
                stock=(20, 9, 8, 2, 14)[n],
                **known,
            )
            for n, name in enumerate(PARTS)
        ]
        for part in self.parts[1:4]:
            Delivery.objects.create(
                part=part,
                quantity=3,
                expected_at=self.now + dt.timedelta(days=3, hours=10),
                recorded_at=self.now,
            )

    def assets(self, a_class: int):

        known = {"site": self.made, "recorded_at": self.now}
        lines = [
            FunctionalLocation.objects.create(code=f"L{n}", name=f"Line {n}", **known)
            for n in "ABC"
        ]
        self.plans = {}
        assets = []
        for number, (code, name) in enumerate(CLASSES):
            kind = AssetClass.objects.create(code=code, name=name, **known)
            for m, mode_name in enumerate(MODES):
                mode = FailureMode.objects.create(
                    asset_class=kind,
                    code=f"{code}-F{m}",
                    name=mode_name,
                    component_code="MAIN",
                    repair_cost=4000,
                    downtime_hours=8,
                    downtime_hourly_cost=Decimal(900),
                    recorded_at=self.now,
                )
                minutes = (90, 120, 180, 240, 360)[(number + 2 * m) % 5]
                plan = JobPlan.objects.create(
                    asset_class=kind,
                    failure_mode=mode,
                    code=f"{code}-P{m}",
                    name=("Replace main bearing", "Replace drive belt", "Replace hydraulic seal")[
                        m
                    ],
                    tasks=list(TASKS),
                    duration_p50_minutes=minutes,
                    duration_p80_minutes=minutes + 60,
                    recorded_at=self.now,
                )
                skill = self.skills[(number + m) % 4]
                crew = 2 if m == 1 and number % 2 else 1
                JobPlanRole.objects.create(job_plan=plan, skill=skill, level=2, count=crew)
                JobPlanPart.objects.create(job_plan=plan, part=self.parts[(number + m) % 5])
                if m != 1:
                    JobPlanTool.objects.create(
                        job_plan=plan, tool_type=self.tools[(number + m) % 4]
                    )
                self.plans[kind.pk, m] = (mode, plan)
            for n in range(a_class):
                asset = Asset.objects.create(
                    asset_class=kind,
                    code=f"{code}-{n + 1:03}",
                    name=name,
                    location=lines[n % 3],
                    commissioned_at=self.now - dt.timedelta(days=900),
                    **known,
                )
                MeasurementPoint.objects.create(
                    asset=asset,
                    code="vibration",
                    name="Vibration",
                    unit="mm/s",
                    recorded_at=self.now,
                )
                assets.append(asset)
        return assets

    def forecast(self, asset, mode, risk: float):

        feature_set, _ = FeatureSet.objects.get_or_create(
            asset_class=asset.asset_class,
            version=1,
            defaults={"code_hash": "f" * 64, "declaration": {}, "recorded_at": self.now},
        )
        version, _ = ModelVersion.objects.get_or_create(
            failure_mode=mode,
            version=1,
            defaults={
                "feature_set": feature_set,
                "family": "hazard",
                "why": "best held out",
                "purpose": "serving",
                "state": "champion",
                "grade": "B",
                "trained_as_of": self.now,
                "dataset_hash": "d" * 64,
                "artefact": "none",
                "artefact_sha256": "a" * 64,
                "life": {"shape": 2.5, "scale_days": 260.0},
                "recorded_at": self.now,
            },
        )
        row, _ = FeatureRow.objects.get_or_create(
            asset=asset,
            feature_set=feature_set,
            as_of=self.now,
            defaults={"values": b"", "recorded_at": self.now},
        )
        hazard = -((1 - risk) ** (1 / 14)) + 1
        curve = [1 - (1 - hazard) ** day for day in range(61)]
        return Forecast.objects.create(
            asset=asset,
            failure_mode=mode,
            model_version=version,
            feature_row=row,
            as_of=self.now,
            state="value",
            grade="B",
            horizon_days=60,
            risk=curve,
            risk_low=[value * 0.7 for value in curve],
            risk_high=[min(1.0, value * 1.25) for value in curve],
            risk_14_days=risk,
            rul_p50_days=20.0,
            reasons=[
                _reason("vibration.mean.7d", "vibration", "mean", 7.0, 6.4, 2.2, 1.4),
                _reason("vibration.slope.30d", "vibration", "slope", 30.0, 0.21, 0.01, 0.7),
                _reason(f"{mode.code}.age", mode.code, "age", None, 212.0, 140.0, 0.4),
                _reason("error.E17.7d", "E17", "count", 7.0, 3.0, 0.0, 0.25),
                _reason("vibration.std.7d", "vibration", "std", 7.0, 0.4, 0.5, -0.3),
                _reason("base", "base", "base", None, None, None, -3.0),
            ],
            recorded_at=self.now,
        )

    def work(self, assets, count: int):

        orders = []
        for n in range(count):
            asset = assets[n % len(assets)]
            mode, plan = self.plans[asset.asset_class_id, (n // len(assets)) % 3]
            predicted = n % 5 != 4
            risk = (0.72, 0.41, 0.22, 0.17, 0.06)[n % 5] * self.random.uniform(0.8, 1.1)
            orders.append(
                WorkOrder.objects.create(
                    site=self.made,
                    number=1001 + n,
                    asset=asset,
                    failure_mode=mode if predicted else None,
                    job_plan=plan,
                    forecast=self.forecast(asset, mode, risk) if predicted else None,
                    type="predictive" if predicted else "preventive",
                    state="accepted" if n % 3 == 0 else "proposed",
                    priority=1 if risk > 0.5 else 2 if risk > 0.3 else 3,
                    title=plan.name if predicted else "Yearly inspection",
                    best_at=self.now + dt.timedelta(days=1 + n % 6) if predicted else None,
                    latest_at=None if predicted else self.now + dt.timedelta(days=5 + n % 4),
                    saving=Decimal(round(risk * 9000)) if predicted else None,
                    cost_of_waiting_week=Decimal(round(risk * 3000)) if predicted else None,
                    recorded_at=self.now,
                )
            )
        return orders


def _reason(feature, quantity, statistic, window_days, value, usual, contribution):
    return {
        "feature": feature,
        "quantity": quantity,
        "statistic": statistic,
        "window_days": window_days,
        "value": value,
        "usual": usual,
        "contribution": contribution,
    }


def small_plant(now: dt.datetime, *, code: str = "north") -> Plant:
    """Four technicians and six work orders: enough for what a page does."""
    return _plant(now, code=code, technicians=4, assets_a_class=2, work_orders=6)


def large_plant(now: dt.datetime, *, code: str = "north") -> Plant:
    return _plant(now, code=code, technicians=16, assets_a_class=14, work_orders=62)


def _plant(
    now: dt.datetime, *, code: str, technicians: int, assets_a_class: int, work_orders: int
) -> Plant:
    builder = Builder(now=now, code=code)
    site = builder.site()
    plant = Plant(
        site=site,
        planner=builder.user("planner", "planner", "Elena Prats"),
        viewer=builder.user("viewer", "viewer"),
        technician_user=builder.user("technician", "technician"),
        requester=builder.user("requester", "requester"),
    )
    plant.technicians = builder.people(technicians)
    plant.technicians[0].user = plant.technician_user
    plant.technicians[0].save()
    builder.stores()
    plant.work_orders = builder.work(builder.assets(assets_a_class), work_orders)
    return plant


def with_draft(plant: Plant, now: dt.datetime, *, seconds: float = 5.0) -> Plant:
    plant.schedule = schedule.optimise(site=plant.site, by=plant.planner, now=now, seconds=seconds)
    return plant
