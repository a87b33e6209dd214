"""Work orders: the list to decide on, one work order, and asking for work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from maintenance.access import SiteRequest, requires, signed_in
from maintenance.choices import Permission, WorkOrderState
from maintenance.flow import advise, execute
from maintenance.models import Site, WorkOrder, WorkReport
from maintenance.models.work import WorkOrderQuerySet
from maintenance.queries import work_orders as queries
from maintenance.queries import work_reports
from maintenance.queries.reasons import told
from maintenance.queries.words import risk_band
from maintenance.queries.work_order_history import work_order_history
from maintenance.web.asked import back, whole
from maintenance.web.csv_download import Cell, csv_download
from maintenance.web.work_order_forms import (
    CancelForm,
    DismissForm,
    FilterForm,
    NewWorkOrderForm,
    classes_of,
)

ROWS_A_PAGE = 50
TABLE = "work-orders"


@signed_in
@require_safe
def work_orders(request: SiteRequest) -> HttpResponse:
    """Ranked by money, a tab a state; htmx asks for the table alone."""
    if request.site is None:
        return render(request, "work_orders/list.html", {"no_site": True})
    form = _filter_form(request, request.site)
    wanted = form.wanted()
    mine = _of_site(request, request.site)
    rows = queries.listed(mine, wanted)
    page = Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    context = {
        "form": form,
        "wanted": wanted,
        "sort": wanted.sort,
        "table_id": TABLE,
        "tabs": _tabs(queries.counts_by_state(queries.matching(mine, wanted)), wanted.state),
        "page": page,
        "rows": [queries.row(each, now=now) for each in page],
        "totals": queries.totals(rows),
        "filtered": any([wanted.text, wanted.type, wanted.priority, wanted.asset_class]),
        "dismiss_form": DismissForm(auto_id="decide_%s"),
    }
    part = "#table" if request.htmx and not request.htmx.boosted else ""
    return render(request, f"work_orders/list.html{part}", context)


@signed_in
@require_safe
def work_orders_csv(request: SiteRequest) -> HttpResponse:
    """The tab as it is filtered and sorted, all of its rows."""
    rows: Iterable[WorkOrder] = []
    if request.site is not None:
        wanted = _filter_form(request, request.site).wanted()
        rows = queries.listed(_of_site(request, request.site), wanted)
    return csv_download(
        filename=f"work-orders-{timezone.localdate():%Y-%m-%d}.csv",
        head=_csv_head(),
        rows=(list(_csv_row(work_order)) for work_order in rows),
    )


@signed_in
@require_safe
def work_order(request: SiteRequest, pk: int) -> HttpResponse:
    mine = queries.shown(WorkOrder.objects.for_user(request.user))
    found = get_object_or_404(mine, pk=pk)
    timezone.activate(ZoneInfo(found.site.time_zone))
    now = timezone.now()
    forecast = found.forecast
    context = {
        "work_order": found,
        "band": risk_band(forecast.risk_14_days if forecast else None),
        "reasons": told(forecast) if forecast else [],
        "parts": queries.parts_needed(found.job_plan, now=now),
        "standings": queries.standings(found),
        "history": work_order_history(found),
        "report": work_reports.report_of(found),
        "spells": work_reports.spells_of(found),
        "may": _may(found) if _may_plan(request, found.site) else {},
        "dismiss_form": DismissForm(auto_id="dismiss_%s"),
        "cancel_form": CancelForm(auto_id="cancel_%s"),
        "now": now,
    }
    return render(request, "work_orders/detail.html", context)


@requires(Permission.ASK_FOR_WORK)
def new(request: SiteRequest) -> HttpResponse:
    """Asking for work; htmx asks again for the job plans when the asset is chosen."""
    site = request.site
    if site is None or not Site.objects.for_user(request.user, Permission.ASK_FOR_WORK).contains(
        site
    ):
        raise PermissionDenied
    now = timezone.now()
    form = NewWorkOrderForm(
        request.POST if request.method == "POST" else None,
        user=request.user,
        site=site,
        now=now,
        initial={"asset": request.GET.get("asset")},
    )
    if request.htmx:
        return render(request, "work_orders/new.html#job_plan", {"form": form})
    if request.method == "POST" and form.is_valid():
        asked = advise.ask_for_work(site=site, by=request.user, now=now, **_asked(form))
        messages.success(request, _("Work order %(number)s was proposed.") % _numbered(asked))
        return redirect("work_order", asked.pk)
    status = 422 if form.is_bound else 200
    return render(request, "work_orders/new.html", {"form": form}, status=status)


@requires(Permission.PLAN)
@require_POST
def accept(request: SiteRequest, pk: int) -> HttpResponse:
    found = _to_decide(request, pk)
    try:
        advise.accept(work_order=found, by=request.user, now=timezone.now())
    except advise.NotAllowed as refusal:
        return _refused(request, refusal)
    messages.success(request, _("Work order %(number)s was accepted.") % _numbered(found))
    return back(request, "work_order", found.pk)


@requires(Permission.PLAN)
@require_POST
def dismiss(request: SiteRequest, pk: int) -> HttpResponse:
    found = _to_decide(request, pk)
    form = DismissForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a reason for the dismissal."))
        return back(request, "work_order", found.pk)
    try:
        advise.dismiss(work_order=found, by=request.user, now=timezone.now(), **form.cleaned_data)
    except advise.NotAllowed as refusal:
        return _refused(request, refusal)
    messages.success(request, _("Work order %(number)s was dismissed.") % _numbered(found))
    return back(request, "work_order", found.pk)


@requires(Permission.PLAN)
@require_POST
def cancel(request: SiteRequest, pk: int) -> HttpResponse:
    """Work that was decided, perhaps begun, and will not be done."""
    found = _to_decide(request, pk)
    form = CancelForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why it will not be done."))
        return back(request, "work_order", found.pk)
    note = form.cleaned_data["note"]
    try:
        execute.cancel(work_order=found, note=note, by=request.user, now=timezone.now())
    except execute.NotAllowed as refusal:
        return _refused(request, refusal)
    messages.success(request, _("Work order %(number)s was cancelled.") % _numbered(found))
    return back(request, "work_order", found.pk)


@requires(Permission.PLAN)
@require_POST
def reopen(request: SiteRequest, pk: int) -> HttpResponse:
    found = _to_decide(request, pk)
    try:
        advise.reopen(work_order=found, by=request.user, now=timezone.now())
    except advise.NotAllowed as refusal:
        return _refused(request, refusal)
    messages.success(request, _("Work order %(number)s is proposed again.") % _numbered(found))
    return back(request, "work_order", found.pk)


@requires(Permission.PLAN)
@require_POST
def decide(request: SiteRequest) -> HttpResponse:
    """Accept or dismiss all the rows that were ticked; those that cannot be are named."""
    chosen = [pk for pk in map(whole, request.POST.getlist("chosen")) if pk is not None]
    plannable = WorkOrder.objects.for_user(request.user, Permission.PLAN)
    found = list(plannable.filter(pk__in=chosen).order_by("number"))
    if not found:
        messages.warning(request, _("No work order was chosen."))
    elif request.POST.get("decision") == "accept":
        _tell(request, *_each(found, advise.accept, request), dismissed=False)
    else:
        form = DismissForm(request.POST)
        if form.is_valid():
            done, refused = _each(found, advise.dismiss, request, **form.cleaned_data)
            _tell(request, done, refused, dismissed=True)
        else:
            messages.error(request, _("Choose a reason for the dismissal."))
    return back(request, "work_orders")


def _each(
    found: list[WorkOrder], verb: Any, request: SiteRequest, **details: Any
) -> tuple[list[WorkOrder], list[WorkOrder]]:
    """The work orders that were decided, and those whose state does not allow it."""
    done, refused = [], []
    for each in found:
        try:
            verb(work_order=each, by=request.user, now=timezone.now(), **details)
            done.append(each)
        except advise.NotAllowed:
            refused.append(each)
    return done, refused


def _tell(
    request: SiteRequest, done: list[WorkOrder], refused: list[WorkOrder], *, dismissed: bool
) -> None:
    count = len(done)
    if done and dismissed:
        words = ngettext(
            "%(n)s work order was dismissed.", "%(n)s work orders were dismissed.", count
        )
        messages.success(request, words % {"n": count})
    elif done:
        words = ngettext(
            "%(n)s work order was accepted.", "%(n)s work orders were accepted.", count
        )
        messages.success(request, words % {"n": count})
    if refused:
        numbers = ", ".join(str(each.number) for each in refused)
        messages.warning(request, _("Left as they were: %(numbers)s.") % {"numbers": numbers})


def _refused(request: SiteRequest, refusal: advise.NotAllowed | execute.NotAllowed) -> HttpResponse:
    work_order = refusal.work_order
    words = _("Work order %(number)s is %(state)s by now; nothing was changed.")
    if work_order.may_become(refusal.state):
        words = _("The same work is open in another work order; %(number)s stays %(state)s.")
    state = str(work_order.get_state_display()).lower()
    messages.error(request, words % {**_numbered(work_order), "state": state})
    return back(request, "work_order", work_order.pk)


def _to_decide(request: SiteRequest, pk: int) -> WorkOrder:
    return get_object_or_404(WorkOrder.objects.for_user(request.user, Permission.PLAN), pk=pk)


def _may(found: WorkOrder) -> dict[str, bool]:
    """What a planner may do with it as it stands."""
    verbs = {
        "accept": WorkOrderState.ACCEPTED,
        "dismiss": WorkOrderState.DISMISSED,
        "cancel": WorkOrderState.CANCELLED,
        "reopen": WorkOrderState.PROPOSED,
    }
    allowed = {verb: found.may_become(state) for verb, state in verbs.items()}
    # Scheduled work waits again by the schedule, not by a button.
    return allowed | {"accept": found.state == WorkOrderState.PROPOSED}


def _may_plan(request: SiteRequest, site: Site) -> bool:
    return Site.objects.for_user(request.user, Permission.PLAN).contains(site)


def _numbered(work_order: WorkOrder) -> dict[str, int]:
    return {"number": work_order.number}


def _asked(form: NewWorkOrderForm) -> dict[str, Any]:
    given = dict(form.cleaned_data)
    title = given.pop("title") or given["job_plan"].name
    kind = given.pop("type")
    return {**given, "kind": kind, "title": title}


def _of_site(request: SiteRequest, site: Site) -> WorkOrderQuerySet:
    return WorkOrder.objects.for_user(request.user).of_site(site)


def _filter_form(request: SiteRequest, site: Site) -> FilterForm:
    """Who does the work begins with what is theirs to do; others with what is to decide."""
    does = Site.objects.for_user(request.user, Permission.EXECUTE).contains(site)
    sees = Site.objects.for_user(request.user, Permission.READ_WORK).contains(site)
    first = WorkOrderState.SCHEDULED if does and not sees else WorkOrderState.PROPOSED
    return FilterForm(request.GET, asset_classes=classes_of(site, request.user), first=first)


def _tabs(counts: dict[str, int], chosen: str) -> list[dict[str, Any]]:
    return [
        {"state": state, "count": counts[state], "current": state == chosen}
        for state in queries.TABS
    ]


def _csv_head() -> list[str]:
    return [
        _("Number"),
        _("Title"),
        _("Asset"),
        _("Asset class"),
        _("Failure mode"),
        _("Type"),
        _("State"),
        _("Priority"),
        _("Failure risk, 14 days"),
        _("Saved by doing it in time"),
        _("Cost of waiting a week"),
        _("Currency"),
        _("Best time"),
        _("Done by"),
        _("Starts at"),
        _("Technicians"),
        _("Reason"),
        _("As found"),
        _("Renewed"),
        _("Minutes worked"),
        _("Finished"),
    ]


def _csv_row(work_order: WorkOrder) -> Iterator[Cell]:
    place = queries.published_place(work_order)
    yield work_order.number
    yield work_order.title
    yield work_order.asset.code
    yield work_order.asset.asset_class.name
    yield work_order.failure_mode.name if work_order.failure_mode else ""
    yield str(work_order.get_type_display())
    yield str(work_order.get_state_display())
    yield str(work_order.get_priority_display())
    yield round(work_order.forecast.risk_14_days, 4) if work_order.forecast else None
    yield None if work_order.saving is None else float(work_order.saving)
    waiting = work_order.cost_of_waiting_week
    yield None if waiting is None else float(waiting)
    yield work_order.site.currency
    yield _local(work_order.best_at)
    yield _local(work_order.latest_at)
    yield _local(place.starts_at) if place else ""
    yield ", ".join(t.name for t in place.technicians.all()) if place else ""
    yield str(work_order.get_dismiss_reason_display()) if work_order.dismiss_reason else ""
    report: WorkReport | None = getattr(work_order, "report", None)
    yield str(report.get_as_found_display()) if report else ""
    yield (_("yes") if report.renewed else _("no")) if report else ""
    yield report.worked_minutes if report else None
    yield _local(report.finished_at) if report else ""


def _local(at: Any) -> str:
    return timezone.localtime(at).isoformat(timespec="minutes") if at else ""
