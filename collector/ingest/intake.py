"""What is done with a message of a box, from its bytes to the committed row. Knows no MQTT.

Rules: several messages are one transaction; whoever delivered them may ack only after `take` has returned; the same
message any number of times, in any order, leads to the same rows; what cannot be read is kept aside, counted and done
with; an event of which at least the number can be read keeps its place in the ledger and gets its receipt
(unreadable.py). A box that is not registered gets no receipt: its events wait with it until it is.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from collector.ingest import places
from collector.ingest.leftovers import remove_unowned
from collector.ingest.unreadable import numbered
from collector.store import (
    boots,
    boxes,
    clips,
    commands,
    episodes,
    ledger,
    left_behind,
    live,
    missing,
    presence,
    snapshots,
)
from collector.store.database import Connection, Database, one_of_many
from collector.store.errors import Conflict, StoreUnavailable
from collector.store.ledger import Entry
from vonggac.daemon.crash_points import reach
from vonggac.daemon.files import make_folder, sync_folders, write_durably
from vonggac.daemon.logs import get_logger
from vonggac.wire import codec
from vonggac.wire.errors import MalformedMessage, UnknownType
from vonggac.wire.messages import (
    BODIES,
    Birth,
    CameraState,
    ClipReady,
    DataLost,
    Envelope,
    EpisodeEnded,
    EpisodeStarted,
    EpisodeUpdated,
    Heartbeat,
    Offline,
    OutboxHealth,
    Reply,
    Tamper,
)
from vonggac.wire.topics import UpTopic, parse_up

log = get_logger(__name__)

MAX_SNAPSHOT_BYTES = codec.MAX_MESSAGE_BYTES
"""Boxes keep to 40 KB; a collector takes a little more than boxes send."""

REFUSED = ("refused", "the disk did not take it")
Verdict = Literal["stored", "known", "kept_aside", "refused"]
_BODIES_OF_KIND: dict[str, tuple[type, ...]] = {
    "status": (Birth, Offline),
    "heartbeat": (Heartbeat,),
    "reply": (Reply,),
    "event": tuple(body for body in BODIES if body.sequenced),
}


@dataclass(frozen=True)
class Arrived:
    """A message as the broker delivered it."""

    topic: str
    payload: bytes
    retained: bool
    received_ms: int


@dataclass(frozen=True)
class Outcome:
    """What became of a message; with `outbox` and `seq`, or `snapshot_sha256`, a receipt is owed to `box`."""

    verdict: Verdict
    box: str | None = None
    outbox: str | None = None
    seq: int | None = None
    snapshot_sha256: str | None = None


@dataclass(frozen=True)
class _Read:
    """A message that could be read: an envelope with its raw body, or a picture."""

    arrived: Arrived
    topic: UpTopic
    type: str = "snapshot"
    envelope: Envelope | None = None
    body: dict[str, Any] | None = None
    sha256: str = ""
    path: str | None = None

    @property
    def is_event(self) -> bool:
        """Does it have a number in the ledger?"""
        return self.envelope is not None and self.envelope.body.sequenced


class Intake:
    """Takes messages into the database, and pictures into the data folder, while more than `reserve_bytes` are free."""

    def __init__(self, database: Database, data: Path, reserve_bytes: int = 0) -> None:
        self._database = database
        self._data = data
        self._reserve_bytes = reserve_bytes

    def handle(self, topic: str, payload: bytes, retained: bool, received_ms: int) -> Outcome:
        """Take one message. Raises StoreUnavailable: nothing was stored, nothing may be acked, try again."""
        return self.take([Arrived(topic, payload, retained, received_ms)])[0]

    def take(self, messages: Sequence[Arrived]) -> list[Outcome]:
        """Take messages in one transaction; outcomes in the same order. Raises StoreUnavailable as `handle` does."""
        free_bytes = shutil.disk_usage(self._data).free
        if free_bytes < self._reserve_bytes:
            raise StoreUnavailable(f"only {free_bytes} bytes are free on the disk of {self._data}")
        read = [_read(message) for message in messages]
        if any(isinstance(message, _Read) and message.path for message in read):
            with self._database.read() as connection:
                registered = {box.id for box in boxes.list_boxes(connection)}
            read = [self._keep_picture(message, registered) for message in read]
        with self._database.write() as connection:
            outcomes, wrong_files = self._take_all(connection, messages, read)
            reach("intake.written")
        reach("intake.committed")
        remove_unowned(self._database, self._data, wrong_files)  # after a crash here, the next start removes them
        return outcomes

    def _take_all(
        self, connection: Connection, messages: Sequence[Arrived], read: "Sequence[_Read | tuple[str, str]]"
    ) -> tuple[list[Outcome], list[str]]:
        """What became of each, and files that are nobody's any more."""
        may_speak = boxes.who_may_speak(connection, {each.topic.box for each in read if isinstance(each, _Read)})
        sound = {
            number: each
            for number, each in enumerate(read)
            if isinstance(each, _Read) and each.topic.box in may_speak and not self._is_picture_gone(each)
        }
        _learn_clocks(connection, list(sound.values()))
        wrong_files: list[str] = []
        stored = self._store_together(connection, sound, boots.Calendars(connection), wrong_files)
        outcomes = [
            stored[number] if number in stored else self._not_taken(connection, arrived, each, may_speak)
            for number, (arrived, each) in enumerate(zip(messages, read, strict=True))
        ]
        return outcomes, wrong_files

    def _store_together(
        self, connection: Connection, sound: "dict[int, _Read]", calendars: boots.Calendars, wrong_files: list[str]
    ) -> dict[int, Outcome]:
        """All at once, for that costs a tenth; when the database refuses that, each by itself."""
        if not sound:
            return {}
        try:
            with one_of_many(connection):
                outcomes, wrong = _store(connection, list(sound.values()), calendars)
        except Conflict as conflict:
            if len(sound) == 1:
                ((number, message),) = sound.items()
                return {number: self._aside(connection, message.arrived, "foreign", str(conflict))}
            alone = [
                self._store_together(connection, {number: each}, calendars, wrong_files)
                for number, each in sound.items()
            ]
            return {number: outcome for each in alone for number, outcome in each.items()}
        wrong_files += wrong
        return dict(zip(sound, outcomes, strict=True))

    def _is_picture_gone(self, message: "_Read") -> bool:
        return message.path is not None and not (self._data / message.path).exists()

    def _keep_picture(self, message: "_Read | tuple[str, str]", registered: set[str]) -> "_Read | tuple[str, str]":
        """The file comes before its row: a crash in between leaves an orphan that the next delivery adopts."""
        if not isinstance(message, _Read) or message.path is None or message.topic.box not in registered:
            return message
        path = self._data / message.path
        try:
            if not path.exists():
                make_folder(path.parent)
                write_durably(path, message.arrived.payload, mode=0o640)
                reach("snapshot.written")
            sync_folders(path.parent, self._data)
        except OSError as error:
            log.error("snapshot not stored; the box will send it again", box=message.topic.box, reason=error.strerror)
            return REFUSED
        return message

    def _not_taken(
        self, connection: Connection, arrived: Arrived, message: "_Read | tuple[str, str]", may_speak: set[str]
    ) -> Outcome:
        if message is REFUSED:
            ledger.count(connection, "snapshots_refused")
            return Outcome("refused")
        if not isinstance(message, _Read):
            kind, reason = message
            return self._aside(connection, arrived, kind, reason)
        box = message.topic.box
        if box not in may_speak:
            return self._aside(
                connection, arrived, "unknown_box", f"box {box} is not registered. Do: collector box add {box}"
            )
        return Outcome("refused")  # somebody tidied its picture up since: the box sends it again

    def _aside(self, connection: Connection, arrived: Arrived, kind: str, reason: str) -> Outcome:
        outcome = Outcome("kept_aside")
        envelope = numbered(arrived.topic, arrived.payload, arrived.received_ms)
        if envelope is not None and boxes.is_registered(connection, envelope.box):
            whole = {"reason": reason, "message": arrived.payload.decode("utf-8", "replace")}
            outcome = Outcome("kept_aside", envelope.box, envelope.outbox, envelope.seq)
            if not all(ledger.record_events(connection, [Entry(envelope, kind, whole, arrived.received_ms)])):
                return replace(outcome, verdict="known")
        ledger.keep_aside(connection, arrived.topic, arrived.payload, kind, reason, arrived.received_ms)
        log.warning("message kept aside", topic=arrived.topic[:120], kind=kind, reason=reason)
        return outcome


