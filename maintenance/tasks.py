"""Everything that runs long or at night is called from here, and from nowhere else.

The buttons, the timetable, the commands and the demo ask through the `request_…` functions; a
worker (or the command itself) then performs the operation stage by stage.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from maintenance import operations
from maintenance.choices import OperationKind
from maintenance.flow import advise, featurize, forecast, schedule
from maintenance.models import Operation, Site, User
from maintenance.operations import Heart, Overtaken, Run
from maintenance.sources import files

SOLVER_SECONDS = 20.0
FORECAST_HOUR_SECONDS = 3600

log = structlog.get_logger(__name__)


def request_import(
    *, site: Site, by: User | None, now: dt.datetime, arguments: dict[str, Any]
) -> Operation:
    """Import a spooled file; `arguments` are those of `sources.files.run_import`."""
    return operations.request(
        site=site,
        kind=OperationKind.IMPORT,
        arguments=arguments,
        by=by,
        now=now,
        key=str(arguments["import_id"]),
    )


def request_training(*, site: Site, by: User | None, now: dt.datetime) -> Operation:
    """Train the models of every failure mode of the site; one at a time."""
    return operations.request(
        site=site, kind=OperationKind.TRAIN, arguments={"as_of": now.isoformat()}, by=by, now=now
    )


def request_forecast(*, site: Site, by: User | None, now: dt.datetime) -> Operation:
    """Forecast every asset as of now, and propose the work that pays."""
    return operations.request(
        site=site, kind=OperationKind.FORECAST, arguments={"as_of": now.isoformat()}, by=by, now=now
    )


def request_schedule(
    *, site: Site, by: User | None, now: dt.datetime, seconds: float = SOLVER_SECONDS
) -> Operation:
    """Optimise the site's open work into its draft schedule."""
    arguments = {"as_of": now.isoformat(), "seconds": seconds}
    return operations.request(
        site=site, kind=OperationKind.SCHEDULE, arguments=arguments, by=by, now=now
    )


def request_loop(
    *,
    site: Site,
    by: User | None,
    now: dt.datetime,
    as_of: dt.datetime,
    publish: bool,
    seconds: float = SOLVER_SECONDS,
) -> Operation:
    """Train, forecast, propose, schedule and, if asked, publish, as of an instant."""
    arguments = {"as_of": as_of.isoformat(), "publish": publish, "seconds": seconds}
    return operations.request(
        site=site, kind=OperationKind.LOOP, arguments=arguments, by=by, now=now
    )


def perform(*, operation_id: int, clock: Callable[[], dt.datetime]) -> bool:
    """Lease an operation and do it. False when there was nothing to do or it was taken away."""
    run = operations.lease(operation_id=operation_id, clock=clock)
    if run is None:
        return False
    with Heart(run):
        try:
            run.finish(STAGES[run.kind](run))
        except Overtaken:
            return False
        except Exception as error:
            log.exception("operation_failed", operation_id=operation_id, kind=str(run.kind))
            run.fail(f"{type(error).__name__}: {error}")
            raise
    return True


@shared_task(name=operations.TASK)
def run_operation(*, operation_id: int, **_: Any) -> None:
    perform(operation_id=operation_id, clock=timezone.now)


@shared_task(name="maintenance.sweep_operations")
def sweep_operations(**_: Any) -> None:
    operations.sweep(now=timezone.now())


@shared_task(name="maintenance.forecast_all_sites")
def forecast_all_sites(**_: Any) -> None:
    now = timezone.now()
    for site in Site.objects.all():
        request_forecast(site=site, by=None, now=now)


@shared_task(name="maintenance.train_all_sites")
def train_all_sites(**_: Any) -> None:
    now = timezone.now()
    for site in Site.objects.all():
        request_training(site=site, by=None, now=now)


def _import(run: Run) -> dict[str, Any]:
    return files.run_import(**run.arguments, report=run.report, fence=run.fence, now=run.clock())


def _train(run: Run) -> dict[str, Any]:
    return forecast.train(
        site=_site(run),
        as_of=_as_of(run),
        now=run.clock(),
        threads=settings.THREADS,
        report=run.report,
        fence=run.fence,
    )


def _forecast(run: Run) -> dict[str, Any]:
    site, as_of, now = _site(run), _as_of(run), run.clock()
    run.report(0, 3, "features")
    featurize.rows(site=site, as_of=as_of, now=now)
    run.report(1, 3, "forecasts")
    written = forecast.serve(site=site, as_of=as_of, now=now)
    run.report(2, 3, "proposals")
    advice = advise.propose_work(site=site, as_of=as_of, now=now)
    return {
        "forecasts": written,
        "proposed": advice.proposed,
        "refreshed": advice.refreshed,
        "withdrawn": advice.withdrawn,
        "beyond_crew": advice.beyond_crew,
        "without_job_plan": advice.without_job_plan,
    }


def _schedule(run: Run) -> dict[str, Any]:
    answer = schedule.optimise(
        site=_site(run),
        by=_user(run),
        now=_as_of(run),
        seconds=run.arguments["seconds"],
        fence=run.fence,
        report=run.report,
    )
    return {"schedule": answer.number, "cost_minor": answer.cost_minor}


def _loop(run: Run) -> dict[str, Any]:
    result = {"training": _train(run), "forecast": _forecast(run), "schedule": _schedule(run)}
    if run.arguments["publish"]:
        draft = _site(run).schedules.draft().get()  # type: ignore[attr-defined]
        schedule.publish(schedule=draft, revision=draft.revision, by=_user(run), now=_as_of(run))
    return result


STAGES: dict[OperationKind, Callable[[Run], dict[str, Any]]] = {
    OperationKind.IMPORT: _import,
    OperationKind.TRAIN: _train,
    OperationKind.FORECAST: _forecast,
    OperationKind.SCHEDULE: _schedule,
    OperationKind.LOOP: _loop,
}


def _site(run: Run) -> Site:
    return Site.objects.get(pk=run.site_id)


def _user(run: Run) -> User | None:
    return User.objects.filter(pk=run.requested_by_id).first()


def _as_of(run: Run) -> dt.datetime:
    return dt.datetime.fromisoformat(run.arguments["as_of"])
