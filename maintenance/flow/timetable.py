"""When the tasks of the timetable run; it lives in the database alone and is edited there."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from maintenance.models import AuditEntry, Site, User

OURS = "maintenance."
SWEEP = "maintenance.sweep_operations"
SLOWEST_SWEEP_SECONDS = 600
FASTEST_SECONDS = {SWEEP: 5}
FASTEST_OF_THE_REST_SECONDS = 900


class Refused(Exception):
    """A timetable that would do harm; the message says why, in the user's language."""


@dataclass(frozen=True)
class Every:
    """Again and again, so many seconds apart."""

    seconds: int


@dataclass(frozen=True)
class At:
    """At a time of day in a time zone, every day or on one weekday (0 is Sunday, as in cron)."""

    time: dt.time
    zone: str
    weekday: int | None = None


def change(
    *, task: PeriodicTask, enabled: bool, when: Every | At, site: Site, by: User, now: dt.datetime
) -> None:
    """Set when a task of ours runs. Raises Refused; what it was is kept in the site's audit."""
    _check(task.task, enabled, when)
    with transaction.atomic():
        held = PeriodicTask.objects.select_for_update().get(pk=task.pk)
        before = _state(held)
        held.enabled = enabled
        held.interval, held.crontab = None, None
        if isinstance(when, Every):
            held.interval = _interval(when)
        else:
            held.crontab = _crontab(when)
        held.save()
        AuditEntry.objects.create(
            site=site,
            at=now,
            by=by,
            action="timetable changed",
            subject=held.name[:160],
            before=before,
            after=_state(held),
        )


def _check(name: str, enabled: bool, when: Every | At) -> None:  # noqa: FBT001
    if not name.startswith(OURS):
        raise Refused(_("This task is not of the timetable."))
    if name == SWEEP and not (
        enabled and isinstance(when, Every) and when.seconds <= SLOWEST_SWEEP_SECONDS
    ):
        raise Refused(
            _("Work left lying is looked for every %(seconds)s seconds at least.")
            % {"seconds": SLOWEST_SWEEP_SECONDS}
        )
    fastest = FASTEST_SECONDS.get(name, FASTEST_OF_THE_REST_SECONDS)
    if isinstance(when, Every) and when.seconds < fastest:
        raise Refused(
            _("Not more often than every %(seconds)s seconds: one run would meet the next.")
            % {"seconds": fastest}
        )


def _interval(when: Every) -> IntervalSchedule:
    """Rows of schedules are shared by tasks: one is found or made, never changed."""
    known = {"every": when.seconds, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**known).first() or IntervalSchedule.objects.create(
        **known
    )


def _crontab(when: At) -> CrontabSchedule:
    known = {
        "minute": str(when.time.minute),
        "hour": str(when.time.hour),
        "day_of_week": "*" if when.weekday is None else str(when.weekday),
        "day_of_month": "*",
        "month_of_year": "*",
        "timezone": when.zone,
    }
    return CrontabSchedule.objects.filter(**known).first() or CrontabSchedule.objects.create(
        **known
    )


def _state(task: PeriodicTask) -> dict[str, Any]:
    return {"enabled": task.enabled, "when": str(task.interval or task.crontab)}
