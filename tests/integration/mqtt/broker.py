"""A publisher, and a listener that can be killed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.installation import Installation

STARTS_SECONDS = 40
SENT_SECONDS = 30
LISTEN = [sys.executable, "manage.py", "listen_mqtt"]

FILL = """
from django.utils import timezone
from maintenance.models import Asset, AssetClass, MeasurementPoint, Site, TopicTemplate
now = timezone.now()
site = Site.objects.create(code="plant", name="Plant", recorded_at=now)
pumps = AssetClass.objects.create(site=site, code="pump", name="Pump", recorded_at=now)
for a in range(4):
    asset = Asset.objects.create(
        site=site, code=f"P-{a}", asset_class=pumps, commissioned_at=now, recorded_at=now
    )
    for code in ("vibration", "pressure"):
        MeasurementPoint.objects.create(asset=asset, code=code, name=code, recorded_at=now)
for text in ("ROOT/{asset}", "ROOT/{asset}/{point}"):
    TopicTemplate.objects.create(site=site, template=text, recorded_at=now)
"""
STATE = """
import numpy as np
from maintenance import store
from maintenance.models import DeadLetter, Import, MeasurementPoint, UnknownTopic
names = {p.pk: f"{p.asset.code} {p.code}" for p in
         MeasurementPoint.objects.select_related("asset")}
read = store.read(list(names), -2**62, 2**62)
rows = Import.objects.filter(door="mqtt")
counts = ("received", "new", "duplicate", "dead_lettered", "refused")
print(json.dumps({
    "readings": {names[pk]: [at.tolist(), values.tolist()] for pk, (at, values) in read.items()},
    "imports": rows.count(),
    "letters": sorted(DeadLetter.objects.values_list("topic", "payload", "readings", "reason")),
    "unknown": sorted(UnknownTopic.objects.values_list("topic", "name", "readings")),
    **{name: sum(rows.values_list(name, flat=True)) for name in counts},
}))
"""


def filled_database(folder: Path) -> Path:
    installation = Installation(folder)
    installation.manage("migrate", "--verbosity", "0")
    installation.python(FILL)
    path = folder / "vigia.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@dataclass
class Plant:
    """An installation with a site whose machines publish below a root of their own."""

    installation: Installation
    url: str
    root: str = field(default_factory=lambda: f"vigia-test-{secrets.token_hex(6)}")

    def fill(self, filled: Path) -> None:
        """A copy of a database that was filled once, with topics of its own."""
        self.installation.environment.update(
            VIGIA_MQTT_URL=self.url,
            VIGIA_MQTT_TOPICS=f"{self.root}/#",
            VIGIA_MQTT_CLIENT_ID=f"{self.root}-listener",
        )
        shutil.copy(filled, self._database)
        with sqlite3.connect(self._database) as connection:
            change = "UPDATE maintenance_topictemplate SET template = replace(template, 'ROOT', ?)"
            connection.execute(change, [self.root])

    @property
    def _database(self) -> Path:
        return self.installation.folder / "vigia.sqlite3"

    def state(self) -> dict[str, Any]:
        told: dict[str, Any] = self.installation.python(STATE)
        return told

    @contextmanager
    def listener(self) -> Iterator[subprocess.Popen[bytes]]:
        said = self.installation.log.count("Listening to") if self._has_log else 0
        with self.installation.running(LISTEN) as process:
            self.installation.wait_for(
                lambda: self.installation.log.count("Listening to") > said,
                seconds=STARTS_SECONDS,
                what="a listener",
            )
            yield process

    @property
    def _has_log(self) -> bool:
        return (self.installation.folder / "log").exists()

    def received(self) -> int:
        with sqlite3.connect(self._database, timeout=20) as connection:
            query = "SELECT coalesce(sum(received), 0) FROM maintenance_import WHERE door = 'mqtt'"
            return int(connection.execute(query).fetchone()[0])

    def wait_until_received(self, count: int, *, seconds: float = 60) -> None:
        self.installation.wait_for(
            lambda: self.received() >= count, seconds=seconds, what=f"{count} readings received"
        )

    @contextmanager
    def publisher(self) -> Iterator[Publisher]:
        address = urlsplit(self.url)
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect(address.hostname or "127.0.0.1", address.port or 1883)
        client.loop_start()
        try:
            yield Publisher(client, self.root)
        finally:
            client.disconnect()
            client.loop_stop()

    def forget(self) -> None:
        """Leave no session on a broker that others use."""
        address = urlsplit(self.url)
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self.root}-listener",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.connect(address.hostname or "127.0.0.1", address.port or 1883, clean_start=True)
        client.loop_start()
        client.disconnect()
        client.loop_stop()


@dataclass(frozen=True)
class Publisher:
    client: Client
    root: str

    def send(self, topic: str, payload: Any, *, qos: int = 1, retain: bool = False) -> None:
        """Returns once the broker has it."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        told = self.client.publish(f"{self.root}/{topic}", body, qos=qos, retain=retain)
        told.wait_for_publish(SENT_SECONDS)


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
