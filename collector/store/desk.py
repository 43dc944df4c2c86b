"""What pages and API read of episodes, incidents, clips and snapshots, and the acknowledgement of an incident.

Lists run newest first and are paged by key: (start_ms, id) of the last row that was sent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, case, exists, func, insert, select, update

from collector.store.clips import Clip
from collector.store.live import note_change
from collector.store.paging import Key, Page, Way, cameras_of, of_reach, read_page, unindexed, within
from collector.store.reach import EVERYWHERE, Place, Reach
from collector.store.schema import (
    alerts,
    boxes,
    cameras,
    clips,
    episodes,
    incident_episodes,
    incident_history,
    incidents,
    snapshots,
)

SCREEN = "screen"  # the channel of the post's own screen, which is always there
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a list should hold. `camera` is (box or None, name); times bound the start: since ≤ start < until."""

    camera: tuple[str | None, str] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    state: str | None = None
    after: Key | None = None
    limit: int = 100
    reach: Reach = EVERYWHERE


@dataclass(frozen=True, kw_only=True)
class Episode:
    """An episode with its clips (earliest first), the snapshot that has arrived, and the incident it belongs to."""

    id: str
    box: str
    camera: str
    start_ms: int
    last_ms: int
    end_ms: int | None
    rectangle: Sequence[float]
    zones: Sequence[str]
    score: float
    kind: str
    reason: str | None
    clock: str
    dated: str | None
    earliest_ms: int | None
    latest_ms: int | None
    boot_id: str | None
    box_start_ms: int | None
    box_last_ms: int | None
    start_mono_ms: int | None
    first_received_ms: int
    received_ms: int
    snapshot: str | None = None
    incident: str | None = None
    clips: tuple[Clip, ...] = ()

    @property
    def late_ms(self) -> int:
        """How long after its first moving frame the collector first heard of it."""
        return max(0, self.first_received_ms - self.start_ms)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """An incident with its episodes, earliest first; `site` and `commune` are where its camera hangs."""

    id: str
    rule: str
    camera: str
    severity: str
    start_ms: int
    last_ms: int
    created_ms: int
    state: str
    acknowledged_ms: int | None
    owner: str | None
    outcome: str | None
    closed_ms: int | None
    late_ms: int
    site: str = ""
    commune: str = ""
    episodes: tuple[Episode, ...] = ()

    @property
    def box(self) -> str:
        """The box its camera hangs on."""
        return self.camera.partition("/")[0]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The incidents beside one in the feed: `newer` and `older` by start."""

    newer: str | None = None
    older: str | None = None


@dataclass(frozen=True)
class Waiting:
    """New incidents, and how many of them ring on the post's screen until somebody takes them."""

    new: int = 0
    ringing: int = 0

    def __add__(self, other: "Waiting") -> "Waiting":
        return Waiting(self.new + other.new, self.ringing + other.ringing)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A stored snapshot; `camera` and `incident` are its episode's, None until that is known."""

    sha256: str
    box: str
    episode: str
    path: str
    size_bytes: int
    camera: str | None
    incident: str | None


EPISODE_COLUMNS = tuple(
    episodes.c[name]
    for name in (
        "id", "box", "camera", "start_ms", "last_ms", "end_ms", "rectangle", "zones", "score", "kind", "reason",
        "clock", "dated", "earliest_ms", "latest_ms", "boot_id", "box_start_ms", "box_last_ms", "start_mono_ms",
        "first_received_ms", "received_ms", "snapshot_sha256",
    )
)  # fmt: skip
_CLIP_COLUMNS = tuple(clips.c[name] for name in Clip.__dataclass_fields__)
_INCIDENT_COLUMNS = tuple(
    incidents.c[name] for name in Incident.__dataclass_fields__ if name not in ("episodes", "site", "commune")
)


# --- episodes ----------------------------------------------------------------------------------------------------


def list_episodes(connection: Connection, wanted: Wanted) -> tuple[list[Episode], Key | None]:
    """Episodes, newest first, and where the list goes on; None at its end."""
    way = within(connection, episodes.c.camera, wanted.reach, wanted.camera)
    page = _page_of(connection, EPISODE_COLUMNS, way, wanted)
    return whole_episodes(connection, page.rows), page.more


def find_episode(connection: Connection, episode: str) -> Episode | None:
    """One episode, None where there is none."""
    query = select(*EPISODE_COLUMNS).where(episodes.c.id == episode)
    whole = whole_episodes(connection, [dict(row) for row in connection.execute(query).mappings()])
    return whole[0] if whole else None


