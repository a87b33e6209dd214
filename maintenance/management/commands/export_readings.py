"""Readings as Parquet files, a folder a day, for other programs."""

from __future__ import annotations

import datetime as dt
import shutil
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from maintenance.management.commands.create_token import site_called
from maintenance.queries import readings_export


class Command(BaseCommand):
    help = (
        "Writes a site's readings to FOLDER/day=YYYY-MM-DD/*.parquet (UTC days), as Spark, Dask, "
        "DuckDB and pandas read them. A day that was exported before is replaced."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--site", required=True, help="code of the site")
        parser.add_argument("--from", dest="first", type=_date, help="first day, YYYY-MM-DD")
        parser.add_argument("--to", dest="last", type=_date, help="last day, YYYY-MM-DD")

    def handle(self, *_args: Any, **options: Any) -> None:
        site, folder = site_called(options["site"]), options["folder"]
        since = _midnight(options["first"]) if options["first"] else None
        until = _midnight(options["last"] or timezone.now().date()) + dt.timedelta(days=1)
        if since is not None and since >= until:
            raise CommandError("--from is later than --to.")
        rows = 0
        parts: Counter[dt.date] = Counter()
        for day, table in readings_export.tables_by_day(site, since=since, until=until):
            home = folder / f"day={day:%Y-%m-%d}"
            if not parts[day] and home.exists():
                shutil.rmtree(home)
            home.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, home / f"part-{parts[day]:04d}.parquet", compression="zstd")
            parts[day] += 1
            rows += table.num_rows
        self.stdout.write(f"{rows} readings of {len(parts)} days written to {folder}.")


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)
