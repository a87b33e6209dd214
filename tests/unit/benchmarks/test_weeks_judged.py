"""What the benchmark of lived weeks says of sensors that were recalibrated."""

from __future__ import annotations

import datetime as dt

from benchmarks.weeks_judged import RECALIBRATED, Recalibrated, Truths, told_of
from maintenance.choices import AlertKind
from maintenance.instants import from_us
from maintenance.models import Alert, Asset, MeasurementPoint
from predictors.schema import DAY_US
from predictors.simulate import PlantConfig, simulate

DAY = dt.timedelta(days=1)
END_US = 20_000 * DAY_US
AT = from_us(END_US)


def recalibrated(*, seed: int = 1) -> Truths:
    truths = Truths(simulate(PlantConfig(end_us=END_US, assets=12, days=60, seed=seed)))
    truths.recalibrate(AT)
    return truths


def alert(name: str, opened_at: dt.datetime) -> Alert:
    asset, _, code = name.partition(" ")
    point = MeasurementPoint(asset=Asset(code=asset), code=code)
    return Alert(kind=AlertKind.DRIFT, point=point, opened_at=opened_at)


def sensors(*names: str) -> list[Recalibrated]:
    return [Recalibrated(*name.split(), at=AT, days_alone=3.0) for name in names]


def test_sensors_are_drawn_from_distinct_assets_by_the_seed() -> None:
    names = [[str(one) for one in recalibrated(seed=seed).recalibrated] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assets = {name.split()[0] for name in names[0]}
    assert len(assets) == RECALIBRATED


def test_each_drawn_sensor_says_something_else_from_then_on() -> None:
    truths = recalibrated()
    for one in truths.recalibrated:
        changes = truths.plant.simulator.recalibrations(one.asset, one.quantity)
        assert [change.from_us for change in changes] == [END_US]


def test_it_says_how_long_ago_each_asset_was_repaired() -> None:
    truths = recalibrated()
    for one in truths.recalibrated:
        stops = truths.plant.simulator.stops(one.asset)
        told = None if one.days_alone is None else one.at - one.days_alone * DAY
        assert (told is None) == (not stops)
        assert told is None or abs(told - from_us(stops[-1].end_us)) < dt.timedelta(seconds=1)


def test_sensors_named_within_a_week_are_counted_and_the_others_told() -> None:
    told = told_of(
        sensors("PU-1 vibration", "PU-2 vibration", "MC-1 load"),
        [alert("PU-1 vibration", AT + 3 * DAY), alert("PU-2 vibration", AT + 9 * DAY)],
    )
    assert told["recalibrated"] == ["PU-1 vibration", "PU-2 vibration", "MC-1 load"]
    assert told["drift_alert_days"] == {
        "PU-1 vibration": 3.0,
        "PU-2 vibration": 9.0,
        "MC-1 load": None,
    }
    assert told["alerted_within_7_days"] == "1 of 3"
    assert told["first_sensor_drift_alert_days"] == 3.0
    assert told["drift_alerts_without_cause"] == 0


def test_alerts_about_other_sensors_or_from_before_are_without_cause() -> None:
    told = told_of(
        sensors("PU-1 vibration"),
        [alert("PU-1 vibration", AT - DAY), alert("PU-1 current", AT + DAY)],
    )
    assert told["alerted_within_7_days"] == "0 of 1"
    assert told["drift_alerts_without_cause"] == 2


def test_without_a_recalibration_every_alert_is_without_cause() -> None:
    told = told_of([], [alert("PU-1 vibration", AT)])
    assert told["recalibrated"] == []
    assert told["first_sensor_drift_alert_days"] is None
    assert told["drift_alerts_without_cause"] == 1
