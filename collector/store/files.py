"""Which row speaks of which file below the data folder: asked by name, and all at once."""

from dataclasses import dataclass
from pathlib import PurePath

from sqlalchemy import Connection, delete, select, update

from collector.store.schema import clips, snapshots, uploads


@dataclass(frozen=True)
class Promise:
    """A file that a row says is here. `what` is clip or snapshot."""

    what: str
    path: str
    size_bytes: int
    sha256: str


def promises(connection: Connection) -> list[Promise]:
    """Every file that has to be here."""
    found = []
    for what, table in (("clip", clips), ("snapshot", snapshots)):
        query = select(table.c.path, table.c.size_bytes, table.c.sha256).order_by(table.c.path)
        if table is clips:
            query = query.where(clips.c.state == "stored", clips.c.path.is_not(None))
        found += [Promise(what, row.path, row.size_bytes, row.sha256) for row in connection.execute(query)]
    return found


def is_promised(connection: Connection, promise: Promise) -> bool:
    """Is the row still there, and still of this file?"""
    table = clips if promise.what == "clip" else snapshots
    query = select(table.c.path).where(table.c.path == promise.path, table.c.sha256 == promise.sha256)
    if table is clips:
        query = query.where(clips.c.state == "stored")
    return connection.execute(query.limit(1)).first() is not None


def is_owned(connection: Connection, path: str) -> bool:
    """Does any row speak of this file: as a clip, a snapshot, or the bytes or the coming place of an upload?"""
    stem = PurePath(path).stem
    queries = (
        select(clips.c.id).where(clips.c.id == stem, clips.c.path == path, clips.c.state == "stored"),
        select(uploads.c.id).where(uploads.c.path == path),
        select(uploads.c.id).where(uploads.c.id == stem),
        select(snapshots.c.path).where(snapshots.c.episode == stem[:36], snapshots.c.path == path),
    )
    return any(connection.execute(query.limit(1)).first() is not None for query in queries)


def give_up(connection: Connection, promise: Promise) -> None:
    """The file is gone for good: a clip is lost (its bytes may still come), a snapshot is not spoken of any more."""
    if promise.what == "clip":
        here = clips.c.path == promise.path
        connection.execute(update(clips).where(here).values(state="lost", path=None, stored_ms=None))
    else:
        connection.execute(delete(snapshots).where(snapshots.c.path == promise.path))