def whole_episodes(connection: Connection, rows: list[Row]) -> list[Episode]:
    """Episodes' rows with what belongs to them: three queries for any number of rows."""
    ids = [row["id"] for row in rows]
    if not ids:
        return []
    of_episode: dict[str, list[Clip]] = {}
    for clip in connection.execute(
        select(*_CLIP_COLUMNS).where(clips.c.episode.in_(ids)).order_by(clips.c.first_frame_ms, clips.c.id)
    ).mappings():
        of_episode.setdefault(clip["episode"], []).append(Clip(**clip))
    arrived: dict[str, list[str]] = {}
    for episode, sha256 in connection.execute(
        select(snapshots.c.episode, snapshots.c.sha256)
        .where(snapshots.c.episode.in_(ids))
        .order_by(snapshots.c.received_ms.desc(), snapshots.c.sha256)
    ):
        arrived.setdefault(episode, []).append(sha256)
    incident_of = dict(
        connection.execute(
            select(incident_episodes.c.episode, incident_episodes.c.incident).where(
                incident_episodes.c.episode.in_(ids)
            )
        ).all()
    )
    whole = []
    for row in rows:
        named, here = row.pop("snapshot_sha256"), arrived.get(row["id"], [])
        # The best one that was named, if it is here; until then the newest that is.
        snapshot = named if named in here else next(iter(here), None)
        belongings = tuple(of_episode.get(row["id"], ()))
        whole.append(Episode(**row, snapshot=snapshot, clips=belongings, incident=incident_of.get(row["id"])))
    return whole


# --- incidents ---------------------------------------------------------------------------------------------------


def list_incidents(connection: Connection, wanted: Wanted) -> tuple[list[Incident], Key | None]:
    """Incidents with their episodes, newest first, and where the list goes on; None at its end."""
    way = within(connection, incidents.c.camera, wanted.reach, wanted.camera)
    if wanted.state == "new" and wanted.camera is None:  # few, wherever they are
        rest = (of_reach(incidents.c.camera, wanted.reach),) if wanted.reach != EVERYWHERE else ()
        way = Way(paths=(incidents.c.state == wanted.state,), rest=rest)
    elif wanted.state is not None:
        way = replace(way, rest=(*way.rest, unindexed(incidents.c.state) == wanted.state))
    page = _page_of(connection, _INCIDENT_COLUMNS, way, wanted)
    return _with_episodes(connection, page.rows), page.more


def _page_of(connection: Connection, columns: Sequence[Any], way: Way, wanted: Wanted) -> Page:
    bounded = replace(way, since_ms=wanted.since_ms, until_ms=wanted.until_ms)
    return read_page(connection, columns, bounded, wanted.after, wanted.limit)


def find_incident(connection: Connection, incident: str) -> Incident | None:
    """One incident, None where there is none."""
    query = select(*_INCIDENT_COLUMNS).where(incidents.c.id == incident)
    found = _with_episodes(connection, [dict(row) for row in connection.execute(query).mappings()])
    return found[0] if found else None


def _with_episodes(connection: Connection, rows: list[Row]) -> list[Incident]:
    ids = [row["id"] for row in rows]
    if not ids:
        return []
    members = [
        dict(row)
        for row in connection.execute(
            select(*EPISODE_COLUMNS)
            .join(incident_episodes, incident_episodes.c.episode == episodes.c.id)
            .where(incident_episodes.c.incident.in_(ids))
            .order_by(episodes.c.start_ms, episodes.c.id)
        ).mappings()
    ]
    of_incident: dict[str | None, list[Episode]] = {}
    for episode in whole_episodes(connection, members):
        of_incident.setdefault(episode.incident, []).append(episode)
    standing = (
        select(cameras.c.id, boxes.c.commune, boxes.c.site)
        .join(boxes, boxes.c.id == cameras.c.box)
        .where(cameras.c.id.in_({row["camera"] for row in rows}))
    )
    place_of = {row.id: Place(row.commune, row.site) for row in connection.execute(standing)}
    found = []
    for row in rows:
        place, its = place_of.get(row["camera"], Place("", "")), tuple(of_incident.get(row["id"], ()))
        found.append(Incident(**row, site=place.site, commune=place.commune, episodes=its))
    return found


def incident_of_episode(connection: Connection, episode: str) -> str | None:
    """The incident that an episode belongs to."""
    return connection.execute(
        select(incident_episodes.c.incident).where(incident_episodes.c.episode == episode)
    ).scalar_one_or_none()


