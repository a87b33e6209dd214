"""What benchmarks of the doors share: a database of their own, web servers, and what they cost."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
URL = "postgresql://postgres@127.0.0.1:5432/postgres"
TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 60.0


@dataclass
class Cost:
    """Seconds of processors and of the clock."""

    cpu: float = 0.0
    wall: float = 0.0


@dataclass
class Meter:
    """What processes spend: this one, servers with all their threads, and database backends."""

    servers: Callable[[], list[int]] = field(default=list)
    backends: Callable[[], list[int]] = field(default=list)
    this_process: bool = False

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        cost = Cost()
        processes = self.servers(), self.backends()
        cpu, wall = self._cpu(*processes), time.perf_counter()
        yield cost
        cost.wall = time.perf_counter() - wall
        cost.cpu = self._cpu(*processes) - cpu

    def _cpu(self, servers: list[int], backends: list[int]) -> float:
        own = time.process_time() if self.this_process else 0.0
        return own + sum(map(_of_threads, servers)) + sum(map(_of_one_thread, backends))


def _of_threads(pid: int) -> float:
    """Of a process with threads that come and go, to 10 ms."""
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / TICKS


def _of_one_thread(pid: int) -> float:
    """Of a process of one thread, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def postgresql(url: str, name: str) -> Iterator[str]:
    """The address of an empty database, which is dropped at the end."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def backends_of(admin: psycopg.Connection[Any]) -> Callable[[], list[int]]:
    """The backends of the database that somebody else than `admin` is connected by."""

    def pids() -> list[int]:
        found = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
        return [pid for (pid,) in found]

    return pids


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for all that a benchmark writes."""
    path = Path(tempfile.mkdtemp(prefix="vigia-benchmark-", dir=os.environ.get("TMPDIR")))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def environment(**more: str) -> dict[str, str]:
    """The environment of a server: nothing of the caller's configuration."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VIGIA_") and name != "DATABASE_URL"
    }
    return {**kept, "OMP_NUM_THREADS": "1", "VIGIA_LOG_LEVEL": "WARNING", **more}


@dataclass
class Server:
    """A web server, as it is run in earnest."""

    process: subprocess.Popen[bytes]
    port: int

    def pids(self) -> list[int]:
        """The processes that answer."""
        pid = self.process.pid
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in told.split()]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)


@contextmanager
def server(
    application: str, environ: Mapping[str, str], log: Path, *, workers: int = 1
) -> Iterator[Server]:
    """Serve an application on a free port until the end."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"),
        *("--workers", str(workers), "--threads", "4", "--timeout", "600", "--keep-alive", "600"),
        *("--log-level", "warning", "--no-control-socket"),
    ]
    with log.open("ab") as told:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=ROOT, env=dict(environ), stdout=told, stderr=told
        )
    try:
        wait_for(port, process, log)
        yield Server(process, port)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and wait until it has."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"no server came up on port {port}:\n{log.read_text()[-2000:]}")
