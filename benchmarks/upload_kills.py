"""An uploaded file whose worker is killed -9 again and again: what was lost, doubled, changed.

    python -m benchmarks.upload_kills --kills 10 [--databases sqlite,postgresql] [--json]

The file holds each reading once, some a second time and some that cannot be read. The worker is
killed at random moments of its work; each time the next one goes on from the place in the file.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]

from benchmarks import served

POINTS = 200
START_US = 1_750_000_000_000_000
MINUTE_US = 60_000_000
LEASE_SECONDS = 2
LONGEST_LIFE_SECONDS = 3.0
ENDS_SECONDS = 1800

_COUNTED = "SELECT received FROM maintenance_import"
HEAD = "import django, json, sys; django.setup()\n"
FILL = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.utils import timezone
from maintenance.models import Asset, AssetClass, MeasurementPoint, Site
now = timezone.now()
site = Site.objects.create(code="plant", name="Plant", recorded_at=now)
pump = AssetClass.objects.create(site=site, code="pump", name="Pump", recorded_at=now)
for number in range(20):
    asset = Asset.objects.create(
        site=site, code=f"P-{number}", asset_class=pump, commissioned_at=now, recorded_at=now
    )
    for place in range(10):
        code = f"s{place}"
        MeasurementPoint.objects.create(asset=asset, code=code, name=code, recorded_at=now)
"""
SEND = """
from pathlib import Path
from django.conf import settings
from django.utils import timezone
from maintenance import tasks
from maintenance.choices import ImportDoor
from maintenance.models import Site
from maintenance.sources import spool, uploads
with Path(sys.argv[1]).open("rb") as file:
    spooled = spool.keep(file.read, most_bytes=settings.MAX_UPLOAD_BYTES)
batch, known = tasks.request_upload(
    site=Site.objects.get(), door=ImportDoor.UPLOAD, spooled=spooled,
    how=uploads.HowToRead("csv"), file_name="history.csv", sender="benchmark", now=timezone.now(),
)
print(json.dumps(batch.pk))
"""
WORK = """
import time
from django.utils import timezone
from maintenance import tasks
from maintenance.models import Operation
print("ready", flush=True)
while (operation := Operation.objects.open().first()) is not None:
    if not tasks.perform(operation_id=operation.pk, clock=timezone.now):
        time.sleep(0.1)
"""
STATE = """
from maintenance.models import Import, Operation
batch = Import.objects.get()
operation = Operation.objects.latest("pk")
print(json.dumps({
    "import": batch.state, "operation": operation.state, "runs": operation.run,
    "received": batch.received, "new": batch.new, "duplicate": batch.duplicate,
    "refused": batch.refused,
}))
"""
COMPARED = """
import numpy as np
from maintenance import store
from maintenance.models import MeasurementPoint
sent = np.load(sys.argv[1])
lost = doubled = wrong = 0
names = MeasurementPoint.objects.order_by("asset__pk", "code").values_list("pk", flat=True)
for place, pk in enumerate(names):
    at_us, values = store.read([pk], -2**62, 2**62)[pk]
    at, known = sent["at_us"], sent["values"][:, place]
    doubled += len(at_us) - len(np.unique(at_us))
    found = np.isin(at, at_us)
    lost += int((~found).sum())
    doubled += int((~np.isin(at_us, at)).sum())
    where = np.searchsorted(at_us, at[found])
    wrong += int((values[where] != known[found]).sum())
faults = [str(fault) for fault in store.verify()]
print(json.dumps({"lost": lost, "doubled": doubled, "wrong_values": wrong, "faults": faults}))
"""


@dataclass(frozen=True)
class Sent:
    """The file, what it holds of each point, and how many rows are repeated or cannot be read."""

    path: Path
    expected: Path
    readings: int
    repeated: int
    broken: int


@dataclass(frozen=True)
class Plant:
    """An installation of its own, whose worker can be killed."""

    environ: dict[str, str]

    def told(self, script: str, *arguments: str) -> Any:
        printed = subprocess.run(  # noqa: S603  Our own programs.
            [sys.executable, "-c", HEAD + script, *arguments],
            cwd=served.ROOT,
            env=self.environ,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        lines = printed.strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[str]]:
        """Killed at the end; it is about to work when this begins."""
        process = subprocess.Popen(  # noqa: S603  Our own program.
            [sys.executable, "-c", HEAD + WORK],
            cwd=served.ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None  # noqa: S101  It is a pipe.
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rows", type=int, default=12_000_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--postgresql", default=served.URL, help="a server, as its superuser")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object alone")
    options = parser.parse_args()
    told = {}
    for name in options.databases.split(","):
        with served.folder() as folder, _database(name, folder, options.postgresql) as url:
            told[name] = _tried(folder, url, options)
        if not options.json:
            print(name, told[name], flush=True)
    print(json.dumps(told))


