"""The Azure predictive-maintenance files as asset histories.

Telemetry comes as means of a calendar day (UTC); a mean is known only when its day has ended.
Errors, replacements and failures are known at their instant. Failures are recorded from the
first day of telemetry on, replacements since half a year before.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from predictors.schema import DAY_US, AssetHistory, Instants, Series

QUANTITIES = ("volt", "rotate", "pressure", "vibration")
COMPONENTS = ("comp1", "comp2", "comp3", "comp4")


def instant_us(text: str) -> int:
    """UTC microseconds of an ISO date or time.

    >>> instant_us("1970-01-02")
    86400000000
    """
    return int(pd.Timestamp(text).value // 1000)


def read_histories(folder: Path) -> list[AssetHistory]:
    """One history per machine, by number."""
    telemetry = pd.read_csv(folder / "PdM_telemetry_daily.csv")
    telemetry["known_us"] = _instants_us(telemetry["date"]) + DAY_US
    telemetry["machineID"] = telemetry["machineID"].astype(int)
    machines = pd.read_csv(folder / "PdM_machines.csv").sort_values("machineID")
    replaced = _events(folder / "PdM_maint.csv", "comp")
    failed = _events(folder / "PdM_failures.csv", "failure")
    errors = _events(folder / "PdM_errors.csv", "errorID")
    readings = dict(iter(telemetry.groupby("machineID")))
    models = sorted(machines["model"].unique())
    first_replacement = min(int(at.min()) for kinds in replaced.values() for at in kinds.values())
    return [
        AssetHistory(
            asset_id=str(machine.machineID),
            asset_class="machine",
            commissioned_us=first_replacement,
            observed_from_us=int(telemetry["known_us"].min()) - DAY_US,
            observed_until_us=int(telemetry["known_us"].max()),
            readings=_series(readings[machine.machineID]),
            events=errors.get(machine.machineID, {}),
            renewals=replaced.get(machine.machineID, {}),
            failures=failed.get(machine.machineID, {}),
            statics={"age_years": float(machine.age)}
            | {model: float(machine.model == model) for model in models},
        )
        for machine in machines.itertuples()
    ]


def _series(rows: pd.DataFrame) -> dict[str, Series]:
    known_us = rows["known_us"].to_numpy(dtype=np.int64)
    return {
        quantity: Series.from_unsorted(known_us, rows[quantity].to_numpy(dtype=np.float64))
        for quantity in QUANTITIES
    }


def _events(path: Path, kind: str) -> dict[int, dict[str, Instants]]:
    rows = pd.read_csv(path)
    rows["at_us"] = _instants_us(rows["datetime"])
    found: dict[int, dict[str, Instants]] = {}
    for (machine, name), group in rows.groupby(["machineID", kind]):
        found.setdefault(int(machine), {})[str(name)] = np.unique(group["at_us"].to_numpy())
    return found


def _instants_us(texts: pd.Series) -> pd.Series:
    return pd.to_datetime(texts, format="ISO8601").astype("datetime64[us]").astype("int64")
