"""The rows of what was seen and told, forgotten when they are old: episodes, incidents, alerts, what is left of clips,
what cameras said of their pictures, told losses, ended outages.

Rules: old means that nothing was heard or done for so long, by the collector's clock. An incident goes as a whole or
not at all: never while nobody has taken it, while an alert of it is still to be sent, or while an episode of it has to
stay. An episode stays while it goes on, while its clip is here or may still come, while a picture of it is here, and
until the rules have looked at it. The ledger is left alone: numbers that came stay known, and are no holes.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from collector.store.schema import (
    alerts,
    boots,
    camera_states,
    clips,
    clock_anchors,
    episodes,
    incident_episodes,
    incident_history,
    incidents,
    losses,
    muted_episodes,
    mutes,
    outages,
    snapshots,
)

_UNSENT = ("due", "claimed")
_HERE_OR_COMING = ("announced", "stored")


@dataclass(frozen=True)
class Forgotten:
    """How many rows went; `clips` are those of files that went long before, or never came; `words` are all others."""

    episodes: int = 0
    incidents: int = 0
    alerts: int = 0
    clips: int = 0
    words: int = 0


def forget(connection: Connection, before_ms: int, limit: int = 100) -> Forgotten:
    """Forget what is older, at most `limit` incidents and as many episodes, alerts and clips beside them."""
    old = list(connection.scalars(select(incidents.c.id).where(_incident_may_go(before_ms)).limit(limit)))
    members: list[str] = []
    told = 0
    if old:
        theirs = incident_episodes.c.incident.in_(old)
        members = list(connection.scalars(select(incident_episodes.c.episode).where(theirs)))
        connection.execute(delete(incident_episodes).where(theirs))
        connection.execute(delete(incident_history).where(incident_history.c.incident.in_(old)))
        told = connection.execute(delete(alerts).where(alerts.c.incident.in_(old))).rowcount
        connection.execute(update(mutes).where(mutes.c.incident.in_(old)).values(incident=None))
        connection.execute(delete(incidents).where(incidents.c.id.in_(old)))
    alone = select(episodes.c.id).where(
        _episode_may_go(before_ms), ~exists().where(incident_episodes.c.episode == episodes.c.id)
    )
    going = [*members, *connection.scalars(alone.limit(limit))]
    connection.execute(delete(muted_episodes).where(muted_episodes.c.episode.in_(going)))
    gone = connection.execute(delete(episodes).where(episodes.c.id.in_(going)))
    fleet = select(alerts.c.id).where(
        alerts.c.incident.is_(None), alerts.c.created_ms < before_ms, alerts.c.state.not_in(_UNSENT)
    )
    told += connection.execute(delete(alerts).where(alerts.c.id.in_(fleet.limit(limit)))).rowcount
    without = select(clips.c.id).where(
        clips.c.state.not_in(_HERE_OR_COMING),
        ~clips.c.held,
        func.coalesce(clips.c.deleted_ms, clips.c.stored_ms, clips.c.announced_ms, 0) < before_ms,
        ~exists().where(episodes.c.id == clips.c.episode),
    )
    files = connection.execute(delete(clips).where(clips.c.id.in_(without.limit(limit)))).rowcount
    words = _forget_words(connection, before_ms, limit)
    _forget_boots(connection, before_ms)
    return Forgotten(episodes=gone.rowcount, incidents=len(old), alerts=told, clips=files, words=words)


def _episode_may_go(before_ms: int) -> ColumnElement[bool]:
    clip = exists().where(clips.c.episode == episodes.c.id, or_(clips.c.state.in_(_HERE_OR_COMING), clips.c.held))
    return and_(
        episodes.c.received_ms < before_ms,
        episodes.c.end_ms.is_not(None),
        episodes.c.rules_ms.is_not(None),
        ~clip,
        ~exists().where(snapshots.c.episode == episodes.c.id),
    )


def _incident_may_go(before_ms: int) -> ColumnElement[bool]:
    stays = select(incident_episodes.c.episode).join(episodes, episodes.c.id == incident_episodes.c.episode)
    stays = stays.where(incident_episodes.c.incident == incidents.c.id, ~_episode_may_go(before_ms))
    done_lately = exists().where(incident_history.c.incident == incidents.c.id, incident_history.c.wall_ms >= before_ms)
    unsent = exists().where(alerts.c.incident == incidents.c.id, alerts.c.state.in_(_UNSENT))
    return and_(incidents.c.state != "new", incidents.c.created_ms < before_ms, ~done_lately, ~unsent, ~stays.exists())


def _forget_words(connection: Connection, before_ms: int, limit: int) -> int:
    """Told losses, ended outages, and what a camera said of its picture; its newest word of each aspect stays."""
    newer = camera_states.alias()
    outdated = exists().where(
        newer.c.camera == camera_states.c.camera,
        newer.c.aspect == camera_states.c.aspect,
        newer.c.since_ms > camera_states.c.since_ms,
    )
    going = (
        (camera_states.c.message_id, camera_states.c.received_ms < before_ms, outdated),
        (losses.c.message_id, losses.c.received_ms < before_ms),
        (outages.c.id, outages.c.end_ms < before_ms),
    )
    gone = 0
    for name, *old in going:
        query = delete(name.table).where(name.in_(select(name).where(*old).limit(limit)))
        gone += connection.execute(query).rowcount
    return gone


def _forget_boots(connection: Connection, before_ms: int) -> None:
    """A boot that was not heard of for so long, once nothing that it told is left."""
    silent = (
        boots.c.received_ms < before_ms,
        ~exists().where(episodes.c.box == boots.c.box, episodes.c.boot_id == boots.c.boot_id),
        ~exists().where(clips.c.box == boots.c.box, clips.c.boot_id == boots.c.boot_id),
    )
    for box, boot_id in connection.execute(select(boots.c.box, boots.c.boot_id).where(*silent)).all():
        for table in (clock_anchors, boots):
            connection.execute(delete(table).where(table.c.box == box, table.c.boot_id == boot_id))
