"""What tests of every folder share: the services around, the real data, and how to do without.

A test that needs something outside says so by a marker, and is skipped by name where that is
absent: ``service("postgresql")``, ``browser``, ``data("azure_pdm")``. VIGIA_HIDE_SERVICES=1 hides
everything outside; VIGIA_REQUIRE_SERVICES=1 turns each such skip into a failure.
"""

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import settings as hypothesis_settings

# A busy machine is slow, not wrong.
hypothesis_settings.register_profile("vigia", deadline=None)
hypothesis_settings.load_profile("vigia")

SERVICES = {
    "postgresql": ("VIGIA_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "redis": ("VIGIA_TEST_REDIS_URL", "redis://127.0.0.1:6379/9"),
    "rabbitmq": ("VIGIA_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "mqtt": ("VIGIA_TEST_MQTT_URL", "mqtt://127.0.0.1:1883"),
}
PORTS = {"postgres": 5432, "postgresql": 5432, "redis": 6379, "amqp": 5672, "mqtt": 1883}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def pytest_sessionstart() -> None:
    """Where the database chosen for the tests does not answer, say so once, not in each test."""
    url = os.environ.get("VIGIA_TEST_DATABASE_URL", "")
    if url.startswith("postgres") and not _answers(url):
        wanted = os.environ.get("VIGIA_REQUIRE_SERVICES") == "1"
        reason = "PostgreSQL does not answer at VIGIA_TEST_DATABASE_URL: nothing is tested on it"
        pytest.exit(reason, returncode=1 if wanted else 0)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Examples are run in the cores; what stands beside tests to support them has none."""
    supports = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if supports and collection_path.name != "conftest.py" else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("service"):
        for name in marker.args:
            require(name)
    if item.get_closest_marker("browser"):
        require("chromium")
    for marker in item.iter_markers("data"):
        for name in marker.args or ("",):
            require("data", name)


def require(name: str, part: str = "") -> str:
    """Where the thing is; without it the test is skipped, or fails where all must be there."""
    if os.environ.get("VIGIA_HIDE_SERVICES") == "1":
        pytest.skip(f"{name} is hidden by VIGIA_HIDE_SERVICES")
    place, absent = _look_for(name, part)
    if absent and os.environ.get("VIGIA_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{absent}, and VIGIA_REQUIRE_SERVICES wants it", pytrace=False)
    if absent:
        pytest.skip(absent)
    return place


def _look_for(name: str, part: str) -> tuple[str, str]:
    """Where it is, and in which words it is absent."""
    if name == "chromium":
        return _look_for_chromium()
    if name == "data":
        return _look_for_data(part)
    variable, default = SERVICES[name]
    url = os.environ.get(variable, default)
    return url, "" if _answers(url) else f"{name} does not answer (set {variable})"


def _look_for_chromium() -> tuple[str, str]:
    given = os.environ.get("VIGIA_CHROMIUM", "")
    found = [path for path in (given, *map(shutil.which, CHROMIUM)) if path]
    return (found[0], "") if found else ("", "Chromium is not installed (or set VIGIA_CHROMIUM)")


def _look_for_data(part: str) -> tuple[str, str]:
    root = os.environ.get("VIGIA_DATA", "")
    if root and (Path(root) / part).is_dir():
        return str(Path(root) / part), ""
    return "", f"the data set {part or 'folder'} is not in VIGIA_DATA={root or '(unset)'}"


def _answers(url: str) -> bool:
    address = urlsplit(url)
    place = (address.hostname or "127.0.0.1", address.port or PORTS[address.scheme])
    try:
        with socket.create_connection(place, timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture
def require_service() -> Callable[..., str]:
    """``require_service("redis")`` gives its address, or skips the test."""
    return require


@pytest.fixture
def postgres_url() -> str:
    return require("postgresql")


@pytest.fixture
def redis_url() -> str:
    return require("redis")


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """To oneself: queues have fixed names, and another's worker would take the messages."""
    url = require("rabbitmq")
    lock = Path(tempfile.gettempdir()) / f"vigia-tests-{urlsplit(url).port}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield url


@pytest.fixture(scope="session")
def mqtt_url() -> str:
    return require("mqtt")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    return require("chromium")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets."""
    return Path(require("data"))
