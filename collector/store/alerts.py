"""The delivery queue: enqueued once by key, claimed by an UPDATE that hits exactly one row, then sent, then marked.

An alert is `due` → `claimed` → `sent` or `failed`; a claim that is older than the worker's patience is anybody's again.
A row is never taken out here. Times that a stepped clock left in the far future do not hold an alert back.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from collector.store.database import insert_ignoring
from collector.store.incidents import tell
from collector.store.schema import alerts, boxes, cameras, episodes, incident_episodes, incidents

FAR_MS = 3_600_000
"""No retry waits longer: a `next_ms` farther away than this was written under another clock."""


@dataclass(frozen=True, kw_only=True)
class NewAlert:
    """An alert to enqueue. `key` says what it is about and to whom: the same key is enqueued once.

    One about an incident leaves `title` and `body` out: its text is written when it is sent, of what is known then.
    """

    id: str
    key: str
    kind: str
    channel: str
    severity: str
    rings: bool
    created_ms: int
    late_ms: int = 0
    incident: str | None = None
    episode: str | None = None
    camera: str | None = None
    title: str | None = None
    body: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClaimedAlert:
    """An alert that this worker alone may send now. `attempts` counts this one."""

    id: str
    kind: str
    channel: str
    severity: str
    rings: bool
    created_ms: int
    late_ms: int
    attempts: int
    incident: str | None
    episode: str | None
    camera: str | None
    title: str | None
    body: str | None


@dataclass(frozen=True, kw_only=True)
class AlertSubject:
    """What an alert's episode was, for its text. `camera` is the name on its box."""

    box: str
    camera: str
    site: str
    start_ms: int
    received_ms: int
    zones: tuple[str, ...]
    kind: str
    clock: str
    dated: str | None
    snapshot_sha256: str | None
    incident_ms: int | None = None  # when its incident was written


@dataclass(frozen=True, kw_only=True)
class PastAlert:
    """What a channel was told of a camera."""

    severity: str
    rings: bool
    created_ms: int


def enqueue(connection: Connection, alert: NewAlert) -> bool:
    """Put an alert into the queue; False when one with this key was there."""
    fields = {name: getattr(alert, name) for name in NewAlert.__dataclass_fields__}
    if not insert_ignoring(connection, alerts, **fields, state="due", attempts=0, next_ms=alert.created_ms):
        return False
    tell(connection, "alert", alert.id, alert.created_ms)
    return True


def past_alerts(connection: Connection, camera: str, channel: str, since_ms: int) -> list[PastAlert]:
    """What the channel was told of the camera since then, newest first."""
    query = (
        select(alerts.c.severity, alerts.c.rings, alerts.c.created_ms)
        .where(alerts.c.camera == camera, alerts.c.channel == channel, alerts.c.created_ms >= since_ms)
        .order_by(alerts.c.created_ms.desc())
    )
    return [PastAlert(**row) for row in connection.execute(query).mappings()]


def alert_is_due(connection: Connection, channel: str, now_ms: int, stale_after_ms: int) -> bool:
    """True when the channel has something to send: a read."""
    query = select(alerts.c.id).where(alerts.c.channel == channel, _takeable(now_ms, stale_after_ms)).limit(1)
    return connection.execute(query).first() is not None


def claim_alert(
    connection: Connection, channel: str, worker: str, now_ms: int, stale_after_ms: int
) -> ClaimedAlert | None:
    """Take the channel's next alert: what rings before what does not, then the oldest."""
    query = (
        select(alerts.c.id)
        .where(alerts.c.channel == channel, _takeable(now_ms, stale_after_ms))
        .order_by(alerts.c.rings.desc(), alerts.c.created_ms, alerts.c.id)
        .limit(8)
    )
    columns = [alerts.c[name] for name in ClaimedAlert.__dataclass_fields__]
    for alert in connection.execute(query).scalars().all():
        row = connection.execute(
            update(alerts)
            .where(alerts.c.id == alert, _takeable(now_ms, stale_after_ms))
            .values(state="claimed", claimed_by=worker, claimed_ms=now_ms, attempts=alerts.c.attempts + 1)
            .returning(*columns)
        ).one_or_none()
        if row is not None:
            return ClaimedAlert(**row._mapping)
    return None


def release_claims(connection: Connection, channel: str, now_ms: int) -> int:
    """At the start of the one worker of a channel: whatever was claimed before the crash is due again."""
    released = connection.execute(
        update(alerts)
        .where(alerts.c.channel == channel, alerts.c.state == "claimed")
        .values(state="due", next_ms=now_ms, claimed_by=None, claimed_ms=None)
    )
    return released.rowcount


def mark_sent(connection: Connection, alert: str, worker: str, now_ms: int) -> bool:
    """The channel took it. False when the claim had gone to another worker meanwhile (who sends it again)."""
    return _mark(connection, alert, worker, now_ms, state="sent", sent_ms=now_ms, error=None)


def mark_again(connection: Connection, alert: str, worker: str, now_ms: int, next_ms: int, error: str | None) -> bool:
    """It did not go this time: due again at `next_ms`. Without an error it only waited, and no attempt is counted."""
    attempts = alerts.c.attempts if error is not None else alerts.c.attempts - 1
    return _mark(connection, alert, worker, now_ms, state="due", next_ms=next_ms, error=error, attempts=attempts)


def mark_failed(connection: Connection, alert: str, worker: str, now_ms: int, error: str) -> bool:
    """It will never go; it stays in the table for a person to see."""
    return _mark(connection, alert, worker, now_ms, state="failed", error=error)


def subject_of(connection: Connection, episode: str) -> AlertSubject | None:
    """What the text of an alert about this episode needs."""
    query = (
        select(
            episodes.c.box,
            cameras.c.name.label("camera"),
            boxes.c.site,
            episodes.c.start_ms,
            episodes.c.first_received_ms.label("received_ms"),
            episodes.c.zones,
            episodes.c.kind,
            episodes.c.clock,
            episodes.c.dated,
            episodes.c.snapshot_sha256,
            incidents.c.created_ms.label("incident_ms"),
        )
        .join(cameras, cameras.c.id == episodes.c.camera)
        .join(boxes, boxes.c.id == episodes.c.box)
        .outerjoin(incident_episodes, incident_episodes.c.episode == episodes.c.id)
        .outerjoin(incidents, incidents.c.id == incident_episodes.c.incident)
        .where(episodes.c.id == episode)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else AlertSubject(**{**row, "zones": tuple(row["zones"])})


def undelivered(connection: Connection) -> list[str]:
    """Alerts that were neither sent nor given up."""
    return list(connection.execute(select(alerts.c.id).where(alerts.c.state.in_(("due", "claimed")))).scalars())


def _takeable(now_ms: int, stale_after_ms: int) -> ColumnElement[bool]:
    return or_(
        and_(alerts.c.state == "due", or_(alerts.c.next_ms <= now_ms, alerts.c.next_ms > now_ms + FAR_MS)),
        and_(
            alerts.c.state == "claimed",
            or_(alerts.c.claimed_ms <= now_ms - stale_after_ms, alerts.c.claimed_ms > now_ms + FAR_MS),
        ),
    )


def _mark(connection: Connection, alert: str, worker: str, now_ms: int, **values: object) -> bool:
    marked = connection.execute(
        update(alerts)
        .where(alerts.c.id == alert, alerts.c.state == "claimed", alerts.c.claimed_by == worker)
        .values(claimed_by=None, claimed_ms=None, **values)
    )
    if marked.rowcount != 1:
        return False
    if values["state"] != "due":
        tell(connection, "alert", alert, now_ms)
    return True
