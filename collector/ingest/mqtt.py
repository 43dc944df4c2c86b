"""The collector's MQTT connection: the only paho here. One thread reads, commits, acks and sends receipts.

Rules: a message is acked only after `Intake.take` has returned, so that a broker delivers again what a crash lost;
messages that wait are taken together; an ack that belongs to a broken connection is dropped, because a packet id means
another message on the next one. Receipts follow acks.
"""

import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from collector.ingest import permissions
from collector.ingest.intake import Arrived, Intake
from collector.ingest.permissions import Permissions
from collector.ingest.receipts import Receipts
from collector.store.commands import mark_sent, waiting_commands
from collector.store.database import Database
from collector.store.errors import StoreUnavailable
from collector.store.identities import may_connect
from collector.store.listening import TELL_EVERY_MS, tell_listening
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock, new_id
from vonggac.daemon.crash_points import reach
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire import codec, topics
from vonggac.wire.messages import Body, Command, Envelope

log = get_logger(__name__)

Protocol = Literal["auto", "3.1.1", "5"]
CLIENT_ID = "vonggac-collector"
BATCH = 256
COMMIT_EVERY_MS = 50.0
"""A transaction costs the same for one event as for twenty: where many come, so many go together."""
WAITING_AT_MOST = 4 * BATCH
SESSION_EXPIRY_S = 30 * 86400
CONNECT_S = 10.0
COMMANDS_EVERY_MS = 500.0


