"""Files into tables: the same code for the command, the data page and the demo plant.

A file is taken block by block. Each block is one transaction with its count, so that what the
record of the batch says is always what is stored; a run that takes up an interrupted one skips
what its record says is in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from maintenance.choices import ImportDoor, ImportState
from maintenance.flow import ingest
from maintenance.models import Import, Site
from maintenance.operations import Fence, Overtaken, Report, unfenced, unreported
from maintenance.sources import delimited, mapped
from maintenance.sources.mappings import (
    DataMapping,
    MappingError,
    SiteOfMapping,
    TableMapping,
    load,
)

MOST_ERRORS_SHOWN = 100_000


@dataclass(frozen=True)
class Source:
    """A file, or rows of the mapping itself, for one table."""

    spec: TableMapping
    path: Path | None
    file_name: str
    size: int


@dataclass
class TableResult:
    """What became of one file."""

    table: str
    file_name: str
    outcome: ingest.Outcome = field(default_factory=ingest.Outcome)
    error: str = ""


@dataclass(frozen=True)
class Taking:
    """Through which door, and how a run of an import goes about it.

    `batch` is the record of an upload, made when it was asked for; other doors have one made for
    each file.
    """

    site: Site
    door: ImportDoor
    mapping: DataMapping
    now: dt.datetime
    batch: Import | None = None
    dry_run: bool = False
    report: Report = unreported
    fence: Fence = unfenced


def sources_in(folder: Path, mapping: DataMapping) -> list[Source]:
    """The files of a folder that the mapping names. Raises MappingError before anything is read.

    What it looks at: that each file is there and has the columns that are mapped.
    """
    if not folder.is_dir():
        raise MappingError(f"There is no folder {folder}.")
    found = [_source(folder / spec.file, spec) for spec in mapping.tables if _there(folder, spec)]
    if not found:
        names = ", ".join(spec.file for spec in mapping.tables)
        raise MappingError(f"{folder} holds none of the files of {mapping.name}: {names}.")
    return found


def source_of(path: Path, spec: TableMapping, file_name: str) -> Source:
    """One file for one table, whatever the file is called."""
    return replace(_source(path, replace(spec, file=file_name)), file_name=file_name)


def _there(folder: Path, spec: TableMapping) -> bool:
    if not spec.file or (folder / spec.file).is_file():
        return True
    if not spec.optional:
        raise MappingError(f"{folder} has no file {spec.file!r} (table {spec.table}).")
    return False


def _source(path: Path, spec: TableMapping) -> Source:
    if not spec.file:
        return Source(spec, None, "", 0)
    mapped.check_header(spec, delimited.read_header(path, spec.format))
    return Source(spec, path, spec.file, path.stat().st_size)


def site_for(
    code: str, mapping: DataMapping, sources: Sequence[Source], *, now: dt.datetime
) -> Site:
    """The site that data are for: as asked, as the files or the mapping say, or the only one.

    Raises MappingError when that leaves a doubt, Refused when what is said of it cannot be.
    """
    told = [site for source in sources if source.spec.table == "sites" for site in _sites(source)]
    if mapping.site is not None:
        told.append(mapping.site)
    codes = list(dict.fromkeys(site.code for site in told)) or list(
        Site.objects.values_list("code", flat=True)
    )
    if not code and len(codes) != 1:
        among = f" (one of {', '.join(codes)})" if codes else ""
        raise MappingError(f"Which site are the data for? Say --site CODE{among}.")
    chosen = code or codes[0]
    known = Site.objects.filter(code=chosen).first()
    if known is not None:
        return known
    for site in told:
        if site.code == chosen:
            return ingest.ensure_site(
                code=site.code,
                name=site.name,
                time_zone=site.time_zone,
                currency=site.currency,
                now=now,
            )
    raise MappingError(
        f"There is no site {chosen!r}. Name it in sites.csv, or under [site] in the mapping."
    )


def _sites(source: Source) -> list[SiteOfMapping]:
    if source.path is None:
        fields = mapped.inline_fields(source.spec)
    else:
        blocks = list(delimited.read_blocks(source.path, source.spec.format))
        fields = mapped.fields_of(source.spec, delimited.joined(blocks))
    columns = {name: texts.to_pylist() for name, texts in fields.columns.items()}
    return [
        SiteOfMapping(
            code=columns["code"][i].strip(),
            name=columns.get("name", columns["code"])[i].strip(),
            time_zone=columns["time_zone"][i].strip() or "UTC" if "time_zone" in columns else "UTC",
            currency=columns["currency"][i].strip() or "EUR" if "currency" in columns else "EUR",
        )
        for i in range(len(fields.rows))
        if columns["code"][i].strip()
    ]


def take_sources(taking: Taking, sources: Sequence[Source]) -> list[TableResult]:
    """Take each source in turn. A dry run takes all and then undoes it."""
    if taking.dry_run:
        return _dry(taking, sources)
    return _take_all(taking, sources, recorded=True)


def _dry(taking: Taking, sources: Sequence[Source]) -> list[TableResult]:
    """Everything happens, in one transaction that is rolled back; the record of it is kept.

    Progress is not shown meanwhile: it would be undone too, and others would wait for its row.
    """
    quiet = replace(taking, report=unreported, fence=unfenced)
    with transaction.atomic():
        results = _take_all(quiet, sources, recorded=False)
        transaction.set_rollback(True)
    for result in results:
        with transaction.atomic():
            batch = _batch(taking, result.table, result.file_name)
            taking.fence(result.outcome.counts())
            ingest.add_to_batch(batch=batch, outcome=result.outcome, now=taking.now)
            _end(batch, result.error, taking.now)
    return results


def _take_all(
    taking: Taking,
    sources: Sequence[Source],
    *,
    recorded: bool,
) -> list[TableResult]:
    total = sum(source.size for source in sources)
    done = 0
    results = []
    for source in sources:
        run = _Run(taking, source, done, total)
        results.append(run.recorded() if recorded else run.unrecorded())
        done += source.size
    return results


class _Run:
    """One source on its way in."""

    def __init__(self, taking: Taking, source: Source, done: int, total: int) -> None:
        self._taking = taking
        self._source = source
        self._done = done
        self._total = total
        self._result = TableResult(source.spec.table, source.file_name or taking.mapping.name)

    def unrecorded(self) -> TableResult:
        try:
            for take in self._blocks():
                self._add(take())
        except MappingError as error:
            self._result.error = str(error)
        return self._result

    def recorded(self) -> TableResult:
        taking = self._taking
        batch = _batch(taking, self._result.table, self._result.file_name)
        try:
            self._take_blocks(batch)
        except MappingError as error:
            self._result.error = str(error)
        with transaction.atomic():
            taking.fence(self._result.outcome.counts())
            _end(batch, self._result.error, taking.now)
        return self._result

    def _take_blocks(self, batch: Import) -> None:
        """What an earlier run has counted is stored: passing over it again changes nothing."""
        counted = 0
        for take in self._blocks():
            with transaction.atomic():
                self._taking.fence(self._result.outcome.counts())
                outcome = take()
                if counted >= batch.received:
                    ingest.add_to_batch(batch=batch, outcome=outcome, now=self._taking.now)
            counted += outcome.received
            self._add(outcome)

    def _add(self, outcome: ingest.Outcome) -> None:
        room = MOST_ERRORS_SHOWN - len(self._result.outcome.errors)
        self._result.outcome += replace(outcome, errors=outcome.errors[:room])

    def _blocks(self) -> Iterator[Callable[[], ingest.Outcome]]:
        source, taking = self._source, self._taking
        reading = source.spec.format.reading(taking.site.time_zone)
        taking.report(_kib(self._done), _kib(self._total), self._result.file_name)
        if source.path is None:
            fields = mapped.inline_fields(source.spec)
            yield partial(self._take_fields, fields, reading)
            return
        header = delimited.read_header(source.path, source.spec.format)
        names = mapped.names_in_file(source.spec, header)
        blocks: Iterable[delimited.Block] = delimited.read_blocks(source.path, source.spec.format)
        table = ingest.TABLES.get(source.spec.table)
        if table is not None and not table.by_blocks:
            blocks = [delimited.joined(list(blocks))]
        for block in blocks:
            yield partial(self._take_block, block, reading, names)
            read = min(block.read_bytes, source.size)
            taking.report(_kib(self._done + read), _kib(self._total), self._result.file_name)

    def _take_block(
        self, block: delimited.Block, reading: ingest.Reading, names: dict[str, str]
    ) -> ingest.Outcome:
        refused = ingest.all_refused(block.errors)
        if not block.numbers:
            return refused
        if self._source.spec.is_readings:
            lines = mapped.lines_of(self._source.spec, block, reading)
            taking = self._taking
            taken = ingest.take_readings(site=taking.site, lines=lines, now=taking.now)
        else:
            taken = self._take_fields(mapped.fields_of(self._source.spec, block), reading)
        both = refused + taken.named(names)
        return replace(both, errors=tuple(sorted(both.errors, key=lambda e: e.row or 0)))

    def _take_fields(self, fields: mapped.Fields, reading: ingest.Reading) -> ingest.Outcome:
        return ingest.take_columns(
            site=self._taking.site,
            table=ingest.TABLES[self._source.spec.table],
            columns=fields.columns,
            rows=fields.rows,
            raw=fields.raw,
            source=self._taking.mapping.source,
            now=self._taking.now,
            reading=reading,
        )


def _batch(taking: Taking, table: str, file_name: str) -> Import:
    return taking.batch or ingest.open_batch(
        site=taking.site,
        door=taking.door,
        table=table,
        file_name=file_name,
        mapping=taking.mapping.name,
        dry_run=taking.dry_run,
        now=taking.now,
    )


def _end(batch: Import, error: str, now: dt.datetime) -> None:
    if error:
        ingest.fail_batch(batch=batch, error=error, now=now)
    else:
        ingest.close_batch(batch=batch, now=now)


def _kib(size: int) -> int:
    return -(-size // 1024)


def upload_path(name: str) -> Path:
    """Where an upload lies. Raises MappingError for a name that leads out of the folder."""
    folder = Path(settings.MEDIA_ROOT).resolve()
    path = (folder / name).resolve()
    if folder not in path.parents:
        raise MappingError(f"{name!r} is no upload.")
    return path


def run_import(
    *,
    import_id: int,
    path: str,
    language: str,
    report: Report,
    fence: Fence,
    now: dt.datetime,
) -> None:
    """Take an uploaded file (`path` below MEDIA_ROOT), as its record says; reasons in a language.

    A file that cannot be read at all makes a failed import that says why; nothing is raised.
    """
    batch = Import.objects.select_related("site").get(pk=import_id)
    if batch.state != ImportState.RUNNING:
        return
    with translation.override(language):
        try:
            _take_upload(batch, upload_path(path), report, fence, now)
        except MappingError as error:
            with transaction.atomic():
                fence({})
                _end(batch, str(error), now)
        except Overtaken:
            raise
        except Exception as error:
            _end(batch, type(error).__name__, now)
            raise


def _take_upload(batch: Import, path: Path, report: Report, fence: Fence, now: dt.datetime) -> None:
    mapping = load(batch.mapping)
    spec = mapping.of_table(batch.table)
    if spec is None:
        raise MappingError(_("The mapping has no table %(table)s.") % {"table": batch.table})
    if not path.is_file():
        raise MappingError(_("The uploaded file is gone: upload it again."))
    taking = Taking(
        site=batch.site,
        door=ImportDoor(batch.door),
        mapping=mapping,
        now=now,
        batch=batch,
        dry_run=batch.dry_run,
        report=report,
        fence=fence,
    )
    [result] = take_sources(taking, [source_of(path, spec, batch.file_name)])
    if not result.error and not result.outcome.refused:
        path.unlink(missing_ok=True)
