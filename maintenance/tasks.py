"""Everything that runs long or at night is called from here, and from nowhere else.

The buttons, the timetable, the commands and the demo ask through the `request_…` functions; a
worker (or the command itself) then performs the operation stage by stage.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from maintenance import operations
from maintenance.choices import ImportDoor, OperationKind, Trigger
from maintenance.flow import (
    advise,
    featurize,
    forecast,
    ingest,
    keep,
    label,
    monitor,
    quality,
    retrain,
    schedule,
)
from maintenance.models import ApiToken, Import, Operation, Schedule, Site, User
from maintenance.operations import Fence, Heart, Overtaken, Run
from maintenance.queries import retraining
from maintenance.sources import files, uploads
from maintenance.sources.mappings import READINGS
from maintenance.sources.spool import Spooled
from maintenance.sources.uploads import HowToRead

# The solver ends by itself long before, unless there is more work than usual.
SOLVER_SECONDS = 60.0

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


def request_upload(
    *,
    site: Site,
    door: ImportDoor,
    spooled: Spooled,
    how: HowToRead,
    file_name: str,
    sender: str,
    now: dt.datetime,
    by: User | None = None,
    token: ApiToken | None = None,
    language: str = "en",
    again: bool = False,
) -> tuple[Import, bool]:
    """Take a large file of readings; its record, and whether the same upload stood already.

    One that was interrupted for good goes on from its place when it is sent again.
    """
    key = uploads.fingerprint(spooled, how, sender)
    path = uploads.spool_name(site.pk, key, how)
    with spooled, transaction.atomic():
        batch, known = ingest.open_upload(
            site=site,
            door=door,
            table=READINGS,
            fingerprint=key,
            file_name=file_name,
            mapping=how.mapping,
            by=by,
            now=now,
            again=again,
        )
        if not known or batch.is_interrupted:
            spooled.settle(path)
            batch.operation = operations.request(
                site=site,
                kind=OperationKind.UPLOAD,
                arguments={
                    "import_id": batch.pk,
                    "path": path,
                    "how": asdict(how),
                    "language": language,
                    "token_id": token.pk if token else None,
                },
                by=by,
                now=now,
                key=str(batch.pk),
            )
            batch.save(update_fields=["operation"])
    return batch, known


def request_training(
    *, site: Site, by: User | None, now: dt.datetime, trigger: Trigger
) -> Operation:
    """Train a challenger of every failure mode of the site; one at a time.

    `trigger`: why now. It stands in the operation's arguments, and in the runs it leads to.
    """
    arguments = {"as_of": now.isoformat(), "trigger": trigger.value}
    return operations.request(
        site=site, kind=OperationKind.TRAIN, arguments=arguments, by=by, now=now
    )


def request_watch(*, site: Site, by: User | None, now: dt.datetime) -> Operation:
    """Label the forecasts whose outcome is known, and watch data and models."""
    return operations.request(
        site=site, kind=OperationKind.WATCH, arguments={"as_of": now.isoformat()}, by=by, now=now
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
    replay_days: Sequence[int] = (),
) -> Operation:
    """Train, forecast, propose, schedule and, if asked, publish, as of an instant.

    `replay_days`: forecasts of so many days earlier are made too, for the trends on pages.
    """
    arguments = {
        "as_of": as_of.isoformat(),
        "trigger": Trigger.BUTTON.value,
        "publish": publish,
        "seconds": seconds,
        "replay_days": list(replay_days),
    }
    return operations.request(
        site=site, kind=OperationKind.LOOP, arguments=arguments, by=by, now=now
    )


def perform(*, operation_id: int, clock: Callable[[], dt.datetime]) -> bool:
    """Lease an operation and do it. False when there was nothing to do or it was taken away."""
    run = operations.lease(operation_id=operation_id, clock=clock)
    if run is None:
        return False
    try:
        with Heart(run):
            STAGES[run.kind](run)
        run.finish()
    except Overtaken:
        log.warning("run_overtaken", operation_id=operation_id, run=run.number)
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


@shared_task(name="maintenance.watch_all_sites")
def watch_all_sites(**_: Any) -> None:
    now = timezone.now()
    for site in Site.objects.all():
        request_watch(site=site, by=None, now=now)


@shared_task(name="maintenance.train_all_sites")
def train_all_sites(**_: Any) -> None:
    now = timezone.now()
    for site in Site.objects.all():
        request_training(site=site, by=None, now=now, trigger=Trigger.TIMETABLE)


@shared_task(name="maintenance.keep_readings")
def keep_readings(**_: Any) -> None:
    """Seal whole days, then delete what is too old; killed, it is simply run again."""
    now = timezone.now()
    keep.seal(now=now)
    keep.retain(now=now)


def _import(run: Run) -> None:
    files.run_import(**run.arguments, report=run.report, fence=run.fence("import"), now=run.clock())


def _upload(run: Run) -> None:
    """The fence of each block keeps its place: a run that takes up another goes on from there."""
    fence = run.fence("upload")
    uploads.take(**run.arguments, report=run.report, fence=fence, now=run.clock())


def _quality(run: Run) -> None:
    """Before anything reads readings to learn or to foretell: what is flagged is left out."""
    run.once(
        "quality",
        lambda fence: quality.check_readings(
            site=_site(run), as_of=_as_of(run), now=run.clock(), fence=fence
        ),
    )


def _train(run: Run) -> None:
    _quality(run)
    run.once(
        "train",
        lambda fence: retrain.train(
            site=_site(run),
            as_of=_as_of(run),
            now=run.clock(),
            trigger=Trigger(run.arguments["trigger"]),
            threads=settings.THREADS,
            report=run.report,
            fence=fence,
        ),
    )


def _forecast(run: Run) -> None:
    site, as_of, now = _site(run), _as_of(run), run.clock()
    instants = [as_of - dt.timedelta(days=days) for days in run.arguments.get("replay_days", [])]
    instants.append(as_of)
    _quality(run)
    run.report(0, 3, "features")
    run.once(
        "featurize",
        lambda fence: featurize.rows(site=site, as_of=instants, now=now, fence=fence),
    )
    run.report(1, 3, "forecasts")
    run.once(
        "forecast", lambda fence: forecast.serve(site=site, as_of=instants, now=now, fence=fence)
    )
    run.report(2, 3, "proposals")
    run.once(
        "advise", lambda fence: advise.propose_work(site=site, as_of=as_of, now=now, fence=fence)
    )


def _watch(run: Run) -> None:
    """What it finds may want new models: then their training is asked for, never done here."""
    site, as_of, now = _site(run), _as_of(run), run.clock()
    _quality(run)
    run.once("label", lambda fence: label.mature(site=site, as_of=as_of, now=now, fence=fence))
    run.report(1, 2, "labels")
    run.once("watch", lambda fence: monitor.watch(site=site, as_of=as_of, now=now, fence=fence))
    run.report(2, 2, "watch")
    trigger = retraining.due(site, now=as_of)
    if trigger is not None:
        request_training(site=site, by=None, now=as_of, trigger=trigger)


def _schedule(run: Run) -> None:
    run.once(
        "schedule",
        lambda fence: schedule.optimise(
            site=_site(run),
            by=_user(run),
            now=_as_of(run),
            seconds=run.arguments["seconds"],
            fence=fence,
            report=run.report,
        ),
    )


def _publish(run: Run) -> None:
    run.once("publish", lambda fence: _publish_draft(run, fence))


def _publish_draft(run: Run, fence: Fence) -> None:
    draft = Schedule.objects.filter(site=run.site_id).draft().get()
    schedule.publish(
        schedule=draft, revision=draft.revision, by=_user(run), now=_as_of(run), fence=fence
    )


def _loop(run: Run) -> None:
    for stage in (_train, _forecast, _schedule):
        stage(run)
    if run.arguments["publish"]:
        _publish(run)


STAGES: dict[OperationKind, Callable[[Run], None]] = {
    OperationKind.IMPORT: _import,
    OperationKind.UPLOAD: _upload,
    OperationKind.TRAIN: _train,
    OperationKind.FORECAST: _forecast,
    OperationKind.SCHEDULE: _schedule,
    OperationKind.WATCH: _watch,
    OperationKind.LOOP: _loop,
}


def _site(run: Run) -> Site:
    return Site.objects.get(pk=run.site_id)


def _user(run: Run) -> User | None:
    if run.requested_by_id is None:
        return None
    return User.objects.filter(pk=run.requested_by_id).first()


def _as_of(run: Run) -> dt.datetime:
    return dt.datetime.fromisoformat(run.arguments["as_of"])
