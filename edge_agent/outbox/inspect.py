"""Looking into an outbox from beside the agent: read-only, no lock."""

import sqlite3
from pathlib import Path

from edge_agent.outbox.database import DATABASE
from edge_agent.outbox.store import stats_of
from vonggac.wire.messages import OutboxHealth


def read_stats(folder: Path) -> OutboxHealth:
    """What waits in the outbox of a data folder. ValueError where there is none, or none that can be read."""
    path = folder / DATABASE
    if not path.is_file():
        raise ValueError(f"{path}: there is no outbox yet. The agent makes it when it starts")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return stats_of(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise ValueError(f"{path}: cannot be read: {error}. Do: edge-agent fsck") from None
