"""A recalibrated sensor says something else from then on; the plant itself lives as before."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from predictors.schema import DAY_US
from predictors.simulate import PlantConfig, PlantSimulator, SimulationError, observe

END_US = 1_763_334_000_000_000
CONFIG = PlantConfig(end_us=END_US, assets=4, days=40, warm_up_days=100)
CHANGED_US = CONFIG.start_us + 20 * DAY_US
SENSOR = {"asset": "PU-101", "quantity": "vibration"}


def lived(**recalibration: float) -> PlantSimulator:
    """A plant whose sensor is recalibrated half way, if at all."""
    simulator = PlantSimulator(CONFIG)
    simulator.advance(CHANGED_US)
    if recalibration:
        simulator.recalibrate(**SENSOR, **recalibration)
    simulator.advance(END_US)
    return simulator


def of_sensor(simulator: PlantSimulator, *, code: str = "PU-101.vibration") -> pd.DataFrame:
    readings = observe(simulator, CONFIG.start_us, END_US).readings
    return readings[readings["point"] == code].reset_index(drop=True)


def test_nothing_changes_up_to_the_instant_and_everything_after_it() -> None:
    plain, changed = of_sensor(lived()), of_sensor(lived(gain=1.5, offset=0.2))
    before = plain["at_us"] <= CHANGED_US
    assert before.any()
    assert (~before).any()
    pd.testing.assert_frame_equal(plain[before], changed[before])
    expected = 1.5 * plain.loc[~before, "value"] + 0.2
    assert np.allclose(changed.loc[~before, "value"], expected, atol=2e-3)


def test_other_sensors_and_the_lives_of_components_stay_as_they_were() -> None:
    plain, changed = lived(), lived(gain=1.5)
    assert of_sensor(plain, code="PU-101.motor_current").equals(
        of_sensor(changed, code="PU-101.motor_current")
    )
    assert plain.failures == changed.failures


def test_a_window_renders_the_same_however_it_is_cut() -> None:
    simulator = lived(gain=1.5)
    whole = of_sensor(simulator)
    parts = [
        observe(simulator, CONFIG.start_us, CHANGED_US + DAY_US).readings,
        observe(simulator, CHANGED_US + DAY_US, END_US).readings,
    ]
    cut = pd.concat([part[part["point"] == "PU-101.vibration"] for part in parts])
    pd.testing.assert_frame_equal(whole, cut.reset_index(drop=True))


def test_the_newest_recalibration_counts_from_the_sensor_as_it_was_built() -> None:
    simulator = PlantSimulator(CONFIG)
    simulator.advance(CHANGED_US)
    simulator.recalibrate(**SENSOR, gain=3.0)
    simulator.advance(CHANGED_US + 5 * DAY_US)
    simulator.recalibrate(**SENSOR, gain=1.0, offset=1.0)
    simulator.advance(END_US)
    plain, changed = of_sensor(lived()), of_sensor(simulator)
    later = plain["at_us"] > CHANGED_US + 5 * DAY_US
    assert np.allclose(changed.loc[later, "value"], plain.loc[later, "value"] + 1.0, atol=2e-3)


def test_readings_stay_within_the_range_of_the_sensor() -> None:
    assert of_sensor(lived(gain=100.0))["value"].max() == 30.0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"asset": "PU-999"}, "asset: 'PU-999' is not in the plant"),
        ({"quantity": "colour"}, "quantity: 'colour' is none of vibration"),
        ({"gain": 0.0}, "gain: 0.0 must be above zero"),
        ({"gain": math.inf}, "gain: inf"),
        ({"offset": math.nan}, "offset: nan must be finite"),
    ],
)
def test_what_cannot_be_recalibrated_is_refused_by_name(
    wrong: dict[str, object], named: str
) -> None:
    with pytest.raises(SimulationError, match=named):
        PlantSimulator(CONFIG).recalibrate(**{**SENSOR, **wrong})  # type: ignore[arg-type]
