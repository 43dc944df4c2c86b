"""What is kept how long: by age and by bytes, oldest first; what is under legal hold is deleted by nothing.

A deletion changes the row first, then unlinks: a crash in between leaves a file without a row, which fsck names and
`prune` removes; never a row that promises a file that is gone.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from collector.ingest.clip_store import ClipStore
from collector.store import clips, ledger, live, snapshots
from collector.store.clips import Clip
from collector.store.database import Database
from collector.store.errors import StoreUnavailable
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.files import sync_folder
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop

log = get_logger(__name__)

EVERY_S = 60.0
BATCH = 200
CHANGES_MS = 86_400_000
UPLOADS_MS = 7 * 86_400_000
ALL_HEARTBEATS_MS = 86_400_000
"""Heartbeats of the last day are all kept; older ones are thinned to one in ten minutes."""


@dataclass(frozen=True)
class Limits:
    """How long, how much. `max_bytes` None: only age and the free space decide."""

    clips_ms: int
    max_bytes: int | None
    keep_free_bytes: int
    snapshots_ms: int
    events_ms: int
    heartbeats_ms: int


@dataclass
class Pruned:
    """What went."""

    clips: int = 0
    clip_bytes: int = 0
    snapshots: int = 0
    events: int = 0
    heartbeats: int = 0
    changes: int = 0
    uploads: int = 0


class Retention:
    """Prunes once a minute in a thread of its own, or once by command."""

    def __init__(self, database: Database, clip_store: ClipStore, data: Path, limits: Limits, clock: Clock) -> None:
        self._database = database
        self._clip_store = clip_store
        self._data = data
        self._limits = limits
        self._clock = clock

    def run(self, pulse: Pulse, stop: Stop) -> None:
        """Prune until asked to stop."""
        while not stop.wait(1.0):
            pulse.beat()
            try:
                pruned = self.prune(stop, pulse)
            except StoreUnavailable as error:
                log.error("nothing pruned: database unavailable", reason=str(error))
            else:
                if pruned != Pruned():
                    log.info("pruned", **vars(pruned))
            for _second in range(int(EVERY_S)):
                pulse.beat()
                if stop.wait(1.0):
                    return

    def prune(self, stop: Stop | None = None, pulse: Pulse | None = None) -> Pruned:
        """Delete what is over the limits now. Raises StoreUnavailable; what went until then stays gone."""
        pruned, now_ms = Pruned(), self._clock.wall_ms()
        while not (stop is not None and stop.is_set()):
            if pulse is not None:
                pulse.beat()
            if not self._delete_clips(self._clips_to_delete(now_ms), pruned, now_ms):
                break
        while self._delete_snapshots(now_ms - self._limits.snapshots_ms, pruned):
            if pulse is not None:
                pulse.beat()
        pruned.uploads = self._clip_store.expire(now_ms - UPLOADS_MS)
        with self._database.write() as connection:
            pruned.events = ledger.prune_events(connection, now_ms - self._limits.events_ms)
            pruned.changes = live.prune_changes(connection, now_ms - CHANGES_MS)
            pruned.heartbeats = ledger.prune_heartbeats(
                connection, now_ms - self._limits.heartbeats_ms, now_ms - ALL_HEARTBEATS_MS
            )
        return pruned

    def _clips_to_delete(self, now_ms: int) -> list[Clip]:
        with self._database.read() as connection:
            too_old = clips.oldest_stored(connection, BATCH, before_ms=now_ms - self._limits.clips_ms)
            if too_old:
                return too_old
            excess = self._limits.keep_free_bytes - shutil.disk_usage(self._data).free
            if self._limits.max_bytes is not None:
                excess = max(excess, clips.stored_bytes(connection) - self._limits.max_bytes)
            chosen: list[Clip] = []
            if excess > 0:
                for clip in clips.oldest_stored(connection, BATCH):
                    chosen.append(clip)
                    excess -= clip.size_bytes
                    if excess <= 0:
                        break
            return chosen

    def _delete_clips(self, chosen: list[Clip], pruned: Pruned, now_ms: int) -> bool:
        folders = set()
        for clip in chosen:
            with self._database.write() as connection:
                if not clips.mark_deleted(connection, clip.id, now_ms):
                    continue
                live.note_change(connection, "clip", clip.id, now_ms)
            reach("retention.clip.marked")
            path = self._data / (clip.path or "")
            path.unlink(missing_ok=True)
            reach("retention.clip.unlinked")
            folders.add(path.parent)
            pruned.clips += 1
            pruned.clip_bytes += clip.size_bytes
        self._tidy(folders)
        return bool(chosen)

    def _delete_snapshots(self, before_ms: int, pruned: Pruned) -> bool:
        with self._database.read() as connection:
            paths = snapshots.oldest_snapshots(connection, before_ms, BATCH)
        folders = set()
        if paths:
            with self._database.write() as connection:
                for path in paths:
                    snapshots.forget_snapshot(connection, path)
        for path in paths:
            (self._data / path).unlink(missing_ok=True)
            folders.add((self._data / path).parent)
        self._tidy(folders)
        pruned.snapshots += len(paths)
        return len(paths) == BATCH

    def _tidy(self, folders: set[Path]) -> None:
        """Remove folders that are empty now, up to the data folder."""
        for folder in folders:
            here = folder
            while here != self._data and here.is_dir() and not any(here.iterdir()):
                here.rmdir()
                here = here.parent
            if here.is_dir():
                sync_folder(here)
