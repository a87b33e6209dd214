"""The web server and the worker of a plant, as they run for its people."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.browser.plant import ROOT, Plant

PATIENCE_SECONDS = 90.0
POLL_SECONDS = 0.2


@contextmanager
def served(plant: Plant) -> Iterator[str]:
    """The address under which the plant answers, until the block ends."""
    port = _free_port()
    settings = {"PORT": str(port), "VIGIA_WEB_PROCESSES": "1"}
    with _running(plant, "web.sh", settings) as web:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/health/live", web, plant.folder / "web.log")
        yield address


@contextmanager
def working(plant: Plant) -> Iterator[None]:
    """A worker takes up what the plant is asked for, until the block ends."""
    with _running(plant, "worker.sh", {"VIGIA_BEAT": "0", "VIGIA_WORKER_PROCESSES": "1"}):
        yield


def night(plant: Plant) -> None:
    """The timetable's hour of the watch has come: it asks as the scheduler of tasks would."""
    plant.run("-m", "celery", "--app", "config", "call", "maintenance.watch_all_sites")


@contextmanager
def _running(
    plant: Plant, script: str, settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A session of its own, so that all it starts ends with it."""
    with (plant.folder / script.replace(".sh", ".log")).open("wb") as log:
        process = subprocess.Popen(
            ["/bin/sh", str(ROOT / "deploy" / script)],
            env=plant.environment | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  Our own address.
            return
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-4000:]}")
