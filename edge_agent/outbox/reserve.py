"""Disk space kept back so that events still enter the outbox when something else has filled the disk."""

import os
from pathlib import Path

from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

RESERVE_BYTES = 8 * 1024 * 1024
"""SQLite's log grows to 4 MiB before it is reused; the rest holds some ten thousand events."""


class Reserve:
    """A file of allocated, unused space. `use` gives it to whoever writes next; `restore` takes it back."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "outbox.reserve"

    def use(self) -> int:
        """Free the space; returns the bytes freed, 0 when it was used before."""
        try:
            size = self._path.stat().st_size
            self._path.unlink()
        except FileNotFoundError:
            return 0
        return size

    def missing_bytes(self) -> int:
        """How much room `restore` would need now."""
        return 0 if self._path.exists() else RESERVE_BYTES

    def restore(self) -> bool:
        """Allocate the space again; False when the disk has no room for it."""
        if self._path.exists():
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError as error:
            self._path.unlink(missing_ok=True)
            log.warning("no room for the outbox's reserve", reason=error.strerror)
            return False
        finally:
            os.close(descriptor)
        return True
