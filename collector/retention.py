"""What is kept how long: by age and by bytes, oldest first; what is under legal hold is deleted by nothing.

A deletion changes the row first, then unlinks: a crash in between leaves a file without a row, which goes at the next
start; never a row that promises a file that is gone. Snapshots and events of an episode whose clip is held stay with
it. Rows of episodes, incidents and alerts go last (store/forgetting.py). Room is made only by files that give room: one
that a backup holds as well stays until its age ends it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from collector.ingest.clip_store import ClipStore
from collector.ingest.leftovers import find_unowned, remove_unowned
from collector.playback.folder import forget_copy, sweep_copies
from collector.store import clips, ledger, live, presence, snapshots
from collector.store.clips import Clip
from collector.store.database import Database
from collector.store.errors import StoreUnavailable
from collector.store.files import promises
from collector.store.forgetting import Forgotten, forget
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop

log = get_logger(__name__)

EVERY_S = 60.0
BATCH = 200
AT_ONCE = 20
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
    episodes_ms: int
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
    episodes: int = 0
    incidents: int = 0
    alerts: int = 0
    clip_rows: int = 0
    words: int = 0


class Retention:
    """Prunes once a minute in a thread of its own, or once by command."""

    def __init__(self, database: Database, clip_store: ClipStore, data: Path, limits: Limits, clock: Clock) -> None:
        self._database = database
        self._clip_store = clip_store
        self._data = data
        self._limits = limits
        self._clock = clock
        self._started_ms = clock.wall_ms()

    def run(self, pulse: Pulse, stop: Stop) -> None:
        """Prune until asked to stop."""
        swept = False
        while not stop.wait(1.0):
            pulse.beat()
            try:
                swept = swept or self.sweep()
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

    def sweep(self) -> bool:
        """Remove what crashes before this start left: files that no row speaks of. Raises StoreUnavailable."""
        with self._database.read() as connection:
            known = {promise.path for promise in promises(connection)}
        names = [*find_unowned(self._data, known, self._started_ms)]
        gone = remove_unowned(self._database, self._data, names)
        if gone:
            log.warning("files that belonged to nothing are removed", files=len(gone), first=gone[0])
        return True

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
        sweep_copies(self._data, now_ms / 1000)
        pruned.uploads = self._clip_store.expire(now_ms - UPLOADS_MS)
        with self._database.write() as connection:
            pruned.events = ledger.prune_events(connection, now_ms - self._limits.events_ms)
            presence.prune_silences(connection, now_ms - self._limits.events_ms)
            pruned.changes = live.prune_changes(connection, now_ms - CHANGES_MS)
            pruned.heartbeats = ledger.prune_heartbeats(
                connection, now_ms - self._limits.heartbeats_ms, now_ms - ALL_HEARTBEATS_MS
            )
        self._forget(now_ms - self._limits.episodes_ms, pruned, stop, pulse)
        return pruned

    def _forget(self, before_ms: int, pruned: Pruned, stop: Stop | None, pulse: Pulse | None) -> None:
        """Rows of what was seen and told, after the files that they speak of."""
        while not (stop is not None and stop.is_set()):
            if pulse is not None:
                pulse.beat()
            with self._database.write() as connection:
                gone = forget(connection, before_ms)
            if gone == Forgotten():
                return
            pruned.episodes += gone.episodes
            pruned.incidents += gone.incidents
            pruned.alerts += gone.alerts
            pruned.clip_rows += gone.clips
            pruned.words += gone.words

    def _clips_to_delete(self, now_ms: int) -> list[Clip]:
        with self._database.read() as connection:
            too_old = clips.oldest_stored(connection, BATCH, before_ms=now_ms - self._limits.clips_ms)
            if too_old:
                return too_old
            too_many_bytes = 0
            if self._limits.max_bytes is not None:
                too_many_bytes = clips.stored_bytes(connection) - self._limits.max_bytes
            room_bytes = self._limits.keep_free_bytes - shutil.disk_usage(self._data).free
            chosen: list[Clip] = []
            after: Clip | None = None
            while too_many_bytes > 0 or room_bytes > 0:
                page = clips.oldest_stored(connection, BATCH, after=after)
                for clip in page:
                    gives_room = self._gives_room(clip)
                    if too_many_bytes > 0 or (room_bytes > 0 and gives_room):
                        chosen.append(clip)
                        too_many_bytes -= clip.size_bytes
                        room_bytes -= clip.size_bytes if gives_room else 0
                if len(page) < BATCH or len(chosen) >= BATCH:
                    break
                after = page[-1]
            return chosen

    def _gives_room(self, clip: Clip) -> bool:
        """Deleting a file that stands in a backup too makes no room."""
        try:
            return (self._data / (clip.path or "")).stat().st_nlink == 1
        except OSError:
            return False

    def _delete_clips(self, chosen: list[Clip], pruned: Pruned, now_ms: int) -> bool:
        for start in range(0, len(chosen), AT_ONCE):
            marked = []
            with self._database.write() as connection:
                for clip in chosen[start : start + AT_ONCE]:
                    if clips.mark_deleted(connection, clip.id, now_ms):
                        live.note_change(connection, "clip", clip.id, now_ms)
                        marked.append(clip)
            reach("retention.clip.marked")
            remove_unowned(self._database, self._data, [clip.path for clip in marked if clip.path])
            for clip in marked:
                forget_copy(self._data, clip.sha256)
            reach("retention.clip.unlinked")
            pruned.clips += len(marked)
            pruned.clip_bytes += sum(clip.size_bytes for clip in marked)
        return bool(chosen)

    def _delete_snapshots(self, before_ms: int, pruned: Pruned) -> bool:
        with self._database.write() as connection:
            paths = snapshots.oldest_snapshots(connection, before_ms, BATCH)
            for path in paths:
                snapshots.forget_snapshot(connection, path)
        remove_unowned(self._database, self._data, paths)
        pruned.snapshots += len(paths)
        return len(paths) == BATCH
