"""Does what the database says agree with what is on the disk? Checks the invariants of docs/design/durability.md.

Safe while the collector runs: what seems wrong is looked at again, and a file that is younger than an hour and belongs
to nothing may be on its way, unless the part `ingest` is not among the `running`. `repair` does only what loses
nothing: files that belong to nothing go, events get their number back, uploads that are over are forgotten.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from collector.fleet.completeness import Where
from collector.ingest import places
from collector.ingest.leftovers import find_unowned, remove_unowned
from collector.locks import PARTS
from collector.store import audit, clips, integrity, missing
from collector.store.database import Connection, Database
from collector.store.files import Promise, is_owned, is_promised, promises

YOUNG_MS = 3_600_000


@dataclass(frozen=True)
class Finding:
    """One thing. Not `is_wrong`: worth knowing, and no broken promise of the collector's, or mended just now."""

    kind: str
    text: str
    is_wrong: bool = True


def check(
    database: Database,
    data: Path,
    now_ms: int,
    *,
    deep: bool = False,
    repair: bool = False,
    running: Collection[str] = PARTS,
) -> Iterator[Finding]:
    """Everything that is found, as it is found. Raises StoreUnavailable."""
    with database.read() as connection:
        yield from _complaints(connection, now_ms, deep=deep, delivers="alerts" in running)
        promised = promises(connection)
        uploads = clips.list_uploads(connection)
        uncounted = integrity.uncounted_events(connection)
        finished = integrity.finished_uploads(connection)
    for box, outbox, seq in uncounted:
        found = Finding("ledger", f"event {seq} of box {box} is here and would be called a hole")
        yield _mend(database, found, repair, lambda c, n=(box, outbox, seq): integrity.count_event(c, *n))  # type: ignore[misc]
    for upload in finished:
        found = Finding("upload", f"upload {upload} is noted as unfinished, and its clip is stored")
        yield _mend(database, found, repair, lambda c, upload=upload: integrity.forget_upload(c, upload))  # type: ignore[misc]
    for promise in promised:
        yield from _check_file(database, data, promise, deep)
    known = {promise.path for promise in promised}
    for upload_row in uploads:
        known |= {places.part_path(upload_row.box, upload_row.clip), upload_row.path}
    before_ms = now_ms - YOUNG_MS if "ingest" in running else now_ms + YOUNG_MS
    yield from _check_unowned(database, data, known, before_ms, repair)


def _complaints(connection: Connection, now_ms: int, *, deep: bool, delivers: bool) -> Iterator[Finding]:
    """What the rows alone tell."""
    for kind, text in (
        *integrity.check_engine(connection, deep=deep),
        *integrity.check_ranges(connection),
        *integrity.check_clips(connection),
        *integrity.check_events(connection),
    ):
        yield Finding(kind, text)
    for text in audit.verify(connection):
        yield Finding("audit", text)
    for kind, text in integrity.check_alerts(connection, now_ms):
        yield Finding(kind, text, is_wrong=delivers)
    for box, found in missing.completeness_of(connection).items():
        for hole in (each for each in found.missing if each.where is Where.HOLE):
            numbers = f"{hole.first_seq}–{hole.last_seq}"
            yield Finding("hole", f"box {box}: events {numbers} of {hole.outbox} will not come", is_wrong=False)
    for box, gone in missing.let_go(connection).items():
        yield Finding("hole", f"box {box}: {gone} announced clips will not come", is_wrong=False)
    made = integrity.restored(connection)
    if made is not None:
        yield Finding("restored", f"restored from the backup of {made}: what came after it is not here", is_wrong=False)


def _mend(database: Database, finding: Finding, repair: bool, step: Callable[[Connection], None]) -> Finding:
    if not repair:
        return finding
    with database.write() as connection:
        step(connection)
    return replace(finding, text=f"{finding.text}: mended", is_wrong=False)


def _check_file(database: Database, data: Path, promise: Promise, deep: bool) -> Iterator[Finding]:
    finding = _look_at(data / promise.path, promise, deep)
    if finding is None:
        return
    with database.read() as connection:  # it may have been deleted since its row was read
        if is_promised(connection, promise):
            yield finding


def _look_at(path: Path, promise: Promise, deep: bool) -> Finding | None:
    name = f"{promise.what} {promise.path}"
    try:
        size = path.stat().st_size
        if size != promise.size_bytes:
            return Finding("size", f"{name} has {size} bytes, its row says {promise.size_bytes}")
        if deep:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != promise.sha256:
                return Finding("hash", f"{name} is not the file that came: {found}")
    except FileNotFoundError:
        return Finding("missing", f"{name} is not on the disk")
    except OSError as error:
        return Finding("unreadable", f"{name}: {error.strerror}")
    return None


def _check_unowned(database: Database, data: Path, known: set[str], before_ms: int, repair: bool) -> Iterator[Finding]:
    names = [*find_unowned(data, known, before_ms)]
    gone = set(remove_unowned(database, data, names)) if repair else set()
    for name in names:
        if name in gone:
            yield Finding("orphan", f"{name} belongs to nothing: removed", is_wrong=False)
        elif (data / name).exists() and not _is_owned_now(database, name):
            yield Finding("orphan", f"{name} belongs to nothing")


def _is_owned_now(database: Database, name: str) -> bool:
    with database.read() as connection:
        return is_owned(connection, name)
