"""Take the files of readings that are dropped into a folder, as they come."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from maintenance import tasks
from maintenance.choices import ImportDoor, ImportState
from maintenance.flow import ingest
from maintenance.models import Import, RejectedRow, Site
from maintenance.sources import folder, mappings, spool, uploads
from maintenance.sources.folder import Dropped, Folder

LOOK_SECONDS = 2.0
POLL_SECONDS = 0.5
STILL_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Takes CSV, NDJSON and Parquet files of readings that are dropped into a folder. They are "
        "moved to done/ or failed/ in it, with a file of the refused rows beside them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="the folder")
        parser.add_argument("--site", required=True, help="code of the site the readings are of")
        parser.add_argument("--once", action="store_true", help="take what is there, then end")
        parser.add_argument(
            "--still-seconds",
            type=float,
            default=STILL_SECONDS,
            help="a file is whole when it has not changed for so long (default: %(default)s)",
        )
        parser.add_argument(
            "--mapping",
            default=uploads.MAPPING,
            help="a mapping that says how the readings of files are called and written",
        )
        parser.add_argument("--layout", choices=uploads.LAYOUTS, default="auto")

    def handle(self, **options: Any) -> None:
        watcher = _Watcher(
            site=_site(options["site"]),
            folder=_folder(options["path"]),
            mapping=_mapping(options["mapping"]),
            layout=options["layout"],
            say=self.stdout.write,
        )
        still_seconds = options["still_seconds"]
        if options["once"]:
            watcher.once(still_seconds)
            return
        while True:
            watcher.look(still_seconds)
            time.sleep(LOOK_SECONDS)


class _Watcher:
    def __init__(self, *, site: Site, folder: Folder, mapping: str, layout: str, say: Any) -> None:
        self._site = site
        self._folder = folder
        self._mapping = mapping
        self._layout = layout
        self._say = say

    def once(self, still_seconds: float) -> None:
        self._folder.claim(still_seconds=still_seconds, seconds=time.monotonic())
        if self._folder.waits:
            time.sleep(still_seconds)
            self._folder.claim(still_seconds=still_seconds, seconds=time.monotonic())
        self._take_claimed()

    def look(self, still_seconds: float) -> None:
        """What cannot be had now, a database or room on disk, may be had at the next look."""
        try:
            self._folder.claim(still_seconds=still_seconds, seconds=time.monotonic())
            self._take_claimed()
        except (DatabaseError, OSError) as error:
            log.warning("folder_put_off", folder=str(self._folder.path), error=str(error))
            connection.close()

    def _take_claimed(self) -> None:
        for dropped in self._folder.claimed():
            with self._folder.held(dropped) as file:
                if file is not None:
                    self._take(dropped, file)

    def _take(self, dropped: Dropped, file: BinaryIO) -> None:
        try:
            spooled = spool.keep(file.read, most_bytes=settings.MAX_UPLOAD_BYTES)
        except spool.SpoolError as error:
            self._leave(dropped, file, _size(file), self._refused(dropped, error))
            return
        with spooled:
            size = file.tell()
            how = uploads.HowToRead(dropped.format, self._layout, self._mapping)
            try:
                how = how.of(spooled)
            except spool.NotParquetError as error:
                self._leave(dropped, file, size, self._refused(dropped, error))
                return
            batch, _known = tasks.request_upload(
                site=self._site,
                door=ImportDoor.FOLDER,
                spooled=spooled,
                how=how,
                file_name=dropped.name,
                sender=dropped.sender,
                now=timezone.now(),
            )
        try:
            finished(batch)
        except Exception:  # Whatever it is, it fails this file: those behind it must not wait.
            self._leave(dropped, file, size, batch)
            if batch.state != ImportState.FAILED:
                raise
            log.exception("folder_file_failed", file=dropped.name, batch=batch.pk)
        else:
            self._leave(dropped, file, size, batch)

    def _refused(self, dropped: Dropped, error: spool.SpoolError) -> Import:
        """The record of a file that could not even be kept."""
        now = timezone.now()
        batch = ingest.open_batch(
            site=self._site,
            door=ImportDoor.FOLDER,
            table=mappings.READINGS,
            file_name=dropped.name,
            mapping=self._mapping,
            now=now,
        )
        return ingest.fail_batch(batch=batch, error=error.words(), now=now)

    def _leave(self, dropped: Dropped, file: BinaryIO, size: int, batch: Import) -> None:
        batch.refresh_from_db()
        if batch.state == ImportState.RUNNING:
            return
        accepted = batch.new + batch.duplicate
        is_done = batch.state == ImportState.DONE and (accepted or not batch.refused)
        left = self._folder.leave(
            dropped,
            file=file,
            size=size,
            into=folder.DONE if is_done else folder.FAILED,
            number=batch.pk,
            errors=_errors(batch),
        )
        if left is not None:
            counts = f"{batch.new} new, {batch.duplicate} known, {batch.refused} refused"
            self._say(f"{dropped.name}: {batch.error or counts} -> {left.parent.name}/{left.name}")


def finished(batch: Import) -> None:
    """Take the file here, or wait for the worker that was faster; one that is given up failed."""
    while True:
        batch.refresh_from_db()
        operation = batch.operation
        if batch.state != ImportState.RUNNING or operation is None:
            return
        if not operation.is_open:
            error = operation.error or str(operation.get_state_display())
            ingest.fail_batch(batch=batch, error=error, now=timezone.now())
            return
        if not tasks.perform(operation_id=operation.pk, clock=timezone.now):
            time.sleep(POLL_SECONDS)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _errors(batch: Import) -> Iterator[tuple[int | str, str, str, str]]:
    if batch.error:
        yield "", "", batch.error, ""
    rows = RejectedRow.objects.filter(batch=batch).order_by("row", "pk")
    yield from rows.values_list("row", "field", "reason", "raw").iterator()


def _site(code: str) -> Site:
    site = Site.objects.filter(code=code).first()
    if site is None:
        known = ", ".join(Site.objects.values_list("code", flat=True)) or "none"
        raise CommandError(f"--site: there is no site {code!r}. Sites: {known}.")
    return site


def _folder(path: Path) -> Folder:
    found = Folder(path)
    try:
        found.prepare()
    except OSError as error:
        raise CommandError(f"{path} is no folder that can be written to: {error}") from error
    return found


def _mapping(name: str) -> str:
    """A path is kept whole: the worker that takes a file stands in another folder."""
    try:
        mappings.load(name)
    except mappings.MappingError as error:
        raise CommandError(str(error)) from error
    return name if name in mappings.shipped() else str(Path(name).resolve())
