"""Is anything lost or doubled when programs are killed while readings come in?

    python -m benchmarks.ingest_faults [--database postgresql|sqlite] [--kills 100] [--json]

Several writers send batches over HTTP, new ones, repeated ones and ones with wrong rows, while days
are sealed behind them. Web processes and the one that seals are killed (SIGKILL) at random; on
PostgreSQL, five times the database server itself. A writer repeats a batch until it is answered.
Then the listener to a broker is killed as machines publish, where mosquitto is installed, and a
worker in the middle of a file, ten times. At the end each acknowledged reading must be there once
with its value, nothing else may be, and the records of all imports must add up.
"""

from __future__ import annotations

import argparse
import datetime as dt
import http.client
import json
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks import served
from benchmarks.ingest_plant import DAY_US, MINUTE_US, Rows, wander
from benchmarks.served import ROOT

DATABASES = ("postgresql", "sqlite")
WRITERS, DATABASE_KILLS, UPLOAD_KILLS = 4, 5, 10
ASSETS, POINTS, DAYS = 8, 10, 5
UPLOAD_ROWS, UPLOAD_BLOCK_BYTES = 360_000, 128 * 1024
WAIT_SECONDS = 180.0
PATIENT = {"VIGIA_TOKEN_REQUESTS_AT_ONCE": "8", "VIGIA_OPERATION_LEASE_SECONDS": "2"}

HEAD = "import django, json, sys; django.setup()\n"
FILL = """
from django.utils import timezone
from django.core.management import call_command
from maintenance.choices import TokenScope
from maintenance.models import *
call_command("migrate", verbosity=0)
now = timezone.now()
site = Site.objects.create(code="plant", name="Plant", recorded_at=now)
kind = AssetClass.objects.create(site=site, code="c", name="C", recorded_at=now)
names = {}
for a in range(ASSETS):
    asset = Asset.objects.create(
        site=site, asset_class=kind, code=f"a{a}", commissioned_at=now, recorded_at=now)
    for p in range(POINTS):
        point = MeasurementPoint.objects.create(
            asset=asset, code=f"p{p}", name=f"p{p}", sampling_seconds=60, recorded_at=now)
        names[point.pk] = (asset.code, point.code)
TopicTemplate.objects.create(site=site, template="plant/{asset}", recorded_at=now)
secret = ApiToken.new_secret()
ApiToken.objects.create(site=site, name="t", digest=ApiToken.digest_of(secret),
    scopes=[TokenScope.WRITE_READINGS.value], recorded_at=now)
print(json.dumps({"names": names, "secret": secret}))
"""
SEAL = """
import random, time
from django.db import DatabaseError, InterfaceError, connection
from maintenance import store
START_US, DAYS, DAY_US = json.loads(sys.argv[1])
while True:
    try:
        shard = random.randrange(store.SHARDS)
        store.fold(shard, before_us=START_US + random.randrange(DAYS) * DAY_US)
        time.sleep(0.01)
    except (DatabaseError, InterfaceError):
        connection.close()
        time.sleep(0.2)
"""
ASK_UPLOAD = """
from pathlib import Path
from django.utils import timezone
from maintenance import tasks
from maintenance.choices import ImportDoor
from maintenance.models import Site
from maintenance.sources import spool, uploads
path = Path(sys.argv[1])
with path.open("rb") as file:
    spooled = spool.keep(file.read, most_bytes=path.stat().st_size)
batch, _known = tasks.request_upload(site=Site.objects.get(), door=ImportDoor.UPLOAD,
    spooled=spooled, how=uploads.HowToRead("csv"), file_name=path.name, sender="",
    now=timezone.now())
print(json.dumps({"import": batch.pk, "operation": batch.operation_id}))
"""
WORK = """
import time
from django.utils import timezone
from maintenance import tasks
from maintenance.models import Operation
from maintenance.sources import csv_pieces, uploads
uploads.BLOCK_ROWS, csv_pieces.PIECE_BYTES = 1, int(sys.argv[2])
while Operation.objects.get(pk=sys.argv[1]).is_open:
    if not tasks.perform(operation_id=int(sys.argv[1]), clock=timezone.now):
        time.sleep(0.2)
"""
STATE = """
from maintenance import store
from maintenance.models import Import, MeasurementPoint
ids = list(MeasurementPoint.objects.values_list("pk", flat=True))
read = store.read(ids, 0, 2**62)
counts = ("received", "new", "changed", "duplicate", "refused", "dead_lettered")
imports = [list(row) for row in Import.objects.values_list("door", "state", *counts)]
print(json.dumps({
    "count": store.count(),
    "faults": [str(fault) for fault in store.verify()],
    "imports": imports,
    "readings": {pk: [at.tolist(), values.tolist()] for pk, (at, values) in read.items()},
}))
"""


