"""Messages of a broker into readings: nothing that was received is lost, doubled or unnamed.

A reading whose topic and name belong to a point is stored. What cannot be taken, or belongs to
nothing yet, is kept as a dead letter with its reason, to be taken again once the cause is gone; so
many of a topic and of a site, what comes beyond is refused and counted. Each reading counts once:
received = new + already known + dead letters + refused; a message that holds none counts as one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from django.db import transaction
from django.db.models import Count, F, Max, QuerySet
from django.utils.translation import gettext as _

from maintenance import store
from maintenance.choices import ImportDoor, ImportState
from maintenance.flow.ingest import arrivals
from maintenance.flow.ingest.columns import text_problem
from maintenance.flow.ingest.payloads import (
    LARGEST_PAYLOAD,
    UNTIMED,
    Clock,
    Told,
    Unreadable,
    readings_in,
    storable_payload,
    written,
)
from maintenance.flow.ingest.refusals import LONGEST_REASON, storable
from maintenance.flow.ingest.topics import LONGEST_TOPIC, Named, Topics
from maintenance.instants import from_us, to_us
from maintenance.models import DeadLetter, Import, Listener, Site, UnknownTopic, User

MOST_KEPT_OF_A_TOPIC = 1_000
MOST_KEPT_OF_A_SITE = 100_000
"""Dead letters that wait; what comes beyond is counted and not kept."""

MOST_UNKNOWN_TOPICS = 10_000
FURTHER_TOPICS = "#"
"""Stands for all unknown topics beyond these. No message can have it as its topic."""

MOST_IN_FLIGHT = 2_000
"""Messages that a broker may send before the first of them is acknowledged."""

RECORD_SECONDS = 3600
MOST_TAKEN_AT_ONCE = 5_000
TAKEN_LETTERS_KEPT_DAYS = 30
_STORED = struct.Struct("<H8s")


@dataclass(frozen=True, slots=True)
class Message:
    """As the broker delivered it; `number` is 0 where no acknowledgement is expected.

    One that `was_kept` comes from a dead letter, and need not come by size again.
    """

    topic: str
    payload: bytes
    received_us: int
    number: int = 0
    again: bool = False
    retained: bool = False
    was_kept: bool = False

    @property
    def digest(self) -> bytes:
        whole = self.topic.encode("utf-8", "surrogatepass") + b"\x00" + self.payload
        return hashlib.blake2b(whole, digest_size=8).digest()

    @property
    def letter(self) -> str:
        """Its payload as a dead letter keeps it."""
        return self.payload.decode() if self.was_kept else storable_payload(self.payload)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the readings of a batch of messages; each is counted once."""

    received: int = 0
    new: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    refused: int = 0

    def __add__(self, other: Taken) -> Taken:
        return Taken(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Taken)))


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of a message: how many readings, of which unknown names, and why."""

    letter: str
    readings: int
    reason: str
    unknown: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Messages of a batch: readings to store, and of each message what cannot be taken."""

    point_ids: list[int]
    at_us: list[int]
    values: list[float]
    rests: list[_Rest | None]


def listener_of(site: Site, client_id: str) -> Listener:
    return Listener.objects.get_or_create(site=site, client_id=client_id)[0]


def forget_stored(*, listener: Listener) -> None:
    """The broker began a new session: its numbers start again."""
    Listener.objects.filter(pk=listener.pk).update(stored=b"")


def take_messages(*, listener: Listener, messages: Sequence[Message], now: dt.datetime) -> Taken:
    """Store a batch in one transaction; acknowledge its messages when this returns."""
    with transaction.atomic():
        held = _held(listener)
        seen = dict(_STORED.iter_unpack(bytes(held.stored)))
        fresh = [m for m in messages if not (m.again and seen.get(m.number) == m.digest)]
        taken = _take(held.site, fresh, now)
        _record(held, fresh, taken, now)
    return taken


def take_unreadable(*, listener: Listener, message: Message, why: str, now: dt.datetime) -> Taken:
    """Keep a message that made taking it fail, so that it cannot stop those behind it."""
    with transaction.atomic():
        held = _held(listener)
        rest = _Rest(message.letter, 1, why)
        kept = _keep(held.site, [(message, rest)])
        taken = Taken(received=1, dead_lettered=kept, refused=1 - kept)
        _record(held, [message], taken, now)
    return taken


def take_again(
    *, site: Site, now: dt.datetime, topics: Collection[str] | None = None, by: User | None = None
) -> Taken:
    """Take the dead letters that wait now, oldest first; what cannot be taken stays.

    So many in a transaction, each of them once.
    """
    taken, last = Taken(), 0
    newest = waiting(site, topics).aggregate(newest=Max("pk"))["newest"] or 0
    while last < newest:
        with transaction.atomic():
            lock(site)
            there = waiting(site, topics).filter(pk__gt=last, pk__lte=newest)
            letters = list(there.order_by("pk")[:MOST_TAKEN_AT_ONCE])
            taken += _take_letters(site, letters, now, by)
        last = letters[-1].pk if len(letters) == MOST_TAKEN_AT_ONCE else newest
    with transaction.atomic():
        lock(site)
        _forget_known(site)
    return taken


