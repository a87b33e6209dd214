"""System checks: what is wrong with this set-up, and how to mend it."""

import os
import stat
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "testserver"}


def browser_libraries_are_installed(**_: Any) -> list[CheckMessage]:
    """Registered through the finder that publishes them."""
    folder = Path(settings.NODE_MODULES_DIR)
    missing = [file for file in settings.NPM_FILES.values() if not (folder / file).is_file()]
    if not missing:
        return []
    return [
        Error(
            f"Browser libraries are missing from {folder.name}: {', '.join(missing)}.",
            hint="Run `make setup`, or `npm ci` alone.",
            id="vigia.E001",
        )
    ]


@register()
def var_dir_is_writable(**_: Any) -> list[CheckMessage]:
    if os.access(settings.VAR_DIR, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The folder {settings.VAR_DIR} cannot be written: artefacts have no place.",
            hint="Give it to the user that runs Vigía, or point VIGIA_VAR_DIR elsewhere.",
            id="vigia.E002",
        )
    ]


@register(Tags.security)
def debug_stays_on_this_machine(**_: Any) -> list[CheckMessage]:
    if not settings.DEBUG or set(settings.ALLOWED_HOSTS) <= LOOPBACK:
        return []
    return [
        Error(
            "VIGIA_DEBUG is on while VIGIA_ALLOWED_HOSTS names hosts other than this machine: "
            "an error page shows settings and data to whoever asks.",
            hint="Unset VIGIA_DEBUG, or leave VIGIA_ALLOWED_HOSTS at its default.",
            id="vigia.E003",
        )
    ]


@register(Tags.security)
def production_names_its_hosts(**_: Any) -> list[CheckMessage]:
    if not settings.PRODUCTION or settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "VIGIA_ALLOWED_HOSTS is empty: in production every page would be refused.",
            hint="Name the hosts people type, as in VIGIA_ALLOWED_HOSTS=plant.example.org.",
            id="vigia.E004",
        )
    ]


@register(Tags.security)
def secret_key_is_private(**_: Any) -> list[CheckMessage]:
    path = Path(settings.VAR_DIR) / "secret-key"
    if not path.exists() or not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return []
    return [
        Warning(
            f"Other users of this machine can read {path}, and with it forge sessions.",
            hint=f"Run `chmod 600 {path}`.",
            id="vigia.W001",
        )
    ]


@register(Tags.database)
def sqlite_serves_one_machine(**_: Any) -> list[CheckMessage]:
    on_sqlite = "sqlite" in settings.DATABASES["default"]["ENGINE"]
    if not on_sqlite or settings.CELERY_BROKER_URL.startswith("filesystem"):
        return []
    return [
        Warning(
            "SQLite stands behind a broker for many workers: they would wait for one another, and "
            "workers on other machines would not see the data.",
            hint="Set DATABASE_URL=postgresql://USER:PASSWORD@HOST/NAME.",
            id="vigia.W002",
        )
    ]


@register()
def workers_share_the_queue(**_: Any) -> list[CheckMessage]:
    if not settings.PRODUCTION or not settings.CELERY_BROKER_URL.startswith("filesystem"):
        return []
    return [
        Warning(
            "The queue is a folder of this machine: workers elsewhere will find nothing to do.",
            hint="Set CELERY_BROKER_URL to redis://… or amqp://…, or keep web and worker together.",
            id="vigia.W003",
        )
    ]


@register()
def threads_fit_the_machine(**_: Any) -> list[CheckMessage]:
    cores = os.cpu_count() or 1
    if cores >= settings.THREADS:
        return []
    return [
        Warning(
            f"VIGIA_THREADS={settings.THREADS}, but the machine has {cores} cores: threads that "
            "wait for one another make training many times slower.",
            hint="Set VIGIA_THREADS to 1, or at most to the cores that are free.",
            id="vigia.W004",
        )
    ]


@register()
def static_files_are_collected(**_: Any) -> list[CheckMessage]:
    if settings.DEBUG or (Path(settings.STATIC_ROOT) / "staticfiles.json").is_file():
        return []
    return [
        Warning(
            f"Static files are not collected in {settings.STATIC_ROOT}: pages cannot be shown.",
            hint="Run `make setup`, or `manage.py collectstatic` alone.",
            id="vigia.W005",
        )
    ]


@register(Tags.translation)
def translations_are_compiled(**_: Any) -> list[CheckMessage]:
    sources = [path for root in settings.LOCALE_PATHS for path in Path(root).rglob("*.po")]
    stale = [path.parent.parent.name for path in sources if not path.with_suffix(".mo").is_file()]
    if not stale:
        return []
    return [
        Warning(
            f"Translations are not compiled: {', '.join(sorted(set(stale)))}.",
            hint="Run `make setup`.",
            id="vigia.W006",
        )
    ]