@dataclass
class Installation:
    """Programs of one installation, each in a process of its own."""

    folder: Path
    environ: dict[str, str]

    def run(self, script: str, *arguments: str) -> Any:
        """What it prints last, as JSON. Tried again while the database is being killed."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", HEAD + script, *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        lines = done.stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    def start(self, command: list[str], **more: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                command, cwd=ROOT, env={**self.environ, **more}, stdout=log, stderr=log
            )

    def script(self, script: str, *arguments: str) -> subprocess.Popen[bytes]:
        return self.start([sys.executable, "-c", HEAD + script, *arguments])


@dataclass
class Sent:
    """Readings that were sent, and those whose sender was told that they are stored."""

    values: dict[tuple[int, int], float] = field(default_factory=dict)
    acknowledged: set[tuple[int, int]] = field(default_factory=set)

    def told(self, rows: Rows) -> list[tuple[int, int]]:
        keys = list(zip(rows.points.tolist(), rows.at_us.tolist(), strict=True))
        self.values.update(zip(keys, rows.values.tolist(), strict=True))
        return keys


def main() -> None:
    """Read the arguments, try each database, and print JSON last."""
    parser = argparse.ArgumentParser(prog="benchmarks.ingest_faults", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, action="append", help="both without it")
    parser.add_argument("--kills", type=int, default=100, help="of web processes and sealers")
    parser.add_argument("--seed", type=int, default=1, help="of what is sent and who is killed")
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    options = parser.parse_args()
    found = {name: _tried(name, options) for name in options.database or DATABASES}
    print(json.dumps(found, indent=None if options.json else 1))


def _tried(vendor: str, options: argparse.Namespace) -> dict[str, Any]:
    say: Callable[[str], object] = (lambda _words: None) if options.json else _say
    with ExitStack() as stack:
        folder = stack.enter_context(served.folder())
        server = stack.enter_context(_postgresql()) if vendor == "postgresql" else None
        (folder / "var").mkdir()
        url = server.url if server else f"sqlite:///{folder / 'var' / 'vigia.sqlite3'}"
        environ = served.environment(
            DATABASE_URL=url,
            DJANGO_SETTINGS_MODULE="config.settings",
            VIGIA_VAR_DIR=str(folder / "var"),
            **PATIENT,
        )
        installation = Installation(folder, environ)
        plant = _Plant.made(installation)
        sent = Sent()
        found = _requests(installation, plant, sent, server, options, say)
        say(f"{vendor}: {found}")
        if shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            found["mqtt_kills"] = _messages(installation, plant, sent, options.kills // 5)
            say(f"{vendor}: listener killed {found['mqtt_kills']} times")
        found["upload_kills"] = _file(installation, plant, sent)
        return {**found, **_judged(installation.run(STATE), sent)}


def _say(words: str) -> None:
    print(words, flush=True)


def _judged(state: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
    """What is there against what was sent and acknowledged."""
    kept = {
        (int(point), at): value
        for point, (instants, values) in state["readings"].items()
        for at, value in zip(instants, values, strict=True)
    }
    done = [row[2:] for row in state["imports"] if row[1] == "done"]
    sums = [sum(column) for column in zip(*done, strict=True)]
    received, *parts = sums
    return {
        "acknowledged": len(sent.acknowledged),
        "lost": len(sent.acknowledged - kept.keys()),
        "doubled": state["count"] - len(kept),
        "wrong_values": sum(value != sent.values.get(key, value) for key, value in kept.items()),
        "never_sent": len(kept.keys() - sent.values.keys()),
        "store_faults": len(state["faults"]),
        "received": received,
        "stored": state["count"],
        "unaccounted": abs(received - sum(parts)) + abs(parts[0] - state["count"]),
        "unfinished_imports": len(state["imports"]) - len(done),
    }


@dataclass
class _Plant:
    """Points with names, and the days of which writers tell: some sealed, some hot."""

    names: dict[int, tuple[str, str]]
    secret: str
    start_us: int

    @classmethod
    def made(cls, installation: Installation) -> _Plant:
        told = installation.run(f"ASSETS, POINTS = {ASSETS}, {POINTS}\n" + FILL)
        now_us = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
        return cls(
            names={int(pk): tuple(names) for pk, names in told["names"].items()},
            secret=told["secret"],
            start_us=now_us - now_us % DAY_US - DAYS * DAY_US,
        )

    def some(self, dice: random.Random, part: int) -> Rows:
        """A few minutes of some points, which no other part tells of."""
        ids = sorted(dice.sample(sorted(self.names), dice.randrange(2, 40)))
        count = dice.randrange(1, 60)
        # Half of what is told is of the last day, which is hot.
        day = DAYS - 1 if dice.random() < 0.5 else dice.randrange(DAYS)
        first = dice.randrange(1440 - count)
        at_us = self.start_us + day * DAY_US + (first + np.arange(count)) * MINUTE_US
        at_us = at_us + part * 1_000_000
        points, at_us = np.tile(np.array(ids), count), np.repeat(at_us, len(ids))
        return Rows(points, at_us, wander(points, at_us))

    def body(self, rows: Rows, wrong: int) -> bytes:
        told: list[dict[str, Any]] = [
            {"asset": self.names[p][0], "point": self.names[p][1], "at": at / 1e6, "value": v}
            for p, at, v in rows.tuples()
        ]
        told += [{"asset": "a0", "point": "nothing", "at": 0, "value": 1.0}] * wrong
        return json.dumps({"times": "epoch_s", "readings": told}).encode()


class _Writer(threading.Thread):
    """Sends batches one after the other, each until it is answered."""

    def __init__(self, number: int, plant: _Plant, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.sent, self.answers, self.repeats = Sent(), 0, 0
        self.refused: list[str] = []
        self.stopped = threading.Event()
        self._number, self._plant, self._port = number, plant, port
        self._dice = random.Random(f"{seed} {number}")

    def run(self) -> None:
        earlier: list[Rows] = []
        while not self.stopped.is_set():
            if earlier and self._dice.random() < 0.2:
                rows = self._dice.choice(earlier)
            else:
                rows = self._plant.some(self._dice, self._number)
                earlier.append(rows)
            keys = self.sent.told(rows)
            wrong = self._dice.randrange(3)
            body = self._plant.body(rows, wrong)
            while (answer := self._answer(body)) is None:
                self.repeats += 1
                time.sleep(self._dice.random() * 0.2)
            if answer["accepted"] != len(rows) or answer["refused"] != wrong:
                self.refused.append(str(answer)[:500])
            self.sent.acknowledged.update(keys)
            self.answers += 1

    def _answer(self, body: bytes) -> dict[str, Any] | None:
        """None: nobody knows whether it was stored."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {"Authorization": f"Bearer {self._plant.secret}"}
        headers["Content-Type"] = "application/json"
        try:
            connection.request("POST", "/api/v1/readings", body, headers)
            response = connection.getresponse()
            told = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if response.status in (429, 503):
            return None
        if response.status != 200:
            self.refused.append(f"{response.status} {told[:500]!r}")
            return None
        found: dict[str, Any] = json.loads(told)
        return found


