"""NDJSON of readings, an object a line, piece by piece, from any line on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.json as pa_json  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from maintenance.flow import ingest
from maintenance.sources import mapped
from maintenance.sources.delimited import Block
from maintenance.sources.lines import Lines, end_of_line, lines_at, text_of
from maintenance.sources.mappings import MappingError
from maintenance.sources.pieces import (
    PIECE_BYTES,
    TEXT_BYTES,
    Layout,
    Piece,
    Place,
    all_finite,
    instants_of,
    numbers_of,
    signals_of,
)

FIRST_PLACE: Place = {"byte": 0, "row": 1}
_WITH_OFFSET = pa.timestamp("us", "UTC")
_AS_ON_A_CLOCK = pa.timestamp("us")

_MOST_CELLS = 4_000_000
"""A few names in the first object take much memory in a million short ones."""


def names_in(path: Path) -> list[str]:
    """The names of the first object. Raises MappingError when there is none."""
    with path.open("rb") as file:
        place = FIRST_PLACE
        while (lines := lines_at(file, place, TEXT_BYTES)) is not None and lines.data:
            for line in lines.data.split(b"\n"):
                told = _object(line)
                if isinstance(told, dict):
                    return list(told)
            place = {"byte": lines.end, "row": 1}
    raise MappingError(_("%(file)s holds no JSON object a line.") % {"file": path.name})


def pieces(path: Path, layout: Layout, reading: ingest.Reading, place: Place) -> Iterator[Piece]:
    reader = _Reader(layout, reading)
    with path.open("rb") as file:
        while (piece := reader.next(file, place)) is not None:
            yield piece
            place = piece.after


class _Reader:
    def __init__(self, layout: Layout, reading: ingest.Reading) -> None:
        self._layout = layout
        self._reading = reading
        self._small_until = 0
        self._kind = _WITH_OFFSET
        self._is_typed = layout.is_plain and not reading.date_format

    def next(self, file: BinaryIO, place: Place) -> Piece | None:
        """The piece that begins there; None at the end of the file."""
        is_small = not self._is_typed or place["byte"] < self._small_until
        lines = lines_at(file, place, TEXT_BYTES if is_small else PIECE_BYTES)
        if lines is None:
            return None
        if not lines.data:
            return _overlong(file, lines)
        piece = self._typed(lines) if self._is_typed else None
        if piece is not None or is_small:
            return piece or self._in_text(lines)
        # Some line of so many is not as usual: look for it in smaller pieces.
        self._small_until = lines.end
        return self.next(file, place)

    def _typed(self, lines: Lines) -> Piece | None:
        """None where something is not as it is nearly always."""
        if lines.count() * len(self._layout.values()) > _MOST_CELLS:
            return None
        table = self._parsed(lines.data)
        if table is None or len(table) != lines.count():
            return None
        made = self._columns(table, lines)
        if made is None:
            return None
        after = {"byte": lines.end, "row": lines.row + len(table)}
        return Piece(made, [], after, lines.end)

    def _parsed(self, data: bytes) -> pa.Table | None:
        other = _AS_ON_A_CLOCK if self._kind == _WITH_OFFSET else _WITH_OFFSET
        for kind in (self._kind, other):
            table = self._parsed_as(data, kind)
            if table is not None:
                self._kind = kind
                return table
        return None

    def _parsed_as(self, data: bytes, kind: pa.DataType) -> pa.Table | None:
        layout = self._layout
        fields = [(layout.asset, pa.string()), (layout.at, kind)]
        if not layout.is_wide:
            fields.append((layout.point, pa.string()))
        fields += [(column.column, pa.float64()) for _point, column in layout.values()]
        try:
            return pa_json.read_json(
                pa.BufferReader(data),
                read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
                parse_options=pa_json.ParseOptions(
                    explicit_schema=pa.schema(fields),
                    # A further name in a wide line is a point that the first line did not have.
                    unexpected_field_behavior="error" if layout.is_wide else "ignore",
                ),
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None

    def _columns(self, table: pa.Table, lines: Lines) -> ingest.TypedLines | None:
        layout = self._layout
        needed = [layout.asset, layout.at] if layout.is_wide else table.column_names
        if any(table[name].null_count for name in needed):
            return None
        at_us, wrong = instants_of(table[layout.at].combine_chunks(), self._reading)
        point = None if layout.is_wide else _names(table[layout.point])
        signals = signals_of(layout, lambda name: numbers_of(table[name]), point)
        if not all_finite(signals):
            return None
        return ingest.TypedLines(
            rows=range(lines.row, lines.row + len(table)),
            assets=_names(table[layout.asset]),
            at_us=at_us,
            signals=signals,
            raw=text_of(lines.data),
            wrong={i: ("at", why) for i, why in wrong.items()},
        )

    def _in_text(self, lines: Lines) -> Piece:
        rows = _Rows(lines)
        after = {"byte": lines.end, "row": lines.row + lines.count()}
        return Piece(self._lines_of(rows), rows.errors, after, lines.end)

    def _lines_of(self, rows: _Rows) -> ingest.ReadingLines | None:
        """Each value as the text a file would have held."""
        if self._layout.is_wide and not self._layout.spec.points:
            return self._unfolded(rows)
        if not rows.numbers:
            return None
        names = dict.fromkeys(self._layout.spec.needed_columns())
        columns = {name: _texts(row.get(name) for row in rows.objects) for name in names}
        block = Block(rows.numbers, columns, rows.raw, [], 0)
        return mapped.lines_of(self._layout.spec, block, self._reading)

    def _unfolded(self, rows: _Rows) -> ingest.ReadingLines | None:
        """A line for each value: objects may have as many names as they like, each another."""
        asset, at = self._layout.asset, self._layout.at
        told = [
            (i, name, value)
            for i, row in enumerate(rows.objects)
            for name, value in row.items()
            if name not in (asset, at) and value is not None
        ]
        if not told:
            return None
        which = [i for i, _name, _value in told]
        return ingest.ReadingLines(
            rows=[rows.numbers[i] for i in which],
            assets=_texts(rows.objects[i].get(asset) for i in which),
            at=_texts(rows.objects[i].get(at) for i in which),
            signals=[
                ingest.Signal(
                    point=_texts(name for _i, name, _value in told),
                    values=_texts(value for _i, _name, value in told),
                )
            ],
            raw=lambda i: rows.raw[which[i]],
            reading=self._reading,
        )


class _Rows:
    """Lines that are objects, and the errors of those that are none."""

    def __init__(self, lines: Lines) -> None:
        self.numbers: list[int] = []
        self.objects: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self.errors: list[ingest.RowError] = []
        for number, line in enumerate(lines.data.split(b"\n"), lines.row):
            if line.strip():
                self._take(number, line)

    def _take(self, number: int, line: bytes) -> None:
        told, raw = _object(line), line.decode(errors="backslashreplace")
        if isinstance(told, str):
            self.errors.append(ingest.RowError(number, "row", told, ingest.storable(raw)))
            return
        self.numbers.append(number)
        self.objects.append(told)
        self.raw.append(raw)


def _object(line: bytes) -> dict[str, Any] | str:
    """The object of a line, or why it holds none."""
    try:
        told = json.loads(line)
    except UnicodeDecodeError as error:
        words = {"byte": f"0x{line[error.start]:02x}", "encoding": "utf-8"}
        return _("holds the byte %(byte)s, which is not %(encoding)s") % words
    except (ValueError, RecursionError):
        return _("is not JSON")
    return told if isinstance(told, dict) else _("is not an object")


def _overlong(file: BinaryIO, lines: Lines) -> Piece:
    end, head = end_of_line(file, lines.byte)
    reason = _("the line is longer than %(longest)d bytes") % {"longest": TEXT_BYTES}
    raw = ingest.storable(head.decode(errors="backslashreplace"))
    error = ingest.RowError(lines.row, "row", reason, raw)
    return Piece(None, [error], {"byte": end, "row": lines.row + 1}, end)


def _names(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return column.combine_chunks().dictionary_encode()


def _texts(values: Iterable[Any]) -> pa.StringArray:
    return pa.array([ingest.as_text(value) for value in values], pa.string())
