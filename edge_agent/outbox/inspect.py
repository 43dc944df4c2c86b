"""Looking into an outbox from beside the agent: read-only, no lock."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edge_agent.outbox.database import DATABASE
from edge_agent.outbox.items import ParkedItem
from edge_agent.outbox.store import parked_in, stats_of
from vonggac.wire.messages import OutboxHealth

T = TypeVar("T")


def read_stats(folder: Path) -> OutboxHealth:
    """What waits in the outbox of a data folder. ValueError where there is none, or none that can be read."""
    return _look(folder, stats_of)


def read_parked(folder: Path) -> list[ParkedItem]:
    """What the server refused; errors as in `read_stats`."""
    return _look(folder, parked_in)


def _look(folder: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    path = folder / DATABASE
    if not path.is_file():
        raise ValueError(f"{path}: there is no outbox yet. The agent makes it when it starts")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return read(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise ValueError(f"{path}: cannot be read: {error}. Do: edge-agent fsck") from None
