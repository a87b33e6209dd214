"""Who may open a route. Every view carries one of these marks; a test refuses one that does not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, Literal, Protocol, TypeVar, cast

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django_htmx.middleware import HtmxDetails

from maintenance.choices import Permission
from maintenance.models import Site, User

V = TypeVar("V", bound=Callable[..., HttpResponseBase])
Access = Permission | Literal["public", "signed-in", "token", "every-site"]


class SiteRequest(HttpRequest):
    """A signed-in request, with the site it is about (`middleware.CurrentSite` puts it there)."""

    user: User
    htmx: HtmxDetails
    site: Site | None  # type: ignore[assignment]  # the stubs mean Django's own sites framework


class Marked(Protocol):
    access: Access
    one_of: frozenset[Permission]
    """Of "every-site": which permissions open it."""


def requires(permission: Permission) -> Callable[[V], V]:
    """403 unless the user holds the permission somewhere; the view then asks `for_user` where."""

    def mark(view: V) -> V:
        @wraps(view)
        def guarded(request: SiteRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not Site.objects.for_user(request.user, permission).exists():
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return _marked(cast("V", guarded), permission)

    return mark


def requires_everywhere(*one_of: Permission) -> Callable[[V], V]:
    """For what all sites share: 403 unless the user holds one of them at each of the sites."""

    def mark(view: V) -> V:
        @wraps(view)
        def guarded(request: SiteRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not held_everywhere(request.user, one_of):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        cast("Marked", guarded).one_of = frozenset(one_of)
        return _marked(cast("V", guarded), "every-site")

    return mark


def held_everywhere(user: User, one_of: Collection[Permission]) -> bool:
    """Nobody holds anything while there is no site."""
    trusted = set[int]()
    for permission in one_of:
        trusted |= set(Site.objects.for_user(user, permission).values_list("pk", flat=True))
    return bool(trusted) and not Site.objects.exclude(pk__in=trusted).exists()


def signed_in(view: V) -> V:
    """Any user: the page shows only what `for_user` gives."""
    return _marked(view, "signed-in")


def public(view: V) -> V:
    return _marked(login_not_required(view), "public")


def by_token(view: V) -> V:
    """For machines: the view itself checks the API token."""
    return _marked(login_not_required(view), "token")


def _marked(view: V, access: Access) -> V:
    cast("Marked", view).access = access
    return view
