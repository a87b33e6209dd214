"""The fleet: how every asset stands, worst first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from maintenance import tasks
from maintenance.access import SiteRequest, requires, signed_in
from maintenance.choices import OperationKind, Permission
from maintenance.models import FunctionalLocation, Operation, Site, User
from maintenance.queries import fleet as queries
from maintenance.queries import operations, outlook
from maintenance.templatetags.ui import RISK_WORDS
from maintenance.web.csv_download import Cell, csv_download

ROWS_A_PAGE = 50
TABLE = "fleet-table"


class FilterForm(forms.Form):
    """What narrows the list; whatever makes no sense asks for nothing."""

    q = forms.CharField(
        required=False,
        max_length=120,
        label=gettext_lazy("Asset, class or failure mode"),
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    location = forms.ChoiceField(required=False, label=gettext_lazy("Location"))
    risk = forms.ChoiceField(required=False, label=gettext_lazy("Risk"))

    def __init__(self, *args: Any, locations: list[FunctionalLocation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._locations = locations
        places = [(location.code, location.name) for location in locations]
        bands = [(band, words.word) for band, words in RISK_WORDS.items()]
        self._offer("location", [("", _("All locations")), *places])
        self._offer("risk", [("", _("Any risk")), *bands])

    def _offer(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  Declared above.
        field.choices = choices

    def wanted(self) -> queries.Wanted:
        self.is_valid()
        given = self.cleaned_data
        sort = self.data.get("sort", "")
        return queries.Wanted(
            text=given.get("q", ""),
            location=given.get("location", ""),
            band=given.get("risk", ""),
            sort=sort if sort.removeprefix("-") in queries.SORTS else queries.DEFAULT_SORT,
        )


@signed_in
@require_safe
@vary_on_headers("HX-Request")
def fleet(request: SiteRequest) -> HttpResponse:
    """Figures, risk map and table; htmx asks for the table alone."""
    if request.site is None:
        return render(request, "fleet/list.html", {"no_site": True})
    if not Site.objects.for_user(request.user, Permission.READ_ASSETS).exists():
        return redirect("work_orders")
    now = timezone.now()
    whole = queries.fleet(request.user, request.site, now=now)
    form = _filter_form(request, request.site)
    rows = _rows(request, request.site, whole, form)
    context: dict[str, Any] = {
        "now": now,
        "fleet": whole,
        "form": form,
        "sort": form.wanted().sort,
        "narrowed": form.wanted().narrows,
        "table_id": TABLE,
        "page": Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page")),
    }
    if request.htmx:
        return render(request, "fleet/list.html#table", context)
    context["lines"] = queries.risk_map(whole)
    context |= _forecasting(request, request.site)
    if Site.objects.for_user(request.user, Permission.READ_WORK).contains(request.site):
        context |= _outlook(request.user, request.site, now=whole.as_of or now)
    return render(request, "fleet/list.html", context)


@requires(Permission.PLAN)
@require_POST
def forecast_now(request: SiteRequest) -> HttpResponse:
    """Ask for new forecasts and the work they call for; the page then shows how far they are."""
    site = request.site
    if site is None or not Site.objects.for_user(request.user, Permission.PLAN).contains(site):
        raise Http404
    asked = tasks.request_forecast(site=site, by=request.user, now=timezone.now())
    if request.htmx:
        return render(request, "operations/operation.html#progress", _progress(asked))
    return redirect("operation", asked.pk)


@signed_in
@require_safe
def fleet_csv(request: SiteRequest) -> HttpResponse:
    """The table as it is filtered and sorted, all of its rows."""
    rows: list[queries.Row] = []
    if request.site is not None:
        whole = queries.fleet(request.user, request.site, now=timezone.now())
        rows = _rows(request, request.site, whole, _filter_form(request, request.site))
    return csv_download(
        filename=f"fleet-{timezone.localdate():%Y-%m-%d}.csv",
        head=_csv_head(),
        rows=(list(_csv_row(row)) for row in rows),
    )


def _forecasting(request: SiteRequest, site: Site) -> dict[str, Any]:
    """The forecast that is being made, where there is one."""
    forecasts = (
        Operation.objects.for_user(request.user).of_site(site).filter(kind=OperationKind.FORECAST)
    )
    asked = forecasts.open().first()
    return _progress(asked) if asked else {}


def _progress(asked: Operation) -> dict[str, Any]:
    progress = operations.progress(asked, now=timezone.now())
    return {"progress": progress, "operation": asked, "may_cancel": False}


def _filter_form(request: SiteRequest, site: Site) -> FilterForm:
    return FilterForm(request.GET, locations=queries.locations(request.user, site))


def _rows(
    request: SiteRequest, site: Site, whole: queries.Fleet, form: FilterForm
) -> list[queries.Row]:
    wanted = form.wanted()
    places = queries.locations(request.user, site) if wanted.location else []
    return queries.shown(
        whole,
        wanted,
        within=queries.branch(places, wanted.location),
        found=queries.found(request.user, site, wanted.text),
    )


def _outlook(user: User, site: Site, *, now: dt.datetime) -> dict[str, Any]:
    """The figures about work, for those who may see all of it."""
    shortages = outlook.shortages(user, site, now=now)
    deliveries = [s.next_delivery_at for s in shortages if s.next_delivery_at is not None]
    return {
        "proposals": outlook.proposals(user, site, now=now),
        "load": outlook.load(user, site),
        "shortages": shortages,
        "next_delivery_at": min(deliveries, default=None),
    }


def _csv_head() -> list[str]:
    return [
        _("Asset"),
        _("Name"),
        _("Asset class"),
        _("Location"),
        _("Risk"),
        _("Failure risk, 14 days"),
        _("Days left (median)"),
        _("Weakest component"),
        _("Failure mode"),
        _("Evidence"),
        _("Next work order"),
        _("Starts at"),
        _("Risk as of"),
    ]


def _csv_row(row: queries.Row) -> Iterator[Cell]:
    yield row.asset.code
    yield row.asset.name
    yield row.asset.asset_class.name
    yield row.location
    yield str(RISK_WORDS[row.band].word)
    yield None if row.risk is None else round(row.risk, 4)
    yield None if row.median_days is None else round(row.median_days, 1)
    yield row.component
    yield row.weakest.failure_mode.name if row.weakest else ""
    yield row.weakest.grade if row.weakest else ""
    yield row.next_work.work_order.number if row.next_work else None
    yield _local(row.next_work.starts_at) if row.next_work else ""
    yield _local(row.weakest.as_of) if row.weakest else ""


def _local(at: dt.datetime | None) -> str:
    return timezone.localtime(at).isoformat(timespec="minutes") if at else ""
