"""The schedule: the timeline, what waits, and every change a planner makes to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from maintenance import tasks
from maintenance.access import SiteRequest, requires
from maintenance.choices import Permission
from maintenance.flow import schedule as flow
from maintenance.models import Schedule, Site, Technician, WorkOrder
from maintenance.queries import operations as operation_queries
from maintenance.queries import schedule as queries
from maintenance.queries.timeline import By, Timeline, bar, document, loads, technicians
from maintenance.queries.violations import sentences
from maintenance.web.asked import whole
from maintenance.web.csv_download import Cell, csv_download
from maintenance.web.schedule_page import around, page, publish_dialog, work_order_panel
from maintenance.web.schedule_requests import BadBody, Change, Pinning, Placing, read_revision

PARTS = {
    "around": around,
    "publish": publish_dialog,
    "work_order": work_order_panel,
}


@requires(Permission.READ_WORK)
@require_safe
@never_cache
def schedule(request: SiteRequest) -> HttpResponse:
    """The draft, what is published, or the one asked for; htmx asks for parts of the page."""
    if request.site is None:
        return render(request, "schedule/page.html", {"no_site": True})
    asked = request.GET.get("schedule", "")
    number = whole(asked)
    if asked and number is None:
        raise Http404
    found = queries.chosen(request.user, request.site, number=number)
    if asked and found is None:
        raise Http404
    part = PARTS.get(request.GET.get("part", "")) if request.htmx else None
    if part is not None and found is not None:
        return part(request, found)
    return page(request, found)


@requires(Permission.READ_WORK)
@require_safe
@never_cache
def events(request: SiteRequest, pk: int) -> HttpResponse:
    """Rows, bars and grey spans of the days in view."""
    found = get_object_or_404(Schedule.objects.for_user(request.user), pk=pk)
    return JsonResponse(document(_timeline(request, found)))


@requires(Permission.PLAN)
@require_POST
def optimise(request: SiteRequest) -> HttpResponse:
    """Ask for a new draft; the page then shows how far it is."""
    site = request.site
    if site is None or not Site.objects.for_user(request.user, Permission.PLAN).contains(site):
        raise Http404
    operation = tasks.request_schedule(site=site, by=request.user, now=timezone.now())
    if request.htmx:
        progress = operation_queries.progress(operation, now=timezone.now())
        context = {"progress": progress, "operation": operation, "may_cancel": operation.is_open}
        return render(request, "operations/operation.html#progress", context)
    return redirect("schedule")


@requires(Permission.PLAN)
@require_POST
def move(request: SiteRequest, pk: int) -> HttpResponse:
    """409 with every broken rule, 412 when somebody else was first."""
    draft = _of_planner(request, pk)
    try:
        asked = Placing.read_in(ZoneInfo(draft.site.time_zone), request.body)
    except BadBody as error:
        return _bad_body(error)
    work_order = _work_order(request, asked)
    named = Technician.objects.filter(site=draft.site, pk__in=asked.technicians)
    crew = queries.fill_crew(
        work_order,
        sorted(named, key=lambda technician: asked.technicians.index(technician.pk)),
        schedule=draft,
        start=asked.start_at,
    )
    return _answer(
        request,
        draft,
        work_order,
        lambda: flow.move(
            schedule=draft,
            work_order=work_order,
            start_at=asked.start_at,
            technicians=crew,
            revision=asked.revision,
            anyway=asked.anyway,
            by=request.user,
            now=timezone.now(),
        ),
    )


@requires(Permission.PLAN)
@require_POST
def pin(request: SiteRequest, pk: int) -> HttpResponse:
    draft = _of_planner(request, pk)
    try:
        asked = Pinning.read(request.body)
    except BadBody as error:
        return _bad_body(error)
    work_order = _work_order(request, asked)
    return _answer(
        request,
        draft,
        work_order,
        lambda: flow.pin(
            schedule=draft,
            work_order=work_order,
            pinned=asked.pinned,
            revision=asked.revision,
            by=request.user,
            now=timezone.now(),
        ),
    )


@requires(Permission.PLAN)
@require_POST
def remove(request: SiteRequest, pk: int) -> HttpResponse:
    """Back to what waits."""
    draft = _of_planner(request, pk)
    try:
        asked = Change.read(request.body)
    except BadBody as error:
        return _bad_body(error)
    work_order = _work_order(request, asked)
    return _answer(
        request,
        draft,
        work_order,
        lambda: flow.remove(
            schedule=draft,
            work_order=work_order,
            revision=asked.revision,
            by=request.user,
            now=timezone.now(),
        ),
    )


@requires(Permission.PLAN)
@require_POST
def undo(request: SiteRequest, pk: int) -> HttpResponse:
    draft = _of_planner(request, pk)
    try:
        revision = read_revision(request.body)
    except BadBody as error:
        return _bad_body(error)
    return _answer(
        request,
        draft,
        None,
        lambda: flow.undo(schedule=draft, revision=revision, by=request.user, now=timezone.now()),
    )


@requires(Permission.PLAN)
@require_POST
def edit(request: SiteRequest, pk: int) -> HttpResponse:
    """A draft that starts as a copy of what is published."""
    found = _of_planner(request, pk)
    flow.start_draft(schedule=found, by=request.user, now=timezone.now())
    return redirect("schedule")


@requires(Permission.PLAN)
@require_POST
def publish(request: SiteRequest, pk: int) -> HttpResponse:
    """A dialog asks first; what it showed is what is published, or nothing."""
    draft = _of_planner(request, pk)
    try:
        flow.publish(
            schedule=draft,
            revision=whole(request.POST.get("revision", "")) or 0,
            anyway=request.POST.get("anyway") == "yes",
            by=request.user,
            now=timezone.now(),
        )
    except flow.Refused as refusal:
        broken = sentences(refusal.violations, schedule=draft)
        return publish_dialog(request, draft, broken=broken, status=422)
    except flow.Outdated:
        draft.refresh_from_db()
        return publish_dialog(request, draft, outdated=True, status=422)
    except flow.NotADraft:
        messages.warning(request, _("It was published or replaced in the meantime."))
        return _gone_to(request, reverse("schedule"))
    messages.success(request, _("Schedule %(number)s is published.") % {"number": draft.number})
    return _gone_to(request, f"{reverse('schedule')}?schedule={draft.number}")


@requires(Permission.READ_WORK)
@require_safe
def schedule_csv(request: SiteRequest, pk: int) -> HttpResponse:
    readable = Schedule.objects.for_user(request.user).select_related("site")
    found = get_object_or_404(readable, pk=pk)
    timezone.activate(ZoneInfo(found.site.time_zone))
    return csv_download(
        filename=f"schedule-{found.number}.csv",
        head=[
            _("Work order"),
            _("Title"),
            _("Asset"),
            _("Starts at"),
            _("Ends at"),
            _("Technicians"),
            _("Pinned"),
            _("Why it is left out"),
        ],
        rows=_csv_rows(found),
    )


def _csv_rows(found: Schedule) -> Iterator[list[Cell]]:
    for line in queries.placed(found).order_by("starts_at", "work_order__number"):
        work_order = line.work_order
        people = ", ".join(technician.name for technician in line.technicians.all())
        yield [
            work_order.number,
            work_order.title,
            work_order.asset.code,
            timezone.localtime(line.starts_at).isoformat(timespec="minutes"),
            timezone.localtime(line.ends_at).isoformat(timespec="minutes"),
            people,
            _("yes") if line.pinned else "",
            "",
        ]
    for card in queries.waiting(found):
        why = " ".join([str(card.why.label), *card.why.obstacles])
        work_order = card.work_order
        yield [
            work_order.number,
            work_order.title,
            work_order.asset.code,
            "",
            "",
            "",
            "",
            why,
        ]


def _answer(
    request: SiteRequest,
    draft: Schedule,
    work_order: WorkOrder | None,
    change: Callable[[], Schedule],
) -> JsonResponse:
    """Do it, and say where things stand; or say in words why it was not done."""
    try:
        changed = change()
    except flow.Refused as refusal:
        moved = str(work_order.pk) if work_order else ""
        told = sentences(refusal.violations, schedule=draft, about=moved)
        return JsonResponse({"title": _title(work_order), "broken": told}, status=409)
    except flow.Outdated:
        words = _("Another planner changed this schedule a moment ago. It was loaded again.")
        return JsonResponse({"message": words, "reload": True}, status=412)
    except flow.NotADraft:
        words = _("This schedule is not a draft any more, or no longer holds that work.")
        return JsonResponse({"message": words, "reload": True}, status=409)
    return JsonResponse(_standing(request, changed, work_order))


def _standing(
    request: SiteRequest, changed: Schedule, work_order: WorkOrder | None
) -> dict[str, Any]:
    timeline = _timeline(request, changed)
    people = technicians(changed)
    place = None
    if work_order is not None:
        place = queries.placed(changed).filter(work_order=work_order).first()
    return {
        "revision": changed.revision,
        "event": bar(place, timeline) if place else None,
        "loads": {str(k): v for k, v in loads(changed, people, timeline.assignments).items()},
        "undo": queries.may_undo(changed),
    }


def _title(work_order: WorkOrder | None) -> str:
    if work_order is None:
        return ""
    return f"{work_order.number} · {work_order.title} · {work_order.asset.code}"


def _timeline(request: SiteRequest, found: Schedule) -> Timeline:
    """The days in view (`start`, `end` as local dates), at most those of the schedule."""
    zone = ZoneInfo(found.site.time_zone)
    by = request.GET.get("by", "")
    start = _midnight(request.GET.get("start", ""), zone) or found.starts_at
    end = _midnight(request.GET.get("end", ""), zone) or found.ends_at
    start = min(max(start, found.starts_at), found.ends_at)
    return Timeline(
        schedule=found,
        by=By(by) if by in list(By) else By.TECHNICIAN,
        start=start,
        end=max(start, min(end, found.ends_at)),
    )


def _midnight(date: str, zone: ZoneInfo) -> dt.datetime | None:
    try:
        day = dt.date.fromisoformat(date)
    except ValueError:
        return None
    return dt.datetime.combine(day, dt.time(), tzinfo=zone)


def _of_planner(request: SiteRequest, pk: int) -> Schedule:
    planned = Schedule.objects.for_user(request.user, Permission.PLAN)
    return get_object_or_404(planned.select_related("site"), pk=pk)


def _work_order(request: SiteRequest, asked: Change) -> WorkOrder:
    planned = WorkOrder.objects.for_user(request.user, Permission.PLAN)
    rows = planned.select_related("site", "asset", "job_plan")
    return get_object_or_404(rows, pk=asked.work_order)


def _bad_body(error: BadBody) -> JsonResponse:
    return JsonResponse({"message": str(error)}, status=422)


def _gone_to(request: SiteRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
