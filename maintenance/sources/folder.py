"""A watched folder: files that are dropped there, taken once each, and moved out of the way.

A file that has stopped growing is claimed: moved, under a name of its own, where nobody drops
files. Whichever watcher holds its lock takes it. It leaves for done/ or failed/ last of all, so
that a watcher killed at any moment leaves a file that the next one finds, and whose import it
recognises.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from maintenance.sources import spool

DONE = "done"
FAILED = "failed"
ERRORS = ".errors.csv"
ERRORS_HEADER = ("row", "field", "reason", "raw")
_TAKING = ".taking"
_NAME = re.compile(r"(?P<stem>[^.~].*?)(?P<end>\.(csv|txt|ndjson|jsonl|parquet)(\.gz)?)", re.I)
_FORMATS = {"csv": "csv", "txt": "csv", "ndjson": "ndjson", "jsonl": "ndjson"}
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)

Look = tuple[int, int, int]
"""Inode, size and the time of the last write: while they stay the same, nobody writes."""


@dataclass(frozen=True)
class Dropped:
    """A claimed file, and the name under which it was dropped."""

    path: Path
    name: str

    @property
    def format(self) -> str:
        found = _NAME.fullmatch(self.name)
        ending = found["end"].lower().split(".")[1] if found else ""
        return _FORMATS.get(ending, "parquet")

    @property
    def sender(self) -> str:
        """The same for whichever watcher takes the file; another for one dropped later."""
        return f"folder {self.path.name}"


@dataclass
class Folder:
    """The folder and what was seen there when it was last looked at."""

    path: Path
    _seen: dict[str, tuple[Look, float]] = field(default_factory=dict)

    def prepare(self) -> None:
        for name in (DONE, FAILED, _TAKING):
            (self.path / name).mkdir(exist_ok=True)

    def claim(self, *, still_seconds: float, seconds: float) -> None:
        """Claim what has not changed for so long; `seconds` is a clock that never goes back."""
        seen = {}
        for path in sorted(self.path.iterdir()):
            look = _look(path)
            if look is None or not _NAME.fullmatch(path.name):
                continue
            known, since = self._seen.get(path.name, (look, seconds))
            if known != look:
                since = seconds
            if seconds - since >= still_seconds:
                self._claim(path, look)
            else:
                seen[path.name] = look, since
        self._seen = seen

    @property
    def waits(self) -> bool:
        """Whether files were seen that may still grow."""
        return bool(self._seen)

    def _claim(self, path: Path, look: Look) -> None:
        inode, _size, written = look
        # Of two watchers, the second finds nothing to move.
        with suppress(FileNotFoundError):
            path.rename(self.path / _TAKING / f"{written:x}-{inode:x}-{path.name}")

    def claimed(self) -> list[Dropped]:
        """Also those that a watcher left when it was killed."""
        found = sorted((self.path / _TAKING).iterdir(), key=lambda path: path.name)
        return [Dropped(path, path.name.split("-", 2)[2]) for path in found]

    @contextmanager
    def held(self, dropped: Dropped) -> Iterator[BinaryIO | None]:
        """The open file, for one watcher alone; None where another has it. A death lets it go."""
        try:
            file = dropped.path.open("rb")
        except FileNotFoundError:
            yield None
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            # It may have been moved out between finding and locking it.
            yield file if _same(dropped.path, file) else None

    def leave(
        self,
        dropped: Dropped,
        *,
        file: BinaryIO,
        size: int,
        into: str,
        number: int,
        errors: Iterable[tuple[int | str, str, str, str]],
    ) -> Path | None:
        """Move the file out, its error file beside it; None where it grew after it was read.

        `number` tells it from an earlier file of the same name.
        """
        if os.fstat(file.fileno()).st_size != size:
            return None
        folder = self.path / into
        target = _free(folder, dropped, number)
        _write_errors(target, errors)
        try:
            target.hardlink_to(dropped.path)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            dropped.path.rename(target)
        spool.to_disk(folder)
        dropped.path.unlink(missing_ok=True)
        return target


def _look(path: Path) -> Look | None:
    try:
        told = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(told.st_mode):
        return None
    return told.st_ino, told.st_size, told.st_mtime_ns


def _same(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _free(folder: Path, dropped: Dropped, number: int) -> Path:
    """The name it was dropped under, or one with the number where another file has that."""
    target = folder / dropped.name
    if not target.exists() or target.samefile(dropped.path):
        return target
    found = _NAME.fullmatch(dropped.name)
    stem, end = (found["stem"], found["end"]) if found else (dropped.name, "")
    return folder / f"{stem}.{number}{end}"


def _write_errors(target: Path, errors: Iterable[tuple[int | str, str, str, str]]) -> None:
    rows = iter(errors)
    first = next(rows, None)
    if first is None:
        return
    path = target.with_name(target.name + ERRORS)
    draft = path.with_name(f".{path.name}")
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([ERRORS_HEADER, first])
        writer.writerows(rows)
    draft.rename(path)
