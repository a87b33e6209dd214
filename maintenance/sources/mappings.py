"""A mapping says which file holds which table, which column holds which field, and how.

It is a small TOML file; `docs/reference/mappings.md` describes each key. Whatever is wrong with
one is said by name before anything is read.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from maintenance.flow.ingest import ATTRIBUTES, EPOCH_UNITS, TABLES, Period, Reading

FOLDER = Path(__file__).with_name("mappings")
READINGS = "readings"
READINGS_WIDE = "readings_wide"
READING_FIELDS: Mapping[str, tuple[str, ...]] = {
    READINGS: ("asset", "point", "at", "value"),
    READINGS_WIDE: ("asset", "at"),
}
TABLE_NAMES = (*TABLES, *READING_FIELDS)
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252")
DELIMITERS = (",", ";", "\t", "|", "auto")
_UNITS_US = {"s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}


class MappingError(Exception):
    """The mapping, or a file it names, is not as it must be."""


@dataclass(frozen=True)
class Column:
    """Where the values of a field come from, and what is done to them on the way."""

    column: str = ""
    value: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    integer: bool = False
    years_before: str = ""
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Format:
    """How a file is written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    comment: str = ""
    decimal_comma: bool = False
    date_format: str = ""
    time_zone: str = ""
    stamped: str = "end"
    period: str = ""

    def reading(self, site_zone: str) -> Reading:
        """`site_zone` holds where the mapping names no time zone."""
        shift = _period(self.period) if self.stamped == "start" else Period()
        zone = ZoneInfo(self.time_zone or site_zone)
        return Reading(zone, self.date_format, self.decimal_comma, shift)


@dataclass(frozen=True)
class TableMapping:
    table: str
    file: str = ""
    optional: bool = False
    format: Format = Format()
    columns: Mapping[str, Column] = field(default_factory=dict)
    points: Mapping[str, Column] = field(default_factory=dict)
    rows: Sequence[Mapping[str, str]] = ()
    for_each: Sequence[Mapping[str, str]] = ()

    @property
    def is_readings(self) -> bool:
        return self.table in READING_FIELDS

    def needed_columns(self) -> Iterator[str]:
        """Columns that the file must have."""
        for spec in (*self.columns.values(), *self.points.values()):
            if spec.column:
                yield spec.column
        if self.is_readings and not self.columns:
            yield from READING_FIELDS[self.table]


@dataclass(frozen=True)
class SiteOfMapping:
    code: str
    name: str = ""
    time_zone: str = "UTC"
    currency: str = "EUR"


@dataclass(frozen=True)
class DataMapping:
    name: str
    description: str
    source: str
    site: SiteOfMapping | None
    tables: Sequence[TableMapping]

    def of_table(self, table: str) -> TableMapping | None:
        return next((one for one in self.tables if one.table == table), None)


