"""A broker of the tests' own: over TLS, with a password, restarted while the listener runs."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.installation import Installation, once
from tests.integration.mqtt.broker import LISTEN, STARTS_SECONDS, Plant

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
OPENSSL = shutil.which("openssl")
PASSWORD = "p@ss/word: of the tests"

pytestmark = [
    once,
    pytest.mark.service("mqtt"),
    pytest.mark.skipif(not (MOSQUITTO and OPENSSL), reason="mosquitto or openssl is not installed"),
]


@dataclass(frozen=True)
class OwnBroker:
    folder: Path
    port: int
    secure_port: int

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [str(MOSQUITTO), "-c", str(self.folder / "mosquitto.conf")]
        with (self.folder / "mosquitto.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._wait()
            yield
        finally:
            process.terminate()
            process.wait(20)

    def _wait(self) -> None:
        end = time.monotonic() + STARTS_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.secure_port), timeout=2).close()
            except OSError:
                assert time.monotonic() < end, (self.folder / "mosquitto.log").read_text()
                time.sleep(0.05)
            else:
                return


@pytest.fixture
def broker(tmp_path: Path) -> OwnBroker:
    folder = tmp_path / "broker"
    folder.mkdir()
    own = OwnBroker(folder, free_port(), free_port())
    certify(folder)
    (folder / "passwords").write_text("")
    subprocess.run(["mosquitto_passwd", "-b", folder / "passwords", "vigia", PASSWORD], check=True)
    (folder / "mosquitto.conf").write_text(f"""
        user root
        persistence true
        persistence_location {folder}/
        max_queued_messages 0
        per_listener_settings true
        listener {own.port} 127.0.0.1
        allow_anonymous true
        listener {own.secure_port} 127.0.0.1
        password_file {folder}/passwords
        cafile {folder}/ca.crt
        certfile {folder}/ca.crt
        keyfile {folder}/ca.key
    """)
    return own


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def certify(folder: Path) -> None:
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [
            str(OPENSSL),
            *command.split(),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", folder / "ca.key", "-out", folder / "ca.crt"),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def plant(tmp_path: Path, broker: OwnBroker, filled: Path) -> Plant:
    installation = Installation(tmp_path / "installation")
    installation.folder.mkdir()
    plant = Plant(installation, f"mqtt://127.0.0.1:{broker.port}")
    plant.fill(filled)
    password = "p%40ss%2Fword%3A%20of%20the%20tests"
    installation.environment["VIGIA_MQTT_URL"] = (
        f"mqtts://vigia:{password}@localhost:{broker.secure_port}"
    )
    installation.environment["VIGIA_MQTT_CA_FILE"] = str(broker.folder / "ca.crt")
    return plant


def test_it_listens_over_tls_with_its_password(plant: Plant, broker: OwnBroker):
    with broker.running(), plant.listener(), plant.publisher() as machine:
        machine.send("P-0/vibration", 2.5)
        plant.wait_until_received(1)
    assert plant.state()["readings"]["P-0 vibration"][1] == [2.5]


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("VIGIA_MQTT_CA_FILE", "", "certificate verify failed"),
        ("VIGIA_MQTT_URL", "mqtts://vigia:wrong@localhost:PORT", "Not authorized"),
    ],
)
def test_it_says_why_it_is_not_let_in_and_tries_again(
    plant: Plant, broker: OwnBroker, variable: str, value: str, why: str
):
    installation = plant.installation
    installation.environment[variable] = value.replace("PORT", str(broker.secure_port))
    with broker.running(), installation.running(LISTEN):
        installation.wait_for(
            lambda: why in installation.log, seconds=STARTS_SECONDS, what="the reason"
        )
        installation.wait_for(
            lambda: installation.log.count("mqtt_connection_lost") > 1,
            seconds=STARTS_SECONDS,
            what="another attempt",
        )
    assert PASSWORD not in installation.log


def test_a_broker_that_is_restarted_is_found_again(plant: Plant, broker: OwnBroker):
    start_ms = int(dt.datetime(2025, 6, 1, tzinfo=dt.UTC).timestamp() * 1000)
    with ExitStack() as first:
        first.enter_context(broker.running())
        with plant.listener():
            with plant.publisher() as machine:
                machine.send("P-0/vibration", {"ts": start_ms, "value": 0})
                plant.wait_until_received(1)
            first.close()
            with broker.running(), plant.publisher() as machine:
                for i in range(1, 100):
                    machine.send("P-0/vibration", {"ts": start_ms + i, "value": i})
                plant.wait_until_received(100)
    values = plant.state()["readings"]["P-0 vibration"][1]
    assert values == [float(i) for i in range(100)]
