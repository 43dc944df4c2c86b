"""Ingest over real brokers: committed, acked, receipted; nothing lost by kills on either side; permissions by box."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from collector.ingest.broker import COLLECTOR_USER, EmbeddedBroker, free_port
from collector.ingest.intake import Arrived, Intake, Outcome
from collector.ingest.mqtt import BrokerAddress, MqttIngest, Protocol
from collector.ingest.receipts import Receipts
from collector.store import commands
from collector.store.database import open_database, sqlite_url
from tests.support import brokers
from tests.support import messages as sample
from tests.support.collector import JPEG, SECRET, Station, arrived
from tests.support.system import wait_for
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.threads import Crew, Pulse, Stop
from vonggac.wire import codec, topics
from vonggac.wire import messages as m

BOX, OTHER = sample.BOX, "tram-y-te-02"
EVENT = next(body for body in sample.BODIES if isinstance(body, m.CameraState))


class Box:
    """A box as the broker sees it."""

    def __init__(self, port: int, box: str = BOX, secret: str = SECRET, subscribe: str | None = None) -> None:
        self.box = box
        self.received: list[m.Body] = []
        self.topics: list[str] = []
        self.granted: list[Any] = []
        self.refused: Any = None
        self.dropped = False
        self.acknowledged: set[int] = set()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=box, clean_session=False)
        self.client.username_pw_set(box, secret)
        self.client.on_message = self._on_message
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *given: self.granted.extend(given[3])
        self.client.on_disconnect = self._on_disconnect
        self.client.on_publish = lambda *given: self.acknowledged.add(given[2])
        self._subscribe = subscribe or topics.down_subscription(box)
        self.client.connect("127.0.0.1", port, keepalive=10)
        self.client.loop_start()

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, reason: Any, _props: object) -> None:
        self.refused = reason if reason.is_failure else None
        if not reason.is_failure:
            client.subscribe(self._subscribe, qos=1)

    def _on_disconnect(self, *_given: object) -> None:
        self.dropped = True

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.topics.append(message.topic)
        if message.topic.startswith(topics.ROOT + f"/{self.box}/down/") and message.payload.startswith(b"{"):
            self.received.append(codec.decode(message.payload).body)

    def send(self, messages: Sequence[Arrived]) -> None:
        for message in messages:
            self.client.publish(message.topic, message.payload, qos=1)

    def receipted(self) -> set[int]:
        ranges = [one for body in self.received if isinstance(body, m.Receipt) for one in body.ranges]
        return {number for first, last in ranges for number in range(first, last + 1)}

    def pictures(self) -> set[str]:
        return {sha for body in self.received if isinstance(body, m.Receipt) for sha in body.snapshots}

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Ingest:
    """The collector's side, in a thread."""

    def __init__(self, station: Station, address: BrokerAddress) -> None:
        self.stop = Stop()
        self.crew = Crew(self.stop)
        self.receipts = Receipts()
        self.mqtt = MqttIngest(address, station.intake, self.receipts, station.database, SystemClock(), self.stop)
        self.crew.start("mqtt", self.mqtt.run)

    def close(self) -> None:
        self.stop.set("the test is over")
        assert self.crew.join(15) == []
        assert self.stop.exit_code == 0


@pytest.fixture
def embedded(station: Station, tmp_path: Path) -> Iterator[EmbeddedBroker]:
    stop = Stop()
    crew = Crew(stop)
    broker = EmbeddedBroker(tmp_path / "broker", "127.0.0.1", free_port("127.0.0.1"), station.database, stop)
    crew.start("broker", broker.run)
    assert broker.wait_ready(15)
    yield broker
    stop.set("the test is over")
    assert crew.join(15) == []


def address_of(broker: EmbeddedBroker, protocol: Protocol = "3.1.1") -> BrokerAddress:
    return BrokerAddress("127.0.0.1", broker.port, COLLECTOR_USER, broker.password, protocol=protocol)


def trial(station: Station, address: BrokerAddress, secret: str) -> None:
    """Events and a picture go in once, receipts and a command come out; the same again gives receipts again."""
    ingest = Ingest(station, address)
    box = Box(address.port, secret=secret)
    try:
        wait_for(ingest.mqtt.is_connected, "the collector's connection")
        events = [arrived(EVENT, number) for number in range(1, 51)]
        box.send(events)
        box.send([Arrived(topics.snapshot(BOX, sample.EPISODE), JPEG, False, 0), Arrived("vg/1/x/up", b"?", False, 0)])
        wait_for(lambda: box.receipted() == set(range(1, 51)) and box.pictures(), "receipts for all")
        assert station.count("events") == 50
        box.received.clear()
        box.send(events[:5])
        wait_for(lambda: box.receipted() == set(range(1, 6)), "receipts for repetitions")
        assert station.count("events") == 50
        now_ms = SystemClock().wall_ms()
        with station.database.write() as connection:
            commands.add_command(connection, sample.CLIP, BOX, "ping", now_ms=now_ms, expires_ms=now_ms + 60_000)
        wait_for(lambda: any(isinstance(body, m.Command) for body in box.received), "the command")
    finally:
        box.close()
        ingest.close()


