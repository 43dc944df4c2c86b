"""Live events: one tail of the `changes` table for all readers of this process, as server-sent events.

The tail polls every 100 ms while anybody listens, so it also sees what another process commits. A reader that is too
slow is let go: its browser comes back with Last-Event-ID and catches up from the table. A reader whose place has been
pruned gets `reset`: load everything anew. `beat` comes every 10 s, so that a dead connection is noticed.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from starlette.concurrency import run_in_threadpool

from collector.store import desk as rows
from collector.store import live as tail
from collector.store.clips import find_clip
from collector.store.database import Database
from collector.store.errors import StoreUnavailable
from collector.store.overview import list_boxes
from collector.store.reach import Place, places
from collector.web import shapes
from collector.web.rights import Identity, Right
from collector.web.shapes import Json

POLL_S = 0.1
BEAT_S = 10.0
_QUEUE_LENGTH = 500
_READERS = 200


@dataclass(frozen=True)
class LiveEvent:
    """One event of the stream; only those who hold `right` where it happened (`place`) get it.

    `waiting`: how many incidents are new, by place, where the event tells that too.
    """

    id: int
    name: Literal["episode", "clip", "incident", "alert", "box"]
    data: Json
    right: Right
    place: Place | None
    waiting: Mapping[Place, rows.Waiting] | None = None

    def encode_for(self, reader: Identity) -> bytes | None:
        """As it travels to this reader; None when it is not theirs to know."""
        if not (reader.may(self.right) and reader.reach.covers(self.place)):
            return None
        data = self.data
        if self.waiting is not None:
            theirs = (count for place, count in self.waiting.items() if reader.reach.covers(place))
            waiting = sum(theirs, rows.Waiting())
            data = data | {"waiting": waiting.new, "ringing": waiting.ringing}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return f"id: {self.id}\nevent: {self.name}\ndata: {text}\n\n".encode()


@dataclass(eq=False)
class _Reader:
    queue: asyncio.Queue[LiveEvent | None] = field(default_factory=lambda: asyncio.Queue(_QUEUE_LENGTH))
    gone: bool = False


class Live:
    """The tail and its readers. Lives in the event loop of the web server."""

    def __init__(self, database: Database, stopping: Callable[[], bool]) -> None:
        self._database = database
        self._stopping = stopping
        self._readers: set[_Reader] = set()
        self._last = 0
        self._task: asyncio.Task[None] | None = None

    def has_room(self) -> bool:
        """False when too many listen already."""
        return len(self._readers) < _READERS

    async def follow(self, since: int | None, beat: Callable[[], bool]) -> AsyncGenerator[bytes | LiveEvent]:
        """Events from `since` on (None: from now) and a beat every 10 s, however much happens meanwhile.

        `beat` is asked at each whether this reader may still listen.
        """
        reader = _Reader()
        if self._task is None or self._task.done():
            newest = await run_in_threadpool(self._newest)
            # While we waited another reader may have begun the tail: then it goes on from there.
            if self._task is None or self._task.done():
                self._last = newest
                self._task = asyncio.get_running_loop().create_task(self._run())
        self._readers.add(reader)
        here = self._last
        try:
            yield b"retry: 2000\n: here\n\n"
            if since is not None and since != here:
                lost, missed = await run_in_threadpool(self._missed, since, here)
                if lost:
                    yield f"id: {here}\nevent: reset\ndata: {{}}\n\n".encode()
                for event in missed:
                    yield event
            clock = asyncio.get_running_loop().time
            due_s = clock() + BEAT_S
            while not reader.gone:
                try:
                    event_or_end = await asyncio.wait_for(reader.queue.get(), due_s - clock())
                except TimeoutError:
                    due_s = clock() + BEAT_S
                    if self._task.done():
                        return  # the tail failed (asyncio logs why); whoever comes back begins a new one
                    if not await run_in_threadpool(beat):
                        yield b"event: signed_out\ndata: {}\n\n"
                        return
                    yield b": beat\nevent: beat\ndata: {}\n\n"
                    continue
                if event_or_end is None:
                    return
                if event_or_end.id > here:
                    yield event_or_end
        finally:
            self._readers.discard(reader)

    async def _run(self) -> None:
        while self._readers and not self._stopping():
            try:
                events, self._last = await run_in_threadpool(self._look, self._last)
            except StoreUnavailable:
                events = []  # the next look finds what this one missed
            for reader in tuple(self._readers):
                for event in events:
                    if reader.queue.full():
                        reader.gone = True  # it ends, comes back with its last id and catches up
                        break
                    reader.queue.put_nowait(event)
            await asyncio.sleep(POLL_S)
        for reader in tuple(self._readers):
            reader.gone = True
            if not reader.queue.full():
                reader.queue.put_nowait(None)

    def _newest(self) -> int:
        with self._database.read() as connection:
            return tail.newest_change(connection)

    def _look(self, last: int) -> tuple[list[LiveEvent], int]:
        with self._database.read() as connection:
            found = tail.changes_after(connection, last)
            return (events_of(connection, found), found[-1].id) if found else ([], last)

    def _missed(self, since: int, here: int) -> tuple[bool, list[LiveEvent]]:
        with self._database.read() as connection:
            if since > here or since + 1 < tail.oldest_change(connection):
                return True, []
            found = tail.changes_after(connection, since, limit=1000)
            if len(found) == 1000:
                return True, []
            return False, events_of(connection, [change for change in found if change.id <= here])


def events_of(connection: tail.Connection, found: Sequence[tail.Change]) -> list[LiveEvent]:
    """What readers are told of these changes. Several changes of one thing are told once, at the last one's place."""
    newest: dict[tuple[str, str], int] = {}
    for change in found:
        for thing in _things(connection, change):
            newest.pop(thing, None)
            newest[thing] = change.id
    told = []
    where = places(connection) if newest else {}
    has_incident = any(kind == "incident" for kind, _ in newest)
    waiting = rows.waiting_by_place(connection) if has_incident else None
    for (kind, ref), number in newest.items():
        told_of = _body(connection, kind, ref)
        if told_of is not None:
            (body, box), (name, right) = told_of, _NAMES[kind]
            place = None if box is None else where.get(box)
            told.append(LiveEvent(number, name, body, right, place, waiting if kind == "incident" else None))
    return told


