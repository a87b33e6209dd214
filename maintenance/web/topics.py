"""Topics of MQTT that belong to nothing yet, how topics are read, and dead letters."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from maintenance.access import SiteRequest, requires
from maintenance.choices import Permission
from maintenance.flow import ingest
from maintenance.models import (
    Asset,
    DeadLetter,
    Listener,
    Site,
    TopicPoint,
    TopicTemplate,
    UnknownTopic,
)
from maintenance.queries import topics as queries
from maintenance.templatetags.ui import number

ROWS_A_PAGE = 25
MOST_ASSETS_OFFERED = 500


class PointForm(forms.Form):
    asset = forms.CharField(max_length=60, label=gettext_lazy("Asset"))
    point = forms.CharField(max_length=ingest.LONGEST_CODE, label=gettext_lazy("Measurement point"))
    unit = forms.CharField(
        max_length=ingest.LONGEST_UNIT, required=False, label=gettext_lazy("Unit")
    )


class TemplateForm(forms.Form):
    template = forms.CharField(
        max_length=ingest.LONGEST_TOPIC,
        label=gettext_lazy("Topic template"),
        help_text=gettext_lazy("plant/{asset}/{point}, or plant/{asset} where values have names"),
    )


class TopicForm(forms.Form):
    topic = forms.CharField(max_length=ingest.LONGEST_TOPIC, strip=False)


@requires(Permission.READ_ASSETS)
@require_safe
def topics(request: SiteRequest) -> HttpResponse:
    site = _site(request)
    unknown = queries.unknown(UnknownTopic.objects.for_user(request.user).of_site(site))
    page = Paginator(unknown, ROWS_A_PAGE).get_page(request.GET.get("page"))
    guesses = ingest.guesses(site, [(row.topic, row.name) for row in page])
    letters = DeadLetter.objects.for_user(request.user).of_site(site).filter(taken_at=None)
    waiting = Paginator(queries.waiting_topics(letters), ROWS_A_PAGE)
    letter_page = waiting.get_page(request.GET.get("letters"))
    may_import = _may_import(request, site)
    context: dict[str, Any] = {
        "now": timezone.now(),
        "page": page,
        "rows": [(row, *guesses[row.topic, row.name]) for row in page],
        "further": ingest.FURTHER_TOPICS,
        "letter_page": letter_page,
        "waiting": queries.waiting(letters, list(letter_page)),
        "templates": TopicTemplate.objects.for_user(request.user).of_site(site),
        "said": TopicPoint.objects.for_user(request.user).of_site(site).count(),
        "listeners": Listener.objects.for_user(request.user).of_site(site),
        "assets": _assets(request, site) if may_import else [],
        "template_form": TemplateForm(),
        "may_import": may_import,
    }
    return render(request, "data/topics.html", context)


@requires(Permission.IMPORT_DATA)
@require_POST
def create_point(request: SiteRequest, pk: int) -> HttpResponse:
    rows = UnknownTopic.objects.for_user(request.user, Permission.IMPORT_DATA)
    unknown = get_object_or_404(rows.select_related("site"), pk=pk)
    form = PointForm(request.POST)
    if not form.is_valid():
        return _told_wrong(request, form)
    given = form.cleaned_data
    try:
        point, taken = ingest.create_point(
            unknown=unknown,
            asset_code=given["asset"],
            point_code=given["point"],
            unit=given["unit"],
            by=request.user,
            now=timezone.now(),
        )
    except ingest.Refused as refusal:
        messages.error(request, refusal.reason)
        return redirect("data_topics")
    messages.success(request, _("%(point)s has its topic.") % {"point": point})
    return _told_taken(request, taken)


@requires(Permission.IMPORT_DATA)
@require_POST
def add_template(request: SiteRequest) -> HttpResponse:
    site, form = _site_to_import(request), TemplateForm(request.POST)
    if not form.is_valid():
        return _told_wrong(request, form)
    template = form.cleaned_data["template"]
    try:
        taken = ingest.add_template(
            site=site, template=template, by=request.user, now=timezone.now()
        )
    except ingest.Refused as refusal:
        messages.error(request, f"{template}: {refusal.reason}")
        return redirect("data_topics")
    messages.success(request, _("Topics are read by %(template)s.") % {"template": template})
    return _told_taken(request, taken)


@requires(Permission.IMPORT_DATA)
@require_POST
def remove_template(request: SiteRequest, pk: int) -> HttpResponse:
    rows = TopicTemplate.objects.for_user(request.user, Permission.IMPORT_DATA)
    template = get_object_or_404(rows.select_related("site"), pk=pk)
    ingest.remove_template(template=template, by=request.user, now=timezone.now())
    messages.success(request, _("The template is gone; what was stored stays."))
    return redirect("data_topics")


@requires(Permission.IMPORT_DATA)
@require_POST
def take_again(request: SiteRequest) -> HttpResponse:
    """Of one topic or, when none is named, of all."""
    site, form = _site_to_import(request), TopicForm(request.POST)
    named = [form.cleaned_data["topic"]] if form.is_valid() else None
    taken = ingest.take_again(site=site, topics=named, by=request.user, now=timezone.now())
    if not taken.received:
        messages.info(request, _("No dead letter waits."))
    return _told_taken(request, taken)


@requires(Permission.IMPORT_DATA)
@require_POST
def discard(request: SiteRequest) -> HttpResponse:
    site, form = _site_to_import(request), TopicForm(request.POST)
    if not form.is_valid():
        return _told_wrong(request, form)
    count = ingest.discard(
        site=site, topic=form.cleaned_data["topic"], by=request.user, now=timezone.now()
    )
    words = ngettext("%(count)s dead letter deleted.", "%(count)s dead letters deleted.", count)
    messages.success(request, words % {"count": number(count)})
    return redirect("data_topics")


def _site(request: SiteRequest) -> Site:
    if request.site is None:
        raise PermissionDenied
    return request.site


def _site_to_import(request: SiteRequest) -> Site:
    site = _site(request)
    if not _may_import(request, site):
        raise PermissionDenied
    return site


def _may_import(request: SiteRequest, site: Site) -> bool:
    return Site.objects.for_user(request.user, Permission.IMPORT_DATA).contains(site)


def _assets(request: SiteRequest, site: Site) -> list[str]:
    assets = Asset.objects.for_user(request.user).of_site(site).order_by("code")
    return list(assets.values_list("code", flat=True)[:MOST_ASSETS_OFFERED])


def _told_wrong(request: SiteRequest, form: forms.Form) -> HttpResponse:
    for name, errors in form.errors.items():
        label = form.fields[name].label or name
        messages.error(request, f"{label}: {' '.join(map(str, errors))}")
    return redirect("data_topics")


def _told_taken(request: SiteRequest, taken: ingest.Taken) -> HttpResponse:
    stored = taken.new + taken.duplicate
    if stored:
        words = ngettext(
            "%(count)s reading taken that had waited.",
            "%(count)s readings taken that had waited.",
            stored,
        )
        messages.success(request, words % {"count": number(stored)})
    if taken.dead_lettered:
        words = ngettext(
            "%(count)s reading cannot be taken yet.",
            "%(count)s readings cannot be taken yet.",
            taken.dead_lettered,
        )
        messages.warning(request, words % {"count": number(taken.dead_lettered)})
    return redirect("data_topics")
