"""A process that delivers a channel's alerts to a file, one line each, until none is left; killed by its crash point.

    python -m tests.support.deliverer DATABASE_URL FILE

As a messenger would, the file takes what was sent whatever becomes of the process.
"""

import os
import sys
from zoneinfo import ZoneInfo

from collector.alerts.delivery import Delivery
from collector.alerts.texts import AlertText, Language
from collector.store.alerts import undelivered
from collector.store.database import open_database
from vonggac.daemon.clock import SystemClock


class Ledger:
    """The other side."""

    name = "phone"
    language: Language = "vi"
    may_carry_pictures = False

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def send(self, alert: str, text: AlertText, picture: bytes | None) -> None:
        os.write(self._file, f"{alert} {text.title}\n".encode())


def main() -> None:
    url, path = sys.argv[1:]
    database, clock = open_database(url), SystemClock()
    delivery = Delivery(database, Ledger(path), lambda _episode: None, ZoneInfo("UTC"), None)
    delivery.resume(clock.wall_ms())
    while True:
        while delivery.step(clock.wall_ms):
            pass
        with database.read() as connection:
            if not undelivered(connection):
                break
    database.close()


if __name__ == "__main__":
    main()
