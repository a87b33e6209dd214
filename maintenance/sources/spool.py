"""Files that wait below MEDIA_ROOT for a worker: written as they arrive, never whole in memory."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

CHUNK_BYTES = 1024 * 1024
_GZIP_BEGINS = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_ENDS_BYTES = 16
_DRAFT = ".part"
_FORGOTTEN = dt.timedelta(days=1)

Read = Callable[[int], bytes]


class SpoolError(Exception):
    """The file cannot be kept.

    SpoolError
    ├── TooLargeError    more bytes than the limit, after unpacking
    ├── BrokenGzipError  packed, and cut off or damaged
    └── NotParquetError  it begins or is called as Parquet, and does not end as such
    """

    def words(self) -> str:
        return _("The file cannot be read.")


class TooLargeError(SpoolError):
    def words(self) -> str:
        most = {"most": settings.MAX_UPLOAD_BYTES // 1024**2}
        return _("The file is larger than %(most)d MB.") % most


class BrokenGzipError(SpoolError):
    def words(self) -> str:
        return _("The file is packed, and it is damaged or cut off.")


class NotParquetError(SpoolError):
    def words(self) -> str:
        return _("The file is no Parquet, or it is cut off.")


@dataclass(frozen=True)
class Spooled:
    """A file that was kept, unpacked, under a name that is not its last.

    At the end of its context it is gone, unless it was given its name.
    """

    path: Path
    size: int
    sha256: str
    head: bytes
    tail: bytes

    def __enter__(self) -> Spooled:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.path.unlink(missing_ok=True)

    def settle(self, name: str) -> None:
        """Give the file its name below MEDIA_ROOT, in place of an equal one."""
        path = Path(settings.MEDIA_ROOT) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path.rename(path)
        to_disk(path.parent)


def keep(read: Read, *, most_bytes: int) -> Spooled:
    """Write what `read` gives to disk, unpacked where it is gzip.

    Raises SpoolError, and whatever reading and writing raise; nothing is left behind then.
    """
    folder = Path(settings.MEDIA_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(16)}{_DRAFT}"
    try:
        return _kept(path, read, most_bytes)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _kept(path: Path, read: Read, most_bytes: int) -> Spooled:
    digest, size, head, tail = hashlib.sha256(), 0, b"", b""
    with path.open("wb") as file:
        for data in _unpacked(read):
            size += len(data)
            if size > most_bytes:
                raise TooLargeError
            digest.update(data)
            file.write(data)
            head = head if len(head) == _ENDS_BYTES else (head + data[:_ENDS_BYTES])[:_ENDS_BYTES]
            tail = (tail + data[-_ENDS_BYTES:])[-_ENDS_BYTES:]
        file.flush()
        os.fsync(file.fileno())
    return Spooled(path, size, digest.hexdigest(), head, tail)


def _unpacked(read: Read) -> Iterator[bytes]:
    """What comes, unpacked piece by piece: a bomb never unpacks further than one piece."""
    first = read(CHUNK_BYTES)
    while first and len(first) < len(_GZIP_BEGINS) and (more := read(CHUNK_BYTES)):
        first += more
    if first.startswith(_GZIP_BEGINS):
        yield from _gunzipped(first, read)
        return
    while first:
        yield first
        first = read(CHUNK_BYTES)


def _gunzipped(packed: bytes, read: Read) -> Iterator[bytes]:
    """Gzip may be several files one after the other, as parallel packers write."""
    stream = zlib.decompressobj(_GZIP)
    while packed:
        try:
            data = stream.decompress(packed, CHUNK_BYTES)
        except zlib.error as error:
            raise BrokenGzipError(str(error)) from None
        if data:
            yield data
        if stream.eof:
            packed = stream.unused_data or read(CHUNK_BYTES)
            if not packed:
                return
            stream = zlib.decompressobj(_GZIP)
        else:
            packed = stream.unconsumed_tail or read(CHUNK_BYTES)
    raise BrokenGzipError("it is cut off")


def forget(*, now: dt.datetime) -> int:
    """Delete what a killed process left half written; how many."""
    gone = 0
    for path in Path(settings.MEDIA_ROOT).glob(f"*{_DRAFT}"):
        try:
            written_at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        except FileNotFoundError:
            continue
        if now - written_at > _FORGOTTEN:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def to_disk(folder: Path) -> None:
    """A name outlives a power cut once its folder is written too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
