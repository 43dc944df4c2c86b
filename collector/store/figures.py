"""Counts of what the collector holds, for /metrics."""

from dataclasses import dataclass

from sqlalchemy import Connection, Float, cast, func, select

from collector.store.schema import alerts, clips, counters, incidents


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Counts by state; of clips also their bytes."""

    incidents: dict[str, int]
    alerts: dict[str, int]
    clips: dict[str, tuple[int, int]]
    counters: dict[str, int]


def read_figures(connection: Connection) -> Figures:
    """All of them."""
    of_incidents = connection.execute(select(incidents.c.state, func.count()).group_by(incidents.c.state))
    of_alerts = connection.execute(select(alerts.c.state, func.count()).group_by(alerts.c.state))
    # As a float: what boxes announce may add up to more than 64 bits hold.
    of_clips = connection.execute(
        select(clips.c.state, func.count(), func.sum(cast(clips.c.size_bytes, Float))).group_by(clips.c.state)
    )
    return Figures(
        incidents=dict(of_incidents.all()),
        alerts=dict(of_alerts.all()),
        clips={state: (count, int(size or 0)) for state, count, size in of_clips},
        counters=dict(connection.execute(select(counters.c.name, counters.c.value)).all()),
    )
