"""Signing in and out, and what a reader chooses for the whole visit: language and site."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from maintenance.access import SiteRequest, public, signed_in
from maintenance.choices import Permission
from maintenance.models import Site
from maintenance.web.asked import back, whole
from maintenance.web.middleware import SESSION_KEY


class SignIn(LoginView):
    template_name = "session/login.html"
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        """Who does the work and does not plan it begins with their own."""
        user = self.request.user
        plans = Site.objects.for_user(user, Permission.READ_WORK).exists()
        if not plans and Site.objects.for_user(user, Permission.EXECUTE).exists():
            return reverse("my_work")
        return super().get_default_redirect_url()


sign_in = public(SignIn.as_view())
sign_out = public(LogoutView.as_view())
choose_language = public(require_POST(never_cache(set_language)))


def client_address(request: HttpRequest) -> str | None:
    """Who asks. Behind a proxy that is the last address it was told of: the proxy's own word."""
    direct: str | None = request.META.get("REMOTE_ADDR") or None  # none by a local socket
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if not (settings.BEHIND_PROXY and told):
        return direct
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        return direct


def locked_out(request: HttpRequest, _answer: HttpResponse, _credentials: Any) -> HttpResponse:
    """Too many wrong passwords: the page says how long to wait, whatever name was given."""
    wait = settings.AXES_COOLOFF_TIME
    minutes = {"minutes": int(wait.total_seconds() // 60)}
    response = render(request, "session/locked.html", minutes, status=429)
    response["Retry-After"] = str(int(wait.total_seconds()))
    return response


@signed_in
@require_POST
def choose_site(request: SiteRequest) -> HttpResponse:
    """From now on the pages are about that site."""
    sites = Site.objects.for_user(request.user)
    site = get_object_or_404(sites, pk=whole(request.POST.get("site", "")))
    request.session[SESSION_KEY] = site.pk
    return back(request, "fleet")
