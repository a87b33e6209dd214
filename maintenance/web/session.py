"""Signing in and out, and what a reader chooses for the whole visit: language and site."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from maintenance.access import SiteRequest, public, signed_in
from maintenance.models import Site
from maintenance.web.asked import back, whole
from maintenance.web.middleware import SESSION_KEY

sign_in = public(
    LoginView.as_view(template_name="session/login.html", redirect_authenticated_user=True)
)
sign_out = public(LogoutView.as_view())
choose_language = public(require_POST(never_cache(set_language)))


@signed_in
@require_POST
def choose_site(request: SiteRequest) -> HttpResponse:
    """From now on the pages are about that site."""
    sites = Site.objects.for_user(request.user)
    site = get_object_or_404(sites, pk=whole(request.POST.get("site", "")))
    request.session[SESSION_KEY] = site.pk
    return back(request, "fleet")