@pytest.mark.parametrize("protocol", ["3.1.1", "auto"])
def test_the_embedded_broker_brings_everything_once(
    station: Station, embedded: EmbeddedBroker, protocol: Protocol
) -> None:
    trial(station, address_of(embedded, protocol), SECRET)


@pytest.mark.mosquitto
@pytest.mark.skipif(brokers.mosquitto_path() is None, reason="Mosquitto is not installed")
@pytest.mark.parametrize("protocol", ["3.1.1", "5", "auto"])
def test_mosquitto_brings_everything_once(station: Station, tmp_path: Path, protocol: Protocol) -> None:
    broker = brokers.Mosquitto(tmp_path / "mosquitto", [BOX])
    broker.start()
    try:
        address = BrokerAddress(
            "127.0.0.1", broker.port, brokers.COLLECTOR, brokers.COLLECTOR_SECRET, protocol=protocol
        )
        trial(station, address, brokers.BOX_SECRET)
    finally:
        broker.kill()


def test_what_was_sent_while_the_collector_was_away_comes_when_it_is_back(
    station: Station, embedded: EmbeddedBroker
) -> None:
    first = Ingest(station, address_of(embedded))
    wait_for(first.mqtt.is_connected, "the first connection")
    wait_for(lambda: station.count("meta"), "the subscription")
    first.close()
    box = Box(embedded.port)
    box.send([arrived(EVENT, number) for number in range(1, 21)])
    wait_for(lambda: len(box.acknowledged) >= 20, "the broker's acknowledgements")
    second = Ingest(station, address_of(embedded))
    try:
        wait_for(lambda: box.receipted() == set(range(1, 21)), "receipts for what waited")
    finally:
        box.close()
        second.close()


def test_a_killed_broker_is_started_again_and_loses_nothing_it_acknowledged(
    station: Station, embedded: EmbeddedBroker
) -> None:
    ingest = Ingest(station, address_of(embedded))
    wait_for(lambda: station.count("meta"), "the subscription")
    ingest.close()
    box = Box(embedded.port)
    box.send([arrived(EVENT, number) for number in range(1, 101)])
    wait_for(lambda: len(box.acknowledged) >= 100, "the broker's acknowledgements")
    pid = embedded.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: embedded.pid not in (None, pid), "the next broker")
    ingest = Ingest(station, address_of(embedded))
    try:
        wait_for(lambda: station.count("events") == 100, "all that was acknowledged")
    finally:
        box.close()
        ingest.close()


# --- permissions of the embedded broker --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        topics.up(OTHER, "event"),
        topics.receipt(BOX),
        topics.command(OTHER),
        "vg/1/other",
        "$MQTT/sub/x",
        "$JS/API/STREAM/LIST",
    ],
)
def test_a_box_cannot_publish_elsewhere(station: Station, embedded: EmbeddedBroker, topic: str) -> None:
    watcher = Box(embedded.port, COLLECTOR_USER, embedded.password, subscribe="#")
    box = Box(embedded.port)
    try:
        wait_for(lambda: watcher.granted and box.granted, "both to listen")
        box.client.publish(topic, b"{}", qos=1)
        box.client.publish(topics.up(BOX, "reply"), b"last", qos=1)
        wait_for(lambda: topics.up(BOX, "reply") in watcher.topics or box.dropped, "the box's own message")
        assert topic not in watcher.topics
    finally:
        watcher.close()
        box.close()


@pytest.mark.parametrize(
    "pattern", ["#", "vg/#", "vg/1/+/up/#", topics.down_subscription(OTHER), "vg/1/+/down/#", "$MQTT/#"]
)
def test_a_box_hears_nothing_of_others(station: Station, embedded: EmbeddedBroker, pattern: str) -> None:
    box = Box(embedded.port, subscribe=pattern)
    sender = Box(embedded.port, COLLECTOR_USER, embedded.password)
    other = Box(embedded.port, OTHER)
    try:
        wait_for(lambda: (box.granted or box.dropped) and sender.granted and other.granted, "all to listen")
        sender.client.publish(topics.receipt(OTHER), b"secret", qos=1)
        wait_for(lambda: topics.receipt(OTHER) in other.topics, "its owner to hear it")
        assert box.topics == []
    finally:
        for one in (box, sender, other):
            one.close()


@pytest.mark.parametrize(("box", "secret"), [(BOX, "wrong"), (BOX, ""), ("fremd-box-9", SECRET), (COLLECTOR_USER, "x")])
def test_who_is_not_known_is_not_let_in(station: Station, embedded: EmbeddedBroker, box: str, secret: str) -> None:
    stranger = Box(embedded.port, box, secret)
    try:
        wait_for(lambda: stranger.refused is not None or stranger.dropped, "the refusal")
        assert stranger.granted == []
    finally:
        stranger.close()


