"""Figures for operators: who reads them, what they say, and how requests are counted and traced."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from maintenance.choices import (
    AlertKind,
    ImportDoor,
    ImportState,
    OperationKind,
    OperationState,
    Role,
    Trigger,
    Verdict,
)
from maintenance.models import (
    Alert,
    DriftReport,
    Import,
    ModelVersion,
    Operation,
    Schedule,
    TrainingRun,
    User,
)
from maintenance.web import request_counts
from tests.plants import Plant, busy

pytestmark = pytest.mark.django_db

TOKEN = "a-token-of-the-tests-and-no-other"
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def token(settings) -> None:
    settings.METRICS_TOKEN = TOKEN


@pytest.fixture
def plant() -> Plant:
    return busy("north", now=timezone.now())


def scrape(client: Client, given: str = TOKEN):
    return client.get(reverse("metrics"), headers={"Authorization": f"Bearer {given}"})


def samples(client: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = scrape(client)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def value(client: Client, name: str, **labels: str) -> float:
    return samples(client)[f"vigia_{name}", tuple(sorted(labels.items()))]


def test_prometheus_reads_them_by_its_token(client):
    assert scrape(client).status_code == 200


def test_a_wrong_token_is_refused(client):
    answer = scrape(client, "another token of the same length ")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


def test_without_a_token_in_the_settings_none_is_good(client, settings):
    settings.METRICS_TOKEN = ""
    assert scrape(client, "").status_code == 401


def test_superusers_read_them_and_others_do_not(client, plant):
    assert reverse("login") in client.get(reverse("metrics"))["Location"]
    client.force_login(plant.user(Role.ADMINISTRATOR))
    assert client.get(reverse("metrics")).status_code == 403
    client.force_login(User.objects.create_superuser("root"))
    assert client.get(reverse("metrics")).status_code == 200


def test_an_empty_database_has_figures_too(client):
    assert value(client, "oldest_queued_seconds") == 0


def test_the_ingest_lag_counts_from_the_last_batch_with_new_readings(client, plant):
    for new, hours in ((5, 3), (0, 1)):
        Import.objects.create(
            site=plant.site,
            door=ImportDoor.REST,
            table="readings",
            state=ImportState.DONE,
            received=new,
            new=new,
            recorded_at=timezone.now() - hours * HOUR,
        )
    assert value(client, "ingest_lag_seconds", site="north") == pytest.approx(3 * 3600, abs=60)


def test_operations_are_counted_by_kind_and_state(client, plant):
    Operation.objects.create(
        site=plant.site,
        kind=OperationKind.TRAIN,
        recorded_at=timezone.now() - HOUR,
        woken_at=timezone.now(),
    )
    told = samples(client)
    queued = {"site": "north", "kind": "train", "state": OperationState.QUEUED.value}
    assert told["vigia_operations", tuple(sorted(queued.items()))] == 1
    nothing = queued | {"state": OperationState.FAILED.value}
    assert told["vigia_operations", tuple(sorted(nothing.items()))] == 0
    assert told["vigia_oldest_queued_seconds", ()] == pytest.approx(3600, abs=60)


def test_forecasts_alerts_drift_training_and_schedule_have_their_figures(client, plant):
    now = timezone.now()
    version = ModelVersion.objects.champions().get(failure_mode__code="bearing")
    DriftReport.objects.create(
        model_version=version,
        as_of=now,
        statistics={"max_psi": 0.7},
        drifted=True,
        recorded_at=now,
    )
    Alert.objects.create(
        site=plant.site,
        kind=AlertKind.DRIFT,
        key="x",
        opened_at=now,
        last_seen_at=now,
        recorded_at=now,
    )
    TrainingRun.objects.create(
        failure_mode=version.failure_mode,
        trigger=Trigger.BUTTON,
        challenger=version,
        verdict=Verdict.PROMOTED,
        reason="better",
        recorded_at=now - HOUR,
    )
    Schedule.objects.create(
        site=plant.site,
        number=1,
        starts_at=now,
        ends_at=now + 24 * HOUR,
        as_of=now,
        status="optimal",
        cost_minor=20_000,
        cost_unscheduled_minor=30_000,
        bound_minor=19_000,
        seed=1,
        inputs_hash="0" * 64,
        problem={},
        recorded_at=now,
    )
    mode = {"site": "north", "asset_class": "pump", "failure_mode": "bearing"}
    assert value(client, "drift_max_psi", **mode) == 0.7
    assert value(client, "drifted", **mode) == 1
    assert value(client, "open_alerts", site="north", kind="drift") == 1
    assert value(client, "training_age_seconds", site="north") == pytest.approx(3600, abs=60)
    assert value(client, "schedule_cost", site="north") == 200
    assert value(client, "schedule_gap_ratio", site="north") == pytest.approx(0.05)
    assert value(client, "forecast_age_seconds", site="north") >= 0


def test_versions_are_told(client):
    [(_name, labels)] = [key for key in samples(client) if key[0] == "vigia_build_info"]
    told = dict(labels)
    assert told["version"] == settings.VERSION
    assert told["django"].startswith("5.2")
    assert "none" not in told.values()


def test_a_scrape_costs_few_queries_however_much_there_is(client, plant):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        scrape(client)
    assert len(captured) < 20


def counted(client: Client, **labels: str) -> float:
    key = ("vigia_http_requests_total", tuple(sorted(labels.items())))
    return samples(client).get(key, 0)


def test_requests_are_counted_by_route_not_by_path(client, plant):
    client.force_login(plant.user(Role.PLANNER))
    labels = {"method": "GET", "route": "asset", "status": "200"}
    before = counted(client, **labels)
    for code in ("P-1", "P-2"):
        client.get(reverse("asset", args=[plant.asset(code).pk]))
    assert counted(client, **labels) == before + 2


def test_what_strangers_invent_makes_no_new_series(client):
    client.get("/no/such/page/1")
    client.generic("BREW", "/health/live")
    told = {key for key in samples(client) if key[0] == "vigia_http_requests_total"}
    routes = {dict(labels)["route"] for _name, labels in told}
    assert "/no/such/page/1" not in routes
    assert "BREW" not in {dict(labels)["method"] for _name, labels in told}


COUNT_AND_DIE = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from django.conf import settings
settings.METRICS_DIR = {folder!r}
os.environ["PROMETHEUS_MULTIPROC_DIR"] = {folder!r}
from maintenance.web import request_counts
request_counts.count(method="GET", route="of-the-dead", status=200, seconds=0.01)
"""