def shipped() -> list[str]:
    """Names of the mappings that come with Vigía."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name_or_path: str) -> DataMapping:
    """A shipped mapping by name, or any by the path of its file."""
    path = FOLDER / f"{name_or_path}.toml"
    if name_or_path not in shipped():
        path = Path(name_or_path)
        if not path.is_file():
            raise MappingError(
                f"There is no mapping {name_or_path!r}: give one of {', '.join(shipped())}, "
                "or the path of a TOML file."
            )
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{path.name} is not TOML: {error}") from error
    return _mapping(path.stem, told, path.name)


_FORMAT_KEYS = [one.name for one in fields(Format)]
_TOP_KEYS = ["description", "source", "site", "tables", *_FORMAT_KEYS]
_TABLE_KEYS = [
    *("table", "file", "optional", "columns", "points", "rows", "for_each"),
    *_FORMAT_KEYS,
]
_COLUMN_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "column": str,
    "value": (str, int, float),
    "values": dict,
    "prefix": str,
    "integer": bool,
    "years_before": str,
    "scale": (int, float),
    "offset": (int, float),
}


def _mapping(name: str, told: dict[str, Any], where: str) -> DataMapping:
    _only(told, _TOP_KEYS, where)
    tables = told.get("tables")
    if not isinstance(tables, list) or not tables:
        raise MappingError(f"{where}: there is no [[tables]].")
    common = {key: told[key] for key in _FORMAT_KEYS if key in told}
    return DataMapping(
        name=name,
        description=_text(told, "description", where),
        source=_text(told, "source", where) or name[:40],
        site=_site(told["site"], f"{where}, [site]") if "site" in told else None,
        tables=[_table(common, table, where, i) for i, table in enumerate(tables, 1)],
    )


def _site(told: Any, where: str) -> SiteOfMapping:
    keys = [one.name for one in fields(SiteOfMapping)]
    _only(told, keys, where)
    if not _text(told, "code", where):
        raise MappingError(f"{where}: code is missing.")
    return SiteOfMapping(**{key: _text(told, key, where) for key in keys if key in told})


def _table(common: dict[str, Any], told: Any, where: str, number: int) -> TableMapping:
    where = f"{where}, table {number}"
    if not isinstance(told, dict):
        raise MappingError(f"{where} is not written as [[tables]].")
    table = _text(told, "table", where)
    if table not in TABLE_NAMES:
        raise MappingError(f"{where}: {_unknown('table', table, TABLE_NAMES)}")
    where = f"{where} ({table})"
    _only(told, _TABLE_KEYS, where)
    made = TableMapping(
        table=table,
        file=_text(told, "file", where),
        optional=_flag(told, "optional", where),
        format=_format({**common, **{k: told[k] for k in _FORMAT_KEYS if k in told}}, where),
        columns=_columns(told, "columns", where),
        points=_columns(told, "points", where),
        rows=_rows(told, "rows", where),
        for_each=_rows(told, "for_each", where),
    )
    _check_table(made, where)
    return made


def _check_table(made: TableMapping, where: str) -> None:
    if bool(made.file) == bool(made.rows):
        raise MappingError(f"{where}: give either file or rows.")
    if made.rows and made.is_readings:
        raise MappingError(f"{where}: readings come from a file.")
    if made.points and made.table != READINGS_WIDE:
        raise MappingError(f"{where}: points belong to the table {READINGS_WIDE}.")
    known = _fields_of(made.table)
    named = [*made.columns, *(key for row in (*made.rows, *made.for_each) for key in row)]
    for name in named:
        if name not in known and not (made.table == "assets" and name.startswith(ATTRIBUTES)):
            raise MappingError(f"{where}: {_unknown('field', name, known)}")
    absent = [name for name in _keys_of(made.table) if name not in named]
    if (made.columns or made.rows) and absent:
        raise MappingError(f"{where}: no column is given for {', '.join(absent)}.")


def _keys_of(table: str) -> tuple[str, ...]:
    """Without these nobody can say what a row is about."""
    if table in READING_FIELDS:
        return READING_FIELDS[table]
    return tuple(one.name for one in TABLES[table].fields if one.key)


def _fields_of(table: str) -> tuple[str, ...]:
    if table in READING_FIELDS:
        return READING_FIELDS[table]
    return tuple(one.name for one in TABLES[table].fields)


def _format(told: dict[str, Any], where: str) -> Format:
    texts = {key: _text(told, key, where) for key in told if key != "decimal_comma"}
    made = Format(**texts, decimal_comma=_flag(told, "decimal_comma", where))
    _among(made.delimiter, DELIMITERS, f"{where}: delimiter")
    _among(made.encoding, ENCODINGS, f"{where}: encoding")
    _among(made.stamped, ("start", "end"), f"{where}: stamped")
    if made.stamped == "start" and not made.period:
        raise MappingError(f'{where}: stamped = "start" needs a period such as "1d".')
    if made.period:
        _checked_period(made.period, where)
    if made.time_zone:
        _checked_zone(made.time_zone, where)
    if made.date_format and made.date_format not in EPOCH_UNITS and "%" not in made.date_format:
        raise MappingError(
            f"{where}: date_format {made.date_format!r} is neither of {', '.join(EPOCH_UNITS)} "
            'nor a pattern such as "%d/%m/%Y %H:%M".'
        )
    return made


def _checked_period(period: str, where: str) -> None:
    if not re.fullmatch(r"[1-9]\d{0,4}(s|min|h|d)", period):
        raise MappingError(f"{where}: period {period!r} is not such as 10min, 1h or 1d.")


def _checked_zone(name: str, where: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise MappingError(f"{where}: time_zone {name!r} is none such as Europe/Madrid.") from None


def _checked_instant(text: str, where: str) -> None:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        raise MappingError(f"{where}: years_before {text!r} is no ISO 8601 instant.") from None


def _period(period: str) -> Period:
    count, unit = re.fullmatch(r"(\d+)(s|min|h|d)", period).groups()  # type: ignore[union-attr]
    if unit == "d":
        return Period(days=int(count))
    return Period(us=int(count) * _UNITS_US[unit])


def _columns(told: dict[str, Any], key: str, where: str) -> dict[str, Column]:
    given = told.get(key, {})
    if not isinstance(given, dict):
        raise MappingError(f"{where}: {key} is not a table of fields and columns.")
    return {name: _column(spec, f"{where}, {key}.{name}") for name, spec in given.items()}


def _column(told: Any, where: str) -> Column:
    if isinstance(told, str):
        return Column(column=told)
    _only(told, _COLUMN_TYPES, where)
    for key, value in told.items():
        if not isinstance(value, _COLUMN_TYPES[key]):
            raise MappingError(f"{where}: {key} = {value!r} has the wrong type.")
    if ("column" in told) == ("value" in told):
        raise MappingError(f"{where}: give either column or value.")
    if "years_before" in told:
        _checked_instant(told["years_before"], where)
    made = dict(told)
    if "value" in made:
        made["value"] = str(made["value"])
    made["values"] = {str(k): str(v) for k, v in told.get("values", {}).items()}
    return Column(**made)


def _rows(told: dict[str, Any], key: str, where: str) -> list[dict[str, str]]:
    given = told.get(key, [])
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise MappingError(f"{where}: {key} is not a list of rows.")
    return [{name: str(value) for name, value in row.items()} for row in given]


def _only(told: Any, known: Sequence[str] | Mapping[str, Any], where: str) -> None:
    if not isinstance(told, dict):
        raise MappingError(f"{where} is not a table.")
    for key in told:
        if key not in known:
            raise MappingError(f"{where}: {_unknown('key', key, known)}")


def _unknown(what: str, name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    return f"the {what} {name!r} is unknown. {hint}"


def _among(value: str, known: Sequence[str], where: str) -> None:
    if value not in known:
        raise MappingError(f"{where} = {value!r} is not one of {', '.join(map(repr, known))}.")


def _text(told: dict[str, Any], key: str, where: str) -> str:
    value = told.get(key, "")
    if not isinstance(value, str):
        raise MappingError(f"{where}: {key} = {value!r} is not a text.")
    return value


def _flag(told: dict[str, Any], key: str, where: str) -> bool:
    value = told.get(key, False)
    if not isinstance(value, bool):
        raise MappingError(f"{where}: {key} = {value!r} is neither true nor false.")
    return value
