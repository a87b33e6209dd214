"""Who and what mends the plant: technicians, shifts, absences, tools, spare parts, access windows.

The crew is enough for most of the work and not for all: precision alignment is held by few, a
quarter of the crew is on breakdown duty every week, some parts are short until a delivery, and
an asset may be stopped free of charge only in the planned stop of its line.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pandas as pd

from predictors.schema import DAY_US
from predictors.simulate.catalogue import ASSET_CLASSES, SKILLS, TOOL_TYPES, Part
from predictors.simulate.config import PlantConfig
from predictors.simulate.draws import Stream, draw
from predictors.simulate.register import frame
from predictors.simulate.simulator import SimulatedAsset

NAMES = (
    "Ana Ruiz",
    "Luis Ferrer",
    "Marta Gil",
    "Jorge Lahoz",
    "Carmen Vidal",
    "Pablo Sanz",
    "Elena Moreno",
    "Iván Castro",
    "Nuria Pons",
    "Tomás Aguado",
    "Lucía Navarro",
    "Diego Blasco",
    "Sara Iglesias",
    "Andrés Molina",
    "Inés Cortés",
    "Rubén Lozano",
    "Olga Serra",
    "Hugo Marín",
    "Clara Duarte",
    "Miguel Otero",
    "Rosa Peña",
    "Javier Cano",
    "Alba Nieto",
    "Raúl Esteban",
)

PROFILES: tuple[tuple[tuple[str, int], ...], ...] = (
    (("precision", 3), ("mechanics", 2)),
    (("mechanics", 3), ("precision", 2)),
    (("mechanics", 2), ("fluids", 2)),
    (("electrics", 3),),
    (("precision", 2), ("electrics", 1)),
    (("mechanics", 2),),
    (("fluids", 3), ("mechanics", 1)),
    (("mechanics", 2), ("electrics", 1)),
    (("mechanics", 3), ("fluids", 1)),
    (("electrics", 2), ("mechanics", 1)),
    (("mechanics", 1), ("fluids", 1)),
    (("fluids", 2),),
    (("precision", 2), ("electrics", 1)),
    (("mechanics", 2), ("precision", 1)),
    (("electrics", 2),),
    (("mechanics", 1), ("fluids", 1)),
)
"""Skills and levels (1 trainee to 3 expert), by technician; they repeat."""

SHIFTS: tuple[tuple[tuple[int, ...], str, str], ...] = (
    ((0, 1, 2, 3, 4), "06:00", "14:00"),
    ((1, 2, 3, 4, 5), "06:00", "14:00"),
    ((0, 1, 2, 3, 4), "14:00", "22:00"),
)
"""Weekdays (0 = Monday), start and end in site time; technicians take them in turn."""

WEEKLY_LEAVE = 0.08
WEEKLY_TRAINING_DAY = 0.15
DUTY_EVERY_WEEKS = 4

STOP_PRICES = {"A": 120.0, "B": 60.0, "C": 0.0}
"""Euros an hour that an asset stands still outside its line's planned stop, by criticality."""


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """Frames of people, tools and parts, and of when assets may be stopped."""

    skills: pd.DataFrame
    technicians: pd.DataFrame
    technician_skills: pd.DataFrame
    shifts: pd.DataFrame
    absences: pd.DataFrame
    tool_types: pd.DataFrame
    tools: pd.DataFrame
    parts: pd.DataFrame
    deliveries: pd.DataFrame
    class_parts: pd.DataFrame
    access_windows: pd.DataFrame


def gather_resources(config: PlantConfig, assets: Sequence[SimulatedAsset]) -> Resources:
    """What the plant has from ``config.end_us`` to the end of its outlook."""
    technicians = [_technician(index) for index in range(config.technicians)]
    shares = {
        kind.code: sum(asset.asset_class is kind for asset in assets) / 16 for kind in ASSET_CLASSES
    }
    return Resources(
        skills=frame(
            {"code": code, "name_en": name.en, "name_es": name.es} for code, name in SKILLS
        ),
        technicians=frame(technicians),
        technician_skills=_technician_skills(config),
        shifts=_shifts(config),
        absences=pd.DataFrame(
            list(_absences(config)),
            columns=["technician", "starts_us", "ends_us", "reason_en", "reason_es"],
        ),
        tool_types=frame(
            {
                "code": tool.code,
                "name_en": tool.name.en,
                "name_es": tool.name.es,
                "count": tool.count,
            }
            for tool in TOOL_TYPES
        ),
        tools=_tools(config),
        parts=frame(_part_row(part, shares[kind]) for kind, part in _parts()),
        deliveries=_deliveries(config, shares),
        class_parts=frame({"asset_class": kind, "part": part.code} for kind, part in _parts()),
        access_windows=frame(
            window for asset in assets for window in _access_windows(config, asset)
        ),
    )


def technician_code(index: int) -> str:
    """The code of a technician."""
    return f"T{index + 1:02d}"


def _technician(index: int) -> dict[str, object]:
    level = max(level for _, level in PROFILES[index % len(PROFILES)])
    again = index // len(NAMES)
    name = NAMES[index % len(NAMES)]
    hourly_rate = {1: 30.0, 2: 36.0, 3: 44.0}[level]
    return {
        "code": technician_code(index),
        "name": f"{name} {again + 1}" if again else name,
        "hourly_rate": hourly_rate,
        "overtime_rate": 1.5 * hourly_rate,
    }