def _take_letters(
    site: Site, letters: Sequence[DeadLetter], now: dt.datetime, by: User | None
) -> Taken:
    told = _sorted(site, [_message_of(letter) for letter in letters], now)
    for letter, rest in zip(letters, told.rests, strict=True):
        if rest is None:
            letter.taken_at = now
        else:
            letter.payload, letter.readings = rest.letter, rest.readings
            letter.reason = rest.reason
    changed = ["taken_at", "payload", "readings", "reason"]
    DeadLetter.objects.bulk_update(letters, changed, batch_size=500)
    appended = _appended(told, now)
    left = sum(rest.readings for rest in told.rests if rest)
    taken = Taken(
        received=len(told.values) + left,
        new=appended.new,
        duplicate=appended.duplicate,
        dead_lettered=left,
    )
    if told.values:
        _count(_new_record(site, now, by=by), taken, now)
    return taken


def waiting(site: Site, topics: Collection[str] | None = None) -> QuerySet[DeadLetter]:
    letters = DeadLetter.objects.of_site(site).filter(door=ImportDoor.MQTT, taken_at=None)
    return letters if topics is None else letters.filter(topic__in=topics)


def lock(site: Site) -> None:
    """One at a time in a site: what one makes known, whoever comes next knows.

    Without it a reading could be kept as unknown just after the dead letters of its topic were
    taken, and nobody would take it.
    """
    Site.objects.select_for_update(no_key=True).get(pk=site.pk)


def _held(listener: Listener) -> Listener:
    lock(listener.site)
    return Listener.objects.select_related("site").get(pk=listener.pk)


def _take(site: Site, messages: Sequence[Message], now: dt.datetime) -> Taken:
    told = _sorted(site, messages, now)
    appended = _appended(told, now)
    left = [(m, rest) for m, rest in zip(messages, told.rests, strict=True) if rest]
    readings = sum(rest.readings for _message, rest in left)
    kept = _keep(site, left) if left else 0
    _count_unknown(site, left, now)
    return Taken(
        received=len(told.values) + readings,
        new=appended.new,
        duplicate=appended.duplicate,
        dead_lettered=kept,
        refused=readings - kept,
    )


def _appended(told: _Sorted, now: dt.datetime) -> store.Appended:
    return arrivals.append(
        np.array(told.point_ids, np.int64),
        np.array(told.at_us, np.int64),
        np.array(told.values, np.float64),
        now=now,
    )


def _sorted(site: Site, messages: Sequence[Message], now: dt.datetime) -> _Sorted:
    read = [_read(message, now) for message in messages]
    wanted = {
        (message.topic, one.name)
        for message, found in zip(messages, read, strict=True)
        if not isinstance(found, str)
        for one in found
        if not one.reason
    }
    topics = Topics(site, wanted)
    told = _Sorted([], [], [], [])
    for message, found in zip(messages, read, strict=True):
        if isinstance(found, str):
            told.rests.append(_Rest(message.letter, 1, found))
        else:
            told.rests.append(_sort(message, found, topics, told))
    return told


def _read(message: Message, now: dt.datetime) -> list[Told] | str:
    """The readings of a message, or why it has none."""
    if problem := text_problem(message.topic, LONGEST_TOPIC):
        return _("its topic %(why)s") % {"why": problem}
    if len(message.payload) > LARGEST_PAYLOAD and not message.was_kept:
        words = {"size": len(message.payload), "largest": LARGEST_PAYLOAD}
        return _("the message has %(size)d bytes, more than %(largest)d") % words
    clock = Clock(message.received_us, to_us(now), message.retained)
    try:
        return readings_in(message.payload, clock)
    except Unreadable as error:
        return _("the message %(why)s") % {"why": error}


def _sort(message: Message, readings: list[Told], topics: Topics, told: _Sorted) -> _Rest | None:
    left, unknown, reasons = [], [], []
    for one in readings:
        point_id = None if one.reason else topics.point(message.topic, one.name)
        if point_id is not None:
            told.point_ids.append(point_id)
            told.at_us.append(one.at_us)
            told.values.append(one.value)
            continue
        left.append(one)
        if one.reason:
            reasons.append(f"{one.name}: {one.reason}" if one.name else one.reason)
        else:
            unknown.append((message.topic, one.name))
    if not left:
        return None
    reason = reasons[0] if reasons else _("belongs to no measurement point yet")
    # What has no instant is given none when it is taken again.
    whole = len(left) == len(readings) and all(one.ts != UNTIMED for one in left)
    letter = message.letter if whole else written(left)
    return _Rest(letter, len(left), storable(reason, LONGEST_REASON), tuple(unknown))


