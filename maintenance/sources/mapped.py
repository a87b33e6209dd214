"""A block of a file as the fields that its mapping says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from maintenance.flow import ingest
from maintenance.sources.delimited import Block
from maintenance.sources.mappings import (
    READING_FIELDS,
    READINGS_WIDE,
    Column,
    MappingError,
    TableMapping,
)

DAYS_A_YEAR = 365.2425


@dataclass(frozen=True)
class Fields:
    """Columns of text by field, with the line and the text each row comes from."""

    columns: dict[str, pa.StringArray]
    rows: Sequence[int]
    raw: Callable[[int], str]


def check_header(spec: TableMapping, header: Sequence[str]) -> None:
    """Raises MappingError naming the columns that are not there."""
    absent = [name for name in dict.fromkeys(spec.needed_columns()) if name not in header]
    if absent:
        raise MappingError(
            _("%(file)s has no column %(absent)s; it has %(columns)s.")
            % _of_header(spec, absent, header)
        )
    if not spec.columns and not spec.is_readings:
        known = [field.name for field in ingest.TABLES[spec.table].fields if field.key]
        absent = [name for name in known if name not in header and name not in _given(spec)]
        if absent:
            raise MappingError(
                _(
                    "%(file)s has no column %(absent)s, which says what a row of %(table)s is "
                    "about; it has %(columns)s."
                )
                % _of_header(spec, absent, header)
            )


def _of_header(spec: TableMapping, absent: Sequence[str], header: Sequence[str]) -> dict[str, str]:
    return {
        "file": spec.file,
        "table": spec.table,
        "absent": ", ".join(map(repr, absent)),
        "columns": ", ".join(map(repr, header)),
    }


def fields_of(spec: TableMapping, block: Block) -> Fields:
    """The rows of a table. Each row of the file stands once for every entry of `for_each`."""
    count = len(block.numbers)
    columns = {
        name: _of_column(column, block.columns, count)
        for name, column in columns_of(spec, list(block.columns)).items()
    }
    return _for_each(spec, Fields(columns, block.numbers, block.raw.__getitem__))


def inline_fields(spec: TableMapping) -> Fields:
    """Rows that the mapping itself holds, numbered from 1."""
    names = list(dict.fromkeys(name for row in spec.rows for name in row))
    columns = {name: pa.array([row.get(name, "") for row in spec.rows]) for name in names}
    raw = [", ".join(f"{k}={v}" for k, v in row.items()) for row in spec.rows]
    numbers = range(1, len(raw) + 1)
    return _for_each(spec, Fields(columns, numbers, raw.__getitem__))


def lines_of(spec: TableMapping, block: Block, reading: ingest.Reading) -> ingest.ReadingLines:
    """The readings of a block."""
    count = len(block.numbers)
    named = columns_of(spec, list(block.columns))
    columns = {name: _of_column(column, block.columns, count) for name, column in named.items()}
    if spec.table == READINGS_WIDE:
        signals = [
            ingest.Signal(
                point=point,
                values=_scaled(column, block.columns[column.column], reading),
                field=column.column,
            )
            for point, column in points_of(spec, list(block.columns)).items()
        ]
    else:
        values = _scaled(named["value"], columns["value"], reading)
        signals = [ingest.Signal(point=columns["point"], values=values)]
    return ingest.ReadingLines(
        rows=block.numbers,
        assets=columns["asset"],
        at=columns["at"],
        signals=signals,
        raw=block.raw.__getitem__,
        reading=reading,
    )


def columns_of(spec: TableMapping, header: Sequence[str]) -> Mapping[str, Column]:
    """As mapped; without a mapping, columns are called as the fields."""
    if spec.columns:
        return spec.columns
    if spec.is_readings:
        return {name: Column(column=name) for name in READING_FIELDS[spec.table]}
    known = {field.name for field in ingest.TABLES[spec.table].fields}
    return {
        name: Column(column=name)
        for name in header
        if name in known or (spec.table == "assets" and name.startswith(ingest.ATTRIBUTES))
    }


def points_of(spec: TableMapping, header: Sequence[str]) -> Mapping[str, Column]:
    """As mapped; without a mapping, each further column is called as its point."""
    if spec.points:
        return spec.points
    taken = {column.column for column in columns_of(spec, header).values()}
    return {name: Column(column=name) for name in header if name and name not in taken}


def names_in_file(spec: TableMapping, header: Sequence[str]) -> dict[str, str]:
    """What the file calls each field."""
    return {
        name: column.column for name, column in columns_of(spec, header).items() if column.column
    }


def _given(spec: TableMapping) -> set[str]:
    return {name for row in spec.for_each for name in row}


def _for_each(spec: TableMapping, once: Fields) -> Fields:
    if not spec.for_each:
        return once
    count, times = len(once.rows), len(spec.for_each)
    which = pa.array(np.repeat(np.arange(count), times))
    columns = {name: column.take(which) for name, column in once.columns.items()}
    for name in dict.fromkeys(name for entry in spec.for_each for name in entry):
        columns[name] = pa.array([entry.get(name, "") for entry in spec.for_each] * count)
    rows = [number for number in once.rows for _i in range(times)]
    return Fields(columns, rows, lambda i: once.raw(i // times))


def _of_column(column: Column, columns: Mapping[str, pa.StringArray], count: int) -> pa.StringArray:
    if column.value is not None:
        return pa.array([column.value] * count, pa.string())
    texts = columns[column.column]
    if column.values:
        texts = _translated(texts, column.values)
    if column.integer:
        # 12.0 is how a spreadsheet or a frame writes the whole number 12.
        texts = pc.replace_substring_regex(texts, r"^\s*(\d+)\.0+\s*$", r"\1")
    if column.years_before:
        texts = _years_before(texts, column.years_before)
    if column.prefix:
        texts = pc.binary_join_element_wise(column.prefix, texts, "")
    return texts


def _translated(texts: pa.StringArray, values: Mapping[str, str]) -> pa.StringArray:
    return pa.array([values.get(text.strip(), text) for text in texts.to_pylist()], pa.string())


def _years_before(texts: pa.StringArray, end: str) -> pa.StringArray:
    """An age in years as the instant it counts from; an age that is none is left as it came."""
    years, wrong = ingest.numbers(texts)
    until = dt.datetime.fromisoformat(end)
    return pa.array(
        [
            texts[i].as_py()
            if i in wrong or not 0 <= age <= 200
            else (until - dt.timedelta(days=round(age * DAYS_A_YEAR))).isoformat()
            for i, age in enumerate(years.tolist())
        ],
        pa.string(),
    )


def _scaled(column: Column, texts: pa.StringArray, reading: ingest.Reading) -> pa.StringArray:
    """Another unit: value x scale + offset, written again as text where it is a number."""
    if column.scale == 1 and column.offset == 0:
        return texts
    values, wrong = ingest.numbers(texts, reading=reading)
    mark = "," if reading.decimal_comma else "."
    converted = (values * column.scale + column.offset).tolist()
    return pa.array(
        [
            texts[i].as_py() if i in wrong else repr(value).replace(".", mark)
            for i, value in enumerate(converted)
        ],
        pa.string(),
    )
