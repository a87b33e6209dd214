"""The fields of a table that can be brought in, and how their text becomes a value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import Enum
from typing import Any, TypeAlias

import pyarrow as pa  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from maintenance.flow.ingest.columns import (
    PLAIN,
    Problems,
    Reading,
    as_text,
    implausible,
    instants,
    numbers,
    shown,
    text_problem,
)
from maintenance.flow.ingest.refusals import RowError, storable
from maintenance.instants import from_us

MOST_AMOUNT = 1e9
"""Of counts and amounts whose field names no limit of its own; the least is 0."""

Column: TypeAlias = tuple[list[Any], Problems]
ATTRIBUTES = "attributes."
"""Columns that start so are numeric attributes of the row."""


class Kind(Enum):
    TEXT = "text"
    LIST = "texts separated by |"
    WHOLE = "whole number"
    NUMBER = "number"
    MONEY = "amount"
    INSTANT = "date and time"
    DATE = "date"
    TIME = "time of day"
    CHOICE = "one of a list"


@dataclass(frozen=True)
class Field:
    """One column. `key` fields say which row is meant; `needed` ones a new row must have;
    a `past` instant has happened, so that it cannot lie ahead."""

    name: str
    help: str
    example: str
    kind: Kind = Kind.TEXT
    key: bool = False
    needed: bool = False
    longest: int = 120
    choices: Sequence[str] = ()
    least: float | None = None
    most: float | None = None
    past: bool = False


@dataclass(frozen=True)
class Row:
    """One row as read: where it stood, its values by field (empty cells are absent), its text."""

    number: int
    values: Mapping[str, Any]
    raw: str = field(compare=False, default="")

    def error(self, name: str, reason: str) -> RowError:
        return RowError(row=self.number, field=name, reason=reason, raw=storable(self.raw))


def read_rows(
    fields: Sequence[Field],
    columns: Mapping[str, pa.StringArray],
    numbers_of_rows: Sequence[int],
    raw: Callable[[int], str],
    *,
    reading: Reading = PLAIN,
    now: dt.datetime,
) -> tuple[list[Row], list[RowError]]:
    """Rows that can be read, and one error for each that cannot: its first bad field."""
    count = len(numbers_of_rows)
    values: list[dict[str, Any]] = [{} for _i in range(count)]
    first_problem: dict[int, tuple[str, str]] = {}
    for declared in _present(fields, columns):
        found, problems = _read(declared, columns[declared.name], reading, now)
        for i, reason in problems.items():
            first_problem.setdefault(i, (declared.name, reason))
        for i, value in enumerate(found):
            if value is not None:
                values[i][declared.name] = value
    rows, errors = [], []
    for i, number in enumerate(numbers_of_rows):
        row = Row(number=number, values=values[i], raw=raw(i))
        problem = first_problem.get(i) or _missing_key(fields, row)
        if problem:
            errors.append(row.error(*problem))
        else:
            rows.append(row)
    return rows, errors


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.StringArray]:
    """Rows of values (text, numbers, instants, None) as the columns a file would have had."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: pa.array([as_text(row.get(name)) for row in rows], pa.string()) for name in names}


def _present(fields: Sequence[Field], columns: Mapping[str, pa.StringArray]) -> list[Field]:
    known = [declared for declared in fields if declared.name in columns]
    extra = [name for name in columns if name.startswith(ATTRIBUTES)]
    return known + [Field(name, "", "", kind=Kind.NUMBER) for name in extra]


def _missing_key(fields: Sequence[Field], row: Row) -> tuple[str, str] | None:
    for declared in fields:
        if declared.key and declared.name not in row.values:
            return declared.name, _("is missing")
    return None


def _read(field: Field, column: pa.StringArray, reading: Reading, now: dt.datetime) -> Column:
    """Values by row, None where the cell is empty or bad."""
    cells = [text.strip() for text in column.to_pylist()]
    filled = [i for i, text in enumerate(cells) if text]
    part = [cells[i] for i in filled]
    values, problems = _READERS[field.kind](field, part, reading, now)
    found: list[Any] = [None] * len(cells)
    for i, value in zip(filled, values, strict=True):
        found[i] = value
    wrong = {filled[i]: reason for i, reason in problems.items()}
    for i in wrong:
        found[i] = None
    return found, wrong


