"""The uplink over a road that drops, doubles, reorders and breaks: everything arrives, only receipts let go."""

import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.outbox.envelopes import make_envelope
from edge_agent.outbox.items import NewSnapshot
from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink import uplink as module
from edge_agent.uplink.errors import CommandRefused
from edge_agent.uplink.link import Arrived
from edge_agent.uplink.uplink import Uplink
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, camera_event, episode_started
from tests.support.unreliable_link import Road, UnreliableLink
from vonggac.daemon.threads import Pulse, Stop
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


@dataclass
class FarSide:
    """A collector in a few lines: keeps each number once, answers every message with a receipt, one every `pace_ms`."""

    link: UnreliableLink
    clock: FakeClock
    silent: bool = False
    pace_ms: float = 0.0
    free_ms: float = 0.0
    inbox: deque[tuple[str, bytes]] = field(default_factory=deque)
    deaf_to: set[int] = field(default_factory=set)
    events: dict[int, int] = field(default_factory=dict)
    arrivals: list[int] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)

    def arrive(self, topic: str, payload: bytes) -> None:
        self.inbox.append((topic, payload))
        self.work()

    def work(self) -> None:
        now_ms = self.clock.mono_ms()
        while self.inbox and self.free_ms <= now_ms:
            self.free_ms = max(self.free_ms + self.pace_ms, now_ms - self.pace_ms)
            self.take(*self.inbox.popleft())

    def take(self, topic: str, payload: bytes) -> None:
        at = topics.parse_up(topic)
        if at.kind == "snapshot":
            sha256 = hashlib.sha256(payload).hexdigest()
            self.pictures[sha256] = payload
            self.say(Receipt(snapshots=(sha256,)))
            return
        envelope = decode(payload)
        if at.kind != "event":
            self.bodies.append(envelope.body)
            return
        assert envelope.seq is not None
        if envelope.seq in self.deaf_to:
            return
        self.events[envelope.seq] = self.events.get(envelope.seq, 0) + 1
        self.arrivals.append(envelope.seq)
        self.say(Receipt(outbox=envelope.outbox, ranges=((envelope.seq, envelope.seq),)))

    def say(self, receipt: Receipt) -> None:
        if not self.silent:
            self.link.send_down(topics.receipt(BOX), encode(make_envelope(receipt, BOX, self.clock)))


class Box:
    """Outbox, uplink and road of one box, without threads."""

    def __init__(self, folder: Path, road: Road | None = None, seed: int = 1, room: int = 64) -> None:
        self.clock = FakeClock()
        self.link = UnreliableLink(self.clock, road=road or Road(), seed=seed, room=room)
        self.far = FarSide(self.link, self.clock)
        self.link.far_side = self.far.arrive
        self.outbox = Outbox(folder, self.clock, BOX)
        self.stop = Stop()
        self.handlers: dict[str, Callable[[Command], Mapping[str, str]]] = {}
        self.uplink = Uplink(
            self.outbox,
            self.link,
            self.clock,
            BOX,
            self.stop,
            birth=lambda: Birth(agent_version="1", cameras=(), config_hash="0"),
            heartbeat=self.heartbeat,
            handlers=self.handlers,
            rng=random.Random(seed),
        )

    def heartbeat(self) -> Heartbeat:
        health = OutboxHealth(outbox=self.outbox.id, last_seq=0, events=0, snapshots=0, clips=0, clip_bytes=0)
        return Heartbeat(interval_s=30, cameras=(), host=BoxHealth(uptime_ms=1), outbox=health)

    def turn(self) -> None:
        self.far.work()
        wait_s = self.uplink.advance()
        if self.far.inbox:
            wait_s = min(wait_s, self.far.pace_ms / 1000)
        for news in self.link.wait(wait_s):
            self.uplink.take(news)

    def turn_until(self, condition: Callable[[], bool], longest_s: float = 3600) -> None:
        until = self.clock.mono_ms() + longest_s * 1000
        while not condition():
            assert self.clock.mono_ms() < until, "the condition never came true"
            self.turn()

    def turn_for(self, seconds: float) -> None:
        until = self.clock.mono_ms() + seconds * 1000
        while self.clock.mono_ms() < until:
            self.turn()

    def command(self, command: str, expires_in_ms: int = 60_000, message_id: str | None = None) -> bytes:
        body = Command(command=command, expires_ms=self.clock.wall_ms() + expires_in_ms)
        envelope = make_envelope(body, BOX, self.clock)
        return encode(envelope)

    def replies(self) -> list[Reply]:
        return [body for body in self.far.bodies if isinstance(body, Reply)]

    def is_empty(self) -> bool:
        stats = self.outbox.stats()
        return stats.events == 0 and stats.snapshots == 0


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.outbox.close()