def _read(message: Arrived) -> _Read | tuple[str, str]:
    """Read a message, or say as what it is kept aside, and why."""
    try:
        topic = parse_up(message.topic)
        if topic.episode is not None:
            return _read_picture(message, topic, topic.episode)
        return _read_envelope(message, topic)
    except UnknownType as error:
        return ("unknown_type", str(error))
    except MalformedMessage as error:
        return ("malformed", str(error))


def _read_picture(message: Arrived, topic: UpTopic, episode: str) -> _Read:
    size = len(message.payload)
    if not message.payload.startswith(b"\xff\xd8\xff") or size > MAX_SNAPSHOT_BYTES:
        raise MalformedMessage(f"snapshot of {size} bytes is no JPEG of at most {MAX_SNAPSHOT_BYTES}")
    sha256 = hashlib.sha256(message.payload).hexdigest()
    return _Read(message, topic, sha256=sha256, path=places.snapshot_path(topic.box, episode, sha256))


def _read_envelope(message: Arrived, topic: UpTopic) -> _Read:
    kind = None
    try:
        envelope = codec.decode(message.payload)
    except UnknownType:
        # An event of a later version keeps its place in the ledger, with its receipt: a box that was updated first
        # must not be stuck on it. Everything but type and body is read as strictly as ever.
        fields = json.loads(message.payload)
        kind = str(fields["type"])[:64]
        if topic.kind != "event" or not isinstance(fields.get("body"), dict):
            raise
        stand_in = {**fields, "v": 1, "type": DataLost.type, "body": {"what": "?", "reason": "?"}}
        envelope = codec.decode(json.dumps(stand_in).encode())
    if envelope.box != topic.box:
        raise MalformedMessage(f"the envelope says box {envelope.box}, the topic {topic.box}")
    if not isinstance(envelope.body, _BODIES_OF_KIND[topic.kind]):
        raise MalformedMessage(f"type {envelope.body.type} does not belong on {topic.kind}")
    body = json.loads(message.payload)["body"]
    return _Read(message, topic, type=kind or envelope.body.type, envelope=envelope, body=body)


