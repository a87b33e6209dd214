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
    first_us, last_us = (int(telemetry["known_us"].agg(end)) for end in ("min", "max"))
    replaced = _events(folder / "PdM_maint.csv", "comp")
    failed = _events(folder / "PdM_failures.csv", "failure")
    errors = _events(folder / "PdM_errors.csv", "errorID")
    known_since_us = min(int(at_us[0]) for by in replaced.values() for at_us in by.values())
    return [
        AssetHistory(
            asset_id=str(number),
            asset_class="machine",
            commissioned_us=known_since_us,
            observed_from_us=first_us - DAY_US,
            observed_until_us=last_us,
            readings=_series(telemetry[telemetry["machineID"] == number]),
            events=errors.get(number, {}),
            renewals=replaced.get(number, {}),
            failures=failed.get(number, {}),
            statics=statics,
        )
        for number, statics in _machines(folder / "PdM_machines.csv").items()
    ]


def _machines(path: Path) -> dict[int, dict[str, float]]:
    """Age in years and one column per model, by machine number."""
    rows = pd.read_csv(path).sort_values("machineID")
    described = pd.get_dummies(rows["model"], dtype=float).assign(age_years=rows["age"])
    return {
        int(number): {str(key): float(value) for key, value in machine.items()}
        for number, machine in zip(
            rows["machineID"], described.to_dict(orient="records"), strict=True
        )
    }


def _series(rows: pd.DataFrame) -> dict[str, Series]:
    known_us = rows["known_us"].to_numpy(dtype=np.int64)
    return {
        quantity: Series.from_unsorted(known_us, rows[quantity].to_numpy(dtype=np.float64))
        for quantity in QUANTITIES
    }


def _events(path: Path, kind: str) -> dict[int, dict[str, Instants]]:
    rows = pd.read_csv(path)
    at_us = _instants_us(rows["datetime"]).to_numpy()
    machine, name = rows["machineID"].to_numpy(), rows[kind].to_numpy()
    return {
        int(number): {
            str(one): np.unique(at_us[(machine == number) & (name == one)])
            for one in np.unique(name[machine == number])
        }
        for number in np.unique(machine)
    }


def _instants_us(texts: pd.Series) -> pd.Series:
    return pd.to_datetime(texts, format="ISO8601").astype("datetime64[us]").astype("int64")
