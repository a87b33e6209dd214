"""The pages of the models: what serves, why, since when; retrain, promote and roll back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from maintenance.choices import OperationKind, Role
from maintenance.flow import featurize, forecast, retrain
from maintenance.flow.retrain import judging
from maintenance.models import AuditEntry, FailureMode, ModelVersion, Operation, Serving
from predictors import gate
from tests.plants import MONDAY, Plant, tiny, with_history

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
AS_HTMX = {"HX-Request": "true"}
WHY = {"reason": "false alarms since Tuesday"}


@pytest.fixture
def plant(settings: Any, tmp_path: Path, monkeypatch: Any) -> Plant:
    """Two versions of each model: the first served for ten days."""
    settings.ARTEFACTS_DIR = tmp_path
    plant = with_history(assets=4, days=90)
    passed = gate.Verdict(promoted=True, reason="not worse than the champion: 900 against 1,000")
    monkeypatch.setattr(judging, "verdict", lambda *_: passed)
    for at in (MONDAY - 10 * DAY, MONDAY):
        retrain.train(site=plant.site, as_of=at, now=at)
        told = {"site": plant.site, "as_of": [at], "now": at}
        featurize.rows(**told)
        forecast.serve(**told)
    return plant


def signed_in(plant: Plant, role: Role) -> Client:
    client = Client()
    client.force_login(plant.user(role))
    return client


@pytest.fixture
def engineer(plant: Plant) -> Client:
    return signed_in(plant, Role.RELIABILITY_ENGINEER)


@pytest.fixture
def viewer(plant: Plant) -> Client:
    return signed_in(plant, Role.VIEWER)


def bearing(version: int) -> ModelVersion:
    return ModelVersion.objects.get(failure_mode__code="bearing", version=version)


def text(client: Client, name: str, *args: Any, **query: Any) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_serves_is_listed_with_the_last_training(viewer: Client) -> None:
    page = text(viewer, "models")
    assert page.count("version 2") == 2
    assert "Weibull on age" in page
    assert "Promoted" in page


def test_a_plant_without_models_says_what_comes(settings: Any) -> None:
    plant = tiny("new")
    client = signed_in(plant, Role.RELIABILITY_ENGINEER)
    assert "No model yet" in text(client, "models")
    assert "No version yet" in text(client, "model", plant.mode("seal").pk)


def test_retraining_starts_from_the_page_and_is_shown_with_its_progress(engineer: Client) -> None:
    assert reverse("models_train") in text(engineer, "models")
    answer = engineer.post(reverse("models_train"), headers=AS_HTMX).content.decode()
    asked = Operation.objects.get(kind=OperationKind.TRAIN)
    assert asked.arguments["trigger"] == "button"
    assert f'id="operation-{asked.pk}"' in answer
    assert f'id="operation-{asked.pk}"' in text(engineer, "models")
    assert engineer.post(reverse("models_train"))["Location"].endswith(f"/{asked.pk}/")


def test_a_version_shows_card_scores_calibration_and_lineage(viewer: Client) -> None:
    version = bearing(2)
    page = text(viewer, "model_version", version.pk)
    for expected in (
        "not worse than the champion: 900 against 1,000",
        version.dataset_hash,
        version.artefact_sha256,
        version.purpose,
        "Brier score, 14 days",
        "PR-AUC",
        "RMSE",
        "Champion",
        'class="calibration"',
        "bearing.age",
        "P-1",
        str(version.forecasts.first().feature_row_id),
    ):
        assert expected in page, expected


def test_a_page_in_spanish_keeps_its_drawing(viewer: Client) -> None:
    viewer.post(reverse("language"), {"language": "es", "next": "/"})
    page = text(viewer, "model_version", bearing(2).pk)
    assert 'lang="es"' in page
    points = page.split('<polyline points="')[1].split('"')[0].split()
    assert points
    assert all(len(point.split(",")) == 2 for point in points)


def test_a_version_that_could_not_be_judged_says_so(viewer: Client) -> None:
    version = bearing(1)
    version.training_runs.update(comparison={})
    ModelVersion.objects.filter(pk=version.pk).update(metrics={"failures": 0})
    assert "Nothing to judge by" in text(viewer, "model_version", version.pk)


def test_rolling_back_from_the_page_returns_to_the_old_version(engineer: Client) -> None:
    mode = FailureMode.objects.get(code="bearing")
    assert "Roll back to version 1" in text(engineer, "model", mode.pk)
    engineer.post(reverse("model_roll_back", args=[mode.pk]), WHY)
    page = text(engineer, "model", mode.pk)
    assert "Version 1 serves again." in page
    assert WHY["reason"] in page
    assert "Roll back to" not in page
    assert Serving.objects.get(failure_mode=mode, until_at=None).model_version == bearing(1)
    assert AuditEntry.objects.filter(action="roll back model").count() == 1


def test_a_click_that_comes_twice_goes_back_once(engineer: Client, plant: Plant) -> None:
    """The page names the version on its button; an answer may get lost on the way."""
    retrain.train(site=plant.site, as_of=MONDAY + DAY, now=MONDAY + DAY)
    url = reverse("model_roll_back", args=[bearing(1).failure_mode_id])
    page = engineer.get(reverse("model", args=[bearing(1).failure_mode_id])).content.decode()
    assert '<input type="hidden" name="to" value="2">' in page
    engineer.post(url, WHY | {"to": 2})
    again = engineer.post(url, WHY | {"to": 2}, follow=True)
    assert "This version serves already." in again.content.decode()
    assert bearing(2).state == "champion"
    other = engineer.post(url, WHY | {"to": 3}, follow=True)
    assert "What serves has changed meanwhile" in other.content.decode()
    assert engineer.post(url, WHY | {"to": 9}).status_code == 404
    assert bearing(2).state == "champion"


def test_nothing_is_rolled_back_twice_or_without_a_reason(engineer: Client) -> None:
    mode = FailureMode.objects.get(code="bearing")
    url = reverse("model_roll_back", args=[mode.pk])
    answer = engineer.post(url, {"reason": " "}, follow=True).content.decode()
    assert "Say why" in answer
    engineer.post(url, WHY)
    answer = engineer.post(url, WHY, follow=True).content.decode()
    assert "No version served before this one." in answer


def test_a_version_is_promoted_by_hand(engineer: Client) -> None:
    url = reverse("model_promote", args=[bearing(1).pk])
    assert url in text(engineer, "model_version", bearing(1).pk)
    answer = engineer.post(url, WHY, follow=True).content.decode()
    assert "Version 1 serves." in answer
    assert url not in answer
    again = engineer.post(url, WHY, follow=True).content.decode()
    assert "serves already" in again


@pytest.mark.parametrize("name", ["model_promote", "model_roll_back"])
def test_files_that_are_not_whole_do_not_come_to_serve(
    engineer: Client, settings: Any, name: str
) -> None:
    first = bearing(1)
    (settings.ARTEFACTS_DIR / first.artefact / "model.json").unlink()
    pk = first.pk if name == "model_promote" else first.failure_mode_id
    answer = engineer.post(reverse(name, args=[pk]), WHY, follow=True).content.decode()
    assert "not whole" in answer
    assert bearing(2).state == "champion"


def test_what_served_on_a_day_is_one_page(viewer: Client) -> None:
    before = text(viewer, "models_served", day="2026-02-25")
    assert bearing(1).dataset_hash[:12] in before
    assert bearing(2).dataset_hash[:12] not in before
    changed = text(viewer, "models_served", day="2026-03-02")
    assert bearing(2).dataset_hash[:12] in changed
    long_ago = text(viewer, "models_served", day="2020-01-01")
    assert "No model served on that day." in long_ago
    assert text(viewer, "models_served", day="never")


def test_who_may_only_look_is_offered_no_change(plant: Plant, viewer: Client) -> None:
    mode = plant.mode("bearing")
    assert reverse("models_train") not in text(viewer, "models")
    assert "Roll back to" not in text(viewer, "model", mode.pk)
    assert reverse("model_promote", args=[bearing(1).pk]) not in text(
        viewer, "model_version", bearing(1).pk
    )
    for url in (
        reverse("models_train"),
        reverse("model_roll_back", args=[mode.pk]),
        reverse("model_promote", args=[bearing(1).pk]),
    ):
        assert viewer.post(url, WHY).status_code == 403


def test_models_of_another_site_are_not_there(plant: Plant) -> None:
    client = signed_in(tiny("south"), Role.RELIABILITY_ENGINEER)
    for url in (
        reverse("model", args=[plant.mode("bearing").pk]),
        reverse("model_version", args=[bearing(1).pk]),
    ):
        assert client.get(url).status_code == 404
    for url in (
        reverse("model_roll_back", args=[plant.mode("bearing").pk]),
        reverse("model_promote", args=[bearing(1).pk]),
    ):
        assert client.post(url, WHY).status_code == 404
