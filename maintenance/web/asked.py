"""What a request asks for, made safe: a number, and the page to go back to."""

from __future__ import annotations

from django.http import HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from maintenance.access import SiteRequest

MOST_DIGITS = 18
"""All numbers of so many digits fit into the keys of a table."""


def whole(text: str) -> int | None:
    """The whole number that a page sent; None for what is none, or could be no key."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def back(request: SiteRequest, otherwise: str, *arguments: int) -> HttpResponseRedirect:
    """Where the reader came from (`next`), when that is a page of ours; else the route named."""
    wished = request.POST.get("next", "")
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wished, hosts, require_https=request.is_secure()):
        return redirect(wished)
    return redirect(otherwise, *arguments)
