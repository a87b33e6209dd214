"""History in files, how small it lies and how soon it is drawn, beside what is usual."""

from __future__ import annotations

import importlib
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import psycopg
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import csv

from benchmarks import served
from benchmarks.ingest_plant import (
    DAY_US,
    MINUTE_US,
    Place,
    Plant,
    Rates,
    Rows,
    wander,
)
from benchmarks.served import Cost, Meter

POINTS = 200
DISK_POINTS, DISK_DAYS = 60, 30
CHARTS, CHART_POINTS = 20, 1000
LONG_AGO_DAYS = 400
Draw: TypeAlias = Callable[[int], int]


def files(place: Place, plant: Plant, rounds: int, rows: int, rates: Rates) -> dict[str, Any]:
    """CSV of so many rows, by time and by point, spooled, sorted and stored; and the same again."""
    store: Any = importlib.import_module("maintenance.store")
    meter = Meter(backends=place.backends, this_process=True)
    resent, stored, lain = 0, 0, Sizes(place)
    with ExitStack() as stack:
        peer = None
        if which("victoria-metrics"):
            peer = stack.enter_context(victoria_metrics(place.folder))
        for turn in range(-1, rounds):
            count = rows if turn >= 0 else rows // 10
            by_time, by_point = (_block(plant, turn + 1, part, count) for part in (0, 1))
            for name, block in (("csv_time_major", by_time), ("csv_point_major", by_point)):
                path = written(block, plant, place.folder / f"{name}.csv")
                with place.anchor.meter.measured() as plain:
                    place.anchor.take(block)
                with meter.measured() as first:
                    new = _uploaded(path, again=False)
                with meter.measured() as second:
                    resent += _uploaded(path, again=True)
                if new != len(block):
                    raise SystemExit(f"{new} of {len(block)} readings of {name} were new")
                stored += new
                told = {f"{name}_anchor": plain, name: first, f"{name}_again": second}
                if peer is not None:
                    told[f"{name}_victoriametrics"] = peer.import_csv(path)
                    if name == "csv_point_major":
                        told["json_lines_victoriametrics"] = peer.import_lines(block, plant)
                path.unlink()
                for title, cost in told.items() if turn >= 0 else ():
                    rates.add(title, len(block), cost)
            place.tell(f"{place.vendor} files {turn + 1}: {rates.told()}")
        found: dict[str, Any] = {
            "csv_time_major_vs_anchor": rates.ratio("csv_time_major", "csv_time_major_anchor"),
            "csv_point_major_vs_anchor": rates.ratio("csv_point_major", "csv_point_major_anchor"),
            "history_vs_victoriametrics": None,
            "resent_new": resent,
            "file_again_vs_first": rates.ratio("csv_point_major_again", "csv_point_major"),
        }
        if peer is not None:
            # The same files in the same format; by the worse of the two.
            found["history_vs_victoriametrics"] = min(
                rates.ratio(name, f"{name}_victoriametrics")
                for name in ("csv_time_major", "csv_point_major")
            )
            # Its own format, which nothing but it writes.
            found["history_vs_victoriametrics_lines"] = rates.ratio(
                "csv_point_major", "json_lines_victoriametrics"
            )
            found["disk_vs_victoriametrics"] = round(lain.grown() / peer.bytes_on_disk(), 3)
    if store.count() < stored:
        raise SystemExit("readings were lost")
    return found


def _block(plant: Plant, turn: int, part: int, rows: int) -> Rows:
    """History of a stretch of its own, in the order of time or of points."""
    minutes = rows // POINTS
    days = LONG_AGO_DAYS - (2 * turn + part) * (minutes // 1440 + 2)
    first_us = plant.start_us - plant.start_us % DAY_US - days * DAY_US
    at_us, ids = first_us + np.arange(minutes) * MINUTE_US, plant.ids[:POINTS]
    if part == 0:
        points, at_us = np.tile(ids, minutes), np.repeat(at_us, len(ids))
    else:
        points, at_us = np.repeat(ids, minutes), np.tile(at_us, len(ids))
    return Rows(points, at_us, wander(points, at_us))


def written(rows: Rows, plant: Plant, path: Path) -> Path:
    """As a historian exports it: a line a reading."""
    order = np.argsort(plant.ids)
    which_point = pa.array(order[np.searchsorted(plant.ids[order], rows.points)].astype(np.int32))
    columns = {
        name: pa.DictionaryArray.from_arrays(which_point, pa.array(names)).cast(pa.string())
        for name, names in zip(("asset", "point"), zip(*plant.names, strict=True), strict=True)
    }
    at = np.char.add(np.datetime_as_string(rows.at_us.astype("M8[us]"), unit="s"), "Z")
    table = pa.table({**columns, "at": pa.array(at), "value": pa.array(rows.values)})
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="none"))
    return path