def _learn_clocks(connection: Connection, sound: "Sequence[_Read]") -> None:
    """What the batch says of boxes' clocks, before any of it is dated. A last will is as old as its connection."""
    heard: dict[str, list[boots.Heard]] = {}
    for message in sound:
        if message.envelope is not None and not isinstance(message.envelope.body, Offline):
            heard.setdefault(message.topic.box, []).append((message.envelope, message.arrived.received_ms))
    try:
        with one_of_many(connection):
            boots.hear(connection, [each for messages in heard.values() for each in messages])
    except Conflict:  # a message that the database cannot hold: the others' boxes are not to suffer for it
        for box, messages in heard.items():
            _learn_clock(connection, box, messages)


def _learn_clock(connection: Connection, box: str, messages: Sequence[boots.Heard]) -> None:
    try:
        with one_of_many(connection):
            boots.hear(connection, messages)
    except Conflict as conflict:  # what it cannot hold will be kept aside by itself
        log.warning("nothing learnt of a box's clock", box=box, reason=str(conflict))


def _store(
    connection: Connection, messages: Sequence[_Read], calendars: boots.Calendars
) -> tuple[list[Outcome], list[str]]:
    """What became of each, and files that are nobody's any more."""
    outcomes: dict[int, Outcome] = {}
    wrong_files = []
    for turn in _turns(messages):
        events = [each for each in turn if each.is_event]
        verdicts = ledger.record_events(connection, [_entry(each) for each in events])
        new = [event for event, is_new in zip(events, verdicts, strict=True) if is_new]
        wrong_files += _store_events(connection, new, calendars)
        for event, is_new in zip(events, verdicts, strict=True):
            envelope = _entry(event).envelope
            verdict: Verdict = "stored" if is_new else "known"
            outcomes[id(event)] = Outcome(verdict, envelope.box, envelope.outbox, envelope.seq)
        outcomes |= {id(each): _store_other(connection, each) for each in turn if not each.is_event}
    return [outcomes[id(each)] for each in messages], wrong_files


def _turns(messages: Sequence[_Read]) -> list[list[_Read]]:
    """Messages by turns of events alone and others alone: each box's in their order, and as few turns as that takes."""
    turns: dict[int, list[_Read]] = {}
    reached: dict[str, int] = {}
    for message in messages:
        turn = reached.get(message.topic.box, 0)
        turn += (turn % 2 == 0) != message.is_event
        turns.setdefault(turn, []).append(message)
        if message.envelope is not None:  # a picture stands for itself: nothing has to wait for it
            reached[message.topic.box] = turn
    return [turns[turn] for turn in sorted(turns)]


def _entry(message: _Read) -> Entry:
    assert message.envelope is not None  # noqa: S101 - for the type checker
    assert message.body is not None  # noqa: S101
    return Entry(message.envelope, message.type, message.body, message.arrived.received_ms)


