"""Releases and rings as the database keeps them, and how far boxes have come by their own heartbeats."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from collector.releases.choice import Offer
from collector.store.database import upsert
from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import boxes, heartbeats
from collector.store.schema_releases import box_rings, releases
from vonggac.wire.release import Heard, version_key

SHOWS_WITHIN_MS = 60_000
DEFAULT_RING = "all"


@dataclass(frozen=True, kw_only=True)
class Release:
    """One that was taken in; `returns` counts the boxes that took it back, `runs` those that run it now."""

    version: str
    manifest: str
    signature: str
    added_ms: int
    ring: str | None
    stopped_ms: int | None
    stopped_by: str | None
    returns: int = 0
    runs: int = 0

    @property
    def offer(self) -> Offer:
        """As the choice takes it."""
        return Offer(version=self.version, ring=self.ring, stopped_ms=self.stopped_ms, returns=self.returns)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a box has come, as its last heartbeat says; `version` is None where none said so."""

    box: str
    site: str
    commune: str
    ring: str
    version: str | None
    step: str | None
    target: str | None
    reason: str | None
    percent: int | None
    since_ms: int | None
    heard_ms: int | None


def add_release(connection: Connection, version: str, manifest: str, signature: str, now_ms: int) -> None:
    """Taken in, offered to nobody."""
    connection.execute(
        insert(releases).values(version=version, manifest=manifest, signature=signature, added_ms=now_ms)
    )


def offer(connection: Connection, version: str, ring: str) -> bool:
    """To a ring from now on; a stop is lifted. False when there is no such release."""
    query = update(releases).where(releases.c.version == version)
    return connection.execute(query.values(ring=ring, stopped_ms=None, stopped_by=None)).rowcount == 1


def stop(connection: Connection, version: str, who: str, now_ms: int) -> bool:
    """No box begins with it any more. False when there is no such release or it is stopped already."""
    query = update(releases).where(releases.c.version == version, releases.c.stopped_ms.is_(None))
    return connection.execute(query.values(stopped_ms=now_ms, stopped_by=who)).rowcount == 1


def set_ring(connection: Connection, box: str, ring: str) -> bool:
    """Put a box into a ring. False when there is no such box."""
    if connection.scalar(select(boxes.c.id).where(boxes.c.id == box, boxes.c.removed_ms.is_(None))) is None:
        return False
    if ring == DEFAULT_RING:
        connection.execute(delete(box_rings).where(box_rings.c.box == box))
    else:
        upsert(connection, box_rings, box=box, ring=ring)
    return True


def ring_of(connection: Connection, box: str) -> str:
    """The box's ring."""
    return connection.scalar(select(box_rings.c.ring).where(box_rings.c.box == box)) or DEFAULT_RING


def find_release(connection: Connection, version: str) -> Release | None:
    """The release of this version."""
    return next((each for each in list_releases(connection) if each.version == version), None)


def list_releases(connection: Connection) -> list[Release]:
    """All that were taken in, the newest first."""
    said = heartbeats.c.body["update"]
    words = [said[name].as_string().label(name) for name in ("version", "step", "target")]
    live = select(*words).join(boxes, boxes.c.id == heartbeats.c.box).where(boxes.c.removed_ms.is_(None))
    runs: Counter[str] = Counter()
    returns: Counter[str] = Counter()
    for word in connection.execute(live):
        runs[word.version] += 1
        returns[word.target] += word.step == "returned"
    found = [
        Release(**row, returns=returns[row["version"]], runs=runs[row["version"]])
        for row in connection.execute(select(releases)).mappings()
    ]
    return sorted(found, key=lambda each: version_key(each.version), reverse=True)


def heard(connection: Connection, box: str) -> Heard | None:
    """The box's newest heartbeat, as a release on probation is judged by it; None before the first."""
    row = connection.execute(select(heartbeats).where(heartbeats.c.box == box)).mappings().one_or_none()
    if row is None:
        return None
    body: dict[str, Any] = row["body"]
    began_ms = (body.get("host") or {}).get("run_began_mono_ms")
    return Heard(
        version=(body.get("update") or {}).get("version"),
        received_ms=row["received_ms"],
        ran_ms=None if began_ms is None else row["mono_ms"] - began_ms,
        cameras={
            camera["name"]: camera.get("last_frame_age_ms") is not None
            and camera["last_frame_age_ms"] < SHOWS_WITHIN_MS
            for camera in body.get("cameras", ())
        },
    )


def progress(connection: Connection, reach: Reach = EVERYWHERE) -> list[Progress]:
    """Every box within reach that may connect, by commune, site and id."""
    query = (
        select(boxes.c.id, boxes.c.site, boxes.c.commune, box_rings.c.ring, heartbeats.c.body, heartbeats.c.received_ms)
        .outerjoin(box_rings, box_rings.c.box == boxes.c.id)
        .outerjoin(heartbeats, heartbeats.c.box == boxes.c.id)
        .where(boxes.c.removed_ms.is_(None), reach.holds(boxes.c.id))
        .order_by(boxes.c.commune, boxes.c.site, boxes.c.id)
    )
    found = []
    for row in connection.execute(query):
        said: dict[str, Any] = (row.body or {}).get("update") or {}
        found.append(
            Progress(
                box=row.id,
                site=row.site,
                commune=row.commune,
                ring=row.ring or DEFAULT_RING,
                version=said.get("version"),
                step=said.get("step"),
                target=said.get("target"),
                reason=said.get("reason"),
                percent=said.get("percent"),
                since_ms=said.get("since_ms"),
                heard_ms=row.received_ms,
            )
        )
    return found
