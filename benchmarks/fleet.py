"""A fleet's day through the store: what a reading costs at one size and at ten times that size.

    python -m benchmarks.fleet [--assets 10000] [--points 20] [--seconds 60] [--url URL] [--json]

On PostgreSQL, in a database of its own that is dropped at the end. Each asset has so many points
that speak once in so many seconds for a day. Gateways send what they gathered in five minutes, in
batches of 50,000 rows; then the day is sealed shard by shard, and a sample of points is read back
and compared bit for bit. Costs are processor seconds of this process and its backend.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import importlib
import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg

URL = "postgresql://postgres@127.0.0.1:5432/postgres"
DATABASE = "vigia_bench_fleet"
DAY = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
MINUTE_US = 60_000_000
GATHERED_US = 5 * MINUTE_US
BATCH_ROWS = 50_000
SAMPLED_POINTS = 200
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Costs:
    """Processor seconds by stage, of this process and its backend together."""

    backend: int
    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, stage: str, work: Callable[[], Any]) -> Any:
        began = self._cpu()
        found = work()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + self._cpu() - began
        return found

    def _cpu(self) -> float:
        spent = Path(f"/proc/{self.backend}/stat").read_text().rpartition(")")[2].split()
        return time.process_time() + (int(spent[11]) + int(spent[12])) / TICKS


def main() -> None:
    """Read the arguments, live a day at both sizes, and print JSON last."""
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description=__doc__)
    parser.add_argument("--assets", type=int, default=10_000, help="of the larger fleet")
    parser.add_argument("--points", type=int, default=20, help="of each asset")
    parser.add_argument("--seconds", type=int, default=60, help="from one reading to the next")
    parser.add_argument("--url", default=URL, help="of a PostgreSQL where databases can be made")
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    options = parser.parse_args()
    tell: Callable[[str], object] = _nothing if options.json else print
    found: dict[str, Any] = {"points": options.points, "sampling_seconds": options.seconds}
    sizes = {"1x": options.assets // 10, "10x": options.assets}
    for name, assets in sizes.items():
        tell(f"{name}: {assets} assets of {options.points} points")
        found[name] = _in_a_child(options.url, assets * options.points, options.seconds, tell)
    found["cost_ratio"] = round(
        found["10x"]["cpu_us_a_reading"] / found["1x"]["cpu_us_a_reading"], 3
    )
    found["peak_memory_mb"] = found["10x"]["peak_memory_mb"]
    print(json.dumps(found, indent=None if options.json else 1))


def _nothing(_words: str) -> None:
    """What is told when only figures are wanted."""


def _in_a_child(
    url: str, points: int, seconds: int, tell: Callable[[str], object]
) -> dict[str, Any]:
    """One size in a process of its own: memory is then that size's alone."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "w") as told:
            json.dump(_lived(url, points, seconds, tell), told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    _pid, status = os.waitpid(child, 0)
    if status or not text:
        raise SystemExit(f"the child with {points} points ended with status {status}")
    found: dict[str, Any] = json.loads(text)
    return found


def _lived(url: str, points: int, seconds: int, tell: Callable[[str], object]) -> dict[str, Any]:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        admin.execute(f"CREATE DATABASE {DATABASE}")
        try:
            return _measured(url, points, seconds, tell)
        finally:
            admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def _measured(url: str, points: int, seconds: int, tell: Callable[[str], object]) -> dict[str, Any]:
    for name in [name for name in os.environ if name.startswith("VIGIA_")]:
        del os.environ[name]
    os.environ |= {
        "DATABASE_URL": urlunsplit(urlsplit(url)._replace(path=f"/{DATABASE}")),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VIGIA_LOG_LEVEL": "WARNING",
    }
    django: Any = importlib.import_module("django")
    django.setup()
    importlib.import_module("django.core.management").call_command("migrate", verbosity=0)
    return _day(points, seconds, tell)


def _day(points: int, seconds: int, tell: Callable[[str], object]) -> dict[str, Any]:
    connection: Any = importlib.import_module("django.db").connection
    store: Any = importlib.import_module("maintenance.store")
    to_us: Any = importlib.import_module("maintenance.instants").to_us
    began = time.perf_counter()
    ids = _points(connection, points, seconds)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        costs = Costs(backend=cursor.fetchone()[0])
    step_us, day_us = seconds * 1_000_000, to_us(DAY)
    rows = 0
    for slot_us in range(day_us, day_us + 1440 * MINUTE_US, GATHERED_US):
        at_us = np.arange(slot_us, slot_us + GATHERED_US, step_us)
        at_once = max(1, BATCH_ROWS // len(at_us))
        for first in range(0, points, at_once):
            some = np.repeat(ids[first : first + at_once], len(at_us))
            instants = np.tile(at_us, len(some) // len(at_us))
            values = _values(some, instants)
            costs.of("append", partial(store.append, some, instants, values, now=DAY))
            rows += len(some)
        if (slot_us - day_us) % (120 * MINUTE_US) == 0:
            tell(f"{time.perf_counter() - began:7.0f} s  {rows} rows appended")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('maintenance_reading')")
        hot_bytes = cursor.fetchone()[0]
    for shard in range(store.SHARDS):
        costs.of("fold", partial(store.fold, shard, before_us=day_us + 1440 * MINUTE_US))
    tell(f"{time.perf_counter() - began:7.0f} s  sealed")
    wrong = _read_back(store, ids, day_us, step_us, costs)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('maintenance_readingsegment')")
        sealed_bytes = cursor.fetchone()[0]
    gc.collect()
    return {
        "points": points,
        "readings": rows,
        "cpu_seconds": {stage: round(spent, 2) for stage, spent in costs.seconds.items()},
        "cpu_us_a_reading": round(
            (costs.seconds["append"] + costs.seconds["fold"]) / rows * 1e6
            + costs.seconds["read"] / (SAMPLED_POINTS * 1440 * 60 / seconds) * 1e6,
            4,
        ),
        "hot_bytes_a_reading": round(hot_bytes / rows, 1),
        "sealed_bytes_a_reading": round(sealed_bytes / rows, 2),
        "wrong_values": wrong,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _points(connection: Any, points: int, seconds: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """One asset of very many points: the store knows points alone."""
    models: Any = importlib.import_module("maintenance.models")
    site = models.Site.objects.create(code="fleet", name="Fleet", recorded_at=DAY)
    kind = models.AssetClass.objects.create(site=site, code="c", name="Class", recorded_at=DAY)
    asset = models.Asset.objects.create(
        site=site, asset_class=kind, code="a", name="A", commissioned_at=DAY, recorded_at=DAY
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO maintenance_measurementpoint "
            "(asset_id, code, name, unit, sampling_seconds, recorded_at, source, external_id, "
            "learnt_limits) SELECT %s, 'p' || n, 'Point', '', %s, %s, '', '', '{}' "
            "FROM generate_series(1, %s) AS n RETURNING id",
            [asset.pk, seconds, DAY, points],
        )
        return np.sort(np.array([row[0] for row in cursor.fetchall()], np.int64))


def _values(points: Any, at_us: Any) -> Any:
    """Three decimals that wander: what each (point, instant) is told can be told again."""
    noise = (points * 2_654_435_761 + at_us // 1_000_000 * 40_503) % 997
    return np.round(40 + points % 50 + np.sin(at_us / 3.6e9 + points) + noise / 1000, 3)


def _read_back(store: Any, ids: Any, day_us: int, step_us: int, costs: Costs) -> int:
    wrong = 0
    at_us = np.arange(day_us, day_us + 1440 * MINUTE_US, step_us)
    for point in ids[:: max(1, len(ids) // SAMPLED_POINTS)][:SAMPLED_POINTS].tolist():
        read = partial(store.read, [point], day_us, int(at_us[-1]) + 1)
        found = costs.of("read", read)
        instants, values = found[point]
        expected = _values(np.full(len(at_us), point), at_us)
        if not np.array_equal(instants, at_us):
            wrong += len(at_us)
        else:
            wrong += int((values != expected).sum())
    return wrong


if __name__ == "__main__":
    main()
