"""What the benchmark of ingest measures in: a plant, its readings, and a plain table beside it."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks import served
from benchmarks.served import Cost, Meter

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Tell: TypeAlias = Callable[[str], object]

ASSETS, POINTS = 100, 20
ROWS_A_BATCH = 10_000
MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US
_COPIED = np.dtype(
    [
        *(("columns", ">i2"), ("point_bytes", ">i4"), ("point", ">i8"), ("at_bytes", ">i4")),
        *(("at", ">i8"), ("value_bytes", ">i4"), ("value", ">f8")),
    ]
)
_PLAIN = "(point_id bigint NOT NULL, at_us bigint NOT NULL, value double precision NOT NULL)"


@dataclass(frozen=True)
class Rows:
    """Readings as arrays: what a driver could be given at once."""

    points: Ints
    at_us: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def part(self, first: int, end: int) -> Rows:
        return Rows(self.points[first:end], self.at_us[first:end], self.values[first:end])

    def tuples(self) -> list[tuple[int, int, float]]:
        columns = (self.points.tolist(), self.at_us.tolist(), self.values.tolist())
        return list(zip(*columns, strict=True))

    def copied(self) -> bytes:
        """As PostgreSQL's binary COPY takes them."""
        packed = np.empty(len(self), _COPIED)
        packed["columns"] = 3
        for name, column in (("point", self.points), ("at", self.at_us), ("value", self.values)):
            packed[f"{name}_bytes"] = 8
            packed[name] = column
        return b"PGCOPY\n\xff\r\n\x00" + bytes(8) + packed.tobytes() + b"\xff\xff"


@dataclass
class Rates:
    """Rows per second of processors and of the clock, a figure a round."""

    by_name: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, name: str, rows: int, cost: Cost) -> None:
        self.by_name.setdefault(name, []).append((rows / cost.cpu, rows / cost.wall))

    def ratio(self, name: str, beside: str) -> float:
        """Of rows per processor second; both of a round were measured within seconds."""
        pairs = zip(self.by_name[name], self.by_name[beside], strict=True)
        return round(median(ours[0] / theirs[0] for ours, theirs in pairs), 3)

    def median(self, name: str) -> float:
        return median(cpu for cpu, _wall in self.by_name[name])

    def told(self) -> dict[str, dict[str, int]]:
        return {
            name: {
                "rows_per_cpu_s": round(median(cpu for cpu, _wall in rates)),
                "rows_per_s": round(median(wall for _cpu, wall in rates)),
            }
            for name, rates in self.by_name.items()
        }


@dataclass
class Place:
    """Where one database is measured: the application, the naive peer and the plain table."""

    folder: Path
    url: str
    naive_url: str
    vendor: str
    backends: Callable[[], list[int]]
    naive_backends: Callable[[], list[int]]
    anchor: Anchor
    tell: Tell


class Anchor:
    """A plain table of the same database, filled as fast as its driver can."""

    meter: Meter

    def take(self, rows: Rows) -> None:
        raise NotImplementedError


class CopiedAnchor(Anchor):
    """Binary COPY into a table without keys, one statement."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute(f"CREATE TABLE anchor {_PLAIN}")
        connection.commit()
        pid = connection.info.backend_pid
        self.meter = Meter(backends=lambda: [pid], this_process=True)

    def take(self, rows: Rows) -> None:
        statement = "COPY anchor FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(rows.copied())
        self._connection.commit()


class ExecutedAnchor(Anchor):
    """executemany into a table that is its own index, a transaction a batch."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(
            f"CREATE TABLE anchor {_PLAIN[:-1]}, PRIMARY KEY (point_id, at_us)) WITHOUT ROWID"
        )
        self.meter = Meter(this_process=True)

    def take(self, rows: Rows) -> None:
        for first in range(0, len(rows), ROWS_A_BATCH):
            batch = rows.part(first, first + ROWS_A_BATCH).tuples()
            self._connection.executemany("INSERT INTO anchor VALUES (?, ?, ?)", batch)
            self._connection.commit()


@contextmanager
def place_of(vendor: str, url: str, tell: Tell) -> Iterator[Place]:
    with ExitStack() as stack:
        folder = stack.enter_context(served.folder())
        if vendor == "sqlite":
            (folder / "var").mkdir()
            yield Place(
                folder=folder,
                url=f"sqlite:///{folder / 'var' / 'vigia.sqlite3'}",
                naive_url=f"sqlite:///{folder / 'naive.sqlite3'}",
                vendor=vendor,
                backends=list,
                naive_backends=list,
                anchor=ExecutedAnchor(folder / "anchor.sqlite3"),
                tell=tell,
            )
            return
        ours = stack.enter_context(served.postgresql(url, "vigia_bench_ingest"))
        naive = stack.enter_context(served.postgresql(url, "vigia_bench_naive"))
        admins = [
            stack.enter_context(psycopg.connect(one, autocommit=True)) for one in (ours, naive)
        ]
        plain = stack.enter_context(psycopg.connect(naive))
        anchor = CopiedAnchor(plain)
        pid = plain.info.backend_pid
        theirs = served.backends_of(admins[1])
        yield Place(
            folder=folder,
            url=ours,
            naive_url=naive,
            vendor=vendor,
            backends=served.backends_of(admins[0]),
            naive_backends=lambda: [one for one in theirs() if one != pid],
            anchor=anchor,
            tell=tell,
        )


