"""Draining the outbox over the link: events, snapshots, heartbeats; taking receipts and commands.

Rules: only a receipt lets go of anything. The newest events go first, the backlog in order beside them, so that a live
alert never waits behind hours of old ones. What got no receipt is published again with back-off; after a new
connection everything is. While the collector is silent or slow only a few are under way: its broker is not flooded, and
what is new stands behind few others.
"""

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge_agent.outbox.envelopes import make_envelope
from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.errors import CommandRefused
from edge_agent.uplink.ledger import Ledger
from edge_agent.uplink.link import Arrived, Connected, Disconnected, Link
from edge_agent.uplink.window import SendWindow
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire import topics
from vonggac.wire.codec import decode, encode
from vonggac.wire.errors import MalformedMessage
from vonggac.wire.messages import Birth, Body, Command, Envelope, Heartbeat, NotDone, Offline, Receipt, Reply

log = get_logger(__name__)

CommandHandler = Callable[[Command], Mapping[str, str]]
"""Does a command in the uplink's thread, quickly; returns the reply's detail or raises CommandRefused."""

FRESH_EVENTS = 50
FRESH_SNAPSHOTS = 10
FRESH_EXTRA = 64
SNAPSHOT_WINDOW = 16
OLD_SNAPSHOT_WINDOW = 1
"""Old pictures are no hurry: several under way would fill the router's queue of a narrow line."""
SILENCE_MS = 15_000
STEADY_MS = 30_000
STALL_S = 180.0
"""How long one try to connect may last at worst; give it to `crew.start`: looking the broker's name up has no deadline
but libc's, a minute with three dead name servers and a search domain."""
_BATCH = 32
_REMEMBERED_COMMANDS = 64
_TURN_S = 4.0  # news, and whoever has something to send, wake it
_SHORTEST_S = 0.02


@dataclass(slots=True)
class Counters:
    """What the uplink saw since it began."""

    connections: int = 0
    published: int = 0
    repeated: int = 0
    receipts: int = 0
    commands: int = 0
    malformed: int = 0


def last_will(box: str, clock: Clock) -> bytes:
    """What the broker says for a box that vanished."""
    return encode(make_envelope(Offline(reason="lost"), box, clock))


