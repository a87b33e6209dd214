"""The timetable: what runs by itself, when it ran, when it runs next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import formats, timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe
from django_celery_beat.models import PeriodicTask

from maintenance.access import SiteRequest, held_everywhere, requires, requires_everywhere
from maintenance.choices import Permission
from maintenance.flow import timetable as flow
from maintenance.models import Site

# One timetable serves all sites: who edits it answers for each of them.
MAY_EDIT = (Permission.ADMINISTER, Permission.MANAGE_MODELS)
WORDS = {
    flow.SWEEP: gettext_lazy("Look for work left lying"),
    "maintenance.forecast_all_sites": gettext_lazy("Forecast every asset and propose work"),
    "maintenance.train_all_sites": gettext_lazy("Train challengers, and promote what is better"),
    "maintenance.keep_readings": gettext_lazy("Seal whole days of readings, delete the oldest"),
    "maintenance.watch_all_sites": gettext_lazy("Record labels, and watch drift and sensors"),
}
# cron counts from Sunday, Django's names from Monday.
DAYS = [(day, WEEKDAYS[(day - 1) % 7]) for day in (1, 2, 3, 4, 5, 6, 0)]
MOST_SECONDS = 7 * 24 * 3600
HALF_A_MINUTE = dt.timedelta(seconds=30)


@dataclass(frozen=True)
class Row:
    task: PeriodicTask
    words: Any
    when: str
    next_at: dt.datetime | None


class WhenForm(forms.Form):
    """Either a time of day, every day or on a weekday, or every so many seconds."""

    enabled = forms.BooleanField(required=False, label=gettext_lazy("Runs by itself"))
    rhythm = forms.ChoiceField(
        label=gettext_lazy("Rhythm"),
        choices=[
            ("daily", gettext_lazy("Every day")),
            ("weekly", gettext_lazy("Once a week")),
            ("interval", gettext_lazy("Every so many seconds")),
        ],
    )
    time = forms.TimeField(
        required=False,
        label=gettext_lazy("Time of day"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    weekday = forms.TypedChoiceField(
        required=False, coerce=int, choices=DAYS, label=gettext_lazy("Weekday")
    )
    zone = forms.CharField(
        required=False, max_length=63, initial="UTC", label=gettext_lazy("Time zone")
    )
    seconds = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_SECONDS, label=gettext_lazy("Seconds")
    )

    def clean_zone(self) -> str:
        zone: str = self.cleaned_data["zone"] or "UTC"
        if zone not in available_timezones():
            raise forms.ValidationError(_("No time zone is called so; write Europe/Madrid, say."))
        return zone

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        needed = {"daily": ["time"], "weekly": ["time", "weekday"], "interval": ["seconds"]}
        for name in needed.get(given.get("rhythm", ""), []):
            if name not in self.errors and given.get(name) in (None, ""):
                self.add_error(name, _("This rhythm needs it."))
        return given

    def when(self) -> flow.Every | flow.At:
        given = self.cleaned_data
        if given["rhythm"] == "interval":
            return flow.Every(given["seconds"])
        weekday = given["weekday"] if given["rhythm"] == "weekly" else None
        return flow.At(given["time"], given["zone"], weekday)


@requires(Permission.READ_WORK)
@require_safe
def timetable(request: SiteRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "now": now,
        "rows": [_row(task, now) for task in _tasks()],
        "may_edit": held_everywhere(request.user, MAY_EDIT),
    }
    return render(request, "timetable/list.html", context)


@requires_everywhere(*MAY_EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: SiteRequest, pk: int) -> HttpResponse:
    if request.site is None:
        raise PermissionDenied
    task = get_object_or_404(_tasks(), pk=pk)
    form = WhenForm(request.POST or None, initial=_initial(task))
    if request.method == "POST" and form.is_valid() and _saved(request, request.site, task, form):
        messages.success(request, _("The timetable was changed; it counts within seconds."))
        return redirect("timetable")
    context = {"row": _row(task, timezone.now()), "task": task, "form": form}
    status = 422 if request.method == "POST" else 200
    return render(request, "timetable/edit.html", context, status=status)


def _saved(request: SiteRequest, site: Site, task: PeriodicTask, form: WhenForm) -> bool:
    try:
        flow.change(
            task=task,
            enabled=form.cleaned_data["enabled"],
            when=form.when(),
            site=site,
            by=request.user,
            now=timezone.now(),
        )
    except flow.Refused as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def _tasks() -> QuerySet[PeriodicTask]:
    ours: QuerySet[PeriodicTask] = PeriodicTask.objects.filter(task__startswith=flow.OURS)
    return ours.select_related("interval", "crontab").order_by("name")


def _row(task: PeriodicTask, now: dt.datetime) -> Row:
    return Row(task, WORDS.get(task.task, task.name), _when(task), _next_at(task, now))


def _when(task: PeriodicTask) -> str:
    if task.interval:
        every = int(task.interval.schedule.run_every.total_seconds())
        return ngettext("Every second", "Every %(count)s seconds", every) % {"count": every}
    at = _at(task)
    if at is None:
        return str(task.crontab or task.schedule)
    words = {"time": formats.time_format(at.time, "H:i"), "zone": at.zone}
    if at.weekday is None:
        return _("Every day at %(time)s (%(zone)s)") % words
    words["day"] = str(dict(DAYS)[at.weekday])
    return _("Every week on %(day)s at %(time)s (%(zone)s)") % words


def _at(task: PeriodicTask) -> flow.At | None:
    """The time of day and weekday of a plain crontab; None for anything more intricate."""
    cron = task.crontab
    if cron is None or (cron.day_of_month, cron.month_of_year) != ("*", "*"):
        return None
    if not (cron.minute.isdecimal() and cron.hour.isdecimal()):
        return None
    if cron.day_of_week != "*" and not cron.day_of_week.isdecimal():
        return None
    weekday = None if cron.day_of_week == "*" else int(cron.day_of_week) % 7
    return flow.At(dt.time(int(cron.hour), int(cron.minute)), str(cron.timezone), weekday)


def _next_at(task: PeriodicTask, now: dt.datetime) -> dt.datetime | None:
    if not task.enabled:
        return None
    remaining: dt.timedelta = task.schedule.remaining_estimate(task.last_run_at or now)
    if task.crontab:
        # The schedule read its own clock a moment later: a whole minute is meant.
        remaining += HALF_A_MINUTE
        return max(now, (now + remaining).replace(second=0, microsecond=0))
    return max(now, now + remaining)


def _initial(task: PeriodicTask) -> dict[str, Any]:
    if task.interval:
        seconds = int(task.interval.schedule.run_every.total_seconds())
        return {"enabled": task.enabled, "rhythm": "interval", "seconds": seconds, "zone": "UTC"}
    at = _at(task) or flow.At(dt.time(1), "UTC")
    return {
        "enabled": task.enabled,
        "rhythm": "daily" if at.weekday is None else "weekly",
        "time": at.time,
        "weekday": at.weekday,
        "zone": at.zone,
    }
