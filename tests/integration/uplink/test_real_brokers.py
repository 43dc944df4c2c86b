"""The uplink with real brokers: NATS as the demo starts it, Mosquitto in both protocols, killed and wiped under way."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.outbox.envelopes import make_envelope
from edge_agent.outbox.items import NewSnapshot
from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.link import Connected, Disconnected
from edge_agent.uplink.mqtt import Broker, MqttLink, Protocol
from edge_agent.uplink.uplink import Uplink, last_will
from tests.support.brokers import (
    BOX_SECRET,
    COLLECTOR,
    COLLECTOR_SECRET,
    Mosquitto,
    Nats,
    RealBroker,
    free_port,
    mosquitto_path,
)
from tests.support.outbox_items import BOX, an_id, camera_event, episode_started
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.threads import Crew, Stop
from vonggac.wire import topics
from vonggac.wire.codec import decode, encode
from vonggac.wire.messages import (
    Birth,
    Body,
    BoxHealth,
    Command,
    Heartbeat,
    Offline,
    OutboxHealth,
    Receipt,
    Reply,
)

CLOCK = SystemClock()


class FarSide:
    """A collector's MQTT end: keeps what comes, answers events and snapshots with receipts while `receipting`."""

    def __init__(self, broker: RealBroker) -> None:
        self.receipting = True
        self.events: list[int] = []
        self.pictures: list[bytes] = []
        self.bodies: list[Body] = []
        self.changed = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=COLLECTOR)
        self.client.username_pw_set(COLLECTOR, COLLECTOR_SECRET)
        self.client.on_message = self._take
        self.client.on_connect = lambda client, *_: client.subscribe(topics.COLLECTOR_SUBSCRIPTION, 1)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.reconnect_delay_set(1, 1)
        self.subscribed = threading.Event()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self.subscribed.wait(10)

    def _take(self, client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        import hashlib

        at = topics.parse_up(message.topic)
        receipt = None
        with self.changed:
            if at.kind == "snapshot":
                self.pictures.append(message.payload)
                receipt = Receipt(snapshots=(hashlib.sha256(message.payload).hexdigest(),))
            elif message.payload:
                envelope = decode(message.payload)
                self.bodies.append(envelope.body)
                if envelope.seq is not None:
                    self.events.append(envelope.seq)
                    receipt = Receipt(outbox=envelope.outbox, ranges=((envelope.seq, envelope.seq),))
            self.changed.notify_all()
        if receipt is not None and self.receipting:
            client.publish(topics.receipt(BOX), encode(make_envelope(receipt, BOX, CLOCK)), qos=1)

    def command(self, command: str) -> None:
        body = Command(command=command, expires_ms=CLOCK.wall_ms() + 60_000)
        self.client.publish(topics.command(BOX), encode(make_envelope(body, BOX, CLOCK)), qos=1)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, seconds), "did not arrive in time"

    def says(self, kind: type[Body]) -> list[Any]:
        return [body for body in self.bodies if isinstance(body, kind)]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class RunningBox:
    """A box's outbox and uplink thread against a broker."""

    def __init__(self, folder: Path, port: int, protocol: Protocol) -> None:
        self.outbox = Outbox(folder, CLOCK, BOX)
        self.link = MqttLink(Broker("127.0.0.1", port, BOX, BOX_SECRET, protocol), lambda: last_will(BOX, CLOCK))
        self.stop = Stop()
        self.uplink = Uplink(
            self.outbox,
            self.link,
            CLOCK,
            BOX,
            self.stop,
            birth=lambda: Birth(agent_version="1", cameras=(), config_hash="0"),
            heartbeat=self.heartbeat,
            handlers={},
            heartbeat_s=5,
            receipt_wait_s=1.0,
        )
        self.crew = Crew(self.stop)
        self.crew.start("uplink", self.uplink.run)

    def heartbeat(self) -> Heartbeat:
        health = OutboxHealth(outbox=self.outbox.id, last_seq=0, events=0, snapshots=0, clips=0, clip_bytes=0)
        return Heartbeat(interval_s=5, cameras=(), host=BoxHealth(uptime_ms=1), outbox=health)

    def wait_until_empty(self, seconds: float = 25) -> None:
        until = time.monotonic() + seconds
        waiting = threading.Event()
        while (stats := self.outbox.stats()).events or stats.snapshots:
            assert time.monotonic() < until, f"the outbox never emptied: {stats}"
            waiting.wait(0.02)

    def close(self) -> None:
        self.stop.set("test ends")
        self.uplink.wake()
        assert self.crew.join(10) == []
        assert self.stop.exit_code == 0
        self.outbox.close()


MOSQUITTO = [pytest.mark.mosquitto, pytest.mark.skipif(mosquitto_path() is None, reason="no Mosquitto here")]
KINDS = [
    pytest.param((Nats, "auto", "3.1.1"), id="nats-auto"),
    pytest.param((Mosquitto, "3.1.1", "3.1.1"), id="mosquitto-3.1.1", marks=MOSQUITTO),
    pytest.param((Mosquitto, "5", "5"), id="mosquitto-5", marks=MOSQUITTO),
    pytest.param((Mosquitto, "auto", "5"), id="mosquitto-auto", marks=MOSQUITTO),
]


