"""The wall of cameras: each with how it is and its latest picture; and what others saw at the same moment."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, and_, exists, select, tuple_

from collector.store.desk import EPISODE_COLUMNS, Episode, whole_episodes
from collector.store.overview import Standing
from collector.store.reach import EVERYWHERE, Place, Reach
from collector.store.schema import boxes, cameras, episodes, fleet_states, snapshots


@dataclass(frozen=True, kw_only=True)
class OnWall:
    """A camera; `snapshot` is the newest picture that has come and `picture_ms` when its episode began."""

    id: str
    name: str
    box: str
    site: str
    commune: str
    standing: Standing
    snapshot: str | None = None
    picture_ms: int | None = None


WallKey = tuple[str, str, str]
"""Commune, site and id: the order of the wall."""


def cameras_on_wall(
    connection: Connection,
    reach: Reach = EVERYWHERE,
    after: WallKey | None = None,
    limit: int | None = None,
    commune: str | None = None,
) -> list[OnWall]:
    """Configured cameras within reach, by commune, site and id."""
    query = (
        select(
            cameras.c.id, cameras.c.name, cameras.c.box, boxes.c.site, boxes.c.commune,
            fleet_states.c.state, fleet_states.c.since_ms, fleet_states.c.reasons,
        )
        .join(boxes, boxes.c.id == cameras.c.box)
        .outerjoin(fleet_states, and_(fleet_states.c.kind == "camera", fleet_states.c.ref == cameras.c.id))
        .where(cameras.c.configured, boxes.c.removed_ms.is_(None), reach.holds(cameras.c.box))
        .order_by(boxes.c.commune, boxes.c.site, cameras.c.id)
        .limit(limit)
    )  # fmt: skip
    if commune is not None:
        query = query.where(boxes.c.commune == commune)
    if after is not None:
        query = query.where(tuple_(boxes.c.commune, boxes.c.site, cameras.c.id) > tuple_(*after))
    return [
        OnWall(
            id=row.id,
            name=row.name,
            box=row.box,
            site=row.site,
            commune=row.commune,
            standing=Standing()
            if row.state is None
            else Standing(state=row.state, since_ms=row.since_ms, reasons=tuple(row.reasons)),
        )
        for row in connection.execute(query)
    ]


def with_pictures(connection: Connection, found: list[OnWall]) -> list[OnWall]:
    """The same cameras with their latest pictures."""
    ids = [camera.id for camera in found]
    latest = (
        select(episodes.c.id)
        .where(episodes.c.camera == cameras.c.id, exists().where(snapshots.c.episode == episodes.c.id))
        .order_by(episodes.c.start_ms.desc(), episodes.c.id.desc())
        .limit(1)
        .correlate(cameras)
        .scalar_subquery()
    )
    query = select(cameras.c.id, latest.label("episode")).where(cameras.c.id.in_(ids))
    episode_of = {row.id: row.episode for row in connection.execute(query) if row.episode is not None}
    rows = connection.execute(select(*EPISODE_COLUMNS).where(episodes.c.id.in_(list(episode_of.values()))))
    whole = {each.camera: each for each in whole_episodes(connection, [dict(row._mapping) for row in rows])}
    return [
        replace(camera, snapshot=whole[camera.id].snapshot, picture_ms=whole[camera.id].start_ms)
        if camera.id in whole
        else camera
        for camera in found
    ]


def neighbours_of(connection: Connection, camera: str, place: Place, limit: int) -> list[str]:
    """Other cameras of the same site; where there is none, of the commune."""
    query = (
        select(cameras.c.id)
        .join(boxes, boxes.c.id == cameras.c.box)
        .where(cameras.c.configured, boxes.c.removed_ms.is_(None), cameras.c.id != camera)
        .where(boxes.c.commune == place.commune)
        .order_by(cameras.c.id)
        .limit(limit)
    )
    same_site = list(connection.scalars(query.where(boxes.c.site == place.site)))
    return same_site or list(connection.scalars(query))


def nearest_episode(connection: Connection, camera: str, at_ms: int, within_ms: int) -> Episode | None:
    """The episode that goes on at the moment, or the next to it within a while."""
    of = episodes.c
    query = (
        select(*EPISODE_COLUMNS)
        .where(of.camera == camera, of.start_ms >= at_ms - 3_600_000, of.start_ms <= at_ms + within_ms)
        .where(of.last_ms >= at_ms - within_ms)
        .order_by(of.start_ms.desc(), of.id.desc())
        .limit(50)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    nearest = min(rows, key=lambda row: max(0, row["start_ms"] - at_ms, at_ms - row["last_ms"]), default=None)
    return None if nearest is None else whole_episodes(connection, [nearest])[0]


def path_of(connection: Connection, episode: str) -> list[list[float]]:
    """Where the thing was: [[t_ms after the start, x, y], …], the centre in 0..1; empty while it goes on."""
    return list(connection.scalar(select(episodes.c.path).where(episodes.c.id == episode)) or [])
