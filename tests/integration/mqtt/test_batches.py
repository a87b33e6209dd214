"""The listener's batches when storing them fails, without a broker."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from paho.mqtt.client import ConnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from maintenance.flow import ingest
from maintenance.models import DeadLetter, Import, Site, UnknownTopic
from maintenance.sources import mqtt
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db

BROKER = mqtt.Broker("127.0.0.1", 1, ["#"], "vigia-test", 7)


class Acknowledged:
    """Stands for the client: what the broker is told."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def ack(self, number: int, qos: int) -> None:
        assert qos == 1
        self.numbers.append(number)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> mqtt.Listening:
    site: Site = SiteFactory.create()
    made = mqtt.Listening(site, BROKER, lambda _topics: None)
    monkeypatch.setattr(made, "_client", Acknowledged())
    # A test's own transaction would be lost with its connection.
    monkeypatch.setattr(mqtt.connection, "close", lambda: None)
    return made


def arrive(listening: mqtt.Listening, *payloads: bytes) -> None:
    for number, payload in enumerate(payloads, 1):
        listening._batch.add(ingest.Message("nowhere", payload, number, number), 0.0)


def acknowledged(listening: mqtt.Listening) -> list[int]:
    client: Any = listening._client
    numbers: list[int] = client.numbers
    return numbers


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int, bad: bytes) -> None:
    """Taking a batch with that payload raises, so many times."""
    left = [times]
    take = ingest.take_messages

    def broken(*, messages: list[ingest.Message], **more: Any) -> ingest.Taken:
        if left[0] and any(message.payload == bad for message in messages):
            left[0] -= 1
            raise error
        return take(messages=messages, **more)

    monkeypatch.setattr(ingest, "take_messages", broken)


def test_a_batch_is_acknowledged_once_it_is_stored(listening: mqtt.Listening) -> None:
    arrive(listening, b"1", b"2")
    listening._store()
    assert acknowledged(listening) == [1, 2]
    assert UnknownTopic.objects.get().readings == 2
    listening._store()
    assert Import.objects.get().received == 2


def test_while_the_database_is_away_nothing_is_acknowledged(
    listening: mqtt.Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, OperationalError("away"), 2, b"1")
    arrive(listening, b"1", b"2")
    for _attempt in range(2):
        listening._store()
        assert acknowledged(listening) == []
    listening._store()
    assert acknowledged(listening) == [1, 2]
    assert DeadLetter.objects.count() == 2


def test_a_message_that_breaks_its_batch_is_kept_and_the_others_are_taken(
    listening: mqtt.Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ZeroDivisionError("a mistake of ours"), 99, b"2")
    arrive(listening, b"1", b"2", b"3")
    listening._store()
    assert acknowledged(listening) == [1, 2, 3]
    reasons = list(DeadLetter.objects.order_by("pk").values_list("payload", "reason"))
    assert reasons[1] == ("2", "ZeroDivisionError")
    assert UnknownTopic.objects.get().readings == 2


def test_a_commit_that_nobody_confirmed_is_not_counted_twice(
    listening: mqtt.Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = ingest.take_messages
    failed = []

    def lost(**more: Any) -> ingest.Taken:
        taken = take(**more)
        if not failed:
            failed.append(taken)
            raise OperationalError("the connection was lost while it was committed")
        return taken

    monkeypatch.setattr(ingest, "take_messages", lost)
    arrive(listening, b"1", b"2")
    listening._store()
    listening._store()
    assert acknowledged(listening) == [1, 2]
    assert Import.objects.get().received == DeadLetter.objects.count() == 2


@pytest.mark.parametrize(
    ("messages", "at", "due"),
    [(0, 9.0, False), (1, 0.01, False), (1, 0.06, True), (mqtt.BATCH_MESSAGES, 0.0, True)],
)
def test_a_batch_is_due_when_it_is_full_or_the_broker_is_quiet(
    messages: int, at: float, due: bool
) -> None:
    batch = mqtt.Batch()
    for number in range(messages):
        batch.add(ingest.Message("t", b"1", 0, number), 0.0)
    assert batch.is_due(at) == due


def test_a_batch_is_due_after_a_second_however_much_comes() -> None:
    batch = mqtt.Batch()
    for moment in range(0, 102, 2):
        batch.add(ingest.Message("t", b"1", 0), moment / 100)
    assert batch.is_due(1.01)


def test_pauses_grow_to_a_minute_and_begin_anew() -> None:
    pauses = mqtt.Pauses()
    lengths = [pauses.following() for _ in range(12)]
    assert 0.5 <= lengths[0] <= 1
    assert all(30 <= length <= 60 for length in lengths[7:])
    pauses.over()
    assert pauses.following() <= 1


def test_what_needs_no_acknowledgement_outlives_the_connection(
    listening: mqtt.Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker sends it once: what is to be acknowledged comes again."""
    monkeypatch.setattr(listening, "_sleep", lambda _seconds: None)
    arrive(listening, b"1", b"2")
    listening._batch.add(ingest.Message("nowhere", b"3", 3, 0), 0.0)
    listening._lost("gone")
    listening._store()
    assert acknowledged(listening) == []
    assert [letter.payload for letter in DeadLetter.objects.all()] == ["3"]


def test_a_new_session_stays_new_until_something_is_stored(
    listening: mqtt.Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = listening._client
    monkeypatch.setattr(client, "subscribe", lambda _topics: None, raising=False)
    reason = ReasonCode(PacketTypes.CONNACK)
    for session_present in (False, True):
        listening._on_connect(client, None, ConnectFlags(session_present), reason, None)
    assert listening._new_session
    arrive(listening, b"1")
    listening._store()
    assert not listening._new_session
