import numpy as np
import pytest

from predictors.errors import CurveError, FeatureSetError, HistoryError
from predictors.schema import DAY_US, AssetHistory, FeatureSet, RiskCurve, Series


def test_a_series_that_goes_back_is_refused() -> None:
    with pytest.raises(HistoryError, match="at_us: instants go back"):
        Series(at_us=np.array([2, 1]), values=np.array([0.0, 0.0]))


def test_a_series_with_a_gap_written_as_nan_is_refused() -> None:
    with pytest.raises(HistoryError, match="1 are not finite"):
        Series(at_us=np.array([1, 2]), values=np.array([0.0, np.nan]))


def test_a_series_of_two_lengths_is_refused() -> None:
    with pytest.raises(HistoryError, match="shape"):
        Series(at_us=np.array([1, 2]), values=np.array([0.0]))


def test_unsorted_readings_are_sorted_and_gaps_dropped() -> None:
    series = Series.from_unsorted(np.array([3, 1, 2]), np.array([30.0, 10.0, np.inf]))
    assert series.at_us.tolist() == [1, 3]
    assert series.values.tolist() == [10.0, 30.0]


def test_a_history_with_unsorted_failures_is_refused_by_asset_and_field() -> None:
    with pytest.raises(HistoryError, match=r"asset P-1: failures\[seal\]"):
        AssetHistory(
            "P-1", "pump", commissioned_us=0, observed_until_us=9, failures={"seal": [5, 2]}
        )


def test_a_history_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(HistoryError, match="observed_until_us"):
        AssetHistory("P-1", "pump", commissioned_us=9, observed_until_us=5)


def test_age_restarts_at_commissioning_renewals_and_failures() -> None:
    pump = AssetHistory(
        "P-1",
        "pump",
        commissioned_us=0,
        observed_until_us=9,
        renewals={"seal": np.array([4, 6])},
        failures={"seal": np.array([3, 6])},
    )
    assert pump.restarts_us("seal").tolist() == [0, 3, 4, 6]


def test_a_component_older_than_its_asset_keeps_its_age() -> None:
    pump = AssetHistory(
        "P-1", "pump", commissioned_us=5, observed_until_us=9, renewals={"seal": np.array([2])}
    )
    assert pump.restarts_us("seal").tolist() == [2]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"statistics": {"median": (1,)}}, "statistics"),
        ({"statistics": {"mean": (0.3,)}}, "windows"),
        ({"event_windows_days": (0,)}, "windows"),
        ({"block_hours": 7}, "block_hours"),
        ({"quantities": ("load", "load")}, "names"),
    ],
)
def test_a_feature_set_that_cannot_be_computed_is_refused(
    wrong: dict[str, object], field: str
) -> None:
    with pytest.raises(FeatureSetError, match=field):
        FeatureSet("pump", "1", **wrong)


def test_a_feature_set_survives_json() -> None:
    declared = FeatureSet("pump", "2", quantities=("load",), modes=("seal",), error_codes=("E1",))
    back = FeatureSet.from_dict(declared.to_dict())
    assert back.names == declared.names
    assert back.code_hash == declared.code_hash


def test_a_feature_set_without_a_field_is_refused() -> None:
    plain = FeatureSet("pump", "1").to_dict()
    del plain["modes"]
    with pytest.raises(FeatureSetError, match="modes"):
        FeatureSet.from_dict(plain)


def test_a_changed_window_changes_the_hash() -> None:
    hashes = {
        FeatureSet("pump", "1", statistics={"mean": windows}).code_hash
        for windows in ((1,), (2,), (1, 2))
    }
    assert len(hashes) == 3


def test_each_column_says_what_it_measures() -> None:
    declared = FeatureSet("pump", "1", quantities=("load",), modes=("seal",))
    spec = next(spec for spec in declared.specs if spec.name == "load.deviation.seal.7d")
    assert (spec.kind, spec.quantity, spec.window_days, spec.mode) == (
        "deviation",
        "load",
        7,
        "seal",
    )


@pytest.mark.parametrize(
    ("risk", "reason"),
    [
        ([0, 0.5, 0.4], "decreases"),
        ([0.1, 0.5, 0.6], "starts at"),
        ([0, 0.5], "shape"),
        ([0, 0.5, 1.5], "within 0..1"),
        ([0, np.nan, 0.5], "within 0..1"),
    ],
)
def test_what_is_no_risk_curve_is_refused(risk: list[float], reason: str) -> None:
    with pytest.raises(CurveError, match=reason):
        RiskCurve.certain(horizon_days=2, risk=np.array(risk))


def test_a_band_that_does_not_hold_its_curve_is_refused() -> None:
    curve = np.array([0, 0.2])
    with pytest.raises(CurveError, match="band"):
        RiskCurve(horizon_days=1, risk=curve, low=curve, high=curve / 2)


def test_a_question_beyond_the_horizon_is_refused() -> None:
    curve = RiskCurve.certain(horizon_days=1, risk=np.array([0, 0.2]))
    with pytest.raises(CurveError, match="outside"):
        curve.at(1.5)
    with pytest.raises(CurveError, match="outside"):
        curve.rul_quantile(1.0)


def test_remaining_life_falls_where_the_curve_reaches_the_quantile() -> None:
    curve = RiskCurve.certain(horizon_days=3, risk=np.array([0, 0.0, 0.5, 0.5]))
    assert curve.rul_quantile(0.25) == 1.5
    assert curve.rul_quantile(0.5) == 2
    assert curve.rul_quantile(0.51) is None


def test_mean_life_is_the_area_under_survival() -> None:
    days = np.arange(61)
    curve = RiskCurve.certain(horizon_days=60, risk=1 - np.exp(-days / 30))
    assert curve.mean_life_until(45.5) == pytest.approx(30 * (1 - np.exp(-45.5 / 30)), abs=0.01)
    assert curve.mean_life_until(0) == 0


def test_a_curve_survives_json() -> None:
    curve = RiskCurve.certain(horizon_days=2, risk=np.array([0, 0.1, 0.3]))
    back = RiskCurve.from_dict(curve.to_dict())
    assert back.risk.tolist() == curve.risk.tolist()
    with pytest.raises(CurveError, match="cannot be read"):
        RiskCurve.from_dict({"risk": [0]})


def test_a_day_is_twenty_four_hours() -> None:
    assert DAY_US == 24 * 3600 * 1_000_000
