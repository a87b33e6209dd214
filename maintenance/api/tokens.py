"""Who a machine is, and what it may do."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest, JsonResponse

from maintenance.choices import TokenScope
from maintenance.models import ApiToken


class Problem(Exception):
    """A request that is refused whole: its status, a code for machines and words for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> JsonResponse:
        answer = JsonResponse({"code": self.code, "message": self.message}, status=self.status)
        if self.status == 401:
            answer["WWW-Authenticate"] = "Bearer"
        return answer


def token_of(request: HttpRequest, scopes: tuple[TokenScope, ...], now: dt.datetime) -> ApiToken:
    """The token of a request that has one of the scopes. Raises Problem: 401 or 403."""
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem(401, "no_token", "Send the header Authorization: Bearer vg_…")
    digest = ApiToken.digest_of(secret.strip())
    usable = ApiToken.objects.usable(now=now).select_related("site")
    token = usable.filter(digest=digest).first()
    if token is None:
        raise Problem(401, "wrong_token", "The token is unknown, expired or revoked.")
    if not any(token.allows(scope) for scope in scopes):
        wanted = " or ".join(scope.value for scope in scopes)
        raise Problem(403, "wrong_scope", f"The token does not have the scope {wanted}.")
    return token
