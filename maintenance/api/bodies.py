"""The body of a request: at most so many bytes, packed or not, and of a known type."""

from __future__ import annotations

import zlib

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from maintenance.api.tokens import Problem

_GZIP = 16 + zlib.MAX_WBITS


def json_body(request: HttpRequest) -> bytes:
    """Raises Problem: 413 when it is too large, 415 for another type, 422 when it is broken."""
    if request.content_type not in ("application/json", ""):
        raise Problem(415, "wrong_type", "Send Content-Type: application/json.")
    packing = request.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip"):
        raise Problem(415, "wrong_encoding", "Send Content-Encoding: gzip, or none.")
    try:
        body = request.body
    except RequestDataTooBig:
        raise too_large() from None
    except UnreadablePostError:
        raise Problem(422, "broken_body", "The request ended before its body did.") from None
    if len(body) > settings.MAX_BODY_BYTES:
        raise too_large()
    return _unpacked(body) if packing == "gzip" else body


def _unpacked(body: bytes) -> bytes:
    """Unpacks no further than the limit, however much a small body claims to hold."""
    stream = zlib.decompressobj(_GZIP)
    try:
        data = stream.decompress(body, settings.MAX_BODY_BYTES + 1)
    except zlib.error:
        raise Problem(422, "broken_gzip", "The body is not gzip.") from None
    if len(data) > settings.MAX_BODY_BYTES:
        raise too_large()
    if not stream.eof or stream.unused_data:
        raise Problem(422, "broken_gzip", "The packed body is cut off, or more follows it.")
    return data


def too_large() -> Problem:
    most = settings.MAX_BODY_BYTES // (1024 * 1024)
    return Problem(413, "too_large", f"The body is larger than {most} MB: send it in parts.")
