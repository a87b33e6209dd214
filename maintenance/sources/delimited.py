"""Lines of a delimited file as columns of text, whatever happened to some of the lines.

A line that cannot be read is refused by its number and the next one is read: half a file, a
quote that is never closed, a NUL or a byte of another encoding cost that line alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from maintenance.flow.ingest import RowError, storable
from maintenance.sources.mappings import Format, MappingError

CHUNK_CHARACTERS = 8 * 1024 * 1024
LONGEST_LINE = 256 * 1024
LONGEST_RECORD_LINES = 50
_SNIFFED = (";", "\t", "|", ",")
_DECODER = {"utf-8": "utf-8-sig"}


@dataclass(frozen=True)
class Block:
    """Records in the order of the file: their line numbers, text by column, and as they came."""

    numbers: list[int]
    columns: dict[str, pa.StringArray]
    raw: list[str]
    errors: list[RowError]
    read_bytes: int


@dataclass
class Records:
    """Whole records, and the lines that are none."""

    numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)

    def refuse(self, number: int, name: str, reason: str, text: str) -> None:
        self.errors.append(RowError(number, name, reason, storable(text)))


def read_header(path: Path, form: Format) -> list[str]:
    """The names of the columns. Raises MappingError when there are none or two are alike."""
    with _opened(path, form) as file:
        return _header(path, form, file)[0]


def read_blocks(path: Path, form: Format) -> Iterator[Block]:
    with _opened(path, form) as file:
        names, delimiter, line_number = _header(path, form, file)
        splitter = Splitter(form, names, delimiter)
        rest: Sequence[str] = []
        for lines, is_last in _line_chunks(path, file):
            first = line_number - len(rest)
            records, rest = splitter.split([*rest, *lines], first, is_last=is_last)
            line_number += len(lines)
            yield block_of(records, names, delimiter, file.buffer.tell())


def _opened(path: Path, form: Format) -> TextIO:
    errors = "strict" if form.encoding == "utf-16" else "surrogateescape"
    encoding = _DECODER.get(form.encoding, form.encoding)
    return path.open(encoding=encoding, errors=errors, newline="")


def names_of(path: Path, form: Format) -> tuple[list[str], str]:
    """The names of the columns, and what stands between them."""
    with _opened(path, form) as file:
        names, delimiter, _number = _header(path, form, file)
    return names, delimiter


def header_end(path: Path, form: Format) -> tuple[int, int]:
    """The byte and the number of the line after the header."""
    with _opened(path, form) as file:
        _line, number = _header_line(path, form, file)
    with path.open("rb") as raw:
        for _i in range(number):
            if b"\r" in raw.readline(LONGEST_LINE).rstrip(b"\r\n"):
                words = {"file": path.name}
                raise MappingError(_("The lines of %(file)s end in a carriage return.") % words)
        return raw.tell(), number + 1


def header_line(path: Path, form: Format) -> str:
    """The line with the names of the columns, as it stands."""
    with _opened(path, form) as file:
        return _header_line(path, form, file)[0]


def _header(path: Path, form: Format, file: TextIO) -> tuple[list[str], str, int]:
    """Names, delimiter, and the number of the line after the header."""
    line, number = _header_line(path, form, file)
    delimiter = _delimiter(form, line)
    return _names(path, line, delimiter), delimiter, number + 1


def _header_line(path: Path, form: Format, file: TextIO) -> tuple[str, int]:
    try:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), 1):
            text = line.rstrip("\r\n")
            if text.strip() and not (form.comment and text.startswith(form.comment)):
                return text, number
    except UnicodeError as error:
        words = {"file": path.name, "encoding": form.encoding, "error": error}
        raise MappingError(_("%(file)s is not %(encoding)s: %(error)s") % words) from error
    words = {"file": path.name}
    raise MappingError(
        _("%(file)s is empty: there is no line with the names of the columns.") % words
    )


def _delimiter(form: Format, header: str) -> str:
    if form.delimiter != "auto":
        return form.delimiter
    return max(_SNIFFED, key=lambda mark: (header.count(mark), mark == ","))


def _names(path: Path, header: str, delimiter: str) -> list[str]:
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        words = {"file": path.name, "columns": ", ".join(map(repr, twice))}
        raise MappingError(_("%(file)s has two columns called %(columns)s.") % words)
    return names


def _line_chunks(path: Path, file: TextIO) -> Iterator[tuple[list[str], bool]]:
    """Lines without their ends, some megabytes at a time, and whether these are the last."""
    tail = ""
    while True:
        try:
            text = file.read(CHUNK_CHARACTERS)
        except UnicodeError as error:
            words = {"file": path.name, "error": error}
            raise MappingError(
                _("%(file)s cannot be read to its end: %(error)s") % words
            ) from error
        lines = (tail + text).split("\n")
        tail = lines.pop()
        if not text:
            yield [line.rstrip("\r") for line in ([*lines, tail] if tail else lines)], True
            return
        if len(tail) > LONGEST_LINE:
            words = {"file": path.name, "longest": LONGEST_LINE}
            raise MappingError(
                _("%(file)s has a line of more than %(longest)d characters.") % words
            )
        yield [line.rstrip("\r") for line in lines], False


@dataclass(frozen=True)
class Splitter:
    """Parts lines into records, which may span several where a quoted field does."""

    form: Format
    names: Sequence[str]
    delimiter: str

    def split(
        self, lines: Sequence[str], first: int, *, is_last: bool
    ) -> tuple[Records, Sequence[str]]:
        """Whole records, and the lines that may go on in the next chunk."""
        if self._are_plain(lines):
            filled = [(first + i, text) for i, text in enumerate(lines) if not _is_blank(text)]
            return Records([i for i, _text in filled], [text for _i, text in filled]), []
        records = Records()
        i = 0
        while i < len(lines):
            taken = _lines_of_record(lines, i, self.delimiter)
            if not taken and not is_last and len(lines) - i < LONGEST_RECORD_LINES:
                return records, lines[i:]
            if taken:
                self._take(records, first + i, "\n".join(lines[i : i + taken]))
            else:
                reason = _("a quote is opened and never closed")
                records.refuse(first + i, self.names[0], reason, lines[i])
            i += max(1, taken)
        return records, []

    def _are_plain(self, lines: Sequence[str]) -> bool:
        """Each line is a record or blank: so are nearly all lines of long files."""
        text = "\n".join(lines)
        comment = self.form.comment
        return (
            text.isascii()
            and '"' not in text
            and "\x00" not in text
            and not (comment and comment in text)
        )

    def _take(self, records: Records, number: int, text: str) -> None:
        if _is_blank(text) or (self.form.comment and text.startswith(self.form.comment)):
            return
        bad = _unreadable(text)
        if bad is None:
            records.numbers.append(number)
            records.texts.append(text)
            return
        column = min(text[:bad].count(self.delimiter), len(self.names) - 1)
        records.refuse(number, self.names[column], self._why_unreadable(text[bad]), text)

    def _why_unreadable(self, character: str) -> str:
        if character == "\x00":
            return _("contains a NUL character")
        words = {"byte": f"0x{ord(character) - 0xDC00:02x}", "encoding": self.form.encoding}
        return _("holds the byte %(byte)s, which is not %(encoding)s") % words


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _lines_of_record(lines: Sequence[str], start: int, delimiter: str) -> int:
    """How many lines a record spans; 0 where its quote is not closed within reason."""
    is_open = False
    for taken, text in enumerate(lines[start : start + LONGEST_RECORD_LINES], 1):
        is_open = _ends_quoted(text, delimiter, is_open=is_open)
        if not is_open:
            return taken
    return 0


def _ends_quoted(text: str, delimiter: str, *, is_open: bool) -> bool:
    """Whether a line ends within a quoted field.

    A quote opens a field only where the field begins: the one of a 5" pipe is a character.
    """
    if not is_open and '"' not in text:
        return False
    at = 0
    while at >= 0:
        if not is_open and text.startswith('"', at):
            is_open, at = True, at + 1
        if is_open:
            at = _after_quoted(text, at)
            if at < 0:
                return True
            is_open = False
        following = text.find(delimiter, at)
        at = following + 1 if following >= 0 else -1
    return False


def _after_quoted(text: str, at: int) -> int:
    """Where a quoted field ends, two quotes being one character; -1 when it does not."""
    while (quote := text.find('"', at)) >= 0:
        if not text.startswith('"', quote + 1):
            return quote + 1
        at = quote + 2
    return -1


def _unreadable(text: str) -> int | None:
    """Where a NUL or an undecodable byte stands."""
    if text.isascii() and "\x00" not in text:
        return None
    for i, character in enumerate(text):
        if character == "\x00" or "\udc80" <= character <= "\udcff":
            return i
    return None


def block_of(records: Records, names: list[str], delimiter: str, read_bytes: int) -> Block:
    keep, columns = _parsed(records, names, delimiter)
    return Block(
        numbers=[records.numbers[i] for i in keep],
        columns=columns,
        raw=[records.texts[i] for i in keep],
        errors=sorted(records.errors, key=lambda error: error.row or 0),
        read_bytes=read_bytes,
    )


def _parsed(
    records: Records, names: list[str], delimiter: str
) -> tuple[Sequence[int], dict[str, pa.StringArray]]:
    """Columns of the records that have as many fields as the header, and which those are."""
    if not records.texts:
        return [], {name: pa.array([], pa.string()) for name in names}
    bad: set[int] = set()

    def refuse(row: pa_csv.InvalidRow) -> str:
        i = row.number - 1
        bad.add(i)
        words = {"found": row.actual_columns, "expected": row.expected_columns}
        reason = _("the line has %(found)d fields, the header %(expected)d") % words
        name = names[min(row.actual_columns, len(names)) - 1]
        records.refuse(records.numbers[i], name, reason, records.texts[i])
        return "skip"

    data = "\n".join(records.texts).encode()
    table = pa_csv.read_csv(
        io.BytesIO(data),
        read_options=pa_csv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(i) for i in range(len(names))],
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types={str(i): pa.string() for i in range(len(names))},
            strings_can_be_null=False,
        ),
    )
    columns = {name: table[i].combine_chunks() for i, name in enumerate(names)}
    return [i for i in range(len(records.texts)) if i not in bad], columns


def joined(blocks: Sequence[Block]) -> Block:
    """A whole file as one block."""
    if len(blocks) == 1:
        return blocks[0]
    return Block(
        numbers=[number for block in blocks for number in block.numbers],
        columns={
            name: pa.concat_arrays([block.columns[name] for block in blocks])
            for name in blocks[0].columns
        },
        raw=[raw for block in blocks for raw in block.raw],
        errors=[error for block in blocks for error in block.errors],
        read_bytes=blocks[-1].read_bytes,
    )
