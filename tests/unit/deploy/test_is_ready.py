import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.conf import settings

PROBE = Path(settings.BASE_DIR) / "deploy" / "is_ready.py"


class Site(BaseHTTPRequestHandler):
    status = 200
    heard: dict[str, str]

    def do_GET(self) -> None:
        type(self).heard = {"path": self.path, **self.headers}
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nobody reads the log of a test."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int) -> int:
    environment = {"VIGIA_ALLOWED_HOSTS": "plant.example.org,other.example.org", "PORT": str(port)}
    return subprocess.run([sys.executable, str(PROBE)], env=environment, check=False).returncode


def test_a_site_that_is_ready_is_asked_as_its_visitors_would(port: int) -> None:
    assert ask(port) == 0
    assert Site.heard["path"] == "/health/ready"
    assert Site.heard["Host"] == "plant.example.org"
    assert Site.heard["X-Forwarded-Proto"] == "https"


def test_a_site_that_is_not_ready_fails_the_probe(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Site, "status", 503)
    assert ask(port) == 1


def test_a_site_that_does_not_answer_fails_the_probe() -> None:
    assert ask(1) == 1
