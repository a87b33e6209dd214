"""Who a machine is, and what it may do."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, JsonResponse

from maintenance.choices import TokenScope
from maintenance.models import ApiToken


class Problem(Exception):
    """A request that is refused whole: its status, a code for machines and words for people.

    One that may be repeated later says after how many seconds.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def response(self) -> JsonResponse:
        answer = JsonResponse({"code": self.code, "message": self.message}, status=self.status)
        if self.status == 401:
            answer["WWW-Authenticate"] = "Bearer"
        if self.retry_after is not None:
            answer["Retry-After"] = str(self.retry_after)
        return answer


def token_of(request: HttpRequest, scopes: tuple[TokenScope, ...], now: dt.datetime) -> ApiToken:
    """The token of a request that has one of the scopes. Raises Problem: 401 or 403."""
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem(401, "no_token", "Send the header Authorization: Bearer vg_…")
    digest = ApiToken.digest_of(secret.strip())
    some_points = ApiToken.points.through.objects.filter(apitoken=OuterRef("pk"))
    usable = ApiToken.objects.usable(now=now).select_related("site")
    usable = usable.annotate(of_some_points=Exists(some_points))
    try:
        token = usable.get(digest=digest)
    except ApiToken.DoesNotExist:
        raise Problem(401, "wrong_token", "The token is unknown, expired or revoked.") from None
    if not any(token.allows(scope) for scope in scopes):
        wanted = " or ".join(scope.value for scope in scopes)
        raise Problem(403, "wrong_scope", f"The token does not have the scope {wanted}.")
    return token


def points_of(token: ApiToken) -> frozenset[int] | None:
    """The points that a token is for; None when it is for all of its site."""
    if not token.limited and not getattr(token, "of_some_points", True):
        return None
    return token.allowed_points()


_in_flight: Counter[int] = Counter()
_counting = threading.Lock()


@contextmanager
def one_more(token: ApiToken) -> Iterator[None]:
    """One machine that sends much must not hold every thread of a web process.

    Raises Problem: 429.
    """
    with _counting:
        if _in_flight[token.pk] >= settings.TOKEN_REQUESTS_AT_ONCE:
            most = settings.TOKEN_REQUESTS_AT_ONCE
            words = f"The token has {most} requests in work: wait for their answers."
            raise Problem(429, "too_many_requests", words, retry_after=1)
        _in_flight[token.pk] += 1
    try:
        yield
    finally:
        with _counting:
            _in_flight[token.pk] -= 1
            if not _in_flight[token.pk]:
                del _in_flight[token.pk]
