"""Replace stored values by corrected ones, on the record."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from maintenance.flow import keep
from maintenance.flow.ingest.readings import Points, ReadingLines, Signal, found_in
from maintenance.management.commands.create_token import site_called

COLUMNS = ("asset", "point", "at", "value")
# As of `import_data`: some rows were refused, the others were taken.
ROWS_REFUSED = 3


class Command(BaseCommand):
    help = (
        "Replaces stored values by those of a CSV with columns asset, point, at, value. The old "
        f"values are kept with the reason. Ends with {ROWS_REFUSED} when rows were refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--site", required=True, help="code of the site")
        parser.add_argument("--reason", required=True, help="why; kept with each old value")

    def handle(self, *_args: Any, **options: Any) -> None:
        site, now = site_called(options["site"]), timezone.now()
        columns = _columns(options["file"])
        points = Points(site)
        points.load(set(columns["asset"].to_pylist()))
        found = found_in(_lines(columns), points=points, now=now)
        corrected = keep.correct(
            site=site,
            point_ids=found.point_ids,
            at_us=found.at_us,
            values=found.values,
            reason=options["reason"][:240],
            by=None,
            now=now,
        )
        self.stdout.write(
            f"{corrected.replaced} readings corrected; {corrected.left} rows had that value "
            "already, or no reading to correct."
        )
        for error in found.errors:
            self.stderr.write(f"row {error.row}, {error.field}: {error.reason}")
        if found.errors:
            raise SystemExit(ROWS_REFUSED)


def _columns(path: Path) -> dict[str, pa.StringArray]:
    as_text = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(COLUMNS, pa.string()), include_columns=COLUMNS
    )
    try:
        table = pa_csv.read_csv(path, convert_options=as_text).combine_chunks()
    except (OSError, KeyError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    return {name: pa.concat_arrays(table[name].chunks) for name in COLUMNS}


def _lines(columns: dict[str, pa.StringArray]) -> ReadingLines:
    return ReadingLines(
        rows=range(1, len(columns["asset"]) + 1),
        assets=columns["asset"],
        at=columns["at"],
        signals=[Signal(point=columns["point"], values=columns["value"])],
        raw=lambda i: ",".join(columns[name][i].as_py() for name in COLUMNS),
    )
