"""What the alert rules read and write: episodes that they have to look at, incidents and their members.

An episode is claimed by an UPDATE that hits exactly one row, in the transaction that writes what came of it: a crash
undoes both, and the episode is claimed again.
"""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, func, insert, select, update

from collector.store.database import insert_ignoring
from collector.store.schema import alerts, changes, episodes, incident_episodes, incident_history, incidents


@dataclass(frozen=True, kw_only=True)
class ClaimedEpisode:
    """An episode as far as it is known. `camera` is the id, `<box>/<name>`."""

    id: str
    box: str
    camera: str
    start_ms: int
    last_ms: int
    first_received_ms: int
    zones: tuple[str, ...]
    kind: str
    score: float
    clock: str
    dated: str | None
    rectangle: tuple[float, float, float, float]

    @property
    def size(self) -> float:
        """The share of the picture that the motion has covered so far."""
        left, top, right, bottom = self.rectangle
        return max(0.0, right - left) * max(0.0, bottom - top)


@dataclass(frozen=True, kw_only=True)
class IncidentSpan:
    """An incident of a camera, from its first motion to its last."""

    id: str
    start_ms: int
    last_ms: int
    state: str
    severity: str
    rule: str


@dataclass(frozen=True, kw_only=True)
class AlertOfIncident:
    """What a channel was told of an incident."""

    channel: str
    severity: str
    rings: bool


def episodes_are_due(connection: Connection) -> bool:
    """True when the rules have something to look at: a read, so that polling never takes the writer's place."""
    return connection.execute(select(episodes.c.id).where(episodes.c.rules_ms.is_(None)).limit(1)).first() is not None


def claim_episodes(connection: Connection, now_ms: int, limit: int) -> list[ClaimedEpisode]:
    """Take what the rules have to look at: the newest first, so that news overtakes a backlog; in order of start."""
    due = (
        select(episodes.c.id)
        .where(episodes.c.rules_ms.is_(None))
        .order_by(episodes.c.last_ms.desc(), episodes.c.id)
        .limit(limit)
    )
    columns = [episodes.c[name] for name in ClaimedEpisode.__dataclass_fields__]
    claimed = []
    for (episode,) in connection.execute(due).all():
        row = connection.execute(
            update(episodes)
            .where(episodes.c.id == episode, episodes.c.rules_ms.is_(None))
            .values(rules_ms=now_ms)
            .returning(*columns)
        ).one_or_none()
        if row is not None:
            values = dict(row._mapping)
            claimed.append(
                ClaimedEpisode(**{**values, "zones": tuple(values["zones"]), "rectangle": tuple(values["rectangle"])})
            )
    return sorted(claimed, key=lambda episode: (episode.start_ms, episode.id))


def lock_camera(connection: Connection, camera: str) -> None:
    """Keep other writers from this camera's incidents until the transaction ends (SQLite has one writer anyway)."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(camera, sa.literal(0)))))


def incidents_near(connection: Connection, camera: str, since_ms: int, until_ms: int) -> list[IncidentSpan]:
    """The camera's incidents, closed ones too, of which some part lies in the span."""
    columns = [incidents.c[name] for name in IncidentSpan.__dataclass_fields__]
    query = select(*columns).where(
        incidents.c.camera == camera, incidents.c.last_ms >= since_ms, incidents.c.start_ms <= until_ms
    )
    return [IncidentSpan(**row) for row in connection.execute(query).mappings()]


