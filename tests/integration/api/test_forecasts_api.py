"""A machine asks what the serving models say: of an asset now, of features, of the record."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from maintenance.choices import TokenScope
from maintenance.flow import featurize, forecast, retrain
from maintenance.flow.retrain import judging
from maintenance.models import Forecast, ModelVersion
from predictors import gate
from tests.factories import SECRET, ApiTokenFactory
from tests.plants import MONDAY, Plant, tiny, with_history

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def artefacts(settings: Any, tmp_path: Path) -> Path:
    settings.ARTEFACTS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def plant(artefacts: Path) -> Plant:
    plant = with_history(assets=3, days=90)
    ApiTokenFactory.create(site=plant.site, scopes=[TokenScope.READ_ASSETS.value])
    return plant


@pytest.fixture
def trained(plant: Plant) -> Plant:
    retrain.train(site=plant.site, as_of=MONDAY, now=MONDAY)
    return plant


def post(body: dict[str, Any] | str, secret: str = SECRET) -> Any:
    return Client().post(
        "/api/v1/forecasts",
        data=body if isinstance(body, str) else json.dumps(body),
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )


def get(query: str) -> Any:
    return Client().get(f"/api/v1/forecasts?{query}", headers={"authorization": f"Bearer {SECRET}"})


def test_an_asset_is_foreseen_now_by_what_serves_and_nothing_is_kept(trained: Plant) -> None:
    answer = post({"asset": "P-1"})
    assert answer.status_code == 200, answer.content
    bearing, seal = answer.json()
    assert (bearing["failure_mode"], seal["failure_mode"]) == ("bearing", "seal")
    assert len(bearing["risk"]) == trained.site.forecast_horizon_days + 1
    version = ModelVersion.objects.champions().get(failure_mode__code="bearing")
    assert bearing["model"]["dataset_hash"] == version.dataset_hash
    assert bearing["model"]["artefact_sha256"] == version.artefact_sha256
    assert bearing["features"]["bearing.age"] > 0
    assert bearing["reasons"][0]["feature"] == "base"
    assert not Forecast.objects.exists()


def test_the_answer_is_what_the_night_would_have_written(trained: Plant) -> None:
    told = {"site": trained.site, "as_of": [MONDAY], "now": MONDAY}
    featurize.rows(**told)
    forecast.serve(**told)
    for made in forecast.now_for(asset=trained.asset("P-2"), now=MONDAY):
        kept = Forecast.objects.get(asset__code="P-2", failure_mode=made.version.failure_mode)
        assert [round(risk, 6) for risk in made.answer.curve.risk.tolist()] == kept.risk
        row = kept.feature_row.unpacked().tolist()
        assert str(list(made.features.values())).replace("None", "nan") == str(row)


def test_without_reasons_the_rest_of_the_answer_is_the_same(trained: Plant) -> None:
    body = {"asset_class": "pump", "features": {"bearing.age": 10}}
    told, short = post(body).json(), post(body | {"reasons": False}).json()
    for whole, spared in zip(told, short, strict=True):
        assert whole["reasons"]
        assert spared["reasons"] == []
        assert {**whole, "reasons": [], "as_of": spared["as_of"]} == spared
    assert post({"asset": "P-1", "reasons": False}).json()[0]["reasons"] == []


def test_features_that_are_given_are_foreseen_without_an_asset(trained: Plant) -> None:
    body = {"asset_class": "pump", "failure_mode": "bearing", "features": {"bearing.age": 10}}
    [young] = post(body).json()
    [old] = post(body | {"features": {"bearing.age": 75, "vibration.last": None}}).json()
    assert old["risk"][14] > young["risk"][14]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "wrong_parameter"),
        ({"asset": "P-1", "asset_class": "pump"}, 422, "wrong_parameter"),
        ({"asset": "P-1", "features": {}}, 422, "wrong_parameter"),
        ({"asset_class": "pump"}, 422, "wrong_parameter"),
        ({"asset": "P-9"}, 404, "no_asset"),
        ({"asset": "P-1", "failure_mode": "rust"}, 404, "no_failure_mode"),
        ({"asset_class": "fan", "features": {}}, 404, "no_asset_class"),
        ({"asset_class": "pump", "features": {"colour": 1}}, 422, "unknown_features"),
        ({"asset_class": "pump", "features": {"bearing.age": "old"}}, 422, "wrong_parameter"),
        ('{"asset_class": "pump", "features": {"bearing.age": NaN}}', 422, "wrong_parameter"),
        ("", 422, "wrong_parameter"),
        ("{asset: P-1}", 422, "malformed_json"),
        ("[" * 100_000, 422, "malformed_json"),
        ("[]", 422, "wrong_parameter"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    trained: Plant, body: Any, status: int, code: str
) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_form_is_no_question(plant: Plant) -> None:
    answer = Client().post(
        "/api/v1/forecasts", {"asset": "P-1"}, headers={"authorization": f"Bearer {SECRET}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "wrong_type")


def test_a_body_beyond_the_limit_is_not_read(plant: Plant, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = settings.MAX_BODY_BYTES = 1000
    answer = post({"asset": "P" * 1000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_who_may_not_ask_is_told_so_before_the_body_is_read(plant: Plant) -> None:
    assert post("{asset: P-1}", secret="vg_unknown").status_code == 401
    ApiTokenFactory.create(site=plant.site, secret="vg_none", scopes=[])
    assert post("{asset: P-1}", secret="vg_none").status_code == 403


def test_without_a_model_the_answer_says_so(plant: Plant) -> None:
    answer = post({"asset": "P-1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_model")


def test_an_asset_that_comes_later_is_refused(trained: Plant) -> None:
    asset = trained.asset("P-1")
    asset.commissioned_at = timezone.now() + DAY
    asset.save()
    assert post({"asset": "P-1"}).json()["code"] == "not_in_service"


def test_a_broken_artefact_is_refused_and_never_served(trained: Plant, artefacts: Path) -> None:
    version = ModelVersion.objects.champions().get(failure_mode__code="seal")
    kept = artefacts / version.artefact / "model.json"
    raw = bytearray(kept.read_bytes())
    raw[len(raw) // 2] ^= 1
    kept.write_bytes(raw)
    answer = post({"asset": "P-1"})
    assert (answer.status_code, answer.json()["code"]) == (503, "broken_model")


def test_a_rollback_counts_from_the_next_request_on(plant: Plant, monkeypatch: Any) -> None:
    passed = gate.Verdict(promoted=True, reason="not worse")
    monkeypatch.setattr(judging, "verdict", lambda *_: passed)
    for days in (10, 0):
        retrain.train(site=plant.site, as_of=MONDAY - days * DAY, now=MONDAY)
    body = {"asset": "P-1", "failure_mode": "bearing"}
    assert post(body).json()[0]["model"]["version"] == 2
    told = {"failure_mode": plant.mode("bearing"), "by": None, "now": MONDAY, "reason": "worse"}
    retrain.roll_back(**told)
    assert post(body).json()[0]["model"]["version"] == 1


def test_the_record_is_read_with_reasons_and_what_it_was_made_from(trained: Plant) -> None:
    told = {"site": trained.site, "as_of": [MONDAY - DAY, MONDAY], "now": MONDAY}
    featurize.rows(**told)
    forecast.serve(**told)
    answer = get("asset=P-1&failure_mode=bearing")
    assert answer.status_code == 200, answer.content
    [latest] = answer.json()
    kept = Forecast.objects.get(asset__code="P-1", failure_mode__code="bearing", as_of=MONDAY)
    assert latest["feature_row"] == kept.feature_row_id
    assert latest["model"]["version"] == 1
    assert latest["risk"] == kept.risk
    assert [r["feature"] for r in latest["reasons"]] == [r["feature"] for r in kept.reasons]
    assert len(get("asset=P-1").json()) == 2
    assert get("asset=P-9").json()["code"] == "no_asset"


def test_the_scope_to_read_assets_is_needed_and_other_sites_are_not_there(trained: Plant) -> None:
    ApiTokenFactory.create(site=trained.site, secret="vg_none", scopes=[])
    assert post({"asset": "P-1"}, secret="vg_none").status_code == 403
    other = tiny("other")
    secret = "vg_other"
    ApiTokenFactory.create(site=other.site, secret=secret, scopes=[TokenScope.READ_ASSETS.value])
    trained.take(
        "assets", [{"code": "only-here", "asset_class": "pump", "commissioned_at": MONDAY}]
    )
    assert post({"asset": "only-here"}, secret=secret).json()["code"] == "no_asset"