def neighbours(connection: Connection, incident: Incident, reach: Reach = EVERYWHERE) -> Neighbours:
    """The next newer and the next older incident in the feed."""
    key, columns = (incident.start_ms, incident.id), (incidents.c.start_ms, incidents.c.id)
    way = within(connection, incidents.c.camera, reach)
    older = read_page(connection, columns, way, key, 1).rows
    newer = read_page(connection, columns, way, key, 1, newest_first=False).rows
    return Neighbours(newer=newer[0]["id"] if newer else None, older=older[0]["id"] if older else None)


def waiting_in(connection: Connection, reach: Reach = EVERYWHERE) -> Waiting:
    """How many incidents wait for somebody within reach."""
    query = select(func.count(), func.sum(case((_RANG, 1), else_=0))).where(incidents.c.state == "new")
    if reach != EVERYWHERE:
        query = query.where(incidents.c.camera.in_(cameras_of(reach)))
    new, rings = connection.execute(query).one()
    return Waiting(new, int(rings or 0))


_RANG = exists().where(alerts.c.incident == incidents.c.id, alerts.c.channel == SCREEN, alerts.c.rings)


def waiting_by_place(connection: Connection) -> dict[Place, Waiting]:
    """How many wait for somebody, by where their cameras hang."""
    query = (
        select(boxes.c.commune, boxes.c.site, func.count(), func.sum(case((_RANG, 1), else_=0)))
        .select_from(incidents)
        .join(cameras, cameras.c.id == incidents.c.camera)
        .join(boxes, boxes.c.id == cameras.c.box)
        .where(incidents.c.state == "new")
        .group_by(boxes.c.commune, boxes.c.site)
    )
    return {Place(commune, site): Waiting(new, int(rings)) for commune, site, new, rings in connection.execute(query)}


def incident_history_of(connection: Connection, incident: str) -> list[Row]:
    """Who did what, earliest first: wall_ms, who, action, note."""
    query = (
        select(incident_history.c.wall_ms, incident_history.c.who, incident_history.c.action, incident_history.c.note)
        .where(incident_history.c.incident == incident)
        .order_by(incident_history.c.id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def acknowledge(connection: Connection, incident: str, who: str, now_ms: int) -> bool:
    """Make `who` the owner of a new incident. False when it was not new any more: the first to press owns it."""
    changed = connection.execute(
        update(incidents)
        .where(incidents.c.id == incident, incidents.c.state == "new")
        .values(state="acknowledged", acknowledged_ms=now_ms, owner=who)
    )
    if changed.rowcount != 1:
        return False
    connection.execute(
        insert(incident_history).values(incident=incident, wall_ms=now_ms, who=who, action="acknowledge")
    )
    note_change(connection, "incident", incident, now_ms)
    return True


# --- snapshots and alerts --------------------------------------------------------------------------------------------


def find_snapshot(
    connection: Connection, *, sha256: str | None = None, episode: str | None = None, reach: Reach = EVERYWHERE
) -> Picture | None:
    """A snapshot by its hash, or the best one of an episode that has arrived; of a box within reach."""
    own = (snapshots.c.sha256, snapshots.c.box, snapshots.c.episode, snapshots.c.path, snapshots.c.size_bytes)
    columns = (*own, episodes.c.camera, incident_episodes.c.incident)
    belongs = snapshots.outerjoin(episodes, episodes.c.id == snapshots.c.episode).outerjoin(
        incident_episodes, incident_episodes.c.episode == snapshots.c.episode
    )
    query = select(*columns).select_from(belongs).order_by(snapshots.c.received_ms.desc()).limit(1)
    if sha256 is None:
        named = select(episodes.c.snapshot_sha256).where(episodes.c.id == episode).scalar_subquery()
        query = (
            select(*columns)
            .select_from(belongs)
            .where(snapshots.c.episode == episode)
            .order_by((snapshots.c.sha256 == func.coalesce(named, "")).desc(), snapshots.c.received_ms.desc())
            .limit(1)
        )
    else:
        query = query.where(snapshots.c.sha256 == sha256)
    row = connection.execute(query.where(reach.holds(snapshots.c.box))).mappings().one_or_none()
    return None if row is None else Picture(**row)


def find_alert(connection: Connection, alert: str) -> Row | None:
    """One alert: id, kind, incident, camera, channel, title, state, created_ms, sent_ms, late_ms."""
    columns = ("id", "kind", "incident", "camera", "channel", "title", "state", "created_ms", "sent_ms", "late_ms")
    query = select(*(alerts.c[name] for name in columns)).where(alerts.c.id == alert)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def zones_of(members: Iterable[Episode]) -> tuple[str, ...]:
    """Every zone that any of them touched, in order of first touch."""
    return tuple(dict.fromkeys(zone for episode in members for zone in episode.zones))
