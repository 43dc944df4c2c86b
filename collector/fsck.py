"""Does what the database says agree with what is on the disk? Checks the invariants of docs/design/architecture.md.

Safe while the collector runs: what is younger than an hour may be on its way and is not judged. `repair` removes only
files that belong to nothing.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.ingest import places
from collector.store import clips, ledger, snapshots
from collector.store.database import Database

YOUNG_MS = 3_600_000


@dataclass(frozen=True)
class Finding:
    """One thing. Not `is_wrong`: worth knowing, and no broken promise of the collector's."""

    kind: str
    text: str
    is_wrong: bool = True


@dataclass(frozen=True)
class _Promise:
    """A file that a row speaks of."""

    what: str
    path: str
    size_bytes: int
    sha256: str


def check(
    database: Database, data: Path, now_ms: int, *, deep: bool = False, repair: bool = False
) -> Iterator[Finding]:
    """Everything that is found, as it is found."""
    with database.read() as connection:
        yield from _check_database(ledger.check_database(connection))
        promises = [
            *(_Promise("clip", *row) for row in clips.stored_files(connection)),
            *(_Promise("snapshot", *row) for row in snapshots.stored_files(connection)),
        ]
        uploads = {places.part_path(upload.box, upload.clip) for upload in clips.list_uploads(connection)}
        unfinished = {upload.path for upload in clips.list_uploads(connection)}
        holes = ledger.holes(connection)
    for promise in promises:
        yield from _check_file(data, promise, deep)
    for hole in holes:
        yield Finding(
            "hole", f"box {hole.box}: events {hole.first_seq}–{hole.last_seq} of {hole.outbox} are not here", False
        )
    known = {promise.path for promise in promises} | uploads | unfinished
    yield from _check_orphans(data, known, now_ms, repair)


def _check_database(complaints: list[str]) -> Iterator[Finding]:
    for complaint in complaints:
        yield Finding("database", complaint)


def _check_file(data: Path, promise: _Promise, deep: bool) -> Iterator[Finding]:
    path = data / promise.path
    try:
        size = path.stat().st_size
        if size != promise.size_bytes:
            yield Finding("size", f"{promise.what} {promise.path} has {size} bytes, its row says {promise.size_bytes}")
        elif deep:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != promise.sha256:
                yield Finding("hash", f"{promise.what} {promise.path} is not the file that came: {found}")
    except FileNotFoundError:
        yield Finding("missing", f"{promise.what} {promise.path} is not on the disk")
    except OSError as error:
        yield Finding("unreadable", f"{promise.what} {promise.path}: {error.strerror}")


def _check_orphans(data: Path, known: set[str], now_ms: int, repair: bool) -> Iterator[Finding]:
    for folder in (places.CLIPS, places.SNAPSHOTS, places.UPLOADS):
        for path in sorted((data / folder).rglob("*")):
            name = str(path.relative_to(data))
            if name in known or not path.is_file():
                continue
            try:
                if now_ms - path.stat().st_mtime_ns // 1_000_000 < YOUNG_MS:
                    continue
                if repair:
                    path.unlink()
            except FileNotFoundError:
                continue
            yield Finding("orphan", f"{name} belongs to nothing{': removed' if repair else ''}", is_wrong=not repair)