def _uploaded(path: Path, *, again: bool) -> int:
    """Through the door for files and the worker, in this process; how many were new."""
    tasks: Any = importlib.import_module("maintenance.tasks")
    uploads: Any = importlib.import_module("maintenance.sources.uploads")
    spool: Any = importlib.import_module("maintenance.sources.spool")
    models: Any = importlib.import_module("maintenance.models")
    door: Any = importlib.import_module("maintenance.choices").ImportDoor.UPLOAD
    now = importlib.import_module("django.utils.timezone").now()
    site, how = models.Site.objects.get(), uploads.HowToRead("csv")
    with path.open("rb") as file:
        spooled = spool.keep(file.read, most_bytes=path.stat().st_size)
    batch, _known = tasks.request_upload(
        site=site, door=door, spooled=spooled, how=how, file_name=path.name, sender="",
        now=now, again=again,
    )  # fmt: skip
    asked = batch.operation.arguments
    uploads.take(**asked, report=_unheard, fence=_unheard, now=now)
    batch.refresh_from_db()
    if batch.state != "done" or batch.refused:
        raise SystemExit(f"{path.name}: {batch.state} {batch.error} {batch.refused} refused")
    return int(batch.new)


def _unheard(*_told: object) -> None:
    """Nobody watches the progress of a measurement."""


@dataclass
class Sizes:
    """How much the sealed readings have grown since."""

    place: Place
    before: int = -1

    def __post_init__(self) -> None:
        self.before = self._now()

    def grown(self) -> int:
        return self._now() - self.before

    def _now(self) -> int:
        connection: Any = importlib.import_module("django.db").connection
        with connection.cursor() as cursor:
            if self.place.vendor == "postgresql":
                cursor.execute("SELECT pg_total_relation_size('maintenance_readingsegment')")
                return int(cursor.fetchone()[0])
            found = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES]
        return int((found[0] - found[1]) * found[2])


_PAGES = ("page_count", "freelist_count", "page_size")


def disk_and_charts(place: Place, plant: Plant) -> dict[str, Any]:
    """Thirty days of some points: bytes a reading, and the time until a chart is read."""
    store: Any = importlib.import_module("maintenance.store")
    readings: Any = importlib.import_module("maintenance.queries.readings")
    now = importlib.import_module("django.utils.timezone").now()
    start_us = plant.start_us - plant.start_us % DAY_US - (DISK_DAYS + 10) * DAY_US
    end_us, ids = start_us + DISK_DAYS * DAY_US, plant.ids[-DISK_POINTS:]
    sizes, narrow = Sizes(place), _narrow(place)
    for day in range(DISK_DAYS):
        at_us = start_us + day * DAY_US + np.arange(1440) * MINUTE_US
        points, at_us = np.tile(ids, 1440), np.repeat(at_us, len(ids))
        rows = Rows(points, at_us, wander(points, at_us))
        store.append(rows.points, rows.at_us, rows.values, now=now)
        narrow.take(rows)
    count = DISK_POINTS * DISK_DAYS * 1440
    ours_bytes, narrow_bytes = sizes.grown() / count, narrow.size() / count

    def draw(point: int) -> int:
        [(at_us, _values)] = readings.thinned(
            [point], start_us=start_us, end_us=end_us, most=CHART_POINTS, method="min_max"
        ).values()
        return len(at_us)

    def draw_narrow(point: int) -> int:
        at_us, values = narrow.read(point, start_us, end_us)
        kept = readings.chosen(at_us, values, (start_us, end_us), CHART_POINTS, "min_max")
        return len(at_us[kept])

    meter = Meter(backends=place.backends, this_process=True)
    narrow_meter = Meter(backends=narrow.backends, this_process=True)
    ours, theirs = [], []
    for point in ids[:CHARTS].tolist():
        ours.append(_drawn(meter, draw, point))
        theirs.append(_drawn(narrow_meter, draw_narrow, point))
    return {
        "disk_vs_narrow": round(ours_bytes / narrow_bytes, 4),
        "chart_vs_narrow": round(_cpu(ours) / _cpu(theirs), 4),
        "bytes_a_reading": round(ours_bytes, 2),
        "bytes_a_reading_narrow": round(narrow_bytes, 1),
        "chart_cpu_ms": round(_cpu(ours) * 1000, 2),
        "chart_cpu_ms_narrow": round(_cpu(theirs) * 1000, 2),
    }


def _drawn(meter: Meter, draw: Draw, point: int) -> Cost:
    with meter.measured() as cost:
        drawn = draw(point)
    if not CHART_POINTS * 0.9 <= drawn <= CHART_POINTS:
        raise SystemExit(f"a chart has {drawn} points")
    return cost


def _cpu(costs: list[Cost]) -> float:
    return median(cost.cpu for cost in costs)


class Narrow:
    """The table that everybody makes: point, instant, value, and the key of the first two."""

    def take(self, rows: Rows) -> None:
        raise NotImplementedError

    def size(self) -> int:
        raise NotImplementedError

    def read(self, point: int, start_us: int, end_us: int) -> tuple[Any, Any]:
        raise NotImplementedError

    def backends(self) -> list[int]:
        raise NotImplementedError


