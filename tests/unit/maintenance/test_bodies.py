"""What a connection may do to a body, beyond what a test client can send."""

import io
import random
import socket
import threading
import time
import zlib
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from pytest_django import Settings

from maintenance.api import bodies
from maintenance.api.tokens import Problem


def request(wire: Any, length: int, **environ: Any) -> WSGIRequest:
    return WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(length),
            "wsgi.input": wire,
            **environ,
        }
    )


def refused(sent: WSGIRequest) -> str:
    with pytest.raises(Problem) as problem:
        bodies.json_body(sent)
    return problem.value.code


def test_a_body_comes_in_as_many_pieces_as_it_takes() -> None:
    body = random.Random(1).randbytes(600_000)
    assert bodies.json_body(request(io.BytesIO(body), len(body))) == body


def test_a_body_that_ends_early_is_refused() -> None:
    assert refused(request(io.BytesIO(b"{"), 100)) == "broken_body"


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    wire = io.BytesIO(b" " * 100)
    assert refused(request(wire, 10**10)) == "too_large"
    assert wire.tell() == 0


def test_a_bomb_is_refused_before_all_of_it_is_read(settings: Settings) -> None:
    settings.MAX_BODY_BYTES = 1024 * 1024
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(1000)) + packer.flush()
    wire = io.BytesIO(bomb)
    assert refused(request(wire, len(bomb), HTTP_CONTENT_ENCODING="gzip")) == "too_large"
    assert wire.tell() < len(bomb)


def test_a_client_that_is_too_slow_is_not_waited_for(settings: Settings) -> None:
    settings.SLOWEST_BODY_SECONDS = 0.2
    ours, theirs = socket.socketpair()
    ended = threading.Event()

    def dribble() -> None:
        while not ended.wait(0.02):
            theirs.send(b" ")

    client = threading.Thread(target=dribble)
    client.start()
    began = time.monotonic()
    with ours.makefile("rb") as wire:
        sent = request(wire, 100_000, **{"gunicorn.socket": ours})
        assert refused(sent) == "too_slow"
    assert time.monotonic() - began < 10
    ended.set()
    client.join()
    for end in (ours, theirs):
        end.close()