def incident_of(connection: Connection, episode: str) -> IncidentSpan | None:
    """The incident that the episode is in, None while it is in none."""
    columns = [incidents.c[name] for name in IncidentSpan.__dataclass_fields__]
    query = (
        select(*columns)
        .join(incident_episodes, incident_episodes.c.incident == incidents.c.id)
        .where(incident_episodes.c.episode == episode)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else IncidentSpan(**row)


def alerts_of_incident(connection: Connection, incident: str) -> list[AlertOfIncident]:
    """Every alert of the incident, whatever became of it."""
    query = select(alerts.c.channel, alerts.c.severity, alerts.c.rings).where(alerts.c.incident == incident)
    return [AlertOfIncident(**row) for row in connection.execute(query).mappings()]


def open_incident(connection: Connection, span: IncidentSpan, camera: str, late_ms: int, now_ms: int) -> None:
    """Write a new incident and the first line of its history."""
    connection.execute(
        insert(incidents).values(
            id=span.id,
            rule=span.rule,
            camera=camera,
            severity=span.severity,
            start_ms=span.start_ms,
            last_ms=span.last_ms,
            created_ms=now_ms,
            state=span.state,
            late_ms=late_ms,
        )
    )
    connection.execute(insert(incident_history).values(incident=span.id, wall_ms=now_ms, action="open", note=span.rule))
    tell(connection, "incident", span.id, now_ms)


def grow_incident(connection: Connection, span: IncidentSpan, now_ms: int) -> None:
    """Write the incident's new span, severity and rule; its state is people's and is left alone."""
    connection.execute(
        update(incidents)
        .where(incidents.c.id == span.id)
        .values(start_ms=span.start_ms, last_ms=span.last_ms, severity=span.severity, rule=span.rule)
    )
    tell(connection, "incident", span.id, now_ms)


def add_member(connection: Connection, incident: str, episode: str, now_ms: int) -> None:
    """Put an episode into an incident, and what was decided of it with it; once."""
    insert_ignoring(connection, incident_episodes, incident=incident, episode=episode, added_ms=now_ms)
    decided = select(incidents.c.outcome).where(incidents.c.id == incident)
    connection.execute(update(episodes).where(episodes.c.id == episode).values(outcome=decided.scalar_subquery()))


@dataclass(frozen=True, kw_only=True)
class Unattended:
    """A new incident that came in time; `episode` is its first, `told` the keys of its alerts."""

    id: str
    rule: str
    camera: str
    severity: str
    created_ms: int
    episode: str | None
    told: frozenset[str]


def unattended(connection: Connection, rules: Collection[str], since_ms: int) -> list[Unattended]:
    """New incidents of these rules that were written since then, those that came late left out."""
    first = (
        select(incident_episodes.c.episode)
        .join(episodes, episodes.c.id == incident_episodes.c.episode)
        .where(incident_episodes.c.incident == incidents.c.id)
        .order_by(episodes.c.start_ms, episodes.c.id)
        .limit(1)
        .correlate(incidents)
        .scalar_subquery()
    )
    columns = [incidents.c[name] for name in ("id", "rule", "camera", "severity", "created_ms")]
    query = select(*columns, first.label("episode")).where(
        incidents.c.state == "new",
        incidents.c.rule.in_(list(rules)),
        incidents.c.created_ms > since_ms,
        incidents.c.late_ms == 0,
    )
    rows = connection.execute(query).mappings().all()
    keys: dict[str, set[str]] = {}
    told = select(alerts.c.incident, alerts.c.key).where(alerts.c.incident.in_([row["id"] for row in rows]))
    for incident, key in connection.execute(told):
        keys.setdefault(incident, set()).add(key)
    return [Unattended(**row, told=frozenset(keys.get(row["id"], ()))) for row in rows]


def is_new(connection: Connection, incident: str) -> bool:
    """True while nobody has taken it."""
    return connection.scalar(select(incidents.c.state).where(incidents.c.id == incident)) == "new"


def note_step(connection: Connection, incident: str, action: str, note: str, now_ms: int) -> None:
    """A line of the incident's history that the collector itself writes."""
    connection.execute(insert(incident_history).values(incident=incident, wall_ms=now_ms, action=action, note=note))
    tell(connection, "incident", incident, now_ms)


def tell(connection: Connection, kind: str, ref: str, now_ms: int) -> None:
    """Let the live feed know that something is new or different."""
    connection.execute(insert(changes).values(kind=kind, ref=ref, wall_ms=now_ms))
