"""The inbox: what the watch found, and who sees to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from maintenance.access import SiteRequest, requires, signed_in
from maintenance.choices import AlertKind, Permission
from maintenance.flow import monitor
from maintenance.models import Alert, Site
from maintenance.queries import inbox as queries

ROWS_A_PAGE = 25
TABLE = "alerts"
SILENCE_DAYS = {1: gettext_lazy("one day"), 7: gettext_lazy("a week"), 30: gettext_lazy("a month")}
CARES = (Permission.PLAN, Permission.MANAGE_MODELS)


class FilterForm(forms.Form):
    """What narrows the list; whatever makes no sense asks for nothing."""

    kind = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Kind"),
        choices=[("", gettext_lazy("All kinds")), *AlertKind.choices],
    )

    def wanted(self) -> queries.Wanted:
        self.is_valid()
        state = self.data.get("state", "")
        return queries.Wanted(
            state=state if state in queries.STATES else "open",
            kind=self.cleaned_data.get("kind", ""),
        )


class NoteForm(forms.Form):
    note = forms.CharField(max_length=240, label=gettext_lazy("What you mean to do"))


class SilenceForm(forms.Form):
    days = forms.TypedChoiceField(
        coerce=int, choices=list(SILENCE_DAYS.items()), label=gettext_lazy("Silence for")
    )


@requires(Permission.READ_WORK)
@require_safe
@vary_on_headers("HX-Request")
def inbox(request: SiteRequest) -> HttpResponse:
    """Alerts by state; htmx asks for the list alone."""
    if request.site is None:
        raise PermissionDenied
    now = timezone.now()
    form = FilterForm(request.GET)
    wanted = form.wanted()
    rows = queries.shown(request.user, request.site, wanted, now=now)
    page = Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "now": now,
        "form": form,
        "wanted": wanted,
        "tabs": queries.tabs(request.user, request.site, wanted, now=now),
        "page": page,
        "rows": [queries.row(alert, now=now) for alert in page],
        "table_id": TABLE,
        "may_care": _may_care(request, request.site),
        "may_train": _holds(request, request.site, Permission.MANAGE_MODELS),
        "note_form": NoteForm(),
        "silence_form": SilenceForm(),
        "proposals": queries.proposals(request.user, request.site),
    }
    part = "#table" if request.htmx and not request.htmx.boosted else ""
    return render(request, f"inbox/list.html{part}", context)


@signed_in
@require_POST
def acknowledge(request: SiteRequest, pk: int) -> HttpResponse:
    alert, form = _alert(request, pk), NoteForm(request.POST)
    if not form.is_valid():
        return _refused(request, _("Say in a few words what you mean to do."))
    note = form.cleaned_data["note"]
    return _changed(
        request,
        lambda now: monitor.acknowledge(alert=alert, note=note, by=request.user, now=now),
        _("It is yours now."),
    )


@signed_in
@require_POST
def silence(request: SiteRequest, pk: int) -> HttpResponse:
    alert, form = _alert(request, pk), SilenceForm(request.POST)
    if not form.is_valid():
        return _refused(request, _("Choose how long it should stay silent."))
    length = dt.timedelta(days=form.cleaned_data["days"])
    return _changed(
        request,
        lambda now: monitor.silence(alert=alert, until=now + length, by=request.user, now=now),
        _("Silenced. It comes back by itself if it is still there."),
    )


@signed_in
@require_POST
def close(request: SiteRequest, pk: int) -> HttpResponse:
    alert = _alert(request, pk)
    return _changed(
        request,
        lambda now: monitor.close(alert=alert, by=request.user, now=now),
        _("Closed. If its cause is still there tonight, it opens again."),
    )


def _alert(request: SiteRequest, pk: int) -> Alert:
    """404 for an alert of another site, 403 for who may see it but not change it."""
    seen = Alert.objects.for_user(request.user, Permission.READ_WORK)
    alert = get_object_or_404(seen.select_related("site", "owner"), pk=pk)
    if not _may_care(request, alert.site):
        raise PermissionDenied
    return alert


def _may_care(request: SiteRequest, site: Site) -> bool:
    return any(_holds(request, site, permission) for permission in CARES)


def _holds(request: SiteRequest, site: Site, permission: Permission) -> bool:
    return Site.objects.for_user(request.user, permission).contains(site)


def _changed(
    request: SiteRequest, change: Callable[[dt.datetime], None], told: str
) -> HttpResponse:
    try:
        change(timezone.now())
    except monitor.Refused as refusal:
        return _refused(request, str(refusal))
    except Alert.DoesNotExist:
        raise Http404 from None
    messages.success(request, told)
    return _back(request)


def _refused(request: SiteRequest, why: str) -> HttpResponse:
    messages.error(request, why)
    return _back(request)


def _back(request: SiteRequest) -> HttpResponse:
    """To the list as it was filtered."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()})
    return redirect(wanted if ours else "inbox")