def test_birth_is_retained_and_a_heartbeat_follows_at_once_and_then_at_its_interval(box: Box) -> None:
    box.turn_for(95)
    topic, payload, retain = box.link.sent[0]
    assert (topic, retain) == (topics.up(BOX, "status"), True)
    assert isinstance(decode(payload).body, Birth)
    assert sum(isinstance(body, Heartbeat) for body in box.far.bodies) == 4
    assert not any(retain for _, _, retain in box.link.sent[1:])


def test_an_event_goes_out_once_and_leaves_the_outbox_on_its_receipt(box: Box) -> None:
    jpeg = b"\xff\xd8\xffpicture"
    box.outbox.put_events([episode_started(1, jpeg)], [NewSnapshot(an_id(1), jpeg)])
    box.turn_until(box.is_empty, 10)
    assert box.far.events == {1: 1}
    assert list(box.far.pictures.values()) == [jpeg]
    kinds = [topics.parse_up(topic).kind for topic, _, _ in box.link.sent]
    assert kinds.index("event") < kinds.index("snapshot")


def test_without_a_receipt_nothing_leaves_and_all_is_published_again_with_back_off(box: Box) -> None:
    box.far.silent = True
    box.outbox.put_event(camera_event())
    box.turn_for(600)
    assert box.outbox.stats().events == 1
    assert 8 <= box.far.events[1] <= 16
    box.far.silent = False
    box.turn_until(box.is_empty, 100)


def test_after_a_cut_everything_undelivered_is_published_again(box: Box) -> None:
    box.far.silent = True
    box.outbox.put_events([camera_event()] * 10)
    box.turn_until(lambda: len(box.far.events) == 10, 5)
    box.far.silent = False
    box.link.break_road()
    box.turn_until(box.is_empty, 5)
    assert set(box.far.events.values()) == {2}


def test_a_new_alert_overtakes_a_backlog(box: Box) -> None:
    for _ in range(10):
        box.outbox.put_events([camera_event()] * 100)
    box.link.room = 8
    box.turn_until(lambda: len(box.far.events) > 100, 60)
    live = box.outbox.put_event(episode_started(1)).seq
    assert live is not None
    began_ms = box.clock.mono_ms()
    box.turn_until(lambda: live in box.far.events, 5)
    assert box.clock.mono_ms() - began_ms < 200
    assert len(box.far.events) < 1000
    box.turn_until(box.is_empty, 600)
    assert set(box.far.events) == set(range(1, 1002))


def test_a_new_alert_overtakes_a_backlog_at_a_slow_collector_too(box: Box) -> None:
    for _ in range(10):
        box.outbox.put_events([camera_event()] * 100)
    box.far.pace_ms = 33
    box.turn_until(lambda: len(box.far.events) > 300, 60)
    live = box.outbox.put_event(episode_started(1)).seq
    began_ms = box.clock.mono_ms()
    box.turn_until(lambda: live in box.far.events, 60)
    assert box.clock.mono_ms() - began_ms < 3000
    assert len(box.far.events) < 1000
    box.turn_until(box.is_empty, 60)


def test_after_an_outage_the_newest_come_first_and_the_rest_in_order(box: Box) -> None:
    box.link.broker_up = False
    for _ in range(5):
        box.outbox.put_events([camera_event()] * 100)
    box.turn_for(60)
    box.link.broker_up = True
    box.link.road = Road(longest_ms=1.0)
    box.turn_until(box.is_empty, 120)
    newest = module.FRESH_EVENTS
    assert set(box.far.arrivals[:newest]) == set(range(501 - newest, 501))


def test_an_event_that_never_gets_a_receipt_blocks_nothing(box: Box) -> None:
    box.far.deaf_to = set(range(1, 41))
    for _ in range(3):
        box.outbox.put_events([camera_event()] * 100)
    box.turn_until(lambda: box.outbox.stats().events == 40, 300)
    box.far.deaf_to = set()
    box.turn_until(box.is_empty, 300)


def test_a_silent_collector_is_not_flooded(box: Box) -> None:
    box.far.silent = True
    for _ in range(20):
        box.outbox.put_events([camera_event()] * 100)
    box.turn_for(120)
    assert len(box.link.sent) < 600


def test_a_broker_that_is_away_is_tried_again_with_growing_waits(box: Box) -> None:
    box.link.broker_up = False
    box.turn_for(300)
    assert 10 <= box.link.attempts <= 25
    box.link.broker_up = True
    box.turn_until(lambda: box.uplink.connected, 31)


def test_a_connection_that_breaks_at_once_is_not_hammered(box: Box) -> None:
    box.link.road.cut = 1.0
    box.turn_for(300)
    assert box.link.attempts <= 25


def test_ping_is_answered_and_a_doubled_command_is_done_once(box: Box) -> None:
    done: list[str] = []
    box.uplink._handlers["snapshot"] = lambda command: done.append(command.command) or {"camera": "gate"}  # type: ignore[func-returns-value]
    box.turn_until(lambda: box.uplink.connected, 5)
    box.link.send_down(topics.command(BOX), box.command("ping"))
    twice = box.command("snapshot")
    box.link.send_down(topics.command(BOX), twice)
    box.link.send_down(topics.command(BOX), twice)
    box.turn_until(lambda: len(box.replies()) == 3, 5)
    assert done == ["snapshot"]
    assert all(reply.ok for reply in box.replies())
    assert {reply.to for reply in box.replies() if reply.detail} == {decode(twice).id}