def _each(cells: list[str], read: Callable[[str], Any]) -> Column:
    values: list[Any] = []
    problems: Problems = {}
    for i, text in enumerate(cells):
        try:
            values.append(read(text))
        except ValueError as error:
            values.append(None)
            problems[i] = str(error)
    return values, problems


def _texts(field: Field, cells: list[str], *_args: object) -> Column:
    problems = {i: text_problem(text, field.longest) for i, text in enumerate(cells)}
    return list(cells), {i: reason for i, reason in problems.items() if reason}


def _lists(field: Field, cells: list[str], *_args: object) -> Column:
    values, problems = _texts(field, cells)
    return [[part.strip() for part in text.split("|") if part.strip()] for text in values], problems


def _numbers(field: Field, cells: list[str], reading: Reading, _now: dt.datetime) -> Column:
    found, problems = numbers(pa.array(cells, pa.string()), reading=reading)
    values = found.tolist()
    for i, value in enumerate(values):
        if i not in problems and (reason := _outside(field, value)):
            problems[i] = reason
    return values, problems


def _wholes(field: Field, cells: list[str], reading: Reading, now: dt.datetime) -> Column:
    values, problems = _numbers(field, cells, reading, now)
    for i, value in enumerate(values):
        if i not in problems and value != int(value):
            problems[i] = _("%(value)s is not a whole number") % {"value": shown(cells[i])}
    return [int(value) for value in values], problems


def _amounts(field: Field, cells: list[str], reading: Reading, now: dt.datetime) -> Column:
    """Kept to the cent, which is what the tables hold."""
    values, problems = _numbers(field, cells, reading, now)
    cents = Decimal("0.01")
    rounded = [Decimal(repr(value)).quantize(cents, ROUND_HALF_EVEN) for value in values]
    return list(rounded), problems


def _outside(field: Field, value: float) -> str:
    least = 0.0 if field.least is None and field.kind is not Kind.NUMBER else field.least
    most = MOST_AMOUNT if field.most is None and field.kind is not Kind.NUMBER else field.most
    if least is not None and value < least:
        return _("is below %(least)g") % {"least": least}
    if most is not None and value > most:
        return _("is above %(most)g") % {"most": most}
    return ""


def _instants(field: Field, cells: list[str], reading: Reading, now: dt.datetime) -> Column:
    at_us, problems = instants(pa.array(cells, pa.string()), reading=reading)
    wrong = implausible(at_us, now=now) if field.past else {}
    problems = {**wrong, **problems}
    return [from_us(us) for us in at_us.tolist()], problems


def _dates(_field: Field, cells: list[str], *_args: object) -> Column:
    return _each(cells, _date)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        words = {"value": shown(text)}
        raise ValueError(_("%(value)s is not a date as expected: 2026-01-31") % words) from None


def _times(_field: Field, cells: list[str], *_args: object) -> Column:
    return _each(cells, _time)


def _time(text: str) -> dt.time:
    try:
        read = dt.time.fromisoformat(text if len(text) != len("7:30") else f"0{text}")
    except ValueError:
        read = None
    if read is None or read.tzinfo is not None:
        raise ValueError(_("%(value)s is not a time of day: 07:30") % {"value": shown(text)})
    return read


def _choices(field: Field, cells: list[str], *_args: object) -> Column:
    return _each(cells, lambda text: _choice(text, field.choices))


def _choice(text: str, choices: Sequence[str]) -> str:
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    words = {"value": shown(text), "choices": ", ".join(choices)}
    raise ValueError(_("%(value)s is not one of %(choices)s") % words)


_READERS: Mapping[Kind, Callable[[Field, list[str], Reading, dt.datetime], Column]] = {
    Kind.TEXT: _texts,
    Kind.LIST: _lists,
    Kind.WHOLE: _wholes,
    Kind.NUMBER: _numbers,
    Kind.MONEY: _amounts,
    Kind.INSTANT: _instants,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.CHOICE: _choices,
}
