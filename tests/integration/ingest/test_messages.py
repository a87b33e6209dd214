"""Messages of a broker into the database, without a broker: what is stored, kept and counted."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from maintenance import store
from maintenance.flow import ingest
from maintenance.flow.ingest import messages as flow
from maintenance.instants import to_us
from maintenance.models import (
    DeadLetter,
    Import,
    Listener,
    MeasurementPoint,
    Site,
    TopicPoint,
    TopicTemplate,
    UnknownTopic,
    User,
)
from tests.factories import (
    NOW,
    AssetFactory,
    MeasurementPointFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

TS = to_us(NOW) // 1000 - 3_600_000


@pytest.fixture
def site() -> Site:
    site = SiteFactory.create()
    for template in ("plant/{asset}", "plant/{asset}/{point}"):
        TopicTemplate.objects.create(site=site, template=template, recorded_at=NOW)
    return site


@pytest.fixture
def point(site: Site) -> MeasurementPoint:
    asset = AssetFactory.create(site=site, code="P-1", external_id="EQ-1", source="cmms")
    return MeasurementPointFactory.create(asset=asset, code="vibration", external_id="TAG-7")


@pytest.fixture
def listener(site: Site) -> Listener:
    return ingest.listener_of(site, "vigia-test")


@pytest.fixture
def engineer() -> User:
    return UserFactory.create()


def message(topic: str, payload: Any, number: int = 0, **more: Any) -> ingest.Message:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ingest.Message(topic, body, to_us(NOW) + number, number, **more)


def take(listener: Listener, *messages: ingest.Message, now: dt.datetime = NOW) -> ingest.Taken:
    return ingest.take_messages(listener=listener, messages=messages, now=now)


def values(point: MeasurementPoint) -> list[float]:
    return store.read([point.pk], 0, 2**62)[point.pk][1].tolist()


def create(unknown: UnknownTopic, by: User, asset: str = "P-1", point: str = "new") -> ingest.Taken:
    _point, taken = ingest.create_point(
        unknown=unknown, asset_code=asset, point_code=point, unit="bar", by=by, now=NOW
    )
    return taken


def test_a_topic_tells_the_point_by_template_by_external_id_or_because_somebody_said_so(
    listener: Listener, point: MeasurementPoint
) -> None:
    TopicPoint.objects.create(
        site=listener.site, topic="plant/other", name="x", point=point, recorded_at=NOW
    )
    taken = take(
        listener,
        message("plant/P-1", {"ts": TS, "vibration": 1}),
        message("plant/P-1/vibration", {"ts": TS + 1, "value": 2}),
        message("plant/EQ-1/TAG-7", {"ts": TS + 2, "value": 3}),
        message("plant/other", {"ts": TS + 3, "x": 4}),
    )
    assert taken == ingest.Taken(received=4, new=4)
    assert values(point) == [1.0, 2.0, 3.0, 4.0]


def test_a_code_comes_before_an_external_id_that_is_the_same(
    listener: Listener, point: MeasurementPoint
) -> None:
    other = AssetFactory.create(site=listener.site, code="X", external_id="P-1", source="cmms")
    MeasurementPointFactory.create(asset=other, code="vibration")
    take(listener, message("plant/P-1", {"ts": TS, "vibration": 1}))
    assert values(point) == [1.0]


def test_a_point_of_another_site_is_no_point_of_this_one(listener: Listener) -> None:
    MeasurementPointFactory.create(asset=AssetFactory.create(code="P-9"), code="vibration")
    taken = take(listener, message("plant/P-9/vibration", 1))
    assert taken == ingest.Taken(received=1, dead_lettered=1)


def test_a_message_sent_again_adds_nothing(listener: Listener, point: MeasurementPoint) -> None:
    told = message("plant/P-1", {"ts": TS, "vibration": 1}, number=1)
    take(listener, told)
    again = message("plant/P-1", {"ts": TS, "vibration": 1}, number=2)
    assert take(listener, again) == ingest.Taken(received=1, duplicate=1)


def test_a_message_that_was_stored_and_not_acknowledged_is_not_counted_twice(
    listener: Listener, point: MeasurementPoint
) -> None:
    first = [message("plant/P-1/vibration", 1.5, number=7), message("nowhere", 2, number=8)]
    take(listener, *first)
    later = [
        message("plant/P-1/vibration", 1.5, number=7, again=True),
        message("nowhere", 2, number=8, again=True),
        message("plant/P-1/vibration", 3, number=9, again=True),
    ]
    assert take(listener, *later) == ingest.Taken(received=1, new=1)
    assert values(point) == [1.5, 3.0]
    assert UnknownTopic.objects.get().readings == DeadLetter.objects.count() == 1


def test_in_a_new_session_of_the_broker_numbers_start_again(
    listener: Listener, point: MeasurementPoint
) -> None:
    take(listener, message("plant/P-1/vibration", 1.5, number=7))
    ingest.forget_stored(listener=listener)
    later = ingest.Message("plant/P-1/vibration", b"1.5", to_us(NOW) + 99, 7, again=True)
    assert take(listener, later).new == 1


def test_it_remembers_what_may_come_again_and_no_more(listener: Listener) -> None:
    several = [message("nowhere", i, number=i + 1) for i in range(flow.MOST_IN_FLIGHT + 5)]
    take(listener, *several)
    listener.refresh_from_db()
    assert len(listener.stored) == 10 * flow.MOST_IN_FLIGHT
    assert take(listener, message("nowhere", 5, number=6, again=True)).received == 0


def test_what_belongs_to_nothing_is_counted_shown_and_kept(listener: Listener) -> None:
    taken = take(
        listener,
        message("plant/P-7", {"ts": TS, "a": 1, "b": 2}),
        message("plant/P-7", {"ts": TS + 1, "a": 3}),
    )
    assert taken == ingest.Taken(received=3, dead_lettered=3)
    told = {(row.topic, row.name): row.readings for row in UnknownTopic.objects.all()}
    assert told == {("plant/P-7", "a"): 2, ("plant/P-7", "b"): 1}
    newest = UnknownTopic.objects.get(name="a").newest_payload
    assert json.loads(newest) == {"ts": TS + 1, "a": 3}
    assert sorted(DeadLetter.objects.values_list("readings", flat=True)) == [1, 2]


def test_the_good_readings_of_a_message_are_stored_and_the_rest_is_kept(
    listener: Listener, point: MeasurementPoint
) -> None:
    taken = take(
        listener, message("plant/P-1", {"ts": TS, "vibration": 1, "text": "x", "other": 5})
    )
    assert taken == ingest.Taken(received=3, new=1, dead_lettered=2)
    letter = DeadLetter.objects.get()
    assert json.loads(letter.payload) == [{"ts": TS, "values": {"text": "x", "other": 5}}]
    assert letter.reason == "text: 'x' is not a number"


def test_a_created_point_takes_what_waited_exactly_once(
    listener: Listener, point: MeasurementPoint, engineer: User
) -> None:
    take(listener, *(message("plant/P-1/new", {"ts": TS + i, "value": i}) for i in range(20)))
    take(listener, message("plant/P-1/new", 99.5, number=5))
    unknown = UnknownTopic.objects.get(name="value")
    assert create(unknown, engineer) == ingest.Taken(received=21, new=21)
    made = MeasurementPoint.objects.get(code="new")
    assert (made.unit, values(made)) == ("bar", [*map(float, range(20)), 99.5])
    assert not UnknownTopic.objects.exists()
    assert not ingest.waiting(listener.site).exists()
    assert ingest.take_again(site=listener.site, now=NOW) == ingest.Taken()
    assert take(listener, message("plant/P-1/new", {"ts": TS + 50, "value": 1})).new == 1


def test_of_a_message_with_two_unknown_names_the_other_one_waits_on(
    listener: Listener, point: MeasurementPoint, engineer: User
) -> None:
    take(listener, message("odd/topic", {"ts": TS, "a": 1, "b": 2}))
    taken = create(UnknownTopic.objects.get(name="a"), engineer, point="a")
    assert taken == ingest.Taken(received=2, new=1, dead_lettered=1)
    letter = ingest.waiting(listener.site).get()
    assert json.loads(letter.payload) == [{"ts": TS, "values": {"b": 2}}]
    assert create(UnknownTopic.objects.get(), engineer, point="b").new == 1
    assert values(MeasurementPoint.objects.get(code="a")) == [1.0]
    assert values(MeasurementPoint.objects.get(code="b")) == [2.0]


def test_a_topic_may_be_given_a_point_that_is_there(
    listener: Listener, point: MeasurementPoint, engineer: User
) -> None:
    take(listener, message("hall/7", {"ts": TS, "temp": 4}))
    create(UnknownTopic.objects.get(), engineer, point="vibration")
    assert values(point) == [4.0]


@pytest.mark.parametrize(
    ("asset", "code", "field"), [("P-99", "a", "asset"), ("P-1", " ", "point")]
)
def test_a_point_that_cannot_be_made_is_refused_in_words(
    listener: Listener, point: MeasurementPoint, engineer: User, asset: str, code: str, field: str
) -> None:
    take(listener, message("hall/7", 4))
    with pytest.raises(ingest.Refused) as refusal:
        create(UnknownTopic.objects.get(), engineer, asset=asset, point=code)
    assert refusal.value.field == field
    assert ingest.waiting(listener.site).count() == 1


def test_a_new_template_takes_what_waited_for_it(
    listener: Listener, point: MeasurementPoint, engineer: User
) -> None:
    take(listener, message("line/P-1/vibration", {"ts": TS, "value": 4}), message("else", 1))
    taken = ingest.add_template(
        site=listener.site, template="line/{asset}/{point}", by=engineer, now=NOW
    )
    assert taken == ingest.Taken(received=1, new=1)
    assert [row.topic for row in UnknownTopic.objects.all()] == ["else"]


def test_what_was_in_the_future_is_taken_once_it_is_past(
    listener: Listener, point: MeasurementPoint
) -> None:
    ahead = NOW + dt.timedelta(days=3)
    take(listener, message("plant/P-1", {"ts": to_us(ahead) // 1000, "vibration": 1}))
    assert not values(point)
    assert ingest.take_again(site=listener.site, now=ahead).new == 1
    assert values(point) == [1.0]


def test_of_a_topic_so_many_letters_are_kept_and_all_are_counted(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "MOST_KEPT_OF_A_TOPIC", 3)
    several = [message("nowhere", i) for i in range(5)]
    assert take(listener, *several) == ingest.Taken(received=5, dead_lettered=3, refused=2)
    assert take(listener, *several) == ingest.Taken(received=5, refused=5)
    assert UnknownTopic.objects.get().readings == 10
    assert take(listener, message("elsewhere", b"{")).dead_lettered == 1


def test_of_a_site_so_many_letters_are_kept(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "MOST_KEPT_OF_A_SITE", 3)
    several = [message(f"nowhere/{i}", i) for i in range(5)]
    assert take(listener, *several) == ingest.Taken(received=5, dead_lettered=3, refused=2)


def test_topics_without_end_are_counted_together(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "MOST_UNKNOWN_TOPICS", 3)
    for start in (0, 6):
        take(listener, *(message(f"nowhere/{start + i}", i) for i in range(6)))
    counts = {row.topic: row.readings for row in UnknownTopic.objects.all()}
    assert counts.pop(ingest.FURTHER_TOPICS) == 9
    assert counts == {f"nowhere/{i}": 1 for i in range(3)}


def test_a_message_that_is_too_large_is_named_and_its_beginning_kept(listener: Listener) -> None:
    taken = take(listener, message("plant/P-1", b"[" + b"1," * 200_000 + b"1]"))
    assert taken == ingest.Taken(received=1, dead_lettered=1)
    letter = DeadLetter.objects.get()
    assert "more than 262144" in letter.reason
    assert len(letter.payload) < 3000
    assert ingest.take_again(site=listener.site, now=NOW).new == 0


def test_a_topic_longer_than_any_point_can_have_is_kept(listener: Listener) -> None:
    take(listener, message("t" * 5000, 1))
    letter = DeadLetter.objects.get()
    assert len(letter.topic) == 240
    assert "its topic is longer" in letter.reason


@pytest.mark.parametrize(
    "payload", [b"", b"\x00\xff", b'{"\\u0000": 1}', b'{"\\ud800": 1, "a": 1}', "ñ☃".encode()]
)
def test_whatever_bytes_come_they_are_kept_and_can_be_taken_again(
    listener: Listener, payload: bytes
) -> None:
    take(listener, message("odd\ud800\x00topic", payload))
    letters = DeadLetter.objects.values_list("topic", "payload", "readings")
    before = list(letters)
    ingest.take_again(site=listener.site, now=NOW)
    assert list(letters) == before


def test_a_message_that_breaks_the_store_is_kept(listener: Listener) -> None:
    told = message("plant/P-1", {"ts": TS, "vibration": 1}, number=3)
    taken = ingest.take_unreadable(listener=listener, message=told, why="Bug", now=NOW)
    assert taken == ingest.Taken(received=1, dead_lettered=1)
    assert DeadLetter.objects.get().reason == "Bug"


def test_there_is_one_record_an_hour_and_it_adds_up(
    listener: Listener, point: MeasurementPoint
) -> None:
    for minutes in (0, 1, 59, 60, 61):
        now = NOW + dt.timedelta(minutes=minutes)
        take(
            listener,
            message("plant/P-1", {"ts": TS + minutes, "vibration": 1}),
            message("plant/P-1", {"ts": TS, "vibration": 1}),
            message("nowhere", minutes),
            now=now,
        )
    records = Import.objects.order_by("recorded_at")
    assert [record.received for record in records] == [9, 6]
    assert records[0].finished_at == NOW + dt.timedelta(minutes=59)
    for record in records:
        assert record.state == "done"
        assert record.received == record.new + record.duplicate + record.dead_lettered


def test_dead_letters_of_a_topic_can_be_deleted(listener: Listener, engineer: User) -> None:
    take(listener, message("nowhere", 1), message("elsewhere", 2))
    count = ingest.discard(site=listener.site, topic="nowhere", by=engineer, now=NOW)
    assert count == 1
    assert [row.topic for row in UnknownTopic.objects.all()] == ["elsewhere"]


def test_letters_taken_long_ago_are_deleted(
    listener: Listener, point: MeasurementPoint, engineer: User
) -> None:
    take(listener, message("hall/7", 4))
    create(UnknownTopic.objects.get(), engineer)
    take(listener, message("hall/7", 4), now=NOW + dt.timedelta(days=40))
    assert not DeadLetter.objects.exists()


def test_letters_that_cannot_be_taken_do_not_keep_those_behind_them_from_it(
    listener: Listener, point: MeasurementPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "MOST_TAKEN_AT_ONCE", 2)
    take(listener, *(message("nowhere", i) for i in range(5)))
    late = [message("line/P-1", {"ts": TS + i, "vibration": i}) for i in range(4)]
    take(listener, *late)
    TopicTemplate.objects.create(site=listener.site, template="line/{asset}", recorded_at=NOW)
    taken = ingest.take_again(site=listener.site, now=NOW)
    assert taken == ingest.Taken(received=9, new=4, dead_lettered=5)
    assert values(point) == [0.0, 1.0, 2.0, 3.0]
    assert [row.topic for row in UnknownTopic.objects.all()] == ["nowhere"]
