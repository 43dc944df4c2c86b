"""Does ingest hear its boxes at this moment? Told by ingest, for parts that may be other processes."""

from sqlalchemy import Connection, select

from collector.store.database import Database, upsert
from collector.store.errors import StoreUnavailable
from collector.store.schema import meta

TELL_EVERY_MS = 5_000.0
STALE_MS = 20_000
_KEY = "ingest_listens_ms"


def tell_listening(connection: Connection, now_ms: int) -> None:
    """Ingest is connected to its broker now."""
    upsert(connection, meta, key=_KEY, value=str(now_ms))


def ingest_listens(database: Database, now_ms: int) -> bool:
    """True when ingest said so within the last seconds. A database that cannot be asked hears nothing either."""
    try:
        with database.read() as connection:
            told = connection.scalar(select(meta.c.value).where(meta.c.key == _KEY))
    except StoreUnavailable:
        return False
    return told is not None and abs(now_ms - int(told)) < STALE_MS
