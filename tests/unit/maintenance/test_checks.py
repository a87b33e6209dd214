from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from maintenance import checks


def ids(messages: list[CheckMessage]) -> list[str | None]:
    assert all(message.hint for message in messages), "a check says how to mend what it found"
    return [message.id for message in messages]


def test_a_missing_browser_library_is_named(settings: Settings, tmp_path: Path) -> None:
    settings.NODE_MODULES_DIR = tmp_path
    settings.NPM_FILES = {"vendor/chart.js": "chart/dist/chart.js"}
    [message] = checks.browser_libraries_are_installed()
    assert message.id == "vigia.E001"
    assert "chart/dist/chart.js" in message.msg


def test_installed_browser_libraries_pass(settings: Settings, tmp_path: Path) -> None:
    settings.NODE_MODULES_DIR = tmp_path
    settings.NPM_FILES = {"vendor/chart.js": "chart.js"}
    (tmp_path / "chart.js").touch()
    assert not checks.browser_libraries_are_installed()


def test_a_folder_that_is_not_there_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path / "absent"
    assert ids(checks.var_dir_is_writable()) == ["vigia.E002"]
    settings.VAR_DIR = tmp_path
    assert not checks.var_dir_is_writable()


@pytest.mark.parametrize(
    ("debug", "hosts", "expected"),
    [
        (True, ["plant.example.org"], ["vigia.E003"]),
        (True, ["localhost", "127.0.0.1"], []),
        (False, ["plant.example.org"], []),
    ],
)
def test_debug_is_refused_beyond_this_machine(
    settings: Settings, debug: bool, hosts: list[str], expected: list[str]
) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = debug, hosts
    assert ids(checks.debug_stays_on_this_machine()) == expected


def test_production_without_hosts_is_refused(settings: Settings) -> None:
    settings.PRODUCTION, settings.ALLOWED_HOSTS = True, []
    assert ids(checks.production_names_its_hosts()) == ["vigia.E004"]
    settings.PRODUCTION = False
    assert not checks.production_names_its_hosts()


def test_a_secret_key_that_others_can_read_is_told(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    assert not checks.secret_key_is_private()
    path = tmp_path / "secret-key"
    path.touch()
    path.chmod(0o644)
    assert ids(checks.secret_key_is_private()) == ["vigia.W001"]
    path.chmod(0o600)
    assert not checks.secret_key_is_private()


@pytest.mark.parametrize(
    ("engine", "broker", "expected"),
    [
        ("sqlite3", "redis://localhost/0", ["vigia.W002"]),
        ("sqlite3", "filesystem://", []),
        ("postgresql", "redis://localhost/0", []),
    ],
)
def test_sqlite_behind_a_shared_broker_is_told(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    broker: str,
    expected: list[str],
) -> None:
    told = settings.DATABASES["default"] | {"ENGINE": f"django.db.backends.{engine}"}
    monkeypatch.setitem(settings.DATABASES, "default", told)
    settings.CELERY_BROKER_URL = broker
    assert ids(checks.sqlite_serves_one_machine()) == expected


def test_a_queue_of_one_machine_is_told_in_production(settings: Settings) -> None:
    settings.PRODUCTION, settings.CELERY_BROKER_URL = True, "filesystem://"
    assert ids(checks.workers_share_the_queue()) == ["vigia.W003"]
    settings.CELERY_BROKER_URL = "amqp://localhost//"
    assert not checks.workers_share_the_queue()


def test_more_threads_than_cores_are_told(settings: Settings) -> None:
    settings.THREADS = 10_000
    assert ids(checks.threads_fit_the_machine()) == ["vigia.W004"]
    settings.THREADS = 1
    assert not checks.threads_fit_the_machine()


def test_static_files_that_nobody_collected_are_told(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    assert ids(checks.static_files_are_collected()) == ["vigia.W005"]
    (tmp_path / "staticfiles.json").touch()
    assert not checks.static_files_are_collected()


def test_translations_that_nobody_compiled_are_told(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "es" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").touch()
    settings.LOCALE_PATHS = [tmp_path]
    assert ids(checks.translations_are_compiled()) == ["vigia.W006"]
    (folder / "django.mo").touch()
    assert not checks.translations_are_compiled()
