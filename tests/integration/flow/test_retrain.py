"""A challenger serves if the gate lets it; what serves is one version, and it can go back."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import pytest
from django.db import transaction

from maintenance.choices import ModelState, Role, ServingStart, Trigger, Verdict
from maintenance.flow import featurize, forecast, retrain
from maintenance.flow.retrain import judging
from maintenance.models import (
    AuditEntry,
    DatasetVersion,
    FeatureSet,
    Forecast,
    ModelVersion,
    Serving,
    TrainingRun,
)
from maintenance.operations import Overtaken
from predictors import archive, gate
from predictors.drift import Profile
from predictors.errors import ArtefactCorrupt
from tests.plants import MONDAY, REGISTER, Plant, measure, tiny, with_history

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def artefacts(settings, tmp_path) -> Path:
    settings.ARTEFACTS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def plant(artefacts) -> Plant:
    return with_history(assets=4, days=90)


def train(plant: Plant, as_of: dt.datetime = MONDAY, **more) -> dict:
    return retrain.train(site=plant.site, as_of=as_of, now=plant.now, **more)


def champion(mode: str = "bearing") -> ModelVersion:
    return ModelVersion.objects.champions().get(failure_mode__code=mode)


def runs(mode: str = "bearing") -> list[TrainingRun]:
    return list(TrainingRun.objects.filter(failure_mode__code=mode).order_by("pk"))


def servings(mode: str = "bearing") -> list[tuple[int, str, bool]]:
    """Version, how it began, whether it goes on; the first first."""
    rows = Serving.objects.filter(failure_mode__code=mode).order_by("pk")
    return [(row.model_version.version, row.start, row.until_at is None) for row in rows]


@pytest.fixture
def lenient(monkeypatch) -> None:
    """The gate lets everything through: what happens after it is what is tested."""
    passed = gate.Verdict(promoted=True, reason="not worse")
    monkeypatch.setattr(judging, "verdict", lambda *_: passed)


@pytest.fixture
def three(plant, lenient) -> Plant:
    """Versions 1, 2 and 3 served one after the other."""
    for days in (20, 10, 0):
        train(plant, MONDAY - days * DAY)
    return plant


def test_below_the_evidence_that_a_fit_needs_the_baseline_serves_and_says_so(plant):
    train(plant)
    bearing = champion()
    assert bearing.family == "weibull"
    assert "failures, 10 needed for a model of readings" in bearing.why
    assert "risk by age serves" in bearing.why
    seal = champion("seal")
    assert seal.family == "constant"
    assert "constant rate serves" in seal.why
    assert seal.grade == "D"


def test_what_a_model_learnt_from_is_on_record(plant):
    result = train(plant)
    version = champion()
    assert version.trained_as_of == MONDAY
    assert version.metrics["failures"] == plant.mode("bearing").failures.count()
    assert version.dataset_hash == version.metrics["dataset_hash"]
    assert version.life["shape"] > 1
    told = {(model["asset_class"], model["failure_mode"]): model for model in result["models"]}
    assert told["pump", "bearing"]["version"] == 1
    assert told["pump", "bearing"]["verdict"] == Verdict.PROMOTED


def test_the_rows_a_model_learnt_from_can_be_read_again(plant, artefacts):
    train(plant)
    kept = champion().dataset
    dataset = archive.recall(artefacts / kept.folder)
    assert kept.content_hash == dataset.content_hash == champion().dataset_hash
    assert (kept.rows, kept.failures) == (len(dataset), dataset.failures)


def test_the_same_rows_are_one_dataset_however_often_they_are_learnt_from(plant):
    train(plant)
    train(plant)
    assert DatasetVersion.objects.filter(failure_mode__code="bearing").count() == 1
    assert ModelVersion.objects.filter(failure_mode__code="bearing").count() == 2


def test_a_profile_for_drift_is_kept_with_the_version(plant):
    train(plant)
    profile = Profile.from_dict(champion().profile)
    assert list(profile.features) == ["bearing.age"]
    assert profile.risk_14_days.shares


def test_the_first_model_serves_because_nothing_did(plant):
    train(plant, trigger=Trigger.TIMETABLE)
    [run] = runs()
    assert (run.trigger, run.verdict, run.champion_before) == ("first", "promoted", None)
    assert run.challenger == champion()
    assert servings() == [(1, ServingStart.PROMOTION, True)]


def test_learning_from_the_same_rows_again_changes_nothing_that_serves(plant):
    train(plant)
    train(plant)
    states = ModelVersion.objects.filter(failure_mode__code="bearing")
    assert dict(states.values_list("version", "state")) == {1: "champion", 2: "rejected"}
    assert runs()[-1].verdict == Verdict.REJECTED
    assert runs()[-1].reason == "it learnt from the same rows as version 1: nothing is new"
    assert servings() == [(1, "promotion", True)]
    assert FeatureSet.objects.count() == 1


def test_with_too_few_new_failures_the_champion_stays(plant):
    train(plant, MONDAY - DAY)
    train(plant)
    [_, again] = runs("seal")
    assert again.verdict == Verdict.REJECTED
    assert "3 needed" in again.reason
    assert champion("seal").version == 1


def test_a_better_challenger_takes_over_with_its_figures(artefacts):
    """By age alone at first; then there are failures enough to learn from readings."""
    plant = with_history(assets=6, days=240)
    train(plant, MONDAY - 150 * DAY)
    assert champion().family == "weibull"
    train(plant, trigger=Trigger.TIMETABLE)
    [_, second] = runs()
    assert (second.verdict, second.trigger) == ("promoted", "timetable"), second.reason
    assert second.champion_before.version == 1
    assert "an asset-year against" in second.reason
    assert champion().family == "hazard"
    assert servings() == [(1, "promotion", False), (2, "promotion", True)]
    assert set(second.comparison["scores"]) == {"challenger", "champion", "baseline"}
    assert second.comparison["against"]["champion"]["cost"]["value"] < 0
    assert champion().metrics["held_out"]["scores"]["challenger"]["calibration"]


def test_a_champion_that_reads_other_columns_is_judged_by_its_own(plant):
    train(plant, MONDAY - DAY)
    plant.take("points", [{"asset": "P-2", "code": "load", "name": "Load", "unit": "%"}])
    measure(plant, "P-2", point="load", until=MONDAY, days=100)
    train(plant)
    assert FeatureSet.objects.count() == 2
    assert "champion" in runs()[-1].comparison["scores"]


def test_a_champion_whose_files_are_gone_does_not_stop_its_successor(plant, artefacts):
    train(plant, MONDAY - 10 * DAY)
    (artefacts / champion().artefact / "manifest.json").unlink()
    train(plant)
    assert "champion" not in runs()[-1].comparison["scores"]
    assert champion().version == 2


def test_where_nothing_served_the_baseline_stands_in_for_a_loser(plant, monkeypatch):
    lost = gate.Verdict(promoted=False, reason="costs 9 an asset-year, the baseline 8")
    won = gate.Verdict(promoted=True, reason="the baseline itself")
    verdicts = iter([lost, won, won])
    monkeypatch.setattr(judging, "verdict", lambda *_: next(verdicts))
    train(plant)
    assert [run.verdict for run in runs()] == ["rejected", "promoted"]
    assert champion().version == 2
    assert champion().why.startswith("costs 9 an asset-year")


def test_a_verdict_found_against_another_champion_does_not_count(plant, monkeypatch):
    """Somebody promotes by hand while the challenger is being fitted."""
    train(plant, MONDAY - 20 * DAY)
    train(plant, MONDAY - 20 * DAY)
    passed = gate.Verdict(promoted=True, reason="not worse")
    monkeypatch.setattr(judging, "verdict", lambda *_: passed)
    second = ModelVersion.objects.get(failure_mode__code="bearing", version=2)

    def meanwhile(done, total, note):
        if done == total:
            retrain.promote(model_version=second, by=None, now=MONDAY, reason="by hand")

    train(plant, report=meanwhile)
    assert champion() == second
    assert "another version began to serve meanwhile" in runs()[-1].reason


def test_training_sees_nothing_that_came_after(plant):
    before = MONDAY - 20 * DAY
    train(plant, before)
    soon = before + dt.timedelta(hours=1)
    late = Plant(site=plant.site, now=MONDAY + 30 * DAY)
    late.take("failures", [{"asset": "P-1", "failure_mode": "seal", "occurred_at": soon}])
    late.take("errors", [{"asset": "P-1", "code": "E1", "occurred_at": soon}])
    measure(late, "P-2", point="vibration", until=MONDAY + 12 * DAY, days=5)
    train(plant, before)
    first, again = ModelVersion.objects.filter(failure_mode__code="bearing").order_by("version")
    assert again.dataset_hash == first.dataset_hash
    assert again.artefact_sha256 == first.artefact_sha256


def test_training_tells_how_far_it_is(plant):
    told = []
    train(plant, report=lambda done, total, note: told.append((done, total, note)))
    assert told == [(1, 2, "Pump: Bearing"), (2, 2, "Pump: Seal")]


def test_a_plant_without_assets_or_failure_modes_has_nothing_to_learn(artefacts):
    plant = tiny(register={"asset_classes": REGISTER["asset_classes"]})
    assert train(plant) == {"models": [], "never_watched": []}


def test_failure_modes_that_no_asset_was_watched_for_are_told(artefacts):
    plant = tiny(register={name: REGISTER[name] for name in ("asset_classes", "failure_modes")})
    assert train(plant) == {"models": [], "never_watched": ["bearing", "seal"]}


def test_a_run_that_was_overtaken_leaves_what_served_as_it_was(three):
    def overtaken(_result):
        raise Overtaken

    before = servings()
    with pytest.raises(Overtaken), transaction.atomic():
        train(three, MONDAY + DAY, fence=overtaken)
    assert servings() == before
    assert champion().version == 3


def test_a_swap_retires_the_old_version_and_writes_who_served_when(three):
    states = ModelVersion.objects.filter(failure_mode__code="bearing").order_by("version")
    assert list(states.values_list("state", flat=True)) == ["retired", "retired", "champion"]
    assert servings() == [(1, "promotion", False), (2, "promotion", False), (3, "promotion", True)]
    rows = Serving.objects.filter(failure_mode__code="bearing").order_by("pk")
    for earlier, later in itertools.pairwise(rows):
        assert earlier.until_at == later.from_at


def test_rolling_back_returns_to_what_served_before_and_further_each_time(three):
    mode, user = three.mode("bearing"), three.user(Role.RELIABILITY_ENGINEER)
    for expected in (2, 1):
        retrain.roll_back(failure_mode=mode, by=user, now=MONDAY + DAY, reason="false alarms")
        assert champion().version == expected
    assert servings()[-2:] == [(2, "rollback", False), (1, "rollback", True)]
    with pytest.raises(retrain.NothingBefore):
        retrain.roll_back(failure_mode=mode, by=user, now=MONDAY + DAY, reason="more")
    entry = AuditEntry.objects.filter(action="roll back model").latest("pk")
    assert (entry.by, entry.subject) == (user, "pump bearing")
    assert (entry.before, entry.after) == (
        {"version": 2},
        {"version": 1, "reason": "false alarms"},
    )


def test_the_next_forecast_after_a_rollback_is_made_by_the_old_version(three):
    mode, asset = three.mode("bearing"), three.asset("P-1")
    [before] = forecast.now_for(asset=asset, now=MONDAY, failure_mode=mode)
    assert before.version.version == 3
    retrain.roll_back(failure_mode=mode, by=None, now=MONDAY, reason="worse")
    [after] = forecast.now_for(asset=asset, now=MONDAY, failure_mode=mode)
    assert after.version.version == 2
    assert after.answer.curve.risk.tolist() != before.answer.curve.risk.tolist()
    told = {"site": three.site, "as_of": [MONDAY], "now": MONDAY}
    featurize.rows(**told)
    forecast.serve(**told)
    served = Forecast.objects.filter(failure_mode=mode).values_list("model_version__version")
    assert set(served) == {(2,)}


def test_a_version_chosen_by_hand_serves_with_the_reason_given(plant):
    train(plant)
    train(plant)
    rejected = ModelVersion.objects.get(failure_mode__code="bearing", version=2)
    user = plant.user(Role.RELIABILITY_ENGINEER)
    retrain.promote(model_version=rejected, by=user, now=MONDAY, reason="trust me")
    assert champion() == rejected
    assert Serving.objects.get(failure_mode__code="bearing", until_at=None).by == user
    with pytest.raises(retrain.AlreadyServes):
        retrain.promote(model_version=rejected, by=user, now=MONDAY, reason="again")


def flip_a_byte(artefacts: Path, version: ModelVersion) -> None:
    kept = artefacts / version.artefact / "model.json"
    raw = bytearray(kept.read_bytes())
    raw[len(raw) // 2] ^= 1
    kept.write_bytes(raw)


def test_a_version_with_a_flipped_byte_never_comes_to_serve(three, artefacts):
    second = ModelVersion.objects.get(failure_mode__code="bearing", version=2)
    flip_a_byte(artefacts, second)
    told = {"by": None, "now": MONDAY, "reason": "test"}
    before = servings()
    with pytest.raises(ArtefactCorrupt):
        retrain.promote(model_version=second, **told)
    with pytest.raises(ArtefactCorrupt):
        retrain.roll_back(failure_mode=three.mode("bearing"), **told)
    assert champion().version == 3
    assert servings() == before


def test_a_champion_from_before_servings_were_kept_can_be_returned_to(plant, lenient):
    train(plant, MONDAY - DAY)
    Serving.objects.all().delete()
    train(plant)
    assert servings() == [(1, "promotion", False), (2, "promotion", True)]
    retrain.roll_back(failure_mode=plant.mode("bearing"), by=None, now=MONDAY, reason="back")
    assert champion().state == ModelState.CHAMPION
    assert champion().version == 1


def test_a_rollback_that_comes_twice_goes_back_once(three):
    second = ModelVersion.objects.get(failure_mode__code="bearing", version=2)
    asked = {"failure_mode": three.mode("bearing"), "by": None, "now": MONDAY, "reason": "worse"}
    retrain.roll_back(**asked, to=second)
    with pytest.raises(retrain.AlreadyServes):
        retrain.roll_back(**asked, to=second)
    assert champion() == second


def test_a_rollback_from_a_version_that_no_longer_serves_is_refused(three):
    first, second = ModelVersion.objects.filter(failure_mode__code="bearing", version__lt=3)[::-1]
    asked = {"failure_mode": three.mode("bearing"), "by": None, "now": MONDAY, "reason": "worse"}
    with pytest.raises(retrain.ServesAnother):
        retrain.roll_back(**asked, to=first)
    retrain.promote(model_version=second, by=None, now=MONDAY, reason="by somebody else")
    before = servings()
    with pytest.raises(retrain.ServesAnother):
        retrain.roll_back(**asked, to=first)
    assert servings() == before
