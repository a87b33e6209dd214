from dataclasses import replace

import numpy as np
import pytest

from predictors.dataset import build_dataset, build_table, label, lives, origins_every
from predictors.errors import DatasetError
from predictors.schema import DAY_US, AssetHistory, FeatureSet


def fan(
    *,
    renewals: list[float] = (0,),
    failures: list[float] = (),
    until: int = 100,
    since: int | None = None,
) -> AssetHistory:
    return AssetHistory(
        "F-1",
        "fan",
        commissioned_us=0,
        observed_until_us=until * DAY_US,
        observed_from_us=None if since is None else since * DAY_US,
        renewals={"belt": (np.array(renewals) * DAY_US).astype(np.int64)},
        failures={"belt": (np.array(failures) * DAY_US).astype(np.int64)},
    )


def spans(history: AssetHistory) -> list[tuple[float, float, bool]]:
    return [
        (life.entry_us / DAY_US, life.end_us / DAY_US, life.failed)
        for life in lives([history], "belt")
    ]


def test_a_preventive_renewal_censors_the_life_it_ends() -> None:
    assert spans(fan(renewals=[0, 40])) == [(0, 40, False), (40, 100, False)]


def test_a_failure_repaired_at_once_ends_one_life_and_begins_the_next() -> None:
    assert spans(fan(renewals=[0, 40], failures=[40])) == [(0, 40, True), (40, 100, False)]


def test_time_down_belongs_to_no_life() -> None:
    assert spans(fan(renewals=[0, 44], failures=[40])) == [(0, 40, True), (44, 100, False)]


def test_a_failure_without_a_recorded_renewal_counts_as_renewed() -> None:
    assert spans(fan(failures=[40, 60])) == [(0, 40, True), (40, 60, True), (60, 100, False)]


def test_a_renewal_long_after_a_failure_is_not_its_repair() -> None:
    assert spans(fan(renewals=[0, 90], failures=[40]))[1:] == [(40, 90, False), (90, 100, False)]


def test_lives_before_observation_are_left_out_and_the_running_one_enters_late() -> None:
    found = lives([fan(renewals=[0, 20, 30], since=25)], "belt")
    assert [(life.entry_days, life.end_days) for life in found] == [(5, 10), (0, 70)]


def test_what_happens_after_the_end_of_observation_is_not_known() -> None:
    assert spans(fan(renewals=[0, 150], failures=[150])) == [(0, 100, False)]


def test_origins_are_whole_days_within_observation() -> None:
    history = replace(fan(until=10), observed_from_us=3 * DAY_US + 1)
    assert (origins_every(history, every_days=2) // DAY_US).tolist() == [4, 6, 8]
    assert (origins_every(history, hour_utc=6) % DAY_US == DAY_US // 4).all()


def rows_of(history: AssetHistory, **options: object) -> dict[int, tuple[float, bool]]:
    declared = FeatureSet.for_class([history], name="fan")
    found = build_dataset([history], "belt", declared, horizon_days=30, **options)
    return {
        int(origin // DAY_US): (float(days), bool(failed))
        for origin, days, failed in zip(
            found.origin_us, found.duration_days, found.failed, strict=True
        )
    }


def test_each_row_knows_how_long_it_lived() -> None:
    rows = rows_of(fan(renewals=[0, 40.25, 70], failures=[40.25]))
    assert rows[40] == (0.25, True)
    assert rows[41] == (29.0, False)
    assert rows[0] == (40.25, True)


def test_a_row_decided_at_the_instant_of_a_failure_belongs_to_the_next_life() -> None:
    assert rows_of(fan(renewals=[0, 40], failures=[40]))[40] == (60, False)


def test_there_is_no_row_while_the_asset_is_down() -> None:
    assert not {41, 42, 43} & set(rows_of(fan(renewals=[0, 44], failures=[40.5])))


def test_rows_may_be_asked_for_at_given_origins() -> None:
    rows = rows_of(fan(), origins_us={"F-1": np.array([3, 5]) * DAY_US, "other": np.array([1])})
    assert set(rows) == {3, 5}


def test_modes_share_one_table() -> None:
    history = fan()
    table = build_table([history], FeatureSet.for_class([history], name="fan"))
    with pytest.raises(DatasetError, match="mode: rotor"):
        label(table, "rotor", horizon_days=30)


def test_knowing_less_censors_at_that_instant() -> None:
    history = fan(renewals=[0, 40], failures=[40])
    declared = FeatureSet.for_class([history], name="fan")
    past = build_dataset([history], "belt", declared, horizon_days=30).known_by(30 * DAY_US)
    assert past.failures == 0
    assert past.origin_us.max() == 29 * DAY_US
    assert past.duration_days.max() == 30
    assert [life.end_days for life in past.lives if life.end_us > life.entry_us] == [30]


def test_the_rows_of_some_assets_keep_their_lives() -> None:
    histories = [replace(fan(failures=[40]), asset_id=name) for name in ("F-1", "F-2")]
    declared = FeatureSet.for_class(histories, name="fan")
    half = build_dataset(histories, "belt", declared, horizon_days=30).of_assets({"F-2"})
    assert half.asset_ids == ("F-2",)
    assert {half.lives[life].asset_id for life in half.life} == {"F-2"}
    assert half.assets == 1


def test_equal_data_have_equal_hashes_and_a_flipped_label_another() -> None:
    histories = [fan(failures=[40])]
    declared = FeatureSet.for_class(histories, name="fan")
    one, two = (build_dataset(histories, "belt", declared, horizon_days=30) for _ in range(2))
    flipped = two.failed.copy()
    flipped[0] = not flipped[0]
    assert one.content_hash == two.content_hash
    assert replace(two, failed=flipped).content_hash != one.content_hash


def test_rows_that_do_not_fit_together_are_refused() -> None:
    histories = [fan()]
    declared = FeatureSet.for_class(histories, name="fan")
    good = build_dataset(histories, "belt", declared, horizon_days=30)
    with pytest.raises(DatasetError, match="failed"):
        replace(good, failed=good.failed[1:])
    with pytest.raises(DatasetError, match="names"):
        replace(good, names=good.names[1:])
    with pytest.raises(DatasetError, match="duration_days"):
        replace(good, duration_days=good.duration_days * 0)
    with pytest.raises(DatasetError, match="horizon_days"):
        replace(good, horizon_days=0)
