"""The door for readings on a real web server: its disk fills up, its clients misbehave."""

import gzip
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks import served
from benchmarks.ingest_faults import FILL, STATE, Installation
from tests.installation import once

pytestmark = once

ROOM_MB, MORE_MB = 12, 64


class Plant:
    """A site of one asset behind a web server of its own."""

    def __init__(self, folder: Path, **environ: str) -> None:
        variables = served.environment(
            DATABASE_URL=f"sqlite:///{folder / 'vigia.sqlite3'}",
            DJANGO_SETTINGS_MODULE="config.settings",
            VIGIA_VAR_DIR=str(folder.parent / "var"),
            **environ,
        )
        self.installation = Installation(folder.parent, variables)
        told = self.installation.run("ASSETS, POINTS = 1, 4\n" + FILL)
        self.secret = told["secret"]
        self.variables = variables

    def body(self, part: int) -> bytes:
        at = [1767225600 + part * 20_000 + i for i in range(10_000)]
        block = {"asset": "a0", "at": at, "values": {"p0": [i / 8 for i in range(10_000)]}}
        return json.dumps({"times": "epoch_s", "columns": [block]}).encode()

    def head(self, length: int, *more: str) -> bytes:
        lines = [
            "POST /api/v1/readings HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self.secret}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
            *more,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(server: served.Server, plant: Plant, body: bytes) -> tuple[int, dict[str, Any], str]:
    connection = server.connect()
    headers = {"Authorization": f"Bearer {plant.secret}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/readings", body, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told, answer.headers.get("Retry-After", "")


def answered(server: served.Server, sent: bytes, *, slowly: bytes = b"") -> tuple[int, str]:
    """The status and the code of the refusal of what is written to a connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as wire:
        wire.sendall(sent)
        for i in range(len(slowly)):
            with suppress(OSError):
                wire.sendall(slowly[i : i + 1])
            time.sleep(0.05)
        told = b""
        while b"}" not in told and (more := wire.recv(65536)):
            told += more
    head, _blank, body = told.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be made here: mount is not allowed")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_and_nothing_that_was_acknowledged_is_lost(small_disk: Path) -> None:
    plant = Plant(small_disk)
    stored, part = 0, 0
    log = small_disk.parent / "log"
    with served.server("config.wsgi", plant.variables, log) as server:
        while (answer := post(server, plant, plant.body(part)))[0] == 200:
            stored, part = stored + answer[1]["new"], part + 1
            assert part < 500, "the disk is not small"
        status, told, retry_after = answer
        assert (status, told["code"], int(retry_after) > 0) == (503, "disk_full", True)
        assert stored == 10_000 * part > 0
        more = ["mount", "-o", f"remount,size={MORE_MB}m", str(small_disk)]
        subprocess.run(more, check=True)
        assert post(server, plant, plant.body(part))[0] == 200
        assert post(server, plant, plant.body(0))[1]["duplicate"] == 10_000
    state = plant.installation.run(STATE)
    assert (state["count"], state["faults"]) == (stored + 10_000, [])


def test_clients_that_misbehave_are_answered(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    plant = Plant(folder, VIGIA_SLOWEST_BODY_SECONDS="1")
    bomb = gzip.compress(bytes(200 * 1024 * 1024), 9)
    with served.server("config.wsgi", plant.variables, tmp_path / "log") as server:
        assert answered(server, plant.head(100), slowly=b" " * 60) == (408, "too_slow")
        assert answered(server, plant.head(10**9)) == (413, "too_large")
        packed = plant.head(len(bomb), "Content-Encoding: gzip") + bomb
        assert answered(server, packed) == (413, "too_large")
        assert post(server, plant, plant.body(0))[0] == 200
