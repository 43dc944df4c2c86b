"""`collector restore`: an empty data folder becomes what a backup holds, each file compared with its row's SHA-256.

Steps: (1) a mark in the folder, with which no collector starts over it, (2) files, (3) the database under another name;
rows whose file the backup has not whole are given up there, so that no row speaks of what is not here, (4) its own
name, (5) the mark goes. After a crash the same command goes on. What boxes sent after the backup is not here, and they
have receipts for it: their next numbers and heartbeats show it as a hole.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from collector.backup import DATABASE, CannotCopy, copy_file, made_at, promises_of
from collector.locks import running_parts
from collector.store.copying import changing_copy, copy_database
from collector.store.files import Promise, give_up
from collector.store.integrity import note_restored
from vonggac.daemon.files import make_folder, rename_durably, sync_folder, sync_folders, write_durably

UNFINISHED = "restore.unfinished"
"""Stands in a data folder while a restore is not done; holds the backup's folder."""


@dataclass
class Restored:
    """What a restore did. `lost` are files that the backup does not have whole: their rows are given up."""

    made: str
    files: int = 0
    bytes: int = 0
    lost: list[str] = field(default_factory=list)


def refuse_half_restored(data: Path) -> None:
    """Raises CannotCopy while a restore into this folder is not finished."""
    with suppress(FileNotFoundError):
        backup = (data / UNFINISHED).read_text(encoding="utf-8")
        raise CannotCopy(f"{data}: a restore did not finish here. Do: collector restore {backup}")


def restore(backup: Path, database_file: Path, data: Path) -> Restored:
    """Fill `data` from the backup. Raises CannotCopy, StoreUnavailable, StoreUnusable, OSError (the disk is full)."""
    done = Restored(made_at(backup))
    _check_empty(backup, database_file, data)
    promised = promises_of(backup / DATABASE)
    make_folder(data)
    write_durably(data / UNFINISHED, str(backup.resolve()).encode(), mode=0o644)
    brought = {promise for promise in promised if _bring_file(promise, backup, data)}
    lost = [promise for promise in promised if promise not in brought]
    for folder in {(data / promise.path).parent for promise in brought}:
        sync_folders(folder, data)
    make_folder(database_file.parent)
    following = database_file.with_name(f"{database_file.name}.restored")
    copy_database(backup / DATABASE, following)
    with changing_copy(following) as connection:
        for promise in lost:
            give_up(connection, promise)
        note_restored(connection, done.made)
    rename_durably(following, database_file)
    (data / UNFINISHED).unlink()
    sync_folder(data)
    done.lost = [promise.path for promise in lost]
    done.files = len(brought)
    done.bytes = sum(promise.size_bytes for promise in brought)
    return done


def _check_empty(backup: Path, database_file: Path, data: Path) -> None:
    if not data.exists():
        here = []
    elif running_parts(data):
        raise CannotCopy(f"{data}: a collector runs here. Stop it first, and move the folder away")
    else:
        here = [path.name for path in data.iterdir() if path.name != "lost+found"]
    if UNFINISHED in here and (data / UNFINISHED).read_text(encoding="utf-8") == str(backup.resolve()):
        return
    if here:
        raise CannotCopy(f"{data}: is not empty. Move it away: a restore never overwrites")
    if database_file.exists():
        raise CannotCopy(f"{database_file}: exists. Move it away: a restore never overwrites")


def _bring_file(promise: Promise, backup: Path, data: Path) -> bool:
    """False when the backup does not have this file as it was."""
    source, target = backup / promise.path, data / promise.path
    try:
        if target.exists() and _sha256(target) == promise.sha256:
            return True  # an earlier try brought it
        make_folder(target.parent)
        if source.stat().st_size == promise.size_bytes and copy_file(source, target) == promise.sha256:
            return True
    except FileNotFoundError:
        return False
    target.unlink(missing_ok=True)
    return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
