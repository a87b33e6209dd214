"""Models: what serves, how it was judged; train, promote, roll back."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from maintenance import tasks
from maintenance.access import SiteRequest, requires
from maintenance.choices import OperationKind, Permission, Trigger
from maintenance.flow import retrain
from maintenance.instants import local_midnight
from maintenance.models import FailureMode, ModelVersion, Operation, Site
from maintenance.queries import models as queries
from maintenance.queries import operations
from predictors.errors import ArtefactError


class ReasonForm(forms.Form):
    """Why somebody overrules the gate."""

    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class DayForm(forms.Form):
    """The day that is asked about; whatever makes no sense asks for today."""

    day = forms.DateField(
        label=gettext_lazy("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


@requires(Permission.READ_WORK)
@require_safe
def models(request: SiteRequest) -> HttpResponse:
    site = request.site
    context: dict[str, Any] = {
        "rows": queries.overview(request.user, site) if site else [],
        "may_manage": site is not None and _may_manage(request, site),
        "now": timezone.now(),
    }
    return render(request, "models/list.html", context | _training(request, site))


@requires(Permission.MANAGE_MODELS)
@require_POST
def train(request: SiteRequest) -> HttpResponse:
    """Ask for challengers of every failure mode; the page then shows how far they are."""
    site = request.site
    if site is None or not _may_manage(request, site):
        raise Http404
    asked = tasks.request_training(
        site=site, by=request.user, now=timezone.now(), trigger=Trigger.BUTTON
    )
    if request.htmx:
        return render(request, "operations/operation.html#progress", _progress(asked))
    return redirect("operation", asked.pk)


@requires(Permission.READ_WORK)
@require_safe
def served(request: SiteRequest) -> HttpResponse:
    """What served on a day of the site's calendar."""
    site = request.site
    if site is None:
        return render(request, "models/served.html", {"form": DayForm()})
    zone = ZoneInfo(site.time_zone)
    day = _day(request) or timezone.localdate(timezone=zone)
    start = local_midnight(dt.datetime.combine(day, dt.time(12), zone), zone)
    end = local_midnight(start, zone, days=1)
    context = {
        "form": DayForm(initial={"day": day}),
        "day": start,
        "servings": queries.served_between(request.user, site, start=start, end=end),
    }
    return render(request, "models/served.html", context)


@requires(Permission.READ_WORK)
@require_safe
def failure_mode(request: SiteRequest, pk: int) -> HttpResponse:
    """One failure mode: its versions, and what served when."""
    mode = _mode(request, pk)
    may_manage = _may_manage(request, mode.asset_class.site)
    before = retrain.served_before(mode)
    context = {
        "mode": mode,
        "versions": queries.of_mode(request.user, mode),
        "servings": queries.servings(mode),
        "before": before if may_manage else None,
        "form": ReasonForm(auto_id="roll-back-%s"),
        "may_manage": may_manage,
    }
    return render(request, "models/failure_mode.html", context)


@requires(Permission.MANAGE_MODELS)
@require_POST
def roll_back(request: SiteRequest, pk: int) -> HttpResponse:
    """The version before serves at once."""
    mode = _mode(request, pk)
    if not _may_manage(request, mode.asset_class.site):
        raise Http404
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why: the reason is kept with what served when."))
        return redirect("model", mode.pk)
    try:
        serving = retrain.roll_back(
            failure_mode=mode,
            by=request.user,
            now=timezone.now(),
            reason=form.cleaned_data["reason"],
            to=_expected(request, mode),
        )
    except retrain.NothingBefore:
        messages.error(request, _("No version served before this one."))
    except retrain.AlreadyServes:
        messages.info(request, _("This version serves already."))
    except retrain.ServesAnother:
        messages.error(request, _("What serves has changed meanwhile: look again."))
    except ArtefactError:
        messages.error(request, _("The files of that version are not whole: it cannot serve."))
    else:
        number = serving.model_version.version
        messages.success(request, _("Version %(number)s serves again.") % {"number": number})
    return redirect("model", mode.pk)


@requires(Permission.READ_WORK)
@require_safe
def version(request: SiteRequest, pk: int) -> HttpResponse:
    """One version: its card, how it was judged, what it learnt from and what it made."""
    found = _version(request, pk)
    run = found.training_runs.order_by("pk").first()
    held_out = found.metrics.get("held_out", {})
    judged = run.comparison if run and run.comparison else held_out
    may_manage = _may_manage(request, found.failure_mode.asset_class.site)
    context = {
        "version": found,
        "mode": found.failure_mode,
        "site": found.failure_mode.asset_class.site,
        "run": run,
        "scores": queries.scores(judged),
        "plot": queries.calibration(held_out or judged),
        "features": queries.features(found),
        "servings": found.servings.select_related("by").order_by("-pk"),
        "forecasts": queries.newest_forecasts(found),
        "outcomes": queries.outcomes(found),
        "drift": queries.drift(found),
        "may_promote": may_manage and found.may_serve,
        "form": ReasonForm(auto_id="promote-%s"),
    }
    return render(request, "models/version.html", context)


@requires(Permission.MANAGE_MODELS)
@require_POST
def promote(request: SiteRequest, pk: int) -> HttpResponse:
    """This version serves at once, whatever the gate said."""
    found = _version(request, pk)
    if not _may_manage(request, found.failure_mode.asset_class.site):
        raise Http404
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why: the reason is kept with what served when."))
        return redirect("model_version", found.pk)
    try:
        retrain.promote(
            model_version=found,
            by=request.user,
            now=timezone.now(),
            reason=form.cleaned_data["reason"],
        )
    except retrain.AlreadyServes:
        messages.info(request, _("This version serves already."))
    except ArtefactError:
        messages.error(request, _("The files of that version are not whole: it cannot serve."))
    else:
        messages.success(request, _("Version %(number)s serves.") % {"number": found.version})
    return redirect("model_version", found.pk)


def _training(request: SiteRequest, site: Site | None) -> dict[str, Any]:
    """The training that runs, where there is one."""
    if site is None:
        return {}
    known = Operation.objects.for_user(request.user).of_site(site)
    asked = known.filter(kind=OperationKind.TRAIN).open().first()
    return _progress(asked) if asked else {}


def _progress(asked: Operation) -> dict[str, Any]:
    progress = operations.progress(asked, now=timezone.now())
    return {"progress": progress, "operation": asked, "may_cancel": False}


def _day(request: SiteRequest) -> dt.date | None:
    form = DayForm(request.GET)
    return form.cleaned_data["day"] if form.is_valid() else None


def _mode(request: SiteRequest, pk: int) -> FailureMode:
    return get_object_or_404(queries.modes(request.user), pk=pk)


def _version(request: SiteRequest, pk: int) -> ModelVersion:
    return get_object_or_404(queries.versions(request.user), pk=pk)


def _expected(request: SiteRequest, mode: FailureMode) -> ModelVersion | None:
    """The version that the page named on its button."""
    number = request.POST.get("to", "")
    return get_object_or_404(mode.model_versions, version=number) if number.isdecimal() else None


def _may_manage(request: SiteRequest, site: Site) -> bool:
    return Site.objects.for_user(request.user, Permission.MANAGE_MODELS).contains(site)
