"""Is the process alive; can it serve?"""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from maintenance.access import public

LIMIT_SECONDS = 2


@public
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@public
@require_safe
def ready(_request: HttpRequest) -> HttpResponse:
    """503 while the database does not answer or lacks migrations."""
    try:
        missing = _missing_migrations()
    except DatabaseError as error:
        return _not_ready("database", type(error).__name__)
    if missing:
        return _not_ready("migrations", f"{missing} not applied: run manage.py migrate")
    return JsonResponse({"status": "ok"})


def _not_ready(what: str, why: str) -> JsonResponse:
    return JsonResponse({"status": "unavailable", "what": what, "why": why}, status=503)


def _missing_migrations() -> int:
    """Asked on a connection of its own: a pool that is used up must not make it wait."""
    connection = _own_connection()
    try:
        executor = MigrationExecutor(connection)
        return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    finally:
        connection.close()


def _own_connection() -> BaseDatabaseWrapper:
    shared = connections[DEFAULT_DB_ALIAS]
    options = {k: v for k, v in shared.settings_dict["OPTIONS"].items() if k != "pool"}
    if shared.vendor == "postgresql":
        options["connect_timeout"] = LIMIT_SECONDS
        options["options"] = f"-c statement_timeout={LIMIT_SECONDS * 1000}"
    else:
        options["timeout"] = LIMIT_SECONDS
    own = shared.copy()
    own.settings_dict = {**shared.settings_dict, "OPTIONS": options}
    return own
