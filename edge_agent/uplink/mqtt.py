"""The link over MQTT: the only paho on the box.

One thread: `MqttLink.wait` moves the bytes, so no callback ever runs elsewhere and nothing needs a hand-over. Rules:
- Each connection is a new paho client with a clean session. Receipts may be lost with it: the uplink publishes again
  and the collector answers again. Commands must not wait at a broker for a box that comes back hours later.
- `publish` sends at once or says no: paho's own queue (RAM, without bounds) is never used. What is under way is
  bounded in number and bytes, with places kept back for birth, heartbeat and replies.
- `Connected` is told after the broker granted the subscription, so a receipt can find its way back.
- `auto` tries MQTT 5, falls back to 3.1.1 when a broker does not speak it (NATS), and remembers.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.identity.trust import Trust
from edge_agent.uplink.link import Arrived, Connected, Disconnected, LinkNews
from vonggac.daemon.logs import get_logger
from vonggac.wire import topics

log = get_logger(__name__)

Protocol = Literal["auto", "3.1.1", "5"]
_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}

KEEPALIVE_S = 20
CONNECT_DEADLINE_S = 10.0
FAREWELL_S = 2.0
MAX_UNDER_WAY = 64
MAX_UNDER_WAY_BYTES = 128 * 1024
URGENT_PLACES = 8
_TURN_S = 4.0  # the keepalive is looked after so often at least
_CONNECTING_TURN_S = 1.0

_REFUSALS = frozenset(
    {
        "Bad user name or password",
        "Not authorized",
        "Client identifier not valid",
        "Banned",
        "Bad authentication method",
    }
)
_UNSPOKEN = "Unsupported protocol version"


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates: `ca_file` is what the broker must be signed by, the other two identify the box."""

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """At least TLS 1.2; the broker's name is checked."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True)
class Broker:
    """Where and as whom; the box id is the user name. Without a secret `tls` says who we are."""

    host: str
    port: int
    box: str
    secret: str | None = field(repr=False)
    protocol: Protocol = "auto"
    tls: Tls | Trust | None = None
    client_id: str | None = None
    """None: the box id."""


class MqttLink:
    """A Link. `will` makes the bytes of the last will anew for each connection."""

    def __init__(
        self, broker: Broker, will: Callable[[], bytes], connect_deadline_s: float = CONNECT_DEADLINE_S
    ) -> None:
        self._connect_deadline_s = connect_deadline_s
        self._broker = broker
        self._will = will
        self._speaks = "3.1.1" if broker.protocol == "3.1.1" else "5"
        self._client: paho.Client | None = None
        self._up = False
        self._greeted = False
        self._deadline = 0.0
        self._refusal = ""
        self._under_way: dict[int, int] = {}
        self._bytes_under_way = 0
        self._room_wanted = self._room_made = False
        self._news: list[LinkNews] = []
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    # --- Link ----------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Try once; DNS, TCP and TLS within the deadline here, the broker's answer in `wait`."""
        if self._client is not None:
            return
        client = self._new_client()
        self._up = self._greeted = False
        self._refusal = ""
        self._under_way.clear()
        self._bytes_under_way = 0
        self._deadline = time.monotonic() + self._connect_deadline_s
        try:
            if self._broker.tls is not None:
                client.tls_set_context(self._broker.tls.context())
            client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except ssl.SSLCertVerificationError as error:
            self._news.append(Disconnected(f"the broker's certificate: {error.verify_message}", refused=True))
            return
        except (OSError, ValueError) as error:
            self._news.append(Disconnected(getattr(error, "strerror", None) or str(error) or type(error).__name__))
            return
        self._client = client

    def wait(self, timeout_s: float) -> list[LinkNews]:
        """Move bytes until there is news, a `wake`, room where `has_room` said no, or the time is over."""
        until = time.monotonic() + timeout_s
        woken = False
        self._room_made = False
        while not self._news and not woken and not self._room_made:
            left = until - time.monotonic()
            woken = self._turn(max(0.0, min(left, _TURN_S if self._up else _CONNECTING_TURN_S)))
            if left <= 0:
                break
        news, self._news = self._news, []
        return news

    def wake(self) -> None:
        """From any thread."""
        try:
            self._wake_in.send(b"\0")
        except (BlockingIOError, OSError):
            return  # a full pipe wakes as well; a closed one has nobody to wake

    def has_room(self, size_bytes: int, urgent: bool = False) -> bool:
        """True when `publish` would send now."""
        if not self._up or self._client is None:
            return False
        if urgent:
            return len(self._under_way) < MAX_UNDER_WAY
        in_number = len(self._under_way) < MAX_UNDER_WAY - URGENT_PLACES
        in_bytes = not self._under_way or self._bytes_under_way + size_bytes <= MAX_UNDER_WAY_BYTES
        self._room_wanted = not (in_number and in_bytes)
        return not self._room_wanted

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """QoS 1; True says that it is under way, nothing more."""
        if not self._up or self._client is None or len(self._under_way) >= MAX_UNDER_WAY:
            return False
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != paho.MQTT_ERR_SUCCESS or self._client is None:
            return False
        self._under_way[info.mid] = len(payload)
        self._bytes_under_way += len(payload)
        return True

    def close(self) -> None:
        """Give what is under way a moment, then leave with DISCONNECT, so that the broker keeps the will to itself."""
        until = time.monotonic() + FAREWELL_S
        while self._up and self._under_way and time.monotonic() < until:
            self._turn(0.1)
        client = self._client
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            while client.want_write() and time.monotonic() < until:
                self._turn(0.1)
            sock = client.socket()
            if sock is not None:
                sock.close()
        self._client = None
        self._up = False
        self._wake_in.close()
        self._wake_out.close()

    # --- the connection ------------------------------------------------------------------------------------------

    def _new_client(self) -> paho.Client:
        version = _VERSIONS[self._speaks]
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id or self._broker.box,
            protocol=version,
            clean_session=True if version == MQTTProtocolVersion.MQTTv311 else None,
            reconnect_on_failure=False,
        )
        if self._broker.secret is not None:
            client.username_pw_set(self._broker.box, self._broker.secret)
        client.will_set(topics.up(self._broker.box, "status"), self._will(), qos=1, retain=True)
        client.max_inflight_messages_set(MAX_UNDER_WAY + 1)
        client.connect_timeout = self._connect_deadline_s
        client.on_socket_open = _tune
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _turn(self, timeout_s: float) -> bool:
        """One select and what follows; True when `wake` was called."""
        client = self._client
        sock: Any = client.socket() if client is not None else None
        poll = select.poll()
        poll.register(self._wake_out, select.POLLIN)
        if client is not None and sock is not None:
            poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            if isinstance(sock, ssl.SSLSocket) and sock.pending():
                timeout_s = 0.0
        elif client is not None:  # reset within `connect`, before there was anybody to tell
            self._lose("the broker hung up at once")
            return False
        ready = dict(poll.poll(timeout_s * 1000))
        if client is not None and sock is not None:
            flags = ready.get(sock.fileno(), 0)
            self._move(client, sock, flags)
        woken = self._wake_out.fileno() in ready
        if woken:
            self._wake_out.recv(4096)
        return woken

    def _move(self, client: paho.Client, sock: Any, flags: int) -> None:
        if flags & ~select.POLLOUT or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            client.loop_read()
        if self._client is client and client.want_write():
            client.loop_write()
        if self._client is client:
            client.loop_misc()
        if self._client is client and not self._up and time.monotonic() > self._deadline:
            self._lose("the broker did not answer in time")

    def _lose(self, reason: str, refused: bool = False) -> None:
        client, self._client = self._client, None
        was_up, self._up = self._up, False
        if client is not None:
            client.on_disconnect = None
            sock = client.socket()
            if sock is not None:
                sock.close()
        if not was_up and self._broker.protocol == "auto" and self._changes_protocol():
            return
        self._news.append(Disconnected(reason, refused))

    def _changes_protocol(self) -> bool:
        """True when another try was begun at once in 3.1.1; a close without an answer only turns the next one."""
        if self._greeted:
            return False
        if self._speaks == "5" and self._refusal == _UNSPOKEN:
            self._speaks = "3.1.1"
            log.info("broker does not speak MQTT 5; going on with 3.1.1", host=self._broker.host)
            self.connect()
            return True
        if not self._refusal:
            self._speaks = "3.1.1" if self._speaks == "5" else "5"
        return False

    # --- paho's callbacks, all from `_turn` ----------------------------------------------------------------------

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = reason.getName()
            return
        self._greeted = True
        client.subscribe(topics.down_subscription(self._broker.box), qos=1)

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._lose("the broker refuses the subscription to the box's own topics", refused=True)
            return
        self._up = True
        self._news.append(Connected(self._speaks))

    def _on_disconnect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if self._client is client:
            text = self._refusal or reason.getName()
            if text == _UNSPOKEN:
                text = "the broker does not speak MQTT 5: set broker.protocol to auto"
            self._lose(text, refused=text in _REFUSALS)

    def _on_publish(self, client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        if self._client is not client:
            return
        self._bytes_under_way -= self._under_way.pop(mid, 0)
        self._room_made = self._room_wanted
        if reason.is_failure:
            log.warning("broker did not take a message", reason=reason.getName())

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if self._client is client:
            self._news.append(Arrived(message.topic, bytes(message.payload)))


def _tune(_client: paho.Client, _data: Any, sock: Any) -> None:
    """Small messages go at once; bytes that nobody acknowledges for half a minute end the connection."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
