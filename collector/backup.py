"""`collector backup`: a copy of database, clips and snapshots in one folder, made while the collector runs.

Steps: (1) the database is copied as of one moment, (2) every file that it speaks of is brought, by hard link where the
file system is the same, else by copying; what retention deleted meanwhile is found by copying the database again,
(3) the new database takes the old one's place, (4) the manifest, (5) files of which only the old one spoke go. So at
every moment, also after a crash, each row of the database in the folder has its file there. A second run brings only
what is new. Unfinished uploads and the broker's own store are left out: boxes still have what is in them.
"""

import fcntl
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from collector.ingest import places
from collector.ingest.leftovers import find_unowned, remove_files
from collector.store.copying import copy_database, reading_copy
from collector.store.database import Database
from collector.store.files import Promise, is_promised, promises
from vonggac.daemon.clock import Clock
from vonggac.daemon.files import make_folder, rename_durably, sync_folders, write_durably

DATABASE = "collector.sqlite"
MANIFEST = "vonggac-backup.json"
_LOCK = ".lock"
_NEXT = "next.sqlite"
_ROUNDS = 5
How = Literal["kept", "linked", "copied", "broken"]
_PIECE_BYTES = 1 << 20


class CannotCopy(Exception):
    """A backup or restore that cannot be done so: the text says why, and what to do."""


@dataclass
class Copied:
    """What a run did. `broken` names files that are not what their row says, or not there."""

    files: int = 0
    bytes: int = 0
    linked: int = 0
    copied: int = 0
    kept: int = 0
    removed: int = 0
    broken: list[str] = field(default_factory=list)


def back_up(database: Database, database_file: Path, data: Path, target: Path, clock: Clock) -> Copied:
    """Bring the backup in `target` up to now, or make it.

    Raises CannotCopy, StoreUnavailable, StoreUnusable or OSError (the disk is full): the backup that was there is whole
    then as before.
    """
    _check_target(data, target)
    if not target.exists():
        make_folder(target)
        target.chmod(0o700)
    with _alone(target):
        if not (target / MANIFEST).exists():
            write_durably(target / MANIFEST, b"{}")
        made = datetime.fromtimestamp(clock.wall_ms() / 1000, UTC).isoformat(timespec="seconds")
        done = _Run(database, database_file, data, target).bring()
        write_durably(
            target / MANIFEST, json.dumps({"made": made, **vars(done)}, ensure_ascii=False, indent=1).encode()
        )
    return done


def made_at(folder: Path) -> str:
    """When the backup in this folder was made. Raises CannotCopy when there is none."""
    try:
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["made"])
    except (OSError, ValueError, KeyError, TypeError):
        raise CannotCopy(f"{folder}: there is no finished backup here") from None


def promises_of(database: Path) -> list[Promise]:
    """What a copied database speaks of. Raises StoreUnusable; CannotCopy for a place outside clips and snapshots."""
    with reading_copy(database) as connection:
        found = promises(connection)
    for promise in found:
        parts = PurePosixPath(promise.path).parts
        if parts[0] not in (places.CLIPS, places.SNAPSHOTS) or ".." in parts:
            raise CannotCopy(f"{database}: speaks of a file at {promise.path!r}, where none can be")
    return found


def copy_file(source: Path, target: Path) -> str:
    """Copy bytes, synced, under their name only when whole; returns their SHA-256. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=target.parent)
    part, found = Path(name), hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as into, source.open("rb") as out_of:
            while piece := out_of.read(_PIECE_BYTES):
                found.update(piece)
                into.write(piece)
            into.flush()
            os.fchmod(into.fileno(), 0o640)
            os.fsync(into.fileno())
        os.utime(part, ns=(source.stat().st_mtime_ns,) * 2)
        rename_durably(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return found.hexdigest()


def _check_target(data: Path, target: Path) -> None:
    here, there = data.resolve(), target.resolve()
    inside = [here / name for name in (places.CLIPS, places.SNAPSHOTS, places.UPLOADS, "broker")]
    if there == here or here.is_relative_to(there) or any(there.is_relative_to(folder) for folder in inside):
        raise CannotCopy(f"{target}: a backup cannot stand there, where the collector's own files are. Name another")
    if target.exists() and not target.is_dir():
        raise CannotCopy(f"{target}: is no folder")
    if target.is_dir() and any(path.name != _LOCK for path in target.iterdir()) and not (target / MANIFEST).exists():
        raise CannotCopy(f"{target}: holds other things. Name an empty folder or an earlier backup")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    with (target / _LOCK).open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotCopy(f"{target}: another backup is being made there") from None
        yield


class _Run:
    """One run over one target. `_how` says of each file how it came to be there, or why it is not."""

    def __init__(self, database: Database, database_file: Path, data: Path, target: Path) -> None:
        self._database = database
        self._database_file = database_file
        self._data = data
        self._target = target
        self._how: dict[Promise, How] = {}
        self._can_link = True
        old = target / DATABASE
        self._old = {*promises_of(old)} if old.exists() else set()

    def bring(self) -> Copied:
        following = self._target / _NEXT
        for _round in range(_ROUNDS):
            copy_database(self._database_file, following)
            promised = promises_of(following)
            for promise in promised:
                if self._how.get(promise, "broken") == "broken":
                    self._how[promise] = self._bring_file(promise)
            broken = [promise for promise in promised if self._how[promise] == "broken"]
            if all(self._is_still_promised(promise) for promise in broken):
                break  # else retention deleted it since the database was copied: a newer copy does not speak of it
        for folder in {(self._target / promise.path).parent for promise in promised if self._is_new(promise)}:
            sync_folders(folder, self._target)
        rename_durably(following, self._target / DATABASE)
        known = {promise.path for promise in promised}
        gone = remove_files(self._target, [*find_unowned(self._target, known, float("inf"))])
        counts = Counter(self._how[promise] for promise in promised)
        whole = [promise for promise in promised if self._how[promise] != "broken"]
        return Copied(
            files=len(whole),
            bytes=sum(promise.size_bytes for promise in whole),
            linked=counts["linked"],
            copied=counts["copied"],
            kept=counts["kept"],
            removed=len(gone),
            broken=[promise.path for promise in broken],
        )

    def _is_new(self, promise: Promise) -> bool:
        return self._how[promise] in ("linked", "copied")

    def _bring_file(self, promise: Promise) -> How:
        source, target = self._data / promise.path, self._target / promise.path
        if promise in self._old and _size(target) == promise.size_bytes:
            return "kept"
        if _size(source) != promise.size_bytes:
            return "broken"
        make_folder(target.parent)
        try:
            if self._link(source, target):
                return "linked"
            is_whole = copy_file(source, target) == promise.sha256
        except FileNotFoundError:  # deleted just now
            return "broken"
        if not is_whole:
            target.unlink()
        return "copied" if is_whole else "broken"

    def _link(self, source: Path, target: Path) -> bool:
        """Give the file a second name; nothing writes to a clip or snapshot that has its name. False: copy it."""
        if not self._can_link:
            return False
        part = target.with_name(f".{target.name}.tmp")
        part.unlink(missing_ok=True)
        try:
            part.hardlink_to(source)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            self._can_link = False
            return False
        part.replace(target)
        part.unlink(missing_ok=True)  # where both are one file already, replace() leaves both names
        return True

    def _is_still_promised(self, promise: Promise) -> bool:
        with self._database.read() as connection:
            return is_promised(connection, promise)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
