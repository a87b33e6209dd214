"""The technician's phone: own work, start and pause, closing with the finding; and its photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from maintenance.access import SiteRequest, requires, signed_in
from maintenance.choices import Permission, WorkOrderState
from maintenance.flow import execute
from maintenance.models import ReportPhoto, Technician, WorkOrder
from maintenance.queries import my_work as queries
from maintenance.queries import work_reports
from maintenance.queries.reasons import told
from maintenance.web.my_work_forms import CloseForm

PHOTO_HEADERS = {
    "Cache-Control": "private, max-age=86400",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@requires(Permission.EXECUTE)
@require_safe
def my_work(request: SiteRequest) -> HttpResponse:
    """What runs, today, the next days, what was done."""
    now = timezone.now()
    technician = Technician.objects.filter(user=request.user).first()
    context = {
        "technician": technician,
        "shifts": queries.shifts_today(technician, now=now) if technician else [],
        "board": queries.board(request.user, now=now),
        "now": now,
    }
    return render(request, "my_work/list.html", context)


@requires(Permission.EXECUTE)
@require_safe
def work_order(request: SiteRequest, pk: int) -> HttpResponse:
    found, now = _own(request, pk), timezone.now()
    context = {
        "entry": queries.entry(found, user=request.user, now=now),
        "work_order": found,
        "parts": queries.planned_parts(found),
        "reasons": told(found.forecast) if found.forecast else [],
        "report": work_reports.report_of(found),
        "may_close": _may_close(found),
        "now": now,
    }
    return render(request, "my_work/detail.html", context)


@requires(Permission.EXECUTE)
@require_POST
def start(request: SiteRequest, pk: int) -> HttpResponse:
    return _moved(request, _own(request, pk), execute.start)


@requires(Permission.EXECUTE)
@require_POST
def pause(request: SiteRequest, pk: int) -> HttpResponse:
    return _moved(request, _own(request, pk), execute.pause)


@requires(Permission.EXECUTE)
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: SiteRequest, pk: int) -> HttpResponse:
    """Say what was found; who sends it twice is shown what was kept the first time."""
    found, now = _own(request, pk), timezone.now()
    if not _may_close(found):
        _tell_state(request, found)
        return redirect("my_work_order", found.pk)
    posted = (request.POST, request.FILES) if request.method == "POST" else ()
    form = CloseForm(*posted, work_order=found)
    if form.is_bound and form.is_valid():
        try:
            execute.finish(work_order=found, by=request.user, now=now, **form.told())
        except execute.NotAllowed as refusal:
            _tell_state(request, refusal.work_order)
            return redirect("my_work_order", found.pk)
        except execute.Refusal as refusal:
            form.refuse(refusal)
        else:
            closed = _("Work order %(number)s is closed.") % {"number": found.number}
            messages.success(request, closed)
            return redirect("my_work")
    context = {
        "form": form,
        "work_order": found,
        "entry": queries.entry(found, user=request.user, now=now),
        "most_photos": execute.MOST_PHOTOS,
    }
    return render(request, "my_work/close.html", context, status=422 if form.is_bound else 200)


@signed_in
@require_safe
def photo(request: SiteRequest, pk: int) -> HttpResponse:
    """A photo of a report, for those who may see its work order; never run, only looked at."""
    seen = WorkOrder.objects.for_user(request.user)
    found = get_object_or_404(ReportPhoto, pk=pk, report__work_order__in=seen)
    if found.content_type not in execute.PHOTO_TYPES:
        raise Http404
    try:
        with found.file.open("rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise Http404 from error
    name = f"photo-{found.pk}.{execute.PHOTO_TYPES[found.content_type]}"
    shown = {"Content-Disposition": f'inline; filename="{name}"'}
    return HttpResponse(
        content, content_type=found.content_type, headers={**PHOTO_HEADERS, **shown}
    )


def _own(request: SiteRequest, pk: int) -> WorkOrder:
    return get_object_or_404(queries.own(request.user), pk=pk)


def _may_close(found: WorkOrder) -> bool:
    return found.may_become(WorkOrderState.DONE) or found.may_become(WorkOrderState.IN_PROGRESS)


def _moved(request: SiteRequest, found: WorkOrder, verb: Callable[..., Any]) -> HttpResponse:
    try:
        verb(work_order=found, by=request.user, now=timezone.now())
    except execute.NotAllowed as refusal:
        _tell_state(request, refusal.work_order)
    return _back(request, found)


def _back(request: SiteRequest, found: WorkOrder) -> HttpResponseRedirect:
    """To the page that the button was on."""
    if request.POST.get("from") == "work_order":
        return redirect("my_work_order", found.pk)
    return redirect("my_work")


def _tell_state(request: SiteRequest, found: WorkOrder) -> None:
    words = _("Work order %(number)s is %(state)s by now; nothing was changed.")
    state = str(found.get_state_display()).lower()
    messages.warning(request, words % {"number": found.number, "state": state})
