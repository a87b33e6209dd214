"""Bring a folder of files in, as a mapping says."""

from __future__ import annotations

import csv
import datetime as dt
import json
from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from maintenance.choices import ImportDoor
from maintenance.flow import ingest
from maintenance.models import Site
from maintenance.operations import unreported
from maintenance.sources import files
from maintenance.sources.mappings import DataMapping, MappingError, load, shipped

# So that a script can tell a few bad rows from files that could not be read (1).
ROWS_REFUSED = 3
ERRORS_HEADER = ("table", "file", "row", "field", "reason", "raw")


class Command(BaseCommand):
    help = (
        "Brings files in: sites, assets, points, readings, events, people, tools, parts, plans. "
        f"Ends with {ROWS_REFUSED} when rows were refused; the others are kept all the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder with the files")
        parser.add_argument(
            "--mapping",
            default="templates",
            help=f"{', '.join(shipped())}, or the path of a TOML file (default: %(default)s)",
        )
        parser.add_argument("--site", default="", help="code of the site; made if it is told how")
        parser.add_argument("--dry-run", action="store_true", help="check and count, keep nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object alone")
        parser.add_argument(
            "--errors",
            type=Path,
            default=Path("import-errors.csv"),
            help="where refused rows are written, if there are any (default: %(default)s)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            mapping = load(options["mapping"])
            sources = files.sources_in(options["folder"], mapping)
            with transaction.atomic() if options["dry_run"] else nullcontext():
                site = files.site_for(options["site"], mapping, sources, now=now)
                results = files.take_sources(self._taking(site, mapping, now, options), sources)
                if options["dry_run"]:
                    transaction.set_rollback(True)
        except (MappingError, ingest.Refused) as error:
            raise CommandError(str(error)) from error
        written = _write_errors(options["errors"], results)
        self._answer(site, mapping, results, written, options)

    def _taking(
        self, site: Site, mapping: DataMapping, now: dt.datetime, options: dict[str, Any]
    ) -> files.Taking:
        return files.Taking(
            site=site,
            door=ImportDoor.COMMAND,
            mapping=mapping,
            now=now,
            dry_run=options["dry_run"],
            report=unreported if options["json"] else self._report,
        )

    def _report(self, done: int, total: int, note: str) -> None:
        share = done / total if total else 1.0
        self.stderr.write(f"{share:4.0%}  {note}")

    def _answer(
        self,
        site: Site,
        mapping: DataMapping,
        results: list[files.TableResult],
        written: Path | None,
        options: dict[str, Any],
    ) -> None:
        total = sum((result.outcome for result in results), ingest.Outcome())
        failed = [result for result in results if result.error]
        if options["json"]:
            tables = [
                {
                    "table": result.table,
                    "file": result.file_name,
                    "error": result.error,
                    **result.outcome.counts(),
                }
                for result in results
            ]
            answer = {
                "site": site.code,
                "mapping": mapping.name,
                "dry_run": options["dry_run"],
                **total.counts(),
                "errors_file": str(written or ""),
                "tables": tables,
            }
            self.stdout.write(json.dumps(answer))
        else:
            self._table(results, total)
            if options["dry_run"]:
                self.stdout.write("Dry run: nothing was kept.")
            if written:
                self.stdout.write(f"Refused rows are in {written}.")
        if failed:
            words = "; ".join(f"{result.file_name}: {result.error}" for result in failed)
            raise CommandError(words)
        if total.refused:
            rows = "1 row was" if total.refused == 1 else f"{total.refused} rows were"
            raise CommandError(f"{rows} refused: see {written}.", returncode=ROWS_REFUSED)

    def _table(self, results: list[files.TableResult], total: ingest.Outcome) -> None:
        head = ("received", "new", "changed", "known", "refused")
        self.stdout.write(f"{'table':<22}{'file':<28}" + "".join(f"{word:>10}" for word in head))
        for result in [*results, files.TableResult("total", "", total)]:
            counts = "".join(f"{count:>10}" for count in result.outcome.counts().values())
            self.stdout.write(f"{result.table:<22}{result.file_name[:27]:<28}{counts}")


def _write_errors(path: Path, results: list[files.TableResult]) -> Path | None:
    if not any(result.outcome.errors for result in results):
        return None
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(ERRORS_HEADER)
        for result in results:
            for error in result.outcome.errors:
                row = "" if error.row is None else error.row
                writer.writerow(
                    (result.table, result.file_name, row, error.field, error.reason, error.raw)
                )
    return path
