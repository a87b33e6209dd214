"""Read settings from environment variables; refuse, by name, a value that makes no sense."""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")


def text(name: str, *, default: str) -> str:
    """The value of a variable; unset and empty mean the default."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """A yes or no."""
    value = text(name, default="yes" if default else "no").lower()
    if value not in TRUE + FALSE:
        raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no: write 1 or 0.")
    return value in TRUE


def number(name: str, *, default: int, at_least: int = 0) -> int:
    """A whole number, not below the least that makes sense."""
    value = text(name, default=str(default))
    if not value.isdecimal() or int(value) < at_least:
        raise ImproperlyConfigured(
            f"{name}={value!r} is not a whole number of at least {at_least}."
        )
    return int(value)


def words(name: str, *, default: str = "") -> list[str]:
    """A list, separated by commas."""
    return [word.strip() for word in text(name, default=default).split(",") if word.strip()]


def choice(name: str, *, default: str, among: tuple[str, ...]) -> str:
    """One word among those allowed."""
    value = text(name, default=default)
    if value not in among:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of: {', '.join(among)}.")
    return value


def folder(name: str, *, default: Path) -> Path:
    """An absolute path; a relative one starts at the current folder."""
    return Path(text(name, default=str(default))).expanduser().absolute()


def secret(name: str, *, kept_in: Path, required: bool) -> str:
    """A secret given by the operator, or made once and kept in a file only its owner can read."""
    if given := text(name, default=""):
        return given
    if required:
        raise ImproperlyConfigured(
            f"{name} is not set. Make one and keep it out of the repository: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    return _kept_secret(kept_in)


def _kept_secret(path: Path) -> str:
    """Two processes may start at once: the file appears whole, and the first one wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def database(name: str, *, default: str) -> dict[str, Any]:
    """Django's database settings out of ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    What the query of a PostgreSQL address says is passed on to libpq: ``?sslmode=require``.
    """
    url = urlsplit(text(name, default=default))
    if url.scheme == "sqlite" and len(url.path) > 1:
        return _sqlite(unquote(url.path.removeprefix("/")))
    if url.scheme in ("postgres", "postgresql") and len(url.path) > 1:
        try:
            port = url.port
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: the port is not a number.") from error
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.removeprefix("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": unquote(url.hostname or ""),
            "PORT": str(port or ""),
            "CONN_MAX_AGE": 0,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "pool": {"min_size": 2, "max_size": 8, "timeout": 10},
                "connect_timeout": 3,
                **dict(parse_qsl(url.query)),
            },
        }
    raise ImproperlyConfigured(
        f"{name} is neither sqlite:///PATH nor postgresql://USER:PASSWORD@HOST:PORT/NAME."
    )


def mqtt_broker(name: str, *, default: str) -> dict[str, Any]:
    """Where a broker is, out of ``mqtt://USER:PASSWORD@HOST:PORT``; ``mqtts://`` is over TLS."""
    url = urlsplit(text(name, default=default))
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname or url.path.strip("/"):
        raise ImproperlyConfigured(f"{name} is not mqtt://… nor mqtts://USER:PASSWORD@HOST:PORT.")
    try:
        port = url.port
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: the port is not a number.") from error
    secure = url.scheme == "mqtts"
    return {
        "host": url.hostname,
        "port": port or (8883 if secure else 1883),
        "secure": secure,
        "user": unquote(url.username or ""),
        "password": unquote(url.password or ""),
    }


def _sqlite(path: str) -> dict[str, Any]:
    """Write-ahead log and immediate transactions, so that readers and writers wait, not fail.

    A connection is kept for the requests that follow: a new one reads the whole schema first, and
    the last one to close folds the log into the file.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
                "PRAGMA cache_size=-65536;PRAGMA wal_autocheckpoint=8000"
            ),
        },
    }
