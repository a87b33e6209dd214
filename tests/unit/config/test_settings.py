"""Settings are read once, when the process starts: each case is a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
SHOW = (
    "import json, sys; from django.conf import settings;"
    "json.dump([getattr(settings, name) for name in sys.argv[1:]], sys.stdout, default=str)"
)
PRODUCTION = {
    "VIGIA_PRODUCTION": "1",
    "VIGIA_SECRET_KEY": "k" * 25 + "0123456789" * 4,
    "VIGIA_ALLOWED_HOSTS": "plant.example.org",
    "DATABASE_URL": "postgresql://localhost/vigia",
    "CELERY_BROKER_URL": "amqp://localhost//",
}


def start(environment: dict[str, str], var: Path, *names: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VIGIA_") and name not in ("DATABASE_URL", "CELERY_BROKER_URL")
    }
    given = {"DJANGO_SETTINGS_MODULE": "config.settings", "VIGIA_VAR_DIR": str(var), **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", SHOW, *names],
        env=clean | given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_needs_to_be_set_to_try_it(tmp_path: Path) -> None:
    shown = start({}, tmp_path / "var", "DEBUG", "ALLOWED_HOSTS", "SESSION_COOKIE_SECURE")
    assert json.loads(shown.stdout) == [False, ["localhost", "127.0.0.1", "[::1]"], False]


def test_production_is_served_over_https_only(tmp_path: Path) -> None:
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT")
    assert json.loads(start(PRODUCTION, tmp_path, *names).stdout) == [True, True, True]


def test_production_does_not_start_without_a_secret_key(tmp_path: Path) -> None:
    refused = start(PRODUCTION | {"VIGIA_SECRET_KEY": ""}, tmp_path, "DEBUG")
    assert refused.returncode
    assert "VIGIA_SECRET_KEY is not set" in refused.stderr


def test_production_does_not_start_with_debug(tmp_path: Path) -> None:
    refused = start(PRODUCTION | {"VIGIA_DEBUG": "1"}, tmp_path, "DEBUG")
    assert "VIGIA_DEBUG shows secrets" in refused.stderr


def test_a_broker_of_no_known_kind_is_refused_by_name(tmp_path: Path) -> None:
    refused = start({"CELERY_BROKER_URL": "carrier-pigeon://"}, tmp_path, "DEBUG")
    assert "CELERY_BROKER_URL is neither" in refused.stderr


@pytest.mark.parametrize(
    ("url", "option"),
    [
        ("filesystem://", "data_folder_in"),
        ("redis://localhost/0", "visibility_timeout"),
        ("amqp://localhost//", "confirm_publish"),
    ],
)
def test_each_broker_gets_the_options_that_keep_its_messages(
    tmp_path: Path, url: str, option: str
) -> None:
    shown = start({"CELERY_BROKER_URL": url}, tmp_path, "CELERY_BROKER_TRANSPORT_OPTIONS")
    assert option in json.loads(shown.stdout)[0]


def test_one_thread_is_the_default_of_the_numerical_libraries() -> None:
    assert settings.THREADS == 1
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_every_setting_has_an_entry_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/settings.md").read_text()
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", reference, flags=re.MULTILINE))
    assert described == variables_read()


def variables_read() -> set[str]:
    settings_file = (ROOT / "config/settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings_file))
    for script in (ROOT / "deploy").glob("*.sh"):
        read |= set(re.findall(r"\$\{([A-Z_]+):-", script.read_text()))
    for source in [ROOT / "tests/conftest.py", ROOT / "tests/settings.py"]:
        read |= set(re.findall(r'"(VIGIA_[A-Z_]+[A-Z])"', source.read_text()))
    return read | {"GUNICORN_CMD_ARGS"}
