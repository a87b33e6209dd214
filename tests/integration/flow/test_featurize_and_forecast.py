"""Readings become features, features become risk: written once, replayed to the same bytes."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.db import transaction

from maintenance.flow import featurize, forecast, retrain
from maintenance.instants import to_us
from maintenance.models import Asset, FeatureRow, Forecast, Installation, ModelVersion
from maintenance.operations import Overtaken
from maintenance.queries import histories
from predictors.errors import ArtefactCorrupt, ArtefactMissing
from predictors.features import build_features
from predictors.schema import FeatureSet as Declaration
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


def foresee(plant: Plant, *as_of: dt.datetime) -> tuple[int, int]:
    told = {"site": plant.site, "as_of": as_of or (MONDAY,), "now": plant.now}
    return featurize.rows(**told), forecast.serve(**told)


def written(plant: Plant) -> list[tuple]:
    """What was computed, without keys and without when it was recorded."""
    rows = FeatureRow.objects.filter(asset__site=plant.site)
    forecasts = Forecast.objects.filter(asset__site=plant.site)
    return [
        *((r.asset.code, r.as_of, bytes(r.values)) for r in rows.order_by("asset__code", "as_of")),
        *(
            (f.asset.code, f.failure_mode.code, f.as_of, f.state, f.risk, f.risk_low, f.reasons)
            for f in forecasts.order_by("asset__code", "failure_mode__code", "as_of")
        ),
    ]


def forget(plant: Plant) -> None:
    Forecast.objects.filter(asset__site=plant.site).delete()
    FeatureRow.objects.filter(asset__site=plant.site).delete()


def add_the_future(plant: Plant, *, after: dt.datetime) -> None:
    """Facts of every kind, the first an hour after the instant."""
    soon, later = after + dt.timedelta(hours=1), after + 2 * DAY
    plant = Plant(site=plant.site, now=MONDAY + 30 * DAY)
    plant.take("failures", [{"asset": "P-1", "failure_mode": "seal", "occurred_at": soon}])
    plant.take("errors", [{"asset": "P-1", "code": "E1", "occurred_at": soon}])
    plant.take("replacements", [{"asset": "P-2", "component": "seal", "replaced_at": later}])
    plant.take("points", [{"asset": "P-2", "code": "pressure", "name": "Pressure", "unit": "bar"}])
    measure(plant, "P-2", point="pressure", until=after + 12 * DAY, days=11)


def test_every_asset_and_mode_gets_one_forecast_an_instant(plant):
    train(plant)
    assert foresee(plant) == (4, 8)
    assert Forecast.objects.values("asset", "failure_mode", "as_of").distinct().count() == 8
    one = Forecast.objects.filter(failure_mode__code="bearing").first()
    assert len(one.risk) == plant.site.forecast_horizon_days + 1
    assert one.risk == sorted(one.risk)
    assert one.feature_row.asset == one.asset
    assert one.model_version.failure_mode == one.failure_mode
    assert one.risk_14_days == pytest.approx(one.risk[14], abs=1e-6)


def test_what_was_served_is_never_written_again(plant):
    train(plant)
    foresee(plant)
    before = list(Forecast.objects.values().order_by("pk"))
    assert foresee(plant) == (0, 0)
    train(plant)
    assert foresee(plant) == (0, 0)
    assert list(Forecast.objects.values().order_by("pk")) == before


def test_replaying_an_instant_gives_the_same_bytes(plant):
    train(plant)
    foresee(plant)
    before = written(plant)
    forget(plant)
    foresee(plant)
    assert written(plant) == before


def test_many_instants_at_once_are_the_same_as_each_alone(plant):
    instants = [MONDAY - days * DAY for days in (40, 7, 1, 0)]
    train(plant)
    foresee(plant, *instants)
    together = written(plant)
    forget(plant)
    for instant in instants:
        foresee(plant, instant)
    assert written(plant) == together


def test_what_becomes_known_after_an_instant_changes_nothing_of_it(plant):
    instant = MONDAY - 20 * DAY
    train(plant)
    foresee(plant, instant)
    before = written(plant)
    forget(plant)
    add_the_future(plant, after=instant)
    foresee(plant, instant)
    assert written(plant) == before


def test_only_assets_in_service_are_foreseen(plant):
    train(plant)
    Asset.objects.filter(code="P-1").update(retired_at=MONDAY - DAY)
    Asset.objects.filter(code="P-2").update(commissioned_at=MONDAY + DAY)
    Asset.objects.filter(code="P-3").update(commissioned_at=MONDAY - 5 * DAY)
    foresee(plant, MONDAY - 10 * DAY, MONDAY)
    rows = FeatureRow.objects.values_list("asset__code", "as_of").order_by("asset", "as_of")
    assert list(rows) == [
        ("P-3", MONDAY),
        ("P-4", MONDAY - 10 * DAY),
        ("P-4", MONDAY),
    ]


def test_a_plant_without_a_single_reading_is_foreseen_by_age(artefacts):
    plant = tiny(now=MONDAY)
    train(plant)
    assert foresee(plant) == (3, 6)


def test_a_plant_without_assets_or_failure_modes_asks_for_nothing(artefacts):
    plant = tiny(register={"asset_classes": REGISTER["asset_classes"]})
    assert train(plant) == {"models": [], "never_watched": []}
    assert foresee(plant) == (0, 0)


def test_failure_modes_of_assets_that_start_today_are_named_and_left_without_a_model(artefacts):
    plant = tiny(now=MONDAY)
    Asset.objects.update(commissioned_at=MONDAY)
    Installation.objects.update(installed_at=MONDAY)
    assert train(plant) == {"models": [], "never_watched": ["bearing", "seal"]}


def test_a_flipped_byte_in_an_artefact_is_refused(plant, artefacts):
    train(plant)
    version = ModelVersion.objects.champions().get(failure_mode__code="bearing")
    kept = artefacts / version.artefact / "model.json"
    raw = bytearray(kept.read_bytes())
    raw[len(raw) // 2] ^= 1
    kept.write_bytes(raw)
    with pytest.raises(ArtefactCorrupt, match=r"model\.json differs from the manifest"):
        foresee(plant)
    assert not Forecast.objects.exists()


def test_an_artefact_exchanged_for_another_sound_one_is_refused(plant, artefacts):
    train(plant)
    bearing, seal = (
        ModelVersion.objects.champions().get(failure_mode__code=mode)
        for mode in ("bearing", "seal")
    )
    shutil.rmtree(artefacts / bearing.artefact)
    shutil.copytree(artefacts / seal.artefact, artefacts / bearing.artefact)
    with pytest.raises(ArtefactCorrupt, match="not the registered one"):
        foresee(plant)


def test_an_artefact_that_is_gone_is_named(plant, artefacts):
    train(plant)
    version = ModelVersion.objects.champions().get(failure_mode__code="bearing")
    shutil.rmtree(artefacts / version.artefact)
    with pytest.raises(ArtefactMissing):
        foresee(plant)


def test_a_run_that_was_overtaken_leaves_no_model_and_no_forecast(plant):
    def overtaken(_result):
        raise Overtaken

    with pytest.raises(Overtaken), transaction.atomic():
        train(plant, fence=overtaken)
    assert not ModelVersion.objects.exists()
    train(plant)
    told = {"site": plant.site, "as_of": [MONDAY], "now": plant.now, "fence": overtaken}
    for stage in (featurize.rows, forecast.serve):
        with pytest.raises(Overtaken), transaction.atomic():
            stage(**told)
    assert not FeatureRow.objects.exists()


def test_two_plants_with_the_same_history_get_the_same_models_and_forecasts(artefacts):
    """Keys differ, and with them nothing else; by a model of readings, the most intricate one."""
    one = with_history("one", assets=6, days=240)
    other = with_history("other", assets=6, days=240)
    for plant in (one, other):
        train(plant)
        foresee(plant)
    families = ModelVersion.objects.champions().filter(failure_mode__code="bearing")
    assert set(families.values_list("family", flat=True)) == {"hazard"}
    assert [row[:3] for row in written(one)] == [row[:3] for row in written(other)]
    assert written(one) == written(other)


def test_a_row_from_what_it_needs_alone_has_the_bits_of_one_from_all_readings(plant):
    train(plant)
    foresee(plant, MONDAY, MONDAY - 9 * DAY)
    version = ModelVersion.objects.champions().get(failure_mode__code="bearing")
    declared = Declaration.from_dict(version.feature_set.declaration)
    for history in histories.of_class(version.failure_mode.asset_class, as_of=MONDAY):
        for row in FeatureRow.objects.filter(asset__code=history.asset_id):
            origin = np.array([to_us(row.as_of)])
            whole = build_features(history, origin, declared)[0]
            assert FeatureRow.packed(whole) == bytes(row.values)


def test_a_point_that_fell_silent_long_ago_gives_the_same_row(plant):
    plant.take("points", [{"asset": "P-1", "code": "load", "name": "Load"}])
    measure(plant, "P-1", point="load", until=MONDAY - 60 * DAY, days=20)
    train(plant)
    foresee(plant)
    version = ModelVersion.objects.champions().get(failure_mode__code="bearing")
    declared = Declaration.from_dict(version.feature_set.declaration)
    history = histories.of_class(version.failure_mode.asset_class, as_of=MONDAY)[0]
    row = FeatureRow.objects.get(asset__code="P-1")
    whole = build_features(history, np.array([to_us(MONDAY)]), declared)[0]
    assert "load.count.7d" in declared.names
    assert FeatureRow.packed(whole) == bytes(row.values)
