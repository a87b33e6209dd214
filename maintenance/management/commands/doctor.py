"""Is this set-up well, and if not, how to mend it?"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from kombu.exceptions import OperationalError

from maintenance.models import Import, ModelVersion, Operation, SparePart
from maintenance.operations import LEASE
from predictors import registry
from predictors.errors import ArtefactError

LEAST_FREE_BYTES = 1024**3
LEAST_FREE_SHARE = 0.05
CLOCK_TOLERANCE = dt.timedelta(seconds=5)
BROKER_SECONDS = 3


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    check: str
    state: State
    words: str
    mend: str = ""


class Command(BaseCommand):
    help = "Examines database, broker, artefacts, stock, leases, disk and clock; says how to mend."
    # What is missing is a finding, not a reason to refuse.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON for machines")

    def handle(self, *_args: Any, **options: Any) -> None:
        findings = list(examine(now=timezone.now()))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                self._tell(finding)
        if any(finding.state == State.FAIL for finding in findings):
            raise SystemExit(1)

    def _tell(self, finding: Finding) -> None:
        style = {
            State.OK: self.style.SUCCESS,
            State.WARN: self.style.WARNING,
            State.FAIL: self.style.ERROR,
        }[finding.state]
        self.stdout.write(f"{style(f'{finding.state:<4}')}  {finding.check}: {finding.words}")
        if finding.mend:
            self.stdout.write(f"      {finding.mend}")


def examine(*, now: dt.datetime) -> Iterator[Finding]:
    """Every check in turn; those that need tables only where the database has them."""
    database = _database()
    yield database
    yield _broker()
    yield from _settings()
    yield _disk()
    if database.state != State.OK:
        return
    for check in (_artefacts, _stock):
        yield check()
    for timed in (_leases, _clock):
        yield timed(now)


def _database() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        words = f"does not answer: {str(error).splitlines()[0]}"
        return Finding("database", State.FAIL, words, "Start it, or correct DATABASE_URL.")
    if missing:
        words = f"{missing} migrations are not applied"
        return Finding("database", State.FAIL, words, "Run manage.py migrate.")
    return Finding("database", State.OK, f"{connection.vendor} answers and is migrated")


def _broker() -> Finding:
    scheme = settings.CELERY_BROKER_URL.partition(":")[0]
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
    except (OperationalError, OSError) as error:
        words = f"{scheme} does not answer ({error}): work waits in the database meanwhile"
        return Finding("broker", State.FAIL, words, "Start it, or correct CELERY_BROKER_URL.")
    return Finding("broker", State.OK, f"{scheme} answers")


def _settings() -> Iterator[Finding]:
    """What `manage.py check` says: static files, translations, folders and the rest."""
    told = [message for message in run_checks() if message.level >= WARNING]
    for message in told:
        state = State.FAIL if message.is_serious() else State.WARN
        yield Finding("settings", state, str(message.msg), str(message.hint or ""))
    if not told:
        yield Finding("settings", State.OK, "set-up and static files are complete")


def _disk() -> Finding:
    folder = Path(settings.VAR_DIR)
    usage = shutil.disk_usage(folder)
    words = f"{usage.free / 1024**3:.1f} GiB of {usage.total / 1024**3:.1f} are free in {folder}"
    if usage.free < LEAST_FREE_BYTES:
        return Finding("disk", State.FAIL, words, "Make room: readings would soon be refused.")
    if usage.free < LEAST_FREE_SHARE * usage.total:
        return Finding("disk", State.WARN, words, "Make room, or move VIGIA_VAR_DIR.")
    return Finding("disk", State.OK, words)


def _artefacts() -> Finding:
    """The files of each serving model, every byte against its hash, as they are read to serve."""
    broken: list[str] = []
    champions = ModelVersion.objects.champions().select_related("failure_mode")
    for version in champions:
        folder = Path(settings.ARTEFACTS_DIR) / version.artefact
        try:
            registry.read_folder(folder)
            if registry.read_manifest(folder).artefact_hash != version.artefact_sha256:
                broken.append(f"{version} (another model's files)")
        except (ArtefactError, OSError) as error:
            broken.append(f"{version} ({error})")
    if broken:
        mend = "Restore the folder of artefacts from a backup, or roll the model back."
        return Finding("artefacts", State.FAIL, "; ".join(broken), mend)
    return Finding("artefacts", State.OK, f"{len(champions)} serving models are as registered")


def _stock() -> Finding:
    """The stock of a part is the sum of its ledger."""
    parts = SparePart.objects.annotate(booked=Coalesce(Sum("entries__quantity"), 0))
    wrong = [
        f"{part.code}: {part.stock} in stock, {booked} booked"
        for part, booked in ((part, part.booked) for part in parts)
        if part.stock != booked
    ]
    if wrong:
        mend = "Count these parts and import the counted stock: it books the difference."
        return Finding("stock", State.FAIL, "; ".join(wrong[:10]), mend)
    return Finding("stock", State.OK, "every part's stock is the sum of its ledger")


def _leases(now: dt.datetime) -> Finding:
    """A worker that died is replaced within a sweep; what is stale for longer has no worker."""
    stale = Operation.objects.stale(now=now - 4 * LEASE).count()
    waiting = Operation.objects.waiting_too_long(now=now, patience=dt.timedelta(minutes=5)).count()
    if stale or waiting:
        words = f"{stale} operations lost their worker, {waiting} wait for one"
        return Finding("workers", State.WARN, words, "Start a worker, and one timetable (beat).")
    return Finding("workers", State.OK, "no operation was left lying")


def _clock(now: dt.datetime) -> Finding:
    """Against what other processes wrote, and the database's own clock where it has one."""
    newest = max(
        (
            at
            for at in (
                Operation.objects.aggregate(at=Max("recorded_at"))["at"],
                Import.objects.aggregate(at=Max("recorded_at"))["at"],
                _database_clock(),
            )
            if at is not None
        ),
        default=now,
    )
    ahead = newest - now
    if ahead > CLOCK_TOLERANCE:
        words = f"this machine is {ahead.total_seconds():.0f} s behind what others wrote"
        return Finding("clock", State.WARN, words, "Keep the machines' clocks by NTP.")
    return Finding("clock", State.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _database_clock() -> dt.datetime | None:
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    return row[0] if row else None
