"""The tail of `changes`: what has been committed since a reader last looked. It works across processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from collector.store.schema import changes

# Connection: for those who hold one and speak no SQL.
__all__ = [
    "Change", "Connection", "changes_after", "newest_change", "note_change", "note_changes", "oldest_change",
    "prune_changes",
]  # fmt: skip


@dataclass(frozen=True)
class Change:
    """Something was committed: a thing of this `kind` and name is new or different."""

    id: int
    kind: str
    ref: str


def newest_change(connection: Connection) -> int:
    """The id of the newest change, 0 when there was none yet."""
    return connection.execute(select(func.max(changes.c.id))).scalar_one() or 0


def oldest_change(connection: Connection) -> int:
    """The id of the oldest change that is still kept, 0 when there is none."""
    return connection.execute(select(func.min(changes.c.id))).scalar_one() or 0


def changes_after(connection: Connection, last: int, limit: int = 200) -> list[Change]:
    """Changes newer than `last`, oldest first."""
    query = (
        select(changes.c.id, changes.c.kind, changes.c.ref)
        .where(changes.c.id > last)
        .order_by(changes.c.id)
        .limit(limit)
    )
    return [Change(*row) for row in connection.execute(query)]


def note_change(connection: Connection, kind: str, ref: str, now_ms: int) -> None:
    """Tell those who watch, once the transaction is committed."""
    note_changes(connection, [(kind, ref, now_ms)])


def note_changes(connection: Connection, noted: Sequence[tuple[str, str, int]]) -> None:
    """The same of several: (kind, name, time)."""
    if noted:
        rows = [{"kind": kind, "ref": ref, "wall_ms": now_ms} for kind, ref, now_ms in noted]
        connection.execute(insert(changes), rows)


def prune_changes(connection: Connection, before_ms: int, limit: int = 5000) -> int:
    """Forget changes older than `before_ms`, the oldest `limit` at most; returns how many went."""
    old = select(changes.c.id).where(changes.c.wall_ms < before_ms).order_by(changes.c.id).limit(limit)
    return connection.execute(delete(changes).where(changes.c.id.in_(old))).rowcount
