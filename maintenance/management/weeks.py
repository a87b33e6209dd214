"""Weeks of the demo plant, with its long work done on the spot at its simulated instants."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator

from maintenance import tasks
from maintenance.choices import OperationKind, OperationState, Trigger
from maintenance.models import Operation, Site
from maintenance.sources import demo_weeks
from maintenance.sources.demo_weeks import Due, People
from predictors.simulate import Plant

POLL_SECONDS = 0.5

Ask = Callable[[Due], Operation]


class Unfinished(Exception):
    """Long work of the demo failed."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(f"{operation} ended {operation.state}: {operation.error}")


def lived(
    plant: Plant, *, site: Site, until: dt.datetime, people: People, seconds: float
) -> Iterator[Due]:
    """Play the plant to `until`; each piece of long work is given back once it is done."""
    asks = _asks(site, seconds=seconds)
    for due in demo_weeks.play(plant, site=site, until=until, people=people):
        asks[due.kind](due)
        _do_what_is_open(site, now=due.at)
        yield due


def _asks(site: Site, *, seconds: float) -> dict[OperationKind, Ask]:
    return {
        OperationKind.TRAIN: lambda due: tasks.request_training(
            site=site, by=due.by, now=due.at, trigger=Trigger.TIMETABLE
        ),
        OperationKind.FORECAST: lambda due: tasks.request_forecast(
            site=site, by=due.by, now=due.at
        ),
        OperationKind.WATCH: lambda due: tasks.request_watch(site=site, by=due.by, now=due.at),
        OperationKind.SCHEDULE: lambda due: tasks.request_schedule(
            site=site, by=due.by, now=due.at, seconds=seconds
        ),
    }


def _do_what_is_open(site: Site, *, now: dt.datetime) -> None:
    """What was asked for, and what that asked for in turn: a watch may want a training."""
    while operation := Operation.objects.filter(site=site).open().order_by("pk").first():
        tasks.perform(operation_id=operation.pk, clock=lambda: now)
        while (done := Operation.objects.get(pk=operation.pk)).is_open:
            time.sleep(POLL_SECONDS)  # a worker took it up first
        if done.state != OperationState.SUCCEEDED:
            raise Unfinished(done)
