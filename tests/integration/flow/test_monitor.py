"""The nightly watch: what opens an alert, what does not, and what closes it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.db.models import F

from maintenance.choices import AlertKind, Outcome, Role
from maintenance.flow import monitor
from maintenance.instants import to_us
from maintenance.models import (
    Alert,
    AuditEntry,
    Downtime,
    DriftReport,
    FeatureRow,
    FeatureSet,
    Forecast,
    Label,
    MeasurementPoint,
    ModelVersion,
)
from maintenance.store import append
from predictors.drift import Profile
from predictors.schema import FeatureSet as Declaration
from tests.plants import MONDAY, REGISTER, Plant, forecast, model, tiny

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
NIGHTS = 60
POINTS = ("vibration", "temperature", "current")
DECLARED = Declaration("pump", "1", quantities=("vibration",), statistics={"mean": (1, 3, 7)})


def plant(
    assets: int = 12,
    *,
    seed: int = 1,
    step: float = 0.0,
    at_night: int = 0,
    of: str | None = "P-2",
    season: float = 0.0,
) -> Plant:
    """Pumps of three points that feel one load; one (or each) may read higher vibration since.

    All may follow a season, by so much a night now.
    """
    codes = [f"P-{n}" for n in range(1, assets + 1)]
    begun = MONDAY - 400 * DAY
    made = tiny(
        register=REGISTER
        | {
            "assets": [
                {"code": code, "asset_class": "pump", "commissioned_at": begun} for code in codes
            ],
            "points": [
                {"asset": code, "code": point, "name": point.title(), "unit": "mm/s"}
                for code in codes
                for point in POINTS
            ],
        }
    )
    random = np.random.default_rng(seed)
    for code in codes:
        load = random.choice([0.6, 0.8, 1.0], NIGHTS)
        for point, gain in zip(POINTS, (3.0, 10.0, 0.5), strict=True):
            values = 20 + gain * load + random.normal(0, 0.05, NIGHTS)
            values += season * np.arange(NIGHTS)
            if step and point == "vibration" and of in (code, None):
                values[-at_night:] += step
            speak(made, code, point, values)
    return made


def speak(made: Plant, code: str, point: str, values, *, until: dt.datetime = MONDAY) -> None:
    """A reading a day, at noon, the last one twelve hours before `until`."""
    at = [to_us(until - 12 * dt.timedelta(hours=1) - n * DAY) for n in range(len(values))]
    pk = made.asset(code).points.get(code=point).pk
    ids = np.full(len(values), pk, dtype=np.int64)
    instants = np.array(at[::-1], dtype=np.int64)
    append(ids, instants, np.asarray(values, dtype=np.float64), now=until)


def champion(made: Plant, *, learnt: np.ndarray | None = None) -> ModelVersion:
    version = model(made, "bearing")
    FeatureSet.objects.filter(pk=version.feature_set_id).update(declaration=DECLARED.to_dict())
    if learnt is not None:
        risks = np.linspace(0, 0.4, len(learnt))
        version.profile = Profile.of(learnt, DECLARED.names, risks).to_dict()
        version.save()
    return ModelVersion.objects.get(pk=version.pk)


def normal_rows(count: int, *, shift: float = 0.0, seed: int = 2) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(10, 1, (count, len(DECLARED.names)))
    return (rows + shift).astype(np.float32)


def nightly_rows(made: Plant, version: ModelVersion, *, shift: float, nights: int = 7) -> None:
    for night in range(9):
        moved = shift if night < nights else 0.0
        assets = list(made.site.assets.order_by("code"))
        for asset, row in zip(
            assets, normal_rows(len(assets), shift=moved, seed=night), strict=True
        ):
            FeatureRow.objects.create(
                asset=asset,
                feature_set=version.feature_set,
                as_of=MONDAY - night * DAY,
                values=FeatureRow.packed(row),
                recorded_at=MONDAY,
            )


def watch(made: Plant, *, at: dt.datetime = MONDAY) -> dict:
    return monitor.watch(site=made.site, as_of=at, now=at)


def standing(kind: AlertKind | None = None):
    found = Alert.objects.open()
    return found.filter(kind=kind) if kind else found


def test_steady_sensors_raise_nothing():
    made = plant()
    champion(made, learnt=normal_rows(500))
    told = watch(made)
    assert told["reports"] == 1
    assert not standing().exists()
    assert not DriftReport.objects.get().drifted


@pytest.mark.parametrize("nights", [3, 5, 7])
def test_a_recalibrated_sensor_is_named_within_a_week(nights):
    made = plant(step=1.0, at_night=nights)
    version = champion(made, learnt=normal_rows(500))
    assert watch(made)["alerts"] == 1
    alert = standing().get()
    assert alert.kind == AlertKind.DRIFT
    assert alert.point == made.asset("P-2").points.get(code="vibration")
    assert alert.model_version == version
    assert alert.parameters["size"] == pytest.approx(1.0, rel=0.2)
    told = dt.datetime.fromisoformat(alert.parameters["since"])
    assert abs(told - (MONDAY - nights * DAY)) <= DAY
    assert DriftReport.objects.get().drifted


def test_one_night_alone_raises_nothing():
    made = plant(step=1.0, at_night=1)
    champion(made, learnt=normal_rows(500))
    watch(made)
    assert not standing().exists()


def test_a_step_at_a_repair_is_another_unit_not_another_sensor():
    made = plant(step=1.0, at_night=5)
    champion(made, learnt=normal_rows(500))
    repaired = MONDAY - 5 * DAY
    made.take("replacements", [{"asset": "P-2", "component": "bearing", "replaced_at": repaired}])
    watch(made)
    assert not standing().exists()


@pytest.mark.parametrize("ago", [10, 14])
def test_a_sensor_of_an_asset_repaired_lately_is_named_too(ago):
    made = plant(step=1.0, at_night=5)
    champion(made, learnt=normal_rows(500))
    repaired = MONDAY - ago * DAY
    made.take("replacements", [{"asset": "P-2", "component": "bearing", "replaced_at": repaired}])
    watch(made)
    assert standing().get().point == made.asset("P-2").points.get(code="vibration")


def test_watching_twice_opens_one_alert_and_one_report():
    made = plant(step=1.0, at_night=4)
    champion(made, learnt=normal_rows(500))
    first, second = watch(made), watch(made)
    assert (first["alerts"], second["alerts"]) == (1, 0)
    assert Alert.objects.count() == DriftReport.objects.count() == 1


def test_an_alert_is_kept_while_its_step_is_remembered_then_closes_by_itself():
    made = plant(step=1.0, at_night=5)
    champion(made, learnt=normal_rows(500))
    watch(made)
    random = np.random.default_rng(9)
    for asset in made.site.assets.all():
        later = random.choice([0.6, 0.8, 1.0], 40)
        for point, gain in zip(POINTS, (3.0, 10.0, 0.5), strict=True):
            raised = 1.0 if (asset.code, point) == ("P-2", "vibration") else 0.0
            values = 20 + raised + gain * later + random.normal(0, 0.05, 40)
            speak(made, asset.code, point, values, until=MONDAY + 40 * DAY)
    watch(made, at=MONDAY + 8 * DAY)
    alert = Alert.objects.get()
    assert alert.closed_at is None
    assert alert.last_seen_at == MONDAY + 8 * DAY
    watch(made, at=MONDAY + 40 * DAY)
    assert Alert.objects.get().closed_at == MONDAY + 40 * DAY


def test_a_model_without_a_profile_has_no_report_and_is_named():
    made = plant(assets=2)
    version = champion(made)
    told = watch(made)
    assert told["reports"] == 0
    assert told["without_profile"] == [str(version)]
    assert not DriftReport.objects.exists()


def test_a_class_that_reads_higher_since_a_night_drifts():
    made = plant(step=1.0, at_night=7, of=None)
    version = champion(made, learnt=normal_rows(2000))
    nightly_rows(made, version, shift=5.0)
    watch(made)
    alert = standing().get()
    assert alert.parameters["quantity"] == "vibration"
    assert alert.point is None
    report = DriftReport.objects.get()
    assert report.drifted
    assert report.statistics["max_psi"] > 1
    assert report.statistics["units"] == 12


def test_a_season_that_the_rows_are_at_one_end_of_is_told_and_raises_nothing():
    made = plant(season=0.1)
    version = champion(made, learnt=normal_rows(2000))
    nightly_rows(made, version, shift=5.0)
    watch(made)
    assert not standing().exists()
    report = DriftReport.objects.get()
    assert not report.drifted
    assert report.statistics["moved"] == ["vibration"]
    assert report.statistics["quantities"] == []
    assert report.statistics["max_psi"] > 1


def test_a_class_that_steps_within_what_was_learnt_raises_nothing_and_names_no_sensor():
    made = plant(step=1.0, at_night=7, of=None)
    version = champion(made, learnt=normal_rows(2000))
    nightly_rows(made, version, shift=0.0)
    watch(made)
    assert not standing().exists()


def test_drift_of_a_class_stands_while_its_rows_are_away_though_the_step_is_long_ago():
    made = plant(step=1.0, at_night=7, of=None)
    version = champion(made, learnt=normal_rows(2000))
    nightly_rows(made, version, shift=5.0)
    watch(made)
    FeatureRow.objects.update(as_of=F("as_of") + 30 * DAY)
    watch(made, at=MONDAY + 30 * DAY)
    assert standing(AlertKind.DRIFT).exists()
    FeatureRow.objects.all().delete()
    watch(made, at=MONDAY + 31 * DAY)
    assert not standing(AlertKind.DRIFT).exists()


def test_rows_of_one_night_do_not_make_a_drift():
    made = plant()
    version = champion(made, learnt=normal_rows(2000))
    nightly_rows(made, version, shift=5.0, nights=1)
    watch(made)
    assert not standing().exists()


def judged(made: Plant, *, failed: int, of: int, risk: float) -> None:
    """Forecasts of three weeks ago; some of their assets failed within the fortnight."""
    champion(made, learnt=normal_rows(500))
    assets = list(made.site.assets.order_by("pk"))
    at = MONDAY - 170 * DAY
    for number in range(of):
        asset = assets[number % len(assets)]
        as_of = at + (number // len(assets)) * 15 * DAY
        foreseen = forecast(made, asset.code, "bearing", risk=risk, as_of=as_of)
        if number < failed:
            Label.objects.create(
                forecast=foreseen,
                outcome=Outcome.FAILED,
                observed_days=5,
                matured_at=as_of + 5 * DAY,
                recorded_at=MONDAY,
            )


def test_forecasts_that_prove_worse_than_they_promised_raise_an_alert():
    made = plant()
    judged(made, failed=30, of=96, risk=0.05)
    watch(made)
    alert = standing(AlertKind.PERFORMANCE).get()
    assert alert.parameters["failures"] == 30
    assert alert.model_version is not None


def test_forecasts_that_keep_their_promise_raise_none():
    made = plant()
    judged(made, failed=10, of=96, risk=0.1)
    watch(made)
    assert Forecast.objects.count() == 96
    assert not standing().exists()


def test_a_point_that_went_silent_is_named_and_closed_when_it_speaks_again():
    made = plant(assets=3)
    later = MONDAY + 5 * DAY
    for asset in made.site.assets.all():
        for point in POINTS:
            if (asset.code, point) != ("P-1", "current"):
                speak(made, asset.code, point, np.full(5, 20.0), until=later)
    watch(made, at=later)
    alert = standing(AlertKind.SILENT_POINT).get()
    assert alert.point == made.asset("P-1").points.get(code="current")
    speak(made, "P-1", "current", [20.0], until=later)
    assert watch(made, at=later)["closed"] == 1
    assert not standing().exists()


def test_a_silent_gateway_is_one_alert():
    made = plant(assets=3)
    watch(made, at=MONDAY + 6 * DAY)
    assert standing().get().key == "site"


def test_a_silent_asset_is_one_alert():
    made = plant(assets=3)
    later = MONDAY + 6 * DAY
    for code in ("P-1", "P-3"):
        for point in POINTS:
            speak(made, code, point, np.full(6, 20.0), until=later)
    watch(made, at=later)
    assert standing().get().key == f"asset:{made.asset('P-2').pk}"


def test_an_asset_that_stands_still_may_be_silent():
    made = plant(assets=3)
    later = MONDAY + 6 * DAY
    for code in ("P-1", "P-3"):
        for point in POINTS:
            speak(made, code, point, np.full(6, 20.0), until=later)
    Downtime.objects.create(
        asset=made.asset("P-2"), starts_at=MONDAY, planned=True, recorded_at=MONDAY
    )
    watch(made, at=later)
    assert not standing().exists()


def test_frequent_points_are_silent_after_a_day_not_after_minutes():
    made = plant(assets=2)
    for asset in made.site.assets.all():
        asset.points.update(sampling_seconds=60)
    watch(made, at=MONDAY + dt.timedelta(hours=11))
    assert not standing().exists()
    watch(made, at=MONDAY + dt.timedelta(hours=13))
    assert standing().exists()


@pytest.fixture
def alert() -> Alert:
    made = plant(assets=2)
    watch(made, at=MONDAY + 6 * DAY)
    return standing().get()


def test_who_acknowledges_owns_it(alert):
    user = Plant(alert.site, MONDAY).user(Role.PLANNER)
    monitor.acknowledge(alert=alert, note="Sent Ana to look", by=user, now=MONDAY)
    alert.refresh_from_db()
    assert (alert.owner, alert.note, alert.acknowledged_at) == (user, "Sent Ana to look", MONDAY)
    entry = AuditEntry.objects.get(action="alert acknowledged")
    assert entry.before["owner"] is None
    assert entry.after["owner"] == user.username


def test_silenced_it_is_not_shown_until_then(alert):
    user = Plant(alert.site, MONDAY).user(Role.PLANNER)
    monitor.silence(alert=alert, until=MONDAY + DAY, by=user, now=MONDAY)
    assert not Alert.objects.shown(now=MONDAY).exists()
    assert Alert.objects.shown(now=MONDAY + DAY).exists()


def test_silence_until_the_past_is_refused(alert):
    user = Plant(alert.site, MONDAY).user(Role.PLANNER)
    with pytest.raises(monitor.Refused):
        monitor.silence(alert=alert, until=MONDAY, by=user, now=MONDAY)


def test_closed_by_hand_it_opens_anew_while_its_cause_is_there(alert):
    made = Plant(alert.site, MONDAY)
    user = made.user(Role.PLANNER)
    monitor.close(alert=alert, by=user, now=MONDAY)
    with pytest.raises(monitor.Refused):
        monitor.close(alert=alert, by=user, now=MONDAY)
    watch(made, at=MONDAY + 7 * DAY)
    assert Alert.objects.count() == 2
    assert standing().get() != alert


def test_a_point_is_silent_once_its_own_threshold_is_over() -> None:
    made = plant()
    MeasurementPoint.objects.filter(asset__code="P-2", code="vibration").update(
        stale_after_seconds=6 * 3600
    )
    monitor.watch(site=made.site, as_of=MONDAY, now=MONDAY)
    alert = Alert.objects.get(kind=AlertKind.SILENT_POINT)
    assert (alert.point.asset.code, alert.point.code) == ("P-2", "vibration")


def test_a_point_that_is_often_silent_is_waited_for_as_long() -> None:
    made = plant()
    patient = MeasurementPoint.objects.filter(asset__code="P-2", code="vibration")
    patient.update(learnt_limits={"stale_after_us": 10 * 86_400_000_000}, sampling_seconds=60)
    monitor.watch(site=made.site, as_of=MONDAY + 4 * DAY, now=MONDAY)
    points = {a.point.asset.code + a.point.code for a in Alert.objects.all() if a.point}
    assert "P-2vibration" not in points
