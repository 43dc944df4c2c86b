"""Heartbeats of the past, one for each step of a timeline."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from collector.store.schema import heartbeat_history


@dataclass(frozen=True)
class PastBeat:
    """A heartbeat's body as it travelled."""

    received_ms: int
    body: dict[str, Any]


def past_beats(connection: Connection, box: str, since_ms: int, until_ms: int, step_ms: int) -> list[PastBeat]:
    """The last heartbeat of each step within the window, earliest first."""
    history = heartbeat_history.c
    window = (history.box == box, history.received_ms >= since_ms, history.received_ms < until_ms)
    step = (history.received_ms - since_ms) // step_ms
    last = select(func.max(history.id)).where(*window).group_by(step)
    query = select(history.received_ms, history.body).where(history.id.in_(last)).order_by(history.received_ms)
    return [PastBeat(*row) for row in connection.execute(query)]