_NAMES: dict[str, tuple[Literal["episode", "clip", "incident", "alert", "box"], Right]] = {
    "episode": ("episode", "see_incidents"),
    "clip": ("clip", "see_incidents"),
    "incident": ("incident", "see_incidents"),
    "alert": ("alert", "see_incidents"),
    "box": ("box", "see_fleet"),
}


def _things(connection: tail.Connection, change: tail.Change) -> Iterable[tuple[str, str]]:
    if change.kind == "camera":
        return [("box", change.ref.partition("/")[0])]
    if change.kind == "snapshot":  # its episode, which has a picture now
        return [("episode", change.ref)]
    return [(change.kind, change.ref)] if change.kind in _NAMES else []


def _body(connection: tail.Connection, kind: str, ref: str) -> tuple[Json, str | None] | None:
    """What is told of it, and the box that it is of; an alert about the server itself is of none."""
    if kind == "episode":
        episode = rows.find_episode(connection, ref)
        return None if episode is None else (shapes.episode_json(episode), episode.box)
    if kind == "clip":
        clip = find_clip(connection, ref)
        if clip is None:
            return None
        incident = None if clip.episode is None else rows.incident_of_episode(connection, clip.episode)
        return {**shapes.clip_json(clip), "incident": incident}, clip.box
    if kind == "incident":
        incident_row = rows.find_incident(connection, ref)
        if incident_row is None:
            return None
        return shapes.incident_json(incident_row), incident_row.box
    if kind == "alert":
        alert = rows.find_alert(connection, ref)
        box = None if alert is None or alert["camera"] is None else alert["camera"].partition("/")[0]
        return None if alert is None else (shapes.alert_json(alert), box)
    found = list_boxes(connection, ref)
    return (shapes.box_json(found[0]), ref) if found else None