@contextmanager
def _database(name: str, folder: Path, server: str) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{folder / 'vigia.sqlite3'}"
        return
    with served.postgresql(server, "vigia_upload_kills") as url:
        yield url


def _tried(folder: Path, url: str, options: argparse.Namespace) -> dict[str, Any]:
    environ = served.environment(
        DJANGO_SETTINGS_MODULE="config.settings",
        VIGIA_VAR_DIR=str(folder),
        DATABASE_URL=url,
        VIGIA_OPERATION_LEASE_SECONDS=str(LEASE_SECONDS),
        CELERY_BROKER_URL="filesystem://localhost",
    )
    plant, chance = Plant(environ), random.Random(options.seed)
    plant.told(
        "from django.core.management import call_command; call_command('migrate', verbosity=0)"
    )
    plant.told(FILL)
    sent = _written(folder, options.rows, options.seed)
    plant.told(SEND, str(sent.path))
    kills, sent_again, end = 0, 0, time.monotonic() + ENDS_SECONDS
    while (state := plant.told(STATE))["import"] == "running" and time.monotonic() < end:
        if state["operation"] not in ("queued", "running"):
            # Killed too often before it stored anything: it goes on when it is sent again.
            plant.told(SEND, str(sent.path))
            sent_again += 1
        _say(f"{kills} kills, {state}")
        with plant.worker() as process:
            if kills < options.kills:
                _wait_to_kill(process, url, chance, until_stored=bool(kills % 2))
                kills += process.poll() is None
            else:
                process.wait(end - time.monotonic())
    return {
        "kills": kills,
        "runs": state["runs"],
        "sent_again": sent_again,
        "acknowledged": sent.readings + sent.repeated + sent.broken,
        "state": state["import"],
        "counts_exact": (state["received"], state["new"], state["duplicate"], state["refused"])
        == (
            sent.readings + sent.repeated + sent.broken,
            sent.readings,
            sent.repeated,
            sent.broken,
        ),
        **plant.told(COMPARED, str(sent.expected)),
    }


def _wait_to_kill(
    process: subprocess.Popen[str], url: str, chance: random.Random, *, until_stored: bool
) -> None:
    """At a random moment; every other time only once the worker has stored something."""
    before = _received(url)
    while until_stored and process.poll() is None and _received(url) == before:
        time.sleep(0.1)
    with suppress(subprocess.TimeoutExpired):
        process.wait(chance.uniform(0.2, LONGEST_LIFE_SECONDS))


def _received(url: str) -> int:
    """Rows counted so far, asked for without a word to the worker."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=60)) as asked:
            return int(asked.execute(_COUNTED).fetchone()[0])
    with psycopg.connect(url) as connection:
        row = connection.execute(_COUNTED).fetchone()
        return int(row[0]) if row else 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _written(folder: Path, rows: int, seed: int) -> Sent:
    """Minute by minute; one in 100 is said again with another value, one in 100,000 unreadable."""
    rng = np.random.default_rng(seed)
    minutes = max(1, rows // POINTS)
    at_us = START_US + MINUTE_US * np.arange(minutes)
    values = np.round(rng.normal(0, 0.01, (minutes, POINTS)).cumsum(axis=0) + 20, 3)
    minute, place = (part.ravel() for part in np.indices((minutes, POINTS)))
    told = values.ravel()
    again = np.sort(rng.choice(len(told), len(told) // 100, replace=False))
    broken = np.sort(rng.choice(len(told), len(told) // 100_000, replace=False))
    order = np.argsort(np.concatenate([minute, minute[again], minute[broken]]), kind="stable")
    row_minute = np.concatenate([minute, minute[again], minute[broken]])[order]
    row_place = np.concatenate([place, place[again], place[broken]])[order]
    row_value = np.concatenate([told, told[again] + 1, np.full(len(broken), np.nan)])[order]
    table = pa.table(
        {
            "asset": pa.array([f"P-{i // 10}" for i in range(POINTS)]).take(pa.array(row_place)),
            "point": pa.array([f"s{i % 10}" for i in range(POINTS)]).take(pa.array(row_place)),
            "at": pa.array(at_us[row_minute], pa.timestamp("us", "UTC")),
            "value": pa.array(row_value),
        }
    )
    path, expected = folder / "history.csv", folder / "expected.npz"
    pa_csv.write_csv(table, path)
    np.savez(expected, at_us=at_us, values=values)
    return Sent(path, expected, len(told), len(again), len(broken))


if __name__ == "__main__":
    main()
