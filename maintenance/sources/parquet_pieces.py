"""Parquet of readings, batch by batch, from any row on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from maintenance.flow import ingest
from maintenance.sources.mappings import MappingError
from maintenance.sources.pieces import Layout, Piece, Place, instants_of, signals_of

FIRST_PLACE: Place = {"row": 1}
BATCH_CELLS = 262_144
LARGEST_CHUNK_BYTES = 512 * 1024 * 1024
"""A column of a row group is unpacked whole, or nearly: so much at most."""
_OF_A_FRAME = "__index_level_"


def names_in(path: Path) -> list[str]:
    """The names of the columns. Raises MappingError."""
    with _opened(path) as file:
        names = file.schema_arrow.names
    return [name for name in names if not name.startswith(_OF_A_FRAME)]


def check_size(path: Path, most_bytes: int) -> None:
    """Raises MappingError when the file unpacks to more than that: few bytes can tell many rows."""
    with _opened(path) as file:
        told = file.metadata
        chunks = (
            told.row_group(i).column(j).total_uncompressed_size
            for i in range(told.num_row_groups)
            for j in range(told.num_columns)
        )
        largest = max(chunks, default=0)
        if told.num_rows * 8 * len(file.schema_arrow.names) > most_bytes:
            words = {"file": path.name, "most": most_bytes // 1024**2}
            raise MappingError(_("%(file)s unpacks to more than %(most)d MB.") % words)
    if largest > LARGEST_CHUNK_BYTES:
        words = {"file": path.name, "most": LARGEST_CHUNK_BYTES // 1024**2}
        raise MappingError(
            _("A row group of %(file)s is larger than %(most)d MB: write smaller ones.") % words
        )


def pieces(path: Path, layout: Layout, reading: ingest.Reading, place: Place) -> Iterator[Piece]:
    """A row group that is damaged costs its rows; the next is read."""
    reader = _Reader(layout, reading)
    with _opened(path) as file:
        first = 1
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            for piece in reader.of_group(file, group, first, end, place["row"]):
                place = piece.after
                yield piece
            first = end


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        words = {"file": path.name, "error": str(error)[:200]}
        raise MappingError(_("%(file)s is no whole Parquet file: %(error)s") % words) from None


class _Reader:
    def __init__(self, layout: Layout, reading: ingest.Reading) -> None:
        if not layout.is_plain:
            raise MappingError(_("A mapping of Parquet can rename columns and change units only."))
        self._layout = layout
        self._reading = reading
        names = [layout.asset, layout.at, *(column.column for _point, column in layout.values())]
        self._columns = names if layout.is_wide else [*names, layout.point]

    def of_group(
        self, file: pq.ParquetFile, group: int, first: int, end: int, wanted: int
    ) -> Iterator[Piece]:
        """The rows of a group from the wanted one on; rows are numbered from 1."""
        if wanted >= end:
            return
        row = first
        size = max(1, BATCH_CELLS // len(self._columns))
        try:
            for batch in file.iter_batches(
                batch_size=size, row_groups=[group], columns=self._columns, use_threads=False
            ):
                skipped = min(max(0, wanted - row), len(batch))
                row += len(batch)
                if skipped < len(batch):
                    lines = self._lines(batch.slice(skipped), row - len(batch) + skipped)
                    yield Piece(lines, [], {"row": row}, row - 1)
        except (pa.ArrowInvalid, OSError) as error:
            reason = _("the rows from here to %(last)d cannot be read: %(error)s")
            words = {"last": end - 1, "error": str(error)[:120]}
            start = max(row, wanted)
            told = ingest.RowError(start, self._layout.at, reason % words, "")
            count = (end - start) * len(self._layout.values())
            yield Piece(None, [told], {"row": end}, end - 1, lost=count - 1)

    def _lines(self, batch: pa.RecordBatch, first: int) -> ingest.TypedLines:
        layout = self._layout
        wrong: dict[int, tuple[str, str]] = {}
        at_us = self._instants(batch.column(layout.at), wrong)
        point = None if layout.is_wide else _names(batch.column(layout.point))
        signals = signals_of(
            layout, lambda name: self._numbers(batch.column(name), name, wrong), point
        )
        return ingest.TypedLines(
            rows=range(first, first + len(batch)),
            assets=_names(batch.column(layout.asset)),
            at_us=at_us,
            signals=signals,
            raw=lambda i: ", ".join(
                f"{k}={v}" for k, v in batch.slice(i, 1).to_pylist()[0].items()
            ),
            wrong=wrong,
        )

    def _instants(self, array: pa.Array, wrong: dict[int, tuple[str, str]]) -> ingest.Ints:
        """Instants of whatever type; those that are none are put among the wrong."""
        for i in _places(pc.is_null(array)):
            wrong[i] = "at", _("is missing")
        kind = array.type
        if pa.types.is_date(kind):
            array, kind = array.cast(pa.timestamp("us")), pa.timestamp("us")
        if pa.types.is_timestamp(kind):
            at_us, problems = instants_of(array.fill_null(pa.scalar(0, kind)), self._reading)
        else:
            at_us, problems = ingest.instants(_as_texts(array), reading=self._reading)
        for i, why in problems.items():
            wrong.setdefault(i, ("at", why))
        return at_us

    def _numbers(
        self, array: pa.Array, name: str, wrong: dict[int, tuple[str, str]]
    ) -> tuple[ingest.Floats, ingest.Flags | None]:
        """Numbers of whatever type. An empty cell of a wide table is no reading."""
        kind = array.type
        if _is_number(kind):
            values = np.array(
                array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64
            )
            if not self._layout.is_wide:
                for i in _places(pc.is_null(array)):
                    wrong.setdefault(i, (name, _("is missing")))
                return values, None
            given = ~np.isnan(values)
            return np.where(given, values, 0.0), None if given.all() else given
        texts = _as_texts(array)
        values, problems = ingest.numbers(texts, reading=self._reading)
        given = np.ones(len(values), bool)
        for i, why in problems.items():
            if not self._layout.is_wide:
                wrong.setdefault(i, (name, why))
            elif texts[i].as_py().strip():
                values[i] = np.nan
            else:
                given[i] = False
        return values, None if given.all() else given


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _names(array: pa.Array) -> pa.DictionaryArray:
    is_named = isinstance(array, pa.DictionaryArray) and not array.null_count
    if is_named and pa.types.is_string(array.dictionary.type) and not array.dictionary.null_count:
        return array
    return _as_texts(array).dictionary_encode()


def _as_texts(array: pa.Array) -> pa.StringArray:
    """Values of any type as a file of text would have held them; nothing where there is none."""
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    try:
        return pc.fill_null(array.cast(pa.string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_shown(value) for value in array.to_pylist()], pa.string())


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return ingest.as_text(value)


def _places(flags: pa.Array) -> list[int]:
    found: list[int] = np.flatnonzero(flags.to_numpy(zero_copy_only=False)).tolist()
    return found


def count_of_rows(path: Path) -> int:
    with _opened(path) as file:
        return int(file.metadata.num_rows)