@dataclass(frozen=True)
class BrokerAddress:
    """Where the broker is and who we are to it. TLS when `ca` is given."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    protocol: Protocol = "auto"


class MqttIngest:
    """Runs in a thread of its own until asked to stop. `committed` is called after each transaction."""

    def __init__(
        self,
        address: BrokerAddress,
        intake: Intake,
        receipts: Receipts,
        database: Database,
        clock: Clock,
        stop: Stop,
        committed: Callable[[], None] = lambda: None,
        client_id: str = CLIENT_ID,
        permissions: Permissions | None = None,
    ) -> None:
        self._permissions = permissions
        self._permissions_mid: int | None = None
        self._address = address
        self._intake = intake
        self._receipts = receipts
        self._database = database
        self._clock = clock
        self._stop = stop
        self._committed = committed
        self._client_id = client_id
        self._waiting: deque[tuple[Arrived, int, int]] = deque()
        self._speaks_5 = address.protocol != "3.1.1"
        self._connected = False
        self._is_held_back = False
        self._refused: str | None = None
        self._commands_mono_ms = 0.0
        self._told_mono_ms = -TELL_EVERY_MS
        self._backoff = Backoff(0.5, 10.0)
        self._store_backoff = Backoff(0.2, 5.0)
        self._store_again_mono_ms = 0.0
        self._stored_mono_ms = -COMMIT_EVERY_MS

    def is_connected(self) -> bool:
        """True when the broker is there, has granted the subscription, and what it brings can be stored."""
        return self._connected and not self._is_held_back

    def run(self, pulse: Pulse) -> None:
        """Connect, and again whenever the connection breaks."""
        while not self._stop.is_set():
            client = self._make_client()
            why = self._one_connection(client, pulse)
            was_connected, self._connected = self._connected, False
            self._waiting.clear()  # not acked: the broker has them still and delivers them again
            self._is_held_back = False
            if self._stop.is_set():
                return
            if was_connected:
                self._backoff.reset()
            elif self._address.protocol == "auto":
                self._speaks_5 = not self._speaks_5  # perhaps it speaks only the other one
            wait_s = self._backoff.next_s()
            log.warning(
                "no connection to the broker; trying again", broker=self._where(), reason=why, wait_s=round(wait_s, 1)
            )
            self._wait(wait_s, pulse)

    def _wait(self, seconds: float, pulse: Pulse) -> None:
        until = self._clock.mono_ms() + seconds * 1000
        while self._clock.mono_ms() < until and not self._stop.wait(min(1.0, seconds)):
            pulse.beat()

    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    def _make_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=paho.MQTTv5 if self._speaks_5 else paho.MQTTv311,
            clean_session=None if self._speaks_5 else False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_S
        client.max_queued_messages_set(10_000)
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.ca is not None:
            client.tls_set(
                ca_certs=str(self._address.ca),
                certfile=None if self._address.certificate is None else str(self._address.certificate),
                keyfile=None if self._address.key is None else str(self._address.key),
                tls_version=ssl.PROTOCOL_TLS_CLIENT,
            )
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _one_connection(self, client: paho.Client, pulse: Pulse) -> str:
        """Serve one connection to its end; returns why it ended."""
        self._refused = None
        pulse.beat()
        try:
            if self._speaks_5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = SESSION_EXPIRY_S
                properties.ReceiveMaximum = BATCH
                client.connect(
                    self._address.host, self._address.port, keepalive=30, clean_start=False, properties=properties
                )
            else:
                client.connect(self._address.host, self._address.port, keepalive=30)
        except (OSError, ValueError) as error:
            return str(error)
        connect_by = self._clock.mono_ms() + CONNECT_S * 1000
        while not self._stop.is_set():
            pulse.beat()
            code = self._read_what_waits(client)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._refused is not None:
                _disconnect(client)
                return self._refused or paho.error_string(code)
            if not self._connected and self._clock.mono_ms() > connect_by:
                _disconnect(client)
                return f"the broker did not answer within {CONNECT_S:.0f} s"
            self._commit_what_waits(client)
            if self._connected:
                self._send_receipts(client)
                self._send_commands(client)
                self._send_permissions(client)
                self._tell_listening()
        self._leave(client)
        return "stopping"

    def _read_what_waits(self, client: paho.Client) -> MQTTErrorCode:
        if len(self._waiting) >= WAITING_AT_MOST:  # the database is away: let the broker hold the rest
            self._stop.wait(0.05)
            return client.loop_misc()
        code = client.loop(0.05 if not self._waiting else self._gather_ms() / 1000)
        seen = 0
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and seen < len(self._waiting) < BATCH:
            seen = len(self._waiting)
            code = client.loop(0.0)
        return code

    def _on_connect(
        self, client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refused = f"the broker refused us: {reason}"
            return
        client.subscribe(topics.COLLECTOR_SUBSCRIPTION, qos=1)
        if self._permissions is not None:
            self._permissions.connected()
            _result, self._permissions_mid = client.subscribe(permissions.ANSWERS, qos=0)

    def _on_subscribe(
        self, _client: paho.Client, _userdata: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if mid == self._permissions_mid:
            if any(reason.is_failure for reason in reasons):
                log.error("the broker does not let us say who may connect", topic=permissions.TOPIC)
            return
        if any(reason.is_failure for reason in reasons):
            self._refused = f"the broker does not let us read {topics.COLLECTOR_SUBSCRIPTION}: {reasons[0]}"
            return
        self._connected = True
        log.info("listening to boxes", broker=self._where(), mqtt="5" if self._speaks_5 else "3.1.1")

    def _on_message(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        if self._permissions is not None and topic == permissions.ANSWERS:
            following = self._permissions.heard(bytes(message.payload))
            if following is not None:
                client.publish(permissions.TOPIC, following, qos=1)
            return
        arrived = Arrived(topic, bytes(message.payload), message.retain, self._clock.wall_ms())
        self._waiting.append((arrived, message.mid, message.qos))

    def _gather_ms(self) -> float:
        """How long the messages that wait may still gather: one that comes alone goes into the database at once."""
        return max(0.0, self._stored_mono_ms + COMMIT_EVERY_MS - self._clock.mono_ms())

    def _commit_what_waits(self, client: paho.Client) -> None:
        if not self._waiting or self._clock.mono_ms() < self._store_again_mono_ms:
            return
        if len(self._waiting) < BATCH and self._gather_ms() > 0:
            return
        batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
        try:
            outcomes = self._intake.take([arrived for arrived, _mid, _qos in batch])
        except StoreUnavailable as error:
            wait_s = self._store_backoff.next_s()
            self._store_again_mono_ms = self._clock.mono_ms() + wait_s * 1000
            self._is_held_back = True
            log.error("database unavailable; messages wait at the broker", reason=str(error), wait_s=round(wait_s, 1))
            return
        self._store_backoff.reset()
        self._is_held_back = False
        self._committed()
        self._stored_mono_ms = mono_ms = self._clock.mono_ms()
        for outcome, (_arrived, mid, qos) in zip(outcomes, batch, strict=True):
            self._waiting.popleft()
            client.ack(mid, qos)
            reach("intake.acked")
            self._receipts.add(outcome, mono_ms)

    def _send_receipts(self, client: paho.Client) -> None:
        for box, receipt in self._receipts.due(self._clock.mono_ms()):
            reach("receipt.due")
            self._publish(client, topics.receipt(box), box, receipt)

    def _send_commands(self, client: paho.Client) -> None:
        mono_ms = self._clock.mono_ms()
        if mono_ms - self._commands_mono_ms < COMMANDS_EVERY_MS:
            return
        self._commands_mono_ms = mono_ms
        try:
            with self._database.read() as connection:
                waiting = waiting_commands(connection, self._clock.wall_ms())
            for item in waiting:
                command = Command(command=item.command, expires_ms=item.expires_ms, camera=item.camera)
                self._publish(client, topics.command(item.box), item.box, command, item.id)
                with self._database.write() as connection:
                    mark_sent(connection, item.id, self._clock.wall_ms())
        except StoreUnavailable as error:
            log.error("database unavailable; commands wait", reason=str(error))

    def _send_permissions(self, client: paho.Client) -> None:
        if self._permissions is None or not self._permissions.is_due(self._clock.mono_ms()):
            return
        try:
            with self._database.read() as connection:
                boxes = may_connect(connection, self._clock.wall_ms())
        except StoreUnavailable as error:
            log.error("database unavailable; who may connect stays as it is", reason=str(error))
            return
        for message in self._permissions.due(boxes, self._clock.mono_ms()):
            client.publish(permissions.TOPIC, message, qos=1)
        for complaint in self._permissions.complaints:
            log.error("the broker was told who may connect, and refused", reason=complaint)
        self._permissions.complaints.clear()

    def _tell_listening(self) -> None:
        mono_ms = self._clock.mono_ms()
        if mono_ms - self._told_mono_ms < TELL_EVERY_MS or self._is_held_back:
            return
        self._told_mono_ms = mono_ms
        try:
            with self._database.write() as connection:
                tell_listening(connection, self._clock.wall_ms())
        except StoreUnavailable as error:
            log.error("database unavailable", reason=str(error))

    def _publish(self, client: paho.Client, topic: str, box: str, body: Body, message_id: str | None = None) -> None:
        envelope = Envelope(
            id=message_id or new_id(self._clock),
            box=box,
            boot_id=self._clock.boot_id,
            wall_ms=self._clock.wall_ms(),
            mono_ms=int(self._clock.mono_ms()),
            clock=self._clock.state(),
            body=body,
        )
        client.publish(topic, codec.encode(envelope), qos=1)

    def _leave(self, client: paho.Client) -> None:
        """Send what is written, then go; the session stays at the broker."""
        for _round in range(5):
            if client.loop(0.02) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
        _disconnect(client)


def _send_at_once(_client: paho.Client, _userdata: Any, connection: Any) -> None:
    """An ack and a receipt are two small writes: with Nagle's algorithm the second waits 40 ms for the peer's ACK."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _disconnect(client: paho.Client) -> None:
    with contextlib.suppress(OSError, ValueError):
        client.disconnect()
        client.loop(0.01)
