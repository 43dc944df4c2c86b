"""The key by which links to lent pictures are made and known again; made once, shared by all parts."""

import secrets

from sqlalchemy import Connection, select

from collector.store.database import insert_ignoring
from collector.store.schema import meta

_KEY = "lending_key"


def lending_key(connection: Connection) -> bytes | None:
    """The key; None where no picture was ever to be lent, so that no link can be good."""
    told: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == _KEY))
    return None if told is None else bytes.fromhex(told)


def make_lending_key(connection: Connection) -> None:
    """Make it unless it is there."""
    insert_ignoring(connection, meta, key=_KEY, value=secrets.token_hex(32))
