"""What every request passes: a name to follow it by, a count of it, and the site it is about."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from zoneinfo import ZoneInfo

import structlog
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from maintenance.models import Site
from maintenance.web import request_counts

SESSION_KEY = "site"
REQUEST_ID = "X-Request-ID"
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

Answering = Callable[[HttpRequest], HttpResponseBase]


class Traced:
    """Each log line of a request carries its id, the answer carries it back, and it is counted.

    An id that a proxy or client gives is kept where it is short and plain; a line break in it
    would forge a log line.
    """

    def __init__(self, get_response: Answering) -> None:
        self._get_response = get_response
        request_counts.gather_the_dead()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(REQUEST_ID, "")
        request_id = given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self._get_response(request)
        response[REQUEST_ID] = request_id
        request_counts.count(
            method=request.method or "",
            route=_route(request),
            status=response.status_code,
            seconds=time.perf_counter() - started,
        )
        return response


class CurrentSite:
    """Times are shown in the site's time zone, money in its currency."""

    def __init__(self, get_response: Answering) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        site = _chosen_site(request)
        request.site = site  # type: ignore[assignment]  # see SiteRequest
        with timezone.override(ZoneInfo(site.time_zone) if site else None):
            return self._get_response(request)


def _route(request: HttpRequest) -> str:
    """The name of the route, never the path: a path has as many values as there are rows."""
    match = request.resolver_match
    if match is None:
        return "none"
    return "admin" if match.namespaces[:1] == ["admin"] else match.view_name or "unnamed"


def _chosen_site(request: HttpRequest) -> Site | None:
    sites = Site.objects.for_user(request.user)
    chosen = request.session.get(SESSION_KEY)
    return (sites.filter(pk=chosen).first() if chosen else None) or sites.first()