def _requests(
    installation: Installation,
    plant: _Plant,
    sent: Sent,
    server: _Postgresql | None,
    options: argparse.Namespace,
    say: Callable[[str], object],
) -> dict[str, Any]:
    dice = random.Random(options.seed)
    sealing = json.dumps([plant.start_us, DAYS, DAY_US])
    log = installation.folder / "log"
    with served.server("config.wsgi", installation.environ, log, workers=2) as web:
        writers = [_Writer(n, plant, web.port, options.seed) for n in range(WRITERS)]
        sealer = installation.script(SEAL, sealing)
        for writer in writers:
            writer.start()
        killed, databases = 0, 0
        while killed < options.kills:
            _wait_for_answers(writers, log)
            time.sleep(dice.random() * 0.5)
            if dice.random() < 0.25:
                _kill(sealer.pid)
                sealer.wait()
                sealer = installation.script(SEAL, sealing)
            else:
                _kill(dice.choice(web.pids() or [0]))
            killed += 1
            if server and killed * DATABASE_KILLS // options.kills > databases:
                databases += 1
                server.kill()
                server.start()
            if killed % 10 == 0:
                say(f"killed {killed}, answered {sum(one.answers for one in writers)}")
        _wait_for_answers(writers, log)
        for writer in writers:
            writer.stopped.set()
        for writer in writers:
            writer.join(WAIT_SECONDS)
        _kill(sealer.pid)
        sealer.wait()
    for writer in writers:
        sent.values.update(writer.sent.values)
        sent.acknowledged.update(writer.sent.acknowledged)
    return {
        "kills": killed,
        "database_kills": databases,
        "answers": sum(one.answers for one in writers),
        "repeated": sum(one.repeats for one in writers),
        "wrong_answers": [told for one in writers for told in one.refused][:10],
    }