class NarrowPostgresql(Narrow):
    """Filled by COPY, read by rows as a driver gives them."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(
            "CREATE TABLE narrow (point_id bigint NOT NULL, at timestamptz NOT NULL, "
            "value double precision NOT NULL, PRIMARY KEY (point_id, at))"
        )

    def take(self, rows: Rows) -> None:
        # A binary timestamptz counts microseconds since 2000.
        since = Rows(rows.points, rows.at_us - 946_684_800_000_000, rows.values)
        statement = "COPY narrow FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(since.copied())

    def size(self) -> int:
        self._connection.execute("VACUUM ANALYZE narrow")
        found = self._connection.execute("SELECT pg_total_relation_size('narrow')").fetchone()
        return int(found[0]) if found else 0

    def read(self, point: int, start_us: int, end_us: int) -> tuple[Any, Any]:
        found = self._connection.execute(
            "SELECT at, value FROM narrow WHERE point_id = %s AND at >= to_timestamp(%s) "
            "AND at < to_timestamp(%s) ORDER BY at",
            [point, start_us / 1e6, end_us / 1e6],
        ).fetchall()
        at_us = np.array([row[0].timestamp() for row in found]) * 1e6
        return at_us.astype(np.int64), np.array([row[1] for row in found])

    def backends(self) -> list[int]:
        return [self._connection.info.backend_pid]


class NarrowSqlite(Narrow):
    """A table that is its own index."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = sqlite3.connect(path)
        self._connection.execute(
            "CREATE TABLE narrow (point_id integer NOT NULL, at integer NOT NULL, "
            "value real NOT NULL, PRIMARY KEY (point_id, at)) WITHOUT ROWID"
        )

    def take(self, rows: Rows) -> None:
        self._connection.executemany("INSERT INTO narrow VALUES (?, ?, ?)", rows.tuples())
        self._connection.commit()

    def size(self) -> int:
        return self._path.stat().st_size

    def read(self, point: int, start_us: int, end_us: int) -> tuple[Any, Any]:
        found = self._connection.execute(
            "SELECT at, value FROM narrow WHERE point_id = ? AND at >= ? AND at < ? ORDER BY at",
            [point, start_us, end_us],
        ).fetchall()
        return np.array([row[0] for row in found]), np.array([row[1] for row in found])

    def backends(self) -> list[int]:
        return []


def _narrow(place: Place) -> Narrow:
    if place.vendor == "postgresql":
        return NarrowPostgresql(place.naive_url)
    return NarrowSqlite(place.folder / "narrow.sqlite3")


@dataclass
class VictoriaMetrics:
    """Debian's package, on a port of its own, with a folder that is deleted at the end."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def import_csv(self, path: Path) -> Cost:
        columns = "1:label:asset,2:label:point,3:time:rfc3339,4:metric:reading"
        return self._import(f"/api/v1/import/csv?format={columns}", path.read_bytes())

    def import_lines(self, rows: Rows, plant: Plant) -> Cost:
        """A line a point, the shortest of its text formats; the same readings once more."""
        names = dict(zip(plant.ids.tolist(), plant.names, strict=True))
        count = len(rows) // POINTS
        lines = []
        for first in range(0, len(rows), count):
            asset, point = names[int(rows.points[first])]
            at = (rows.at_us[first : first + count] // 1000).tolist()
            values = rows.values[first : first + count].tolist()
            metric = f'{{"__name__":"line","asset":"{asset}","point":"{point}"}}'
            lines.append(f'{{"metric":{metric},"values":{values},"timestamps":{at}}}')
        return self._import("/api/v1/import", "\n".join(lines).encode())

    def bytes_on_disk(self) -> float:
        """Of what came by CSV: half of what is there came as lines of the points by point."""
        self._ask("/api/v1/admin/tsdb/delete_series?match[]=line", b"")
        self._ask("/internal/force_flush")
        self._ask("/internal/force_merge")
        time.sleep(5)
        return float(sum(p.stat().st_size for p in self.folder.rglob("*") if p.is_file()))

    def _import(self, path: str, body: bytes) -> Cost:
        with Meter(servers=lambda: [self.process.pid]).measured() as cost:
            self._ask(path, body)
            self._ask("/internal/force_flush")
        return cost

    def _ask(self, path: str, body: bytes | None = None) -> None:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, body, timeout=600) as answer:
            answer.read()


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[VictoriaMetrics]:
    port, data = served.free_port(), folder / "victoria"
    command = [
        *("victoria-metrics", f"-storageDataPath={data}", "-retentionPeriod=100y"),
        *(f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=ERROR"),
    ]
    with (folder / "victoria.log").open("ab") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told)  # noqa: S603
    try:
        served.wait_for(port, process, folder / "victoria.log")
        yield VictoriaMetrics(process, port, data)
    finally:
        served.end(process)
