"""Requests by route, counted over all processes of the web server.

Each process counts in a file of its own, which outlives it; a scrape adds the files up. Servers
that start a new process now and then would leave ever more files: a process that starts adds
those of the dead to one.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = Path(settings.METRICS_DIR)
FOLDER.mkdir(parents=True, exist_ok=True)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
OF_THE_DEAD = 0
log = structlog.get_logger(__name__)
_FILE = re.compile(r"(counter|histogram)_(\d+)\.db")

REQUESTS = Counter(
    "vigia_http_requests", "Requests answered", ["method", "route", "status"], registry=None
)
DURATION = Histogram(
    "vigia_http_request_duration_seconds",
    "Time to the answer",
    ["route"],
    buckets=SECONDS,
    registry=None,
)


def count(*, method: str, route: str, status: int, seconds: float) -> None:
    known = method if method in METHODS else "other"
    REQUESTS.labels(known, route, str(status)).inc()
    DURATION.labels(route).observe(seconds)


def registry() -> CollectorRegistry:
    """All processes together, those that ended included."""
    together = CollectorRegistry()
    MultiProcessCollector(together, path=str(FOLDER))  # type: ignore[no-untyped-call]
    return together


@contextmanager
def held() -> Iterator[None]:
    """Nobody moves counts between files meanwhile."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def gather_the_dead() -> None:
    """Add the files of processes that ended to one file a kind, and remove them."""
    with held():
        for path in sorted(FOLDER.glob("*.db")):
            named = _FILE.fullmatch(path.name)
            if named and not _is_alive(int(named[2])):
                _add_if_whole(path, FOLDER / f"{named[1]}_{OF_THE_DEAD}.db")
                path.unlink()


def _is_alive(process: int) -> bool:
    if process == OF_THE_DEAD:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _add_if_whole(source: Path, target: Path) -> None:
    """A process that was killed as it wrote leaves half a file: its counts are lost, no more."""
    try:
        _add(source, target)
    except (ValueError, RuntimeError, struct.error, OSError) as error:
        log.warning("request_counts_lost", file=source.name, error=str(error))


def _add(source: Path, target: Path) -> None:
    read = MmapedDict(str(source), read_mode=True)  # type: ignore[no-untyped-call]
    kept = MmapedDict(str(target))  # type: ignore[no-untyped-call]
    try:
        for key, value, at in read.read_all_values():  # type: ignore[no-untyped-call]
            before, _at = kept.read_value(key)  # type: ignore[no-untyped-call]
            kept.write_value(key, before + value, at)  # type: ignore[no-untyped-call]
    finally:
        kept.close()  # type: ignore[no-untyped-call]
        read.close()  # type: ignore[no-untyped-call]
