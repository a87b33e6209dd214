"""Clients that nobody here wrote send files to a real server: curl, and Parquet from pandas.

And watchers of a folder are killed -9 while they take what is dropped.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.installation import BIN, Installation, once

SECRET = "vg_a-secret-of-the-tests"
READY_SECONDS = 60
TAKEN_SECONDS = 120
KILLS = 10

FILL = f"""
from tests.factories import ApiTokenFactory, AssetFactory, MeasurementPointFactory, SiteFactory
site = SiteFactory.create(code="north")
ApiTokenFactory.create(site=site, secret="{SECRET}")
for number in range(10):
    asset = AssetFactory.create(site=site, code=f"P-{{number}}")
    for code in ("vibration", "pressure"):
        MeasurementPointFactory.create(asset=asset, code=code)
"""
PERFORM = """
from django.utils import timezone
from maintenance import tasks
from maintenance.models import Operation
for operation in Operation.objects.open():
    tasks.perform(operation_id=operation.pk, clock=timezone.now)
"""
STORED = """
from maintenance import store
from maintenance.models import Import, MeasurementPoint
names = MeasurementPoint.objects.values_list("pk", "asset__code", "code")
points = {pk: f"{asset} {code}" for pk, asset, code in names}
found = store.read(list(points), 0, 2**62)
print(json.dumps({
    "readings": {points[pk]: [at.tolist(), values.tolist()] for pk, (at, values) in found.items()},
    "imports": list(Import.objects.values("state", "received", "new", "duplicate", "refused")),
    "faults": [str(fault) for fault in store.verify()],
}))
"""

pytestmark = once
has_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture
def plant(tmp_path: Path) -> Installation:
    lease = {"VIGIA_OPERATION_LEASE_SECONDS": "2", "VIGIA_SLOWEST_BODY_SECONDS": "2"}
    plant = Installation(tmp_path / "var", lease)
    plant.folder.mkdir()
    plant.manage("migrate", "--verbosity", "0")
    plant.python(FILL)
    return plant


@pytest.fixture
def address(plant: Installation) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [str(BIN / "gunicorn"), "config.wsgi", f"--bind=127.0.0.1:{port}", "--threads=2"]
    with plant.running([*serve, "--no-control-socket"]):
        plant.wait_for(lambda: answers(port), seconds=READY_SECONDS, what="the server")
        yield f"http://127.0.0.1:{port}/api/v1/uploads"


def answers(port: int) -> bool:
    with socket.socket() as wire:
        return wire.connect_ex(("127.0.0.1", port)) == 0


def curl(*arguments: str) -> tuple[int, dict[str, Any]]:
    command = ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}"]
    token = ["--header", f"Authorization: Bearer {SECRET}"]
    done = subprocess.run(
        [*command, *token, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    body, _line, code = done.stdout.rpartition("\n")
    return int(code), json.loads(body)


def frame(rows: int = 5_000) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="min")
    return pd.DataFrame(
        {
            "asset": rng.choice([f"P-{i}" for i in range(10)], rows),
            "point": rng.choice(["vibration", "pressure"], rows),
            "at": at,
            "value": rng.normal(20, 1, rows).round(3),
        }
    )


def by_point(frame: pd.DataFrame) -> dict[str, list[list[float]]]:
    parts = {}
    for (asset, point), part in frame.sort_values("at").groupby(["asset", "point"]):
        at_us = part["at"].dt.as_unit("us").astype("int64")
        parts[f"{asset} {point}"] = [at_us.tolist(), part["value"].tolist()]
    return parts


@has_curl
def test_curl_and_pandas_send_files(plant: Installation, address: str, tmp_path: Path) -> None:
    sent = frame()
    first, second, third = sent[:2000], sent[2000:4000], sent[4000:]
    first.to_csv(tmp_path / "a.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    second.to_parquet(tmp_path / "b.parquet")
    lines = third.assign(at=third["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    lines.to_json(tmp_path / "c.ndjson", orient="records", lines=True)

    csv = ["--header", "Content-Type: text/csv"]
    plain = curl(f"{address}?name=a.csv", *csv, "--data-binary", f"@{tmp_path}/a.csv")
    packed = curl(f"{address}?name=a.csv", *csv, "--data-binary", f"@{tmp_path}/a.csv.gz")
    chunked = ["--header", "Transfer-Encoding: chunked", "--request", "POST"]
    frames = curl(f"{address}?name=b.parquet", *chunked, "--upload-file", f"{tmp_path}/b.parquet")
    whole = ["--request", "POST", "--upload-file", f"{tmp_path}/c.ndjson"]
    objects = curl(f"{address}?name=c.ndjson", *whole)
    assert [answer[0] for answer in (plain, packed, frames, objects)] == [202, 200, 202, 202]
    assert packed[1]["repeated"]

    plant.python(PERFORM)
    for answer, rows in ((plain, 2000), (frames, 2000), (objects, 1000)):
        status, told = curl(answer[1]["url"])
        assert (status, told["state"], told["new"], told["refused"]) == (200, "done", rows, 0)
    assert plant.python(STORED)["readings"] == by_point(sent)


@has_curl
def test_a_client_that_stops_in_the_middle_keeps_nobody_waiting(
    plant: Installation, address: str
) -> None:
    host, port = address.split("/")[2].split(":")
    head = (
        f"POST /api/v1/uploads HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {SECRET}\r\n"
        "Content-Type: text/csv\r\nContent-Length: 1000000\r\n\r\nasset,point"
    )
    with socket.create_connection((host, int(port)), timeout=30) as slow:
        slow.sendall(head.encode())
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")
    with socket.create_connection((host, int(port)), timeout=30) as gone:
        gone.sendall(head.encode())
    assert curl(f"{address}?format=csv", "--data-binary", "asset,point,at,value\n")[0] == 202
    left = (plant.folder / "uploads").glob("*.part")
    plant.wait_for(lambda: not list(left), seconds=10, what="half a file gone")


def test_watchers_killed_again_and_again_lose_and_double_nothing(
    plant: Installation, tmp_path: Path
) -> None:
    """Two watch one folder; one of them at a time is killed -9, while files keep coming."""
    drop = tmp_path / "drop"
    drop.mkdir()
    whole = frame(60_000)
    parts = np.array_split(np.arange(len(whole)), KILLS)
    command = [str(BIN / "python"), "manage.py", "watch_folder", str(drop), "--site=north"]
    chance = random.Random(7)
    with ExitStack() as stack:
        watchers = [
            stack.enter_context(plant.running([*command, "--still-seconds=0.2"])) for _i in (0, 1)
        ]
        for number, part in enumerate(parts):
            draft = drop / f"{number}.csv.part"
            whole.iloc[part].to_csv(draft, index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
            draft.rename(drop / f"{number}.csv")
            time.sleep(chance.uniform(3, 6))
            watcher = watchers.pop(0)
            os.kill(watcher.pid, signal.SIGKILL)
            watcher.wait()
            again = plant.running([*command, "--still-seconds=0.2"])
            watchers.append(stack.enter_context(again))
        plant.wait_for(
            lambda: len(list((drop / "done").glob("*.csv"))) == KILLS,
            seconds=TAKEN_SECONDS,
            what="every file in done/",
        )
    stored = plant.python(STORED)
    assert stored["readings"] == by_point(whole)
    assert stored["faults"] == []
    counts = {name: sum(one[name] for one in stored["imports"]) for name in ("received", "new")}
    assert counts == {"received": len(whole), "new": len(whole)}
    assert {path.name for path in drop.iterdir()} == {"done", "failed", ".taking"}
    assert list((drop / ".taking").iterdir()) == []
