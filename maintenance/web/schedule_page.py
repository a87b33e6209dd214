"""The schedule's page and the parts of it that htmx asks for again."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from maintenance.access import SiteRequest
from maintenance.choices import Permission, ScheduleState
from maintenance.models import Assignment, LeftOut, Schedule, Site, WorkOrder
from maintenance.queries import operations as operation_queries
from maintenance.queries import schedule as queries
from maintenance.queries.places import BestPlace, best_places
from maintenance.queries.timeline import visible_hours, wall_clock, works_on_weekends
from maintenance.queries.words import left_out_words, technician_names
from maintenance.queries.work_orders import parts_needed
from maintenance.web.asked import whole

TEMPLATE = "schedule/page.html"


def page(request: SiteRequest, schedule: Schedule | None) -> HttpResponse:
    assert request.site is not None  # noqa: S101  The view asked.
    site = request.site
    context: dict[str, Any] = {
        "schedule": schedule,
        "may_plan": may_plan(request, site),
        "progress": _progress(site),
    }
    if schedule is not None:
        context |= _of_schedule(request, schedule)
        context |= {
            "weekends": works_on_weekends(schedule),
            "settings": _settings(request, schedule),
            "words": _words(),
            "others": _others(request, schedule),
            "keyboard_help_rows": "schedule/keys.html",
        }
    return render(request, TEMPLATE, context)


def around(request: SiteRequest, schedule: Schedule) -> HttpResponse:
    """What stands around the timeline, after a change."""
    return render(request, f"{TEMPLATE}#around", _of_schedule(request, schedule))


def publish_dialog(
    request: SiteRequest,
    schedule: Schedule,
    *,
    broken: list[str] | None = None,
    outdated: bool = False,
    status: int = 200,
) -> HttpResponse:
    """What people will notice when this draft is published."""
    published = Schedule.objects.filter(site=schedule.site).published().first()
    context = {
        "schedule": schedule,
        "summary": queries.summary(schedule),
        "published": published,
        "changes": queries.changes(schedule, published),
        "broken": broken or [],
        "outdated": outdated,
    }
    return render(request, "schedule/publish.html", context, status=status)


def work_order_panel(request: SiteRequest, schedule: Schedule) -> HttpResponse:
    """One work order beside the timeline, with the form that moves it without dragging."""
    number = whole(request.GET.get("work_order", ""))
    visible = WorkOrder.objects.for_user(request.user).of_site(schedule.site)
    rows = visible.select_related("site", "asset__asset_class", "asset__location", "forecast")
    found = get_object_or_404(rows.select_related("failure_mode", "job_plan"), pk=number)
    place = schedule.assignments.filter(work_order=found).first()
    crew = list(place.technicians.all()) if place else []
    left_out = schedule.left_out.filter(work_order=found).select_related("schedule").first()
    now = timezone.now()
    editable = _editable(request, schedule)
    places = best_places(schedule, found) if editable else []
    context = {
        "schedule": schedule,
        "work_order": found,
        "place": place,
        "why": _why(left_out),
        "band": queries.bar_band(found),
        "parts": parts_needed(found.job_plan, now=now),
        "seats": queries.seats(found, crew, schedule=schedule),
        "places": places,
        "start": _start(schedule, place, places),
        "editable": editable,
    }
    return render(request, "schedule/work_order.html", context)


def may_plan(request: SiteRequest, site: Site) -> bool:
    return Site.objects.for_user(request.user, Permission.PLAN).contains(site)


def _editable(request: SiteRequest, schedule: Schedule) -> bool:
    return schedule.state == ScheduleState.DRAFT and may_plan(request, schedule.site)


def _of_schedule(request: SiteRequest, schedule: Schedule) -> dict[str, Any]:
    return {
        "schedule": schedule,
        "summary": queries.summary(schedule),
        "waiting": queries.waiting(schedule),
        "agenda": queries.agenda(schedule),
        "may_undo": queries.may_undo(schedule),
        "editable": _editable(request, schedule),
    }


def _progress(site: Site) -> operation_queries.Progress | None:
    operation = operation_queries.open_schedule_operation(site)
    if operation is None:
        return None
    return operation_queries.progress(operation, now=timezone.now())


def _others(request: SiteRequest, schedule: Schedule) -> list[Schedule]:
    """The draft and the published schedule, whichever is not shown."""
    of_site = Schedule.objects.for_user(request.user).of_site(schedule.site).defer("problem")
    states = [ScheduleState.DRAFT, ScheduleState.PUBLISHED]
    return list(of_site.filter(state__in=states).exclude(pk=schedule.pk))


def _why(left_out: LeftOut | None) -> Any:
    if left_out is None:
        return None
    return left_out_words(left_out, names=technician_names(left_out.schedule.site))


def _start(schedule: Schedule, place: Assignment | None, places: list[BestPlace]) -> str:
    """What the form offers: where it stands, else the best free place, else the next morning."""
    zone = ZoneInfo(schedule.site.time_zone)
    if place is not None:
        return wall_clock(place.starts_at, zone)
    if places:
        return places[0].clock
    first_hour, _last = visible_hours(schedule)
    day = max(schedule.starts_at, timezone.now()).astimezone(zone) + dt.timedelta(days=1)
    return wall_clock(day.replace(hour=first_hour, minute=0), zone)


def _settings(request: SiteRequest, schedule: Schedule) -> dict[str, Any]:
    """What the page's script has to know; addresses that hold a number carry a 0 for it."""
    first, last = visible_hours(schedule)
    zone = ZoneInfo(schedule.site.time_zone)
    start, end = schedule.starts_at.astimezone(zone), schedule.ends_at.astimezone(zone)
    today = timezone.now().astimezone(zone)
    here = f"{reverse('schedule')}?schedule={schedule.number}"
    names = ("events", "move", "pin", "remove", "undo")
    return {
        "urls": {name: reverse(f"schedule_{name}", args=[schedule.pk]) for name in names}
        | {"part": here, "schedule": reverse("schedule")},
        "revision": schedule.revision,
        "editable": _editable(request, schedule),
        "start": start.date().isoformat(),
        "end": end.date().isoformat(),
        "today": today.date().isoformat(),
        "utcOffset": f"{today:%z}"[:3] + ":" + f"{today:%z}"[3:5],
        "days": (end.date() - start.date()).days,
        "firstHour": first,
        "lastHour": last,
        "workOrder": request.GET.get("work_order", ""),
    }


def _words() -> dict[str, str]:
    """The sentences of the page's script."""
    return {
        "notMoved": _("Not moved:"),
        "anyway": _("Move anyway and pin"),
        "close": _("Close"),
        "undo": _("Undo"),
        "undone": _("Taken back"),
        "moved": _("{title} moved to {at}"),
        "removed": _("{title} waits again"),
        "pinned": _("{title} is pinned: the optimiser leaves it there"),
        "unpinned": _("{title} is no longer pinned"),
        "unreachable": _("No connection. The change was not saved."),
        "onlyTechnicians": _("Give work to somebody else in the view by technician."),
        "load": _("share of the shifts given work: {percent} %"),
        "nothingToUndo": _("There is nothing to take back."),
        "failed": _("The optimiser failed; the schedule is as it was."),
        "ready": _("A new draft is ready"),
        "show": _("Show it"),
    }
