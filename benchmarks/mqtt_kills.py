"""The MQTT listener killed -9 at random while machines publish: what was lost, doubled, changed.

    python -m benchmarks.mqtt_kills --kills 100 [--databases sqlite,postgresql] [--json]

Three streams go to a broker of the benchmark's own: readings with an instant; readings without
one, which the store could not tell from new ones if they came twice; and readings of a topic that
belongs to nothing. Acknowledged is what the broker confirmed to the publisher.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
START_MS = 1_750_000_000_000
STARTS_SECONDS = 120
DRAINS_SECONDS = 300
LONGEST_LIFE_SECONDS = 1.5
MESSAGES_A_SECOND = 600
TIMED, UNTIMED, NOWHERE = "plant/P-1/timed", "plant/P-1/untimed", "nowhere"

HEAD = "import django, json; django.setup()\n"
FILL = """
from django.utils import timezone
from maintenance.models import Asset, AssetClass, MeasurementPoint, Site, TopicTemplate
now = timezone.now()
site = Site.objects.create(code="plant", name="Plant", recorded_at=now)
pump = AssetClass.objects.create(site=site, code="pump", name="Pump", recorded_at=now)
asset = Asset.objects.create(
    site=site, code="P-1", asset_class=pump, commissioned_at=now, recorded_at=now
)
for code in ("timed", "untimed"):
    MeasurementPoint.objects.create(asset=asset, code=code, name=code, recorded_at=now)
TopicTemplate.objects.create(site=site, template="plant/{asset}/{point}", recorded_at=now)
"""
RECEIVED = """
from maintenance.models import Import
print(json.dumps(sum(Import.objects.filter(door="mqtt").values_list("received", flat=True))))
"""
STATE = """
from maintenance import store
from maintenance.models import DeadLetter, Import, MeasurementPoint, UnknownTopic
points = dict(MeasurementPoint.objects.values_list("code", "pk"))
read = store.read(list(points.values()), -2**62, 2**62)
counts = ("received", "new", "duplicate", "dead_lettered", "refused")
rows = Import.objects.filter(door="mqtt")
print(json.dumps({
    **{code: [part.tolist() for part in read[pk]] for code, pk in points.items()},
    "letters": list(DeadLetter.objects.values_list("payload", flat=True)),
    "unknown": sum(UnknownTopic.objects.values_list("readings", flat=True)),
    "counts": {name: sum(rows.values_list(name, flat=True)) for name in counts},
}))
"""


@dataclass
class Plant:
    """An installation of its own, whose listener can be killed."""

    folder: Path
    database: str
    port: int
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dropped = ("VIGIA_", "DATABASE_URL", "CELERY_", "DJANGO_")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(dropped)} | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(ROOT),
            "VIGIA_VAR_DIR": str(self.folder),
            "DATABASE_URL": self.database,
            "VIGIA_MQTT_URL": f"mqtt://127.0.0.1:{self.port}",
            "OMP_NUM_THREADS": "1",
        }

    def fill(self) -> None:
        self._run(["manage.py", "migrate", "--verbosity", "0"])
        self._run(["-c", HEAD + FILL])

    def told(self, script: str) -> Any:
        return json.loads(self._run(["-c", HEAD + script]).strip().splitlines()[-1])

    def _run(self, arguments: list[str]) -> str:
        done = subprocess.run(  # noqa: S603  Our own programs.
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.variables,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    @contextmanager
    def listener(self) -> Iterator[subprocess.Popen[str]]:
        """Killed at the end; it has subscribed when this begins."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", "listen_mqtt"],
            cwd=ROOT,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None  # noqa: S101  It is a pipe.
        try:
            if "Listening" not in process.stdout.readline():
                raise RuntimeError("the listener does not start")
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@dataclass
class Publisher:
    """Publishes on three streams until it is told to stop; what the broker has is counted."""

    port: int
    acknowledged: Counter[str] = field(default_factory=Counter)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        thread = threading.Thread(target=self._publish)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()

    def _publish(self) -> None:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        number = 0
        while not self._stopping.is_set():
            for topic in (TIMED, UNTIMED, NOWHERE):
                told = client.publish(topic, _payload(topic, number), qos=1)
                told.wait_for_publish(60)
                self.acknowledged[topic] += 1
            number += 1
            self._stopping.wait(3 / MESSAGES_A_SECOND)
        client.disconnect()
        client.loop_stop()


def _payload(topic: str, number: int) -> bytes:
    told = {"ts": START_MS + number, "value": value_of(number)} if topic == TIMED else number
    return json.dumps(told).encode()


def value_of(number: int) -> float:
    return number * 0.1


def judged(state: dict[str, Any], sent: Counter[str], kills: int) -> dict[str, Any]:
    at, values = state["timed"]
    timed = dict(zip(at, values, strict=True))
    expected = {(START_MS + i) * 1000: value_of(i) for i in range(sent[TIMED])}
    untimed, letters = Counter(state["untimed"][1]), Counter(map(float, state["letters"]))
    lost = len(expected.keys() - timed.keys())
    lost += sum(1 for i in range(sent[UNTIMED]) if not untimed[float(i)])
    kept = state["counts"]["dead_lettered"]
    lost += sent[NOWHERE] - state["unknown"] if state["unknown"] < sent[NOWHERE] else 0
    doubled = len(at) - len(timed) + max(0, state["unknown"] - sent[NOWHERE])
    doubled += sum(count - 1 for counts in (untimed, letters) for count in counts.values())
    counts = state["counts"]
    parts = ("new", "duplicate", "dead_lettered", "refused")
    return {
        "kills": kills,
        "acknowledged": sum(sent.values()),
        "lost": lost,
        "doubled": doubled,
        "wrong_values": sum(1 for us, value in expected.items() if timed.get(us, value) != value),
        "received": counts["received"],
        "conserved": counts["received"] == sum(counts[part] for part in parts) == sum(sent.values())
        and kept == len(state["letters"]),
    }


def killed(plant: Plant, kills: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    plant.fill()
    publisher = Publisher(plant.port)
    with plant.listener():
        pass  # It makes the session: from here on the broker keeps what comes.
    with publisher.publishing():
        for _kill in range(kills):
            with plant.listener():
                time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
    expected = sum(publisher.acknowledged.values())
    with plant.listener():
        wait_until(lambda: plant.told(RECEIVED) >= expected)
    return judged(plant.told(STATE), publisher.acknowledged, kills)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + DRAINS_SECONDS
    while not happened() and time.monotonic() < end:
        time.sleep(0.5)


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise SystemExit("Mosquitto is not installed.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = folder / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        "max_inflight_messages 2000\n"
    )
    process = subprocess.Popen([program, "-c", settings], stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        time.sleep(1)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def database(kind: str, folder: Path, server: str) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'vigia.sqlite3'}"
        return
    name = f"vigia_mqtt_kills_{os.getpid()}"
    made = sql.Identifier(name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(made))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


def measured(kind: str, kills: int, seed: int, server: str) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vigia-mqtt-")))
        url = stack.enter_context(database(kind, folder, server))
        port = stack.enter_context(broker(folder))
        return killed(Plant(folder, url, port), kills, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--postgres", default=POSTGRES, help="a server where a database is made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the JSON alone")
    given = parser.parse_args()
    answers = {}
    for kind in given.databases.split(","):
        answers[kind] = measured(kind, given.kills, given.seed, given.postgres)
        if not given.json:
            print(kind, answers[kind])
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
