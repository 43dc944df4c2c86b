"""An incident's steps after it was opened, each with a line in its history; a step holds only from the state it was
decided on, so of two people who press at once one is told that it was too late."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from collector.store.live import note_change
from collector.store.schema import episodes, incident_episodes, incident_history, incidents


@dataclass(frozen=True, kw_only=True)
class Step:
    """From one state to the next: `owner`, `outcome`, `acknowledged_ms` and `closed_ms` as they are afterwards."""

    before: str
    after: str
    who: str
    action: str
    note: str | None
    owner: str | None
    outcome: str | None
    acknowledged_ms: int | None
    closed_ms: int | None


def take_step(connection: Connection, incident: str, step: Step, now_ms: int) -> bool:
    """Write it; False when the incident was no longer as the step found it."""
    changed = connection.execute(
        update(incidents)
        .where(incidents.c.id == incident, incidents.c.state == step.before)
        .values(
            state=step.after,
            owner=step.owner,
            outcome=step.outcome,
            acknowledged_ms=step.acknowledged_ms,
            closed_ms=step.closed_ms,
        )
    )
    if changed.rowcount != 1:
        return False
    members = select(incident_episodes.c.episode).where(incident_episodes.c.incident == incident)
    connection.execute(update(episodes).where(episodes.c.id.in_(members)).values(outcome=step.outcome))
    line = {"incident": incident, "wall_ms": now_ms, "who": step.who, "action": step.action, "note": step.note}
    connection.execute(insert(incident_history).values(**line))
    note_change(connection, "incident", incident, now_ms)
    return True
