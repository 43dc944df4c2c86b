"""Files that no row speaks of, as a crash between two steps leaves them: found, and removed.

Rules: whoever removes a named file removes it here. It goes within a write transaction in which no row spoke of it, and
a row that takes a file over looks for the file within its own transaction: so no file is removed, by whatever thread or
process, that a row is about to name. A clip that is on its way is spoken of by its row in `uploads`.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from collector.ingest import places
from collector.store.database import Database
from collector.store.files import is_owned
from vonggac.daemon.files import sync_folder
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

_AT_ONCE = 20
"""Files in one transaction: other writers wait that long."""


def remove_unowned(database: Database, data: Path, names: Sequence[str]) -> list[str]:
    """Remove those files (named below the data folder) that no row speaks of; returns which went.

    Folders that are empty then go too. A file that cannot be removed stays, and is told. Raises StoreUnavailable.
    """
    gone: list[str] = []
    for start in range(0, len(names), _AT_ONCE):
        with database.write() as connection:
            gone += [
                name
                for name in names[start : start + _AT_ONCE]
                if not is_owned(connection, name) and _unlink(data / name)
            ]
    _tidy(data, gone)
    return gone


def remove_files(data: Path, names: Sequence[str]) -> list[str]:
    """Remove files below a folder that no collector runs over, and folders that are empty then; returns which went."""
    gone = [name for name in names if _unlink(data / name)]
    _tidy(data, gone)
    return gone


def find_unowned(data: Path, known: set[str], before_ms: float) -> Iterator[str]:
    """Names of the files below the data folder, last written before then, that are not among the known."""
    for top in (places.CLIPS, places.SNAPSHOTS, places.UPLOADS):
        for folder, _folders, files in os.walk(data / top):
            for file in sorted(files):
                path = Path(folder, file)
                name = str(path.relative_to(data))
                if name not in known and _written_ms(path) < before_ms:
                    yield name


def _written_ms(path: Path) -> float:
    try:
        return path.lstat().st_mtime_ns / 1_000_000
    except FileNotFoundError:  # renamed or removed meanwhile
        return float("inf")


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        log.error("file not removed", file=str(path), reason=error.strerror)
        return False
    return True


def _tidy(data: Path, gone: Sequence[str]) -> None:
    """Remove folders that are empty now, and make it durable; whoever fills one meanwhile wins."""
    for folder in {(data / name).parent for name in gone}:
        for here in (folder, *folder.parents):
            if data in (here, here.parent):
                break
            try:
                here.rmdir()
            except OSError:
                break
        with contextlib.suppress(FileNotFoundError):
            sync_folder(here)
