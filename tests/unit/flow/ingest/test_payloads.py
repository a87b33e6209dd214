"""Messages into readings, without a broker and without a database."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance.flow.ingest.payloads import (
    LARGEST_PAYLOAD,
    Clock,
    Told,
    Unreadable,
    readings_in,
    storable_payload,
    written,
)
from maintenance.flow.ingest.refusals import Refused
from maintenance.flow.ingest.topics import Template

RECEIVED_US = 1_760_000_000_000_000
CLOCK = Clock(RECEIVED_US, RECEIVED_US)
TS = 1_750_000_000_000


def told(payload: object, clock: Clock = CLOCK) -> list[Told]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return readings_in(body, clock)


def good(payload: object) -> list[tuple[str, int, float]]:
    found = told(payload)
    assert not [one for one in found if one.reason]
    return [(one.name, one.at_us, one.value) for one in found]


@pytest.mark.parametrize(
    "payload",
    [
        {"ts": TS, "values": {"a": 1.5, "b": 2}},
        {"ts": TS, "values": {"a": 1.5, "b": 2}, "device": "x"},
        {"ts": TS, "a": 1.5, "b": 2},
        [{"ts": TS, "a": 1.5}, {"ts": TS, "values": {"b": 2}}],
        {"ts": "2025-06-15T15:06:40Z", "a": 1.5, "b": 2},
        {"ts": "2025-06-15T17:06:40+02:00", "a": 1.5, "b": 2},
    ],
)
def test_each_shape_says_the_same(payload: object) -> None:
    assert good(payload) == [("a", TS * 1000, 1.5), ("b", TS * 1000, 2.0)]


def test_a_bare_number_is_named_by_its_topic_and_is_of_the_moment_it_came() -> None:
    assert good(b" 21.5 ") == [("", RECEIVED_US, 21.5)]
    assert good({"ts": None, "a": 1}) == [("a", RECEIVED_US, 1.0)]


def test_values_are_kept_to_the_last_digit() -> None:
    assert good(b'{"ts": 1750000000000.25, "a": 0.1}') == [("a", TS * 1000 + 250, 0.1)]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "is empty"),
        (b"\xff\x00", "is not UTF-8"),
        (b"{", "is not JSON"),
        (b"on", "is not JSON"),
        (b"[" * 50_000, "is nested too deeply"),
        (b"9" * 5000, "is not JSON"),
        (b"[]", "holds no value"),
        (b"{}", "holds no value"),
        (b'{"ts": 1750000000000}', "holds no value"),
        (b'{"a": 1, "a": 2}', "names 'a' twice"),
    ],
)
def test_a_message_without_a_reading_says_why(payload: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        told(payload)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"NaN", "is not a finite number"),
        (b"-Infinity", "is not a finite number"),
        (b"1e999", "is not a finite number"),
        (b"1" + b"0" * 400, "is not a finite number"),
        (b"null", "is missing"),
        (b"true", "'bool' is not a number"),
        (b'"12"', "'12' is not a number"),
        (b'{"a": {"b": 1}}', "'dict' is not a number"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"\\ud800": 1}', "lone surrogate"),
        (json.dumps({"n" * 5000: 1}).encode(), "longer than"),
        (b'{"ts": 1750000000, "a": 1}', "no count of milliseconds"),
        (b'{"ts": true, "a": 1}', "no count of milliseconds"),
        (b'{"ts": NaN, "a": 1}', "no count of milliseconds"),
        (b'{"ts": "yesterday", "a": 1}', "no count of milliseconds"),
        (b'{"ts": "2025-06-15T15:06:40", "a": 1}', "no count of milliseconds"),
        (b'{"ts": 1760086401000, "a": 1}', "in the future"),
    ],
)
def test_a_reading_that_is_none_says_why(payload: bytes, why: str) -> None:
    [one] = told(payload)
    assert why in one.reason


def test_the_good_readings_of_a_message_are_none_the_worse_for_a_bad_one() -> None:
    found = told({"ts": TS, "a": 1, "b": "x", "c": 3})
    assert [one.name for one in found if not one.reason] == ["a", "c"]


def test_two_values_of_a_name_without_instants_cannot_be_told_apart() -> None:
    found = told([1, 1, 2])
    assert [bool(one.reason) for one in found] == [False, False, True]


def test_what_a_broker_retained_needs_an_instant() -> None:
    retained = Clock(RECEIVED_US, RECEIVED_US, retained=True)
    [one] = told(5, retained)
    assert "nobody knows how old" in one.reason
    [later] = told(written([one]).encode())
    assert later.reason, "it still has no instant when it is taken again"
    [one] = told({"ts": TS, "a": 5}, retained)
    assert not one.reason


def test_what_was_in_the_future_is_taken_once_it_is_past() -> None:
    message = {"ts": RECEIVED_US // 1000 + 200_000_000, "a": 1}
    [one] = told(message)
    assert one.reason
    [one] = told(message, Clock(RECEIVED_US, RECEIVED_US + 200_000_000_000))
    assert not one.reason


@given(st.binary(max_size=200))
def test_no_bytes_whatsoever_raise_anything_else(payload: bytes) -> None:
    with suppress(Unreadable):
        assert readings_in(payload, CLOCK)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["ts", "values", "a", "b", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_whatsoever_raises_anything_else(whole: object) -> None:
    """And what is written of its readings reads as the same readings."""
    try:
        found = readings_in(json.dumps(whole).encode(), CLOCK)
    except Unreadable:
        return
    again = readings_in(written(found).encode(), CLOCK)
    assert [one.name for one in again] == [one.name for one in found]
    assert [one for one in again if not one.reason] == [one for one in found if not one.reason]


@given(st.binary(max_size=300))
def test_a_message_is_kept_as_text_that_says_the_same_or_nothing(payload: bytes) -> None:
    kept = storable_payload(payload)
    assert "\x00" not in kept
    try:
        found = readings_in(payload, CLOCK)
    except Unreadable:
        with pytest.raises(Unreadable):
            readings_in(kept.encode(), CLOCK)
    else:
        assert written(readings_in(kept.encode(), CLOCK)) == written(found)


def test_of_a_message_that_is_too_large_the_beginning_is_kept_and_never_read() -> None:
    kept = storable_payload(b"7" * (LARGEST_PAYLOAD + 1))
    assert len(kept) < 3000
    with pytest.raises(Unreadable):
        readings_in(kept.encode(), CLOCK)


@pytest.mark.parametrize(
    ("template", "topic", "name", "meant"),
    [
        ("plant/{asset}/{point}", "plant/P-1/vibration", "", ("P-1", "vibration")),
        ("plant/{asset}/{point}", "plant/P-1/vibration", "value", ("P-1", "vibration")),
        ("plant/{asset}/{point}", "plant/P-1/vibration", "x", None),
        ("plant/{asset}/{point}", "plant/P-1", "", None),
        ("plant/{asset}", "plant/P-1", "vibration", ("P-1", "vibration")),
        ("plant/+/{asset}", "plant/hall-2/P-1", "a", ("P-1", "a")),
        ("{point}/of/{asset}", "vibration/of/P.1", "", ("P.1", "vibration")),
        ("a.c/{asset}", "abc/P-1", "x", None),
    ],
)
def test_a_template_reads_asset_and_point(
    template: str, topic: str, name: str, meant: tuple[str, str] | None
) -> None:
    assert Template.of(template).asset_and_point(topic, name) == meant


@pytest.mark.parametrize(
    "template",
    [
        "",
        "plant",
        "{asset}/{asset}",
        "{point}",
        "{asset}/{point}/{point}",
        "p-{asset}",
        "{asset}/#",
    ],
)
def test_a_template_that_cannot_tell_an_asset_is_refused(template: str) -> None:
    with pytest.raises(Refused):
        Template.of(template)
