"""Every forecast traces to model version, dataset hash and feature row; "what served on a day" is
one query and one page."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from maintenance.choices import Role, TokenScope
from maintenance.flow import featurize, forecast, retrain
from maintenance.flow.retrain import judging
from maintenance.models import Forecast, ModelVersion, Serving
from maintenance.queries import artefacts, models
from predictors import archive, gate, serving
from tests.factories import SECRET, ApiTokenFactory
from tests.plants import MONDAY, Plant, with_history

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
CHANGED_AT = MONDAY + dt.timedelta(hours=12)


@pytest.fixture
def plant(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Forecasts of three nights, and of the noon at which another version came to serve."""
    settings.ARTEFACTS_DIR = tmp_path
    plant = with_history(assets=3, days=90)
    passed = gate.Verdict(promoted=True, reason="not worse")
    monkeypatch.setattr(judging, "verdict", lambda *_: passed)
    nights = (MONDAY - 10 * DAY, MONDAY - DAY, MONDAY)
    for trained_at, instants in ((nights[0], nights), (CHANGED_AT, (CHANGED_AT,))):
        retrain.train(site=plant.site, as_of=trained_at, now=trained_at)
        for at in instants:
            told = {"site": plant.site, "as_of": [at], "now": at}
            featurize.rows(**told)
            forecast.serve(**told)
    return plant


def every_forecast() -> list[Forecast]:
    made = Forecast.objects.select_related("model_version__dataset", "feature_row", "asset")
    found = list(made.order_by("pk"))
    assert len(found) == 2 * 3 * 4
    return found


def test_every_forecast_traces_to_the_model_version_that_served_when_it_was_made(plant: Plant):
    for each in every_forecast():
        served = Serving.objects.filter(
            Q(until_at=None) | Q(until_at__gt=each.recorded_at),
            failure_mode=each.failure_mode_id,
            from_at__lte=each.recorded_at,
        )
        assert served.get().model_version == each.model_version


def test_every_forecast_traces_to_the_hash_of_the_rows_its_model_learnt_from(plant: Plant):
    """And the rows that are kept under that hash have it."""
    seen = set()
    for each in every_forecast():
        version = each.model_version
        assert version.dataset is not None
        assert version.dataset_hash == version.dataset.content_hash
        if version.pk not in seen:
            kept = archive.recall(Path(django_settings.ARTEFACTS_DIR) / version.dataset.folder)
            assert kept.content_hash == version.dataset_hash
        seen.add(version.pk)
    assert len(seen) == 4


def test_every_forecast_is_made_again_from_its_feature_row_by_its_model_version(plant: Plant):
    for each in every_forecast():
        row = each.feature_row
        assert (row.asset, row.as_of) == (each.asset, each.as_of)
        assert row.feature_set_id == each.model_version.feature_set_id
        x = row.unpacked().reshape(1, -1)
        [again] = serving.score(artefacts.load(each.model_version), x, reasons=False)
        np.testing.assert_allclose(again.curve.risk, each.risk, rtol=0, atol=1e-6)


def test_a_machine_that_reads_a_forecast_is_told_all_three(plant: Plant, client: Client):
    ApiTokenFactory.create(site=plant.site, scopes=[TokenScope.READ_ASSETS.value])
    answer = client.get(
        "/api/v1/forecasts?asset=P-1", headers={"authorization": f"Bearer {SECRET}"}
    )
    for told in answer.json():
        kept = Forecast.objects.get(
            asset__code="P-1", failure_mode__code=told["failure_mode"], as_of=CHANGED_AT
        )
        assert told["feature_row"] == kept.feature_row_id
        assert told["model"]["version"] == kept.model_version.version == 2
        assert told["model"]["dataset_hash"] == kept.model_version.dataset_hash


def test_what_served_on_a_day_is_one_query(plant: Plant):
    user = plant.user(Role.VIEWER)
    day = {"start": MONDAY, "end": MONDAY + DAY}
    with CaptureQueriesContext(connection) as asked:
        told = [
            (
                row.failure_mode.code,
                row.model_version.version,
                row.model_version.dataset_hash == row.model_version.dataset.content_hash,
                row.forecasts,
            )
            for row in models.served_between(user, plant.site, **day)
        ]
    assert len(asked) == 1
    assert told == [
        ("bearing", 1, True, 3),
        ("bearing", 2, True, 3),
        ("seal", 1, True, 3),
        ("seal", 2, True, 3),
    ]


def test_what_served_on_a_day_is_one_page(plant: Plant, client: Client):
    """Each version that served, with its dataset and how many forecasts it made that day."""
    client.force_login(plant.user(Role.VIEWER))
    served = (("2026-03-01", {1}, 3), ("2026-03-02", {1, 2}, 3), ("2026-03-03", {2}, 0))
    for day, versions, made in served:
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(reverse("models_served"), {"day": day})
        assert sum('FROM "maintenance_serving"' in query["sql"] for query in asked) == 1
        page = answer.content.decode()
        told = {
            serving.model_version_id: serving.forecasts for serving in answer.context["servings"]
        }
        wanted = ModelVersion.objects.filter(version__in=versions)
        assert told == {each.pk: made for each in wanted}
        for each in wanted:
            assert reverse("model_version", args=[each.pk]) in page
            assert each.dataset_hash[:12] in page