def test_counts_outlive_their_process_in_one_file(client):
    folder = str(request_counts.FOLDER)
    for _ in range(3):
        subprocess.run(
            [sys.executable, "-c", COUNT_AND_DIE.format(folder=folder)],
            cwd=Path(settings.BASE_DIR),
            check=True,
        )
    labels = {"method": "GET", "route": "of-the-dead", "status": "200"}
    assert counted(client, **labels) == 3
    for _ in range(2):
        request_counts.gather_the_dead()
        assert counted(client, **labels) == 3
    left = {path.name.partition("_")[2] for path in request_counts.FOLDER.glob("*.db")}
    assert left <= {"0.db", f"{os.getpid()}.db"}


def test_half_a_file_of_a_process_that_was_killed_hinders_nothing(client):
    torn = request_counts.FOLDER / "counter_999999999.db"
    torn.write_bytes(b"\xff" * 64)
    assert scrape(Client()).status_code == 200
    assert not torn.exists()


def test_a_request_is_followed_by_the_id_it_brings(client):
    answer = client.get(reverse("health_live"), headers={"X-Request-ID": "from-the-proxy.1"})
    assert answer["X-Request-ID"] == "from-the-proxy.1"


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "line\x0bbreak"])
def test_an_id_that_could_forge_a_line_is_replaced(client, given):
    answer = client.get(reverse("health_live"), headers={"X-Request-ID": given})
    assert answer["X-Request-ID"] != given
    assert len(answer["X-Request-ID"]) == 32


def test_log_lines_of_a_request_carry_its_id_and_no_other_do(client, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "maintenance.web.health._missing_migrations",
        lambda: seen.append(structlog.contextvars.get_contextvars()) or 0,
    )
    client.get(reverse("health_ready"), headers={"X-Request-ID": "abc"})
    assert seen == [{"request_id": "abc"}]
    assert "request_id" not in structlog.contextvars.get_contextvars()