def _store_other(connection: Connection, message: _Read) -> Outcome:
    if message.envelope is None or message.body is None:
        return _store_picture(connection, message)
    envelope, body, received_ms = message.envelope, message.envelope.body, message.arrived.received_ms
    is_new = True
    if isinstance(body, Birth | Offline):
        is_new = _store_status(connection, envelope, body, message.arrived)
    elif isinstance(body, Heartbeat):
        before = presence.last_beat(connection, envelope.box)
        is_new = boxes.record_heartbeat(connection, envelope, message.body, received_ms)
        if is_new:
            presence.note_silence(connection, envelope, body, before, received_ms)
            missing.note_outbox(connection, envelope.box, body.outbox, received_ms)
            _settle(connection, envelope.box, body.outbox, received_ms)
    elif isinstance(body, Reply):
        is_new = commands.record_reply(connection, envelope, body, received_ms)
        live.note_change(connection, "box", envelope.box, received_ms)
    return Outcome("stored" if is_new else "known", envelope.box)


def _settle(connection: Connection, box: str, told: OutboxHealth, received_ms: int) -> None:
    has_clips = told.clips > 0 or told.parked > 0
    ended, moved = left_behind.settle(connection, box, told.outbox, has_clips=has_clips)
    for kind, names in (("episode", ended), ("clip", moved)):
        for name in names:
            live.note_change(connection, kind, name, received_ms)
    if ended or moved:
        log.warning(
            "the box's outbox is another one", box=box, outbox=told.outbox, episodes=len(ended), clips=len(moved)
        )


def _store_picture(connection: Connection, message: _Read) -> Outcome:
    topic, received_ms = message.topic, message.arrived.received_ms
    assert topic.episode is not None  # noqa: S101 - for the type checker
    assert message.path is not None  # noqa: S101
    is_new = snapshots.record_snapshot(
        connection, topic.box, topic.episode, message.sha256, message.path, len(message.arrived.payload), received_ms
    )
    if is_new:
        live.note_change(connection, "snapshot", topic.episode, received_ms)
    return Outcome("stored" if is_new else "known", topic.box, snapshot_sha256=message.sha256)


def _store_status(connection: Connection, envelope: Envelope, body: Birth | Offline, arrived: Arrived) -> bool:
    if arrived.retained and boxes.says_nothing_new(connection, envelope, body):
        return False
    if isinstance(body, Birth):
        boxes.record_birth(connection, envelope, body, arrived.received_ms)
    else:
        boxes.record_offline(connection, envelope, body, arrived.received_ms)
    live.note_change(connection, "box", envelope.box, arrived.received_ms)
    return True


def _store_events(connection: Connection, events: Sequence[_Read], calendars: boots.Calendars) -> list[str]:
    """Episodes together, then what else there is. Returns files that are nobody's any more."""
    told, others = [], []
    for message in events:
        envelope, received_ms = message.envelope, message.arrived.received_ms
        assert envelope is not None  # noqa: S101 - for the type checker
        body = envelope.body
        if message.type != body.type:
            ledger.count(connection, "unknown_type_events")
            log.warning("event of an unknown type is in the ledger only", box=envelope.box, type=message.type)
        elif isinstance(body, EpisodeStarted | EpisodeUpdated | EpisodeEnded):
            told.append(episodes.Told(envelope, body, received_ms))
        else:
            others.append((envelope, received_ms))
    episodes.project(connection, told, calendars)
    live.note_changes(connection, [("episode", each.body.episode, each.received_ms) for each in told])
    wrong_files = [_store_event(connection, *each, calendars.of(each[0].box)) for each in others]
    return [each for each in wrong_files if each is not None]


def _store_event(connection: Connection, envelope: Envelope, received_ms: int, calendar: boots.Calendar) -> str | None:
    body, wrong_file = envelope.body, None
    if isinstance(body, ClipReady):
        wrong_file = clips.announce(connection, envelope, body, received_ms, calendar)
        live.note_change(connection, "clip", body.clip, received_ms)
    elif isinstance(body, CameraState | Tamper):
        camera = episodes.record_camera_state(connection, envelope, body, received_ms, calendar)
        live.note_change(connection, "camera", camera, received_ms)
    elif isinstance(body, DataLost):
        episodes.record_loss(connection, envelope, body, received_ms)
        if body.clip is not None:
            clips.lose(connection, envelope, body)
            live.note_change(connection, "clip", body.clip, received_ms)
    return wrong_file
