"""The check of data quality: what it writes, that it repeats nothing, what features do without."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from maintenance.choices import QualityKind, Role
from maintenance.flow import quality
from maintenance.instants import to_us
from maintenance.models import AuditEntry, Downtime, MeasurementPoint, QualityInterval
from maintenance.queries import histories
from maintenance.store import append, read
from predictors.features import build_features
from predictors.schema import FeatureSet
from tests.plants import MONDAY, Plant, tiny

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
DAYS = 30
DECLARED = FeatureSet("pump", "1", quantities=("vibration",), statistics={"mean": (1, 7)})


@pytest.fixture
def plant() -> Plant:
    return tiny()


def point_of(plant: Plant, asset: str = "P-1") -> MeasurementPoint:
    return plant.asset(asset).points.get()


def hourly(until: dt.datetime = MONDAY, *, days: int = DAYS) -> tuple[np.ndarray, np.ndarray]:
    """A reading an hour, the last one an hour before the end."""
    at_us = to_us(until - days * DAY) + np.arange(24 * days) * 3_600_000_000
    values = np.random.default_rng(7).normal(3.0, 0.2, len(at_us)).round(4)
    return at_us.astype(np.int64), values


def speak(point: MeasurementPoint, at_us: np.ndarray, values: np.ndarray) -> None:
    ids = np.full(len(values), point.pk, dtype=np.int64)
    append(ids, at_us, np.asarray(values, dtype=np.float64), now=MONDAY)


def check(plant: Plant, *, as_of: dt.datetime = MONDAY) -> dict:
    return quality.check_readings(site=plant.site, as_of=as_of, now=as_of)


def told(point: MeasurementPoint) -> list[tuple[str, dt.datetime, dt.datetime, int]]:
    found = QualityInterval.objects.filter(point=point).order_by("starts_at")
    return list(found.values_list("kind", "starts_at", "ends_at", "readings"))


def at(place: int) -> dt.datetime:
    return MONDAY - DAYS * DAY + place * HOUR


def test_good_readings_are_left_alone(plant: Plant) -> None:
    speak(point_of(plant), *hourly())
    check(plant)
    assert told(point_of(plant)) == []


def test_limits_are_learnt_and_kept_with_the_point(plant: Plant) -> None:
    speak(point_of(plant), *hourly())
    check(plant)
    learnt = point_of(plant).learnt_limits
    assert learnt["sampling_us"] == 3_600_000_000
    assert learnt["low"] < 3 < learnt["high"]


def test_a_spike_a_flat_line_and_values_out_of_range_are_told(plant: Plant) -> None:
    at_us, values = hourly()
    values[100] = 9.0
    values[200:240] = 3.3333
    values[400:403] = 9999
    speak(point_of(plant), at_us, values)
    check(plant)
    assert told(point_of(plant)) == [
        (QualityKind.SPIKE, at(100), at(100), 1),
        (QualityKind.FLAT, at(200), at(239), 40),
        (QualityKind.OUT_OF_RANGE, at(400), at(402), 3),
    ]


def test_flagged_readings_stay_stored(plant: Plant) -> None:
    at_us, values = hourly()
    values[100] = 9999
    speak(point_of(plant), at_us, values)
    check(plant)
    _instants, kept = read([point_of(plant).pk], 0, to_us(MONDAY))[point_of(plant).pk]
    assert kept.tolist() == values.tolist()


def test_a_second_check_changes_nothing(plant: Plant) -> None:
    at_us, values = hourly()
    values[100], values[200:240] = 9.0, 3.3333
    speak(point_of(plant), at_us, values)
    check(plant)
    before = list(QualityInterval.objects.values())
    MeasurementPoint.objects.update(quality_checked_until=None)
    assert check(plant)["new"] == 0
    assert list(QualityInterval.objects.values()) == before


def test_a_check_of_what_was_checked_reads_nothing(plant: Plant) -> None:
    speak(point_of(plant), *hourly())
    check(plant)
    assert check(plant)["readings"] == 0


def test_night_by_night_a_flat_line_stays_one_interval(plant: Plant) -> None:
    at_us, values = hourly()
    values[-96:] = 3.3333
    point = point_of(plant)
    for days_ago in (5, 4, 3, 2, 1, 0):
        as_of = MONDAY - days_ago * DAY
        arrived = at_us < to_us(as_of)
        speak(point, at_us[arrived], values[arrived])
        check(plant, as_of=as_of)
    last = DAYS * 24 - 1
    assert told(point) == [(QualityKind.FLAT, at(last - 95), at(last), 96)]


def test_night_by_night_another_unit_stays_one_interval(plant: Plant) -> None:
    at_us, values = hourly()
    values[-200:] /= 25.4
    point = point_of(plant)
    for days_ago in range(10, -1, -1):
        as_of = MONDAY - days_ago * DAY
        arrived = at_us < to_us(as_of)
        speak(point, at_us[arrived], values[arrived])
        check(plant, as_of=as_of)
    last = DAYS * 24 - 1
    assert told(point) == [(QualityKind.UNIT_MISMATCH, at(last - 199), at(last), 200)]
    assert QualityInterval.objects.get().details == {"unit": "in/s"}


def test_a_silence_grows_until_readings_come_again(plant: Plant) -> None:
    at_us, values = hourly()
    point = point_of(plant)
    speak(point, at_us[:600], values[:600])
    for days_ago in (4, 3):
        check(plant, as_of=MONDAY - days_ago * DAY)
    assert told(point) == [(QualityKind.STALE, at(599), MONDAY - 3 * DAY, 0)]
    speak(point, at_us[700:], values[700:])
    check(plant)
    assert told(point) == [(QualityKind.STALE, at(599), at(700), 0)]


def test_an_asset_known_to_stand_still_may_be_silent(plant: Plant) -> None:
    at_us, values = hourly()
    Downtime.objects.create(
        asset=plant.asset("P-1"),
        starts_at=at(300),
        ends_at=at(350),
        planned=True,
        recorded_at=MONDAY,
    )
    keep = (np.arange(len(values)) < 300) | (np.arange(len(values)) >= 350)
    speak(point_of(plant), at_us[keep], values[keep])
    check(plant)
    assert told(point_of(plant)) == []


def test_what_somebody_set_goes_before_what_was_learnt(plant: Plant) -> None:
    at_us, values = hourly()
    values[50] = 4.5
    MeasurementPoint.objects.filter(pk=point_of(plant).pk).update(plausible_max=4.2)
    speak(point_of(plant), at_us, values)
    check(plant)
    assert told(point_of(plant)) == [(QualityKind.OUT_OF_RANGE, at(50), at(50), 1)]


def test_a_new_threshold_judges_the_history_anew_and_leaves_a_trace(plant: Plant) -> None:
    at_us, values = hourly()
    values[50] = 4.5
    point = point_of(plant)
    MeasurementPoint.objects.filter(pk=point.pk).update(plausible_max=4.2)
    speak(point, at_us, values)
    check(plant)
    user = plant.user(Role.RELIABILITY_ENGINEER)
    quality.set_thresholds(
        point=point, changes={"plausible_max": 6.0, "largest_step": 5.0}, by=user, now=MONDAY
    )
    check(plant)
    assert told(point) == []
    entry = AuditEntry.objects.get(action="thresholds changed")
    assert (entry.before["plausible_max"], entry.after["plausible_max"]) == (4.2, 6.0)


def test_features_do_without_flagged_readings(plant: Plant) -> None:
    at_us, clean = hourly()
    wrong = clean.copy()
    wrong[-20:-15] = 9999
    speak(point_of(plant), at_us, wrong)
    check(plant)
    kept = np.delete(np.arange(len(clean)), np.arange(len(clean) - 20, len(clean) - 15))
    speak(point_of(plant, "P-2"), at_us[kept], clean[kept])
    rows = [
        build_features(
            histories.of_asset(plant.asset(code), as_of=MONDAY, feature_sets=[DECLARED]),
            np.array([to_us(MONDAY)]),
            DECLARED,
        )
        for code in ("P-1", "P-2")
    ]
    np.testing.assert_array_equal(rows[0], rows[1])


def test_training_and_scoring_leave_out_the_same(plant: Plant) -> None:
    at_us, values = hourly()
    values[300:340], values[500:560], values[650] = 3.3333, 3.1111, 12.0
    speak(point_of(plant), at_us, values)
    nights = [MONDAY - n * DAY for n in range(20, -1, -1)]
    served = []
    for night in nights:
        check(plant, as_of=night)
        known = histories.of_asset(plant.asset("P-1"), as_of=night, feature_sets=[DECLARED])
        served.append(build_features(known, np.array([to_us(night)]), DECLARED)[0])
    assert QualityInterval.objects.count() == 3
    asset_class = plant.asset("P-1").asset_class
    whole = histories.of_class(asset_class, as_of=MONDAY)[0]
    learnt = build_features(whole, np.array([to_us(night) for night in nights]), DECLARED)
    np.testing.assert_array_equal(learnt, np.stack(served))


def test_an_origin_before_a_flat_line_could_be_told_sees_it(plant: Plant) -> None:
    at_us, values = hourly()
    values[300:340] = 3.3333
    speak(point_of(plant), at_us, values)
    check(plant)
    interval = QualityInterval.objects.get()
    assert at(300) < interval.known_at < at(339)
    history = histories.of_class(plant.asset("P-1").asset_class, as_of=MONDAY)[0]
    last = [
        float(build_features(history, np.array([to_us(origin)]), DECLARED)[0, 0])
        for origin in (at(303), interval.known_at)
    ]
    assert last[0] == pytest.approx(3.3333)
    assert last[1] == pytest.approx(values[299])


def test_a_long_history_is_checked_in_stretches_as_if_at_once(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_us, values = hourly(days=80)
    values[600], values[1000:1060] = 9.0, 3.3333
    point = point_of(plant)
    keep = np.ones(len(values), np.bool_)
    keep[1300:1400] = False
    speak(point, at_us[keep], values[keep])
    check(plant)
    at_once = told(point)
    assert [row[0] for row in at_once] == [QualityKind.SPIKE, QualityKind.FLAT, QualityKind.STALE]
    QualityInterval.objects.all().delete()
    MeasurementPoint.objects.update(quality_checked_until=None)
    monkeypatch.setattr(quality, "HELD_READINGS", 10 * 24)
    held = []

    def counted(points: list[int], start_us: int, end_us: int) -> dict:
        found = read(points, start_us, end_us)
        held.append(sum(len(one) for one, _values in found.values()))
        return found

    monkeypatch.setattr(quality.store, "read", counted)
    check(plant)
    assert told(point) == at_once
    assert max(held) <= 2 * 10 * 24 + 2


def test_a_run_ends_between_two_points(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    for asset in ("P-1", "P-2"):
        speak(point_of(plant, asset), *hourly())
    points = MeasurementPoint.objects.of_site(plant.site).count()
    monkeypatch.setattr(quality, "MOST_READINGS", 1)
    first = check(plant)
    assert (first["readings"], first["points"] + first["left"]) == (24 * DAYS, points)
    assert check(plant)["readings"] == 24 * DAYS
    assert check(plant)["left"] == 0


@pytest.mark.parametrize("checked", [False, True])
def test_a_judgement_that_was_overtaken_is_dropped(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, *, checked: bool
) -> None:
    at_us, values = hourly()
    values[-12] = 4.5
    point = point_of(plant)
    MeasurementPoint.objects.filter(pk=point.pk).update(
        plausible_max=4.2, quality_checked_until=MONDAY - DAY if checked else None
    )
    speak(point, at_us, values)
    user = plant.user(Role.RELIABILITY_ENGINEER)
    judge = quality.check

    def overtaken(*given, **more):
        changes = {"plausible_max": 6.0, "largest_step": 5.0}
        quality.set_thresholds(point=point, changes=changes, by=user, now=MONDAY)
        return judge(*given, **more)

    monkeypatch.setattr(quality, "check", overtaken)
    assert check(plant)["left"] == 1
    point.refresh_from_db()
    assert (told(point), point.quality_checked_until) == ([], None)
    monkeypatch.setattr(quality, "check", judge)
    assert check(plant)["left"] == 0
    assert told(point) == []