def _keep(site: Site, left: Sequence[tuple[Message, _Rest]]) -> int:
    """Dead letters of what is left, as long as there is room; how many readings they hold."""
    topics = {_storable_topic(message.topic) for message, _rest in left}
    kept = Counter(
        dict(waiting(site, topics).order_by().values_list("topic").annotate(count=Count("pk")))
    )
    room = MOST_KEPT_OF_A_SITE - waiting(site).order_by()[:MOST_KEPT_OF_A_SITE].count()
    letters: list[DeadLetter] = []
    for message, rest in left:
        topic = _storable_topic(message.topic)
        if len(letters) < room and kept[topic] < MOST_KEPT_OF_A_TOPIC:
            kept[topic] += 1
            letters.append(
                DeadLetter(
                    site=site,
                    door=ImportDoor.MQTT,
                    topic=topic,
                    payload=rest.letter,
                    readings=rest.readings,
                    reason=storable(rest.reason, LONGEST_REASON),
                    received_at=from_us(message.received_us),
                )
            )
    DeadLetter.objects.bulk_create(letters, batch_size=1000)
    return sum(letter.readings for letter in letters)


def _storable_topic(topic: str) -> str:
    """A topic that is cut stays one that no point has."""
    told = storable(topic, LONGEST_TOPIC + 1)
    return told if len(told) <= LONGEST_TOPIC else told[: LONGEST_TOPIC - 1] + "…"


def _count_unknown(site: Site, left: Iterable[tuple[Message, _Rest]], now: dt.datetime) -> None:
    counts: Counter[Named] = Counter()
    newest: dict[Named, str] = {}
    for message, rest in left:
        for pair in rest.unknown:
            counts[pair] += 1
            newest[pair] = storable(message.letter)
    if not counts:
        return
    known = _unknown_rows(site, [*counts, (FURTHER_TOPICS, "")])
    there = frozenset(known)
    room = MOST_UNKNOWN_TOPICS - UnknownTopic.objects.of_site(site).count()
    for told, count in counts.items():
        pair = told if told in known or room > 0 else (FURTHER_TOPICS, "")
        if pair not in known:
            known[pair] = _unknown_row(site, pair, now)
            room -= 1
        row = known[pair]
        row.readings += count
        row.newest_payload = newest[told]
        row.last_at = now
    new = [row for pair, row in known.items() if pair not in there]
    UnknownTopic.objects.bulk_update(
        [row for pair, row in known.items() if pair in there],
        ["readings", "newest_payload", "last_at"],
        batch_size=500,
    )
    UnknownTopic.objects.bulk_create(new, batch_size=1000)


def _unknown_rows(site: Site, pairs: Iterable[Named]) -> dict[Named, UnknownTopic]:
    wanted = set(pairs)
    topics = {topic for topic, _name in wanted}
    rows = UnknownTopic.objects.of_site(site).filter(topic__in=topics)
    return {(row.topic, row.name): row for row in rows if (row.topic, row.name) in wanted}


def _unknown_row(site: Site, pair: Named, now: dt.datetime) -> UnknownTopic:
    topic, name = pair
    return UnknownTopic(site=site, topic=topic, name=name, first_at=now, last_at=now)


def _forget_known(site: Site) -> None:
    """Topics that belong to a point by now are unknown no more."""
    rows = list(UnknownTopic.objects.of_site(site).values_list("pk", "topic", "name"))
    topics = Topics(site, [(topic, name) for _pk, topic, name in rows])
    known = [pk for pk, topic, name in rows if topics.point(topic, name) is not None]
    UnknownTopic.objects.filter(pk__in=known).delete()


def _message_of(letter: DeadLetter) -> Message:
    return Message(letter.topic, letter.payload.encode(), to_us(letter.received_at), was_kept=True)


def _record(held: Listener, messages: Sequence[Message], taken: Taken, now: dt.datetime) -> None:
    """What was stored and what was counted, in the transaction that stores it."""
    numbered = [(m.number, m.digest) for m in messages if m.number]
    news = b"".join(_STORED.pack(*one) for one in numbered)
    held.stored = (bytes(held.stored) + news)[-MOST_IN_FLIGHT * _STORED.size :]
    held.last_at = now
    if taken.received:
        held.batch = _open_record(held, now)
        _count(held.batch, taken, now)
    held.save(update_fields=["stored", "last_at", "batch"])


def _open_record(held: Listener, now: dt.datetime) -> Import:
    """One an hour, so that a plant that sends every second does not fill the list of imports."""
    batch = held.batch
    if batch is not None and now - batch.recorded_at < dt.timedelta(seconds=RECORD_SECONDS):
        return batch
    old = now - dt.timedelta(days=TAKEN_LETTERS_KEPT_DAYS)
    DeadLetter.objects.of_site(held.site).filter(taken_at__lt=old).delete()
    return _new_record(held.site, now, file_name=held.client_id)


def _new_record(
    site: Site, now: dt.datetime, *, file_name: str = "", by: User | None = None
) -> Import:
    return Import.objects.create(
        site=site,
        door=ImportDoor.MQTT,
        table="readings",
        file_name=file_name,
        state=ImportState.DONE,
        by=by,
        recorded_at=now,
        finished_at=now,
    )


def _count(batch: Import, taken: Taken, now: dt.datetime) -> None:
    counts = {field.name: F(field.name) + getattr(taken, field.name) for field in fields(taken)}
    Import.objects.filter(pk=batch.pk).update(finished_at=now, **counts)
