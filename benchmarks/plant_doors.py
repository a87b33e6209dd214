"""A plant from outside: its pages and API as people and machines use them, its database read."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.installation import Installation

CSRF = "0123456789abcdefghijABCDEFGHIJ01"
SECRET = "vg_of_a_benchmark"  # noqa: S105  It opens a plant that is thrown away.
PATIENCE_SECONDS = 60

LET_IN = """
from django.test import Client
from django.utils import timezone
from maintenance.choices import Role, TokenScope
from maintenance.models import ApiToken, Membership, Site, User
site, now = Site.objects.get(), timezone.now()
user, _ = User.objects.get_or_create(username="engineer")
Membership.objects.get_or_create(
    user=user, site=site, role=Role.RELIABILITY_ENGINEER, defaults={"recorded_at": now}
)
ApiToken.objects.create(
    site=site, name="benchmark", digest=ApiToken.digest_of("vg_of_a_benchmark"),
    scopes=[TokenScope.READ_ASSETS.value], recorded_at=now,
)
browser = Client()
browser.force_login(user)
print(json.dumps(browser.cookies["sessionid"].value))
"""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    place: str
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Doors:
    """The plant's web server, asked by an engineer who is signed in and by a machine."""

    port: int
    session: str

    @classmethod
    def of(cls, plant: Installation, *, port: int) -> Doors:
        """The engineer and the machine are let in first."""
        return cls(port, plant.python(LET_IN))

    def press(self, path: str, **fields: object) -> Answer:
        """A button of a page. Raises OSError or HTTPException where the server is gone."""
        form = urllib.parse.urlencode({"csrfmiddlewaretoken": CSRF, **fields})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"sessionid={self.session}; csrftoken={CSRF}",
        }
        return self._post(path, form, headers)

    def ask(self, **body: object) -> Answer:
        """`POST /api/v1/forecasts`."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"}
        return self._post("/api/v1/forecasts", json.dumps(body), headers)

    def alive(self) -> bool:
        try:
            return self._send("GET", "/health/live", None, {}).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _post(self, path: str, body: str, headers: dict[str, str]) -> Answer:
        return self._send("POST", path, body, headers)

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Location", ""), answer.read())
        finally:
            connection.close()


class Records:
    """The plant's database, read by a connection of its own: one statement sees one instant."""

    def __init__(self, plant: Installation) -> None:
        address = plant.environment.get("DATABASE_URL")
        self._sqlite = not address
        self._connection: Any
        if address:
            self._connection = psycopg.connect(address, autocommit=True)
        else:
            file = plant.folder / "vigia.sqlite3"
            self._connection = sqlite3.connect(
                f"file:{file}?mode=ro", uri=True, timeout=20, isolation_level=None
            )

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Placeholders are `%s` on either database."""
        spelt = query.replace("%s", "?") if self._sqlite else query
        return list(self._connection.execute(spelt, values).fetchall())

    def one(self, query: str, *values: object) -> Any:
        """The only value of the only row."""
        [[found]] = self.rows(query, *values)
        return found

    def close(self) -> None:
        self._connection.close()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
