"""Large files of readings, whoever brings them: a client of the API, or a watched folder.

A file is read piece by piece. Pieces are gathered into blocks, each of which is sorted and stored
in one transaction together with its counts and its place in the file: a run that takes up an
interrupted one goes on from there, and each row is counted once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from maintenance.choices import ImportState
from maintenance.flow import ingest
from maintenance.models import ApiToken, Import
from maintenance.operations import Fence, Overtaken, Report
from maintenance.sources import (
    csv_pieces,
    delimited,
    mappings,
    ndjson_pieces,
    parquet_pieces,
    pieces,
    spool,
)
from maintenance.sources.files import upload_path
from maintenance.sources.mappings import MappingError
from maintenance.sources.pieces import Layout, Piece, Place

FORMATS = ("csv", "ndjson", "parquet")
LAYOUTS = ("auto", "long", "wide")
MAPPING = "templates"
BLOCK_ROWS = 1_000_000
"""Rows are sorted and stored so many at a time: fewer cost more, more take more memory."""
_TABLES = {"long": mappings.READINGS, "wide": mappings.READINGS_WIDE}
_PARQUET = b"PAR1"
_PAUSES_SECONDS = (1, 2, 5, 15, 30)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class HowToRead:
    """What whoever brings a file says of it."""

    format: str
    layout: str = "auto"
    mapping: str = MAPPING
    time_zone: str = ""
    date_format: str = ""
    decimal_comma: bool = False

    def of(self, spooled: spool.Spooled) -> HowToRead:
        """As the file itself says. Raises NotParquetError where a Parquet file lacks its end."""
        begins, ends = spooled.head.startswith(_PARQUET), spooled.tail.endswith(_PARQUET)
        if begins and ends:
            return replace(self, format="parquet")
        if begins or self.format == "parquet":
            raise spool.NotParquetError
        return self

    def specs(self) -> list[mappings.TableMapping]:
        """How the table may be laid out, the long way first. Raises MappingError."""
        mapping = mappings.load(self.mapping)
        tables = [_TABLES[self.layout]] if self.layout in _TABLES else _TABLES.values()
        specs = [spec for table in tables if (spec := mapping.of_table(table)) is not None]
        if not specs:
            words = {"mapping": mapping.name, "table": " / ".join(tables)}
            raise MappingError(_("The mapping %(mapping)s has no table %(table)s.") % words)
        return [replace(spec, format=self._format(spec.format)) for spec in specs]

    def _format(self, mapped: mappings.Format) -> mappings.Format:
        return replace(
            mapped,
            time_zone=self.time_zone or mapped.time_zone,
            date_format=self.date_format or mapped.date_format,
            decimal_comma=self.decimal_comma or mapped.decimal_comma,
        )


def fingerprint(spooled: spool.Spooled, how: HowToRead, sender: str) -> str:
    """The same content, read the same way, from the same sender."""
    told = json.dumps([spooled.sha256, spooled.size, asdict(how), sender])
    return hashlib.sha256(told.encode()).hexdigest()


def spool_name(site_id: int, key: str, how: HowToRead) -> str:
    """Equal uploads have one name: what a killed request left is written over by the next."""
    return f"{site_id}/{key}.{how.format}"


def take(
    *,
    import_id: int,
    path: str,
    how: Mapping[str, Any],
    language: str,
    report: Report,
    fence: Fence,
    now: dt.datetime,
    token_id: int | None = None,
) -> None:
    """Take a spooled file, from the place where an earlier run was interrupted.

    A file that cannot be read at all makes a failed import that says why; nothing is raised.
    """
    batch = Import.objects.select_related("site").get(pk=import_id)
    if batch.state != ImportState.RUNNING:
        return
    spooled = upload_path(path)
    with translation.override(language):
        error = ""
        try:
            run = _Run(batch, spooled, HowToRead(**how), now, _allowed(token_id, now))
            run.take_blocks(report, fence)
        except MappingError as problem:
            error = str(problem).replace(spooled.name, batch.file_name or _("The file"))
        except (Overtaken, DatabaseError):
            raise
        except Exception as problem:
            ingest.fail_batch(batch=batch, error=type(problem).__name__, now=now)
            raise
        _finish(batch, error, fence, now)
    if not error and not batch.refused:
        spooled.unlink(missing_ok=True)


def _finish(batch: Import, error: str, fence: Fence, now: dt.datetime) -> None:
    with transaction.atomic():
        if error:
            ingest.fail_batch(batch=batch, error=error, now=now)
        else:
            ingest.close_batch(batch=batch, now=now)
        names = ("received", "new", "duplicate", "refused")
        fence({name: getattr(batch, name) for name in names})


def _allowed(token_id: int | None, now: dt.datetime) -> frozenset[int] | None:
    """The points a token may write; None: all of its site. Raises MappingError."""
    if token_id is None:
        return None
    token = ApiToken.objects.usable(now=now).filter(pk=token_id).first()
    if token is None:
        raise MappingError(_("The token of the upload was deleted or revoked, or it expired."))
    return token.allowed_points()


@dataclass(frozen=True)
class _Block:
    found: ingest.Found
    after: Place
    done: int


class _Run:
    """One file on its way in."""

    def __init__(
        self,
        batch: Import,
        path: Path,
        how: HowToRead,
        now: dt.datetime,
        allowed: frozenset[int] | None,
    ) -> None:
        if not path.is_file():
            raise MappingError(_("The uploaded file is gone: upload it again."))
        self._batch = batch
        self._path = path
        self._how = how
        self._now = now
        self._finder = ingest.Finder(batch.site, now=now, allowed=allowed)
        self._layout = layout_in(path, how, batch.file_name)
        self._reading = self._layout.spec.format.reading(batch.site.time_zone)
        self._names = {
            name: column.column for name, column in self._layout.columns.items() if column.column
        }

    def take_blocks(self, report: Report, fence: Fence) -> None:
        if self._batch.table != self._layout.spec.table:
            Import.objects.filter(pk=self._batch.pk).update(table=self._layout.spec.table)
        total = self._total()
        for block in self._blocks():
            self._take(block, fence)
            report(_share(block.done, total), 1000, self._batch.file_name)

    def _take(self, block: _Block, fence: Fence) -> None:
        """A database that is away for a moment costs a pause: a block is all in, or not at all."""
        for pause in (*_PAUSES_SECONDS, None):
            try:
                ingest.take_upload_block(
                    batch=self._batch,
                    found=block.found,
                    place=block.after,
                    fence=fence,
                    now=self._now,
                )
                return
            except (OperationalError, InterfaceError) as error:
                if pause is None:
                    raise
                log.warning("block_put_off", import_id=self._batch.pk, error=str(error))
                connection.close()
                time.sleep(pause)

    def _blocks(self) -> Iterator[_Block]:
        gathered: list[ingest.Found] = []
        rows = 0
        last: Piece | None = None
        for piece in self._pieces():
            found = piece.found(self._finder)
            gathered.append(self._named(found))
            rows += max(1, found.received)
            last = piece
            if rows >= BLOCK_ROWS:
                yield _Block(ingest.Found.joined(gathered), piece.after, piece.done)
                gathered, rows, last = [], 0, None
        if last is not None:
            yield _Block(ingest.Found.joined(gathered), last.after, last.done)

    def _named(self, found: ingest.Found) -> ingest.Found:
        """With each field called as the file calls its column; no more errors than are kept."""
        errors = [
            replace(error, field=self._names.get(error.field, error.field))
            for error in found.errors[: ingest.MOST_KEPT_ROWS]
        ]
        return replace(found, errors=errors)

    def _pieces(self) -> Iterator[Piece]:
        place: Place = self._batch.place or self._first_place()
        match self._how.format:
            case "csv":
                return csv_pieces.pieces(self._path, self._layout, self._reading, place)
            case "ndjson":
                return ndjson_pieces.pieces(self._path, self._layout, self._reading, place)
            case _:
                parquet_pieces.check_size(self._path, settings.MAX_UPLOAD_BYTES)
                return parquet_pieces.pieces(self._path, self._layout, self._reading, place)

    def _first_place(self) -> Place:
        if self._how.format == "csv":
            return csv_pieces.first_place(self._path, self._layout)
        return ndjson_pieces.FIRST_PLACE

    def _total(self) -> int:
        if self._how.format == "parquet":
            return parquet_pieces.count_of_rows(self._path)
        return self._path.stat().st_size


def layout_in(path: Path, how: HowToRead, file_name: str) -> Layout:
    """Which columns hold what. Raises MappingError when the file tells none."""
    specs = [replace(spec, file=file_name) for spec in how.specs()]
    header = _header(path, how, specs[0])
    for spec in specs[:-1]:
        if set(spec.needed_columns()) <= set(header):
            return pieces.layout_of(spec, header)
    return pieces.layout_of(specs[-1], header)


def _header(path: Path, how: HowToRead, spec: mappings.TableMapping) -> list[str]:
    if how.format == "ndjson":
        return ndjson_pieces.names_in(path)
    if how.format == "parquet":
        return parquet_pieces.names_in(path)
    if spec.format.encoding == "utf-16":
        raise MappingError(_("Large files are read as UTF-8, latin-1 or cp1252, not as UTF-16."))
    return delimited.read_header(path, spec.format)


def _share(done: int, total: int) -> int:
    return min(1000, 1000 * done // max(1, total))