class Uplink:
    """One thread's work; `advance` and `take` are the steps that `run` repeats."""

    def __init__(
        self,
        outbox: Outbox,
        link: Link,
        clock: Clock,
        box: str,
        stop: Stop,
        birth: Callable[[], Birth],
        heartbeat: Callable[[], Heartbeat],
        handlers: Mapping[str, CommandHandler],
        heartbeat_s: float = 30.0,
        receipt_wait_s: float = 10.0,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self.counters = Counters()
        self.connected = False
        self._outbox = outbox
        self._link = link
        self._clock = clock
        self._box = box
        self._stop = stop
        self._birth = birth
        self._heartbeat = heartbeat
        self._heartbeat_ms = heartbeat_s * 1000
        self._handlers = {"ping": lambda _: {}, "retry": self._retry_parked, **handlers}
        self._events = Ledger(rng, receipt_wait_s)
        self._snapshots = Ledger(rng, receipt_wait_s)
        self._number_of: dict[str, int] = {}
        self._window = SendWindow()
        self._backoff = Backoff(1.0, 30.0, rng)
        self._told = ""
        self._connect_at_ms: float | None = clock.mono_ms()
        self._connected_ms = 0.0
        self._beat_at_ms = 0.0
        self._receipt_ms = clock.mono_ms()
        self._replies: deque[Reply] = deque(maxlen=_REMEMBERED_COMMANDS)
        self._answered: OrderedDict[str, Reply] = OrderedDict()
        self._backlog_after = self._split = self._fresh_after = 0
        self._old_pictures_after = self._picture_split = self._fresh_pictures_after = 0
        outbox.listen(link.wake)

    def run(self, pulse: Pulse) -> None:
        """Until asked to stop; then says so and leaves in good order."""
        while not self._stop.is_set():
            pulse.beat()
            wait_s = self.advance()
            for news in self._link.wait(wait_s):
                self.take(news)
        self.farewell()

    def wake(self) -> None:
        """Look at the world now, from any thread: call it after asking to stop."""
        self._link.wake()

    def farewell(self) -> None:
        """Answer what is unanswered, say `offline: stopped`, close the link."""
        if self.connected:
            self._send_replies()
            self._say("status", Offline(reason="stopped"), retain=True)
        self._link.close()
        self.connected = False

    # --- sending -------------------------------------------------------------------------------------------------

    def advance(self) -> float:
        """Publish what there is to publish and room for; returns how many seconds may pass before the next call."""
        now_ms = self._clock.mono_ms()
        if not self.connected:
            if self._connect_at_ms is not None and now_ms >= self._connect_at_ms:
                self._connect_at_ms = None
                self._link.connect()
            return _TURN_S if self._connect_at_ms is None else _between(now_ms, self._connect_at_ms)
        self._send_replies()
        if now_ms >= self._beat_at_ms and self._say("heartbeat", self._heartbeat()):
            self._beat_at_ms = now_ms + self._heartbeat_ms
        if now_ms - self._receipt_ms > SILENCE_MS and self._events.open_count() + self._snapshots.open_count():
            self._window.shrink()
        self._send_events(now_ms)
        due = [self._beat_at_ms, self._events.next_due_ms(), self._snapshots.next_due_ms()]
        return _between(now_ms, min(ms for ms in due if ms is not None))

    def _send_events(self, now_ms: float) -> None:
        """The lanes, the most urgent first; each stops when the link or its window is full."""
        window = self._window.size
        self._fresh_after = self._event_lane(self._fresh_after, None, window + FRESH_EXTRA, now_ms)
        self._fresh_pictures_after = self._picture_lane(self._fresh_pictures_after, None, SNAPSHOT_WINDOW, now_ms)
        self._repeat(now_ms)
        self._backlog_after = self._event_lane(self._backlog_after, self._split, window, now_ms)
        if self._backlog_after >= self._split:
            self._old_pictures_after = self._picture_lane(
                self._old_pictures_after, self._picture_split, OLD_SNAPSHOT_WINDOW, now_ms
            )

    def _event_lane(self, after: int, until: int | None, window: int, now_ms: float) -> int:
        """Publish events in order from `after` on; returns the number that the lane has reached."""
        topic = topics.up(self._box, "event")
        while (room := window - self._events.open_count()) > 0:
            events = self._outbox.next_events(min(_BATCH, room), after, until)
            for event in events:
                if not self._link.has_room(len(event.message)) or not self._link.publish(topic, event.message):
                    return after
                self._events.sent(event.seq, now_ms)
                self.counters.published += 1
                after = event.seq
            if len(events) < min(_BATCH, room):
                return after if until is None else max(after, until)
        return after

    def _picture_lane(self, after: int, until: int | None, window: int, now_ms: float) -> int:
        while self._snapshots.open_count() < window:
            found = self._outbox.next_snapshots(1, after, until)
            if not found or not self._send_picture(found[0].number, now_ms):
                break
            after = found[0].number
        return after

    def _send_picture(self, number: int, now_ms: float) -> bool:
        snapshot = self._outbox.snapshot(number)
        if snapshot is None:
            self._snapshots.settle(number, number)
            return True
        topic = topics.snapshot(self._box, snapshot.episode)
        if not self._link.has_room(len(snapshot.jpeg)) or not self._link.publish(topic, snapshot.jpeg):
            return False
        self._number_of[snapshot.sha256] = number
        self._snapshots.sent(number, now_ms)
        self.counters.published += 1
        return True

    def _repeat(self, now_ms: float) -> None:
        """Publish again what got no receipt in time; a quarter of the window at most."""
        topic = topics.up(self._box, "event")
        for seq in self._events.overdue(now_ms, max(1, self._window.size // 4)):
            event = self._outbox.event(seq)
            if event is None:
                self._events.settle(seq, seq)
            elif self._link.has_room(len(event.message)) and self._link.publish(topic, event.message):
                self._events.sent(seq, now_ms)
                self.counters.repeated += 1
            else:
                self._events.put_back(seq, now_ms)
        for number in self._snapshots.overdue(now_ms, 2):
            if self._send_picture(number, now_ms):
                self.counters.repeated += 1
            else:
                self._snapshots.put_back(number, now_ms)

    def _say(self, kind: str, body: Body, retain: bool = False) -> bool:
        """Publish something without a number: it is true now or not worth keeping."""
        message = encode(make_envelope(body, self._box, self._clock))
        return self._link.has_room(len(message), urgent=True) and self._link.publish(
            topics.up(self._box, kind), message, retain=retain
        )

    def _send_replies(self) -> None:
        while self._replies and self._say("reply", self._replies[0]):
            self._replies.popleft()

    # --- taking --------------------------------------------------------------------------------------------------

    def take(self, news: Connected | Disconnected | Arrived) -> None:
        """One piece of news from the link."""
        match news:
            case Connected():
                self._begin(news)
            case Disconnected():
                self._end(news)
            case Arrived():
                self._read(news)

    def _begin(self, news: Connected) -> None:
        log.info("connected to the broker", protocol=news.protocol)
        self.connected = True
        self.counters.connections += 1
        self._told = ""
        self._connected_ms = self._receipt_ms = self._clock.mono_ms()
        self._beat_at_ms = self._connected_ms
        self._events.clear()
        self._snapshots.clear()
        self._number_of.clear()
        self._window.restart()
        self._backlog_after = self._old_pictures_after = 0
        self._split = self._fresh_after = max(0, self._outbox.last_seq() - FRESH_EVENTS)
        self._picture_split = self._fresh_pictures_after = max(0, self._outbox.last_snapshot() - FRESH_SNAPSHOTS)
        self._say("status", self._birth(), retain=True)

    def _end(self, news: Disconnected) -> None:
        now_ms = self._clock.mono_ms()
        if self.connected and now_ms - self._connected_ms >= STEADY_MS:
            self._backoff.reset()
        wait_s = self._backoff.next_s()
        self._connect_at_ms = now_ms + wait_s * 1000
        if self.connected or news.reason != self._told:
            say = log.error if news.refused else log.warning
            say(
                "broker refuses this box" if news.refused else "no connection to the broker",
                reason=news.reason,
                next_try_s=round(wait_s, 1),
            )
        self._told = news.reason
        self.connected = False

    def _read(self, news: Arrived) -> None:
        try:
            envelope = decode(news.payload)
        except MalformedMessage as error:
            self._malformed(news.topic, str(error))
            return
        body = envelope.body
        if envelope.box != self._box:
            self._malformed(news.topic, "is for another box")
        elif isinstance(body, Receipt) and news.topic == topics.receipt(self._box):
            self._take_receipt(body)
        elif isinstance(body, Command) and news.topic == topics.command(self._box):
            self._obey(envelope, body)
        else:
            self._malformed(news.topic, f"{body.type} is nothing for this topic")

    def _malformed(self, topic: str, reason: str) -> None:
        self.counters.malformed += 1
        log.warning("message from the collector makes no sense", topic=topic, reason=reason)

    def _take_receipt(self, receipt: Receipt) -> None:
        self.counters.receipts += 1
        try:
            self._outbox.receipt(receipt)
        except OutboxFull as error:
            log.warning("receipt not taken; it will come again", reason=str(error))
            return
        now_ms = self._clock.mono_ms()
        settled: list[float | None] = []
        if receipt.outbox == self._outbox.id:
            for first, last in receipt.ranges:
                settled += self._events.settle(first, last)
        once = [sent_ms for sent_ms in settled if sent_ms is not None]
        if once:
            self._window.heard(now_ms - max(once), len(settled))
        for sha256 in receipt.snapshots:
            number = self._number_of.pop(sha256, None)
            if number is not None:
                settled += self._snapshots.settle(number, number)
        if settled or receipt.clips:
            self._receipt_ms = now_ms

    def _obey(self, envelope: Envelope, command: Command) -> None:
        self.counters.commands += 1
        known = self._answered.get(envelope.id)
        if known is not None:
            self._replies.append(known)  # delivered twice: answered twice, done once
            return
        reply = self._do(envelope.id, command)
        self._answered[envelope.id] = reply
        if len(self._answered) > _REMEMBERED_COMMANDS:
            self._answered.popitem(last=False)
        self._replies.append(reply)

    def _do(self, message_id: str, command: Command) -> Reply:
        late_ms = self._clock.wall_ms() - command.expires_ms
        if late_ms > 0 and self._clock.state() != "unset":
            return _not_done(message_id, "expired", f"expired {late_ms} ms ago by this box's clock")
        handler = self._handlers.get(command.command)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            what = f"unknown command {command.command[:40]!r}; known: {known}"
            return _not_done(message_id, "unknown_command", what)
        log.info("command", command=command.command, camera=command.camera)
        try:
            return Reply(to=message_id, ok=True, detail=dict(handler(command)))
        except CommandRefused as error:
            return _not_done(message_id, error.code, str(error))

    def _retry_parked(self, _command: Command) -> dict[str, str]:
        try:
            return {"items": str(self._outbox.unpark_all())}
        except OutboxFull as error:
            raise CommandRefused("outbox_full", str(error)) from error


def _not_done(message_id: str, code: NotDone, error: str) -> Reply:
    return Reply(to=message_id, ok=False, error=error, code=code)


def _between(now_ms: float, then_ms: float) -> float:
    """Seconds to wait: never so long that the pulse stops, never so short that a full window spins."""
    return min(_TURN_S, max(_SHORTEST_S, (then_ms - now_ms) / 1000))