def _technician_skills(config: PlantConfig) -> pd.DataFrame:
    return frame(
        {"technician": technician_code(index), "skill": skill, "level": level}
        for index in range(config.technicians)
        for skill, level in PROFILES[index % len(PROFILES)]
    )


def _shifts(config: PlantConfig) -> pd.DataFrame:
    return frame(
        {"technician": technician_code(index), "weekday": day, "starts": starts, "ends": ends}
        for index in range(config.technicians)
        for weekdays, starts, ends in [SHIFTS[index % len(SHIFTS)]]
        for day in weekdays
    )


def _absences(config: PlantConfig) -> Iterator[tuple[str, int, int, str, str]]:
    """Breakdown duty one week in four, in turn; leave by the week; a training day now and then."""
    monday = _local_day(config, config.end_us)
    monday -= dt.timedelta(days=monday.weekday())
    until = _local_day(config, config.end_us + config.outlook_days * DAY_US)
    while monday <= until:
        week = monday.toordinal() // 7
        for index in range(config.technicians):
            random = draw(config.seed, Stream.ABSENCE, index, week)
            training_day = int(random.integers(5))
            on_leave, in_training = random.random(2) < (WEEKLY_LEAVE, WEEKLY_TRAINING_DAY)
            code = technician_code(index)
            if (index + week) % DUTY_EVERY_WEEKS == 0:
                yield _absence(config, code, monday, 7, "Breakdown duty", "Guardia de averías")
            elif on_leave:
                yield _absence(config, code, monday, 7, "Leave", "Vacaciones")
            elif in_training:
                day = monday + dt.timedelta(days=training_day)
                yield _absence(config, code, day, 1, "Training", "Formación")
        monday += dt.timedelta(days=7)


def _absence(
    config: PlantConfig, code: str, first: dt.date, days: int, reason_en: str, reason_es: str
) -> tuple[str, int, int, str, str]:
    starts_us = _local_us(config, first, 0)
    ends_us = _local_us(config, first + dt.timedelta(days=days), 0)
    return code, starts_us, ends_us, reason_en, reason_es


def _tools(config: PlantConfig) -> pd.DataFrame:
    """One tool of a calibrated type is due soon, the others half a year later."""
    rows: list[dict[str, object]] = []
    for tool in TOOL_TYPES:
        for number in range(1, tool.count + 1):
            days = tool.calibration_in_days
            is_due_soon = days is not None and number == tool.count
            due = config.end_us + ((days or 0) + (0 if is_due_soon else 180)) * DAY_US
            rows.append(
                {
                    "tool_type": tool.code,
                    "code": f"{tool.code}-{number}",
                    "calibration_due_us": pd.NA if days is None else due,
                }
            )
    return frame(rows).astype({"calibration_due_us": "Int64"})


def _parts() -> Iterator[tuple[str, Part]]:
    for kind in ASSET_CLASSES:
        for mode in kind.modes:
            for part, _ in mode.plan.parts:
                yield kind.code, part


def _part_row(part: Part, share: float) -> dict[str, object]:
    return {
        "code": part.code,
        "name_en": part.name.en,
        "name_es": part.name.es,
        "unit_cost": float(part.unit_cost),
        "lead_time_days": part.lead_time_days,
        "stock": math.ceil(part.stock * share),
    }


def _deliveries(config: PlantConfig, shares: dict[str, float]) -> pd.DataFrame:
    rows = [
        {
            "part": part.code,
            "quantity": math.ceil(quantity * shares[kind]),
            "expected_us": _local_us(config, _local_day(config, config.end_us + days * DAY_US), 6),
        }
        for kind, part in _parts()
        for days, quantity in part.deliveries
        if days <= config.outlook_days
    ]
    return pd.DataFrame(rows, columns=["part", "quantity", "expected_us"])


def _access_windows(config: PlantConfig, asset: SimulatedAsset) -> Iterator[dict[str, object]]:
    """Free in the line's planned stop and on Saturday mornings, priced on other working days."""
    price = STOP_PRICES[asset.criticality]
    day = _local_day(config, config.end_us)
    until = _local_day(config, config.end_us + config.outlook_days * DAY_US)
    while day < until:
        if day.weekday() == asset.line:
            pieces = [(6, 14, 0.0), (14, 22, price)]
        elif day.weekday() < 5:
            pieces = [(6, 22, price)]
        else:
            pieces = [(6, 14, 0.0)] if day.weekday() == 5 else []
        for start_hour, end_hour, hourly in pieces:
            yield {
                "asset": asset.code,
                "starts_us": _local_us(config, day, start_hour),
                "ends_us": _local_us(config, day, end_hour),
                "price_per_hour": hourly,
            }
        day += dt.timedelta(days=1)


def _local_day(config: PlantConfig, at_us: int) -> dt.date:
    seconds, _ = divmod(at_us, 1_000_000)
    return dt.datetime.fromtimestamp(seconds, tz=ZoneInfo(config.time_zone)).date()


def _local_us(config: PlantConfig, day: dt.date, hour: int) -> int:
    local = dt.datetime.combine(day, dt.time(hour), tzinfo=ZoneInfo(config.time_zone))
    return int(local.timestamp()) * 1_000_000
