"""Plain templates: one file a table, columns called as the fields, an example to take away."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from maintenance.flow.ingest import TABLES, Field, Kind
from maintenance.sources.mappings import READINGS, READINGS_WIDE, TABLE_NAMES

_ASSET = Field("asset", "code or external id of the asset", "P-101", key=True)
_AT = Field("at", "when the value was known", "2026-01-31T23:59:00Z", kind=Kind.INSTANT, key=True)
_VALUE = Field("value", "the value", "2.4", kind=Kind.NUMBER, key=True)
_READINGS = {
    READINGS: (_ASSET, Field("point", "code of the point", "vibration", key=True), _AT, _VALUE),
    READINGS_WIDE: (
        _ASSET,
        _AT,
        Field("vibration", "one column a point, called as its code", "2.4", kind=Kind.NUMBER),
        Field("pressure", "another point; empty where there is none", "6.1", kind=Kind.NUMBER),
    ),
}
_ABOUT = {
    READINGS: "values of points, one a row",
    READINGS_WIDE: "values of points, one column a point",
}


def fields_of(table: str) -> tuple[Field, ...]:
    return _READINGS[table] if table in _READINGS else TABLES[table].fields


def template(table: str) -> str:
    """The header, and an example behind a # that the import passes over."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = fields_of(table)
    writer.writerow([field.name for field in fields])
    example = io.StringIO()
    csv.writer(example, lineterminator="\n").writerow([field.example for field in fields])
    return f"{out.getvalue()}# {example.getvalue()}"


def readme() -> str:
    """What each file and column means."""
    parts = [_README]
    for table in TABLE_NAMES:
        about = _ABOUT.get(table) or TABLES[table].about
        lines = [_line(field) for field in fields_of(table)]
        parts.append("\n".join([f"## {table}.csv: {about}", "", *_HEAD, *lines]))
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> list[Path]:
    """All templates and the README. Raises FileExistsError rather than write over a file."""
    wanted = {f"{table}.csv": template(table) for table in TABLE_NAMES} | {"README.md": readme()}
    paths = {folder / name: text for name, text in wanted.items()}
    for path in paths:
        if path.exists():
            raise FileExistsError(f"{path} exists already.")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in paths.items():
        path.write_text(text, encoding="utf-8")
    return list(paths)


_HEAD = ("| column | | what | kind | example |", "|---|---|---|---|---|")


def _line(field: Field) -> str:
    duty = "key" if field.key else "needed" if field.needed else ""
    kind = ", ".join(field.choices) if field.choices else field.kind.value
    return f"| {field.name} | {duty} | {field.help} | {kind} | {field.example} |"


_README = """\
# Your data for Vigía

Fill the files you have, delete the others, and run

    manage.py import_data FOLDER --dry-run
    manage.py import_data FOLDER

The same files may be imported again: what is known stays as it is, what differs is changed, and a
row that cannot be taken is written to `import-errors.csv` with its line, field and reason.

- Lines that start with # are passed over. Columns may stand in any order and may be left out,
  except those marked *key*; those marked *needed* must be there for a new row.
- An empty cell says nothing: it changes nothing.
- Dates and times are ISO 8601 (2026-01-31T23:59:00+01:00). Without an offset they are read in the
  plant's time zone.
- Columns are parted by comma, semicolon, tab or |; the header decides. Text is UTF-8.
- Other columns or dates? Write a mapping: docs/reference/mappings.md."""
