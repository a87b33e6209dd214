from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment as env


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("YES", True), ("off", False)])
def test_a_flag_is_read_in_the_usual_words(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("VIGIA_FLAG", value)
    assert env.flag("VIGIA_FLAG", default=not expected) is expected


def test_a_flag_that_is_neither_yes_nor_no_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIGIA_FLAG", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="VIGIA_FLAG='perhaps'"):
        env.flag("VIGIA_FLAG", default=False)


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIA_THREADS", " ")
    assert env.number("VIGIA_THREADS", default=3) == 3


@pytest.mark.parametrize("value", ["-1", "2.5", "two", "0", "²"])
def test_a_number_that_makes_no_sense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("VIGIA_THREADS", value)
    with pytest.raises(ImproperlyConfigured, match="VIGIA_THREADS"):
        env.number("VIGIA_THREADS", default=1, at_least=1)


def test_a_list_forgives_spaces_and_a_last_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIA_HOSTS", "a.example.org, b.example.org,")
    assert env.words("VIGIA_HOSTS") == ["a.example.org", "b.example.org"]


def test_a_choice_outside_the_list_is_refused_with_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIGIA_LOG_FORMAT", "xml")
    with pytest.raises(ImproperlyConfigured, match="console, json"):
        env.choice("VIGIA_LOG_FORMAT", default="json", among=("console", "json"))


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret-key"
    first = env.secret("VIGIA_NO_SUCH_SECRET", kept_in=path, required=False)
    assert len(first) >= 50
    assert env.secret("VIGIA_NO_SUCH_SECRET", kept_in=path, required=False) == first
    assert path.stat().st_mode & 0o077 == 0
    assert [kept.name for kept in path.parent.iterdir()] == ["secret-key"]


def test_a_secret_that_is_required_is_never_made_up(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="VIGIA_NO_SUCH_SECRET is not set"):
        env.secret("VIGIA_NO_SUCH_SECRET", kept_in=tmp_path / "key", required=True)
    assert not list(tmp_path.iterdir())


def test_postgresql_is_pooled_and_passes_the_query_on_to_libpq(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "DATABASE_URL", "postgresql://ana:p%40ss@db.example:6432/plant?sslmode=require"
    )
    database = env.database("DATABASE_URL", default="")
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"]) == ("ana", "p@ss")
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", "6432", "plant")
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["pool"]["max_size"] == 8


def test_sqlite_waits_for_its_turn_instead_of_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////srv/plant.sqlite3")
    database = env.database("DATABASE_URL", default="")
    assert database["NAME"] == "/srv/plant.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]


@pytest.mark.parametrize(
    "url", ["mysql://localhost/plant", "plant.sqlite3", "sqlite://", "postgresql://localhost"]
)
def test_a_database_of_no_known_kind_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        env.database("DATABASE_URL", default="")


def test_a_port_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost:port/plant")
    with pytest.raises(ImproperlyConfigured, match="port"):
        env.database("DATABASE_URL", default="")