def test_boxes_come_and_go_without_a_restart(station: Station, embedded: EmbeddedBroker) -> None:
    box, pid = Box(embedded.port), embedded.pid
    wait_for(lambda: box.granted, "the box to be let in")
    began = time.monotonic()
    station.remove(BOX)
    wait_for(lambda: box.dropped, "the removed box to be cut off")
    assert time.monotonic() - began < 2.5
    box.close()
    station.add("nha-moi-03")

    def let_in() -> bool:
        new = Box(embedded.port, "nha-moi-03")
        deadline = time.monotonic() + 0.3
        while not new.granted and time.monotonic() < deadline:
            time.sleep(0.01)
        new.close()
        return bool(new.granted)

    wait_for(let_in, "the new box to be let in", 5)
    assert embedded.pid == pid


def test_who_takes_anothers_client_id_hears_nothing_of_it(station: Station, embedded: EmbeddedBroker) -> None:
    owner, sender = Box(embedded.port, OTHER), Box(embedded.port, COLLECTOR_USER, embedded.password)
    wait_for(lambda: owner.granted and sender.granted, "both to listen")
    owner.close()
    thief, heard = paho.Client(CallbackAPIVersion.VERSION2, client_id=OTHER, clean_session=False), []
    thief.username_pw_set(BOX, SECRET)
    thief.on_message = lambda *given: heard.append(given[2].topic)
    thief.on_connect = lambda *_given: thief.subscribe(topics.down_subscription(BOX), qos=1)
    thief.connect("127.0.0.1", embedded.port)
    thief.loop_start()
    try:
        for _try in range(20):
            sender.client.publish(topics.receipt(OTHER), b"secret", qos=1)
            sender.client.publish(topics.receipt(BOX), b"own", qos=1)
        wait_for(lambda: heard, "what it may hear")
        assert set(heard) == {topics.receipt(BOX)}
    finally:
        thief.disconnect()
        thief.loop_stop()
        sender.close()


def test_the_brokers_files_are_for_us_alone(station: Station, embedded: EmbeddedBroker, tmp_path: Path) -> None:
    assert (tmp_path / "broker/nats.conf").stat().st_mode & 0o077 == 0
    assert (tmp_path / "broker").stat().st_mode & 0o077 == 0
    assert embedded.password not in (tmp_path / "broker/nats.conf").read_text()
    assert SECRET not in (tmp_path / "broker/nats.conf").read_text()


# --- power cuts of the collector ----------------------------------------------------------------------------------


class _DiesAfterCommit(Intake):
    """SIGKILL between commit and ack."""

    def take(self, messages: Sequence[Arrived]) -> list[Outcome]:
        outcomes = super().take(messages)
        if any(outcome.verdict == "stored" for outcome in outcomes):
            os.kill(os.getpid(), signal.SIGKILL)
        return outcomes


def _ingest_that_dies(folder: Path, port: int, password: str) -> None:
    database = open_database(sqlite_url(folder / "collector.sqlite"))
    stop = Stop()
    MqttIngest(
        BrokerAddress("127.0.0.1", port, COLLECTOR_USER, password, protocol="3.1.1"),
        _DiesAfterCommit(database, folder / "data"),
        Receipts(),
        database,
        SystemClock(),
        stop,
    ).run(Pulse("mqtt", 60))


def test_a_kill_between_commit_and_ack_leads_to_one_row(
    station: Station, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    box = Box(embedded.port)
    try:
        for round_ in range(3):
            child = context.Process(target=_ingest_that_dies, args=(tmp_path, embedded.port, embedded.password))
            child.start()
            wait_for(lambda: station.count("meta"), "the subscription", 30)
            box.send([arrived(EVENT, number) for number in range(round_ * 10 + 1, round_ * 10 + 11)])
            child.join(30)
            assert child.exitcode == -signal.SIGKILL
        ingest = Ingest(station, address_of(embedded))
        wait_for(lambda: box.receipted() == set(range(1, 31)), "receipts for all")
        ingest.close()
    finally:
        box.close()
    assert station.count("events") == 30


def test_a_database_that_is_locked_holds_messages_back_and_loses_none(
    station: Station, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    ingest = Ingest(station, address_of(embedded))
    box = Box(embedded.port)
    try:
        wait_for(lambda: station.count("meta"), "the subscription")
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with station.database.write():
                held.set()
                release.wait(10)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(5)
        box.send([arrived(EVENT, number) for number in range(1, 11)])
        wait_for(lambda: len(box.acknowledged) >= 10, "the broker's acknowledgements")
        assert box.receipted() == set()
        release.set()
        holder.join(5)
        wait_for(lambda: box.receipted() == set(range(1, 11)), "receipts after the lock")
    finally:
        box.close()
        ingest.close()