def _wait_for_answers(writers: list[_Writer], log: Path) -> None:
    """Kills without an answer between them would try nothing."""
    until, before = time.monotonic() + WAIT_SECONDS, sum(one.answers for one in writers)
    while sum(one.answers for one in writers) < before + 2:
        if time.monotonic() > until:
            raise SystemExit("nothing was answered any more:\n" + log.read_text()[-3000:])
        time.sleep(0.02)


def _kill(pid: int) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _messages(installation: Installation, plant: _Plant, sent: Sent, kills: int) -> int:
    """Machines publish while the listener is killed; how often it was."""
    paho: Any = __import__("paho.mqtt.client", fromlist=["Client"])
    dice = random.Random(kills)
    with _mosquitto(installation.folder) as port:
        url = {"VIGIA_MQTT_URL": f"mqtt://127.0.0.1:{port}"}
        listen = [sys.executable, "manage.py", "listen_mqtt"]
        machine = paho.Client(paho.CallbackAPIVersion.VERSION2)
        machine.connect("127.0.0.1", port)
        machine.loop_start()
        log = installation.folder / "log"
        for turn in range(kills + 1):
            heard = _heard(log)
            listener = installation.start(listen, **url)
            _wait(partial(_heard_again, log, heard), log)
            waiting = []
            for _message in range(150):
                rows = _one_message(plant, dice, turn)
                told = {plant.names[p][1]: v for p, _at, v in rows.tuples()}
                payload = json.dumps({"ts": int(rows.at_us[0]) // 1000, "values": told})
                topic = f"plant/{plant.names[int(rows.points[0])][0]}"
                waiting.append((machine.publish(topic, payload, qos=1), rows))
            for promise, rows in waiting:
                promise.wait_for_publish(WAIT_SECONDS)
                sent.acknowledged.update(sent.told(rows))
            if turn < kills:
                time.sleep(dice.random() * 0.3)
                _kill(listener.pid)
            else:
                _wait(lambda: _settled(installation, sent), log)
                listener.terminate()
            listener.wait()
        machine.disconnect()
        machine.loop_stop()
    return kills


def _heard(log: Path) -> int:
    """How often a listener said that it is listening."""
    return log.read_bytes().count(b"Listening to")


def _heard_again(log: Path, before: int) -> bool:
    return _heard(log) > before


def _one_message(plant: _Plant, dice: random.Random, turn: int) -> Rows:
    """An instant of all points of an asset, between the instants that writers tell of."""
    asset = dice.randrange(ASSETS)
    points = np.array([pk for pk, names in plant.names.items() if names[0] == f"a{asset}"])
    minute = (DAYS - 1) * 1440 + dice.randrange(1440)
    at = minute * MINUTE_US + (10 + turn % 40) * 1_000_000 + dice.randrange(999) * 1000
    at_us = np.full(len(points), plant.start_us + at, np.int64)
    return Rows(points, at_us, wander(points, at_us))


def _settled(installation: Installation, sent: Sent) -> bool:
    state = installation.run(STATE)
    kept = {(int(p), at) for p, (instants, _v) in state["readings"].items() for at in instants}
    time.sleep(0.5)
    return sent.acknowledged <= kept


@contextmanager
def _mosquitto(folder: Path) -> Iterator[int]:
    """A broker of its own that keeps what the listener has not taken."""
    port, program = served.free_port(), shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    file = folder / "mosquitto.conf"
    file.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        "max_inflight_messages 0\n"
    )
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen([program, "-c", file], stdout=log, stderr=log)  # noqa: S603
    try:
        served.wait_for(port, process, folder / "mosquitto.log")
        yield port
    finally:
        served.end(process)


def _file(installation: Installation, plant: _Plant, sent: Sent) -> int:
    """A file whose worker is killed after each few blocks; how often it was."""
    ids = np.array(sorted(plant.names)[:24])
    minutes = UPLOAD_ROWS // len(ids)
    at_us = plant.start_us - 30 * DAY_US + np.arange(minutes) * MINUTE_US
    points, at_us = np.tile(ids, minutes), np.repeat(at_us, len(ids))
    rows = Rows(points, at_us, wander(points, at_us))
    path = installation.folder / "history.csv"
    with path.open("w") as file:
        file.write("asset,point,at,value\n")
        for point, at, value in rows.tuples():
            asset, code = plant.names[point]
            when = dt.datetime.fromtimestamp(at / 1e6, dt.UTC).isoformat()
            file.write(f"{asset},{code},{when},{value}\n")
    asked = installation.run(ASK_UPLOAD, str(path))
    sent.acknowledged.update(sent.told(rows))
    killed, stored = 0, 0
    dice = random.Random(killed)
    while True:
        worker = installation.script(WORK, str(asked["operation"]), str(UPLOAD_BLOCK_BYTES))
        while worker.poll() is None and killed < UPLOAD_KILLS:
            now = _received(installation, asked["import"])
            if now > stored:
                stored = now
                time.sleep(dice.random() * 0.1)
                _kill(worker.pid)
                killed += worker.wait() == -signal.SIGKILL
        if worker.wait() == 0:
            return killed


def _received(installation: Installation, number: int) -> int:
    """Asked of the database itself: a program of ours would take longer than a block."""
    query = "SELECT received FROM maintenance_import WHERE id = "
    url = installation.environ["DATABASE_URL"]
    if url.startswith("sqlite"):
        sqlite3: Any = __import__("sqlite3")
        with suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
            try:
                return int(connection.execute(query + str(number)).fetchone()[0])
            finally:
                connection.close()
        return 0
    with psycopg.connect(url) as connection:
        row = connection.execute(query + str(number)).fetchone()
    return int(row[0]) if row else 0


def _wait(until: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not until():
        if time.monotonic() > end:
            raise SystemExit("waited in vain:\n" + log.read_text(errors="replace")[-3000:])
        time.sleep(0.1)


@dataclass
class _Postgresql:
    """A server of its own, that may be killed."""

    folder: Path
    programs: Path
    port: int
    user: str | None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        subprocess.run(  # noqa: S603
            [self.programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust"],
            user=self.user,
            check=True,
            capture_output=True,
            cwd=self.folder,
        )

    def start(self) -> None:
        """Tried again while what a killed server left behind has not ended yet."""
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(  # noqa: S603
                    [
                        *(self.programs / "postgres", "-D", self.folder / "data"),
                        *("-p", str(self.port), "-k", self.folder, "-h", "127.0.0.1"),
                    ],
                    user=self.user,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                )
            while self.process.poll() is None:
                with suppress(psycopg.OperationalError), psycopg.connect(self.url):
                    return
                time.sleep(0.1)
            time.sleep(0.3)
        raise SystemExit((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()


@contextmanager
def _postgresql() -> Iterator[_Postgresql]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    if not found and not on_path:
        raise SystemExit("PostgreSQL is not installed: try --database sqlite")
    programs = found[-1].parent if found else Path(str(on_path)).parent
    with served.folder() as folder:
        # PostgreSQL does not run as root.
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
            pwd.getpwnam(user)
        server = _Postgresql(folder, programs, served.free_port(), user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


if __name__ == "__main__":
    main()
