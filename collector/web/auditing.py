"""What the web writes into the audit log: who asked, from where, and the thing that was done or looked at.

A line is committed before the answer goes out: what cannot be noted is not shown. Looking at one thing again within
`ONE_VIEW_MS` (a player fetches a clip in pieces, a feed its pictures again) is the same view and one line.
"""

from typing import Any

from collector.store import audit
from collector.store.audit import Act, Action
from collector.store.database import Connection
from collector.web.desk import Asked, Desk

ONE_VIEW_MS = 300_000


def act_of(asked: Asked, action: Action, **about: Any) -> Act:
    """The act of whoever asks; `about` are fields of Act."""
    identity = asked.identity
    return Act(
        action=action,
        who=about.pop("who", None) or (identity.name if identity is not None else ""),
        by=identity.by if identity is not None else "nobody",
        role=identity.role if identity is not None else None,
        address=address_of(asked),
        **about,
    )


def address_of(asked: Asked) -> str:
    """Where the request came from."""
    return asked.request.client.host if asked.request.client is not None else "unknown"


def note(connection: Connection, asked: Asked, action: Action, **about: Any) -> None:
    """A line in the transaction of what it tells of."""
    audit.append(connection, act_of(asked, action, **about), asked.now_ms)


def note_view(desk: Desk, asked: Asked, action: Action, **about: Any) -> None:
    """A line of its own for what changes nothing, unless the same was noted just now. Raises StoreUnavailable."""
    act, since_ms = act_of(asked, action, **about), asked.now_ms - ONE_VIEW_MS
    with desk.database.read() as connection:
        if audit.was_noted(connection, act, since_ms):
            return
    with desk.database.write() as connection:
        if not audit.was_noted(connection, act, since_ms):
            audit.append(connection, act, asked.now_ms)
