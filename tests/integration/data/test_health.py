from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from maintenance.web import health

pytestmark = pytest.mark.django_db


def test_a_process_that_answers_is_alive() -> None:
    assert Client().get("/health/live").json() == {"status": "ok"}


def test_it_is_ready_when_the_database_answers_and_is_migrated() -> None:
    assert Client().get("/health/ready").json() == {"status": "ok"}


def test_it_is_not_ready_while_migrations_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_missing_migrations", lambda: 2)
    answer = Client().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["what"] == "migrations"


def test_it_is_not_ready_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise DatabaseError

    monkeypatch.setattr(health, "_missing_migrations", away)
    answer = Client().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["what"] == "database"


def test_it_asks_on_a_connection_of_its_own_with_a_limit() -> None:
    connection = health._own_connection()
    options = connection.settings_dict["OPTIONS"]
    assert "pool" not in options
    limits = (options.get("timeout"), options.get("connect_timeout"))
    assert health.LIMIT_SECONDS in limits
