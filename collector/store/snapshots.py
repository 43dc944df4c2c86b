"""Snapshots: the pictures that go with episodes, each known by the SHA-256 of its bytes."""

from sqlalchemy import Connection, delete, select

from collector.store.clips import held_episodes
from collector.store.database import insert_ignoring
from collector.store.schema import snapshots


def record_snapshot(
    connection: Connection, box: str, episode: str, sha256: str, path: str, size_bytes: int, received_ms: int
) -> bool:
    """The file stands at `path`, whole and synced; False when it was known."""
    return insert_ignoring(
        connection,
        snapshots,
        sha256=sha256,
        box=box,
        episode=episode,
        path=path,
        size_bytes=size_bytes,
        received_ms=received_ms,
    )


def oldest_snapshots(connection: Connection, before_ms: int, limit: int) -> list[str]:
    """Paths of pictures that came before, oldest first; none of an episode whose clip is under legal hold."""
    query = (
        select(snapshots.c.path)
        .where(snapshots.c.received_ms < before_ms, snapshots.c.episode.not_in(held_episodes()))
        .order_by(snapshots.c.received_ms, snapshots.c.path)
        .limit(limit)
    )
    return list(connection.scalars(query))


def forget_snapshot(connection: Connection, path: str) -> None:
    """Its file goes; the row goes first."""
    connection.execute(delete(snapshots).where(snapshots.c.path == path))
