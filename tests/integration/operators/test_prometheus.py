"""Debian's Prometheus takes our rules, scrapes a live server, and answers the dashboard."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.utils import timezone

from maintenance.choices import (
    AlertKind,
    ImportDoor,
    ImportState,
    OperationKind,
    OperationState,
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
)
from tests.installation import Installation, once
from tests.integration.operators.programs import program
from tests.plants import busy

ROOT = Path(settings.BASE_DIR)
RULES = ROOT / "deploy/prometheus/alerts.yml"
SCRAPES = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/vigia.json").read_text("utf-8"))
REFERENCE = (ROOT / "docs/reference/metrics.md").read_text("utf-8")
TOKEN = "a-token-of-the-tests-and-no-other"
PATIENCE_SECONDS = 30
METRIC = re.compile(r"\bvigia_[a-z0-9_]+")


def queries() -> list[tuple[str, str]]:
    return [
        (panel["title"], target["expr"])
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return list(group["rules"])


def test_promtool_accepts_the_rules() -> None:
    subprocess.run([program("promtool"), "check", "rules", str(RULES)], check=True)


def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    for path in (RULES, SCRAPES):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    (tmp_path / "metrics-token").write_text(TOKEN, "utf-8")
    command = [program("promtool"), "check", "config", str(tmp_path / SCRAPES.name)]
    subprocess.run(command, check=True)


def test_every_rule_says_how_grave_it_is_and_what_to_look_at() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("info", "warning", "critical"), rule["alert"]
        assert rule["annotations"].keys() >= {"summary", "description"}, rule["alert"]


def test_every_figure_of_rules_and_dashboard_is_in_the_reference() -> None:
    asked = " ".join([*(rule["expr"] for rule in rules()), *(expr for _title, expr in queries())])
    for name in set(METRIC.findall(asked)):
        assert f"`{re.sub('_(bucket|sum|count)$', '', name)}`" in REFERENCE, name


def test_every_rule_is_told_in_the_how_to() -> None:
    page = (ROOT / "docs/how-to/watch-it-run.md").read_text("utf-8")
    assert [rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in page] == []


def furnish() -> None:
    """A plant with something behind every figure."""
    now = timezone.now()
    plant = busy("north", now=now)
    version = ModelVersion.objects.champions().get(failure_mode__code="bearing")
    known = {"site": plant.site, "recorded_at": now}
    Import.objects.create(
        door=ImportDoor.REST, table="readings", state=ImportState.DONE, received=1, new=1, **known
    )
    DriftReport.objects.create(
        model_version=version,
        as_of=now,
        statistics={"max_psi": 0.1},
        drifted=False,
        recorded_at=now,
    )
    Alert.objects.create(
        kind=AlertKind.DRIFT, key="x", parameters={}, opened_at=now, last_seen_at=now, **known
    )
    for state in (OperationState.QUEUED, OperationState.FAILED):
        Operation.objects.create(kind=OperationKind.TRAIN, state=state, woken_at=now, **known)
    TrainingRun.objects.create(
        failure_mode=version.failure_mode,
        trigger=Trigger.BUTTON,
        challenger=version,
        verdict=Verdict.PROMOTED,
        reason="better",
        recorded_at=now,
    )
    Schedule.objects.create(
        number=1,
        starts_at=now,
        ends_at=plant.local(14),
        as_of=now,
        status="optimal",
        cost_minor=20_000,
        cost_unscheduled_minor=30_000,
        bound_minor=19_000,
        seed=1,
        inputs_hash="0" * 64,
        problem={},
        **known,
    )


@pytest.mark.django_db(transaction=True)
def test_prometheus_scrapes_a_live_server_and_every_panel_has_a_series(
    live_server: Any, settings: Any, tmp_path: Path
) -> None:
    binary = program("prometheus")
    settings.METRICS_TOKEN = TOKEN
    furnish()
    with prometheus(binary, tmp_path, urllib.parse.urlsplit(live_server.url).netloc) as ask:
        wait_until(lambda: bool(ask('up{job="vigia"} == 1')), "the target is not up")
        for _ in range(3):
            urllib.request.urlopen(f"{live_server.url}/health/live").close()  # noqa: S310  Ours.
        empty = [title for title, expr in queries() if not eventually(lambda e=expr: ask(e))]
        assert empty == []
        assert ask("vigia_ingest_lag_seconds")[0]["metric"]["site"] == "north"


@once
def test_prometheus_scrapes_the_running_demo_and_every_panel_has_a_series(tmp_path: Path) -> None:
    """After a week of its life, with assets enough of a class to compare: nothing is made up."""
    binary, port = program("prometheus"), _free_port()
    settings = {"VIGIA_METRICS_TOKEN": TOKEN, "PORT": str(port), "VIGIA_WEB_PROCESSES": "1"}
    demo = Installation(tmp_path / "demo", settings)
    demo.folder.mkdir()
    demo.manage("migrate", "--verbosity", "0")
    demo.manage("demo", "--assets", "30", "--weeks", "1", "--seconds", "2")
    target = f"127.0.0.1:{port}"
    with (
        demo.running([str(ROOT / "deploy/web.sh")]),
        prometheus(binary, tmp_path, target) as ask,
    ):
        wait_until(lambda: bool(ask('up{job="vigia"} == 1')), "the demo is not up")
        empty = [title for title, expr in queries() if not eventually(lambda e=expr: ask(e))]
        assert empty == []


@contextmanager
def prometheus(binary: str, folder: Path, target: str) -> Iterator[Callable[[str], list[Any]]]:
    """Ours, but quicker, and pointed at the test's server."""
    given = yaml.safe_load(SCRAPES.read_text("utf-8"))
    given["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    given["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(given), "utf-8")
    (folder / RULES.name).write_text(RULES.read_text("utf-8"), "utf-8")
    (folder / "metrics-token").write_text(TOKEN, "utf-8")
    port = _free_port()
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command, cwd=folder)
    try:
        yield lambda expr: _asked(port, expr)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _asked(port: int, expr: str) -> list[Any]:
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expr})
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return list(json.load(answer)["data"]["result"])
    except (urllib.error.URLError, ConnectionError):
        return []


def eventually(ask: Callable[[], list[Any]]) -> list[Any]:
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := ask()) and time.monotonic() < until:
        time.sleep(0.3)
    return found


def wait_until(ready: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < until, otherwise
        time.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
