"""Fill a simulated plant through the same doors as real data, and plan its work."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
from argparse import ArgumentParser
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from maintenance import store, tasks
from maintenance.choices import OperationState, Role
from maintenance.flow import entrance
from maintenance.flow import schedule as schedule_stage
from maintenance.instants import local_midnight, to_us
from maintenance.management import weeks
from maintenance.management.commands.run_loop import finished
from maintenance.models import (
    Asset,
    AssetClass,
    Failure,
    Forecast,
    Membership,
    ModelVersion,
    Schedule,
    Site,
    Technician,
    User,
    WorkOrder,
)
from maintenance.sources import demo_plant, demo_weeks
from maintenance.sources.demo_weeks import People
from predictors.simulate import Plant, PlantConfig, simulate

SITE = "norte"
REPLAY_DAYS = (30, 27, 24, 21, 18, 15, 12, 9, 6, 4, 2, 1)
PASSWORD_BYTES = 9
USUAL_OUTLOOK_DAYS = 42
PEOPLE = {
    "planner": (Role.PLANNER, "Elena", "Prats"),
    "supervisor": (Role.SUPERVISOR, "Sofía", "Roca"),
    "engineer": (Role.RELIABILITY_ENGINEER, "Marc", "Vila"),
    "technician": (Role.TECHNICIAN, "Ana", "Ruiz"),
    "storekeeper": (Role.STOREKEEPER, "Nil", "Font"),
    "viewer": (Role.VIEWER, "Laia", "Puig"),
}


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--assets", type=int, default=64, help="how many assets (64)")
        parser.add_argument("--as-of", help="where the history ends (last midnight)")
        parser.add_argument(
            "--weeks", type=int, default=0, help="live the last weeks of it day by day (0)"
        )
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--language", choices=["en", "es"], default="en")
        parser.add_argument("--seconds", type=float, default=tasks.SOLVER_SECONDS)

    def handle(self, **options: Any) -> None:
        started = time.monotonic()
        now = timezone.now()
        if options["weeks"] < 0:
            raise CommandError("--weeks: 0 or more")
        site = Site.objects.filter(code=SITE).first()
        if site is not None:
            self.stdout.write("The demo plant is there already; `make clean-demo` removes it.")
            self._meet(now, site)
        elif options["weeks"]:
            site = self._live(options, now)
        else:
            site = self._fill(options, now)
            self._meet(now, site)
        summary = _summary(site, seconds=round(time.monotonic() - started, 1))
        self.stdout.write(f"demo: {json.dumps(summary)}")

    def _fill(self, options: dict[str, Any], now: dt.datetime) -> Site:
        as_of = _as_of(options["as_of"], now)
        _plant, site = self._take_in(_config(options, end=as_of), options, now)
        self.stdout.write("Training, forecasting, proposing, scheduling ...")
        done = finished(
            tasks.request_loop(
                site=site,
                by=None,
                now=now,
                as_of=as_of,
                publish=False,
                seconds=options["seconds"],
                replay_days=REPLAY_DAYS,
            )
        )
        if done.state != OperationState.SUCCEEDED:
            raise CommandError(f"The loop ended {done.state}: {done.error}")
        return site

    def _live(self, options: dict[str, Any], now: dt.datetime) -> Site:
        """The history ends some weeks earlier; those are lived through every stage."""
        as_of, days = _as_of(options["as_of"], now), 7 * options["weeks"]
        start = local_midnight(
            as_of, ZoneInfo(PlantConfig(end_us=to_us(as_of)).time_zone), days=-days
        )
        config = _config(options, end=start, outlook_days=days + demo_weeks.OUTLOOK_DAYS)
        plant, site = self._take_in(config, options, start)
        self._meet(start, site)
        users = User.objects.in_bulk(PEOPLE, field_name="username")
        people = People(planner=users["planner"], supervisor=users["supervisor"])
        seconds = options["seconds"]
        try:
            for due in weeks.lived(plant, site=site, until=as_of, people=people, seconds=seconds):
                self.stdout.write(f"{due.at:%Y-%m-%d %H:%M}  {due.kind.label}")
            asked = tasks.request_schedule(site=site, by=None, now=as_of, seconds=seconds)
        except weeks.Unfinished as error:
            raise CommandError(str(error)) from error
        finished(asked)
        return site

    def _take_in(
        self, config: PlantConfig, options: dict[str, Any], now: dt.datetime
    ) -> tuple[Plant, Site]:
        self.stdout.write("Simulating a plant ...")
        plant = simulate(config)
        self.stdout.write("Taking in its history ...")
        with transaction.atomic():
            return plant, demo_plant.feed(plant, language=options["language"], now=now)

    def _meet(self, now: dt.datetime, site: Site) -> None:
        """Somebody for each role; passwords are made up and said once."""
        for username, (role, first_name, last_name) in PEOPLE.items():
            if User.objects.filter(username=username).exists():
                continue
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            user = User.objects.create_user(
                username, password=password, first_name=first_name, last_name=last_name
            )
            role_here = Membership(user=user, site=site, role=role, recorded_at=now)
            entrance.save_membership(membership=role_here, by=None, now=now)
            if role == Role.TECHNICIAN:
                _become(user, _busiest(site))
            self.stdout.write(f"Sign in as {username} with password {password}")


def _busiest(site: Site) -> Technician:
    """Whoever has most work in the newest schedule, so that there is something to see."""
    newest = Schedule.objects.filter(site=site).order_by("-number").first()
    work = Count("assignments", filter=Q(assignments__schedule=newest))
    team = Technician.objects.filter(site=site).annotate(work=work)
    return team.order_by("-work", "code")[0]


def _become(user: User, technician: Technician) -> None:
    user.first_name, _, user.last_name = technician.name.partition(" ")
    user.save(update_fields=["first_name", "last_name"])
    technician.user = user
    technician.save(update_fields=["user"])


def _config(
    options: dict[str, Any], *, end: dt.datetime, outlook_days: int = USUAL_OUTLOOK_DAYS
) -> PlantConfig:
    return PlantConfig(
        end_us=to_us(end),
        assets=options["assets"],
        seed=options["seed"],
        outlook_days=outlook_days,
    )


def _as_of(text: str | None, now: dt.datetime) -> dt.datetime:
    """The end of the history: last midnight at the plant unless said otherwise."""
    if text is None:
        return local_midnight(now, ZoneInfo("Europe/Madrid"))
    at = parse_datetime(text)
    if at is None or at.tzinfo is None:
        raise CommandError(f"--as-of: {text!r} is not ISO 8601 with an offset")
    return at


def _summary(site: Site, *, seconds: float) -> dict[str, Any]:
    schedule = Schedule.objects.filter(site=site).order_by("-number").first()
    if schedule is None:
        raise CommandError("The demo plant has no schedule.")
    jobs = len(schedule.problem["jobs"])
    scheduled, left_out = schedule.assignments.count(), schedule.left_out.count()
    newest = Forecast.objects.filter(asset__site=site).newest()
    champions = ModelVersion.objects.champions().filter(failure_mode__asset_class__site=site)
    return {
        "assets": Asset.objects.filter(site=site).count(),
        "classes": AssetClass.objects.filter(site=site).count(),
        "readings": store.count(),
        "failures": Failure.objects.filter(asset__site=site).count(),
        "technicians": Technician.objects.filter(site=site).count(),
        "model_version": max(champions.values_list("version", flat=True)),
        "forecasts": newest.count(),
        "proposed": WorkOrder.objects.filter(site=site).to_schedule().count(),
        "scheduled": scheduled,
        "left_out": left_out,
        "unexplained": jobs - scheduled - left_out,
        "violations": len(schedule_stage.violations(schedule)),
        "expected_cost": schedule.cost_minor / 100,
        "expected_cost_unscheduled": schedule.cost_unscheduled_minor / 100,
        "currency": site.currency,
        "seconds": seconds,
    }
