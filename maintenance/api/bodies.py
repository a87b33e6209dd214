"""The body of a request: at most so many bytes, packed or not, within so many seconds.

It is read piece by piece and refused as soon as it is too large, whatever it claims to be.
"""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from maintenance.api.tokens import Problem

_GZIP = 16 + zlib.MAX_WBITS
_MB = 1024 * 1024
_PIECE = _MB
_PACKED_PIECE = 128 * 1024


def json_body(request: HttpRequest) -> bytes:
    """Raises Problem: 408, 411, 413, 415, or 422 where what came is broken."""
    if request.content_type not in ("application/json", ""):
        raise Problem(415, "wrong_type", "Send Content-Type: application/json.")
    packing = request.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip"):
        raise Problem(415, "wrong_encoding", "Send Content-Encoding: gzip, or none.")
    declared = _declared_bytes(request)
    if packing == "gzip":
        return _unpacked(_pieces(request, declared, _PACKED_PIECE))
    return b"".join(_pieces(request, declared, _PIECE))


def _declared_bytes(request: HttpRequest) -> int:
    if request.headers.get("Transfer-Encoding"):
        raise Problem(411, "no_length", "Send Content-Length: the body cannot come in chunks.")
    declared = request.headers.get("Content-Length") or "0"
    if not declared.isdecimal():
        raise Problem(422, "broken_body", "Content-Length is no number.")
    if int(declared) > settings.MAX_READINGS_BYTES:
        raise too_large(settings.MAX_READINGS_BYTES)
    return int(declared)


def _pieces(request: HttpRequest, declared: int, most: int) -> Iterator[bytes]:
    came = 0
    with _in_time(request) as late:
        while came < declared:
            try:
                piece = request.read(min(most, declared - came))
            except UnreadablePostError:
                piece = b""
            if late.is_set():
                seconds = settings.SLOWEST_BODY_SECONDS
                raise Problem(408, "too_slow", f"The body took more than {seconds} s.")
            if not piece:
                raise Problem(422, "broken_body", "The request ended before its body did.")
            came += len(piece)
            yield piece


@contextmanager
def _in_time(request: HttpRequest) -> Iterator[threading.Event]:
    """Ends the reading of a body that takes too long: a slow client holds a thread meanwhile."""
    late = threading.Event()
    wire = request.META.get("gunicorn.socket")
    if wire is None:
        yield late
        return
    timer = threading.Timer(settings.SLOWEST_BODY_SECONDS, _give_up, [wire, late])
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _give_up(wire: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RD)


def _unpacked(pieces: Iterator[bytes]) -> bytes:
    """Unpacks no further than the limit, however much a small body claims to hold."""
    stream, most = zlib.decompressobj(_GZIP), settings.MAX_BODY_BYTES
    data = bytearray()
    try:
        for piece in pieces:
            data += stream.decompress(piece, most + 1 - len(data))
            if len(data) > most:
                raise too_large(most)
    except zlib.error:
        raise Problem(422, "broken_gzip", "The body is not gzip.") from None
    if not stream.eof or stream.unused_data:
        raise Problem(422, "broken_gzip", "The packed body is cut off, or more follows it.")
    return bytes(data)


def too_large(most: int) -> Problem:
    return Problem(413, "too_large", f"The body is larger than {most // _MB} MB: send it in parts.")
