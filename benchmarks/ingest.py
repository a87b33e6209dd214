"""How fast readings are taken, and how small they lie, beside a plain table and what is usual.

    python -m benchmarks.ingest [--database postgresql|sqlite] [--rounds 5] [--url URL] [--json]

Each round measures the anchor (the fastest that the database can do: a binary COPY into a plain
table, or executemany into one WITHOUT ROWID), the application behind its web server, and the naive
peer (`naive_app`) behind the same web server, one after the other on the same readings. A ratio is
of rows per processor second of the application and its database backend; the median of the rounds
is given. On PostgreSQL in databases of its own, which are dropped at the end.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import ingest_history, served
from benchmarks.ingest_plant import (
    ROWS_A_BATCH,
    Place,
    Plant,
    Rates,
    Tell,
    place_of,
    settings_of,
)
from benchmarks.served import ROOT, Meter

DATABASES = ("postgresql", "sqlite")


def main() -> None:
    """Read the arguments, measure each database in a process of its own, and print JSON last."""
    parser = argparse.ArgumentParser(prog="benchmarks.ingest", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, action="append", help="both without it")
    parser.add_argument("--rounds", type=int, default=5, help="the median of so many is given")
    parser.add_argument("--batches", type=int, default=10, help="of 10,000 readings, a round")
    parser.add_argument("--history-rows", type=int, default=1_000_000, help="of a file")
    parser.add_argument("--url", default=served.URL, help="of a PostgreSQL that makes databases")
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    options = parser.parse_args()
    tell: Tell = _nothing if options.json else _say
    found = {
        name: _in_a_child(partial(_of_database, name, options, tell))
        for name in options.database or DATABASES
    }
    print(json.dumps(found, indent=None if options.json else 1))


def _say(words: str) -> None:
    print(words, flush=True)


def _nothing(_words: str) -> None:
    """What is told when only figures are wanted."""


def _in_a_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A process of its own: the application is set up for one database."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "w") as told:
                json.dump(work(), told)
            status = 0
        finally:
            sys.stdout.flush()
            sys.excepthook(*sys.exc_info()) if status else None
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    _pid, status = os.waitpid(child, 0)
    if status:
        raise SystemExit("the measurement of a database failed")
    found: dict[str, Any] = json.loads(text)
    return found


def _of_database(vendor: str, options: argparse.Namespace, tell: Tell) -> dict[str, Any]:
    with place_of(vendor, options.url, tell) as place:
        for name in [name for name in os.environ if name.startswith("VIGIA_")]:
            del os.environ[name]
        os.environ |= settings_of(place)
        django: Any = importlib.import_module("django")
        django.setup()
        plant = Plant.made()
        plant_of_peer = f"naive.prepare({plant.names!r})"
        _run_python(f"from benchmarks import naive_app as naive; {plant_of_peer}", place)
        rates = Rates()
        found = _requests(place, plant, options, rates)
        found |= ingest_history.disk_and_charts(place, plant)
        more = ingest_history.files(place, plant, options.rounds, options.history_rows, rates)
        found |= {**more, "resent_new": found["resent_new"] + more["resent_new"]}
        _connections_closed()
        return {**found, "rates": rates.told()}


def _connections_closed() -> None:
    connections: Any = importlib.import_module("django.db").connections
    connections.close_all()
    if hasattr(connections["default"], "close_pool"):
        connections["default"].close_pool()


def _run_python(program: str, place: Place) -> None:
    environ = served.environment(NAIVE_DATABASE_URL=place.naive_url)
    environ.pop("DJANGO_SETTINGS_MODULE", None)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environ, check=True)  # noqa: S603


def _requests(
    place: Place, plant: Plant, options: argparse.Namespace, rates: Rates
) -> dict[str, Any]:
    """JSON in batches of 10,000: the anchor, rows, the same again, columns, and the naive peer."""
    environ = served.environment(**settings_of(place))
    peer = served.environment(NAIVE_DATABASE_URL=place.naive_url)
    peer.pop("DJANGO_SETTINGS_MODULE", None)
    peer_rows = 2 * ROWS_A_BATCH
    resent_new, minute = 0, 0
    with (
        served.server("config.wsgi", environ, place.folder / "ours.log") as ours,
        served.server("benchmarks.naive_app", peer, place.folder / "naive.log") as naive,
    ):
        meter = Meter(servers=ours.pids, backends=place.backends)
        peer_meter = Meter(servers=naive.pids, backends=place.naive_backends)
        headers = {"Authorization": f"Bearer {plant.secret}", "Content-Type": "application/json"}
        send = Sender(ours, "/api/v1/readings", headers)
        send_peer = Sender(naive, "/readings", {"Content-Type": "application/json"})
        for turn in range(-1, options.rounds):
            count = options.batches * ROWS_A_BATCH if turn >= 0 else 2 * ROWS_A_BATCH
            rows = plant.live(minute, count)
            minute += count // len(plant.ids)
            later = plant.live(minute, count)
            minute += count // len(plant.ids)
            bodies, columns = plant.bodies(rows), plant.bodies_in_columns(later)
            with place.anchor.meter.measured() as plain:
                place.anchor.take(rows)
            if place.vendor == "postgresql":
                # A statement and a commit a batch, as a writer that does nothing else would.
                with place.anchor.meter.measured() as in_batches:
                    for part in range(0, count, ROWS_A_BATCH):
                        place.anchor.take(rows.part(part, part + ROWS_A_BATCH))
            else:
                in_batches = plain
            with meter.measured() as first:
                new = sum(send(body)["new"] for body in bodies)
            with meter.measured() as again:
                resent_new += sum(send(body)["new"] for body in bodies)
            with meter.measured() as in_columns:
                new += sum(send(body)["new"] for body in columns)
            with peer_meter.measured() as usual:
                for body in bodies[: peer_rows // ROWS_A_BATCH]:
                    send_peer(body)
            if new != 2 * count:
                raise SystemExit(f"{new} of {2 * count} readings were new")
            if turn < 0:
                continue  # Everything is loaded and connected now.
            rates.add("anchor", count, plain)
            rates.add("anchor_in_batches", count, in_batches)
            rates.add("json_10k", count, first)
            rates.add("json_10k_again", count, again)
            rates.add("json_10k_columns", count, in_columns)
            rates.add("drf_10k", peer_rows, usual)
            place.tell(f"{place.vendor} round {turn + 1}: {rates.told()}")
    return {
        "json_10k_vs_anchor": rates.ratio("json_10k", "anchor"),
        "json_10k_vs_anchor_in_batches": rates.ratio("json_10k", "anchor_in_batches"),
        "json_10k_columns_vs_anchor": rates.ratio("json_10k_columns", "anchor"),
        "json_10k_vs_drf": rates.ratio("json_10k", "drf_10k"),
        "resent_new": resent_new,
        "resent_vs_first": rates.ratio("json_10k_again", "json_10k"),
    }


class Sender:
    """Posts bodies over one connection."""

    def __init__(self, to: served.Server, path: str, headers: dict[str, str]) -> None:
        self._connection = to.connect()
        self._path = path
        self._headers = headers

    def __call__(self, body: bytes) -> dict[str, Any]:
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        told = response.read()
        if response.status != 200:
            raise SystemExit(f"{self._path} answered {response.status}: {told[:300]!r}")
        found: dict[str, Any] = json.loads(told)
        return found


if __name__ == "__main__":
    main()
