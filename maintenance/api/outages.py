"""What a machine is told while the database cannot serve it: when to come back, never a 500."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

from maintenance.api.tokens import Problem

_FULL = ("53100", "SQLITE_FULL")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "57014", "40001", "40P01")


def of(error: OperationalError | InterfaceError) -> Problem:
    """Nothing of the request was stored: it may be repeated as it was."""
    name = _name(error)
    if name.startswith(_FULL) or "disk is full" in str(error):
        words = "The disk of the database is full: nothing was stored."
        return Problem(503, "disk_full", words, retry_after=60)
    if name.startswith(_BUSY) or "locked" in str(error):
        words = "The database is busy with other writers: nothing was stored."
        return Problem(503, "database_busy", words, retry_after=2)
    words = "The database does not answer: nothing was stored."
    return Problem(503, "database_away", words, retry_after=5)


def _name(error: Exception) -> str:
    """What the driver calls it: a code of PostgreSQL or the name of one of SQLite."""
    cause = error.__cause__ or error
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or "")