@pytest.fixture(params=KINDS)
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[RealBroker, Protocol, str]]:
    kind, protocol, spoken = request.param
    broker = kind(tmp_path / "broker", [BOX, "box-2"])
    broker.start()
    yield broker, cast("Protocol", protocol), spoken
    broker.kill()


@pytest.fixture
def far(setting: tuple[RealBroker, Protocol, str]) -> Iterator[FarSide]:
    far = FarSide(setting[0])
    yield far
    far.close()


@pytest.fixture
def box(setting: tuple[RealBroker, Protocol, str], far: FarSide, tmp_path: Path) -> Iterator[RunningBox]:
    box = RunningBox(tmp_path / "data", setting[0].port, setting[1])
    far.wait_for(lambda: bool(far.says(Heartbeat)))
    yield box
    box.close()


def test_events_snapshots_commands_and_the_farewell_go_through(box: RunningBox, far: FarSide) -> None:
    jpeg = b"\xff\xd8\xff" + bytes(range(256)) * 159
    box.outbox.put_events([episode_started(1, jpeg)], [NewSnapshot(an_id(1), jpeg)])
    for _ in range(5):
        box.outbox.put_events([camera_event()] * 40)
    box.wait_until_empty()
    assert sorted(set(far.events)) == list(range(1, 202))
    assert far.pictures == [jpeg]
    far.command("ping")
    far.wait_for(lambda: bool(far.says(Reply)))
    assert far.says(Reply)[0].ok
    box.stop.set("enough")
    box.uplink.wake()
    far.wait_for(lambda: bool(far.says(Offline)))
    assert far.says(Offline)[0].reason == "stopped"


def test_a_killed_and_wiped_broker_costs_nothing(
    setting: tuple[RealBroker, Protocol, str], box: RunningBox, far: FarSide
) -> None:
    broker = setting[0]
    far.receipting = False
    box.outbox.put_events([camera_event()] * 100)
    far.wait_for(lambda: len(far.events) >= 16)
    broker.kill()
    broker.wipe()
    box.outbox.put_events([camera_event()] * 50)
    far.receipting = True
    far.subscribed.clear()
    broker.start()
    assert far.subscribed.wait(10)
    box.wait_until_empty()
    assert set(far.events) == set(range(1, 151))


def test_a_live_event_takes_milliseconds(box: RunningBox, far: FarSide) -> None:
    waits = []
    for number in range(20):
        began = time.monotonic()
        seq = box.outbox.put_event(camera_event(number)).seq
        far.wait_for(lambda seq=seq: seq in far.events)  # type: ignore[misc]
        waits.append(time.monotonic() - began)
    assert sorted(waits)[10] < 0.1


def wait_for_news(link: MqttLink, seconds: float = 10) -> Connected | Disconnected:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for news in link.wait(0.5):
            if isinstance(news, Connected | Disconnected):
                return news
    raise AssertionError("the link told nothing")


def test_the_link_says_which_protocol_it_speaks_and_who_refuses_it(setting: tuple[RealBroker, Protocol, str]) -> None:
    broker, protocol, spoken = setting
    for secret, expected in [(BOX_SECRET, Connected(spoken)), ("wrong", Disconnected("Not authorized", refused=True))]:
        link = MqttLink(Broker("127.0.0.1", broker.port, BOX, secret, protocol), lambda: last_will(BOX, CLOCK))
        link.connect()
        assert wait_for_news(link) == expected
        link.close()


def test_the_last_will_tells_that_a_box_was_lost(setting: tuple[RealBroker, Protocol, str], far: FarSide) -> None:
    broker, protocol, _ = setting
    link = MqttLink(Broker("127.0.0.1", broker.port, BOX, BOX_SECRET, protocol), lambda: last_will(BOX, CLOCK))
    link.connect()
    assert isinstance(wait_for_news(link), Connected)
    assert link._client is not None
    link._client.socket().close()  # type: ignore[union-attr]
    far.wait_for(lambda: bool(far.says(Offline)))
    assert far.says(Offline)[0].reason == "lost"


def test_two_agents_of_one_identity_do_not_both_stay(setting: tuple[RealBroker, Protocol, str]) -> None:
    broker, protocol, _ = setting
    links = []
    for _ in range(2):
        links.append(
            MqttLink(Broker("127.0.0.1", broker.port, BOX, BOX_SECRET, protocol), lambda: last_will(BOX, CLOCK))
        )
        links[-1].connect()
        assert isinstance(wait_for_news(links[-1]), Connected)
    assert isinstance(wait_for_news(links[0]), Disconnected)
    for link in links:
        link.close()


def test_nobody_there_and_a_mute_server_are_told_within_the_deadline() -> None:
    import socket

    link = MqttLink(Broker("127.0.0.1", free_port(), BOX, BOX_SECRET), lambda: last_will(BOX, CLOCK))
    link.connect()
    assert wait_for_news(link) == Disconnected("Connection refused")
    link.close()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        broker = Broker("127.0.0.1", mute.getsockname()[1], BOX, BOX_SECRET)
        link = MqttLink(broker, lambda: last_will(BOX, CLOCK), connect_deadline_s=0.5)
        link.connect()
        assert wait_for_news(link, 3) == Disconnected("the broker did not answer in time")
        link.close()
