from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.azure_data import COMPONENTS, QUANTITIES, instant_us, read_histories
from benchmarks.azure_pdm import Tally, measure, pooled
from predictors.dataset import build_table, label
from predictors.features import build_features
from predictors.schema import DAY_US, HOUR_US, AssetHistory, FeatureSet
from tests.conftest import require

LOUD = 1e6


def write_folder(folder: Path, *, machines: int, days: int) -> None:
    """Files in the public layout: errors a day ahead of failures, readings that drift before."""
    random = np.random.default_rng(7)
    dates = pd.date_range("2015-01-01", periods=days)
    telemetry, errors, maintained, failures = [], [], [], []
    for machine in range(1, machines + 1):
        values = random.normal(100, 2, (days, len(QUANTITIES)))
        for position, component in enumerate(COMPONENTS):
            maintained.append(("2014-12-01T06:00:00.000000", machine, component))
            day = int(random.integers(5, 40))
            while day < days:
                at = dates[day] + pd.Timedelta(hours=6)
                failures.append((at.isoformat(), machine, component))
                maintained.append((at.isoformat(), machine, component))
                errors.append((str(at - pd.Timedelta(days=1)), machine, f"error{position + 1}"))
                values[day - 2 : day, position] += 25
                day += int(random.integers(25, 60))
        block = pd.DataFrame(values, columns=list(QUANTITIES))
        telemetry.append(block.assign(date=dates.strftime("%Y-%m-%d"), machineID=float(machine)))
    pd.concat(telemetry).to_csv(folder / "PdM_telemetry_daily.csv")
    for name, kind, rows in (
        ("errors", "errorID", errors),
        ("maint", "comp", maintained),
        ("failures", "failure", failures),
    ):
        frame = pd.DataFrame(rows, columns=["datetime", "machineID", kind])
        frame.to_csv(folder / f"PdM_{name}.csv", index=False)
    numbers = np.arange(1, machines + 1)
    described = {"machineID": numbers, "model": [f"model{n % 2}" for n in numbers], "age": numbers}
    pd.DataFrame(described).to_csv(folder / "PdM_machines.csv", index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("azure_pdm")
    write_folder(made, machines=8, days=270)
    return made


def first_seen_us(history: AssetHistory, day: str, declared: FeatureSet) -> int:
    """The first hourly origin whose row changes when a day's mean becomes absurdly loud."""
    known_us = instant_us(day) + DAY_US
    louder = {}
    for quantity, series in history.readings.items():
        values = series.values.copy()
        values[series.at_us == known_us] = LOUD
        louder[quantity] = type(series)(series.at_us, values)
    changed = AssetHistory(**{**vars(history), "readings": louder})
    hourly = np.arange(instant_us(day) - DAY_US, known_us + DAY_US, HOUR_US)
    quiet, loud = (build_features(one, hourly, declared) for one in (history, changed))
    differs = ~np.isclose(quiet, loud, equal_nan=True).all(axis=1)
    return int(hourly[differs].min())


def test_no_feature_sees_a_daily_mean_before_the_end_of_its_day(folder: Path) -> None:
    histories = read_histories(folder)
    declared = FeatureSet.for_class(histories, name="azure_pdm")
    for day in ("2015-03-01", "2015-06-15"):
        assert first_seen_us(histories[0], day, declared) == instant_us(day) + DAY_US


@pytest.mark.data("azure_pdm")
def test_no_feature_sees_a_real_daily_mean_before_the_end_of_its_day() -> None:
    histories = read_histories(Path(require("data", "azure_pdm")))
    declared = FeatureSet.for_class(histories, name="azure_pdm")
    raw = pd.read_csv(Path(require("data", "azure_pdm")) / "PdM_telemetry_daily.csv")
    for history in histories[::50]:
        ours = raw[raw["machineID"] == float(history.asset_id)]
        for quantity in QUANTITIES:
            series = history.readings[quantity]
            np.testing.assert_array_equal(series.values, ours[quantity])
            ends = [instant_us(day) + DAY_US for day in ours["date"]]
            np.testing.assert_array_equal(series.at_us, ends)
        for day in ("2015-02-28", "2015-08-01"):
            assert first_seen_us(history, day, declared) == instant_us(day) + DAY_US


def test_a_failure_at_six_is_decided_at_midnight(folder: Path) -> None:
    histories = read_histories(folder)
    declared = FeatureSet.for_class(histories, name="azure_pdm")
    rows = label(build_table(histories, declared), "comp1", horizon_days=30)
    ends = rows.failed & (rows.duration_days <= 1)
    assert ends.sum() == rows.failures
    assert (rows.duration_days[ends] == 0.25).all()


def test_machines_are_read_with_their_model_and_age(folder: Path) -> None:
    histories = read_histories(folder)
    assert len(histories) == 8
    assert histories[2].statics == {"age_years": 3.0, "model0": 0.0, "model1": 1.0}
    assert histories[0].observation_start_us == instant_us("2015-01-01")


def test_the_figures_are_all_there_and_beat_age(folder: Path) -> None:
    histories = read_histories(folder)
    table = build_table(histories, FeatureSet.for_class(histories, name="azure_pdm"))
    rows = {"comp1": label(table, "comp1", horizon_days=30)}
    found = measure(rows, table, split_us=instant_us("2015-07-01"), seed=0)
    assert found["micro_f1"] > 0.8 > found["weibull_micro_f1"]
    assert set(found["by_component"]) == {"comp1"}
    assert found["within_7_days"]["hazard"]["brier"] < found["within_7_days"]["weibull"]["brier"]
    assert {"skill_7d", "skill_30d", "skill_by_component"} <= set(found)


def test_tallies_add_up() -> None:
    total = pooled([Tally(1, 2, 1), Tally(2, 2, 3)])
    assert total.as_rates()["precision"] == 0.75
    assert total.as_rates()["recall"] == 0.75
