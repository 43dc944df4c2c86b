"""The one thread of a box that writes clips to disk, and the bounded queue in front of it.

Rules: the queue holds packets up to a byte budget and refuses what is beyond it (the clip is then closed where it
stands, and says so): a slow disk never grows memory and never holds up a camera. Opening and closing always fit in.
What is whole of a clip that the disk refuses is a clip, cut short; where nothing is, `on_lost` is told. The disk then
has a moment's rest before another clip is begun.
"""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.recording.boxes import Torn
from edge_agent.recording.clip import ClipWriter
from edge_agent.recording.finished import ClipMeta, Ending, FinishedClip
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

DISK_RESTS_S = 10.0
_IDLE_S = 4.0
_APART_S = 0.3  # packets come in bursts: one waking for several costs a third


@dataclass(frozen=True, slots=True)
class _Begin:
    key: str
    path: Path
    info: StreamInfo
    meta: ClipMeta


@dataclass(frozen=True, slots=True)
class _Copy:
    key: str
    packets: Sequence[Packet]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _End:
    key: str
    ending: Ending


class Beat(Protocol):
    """The thread's sign of life."""

    def beat(self) -> None: ...


class ClipThread:
    """`run(pulse)` is the thread's target; it returns once `close()` was called and the queue is empty."""

    def __init__(
        self,
        folder: Path,
        on_clip: Callable[[FinishedClip], None],
        on_lost: Callable[[ClipMeta, str], None],
        max_queue_bytes: int = 32 << 20,
        disk_rests_s: float = DISK_RESTS_S,
    ) -> None:
        self.folder = folder
        self._on_clip = on_clip
        self._on_lost = on_lost
        self._max_queue_bytes = max_queue_bytes
        self._changed = threading.Condition()
        self._queue: deque[_Begin | _Copy | _End] = deque()
        self._writers: dict[str, ClipWriter] = {}
        self._failed: set[str] = set()
        self._disk_rests_s = disk_rests_s
        self._disk_rests_until = 0.0
        self._closed = False
        self.queued_bytes = 0
        self.bytes_written = 0

    def begin(self, meta: ClipMeta, info: StreamInfo) -> None:
        """Open the file of clip `meta.clip`."""
        self._put(_Begin(meta.clip, self.folder / f"{meta.clip}.mp4", info, meta))

    def offer(self, clip: str, packets: Sequence[Packet]) -> bool:
        """Add packets to a clip, all or none; False: the disk failed it, or does not keep up and the queue is full."""
        size = sum(len(packet.data) for packet in packets)
        with self._changed:
            if clip in self._failed:
                return False
            if self.queued_bytes and self.queued_bytes + size > self._max_queue_bytes:
                return False
            self.queued_bytes += size
            if not self._queue:
                self._changed.notify()
            self._queue.append(_Copy(clip, packets, size))
        return True

    @property
    def roomy(self) -> bool:
        """Another clip may begin: less than half of the queue is in use, and the disk has not just failed."""
        return self.queued_bytes * 2 < self._max_queue_bytes and time.monotonic() >= self._disk_rests_until

    def end(self, clip: str, ending: Ending) -> None:
        """Finish a clip behind all that was offered for it."""
        self._put(_End(clip, ending))

    def close(self) -> None:
        """No more clips: `run` returns when everything queued is on disk."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _put(self, item: _Begin | _End) -> None:
        with self._changed:
            self._queue.append(item)
            self._changed.notify()

    def run(self, pulse: Beat) -> None:
        """Write until closed and drained."""
        while True:
            pulse.beat()
            ends = self._closed  # asked first: nothing is put behind it
            if not self._queue:
                if ends:
                    break
                self._wait()
                continue
            item = self._queue.popleft()  # nobody else takes from it
            try:
                self._do(item)
            finally:
                if isinstance(item, _Copy):
                    with self._changed:
                        self.queued_bytes -= item.size_bytes
        for key in list(self._writers):
            self._cut_short(key, "the program ended before the clip did")

    def _wait(self) -> None:
        """Until there is something to do; while clips are open not right behind the last, so that packets gather."""
        with self._changed:
            began_at = time.monotonic()
            self._changed.wait_for(lambda: self._queue or self._closed, _IDLE_S)
            left_s = began_at + _APART_S - time.monotonic()
            if self._writers and left_s > 0:
                self._changed.wait_for(lambda: self._closed, left_s)

    def _do(self, item: _Begin | _Copy | _End) -> None:
        try:
            match item:
                case _Begin():
                    self._begin(item)
                case _Copy():
                    self._copy(item)
                case _End():
                    self._end(item)
        except (OSError, Torn) as error:
            if not isinstance(item, _End):
                self._disk_failed(item.key)
            self._cut_short(item.key, _why(error))

    def _begin(self, item: _Begin) -> None:
        try:
            self._writers[item.key] = ClipWriter(item.path, item.info, item.meta)
        except ValueError as error:
            log.warning("clip not begun", camera=item.meta.camera, clip=item.key, error=str(error))
            self._on_lost(item.meta, str(error))
        except OSError as error:
            log.warning("clip not begun", camera=item.meta.camera, clip=item.key, error=str(error))
            self._disk_failed(item.key)
            self._on_lost(item.meta, _why(error))

    def _copy(self, item: _Copy) -> None:
        writer = self._writers.get(item.key)
        if writer is not None:
            for packet in item.packets:
                writer.write(packet)
            self.bytes_written += item.size_bytes

    def _end(self, item: _End) -> None:
        writer = self._writers.get(item.key)
        if writer is not None:
            clip = writer.finish(item.ending)
            del self._writers[item.key]
            self._on_clip(clip)
        with self._changed:
            self._failed.discard(item.key)

    def _disk_failed(self, key: str) -> None:
        with self._changed:
            self._failed.add(key)
            self._disk_rests_until = time.monotonic() + self._disk_rests_s

    def _cut_short(self, key: str, why: str) -> None:
        writer = self._writers.pop(key, None)
        if writer is None:
            return
        log.error("clip cut short", camera=writer.meta.camera, clip=key, error=why)
        try:
            clip = writer.finish_short(why)
        except OSError as error:
            log.error("clip stays half-written until the next start", clip=key, error=str(error))
            return
        if clip is None:
            self._on_lost(writer.meta, why)
        else:
            self._on_clip(clip)


def _why(error: Exception) -> str:
    """In words for who looks at the clip later."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the box's disk was full"
    return f"the box's disk failed: {error}"
