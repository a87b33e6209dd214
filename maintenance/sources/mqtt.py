"""Listens to an MQTT broker: a message is acknowledged once the database has it, never before.

One thread reads the network, collects a batch, stores it and acknowledges it. The session outlives
the connection: what arrives while nobody listens, or was not acknowledged, the broker sends again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from django.db import Error as DatabaseProblem
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from maintenance.flow import ingest
from maintenance.instants import to_us
from maintenance.models import Listener, Site

BATCH_SECONDS = 1.0
BATCH_MESSAGES = 5_000
# A broker sends only so much before it wants an acknowledgement: silence may mean that it waits.
QUIET_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
KEEP_ALIVE_SECONDS = 60
# A database that is locked or away answers later; a batch that it never takes is taken apart.
ATTEMPTS_TOGETHER = 4
DAY_SECONDS = 24 * 3600

AWAY = (OperationalError, InterfaceError)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Broker:
    """Where to listen, to what, and how to be let in."""

    host: str
    port: int
    topics: Sequence[str]
    client_id: str
    session_days: int
    secure: bool = False
    user: str = ""
    password: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


@dataclass
class Pauses:
    """How long to wait before the next attempt: twice as long each time, and never in step."""

    count: int = 0

    def following(self) -> float:
        longest: float = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**self.count)
        self.count = min(self.count + 1, 10)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  Not a secret.

    def over(self) -> None:
        self.count = 0


@dataclass
class Batch:
    """Messages that came and are not stored yet."""

    messages: list[ingest.Message] = field(default_factory=list)
    began: float = 0.0
    last: float = 0.0

    def add(self, message: ingest.Message, at: float) -> None:
        if not self.messages:
            self.began = at
        self.messages.append(message)
        self.last = at

    def ask_again(self) -> None:
        """It may have been stored all the same: nobody said so."""
        self.messages = [replace(message, again=True) for message in self.messages]

    def forget_numbered(self) -> None:
        self.messages = [message for message in self.messages if not message.number]

    def is_due(self, at: float) -> bool:
        return bool(self.messages) and (
            len(self.messages) >= BATCH_MESSAGES
            or at - self.began >= BATCH_SECONDS
            or at - self.last >= QUIET_SECONDS
        )


class Listening:
    """A site's listener at work, until `stop` is called."""

    def __init__(self, site: Site, broker: Broker, tell: Callable[[str], None]) -> None:
        self._site = site
        self._broker = broker
        self._tell = tell
        self._client = _client(broker)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._batch = Batch()
        self._stopping = False
        self._new_session = False
        self._connecting = Pauses()
        self._storing = Pauses()
        self._not_before = 0.0
        self._last_us = 0

    def run(self) -> None:
        while not self._stopping:
            if self._client.socket() is None:
                self._connect()
            else:
                self._listen_once()
        self._store()
        self._client.disconnect()

    def stop(self) -> None:
        self._stopping = True

    def _connect(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._broker.session_days * DAY_SECONDS
        properties.ReceiveMaximum = ingest.MOST_IN_FLIGHT
        try:
            self._client.connect(
                self._broker.host,
                self._broker.port,
                KEEP_ALIVE_SECONDS,
                clean_start=False,
                properties=properties,
            )
        except OSError as error:
            self._lost(f"{type(error).__name__}: {error}")

    def _lost(self, why: str) -> None:
        """What was to be acknowledged comes again: forget it here. The rest stays."""
        self._batch.forget_numbered()
        if not self._stopping:
            pause = self._connecting.following()
            log.warning("mqtt_connection_lost", why=why, again_in_seconds=round(pause, 1))
            self._sleep(pause)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(0.2, left))

    def _listen_once(self) -> None:
        if len(self._batch.messages) < BATCH_MESSAGES:
            state = self._client.loop(QUIET_SECONDS)
        else:
            time.sleep(QUIET_SECONDS)
            state = self._client.loop_misc()
        if state != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lost(error_string(state))
        elif self._batch.is_due(time.monotonic()) and time.monotonic() >= self._not_before:
            self._store()

    def _on_connect(
        self,
        client: Client,
        _userdata: Any,
        flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.error("mqtt_connection_refused", why=str(reason))
            return
        self._connecting.over()
        # Until something was stored, a new session stays new, even when it is resumed.
        self._new_session |= not flags.session_present
        # Subscribed anew, since the topics may have changed; what was retained comes once only.
        once = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        client.subscribe([(topic, once) for topic in self._broker.topics])

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: Any,
        _number: int,
        reasons: Sequence[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        told = list(zip(self._broker.topics, reasons, strict=True))
        refused = {topic: str(reason) for topic, reason in told if reason.is_failure}
        if refused:
            log.error("mqtt_subscription_refused", topics=refused)
        heard = [topic for topic, _reason in told if topic not in refused]
        if heard:
            self._tell(", ".join(heard))

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._last_us = max(self._last_us + 1, to_us(timezone.now()))
        taken = ingest.Message(
            topic=message.topic,
            payload=bytes(message.payload),
            received_us=self._last_us,
            number=message.mid if message.qos else 0,
            again=message.dup,
            retained=message.retain,
        )
        self._batch.add(taken, time.monotonic())

    def _store(self) -> None:
        """Then acknowledge; while the database cannot take them, the messages wait here."""
        if not self._batch.messages:
            return
        try:
            self._take()
        except DatabaseProblem as error:
            connection.close()
            self._batch.ask_again()
            pause = self._storing.following()
            self._not_before = time.monotonic() + pause
            log.warning("readings_wait", why=type(error).__name__, again_in_seconds=round(pause, 1))
        else:
            self._storing.over()

    def _take(self) -> None:
        listener = ingest.listener_of(self._site, self._broker.client_id)
        if self._new_session:
            ingest.forget_stored(listener=listener)
            self._new_session = False
        messages = self._batch.messages
        try:
            ingest.take_messages(listener=listener, messages=messages, now=timezone.now())
        except Exception as error:
            if isinstance(error, AWAY) and self._storing.count < ATTEMPTS_TOGETHER:
                raise
            log.exception("mqtt_batch_failed")
            while self._batch.messages:
                self._take_one(listener, self._batch.messages[0])
        else:
            self._acknowledge(len(messages))

    def _take_one(self, listener: Listener, message: ingest.Message) -> None:
        """Some message makes the batch fail: that one is kept, the others are taken."""
        now = timezone.now()
        try:
            ingest.take_messages(listener=listener, messages=[message], now=now)
        except Exception as error:  # noqa: BLE001  Whatever it is, the next one must not wait.
            why = type(error).__name__
            ingest.take_unreadable(listener=listener, message=message, why=why, now=now)
        self._acknowledge(1)

    def _acknowledge(self, count: int) -> None:
        for message in self._batch.messages[:count]:
            if message.number:
                self._client.ack(message.number, 1)
        del self._batch.messages[:count]


def _client(broker: Broker) -> Client:
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=True,
    )
    if broker.user:
        client.username_pw_set(broker.user, broker.password)
    if broker.secure:
        client.tls_set(
            ca_certs=broker.ca_file or None,
            certfile=broker.certificate_file or None,
            keyfile=broker.key_file or None,
        )
    return client
