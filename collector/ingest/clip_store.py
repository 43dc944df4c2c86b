"""Clips on the collector's disk: from the first byte of an upload to the committed row.

Steps: (1) row in `uploads`, (2) bytes into uploads/….part, (3) whole: SHA-256 compared over the file as it was read
back, (4) file synced, (5) renamed to its place and every folder on the way there synced, (6) row in `clips`, `uploads`
row gone, (7) receipt. A crash after any step is mended by `recover` or by the next request of the box: each step can be
done again (docs/design/durability.md). Blocking; called from worker threads; two requests never hold the same upload
(upload.py sees to that).
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from collector.ingest import places
from collector.store import clips, ledger, live
from collector.store.clips import Clip, Upload
from collector.store.database import Database
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.files import make_folder, rename_durably, sync_folders
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)


class HashWrong(Exception):
    """The bytes are not the ones that were announced; they are gone. `times` counts in a row."""

    def __init__(self, times: int) -> None:
        super().__init__(f"the file's SHA-256 is not the announced one ({times} times in a row)")
        self.times = times


class ClipRefused(Exception):
    """This clip can never be taken as it is described: the text says why."""


class DiskFull(Exception):
    """No room above the reserve: try again later."""


class ClipStore:
    """`stored` is called with box and SHA-256 after each commit: a receipt is owed."""

    def __init__(
        self,
        database: Database,
        data: Path,
        clock: Clock,
        stored: Callable[[str, str], None],
        reserve_bytes: int = 0,
    ) -> None:
        self._database = database
        self._data = data
        self._clock = clock
        self._stored = stored
        self._reserve_bytes = reserve_bytes
        self._wrong: dict[str, int] = {}
        make_folder(data / places.UPLOADS)

    def begin(self, box: str, clip: str, camera: str | None, sha256: str, size_bytes: int) -> int:
        """Create an upload or find the one that is under way; returns the offset at which to go on.

        A clip that is here already, or was and has been deleted since, answers with its whole size, and its receipt is
        owed again. Raises ClipRefused, DiskFull, StoreUnavailable.
        """
        with self._database.read() as connection:
            known = clips.find_clip(connection, clip)
            upload = clips.upload_of_clip(connection, box, clip)
        if known is not None:
            _check_against(known, box, sha256, size_bytes)
            if known.state == "deleted" or (known.state == "stored" and self._stands(known)):
                self._stored(box, sha256)
                return size_bytes
        if upload is not None and (upload.sha256, upload.size_bytes) == (sha256, size_bytes):
            return self.offset(upload)
        if shutil.disk_usage(self._data).free - size_bytes < self._reserve_bytes:
            raise DiskFull
        camera_name = camera if known is None or known.camera is None else known.camera.split("/", 1)[1]
        upload = Upload(
            id=f"{box}.{clip}",
            box=box,
            clip=clip,
            sha256=sha256,
            size_bytes=size_bytes,
            path=places.clip_path(box, camera_name, clip),
            created_ms=self._clock.wall_ms(),
        )
        self.part(upload).unlink(missing_ok=True)
        with self._database.write() as connection:
            clips.begin_upload(connection, upload)
        reach("store.begun")
        return 0

    def find(self, box: str, clip: str) -> Upload | Clip | None:
        """The unfinished upload of this box's clip, or the clip itself when it is stored."""
        with self._database.read() as connection:
            upload = clips.upload_of_clip(connection, box, clip)
            if upload is not None:
                return upload
            known = clips.find_clip(connection, clip)
        is_here = known is not None and known.box == box and known.state == "stored" and self._stands(known)
        return known if is_here else None

    def _stands(self, clip: Clip) -> bool:
        """Is the stored clip's file there? If a disk lost it, the box may send it again, and no receipt is owed."""
        try:
            return (self._data / (clip.path or "")).stat().st_size == clip.size_bytes
        except OSError as error:
            log.error("the file of a stored clip is not there", clip=clip.id, path=clip.path, reason=error.strerror)
            return False

    def part(self, upload: Upload) -> Path:
        """Where the bytes gather."""
        return self._data / places.part_path(upload.box, upload.clip)

    def offset(self, upload: Upload) -> int:
        """How many bytes are here; finishes an upload that a crash left whole. Raises HashWrong, StoreUnavailable."""
        try:
            size = self.part(upload).stat().st_size
        except FileNotFoundError:
            size = 0
            if (self._data / upload.path).exists():  # renamed, and then the row was not written
                size = upload.size_bytes
        if size >= upload.size_bytes:
            self.finish(upload)
            return upload.size_bytes
        return size

    def append(self, upload: Upload, offset: int, data: bytes) -> None:
        """Write bytes at `offset`. Raises DiskFull; what the disk took before that stays."""
        try:
            if shutil.disk_usage(self._data).free - len(data) < self._reserve_bytes:
                raise DiskFull
            descriptor = os.open(self.part(upload), os.O_WRONLY | os.O_CREAT, 0o640)
            try:
                view = memoryview(data)
                while view:
                    written = os.pwrite(descriptor, view, offset)
                    view, offset = view[written:], offset + written
                    reach("store.chunk.written")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _not_taken(upload, error) from error

    def finish(self, upload: Upload) -> None:
        """All bytes are here: compare, sync, rename, commit, owe the receipt.

        Raises HashWrong, DiskFull, StoreUnavailable.
        """
        part, target = self.part(upload), self._data / upload.path
        here = part if part.exists() else target
        try:
            found, size = _hash_synced(here)
        except OSError as error:
            raise _not_taken(upload, error) from error
        if found != upload.sha256 or size != upload.size_bytes:
            times = self._count_wrong(upload)
            here.unlink(missing_ok=True)
            with self._database.write() as connection:
                clips.drop_upload(connection, upload.id)
                ledger.count(connection, "uploads_wrong_hash")
            log.error("clip refused: its SHA-256 is another", box=upload.box, clip=upload.clip, times=times)
            raise HashWrong(times)
        reach("store.hashed")
        try:
            if here is part:
                make_folder(target.parent)
                rename_durably(part, target)
                reach("store.renamed")
            sync_folders(target.parent, self._data)
        except OSError as error:
            raise _not_taken(upload, error) from error
        now_ms = self._clock.wall_ms()
        with self._database.write() as connection:
            clips.finish_upload(connection, upload, now_ms)
            live.note_change(connection, "clip", upload.clip, now_ms)
        reach("store.committed")
        self._wrong.pop(upload.id, None)
        self._stored(upload.box, upload.sha256)
        log.info("clip stored", box=upload.box, clip=upload.clip, size_bytes=size)

    def drop(self, upload: Upload) -> None:
        """Forget an unfinished upload."""
        with self._database.write() as connection:
            clips.drop_upload(connection, upload.id)
        self.part(upload).unlink(missing_ok=True)

    def count(self, name: str) -> None:
        """Count a refusal."""
        with self._database.write() as connection:
            ledger.count(connection, name)

    def recover(self) -> None:
        """After a start: finish what was whole, forget bytes that belong to no upload. Raises StoreUnavailable."""
        with self._database.read() as connection:
            uploads = clips.list_uploads(connection)
        for upload in uploads:
            try:
                self.offset(upload)
            except (HashWrong, DiskFull):
                continue
        parts = {self.part(upload) for upload in uploads}
        for path in (self._data / places.UPLOADS).glob("*.part"):
            if path not in parts:
                path.unlink(missing_ok=True)
                log.warning("bytes of a forgotten upload removed", file=path.name)

    def expire(self, older_than_ms: int) -> int:
        """Forget unfinished uploads that nothing was added to since then; returns how many."""
        with self._database.read() as connection:
            uploads = clips.list_uploads(connection)
        old = [upload for upload in uploads if self._touched_ms(upload) < older_than_ms]
        for upload in old:
            self.drop(upload)
        return len(old)

    def _touched_ms(self, upload: Upload) -> int:
        try:
            return max(upload.created_ms, self.part(upload).stat().st_mtime_ns // 1_000_000)
        except FileNotFoundError:
            return upload.created_ms

    def _count_wrong(self, upload: Upload) -> int:
        times = self._wrong.get(upload.id, 0) + 1
        if len(self._wrong) > 10_000:
            self._wrong.clear()
        self._wrong[upload.id] = times
        return times


def _check_against(known: Clip, box: str, sha256: str, size_bytes: int) -> None:
    if known.box != box:
        raise ClipRefused("this clip belongs to another box")
    if known.sha256 != sha256 or known.size_bytes != size_bytes:
        raise ClipRefused("its SHA-256 or size is not the one in the event that announced it")


def _not_taken(upload: Upload, error: OSError) -> DiskFull:
    log.error("the disk did not take a clip", box=upload.box, clip=upload.clip, reason=error.strerror)
    return DiskFull()


def _hash_synced(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file, whose bytes are on the disk afterwards."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return found, file.tell()
