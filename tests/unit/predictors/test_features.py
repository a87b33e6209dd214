from dataclasses import replace

import numpy as np
import pytest

from predictors.features import build_features, needed_spans_us
from predictors.schema import DAY_US, HOUR_US, AssetHistory, Doubts, FeatureSet, Rows, Series


def ragged_history(seed: int, *, days: int = 120) -> AssetHistory:
    """Irregular readings with gaps, repeated instants and repeated values."""
    random = np.random.default_rng(seed)
    until_us = days * DAY_US

    def readings(count: int) -> Series:
        at_us = random.integers(0, until_us, count)
        at_us[: count // 4] = at_us[count // 4 : 2 * (count // 4)]
        lost = (at_us > until_us // 3) & (at_us < until_us // 2)
        return Series.from_unsorted(at_us[~lost], random.normal(100, 3, count)[~lost].round(1))

    def instants(count: int) -> np.ndarray:
        return np.sort(random.integers(0, until_us, count))

    return AssetHistory(
        asset_id="R",
        asset_class="ragged",
        commissioned_us=0,
        observed_until_us=until_us,
        readings={"load": readings(3000), "heat": readings(80)},
        events={"E1": instants(30), "E2": instants(3)},
        renewals={"seal": np.append(0, instants(3)), "belt": np.append(0, instants(1))},
        failures={"seal": instants(2)},
        statics={"power": 3.0},
    )


def bits(rows: Rows) -> np.ndarray:
    return rows.view(np.int32)


@pytest.fixture(scope="module")
def declared() -> FeatureSet:
    return FeatureSet.for_class([ragged_history(0)], name="ragged")


def test_one_origin_gives_the_bits_of_many(declared: FeatureSet) -> None:
    different, rows = 0, 0
    for seed in range(4):
        history = ragged_history(seed)
        random = np.random.default_rng(seed)
        daily = np.arange(0, 120, 3) * DAY_US + 6 * HOUR_US
        anywhere = random.integers(-5 * DAY_US, 125 * DAY_US, 40)
        origins = random.permutation(np.concatenate([daily, anywhere]))
        many = build_features(history, origins, declared)
        for position, origin in enumerate(origins):
            one = build_features(history, np.array([origin]), declared)
            different += int((bits(one)[0] != bits(many)[position]).sum())
            rows += 1
    assert rows == 320
    assert different == 0


def within(series: Series, spans: list[tuple[int, int]]) -> Series:
    inside = np.zeros(series.at_us.size, dtype=bool)
    for after, until in spans:
        inside |= (series.at_us > after) & (series.at_us <= until)
    return Series(series.at_us[inside], series.values[inside])


def test_readings_that_cannot_matter_may_stay_unread(declared: FeatureSet) -> None:
    history = ragged_history(5)
    for origin in np.arange(30, 120, 7) * DAY_US:
        origins = np.array([origin, origin - 3 * DAY_US])
        spans = needed_spans_us(replace(history, readings={}), origins, [declared])
        cut = {key: within(series, spans) for key, series in history.readings.items()}
        whole = build_features(history, origins, declared)
        part = build_features(replace(history, readings=cut), origins, declared)
        np.testing.assert_array_equal(bits(whole), bits(part))


def test_a_row_is_what_direct_arithmetic_says(declared: FeatureSet) -> None:
    history, origin = ragged_history(2), 100 * DAY_US + 1234
    row = dict(
        zip(declared.names, build_features(history, np.array([origin]), declared)[0], strict=True)
    )
    load = history.readings["load"]
    week = (load.at_us > origin - 7 * DAY_US) & (load.at_us <= origin)
    restart = history.restarts_us("seal")
    restart_us = restart[restart <= origin][-1]
    end_us = min(restart_us + 14 * DAY_US, origin)
    young = (load.at_us > restart_us) & (load.at_us <= end_us)
    codes = history.events["E1"][history.events["E1"] <= origin]
    assert row["load.mean.7d"] == pytest.approx(load.values[week].mean())
    assert row["load.std.7d"] == pytest.approx(load.values[week].std(ddof=1))
    assert row["load.count.7d"] == week.sum()
    assert row["load.last"] == pytest.approx(load.values[load.at_us <= origin][-1])
    assert row["load.deviation.seal.7d"] == pytest.approx(
        load.values[week].mean() - load.values[young].mean(), abs=1e-4
    )
    assert row["error.E1.30d"] == (codes > origin - 30 * DAY_US).sum()
    assert row["error.E1.since"] == pytest.approx((origin - codes[-1]) / DAY_US)
    assert row["seal.age"] == pytest.approx((origin - restart_us) / DAY_US)
    assert row["asset.since_renewal"] == min(row["seal.age"], row["belt.age"])
    assert row["static.power"] == 3


def test_a_daily_mean_is_not_seen_before_its_day_has_ended() -> None:
    days = np.arange(1, 11) * DAY_US
    history = AssetHistory(
        "D",
        "daily",
        commissioned_us=0,
        observed_until_us=10 * DAY_US,
        readings={"volt": Series(days, np.r_[np.zeros(4), 1000.0, np.zeros(5)])},
        renewals={"coil": np.array([0])},
    )
    declared = FeatureSet.for_class([history], name="daily")
    hourly = np.arange(3 * 24, 6 * 24) * HOUR_US
    rows = build_features(history, hourly, declared)
    volts = [spec.quantity == "volt" for spec in declared.specs]
    seen = (np.abs(np.nan_to_num(rows[:, volts])) >= 10).any(axis=1)
    assert hourly[seen].min() == 5 * DAY_US


def test_an_event_at_the_origin_is_known_and_a_later_one_is_not() -> None:
    history = AssetHistory(
        "E", "e", commissioned_us=0, observed_until_us=9 * DAY_US, events={"E1": [DAY_US]}
    )
    declared = FeatureSet.for_class([history], name="e")
    rows = build_features(history, np.array([DAY_US - 1, DAY_US]), declared)
    column = declared.names.index("error.E1.1d")
    assert rows[:, column].tolist() == [0, 1]


def test_an_old_last_value_counts_as_missing() -> None:
    history = AssetHistory(
        "O",
        "o",
        commissioned_us=0,
        observed_until_us=99 * DAY_US,
        readings={"load": Series(np.array([DAY_US]), np.array([7.0]))},
    )
    declared = FeatureSet.for_class([history], name="o")
    rows = build_features(history, np.array([30 * DAY_US, 31 * DAY_US]), declared)
    np.testing.assert_array_equal(rows[:, declared.names.index("load.last")], [7, np.nan])
    assert rows[0, declared.names.index("load.silence")] == 29


def test_a_quantity_that_an_asset_lacks_is_missing_and_not_zero() -> None:
    declared = FeatureSet.for_class([ragged_history(0)], name="ragged")
    bare = replace(ragged_history(0), readings={})
    rows = build_features(bare, np.array([50 * DAY_US]), declared)
    assert np.isnan(rows[0, [spec.quantity == "load" for spec in declared.specs]]).all()


def test_before_commissioning_there_is_no_age() -> None:
    declared = FeatureSet.for_class([ragged_history(0)], name="ragged")
    rows = build_features(ragged_history(0), np.array([-DAY_US]), declared)
    assert np.isnan(rows[0, declared.names.index("seal.age")])
    assert np.isnan(rows[0, declared.names.index("asset.age")])


def test_no_origin_gives_no_row(declared: FeatureSet) -> None:
    rows = build_features(ragged_history(0), np.empty(0, dtype=np.int64), declared)
    assert rows.shape == (0, len(declared.names))


def test_doubted_readings_are_left_out_of_the_origins_that_know() -> None:
    at_us = np.arange(20) * DAY_US
    values = np.linspace(1, 2, 20)
    doubts = Doubts(at_us[[8, 14]], at_us[[9, 15]], at_us[[11, 15]])
    wrong = values.copy()
    wrong[[8, 9, 14, 15]] = 99
    small = FeatureSet("small", "1", quantities=("load",))
    known = AssetHistory("F-1", "fan", 0, 30 * DAY_US, {"load": Series(at_us, wrong)})
    doubting = replace(known, doubts={"load": doubts})
    sound = [np.arange(20), np.r_[0:8, 10:20], np.r_[0:8, 10:14, 16:20]]
    for origin, kept in ((10, 0), (11, 1), (14, 1), (15, 2), (19, 2)):
        without = Series(at_us[sound[kept]], wrong[sound[kept]])
        expected = build_features(
            replace(known, readings={"load": without}), at_us[[origin]], small
        )
        np.testing.assert_array_equal(build_features(doubting, at_us[[origin]], small), expected)


def test_one_origin_and_many_give_the_same_bits_under_doubt() -> None:
    at_us = np.arange(200) * DAY_US // 4
    load = Series(at_us, np.random.default_rng(1).normal(size=200))
    doubts = Doubts(at_us[[20, 70, 120]], at_us[[30, 70, 140]], at_us[[25, 71, 130]])
    small = FeatureSet("small", "1", quantities=("load",))
    history = AssetHistory("F-1", "fan", 0, 60 * DAY_US, {"load": load}, doubts={"load": doubts})
    origins = np.arange(1, 50) * DAY_US
    one_by_one = [build_features(history, origins[[i]], small)[0] for i in range(len(origins))]
    np.testing.assert_array_equal(build_features(history, origins, small), np.stack(one_by_one))


def test_a_quantity_of_which_nothing_is_believed_counts_no_readings() -> None:
    at_us = np.arange(9) * DAY_US
    doubts = Doubts(at_us[[0]], at_us[[8]], at_us[[0]])
    small = FeatureSet("small", "1", quantities=("load",), modes=("belt",))
    history = AssetHistory(
        "F-1", "fan", 0, 9 * DAY_US, {"load": Series(at_us, at_us / 1.0)}, doubts={"load": doubts}
    )
    row = dict(zip(small.names, build_features(history, at_us[[8]], small)[0], strict=True))
    assert row["load.count.7d"] == 0
    assert np.isnan([row["load.last"], row["load.mean.7d"], row["load.deviation.belt.1d"]]).all()