@pytest.mark.parametrize(
    ("command", "expires_in_ms", "error", "code"),
    [
        ("ping", -5_000, "expired", "expired"),
        ("format-disk", 60_000, "unknown command 'format-disk'; known: ping, retry, wash", "unknown_command"),
        ("wash", 60_000, "there is no water", "no_picture"),
    ],
)
def test_commands_that_cannot_be_done_are_answered_with_the_reason(
    box: Box, command: str, expires_in_ms: int, error: str, code: str
) -> None:
    def wash(_: Command) -> Mapping[str, str]:
        raise CommandRefused("no_picture", "there is no water")

    box.uplink._handlers["wash"] = wash
    box.turn_until(lambda: box.uplink.connected, 5)
    box.link.send_down(topics.command(BOX), box.command(command, expires_in_ms))
    box.turn_until(lambda: bool(box.replies()), 5)
    (reply,) = box.replies()
    assert not reply.ok
    assert reply.error is not None
    assert reply.error.startswith(error)
    assert reply.code == code


def test_an_unset_clock_judges_no_command_expired(box: Box) -> None:
    box.turn_until(lambda: box.uplink.connected, 5)
    box.clock.clock_state = "unset"
    box.link.send_down(topics.command(BOX), box.command("ping", -5_000_000))
    box.turn_until(lambda: bool(box.replies()), 5)
    assert box.replies()[0].ok


def test_retry_brings_parked_items_back(box: Box) -> None:
    box.outbox.put_event(camera_event())
    box.outbox.park("event", "1", "odd")
    box.turn_until(lambda: box.uplink.connected, 5)
    box.link.send_down(topics.command(BOX), box.command("retry"))
    box.turn_until(lambda: bool(box.replies()), 5)
    assert box.replies()[0].detail == {"items": "1"}


def foreign(box: Box, body: Body, name: str = "box-2") -> bytes:
    return encode(make_envelope(body, name, box.clock))


def test_messages_that_make_no_sense_are_counted_and_do_nothing(box: Box) -> None:
    box.turn_until(lambda: box.uplink.connected, 5)
    box.outbox.put_event(camera_event())
    everything = Receipt(outbox=box.outbox.id, ranges=((1, 1),))
    hostile = [
        (topics.receipt(BOX), b""),
        (topics.receipt(BOX), b"\xff" * 100),
        (topics.receipt(BOX), b"[" * 60_000),
        (topics.receipt(BOX), foreign(box, everything)),
        (topics.command(BOX), foreign(box, everything, BOX)),
        (topics.receipt(BOX), box.command("ping")),
        (topics.command("box-2"), box.command("ping")),
        (topics.receipt(BOX), foreign(box, Offline(reason="lost"), BOX)),
    ]
    for topic, payload in hostile:
        box.uplink.take(Arrived(topic, payload))
    assert box.uplink.counters.malformed == len(hostile)
    assert box.outbox.stats().events == 1
    assert box.uplink.counters.commands == 0


def test_leaving_answers_says_stopped_and_closes_the_link(box: Box) -> None:
    box.uplink._handlers["restart"] = lambda _: box.stop.set("command") or {}  # type: ignore[func-returns-value]
    box.turn_until(lambda: box.uplink.connected, 5)
    box.link.send_down(topics.command(BOX), box.command("restart"))
    box.uplink.run(Pulse("uplink", 60))
    assert box.link.closed
    assert len(box.replies()) == 1
    topic, payload, retain = box.link.sent[-1]
    assert (topic, retain, decode(payload).body) == (topics.up(BOX, "status"), True, Offline(reason="stopped"))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    drop=st.floats(0, 0.4),
    double=st.floats(0, 0.4),
    longest_ms=st.floats(1, 5000),
    cut=st.floats(0, 0.01),
    puts=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20)), min_size=1, max_size=6),
)
def test_over_any_road_everything_arrives_and_the_outbox_empties(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    drop: float,
    double: float,
    longest_ms: float,
    cut: float,
    puts: list[tuple[int, int]],
) -> None:
    box = Box(tmp_path_factory.mktemp("box"), Road(drop, double, longest_ms, cut), seed)
    number = 0
    for count, seconds in puts:
        for _ in range(count):
            number += 1
            jpeg = b"\xff\xd8\xff%d" % number
            box.outbox.put_events([episode_started(number, jpeg)], [NewSnapshot(an_id(number), jpeg)])
        box.turn_for(seconds)
    box.turn_until(box.is_empty, 20_000)
    assert set(box.far.events) == set(range(1, number + 1))
    assert len(box.far.pictures) == number
    box.outbox.close()
