"""CSV of readings, piece by piece, from any line on.

A piece is read as typed columns at once. Where that fails, its lines are read as text, as small
files are, so that each bad one is refused by its number and the others are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from maintenance.flow import ingest
from maintenance.sources import delimited, mapped
from maintenance.sources.lines import Lines, end_of_line, lines_at, text_of
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

_BLOCK_BYTES = 1024 * 1024
_WITH_OFFSET = pa.timestamp("us", "UTC")
_AS_ON_A_CLOCK = pa.timestamp("us")
_NAMES = pa.dictionary(pa.int32(), pa.string())
_EPOCH_KINDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}


def first_place(path: Path, layout: Layout) -> Place:
    """The line after the header."""
    header, number = delimited.header_end(path, layout.spec.format)
    return {"byte": header, "row": number}


def pieces(path: Path, layout: Layout, reading: ingest.Reading, place: Place) -> Iterator[Piece]:
    """Raises MappingError when the header cannot be read."""
    reader = _Reader(path, layout, reading)
    with path.open("rb") as file:
        while (piece := reader.next(file, place)) is not None:
            yield piece
            place = piece.after


class _Reader:
    def __init__(self, path: Path, layout: Layout, reading: ingest.Reading) -> None:
        form = layout.spec.format
        self._names, self._delimiter = delimited.names_of(path, form)
        self._layout = layout
        self._reading = reading
        self._form = form
        self._splitter = delimited.Splitter(form, self._names, self._delimiter)
        self._small_until = 0
        self._kind = _WITH_OFFSET
        self._is_typed = (
            layout.is_plain
            and form.encoding == "utf-8"
            and (not reading.date_format or reading.date_format in _EPOCH_KINDS)
        )

    def next(self, file: BinaryIO, place: Place) -> Piece | None:
        """The piece that begins there; None at the end of the file."""
        is_small = not self._is_typed or place["byte"] < self._small_until
        lines = lines_at(file, place, TEXT_BYTES if is_small else PIECE_BYTES)
        if lines is None:
            return None
        if not lines.data:
            return self._overlong(file, lines)
        piece = self._typed(lines) if self._is_typed else None
        if piece is not None or is_small:
            return piece or self._in_text(file, lines)
        # Some line of so many is not as usual: look for it in smaller pieces.
        self._small_until = lines.end
        return self.next(file, place)

    def _typed(self, lines: Lines) -> Piece | None:
        """None where something is not as it is nearly always."""
        if not self._is_plain(lines.data):
            return None
        table = self._parsed(lines.data)
        if table is None or len(table) != lines.count():
            return None
        made = self._columns(table, lines)
        if made is None:
            return None
        after = {"byte": lines.end, "row": lines.row + len(table)}
        return Piece(made, [], after, lines.end)

    def _is_plain(self, data: bytes) -> bool:
        comment = self._form.comment.encode()
        return not (
            b"\x00" in data
            or (comment and (data.startswith(comment) or b"\n" + comment in data))
            or (b"\r" in data and data.count(b"\r") != data.count(b"\r\n"))
        )

    def _parsed(self, data: bytes) -> pa.Table | None:
        """Columns by name. Which kind of instants a file holds is found out once."""
        if self._reading.date_format:
            return self._parsed_as(data, pa.float64())
        other = _AS_ON_A_CLOCK if self._kind == _WITH_OFFSET else _WITH_OFFSET
        for kind in (self._kind, other):
            table = self._parsed_as(data, kind)
            if table is not None:
                self._kind = kind
                return table
        return None

    def _parsed_as(self, data: bytes, kind: pa.DataType) -> pa.Table | None:
        layout = self._layout
        types = {layout.asset: _NAMES, layout.at: kind}
        if not layout.is_wide:
            types[layout.point] = _NAMES
        types |= {column.column: pa.float64() for _point, column in layout.values()}
        try:
            return pa_csv.read_csv(
                pa.BufferReader(data),
                read_options=pa_csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK_BYTES, column_names=self._names
                ),
                parse_options=pa_csv.ParseOptions(delimiter=self._delimiter),
                convert_options=pa_csv.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=[""] if layout.is_wide else [],
                    strings_can_be_null=False,
                    decimal_point="," if self._form.decimal_comma else ".",
                ),
            )
        except pa.ArrowInvalid:
            return None

    def _columns(self, table: pa.Table, lines: Lines) -> ingest.TypedLines | None:
        layout = self._layout
        at = table[layout.at].combine_chunks()
        if at.null_count:
            return None
        at_us, wrong = self._instants(at)
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

    def _instants(self, at: pa.Array) -> tuple[ingest.Ints, dict[int, str]]:
        if not self._reading.date_format:
            return instants_of(at, self._reading)
        counts = at.to_numpy() * _EPOCH_KINDS[self._reading.date_format]
        far = ~(np.abs(counts) < 1e17)
        wrong = {int(i): _("is out of range") for i in np.flatnonzero(far)}
        return np.round(np.where(far, 0.0, counts)).astype(np.int64), wrong

    def _in_text(self, file: BinaryIO, lines: Lines) -> Piece:
        """Records of these lines; a last one that is not whole waits for the next piece."""
        raw = lines.data.split(b"\n")
        if not raw[-1]:
            raw.pop()
        texts = [self._decoded(line) for line in raw]
        records, rest = self._splitter.split(texts, lines.row, is_last=lines.is_last)
        if len(rest) == len(raw):
            # One record fills it all: more lines, or the end of them, tell whether it is one.
            place = {"byte": lines.byte, "row": lines.row}
            more = lines_at(file, place, PIECE_BYTES) or lines
            grew = len(more.data) > len(lines.data)
            return self._in_text(file, replace(more if grew else lines, is_last=not grew))
        taken = len(raw) - len(rest)
        end = lines.byte + sum(len(line) + 1 for line in raw[:taken])
        after = {"byte": end, "row": lines.row + taken}
        block = delimited.block_of(records, self._names, self._delimiter, end)
        return Piece(self._lines_of(block), block.errors, after, end)

    def _decoded(self, line: bytes) -> str:
        return line.rstrip(b"\r").decode(self._form.encoding, "surrogateescape")

    def _lines_of(self, block: delimited.Block) -> ingest.ReadingLines | None:
        if not block.numbers:
            return None
        return mapped.lines_of(self._layout.spec, block, self._reading)

    def _overlong(self, file: BinaryIO, lines: Lines) -> Piece:
        """A line that fills a whole piece is no reading: it is passed over to its end."""
        end, head = end_of_line(file, lines.byte)
        reason = _("the line is longer than %(longest)d bytes") % {"longest": TEXT_BYTES}
        raw = ingest.storable(head.decode(self._form.encoding, "surrogateescape"))
        error = ingest.RowError(lines.row, self._names[0], reason, raw)
        return Piece(None, [error], {"byte": end, "row": lines.row + 1}, end)


def _names(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return column.unify_dictionaries().combine_chunks()
