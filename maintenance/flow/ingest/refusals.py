"""What every door says of what it was given: how much arrived, and which rows were refused why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

LONGEST_RAW = 2000
LONGEST_REASON = 240


@dataclass(frozen=True, slots=True)
class RowError:
    """A refused row: where it stood (None: the file itself), which field, why, how it came."""

    row: int | None
    field: str
    reason: str
    raw: str


class Refused(Exception):
    """One row cannot be taken. Raised while a row is read; the door turns it into a RowError."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the rows of a batch. Each is counted once; none is lost.

    `errors` may be fewer than `refused`: one bad line of a wide file refuses all its readings.
    """

    received: int = 0
    new: int = 0
    changed: int = 0
    duplicate: int = 0
    refused: int = 0
    errors: tuple[RowError, ...] = ()

    def __post_init__(self) -> None:
        if self.received != self.new + self.changed + self.duplicate + self.refused:
            raise ValueError(f"rows were lost or counted twice: {self.counts()}")

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            received=self.received + other.received,
            new=self.new + other.new,
            changed=self.changed + other.changed,
            duplicate=self.duplicate + other.duplicate,
            refused=self.refused + other.refused,
            errors=self.errors + other.errors,
        )

    def counts(self) -> dict[str, int]:
        return {
            "received": self.received,
            "new": self.new,
            "changed": self.changed,
            "duplicate": self.duplicate,
            "refused": self.refused,
        }

    def named(self, columns: dict[str, str]) -> Outcome:
        """The same, with each field called as the file calls its column."""
        errors = (replace(e, field=columns.get(e.field, e.field)) for e in self.errors)
        return replace(self, errors=tuple(errors))


def all_refused(errors: Iterable[RowError]) -> Outcome:
    kept = tuple(errors)
    return Outcome(received=len(kept), refused=len(kept), errors=kept)


def storable(text: str, longest: int = LONGEST_RAW) -> str:
    """Text that any database keeps: NUL and lone surrogates shown, the length cut."""
    shown = text.replace("\x00", "\N{SYMBOL FOR NULL}")
    return shown.encode("utf-8", "backslashreplace").decode()[:longest]
