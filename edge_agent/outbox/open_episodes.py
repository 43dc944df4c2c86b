"""Which episodes have begun and not ended, kept beside their events, so that none stays open after a power cut.

Rules: changed only within the transaction that keeps the event itself. An end that is told after a cut says no more
than was told before it: the last motion known, never a guess.
"""

import sqlite3

from vonggac.wire.codec import decode
from vonggac.wire.errors import MalformedMessage
from vonggac.wire.messages import Body, Envelope, EpisodeEnded, EpisodeStarted, EpisodeUpdated, Rectangle, Tamper

TAMPER = "tamper:"


def follow(connection: sqlite3.Connection, body: Body, message: bytes) -> None:
    """Note what an event says of its episode's coming and going; within the event's transaction."""
    if isinstance(body, EpisodeStarted):
        connection.execute(
            "INSERT INTO open_episode (episode, started) VALUES (?, ?) ON CONFLICT DO NOTHING", (body.episode, message)
        )
    elif isinstance(body, EpisodeUpdated):
        connection.execute("UPDATE open_episode SET updated = ? WHERE episode = ?", (message, body.episode))
    elif isinstance(body, EpisodeEnded):
        connection.execute("DELETE FROM open_episode WHERE episode = ?", (body.episode,))


def ends(connection: sqlite3.Connection, now_ms: int) -> list[Body]:
    """The messages that end all open episodes, in the order in which these began; a tamper's state ends now with it.

    A row that does not decode is passed over: fsck tells it.
    """
    found: list[tuple[Envelope, EpisodeStarted, EpisodeUpdated | None]] = []
    for row in connection.execute("SELECT started, updated FROM open_episode"):
        try:
            envelope = decode(row["started"])
            updated = decode(row["updated"]).body if row["updated"] is not None else None
        except MalformedMessage:
            continue
        if isinstance(envelope.body, EpisodeStarted):
            found.append((envelope, envelope.body, updated if isinstance(updated, EpisodeUpdated) else None))
    found.sort(key=lambda each: each[0].seq or 0)
    return [body for each in found for body in _end(*each, now_ms)]


def _end(envelope: Envelope, started: EpisodeStarted, updated: EpisodeUpdated | None, now_ms: int) -> list[Body]:
    end_ms = max(started.start_ms, updated.last_ms if updated else 0)
    ended = EpisodeEnded(
        episode=started.episode,
        camera=started.camera,
        start_ms=started.start_ms,
        end_ms=end_ms,
        box=_union(started.box, updated.box) if updated else started.box,
        zones=tuple(dict.fromkeys((*started.zones, *(updated.zones if updated else ())))),
        score=max(started.score, updated.score if updated else 0.0),
        kind=started.kind,
        reason="cut",
        snapshot_sha256=started.snapshot_sha256,
        boot_id=envelope.boot_id,
        start_mono_ms=max(0, envelope.mono_ms - (envelope.wall_ms - started.start_ms)),
    )
    if not started.kind.startswith(TAMPER):
        return [ended]
    kind, since_ms = started.kind.removeprefix(TAMPER), max(now_ms, end_ms + 1)
    return [ended, Tamper(camera=started.camera, kind=kind, active=False, since_ms=since_ms)]


def _union(one: Rectangle, other: Rectangle) -> Rectangle:
    return (min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]))
