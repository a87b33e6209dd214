"""Gives a demo plant what its pages can show: decisions, schedules, refused rows, an empty site."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sys
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from maintenance import tasks
from maintenance.choices import DismissReason, ImportDoor, Role, ScheduleState
from maintenance.flow import advise, ingest, schedule
from maintenance.models import (
    Assignment,
    Forecast,
    Import,
    MeasurementPoint,
    Membership,
    Operation,
    Schedule,
    Site,
    User,
    WorkOrder,
)
from tests.browser import furnish_loop

SOLVER_SECONDS = 5.0
NEWCOMER, GUEST, TRAINEE, ADMINISTRATOR = "newcomer", "guest", "trainee", "administrator"
READINGS = """\
asset,point,at,value
{asset},{point},{at},2.4
{asset},{point},yesterday evening,2.5
{asset},temperature of the moon,{at},12
nowhere,{point},{at},2.4
{asset},{point},2099-01-01T00:00:00Z,2.4
{asset},{point},{at},two and a half
"""


def main() -> None:
    now = timezone.now()
    site, planner = Site.objects.get(), User.objects.get(username="planner")
    _publish(site, planner, now)
    _decide(site, planner, now)
    _plan_again(site, planner, now)
    _bring_in_readings(site, User.objects.get(username="engineer"), now)
    _welcome(site, now)
    paths = _paths(site) | furnish_loop.turn(site, timezone.now())
    sys.stdout.write(f"paths: {json.dumps(paths)}\n")


def _paths(site: Site) -> dict[str, str]:
    """Where the pages are whose address holds a number."""
    riskiest = Forecast.objects.filter(asset__site=site).newest().order_by("-risk_14_days")[0]
    planned = Assignment.objects.filter(
        schedule__site=site,
        schedule__state=ScheduleState.PUBLISHED,
        work_order__forecast__isnull=False,
    ).order_by("starts_at")[0]
    draft, published = (
        Schedule.objects.get(site=site, state=state)
        for state in (ScheduleState.DRAFT, ScheduleState.PUBLISHED)
    )
    proposed = WorkOrder.objects.filter(site=site).proposed().order_by("number")[0]
    batch = Import.objects.filter(site=site, refused__gt=0).latest("recorded_at")
    return {
        "asset": reverse("asset", args=[riskiest.asset_id]),
        "planned": reverse("work_order", args=[planned.work_order_id]),
        "proposed": reverse("work_order", args=[proposed.pk]),
        "draft": f"{reverse('schedule')}?schedule={draft.number}",
        "published": f"{reverse('schedule')}?schedule={published.number}",
        "point": reverse("data_point", args=[riskiest.asset.points.earliest("code").pk]),
        "import": reverse("data_import", args=[batch.pk]),
        "operation": reverse("operation", args=[draft.operation_id]),
    }


def _publish(site: Site, planner: User, now: dt.datetime) -> None:
    draft = Schedule.objects.filter(site=site).draft().get()
    schedule.publish(schedule=draft, revision=draft.revision, by=planner, now=now)


def _decide(site: Site, planner: User, now: dt.datetime) -> None:
    proposed = list(WorkOrder.objects.filter(site=site).proposed().order_by("number"))
    for work_order in proposed[:2]:
        advise.accept(work_order=work_order, by=planner, now=now)
    reasons = [(DismissReason.FALSE_ALARM, "Seen on the morning round: a loose cable.")]
    reasons += [(DismissReason.NOT_WORTH_IT, "")]
    for work_order, (reason, note) in zip(proposed[2:4], reasons, strict=True):
        advise.dismiss(work_order=work_order, reason=reason, note=note, by=planner, now=now)


def _plan_again(site: Site, planner: User, now: dt.datetime) -> None:
    """A new draft, with one pinned work order that can be taken back."""
    _perform(tasks.request_schedule(site=site, by=planner, now=now, seconds=SOLVER_SECONDS))
    draft = Schedule.objects.filter(site=site).draft().get()
    pinned = Assignment.objects.filter(schedule=draft, starts_at__gt=now).order_by("starts_at")[0]
    schedule.pin(
        schedule=draft,
        work_order=pinned.work_order,
        pinned=True,
        revision=draft.revision,
        by=planner,
        now=now,
    )


def _bring_in_readings(site: Site, engineer: User, now: dt.datetime) -> None:
    point = MeasurementPoint.objects.filter(asset__site=site).select_related("asset")[0]
    path = Path(settings.MEDIA_ROOT) / "readings-week-12.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    at = f"{now - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    path.write_text(READINGS.format(asset=point.asset.code, point=point.code, at=at))
    batch = ingest.open_batch(
        site=site,
        door=ImportDoor.UPLOAD,
        table="readings",
        file_name=path.name,
        mapping="templates",
        dry_run=False,
        by=engineer,
        now=now,
    )
    arguments = {"import_id": batch.pk, "path": path.name, "language": "en"}
    batch.operation = tasks.request_import(site=site, by=engineer, now=now, arguments=arguments)
    batch.save(update_fields=["operation"])
    _perform(batch.operation)


def _welcome(site: Site, now: dt.datetime) -> None:
    """Somebody whose site is empty, somebody without a site, who answers for all sites, and a
    technician without work."""
    empty = Site.objects.create(code="sur", name="Planta Sur", recorded_at=now)
    newcomer = _user(NEWCOMER, "Iris", "Mora")
    for role in (Role.PLANNER, Role.RELIABILITY_ENGINEER):
        Membership.objects.create(user=newcomer, site=empty, role=role, recorded_at=now)
    _user(GUEST, "Pau", "Gil")
    keeper = _user(ADMINISTRATOR, "Olga", "Ferrer")
    for each in (site, empty):
        Membership.objects.create(user=keeper, site=each, role=Role.ADMINISTRATOR, recorded_at=now)
    trainee = _user(TRAINEE, "Teo", "Sanz")
    Membership.objects.create(user=trainee, site=site, role=Role.TECHNICIAN, recorded_at=now)


def _user(username: str, first_name: str, last_name: str) -> User:
    password = secrets.token_urlsafe(9)
    sys.stdout.write(f"Sign in as {username} with password {password}\n")
    return User.objects.create_user(
        username, password=password, first_name=first_name, last_name=last_name
    )


def _perform(operation: Operation) -> None:
    if not tasks.perform(operation_id=operation.pk, clock=timezone.now):
        raise RuntimeError(f"{operation} was not performed")
