"""Who is told of outages, and the telling: one alert for each channel, enqueued once."""

import os
from dataclasses import dataclass, replace
from datetime import tzinfo

from collector.alerts.channels.protocol import Channel
from collector.alerts.texts import AlertFacts, write
from collector.store import alerts as store
from collector.store import fleet
from collector.store.database import Connection
from vonggac.wire.ids import uuid7


@dataclass(frozen=True)
class Telling:
    """The channels, and how long an outage must have lasted (a box that is DOWN has been silent long enough)."""

    channels: tuple[Channel, ...]
    zone: tzinfo
    public_url: str | None = None
    box_after_s: float = 0.0
    camera_after_s: float = 60.0


def begin_told(
    connection: Connection, telling: Telling, thing: tuple[str, str], state: str, facts: AlertFacts, now_ms: int
) -> int:
    """Begin an outage of `thing` (kind, ref) that is told at once; returns how many alerts are new."""
    kind, ref = thing
    begun = fleet.Outage(
        id=uuid7(now_ms, os.urandom(10)),
        kind=kind,
        ref=ref,
        state=state,
        reason=facts.reason,
        start_ms=now_ms,
        end_ms=None,
        told_ms=now_ms,
    )
    fleet.begin_outage(connection, begun, now_ms)
    return tell(connection, telling, begun.id, facts, now_ms)


def tell(connection: Connection, telling: Telling, outage: str, facts: AlertFacts, now_ms: int) -> int:
    """Enqueue what is to be said of an outage; the same is enqueued once. Returns how many alerts are new."""
    url = telling.public_url
    linked = replace(facts, link=None if url is None else f"{url.rstrip('/')}/boxes")
    told = 0
    for channel in telling.channels:
        text = write(linked, channel.language, telling.zone)
        told += store.enqueue(
            connection,
            store.NewAlert(
                id=uuid7(now_ms, os.urandom(10)),
                key=f"outage:{outage}:{channel.name}:{facts.subject}",
                kind="fleet",
                channel=channel.name,
                severity="normal",
                rings=facts.rings,
                created_ms=now_ms,
                title=text.title,
                body=text.body,
            ),
        )
    return told