def settings_of(place: Place) -> dict[str, str]:
    return {
        "DATABASE_URL": place.url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VIGIA_VAR_DIR": str(place.folder / "var"),
        "VIGIA_LOG_LEVEL": "WARNING",
    }


@dataclass
class Plant:
    """Points that speak once a minute, the token that sends for them, and when they began to."""

    ids: Ints
    names: list[tuple[str, str]]
    secret: str
    start_us: int

    @classmethod
    def made(cls) -> Plant:
        importlib.import_module("django.core.management").call_command("migrate", verbosity=0)
        models: Any = importlib.import_module("maintenance.models")
        scope: Any = importlib.import_module("maintenance.choices").TokenScope
        now = dt.datetime.now(dt.UTC)
        site = models.Site.objects.create(code="plant", name="Plant", recorded_at=now)
        kind = models.AssetClass.objects.create(site=site, code="c", name="C", recorded_at=now)
        assets = models.Asset.objects.bulk_create(
            models.Asset(
                site=site,
                asset_class=kind,
                code=f"asset-{n:03d}",
                name=f"Asset {n}",
                commissioned_at=now,
                recorded_at=now,
            )
            for n in range(ASSETS)
        )
        points = models.MeasurementPoint.objects.bulk_create(
            models.MeasurementPoint(
                asset=asset,
                code=f"point-{n:02d}",
                name=f"Point {n}",
                sampling_seconds=60,
                recorded_at=now,
            )
            for asset in assets
            for n in range(POINTS)
        )
        secret = models.ApiToken.new_secret()
        models.ApiToken.objects.create(
            site=site,
            name="benchmark",
            digest=models.ApiToken.digest_of(secret),
            scopes=[scope.WRITE_READINGS.value, scope.READ_READINGS.value],
            recorded_at=now,
        )
        began = (now - dt.timedelta(hours=20)).replace(minute=0, second=0, microsecond=0)
        return cls(
            ids=np.array([point.pk for point in points], np.int64),
            names=[(point.asset.code, point.code) for point in points],
            secret=secret,
            start_us=round(began.timestamp() * 1_000_000),
        )

    def live(self, first_minute: int, rows: int) -> Rows:
        """As a plant speaks: each instant of all points, one after the other."""
        minutes = np.arange(first_minute, first_minute + rows // len(self.ids))
        points = np.tile(self.ids, len(minutes))
        at_us = self.start_us + np.repeat(minutes, len(self.ids)) * MINUTE_US
        return Rows(points, at_us, wander(points, at_us))

    def bodies(self, rows: Rows) -> list[bytes]:
        """Requests of 10,000 rows each, as a gateway writes them."""
        names = dict(zip(self.ids.tolist(), self.names, strict=True))
        shown = np.char.add(np.datetime_as_string(rows.at_us.astype("M8[us]"), unit="s"), "Z")
        columns = (rows.points.tolist(), shown.tolist(), rows.values.tolist())
        told = [
            {"asset": names[point][0], "point": names[point][1], "at": at, "value": value}
            for point, at, value in zip(*columns, strict=True)
        ]
        return [
            _json({"readings": told[first : first + ROWS_A_BATCH]})
            for first in range(0, len(told), ROWS_A_BATCH)
        ]

    def bodies_in_columns(self, rows: Rows) -> list[bytes]:
        """The same readings by asset."""
        return [
            self._columns(rows.part(first, first + ROWS_A_BATCH))
            for first in range(0, len(rows), ROWS_A_BATCH)
        ]

    def _columns(self, rows: Rows) -> bytes:
        values = rows.values.reshape(-1, ASSETS, POINTS)
        at = (rows.at_us[:: len(self.ids)] // 1000).tolist()
        blocks = [
            {
                "asset": self.names[n * POINTS][0],
                "at": at,
                "values": {
                    self.names[n * POINTS + m][1]: values[:, n, m].tolist() for m in range(POINTS)
                },
            }
            for n in range(ASSETS)
        ]
        return _json({"times": "epoch_ms", "columns": blocks})


def _json(told: Any) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


def wander(points: Ints, at_us: Ints) -> Floats:
    """Three decimals: a level of the point, a wave of the day, and noise that can be told again."""
    mixed = (points.astype(np.uint64) << np.uint64(40)) ^ (at_us // 1_000_000).astype(np.uint64)
    noise = np.zeros(len(mixed))
    for turn in range(4):
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15 + 2 * turn)
        noise += (mixed >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5
    wave = 2 * np.sin(at_us / DAY_US * 2 * np.pi + points)
    values: Floats = np.round(40 + points % 50 + wave + 0.4 * noise, 3)
    return values
