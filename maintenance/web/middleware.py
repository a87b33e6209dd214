"""Which site a request is about: times are shown in its time zone, money in its currency."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from maintenance.models import Site

SESSION_KEY = "site"


class CurrentSite:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        site = _chosen_site(request)
        request.site = site  # type: ignore[assignment]  # see SiteRequest
        with timezone.override(ZoneInfo(site.time_zone) if site else None):
            return self._get_response(request)


def _chosen_site(request: HttpRequest) -> Site | None:
    sites = Site.objects.for_user(request.user)
    chosen = request.session.get(SESSION_KEY)
    return (sites.filter(pk=chosen).first() if chosen else None) or sites.first()
