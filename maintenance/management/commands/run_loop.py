"""The whole loop for one site: train, forecast, propose, schedule and publish."""

from __future__ import annotations

import datetime as dt
import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from maintenance import tasks
from maintenance.choices import OperationState
from maintenance.flow import schedule as schedule_stage
from maintenance.models import Operation, Schedule, Site, Technician, WorkOrder
from maintenance.sources import demo_workforce

POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site", help="code of the site; not needed when there is only one")
        parser.add_argument("--as-of", help="ISO 8601 with offset; the default is now")
        parser.add_argument("--workforce", choices=["demo"], help="lend technicians, tools, plans")
        parser.add_argument("--seconds", type=float, default=tasks.SOLVER_SECONDS)
        parser.add_argument("--no-publish", action="store_true", help="leave the schedule a draft")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        site = _site(options["site"])
        as_of = _instant(options["as_of"]) if options["as_of"] else now
        if options["workforce"] and not Technician.objects.filter(site=site).exists():
            demo_workforce.lend(site, as_of=as_of, language="en", now=now)
        operation = tasks.request_loop(
            site=site,
            by=None,
            now=now,
            as_of=as_of,
            publish=not options["no_publish"],
            seconds=options["seconds"],
        )
        done = finished(operation)
        if done.state != OperationState.SUCCEEDED:
            raise CommandError(f"The loop ended {done.state}: {done.error}")
        summary = _summary(site, done)
        if options["json"]:
            self.stdout.write(json.dumps(summary))
        else:
            for name, value in summary.items():
                self.stdout.write(f"{name}: {value}")


def finished(operation: Operation) -> Operation:
    """Do the operation here, or wait for the worker that took it up first."""
    tasks.perform(operation_id=operation.pk, clock=timezone.now)
    while (current := Operation.objects.get(pk=operation.pk)).is_open:
        time.sleep(POLL_SECONDS)
    return current


def _site(code: str | None) -> Site:
    sites = Site.objects.filter(code=code) if code else Site.objects.all()
    if sites.count() != 1:
        known = ", ".join(Site.objects.values_list("code", flat=True)) or "none"
        raise CommandError(f"--site: which one? Sites: {known}.")
    return sites.get()


def _instant(text: str) -> dt.datetime:
    try:
        at = parse_datetime(text)
    except ValueError as error:
        raise CommandError(f"--as-of: {text!r}: {error}") from error
    if at is None or at.tzinfo is None:
        raise CommandError(f"--as-of: {text!r} is not ISO 8601 with an offset, as 2015-09-01T00Z")
    return at


def _summary(site: Site, operation: Operation) -> dict[str, Any]:
    schedule = Schedule.objects.get(site=site, number=operation.result["schedule"]["schedule"])
    left_out = schedule.left_out.all()
    waiting = WorkOrder.objects.filter(pk__in=_open_in(schedule)).count()
    return {
        "site": site.code,
        "as_of": schedule.as_of.isoformat(),
        "models": operation.result["train"]["models"],
        "forecasts": operation.result["forecast"]["forecasts"],
        "proposed": operation.result["advise"]["proposed"],
        "beyond_crew": operation.result["advise"]["beyond_crew"],
        "schedule": schedule.number,
        "state": schedule.state,
        "scheduled": schedule.assignments.count(),
        "left_out": left_out.count(),
        "unexplained": waiting - schedule.assignments.count() - left_out.count(),
        "violations": len(schedule_stage.violations(schedule)),
        "expected_cost": schedule.cost_minor / 100,
        "expected_cost_unscheduled": schedule.cost_unscheduled_minor / 100,
        "bound": None if schedule.bound_minor is None else schedule.bound_minor / 100,
        "currency": site.currency,
    }


def _open_in(schedule: Schedule) -> list[int]:
    return [int(job["id"]) for job in schedule.problem["jobs"]]
