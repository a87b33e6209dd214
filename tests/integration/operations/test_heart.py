"""The heart: a thread that keeps the lease alive while a run works."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from django.db import DatabaseError
from django.utils import timezone

from maintenance import operations
from maintenance.choices import OperationKind
from maintenance.models import Operation
from maintenance.operations import Heart, Run
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db(transaction=True)

BEAT = dt.timedelta(milliseconds=20)
PATIENCE_SECONDS = 10


@pytest.fixture
def run(monkeypatch) -> Run:
    monkeypatch.setattr(operations, "HEARTBEAT", BEAT)
    monkeypatch.setattr(operations, "wake", lambda _operation_id, _kind: None)
    operation = operations.request(
        site=SiteFactory(), kind=OperationKind.TRAIN, arguments={}, by=None, now=timezone.now()
    )
    run = operations.lease(operation_id=operation.pk, clock=timezone.now)
    assert run is not None
    return run


def wait_for(happened) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def lease_until(run: Run) -> dt.datetime:
    return Operation.objects.values_list("lease_until", flat=True).get(pk=run.operation_id)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_the_lease_is_renewed_while_the_run_works(run):
    before = lease_until(run)
    with Heart(run):
        wait_for(lambda: lease_until(run) > before)


def test_the_heart_stops_with_the_run(run):
    with Heart(run):
        assert f"heart-{run.operation_id}" in threads()
    assert f"heart-{run.operation_id}" not in threads()


def test_the_heart_tells_the_run_when_it_was_overtaken(run):
    with Heart(run):
        Operation.objects.filter(pk=run.operation_id).update(run=2)
        wait_for(run.lost.is_set)


def test_a_database_that_is_away_for_a_moment_costs_a_beat_and_not_the_run(run, monkeypatch):
    beats, beat = [], Run.beat

    def sometimes(self: Run) -> None:
        beats.append(1)
        if len(beats) < 3:
            raise DatabaseError("database is locked")
        beat(self)

    monkeypatch.setattr(Run, "beat", sometimes)
    before = lease_until(run)
    with Heart(run):
        wait_for(lambda: lease_until(run) > before)
    assert not run.lost.is_set()
