"""A whole installation beside the tests: a folder, a database and a broker of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STOP_SECONDS = 20
POLL_SECONDS = 0.1
OF_THE_TESTS = ("VIGIA_", "DATABASE_URL", "CELERY_", "DJANGO_", "PYTEST_")
# An installation has a database of its own: the tests' need not be tried in turn.
once = pytest.mark.skipif(
    "VIGIA_TEST_DATABASE_URL" in os.environ, reason="installations have databases of their own"
)
SCRIPT_HEAD = "import django, json; django.setup()\n"


@dataclass(frozen=True)
class Installation:
    """`environment` is what an operator would set; without it, the embedded defaults hold."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OF_THE_TESTS)}
        return kept | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VIGIA_VAR_DIR": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            **self.environment,
        }

    def manage(self, *arguments: str) -> str:
        return self._run([sys.executable, "manage.py", *arguments])

    def python(self, script: str) -> Any:
        """Run a script in the installation; what it prints last is JSON."""
        printed = self._run([sys.executable, "-c", SCRIPT_HEAD + script])
        lines = printed.strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self.variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command[1:3]}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A process of the installation; what it says goes to a log in its folder."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            _stop(process)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def wait_for(self, happened: Callable[[], Any], *, seconds: float, what: str) -> Any:
        end = time.monotonic() + seconds
        while not (found := happened()):
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{self.log[-6000:]}"
            time.sleep(POLL_SECONDS)
        return found


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """A database of one's own on a server, removed afterwards."""
    made = sql.Identifier(name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(made))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(made))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, and end what is left of the processes that it started itself."""
    children = descendants(process.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in children:
        if parent_of(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    parents = {each: parent_of(each) for each in _processes()}
    found, wanted = [], {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted}
        found += sorted(wanted)
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def parent_of(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return int(status.rpartition(")")[2].split()[1])


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
