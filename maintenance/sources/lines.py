"""Whole lines of a large file from any byte on, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

_SCANNED_BYTES = 4 * 1024 * 1024
_SHOWN_BYTES = 1000


@dataclass(frozen=True)
class Lines:
    """Lines as they stand, and the byte and number of the first; no data: one line is longer."""

    data: bytes
    byte: int
    row: int
    is_last: bool

    @property
    def end(self) -> int:
        return self.byte + len(self.data)

    def count(self) -> int:
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))


def lines_at(file: BinaryIO, place: dict[str, int], size: int) -> Lines | None:
    """Whole lines of about that size; None at the end of the file."""
    file.seek(place["byte"])
    data = file.read(size)
    if not data:
        return None
    is_last = len(data) < size or not file.read(1)
    if not is_last:
        data = data[: data.rfind(b"\n") + 1]
    return Lines(data, place["byte"], place["row"], is_last)


def end_of_line(file: BinaryIO, byte: int) -> tuple[int, bytes]:
    """Where a line ends that may be of any length, and how it begins."""
    file.seek(byte)
    head = file.read(_SHOWN_BYTES)
    file.seek(byte)
    end = byte
    while data := file.read(_SCANNED_BYTES):
        found = data.find(b"\n")
        if found >= 0:
            return end + found + 1, head
        end += len(data)
    return end, head


def text_of(data: bytes) -> Callable[[int], str]:
    """Gives a line as it came; the lines are parted only when somebody asks."""
    parted: list[bytes] = []

    def line(i: int) -> str:
        if not parted:
            parted.extend(data.split(b"\n"))
        return parted[i].rstrip(b"\r").decode(errors="replace")

    return line
