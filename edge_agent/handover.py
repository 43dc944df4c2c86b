"""Hands finished clips and told losses to the outbox; what the disk refuses waits here, in order, and is tried again.

Rules: a clip that waits here is whole under its name, so a crash meanwhile loses nothing: the next start takes it up.
At that start, before any camera, what a power cut left is brought back and the episodes that it cut off are ended.
"""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edge_agent.outbox.envelopes import make_envelope
from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.outbox import Outbox
from edge_agent.recording.finished import ClipMeta, FinishedClip
from edge_agent.recording.salvage import adopt, salvage, set_aside
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.wire import messages
from vonggac.wire.codec import decode, encode
from vonggac.wire.ids import is_uuid

log = get_logger(__name__)

_LONGEST_REASON = 500


class Handover:
    """One for all cameras; any thread may call it."""

    def __init__(self, outbox: Outbox, clock: Clock, box: str) -> None:
        self._outbox = outbox
        self._box = box
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], object]] = deque()

    def clip(self, clip: FinishedClip) -> None:
        """A clip is whole on the disk."""
        body = self._clip_ready(clip)
        self._give(lambda: self._outbox.put_clip(body, clip.path, clip.meta.clip_class))

    def lost_clip(self, meta: ClipMeta, why: str) -> None:
        """A clip, or what was not yet whole of it, will not come."""
        self.tell(
            messages.DataLost(
                what="clip", reason=why[:_LONGEST_REASON], camera=meta.camera, episode=meta.episode, clip=meta.clip
            )
        )

    def tell(self, *bodies: messages.Body) -> None:
        """Keep events: all or none."""
        self._give(lambda: self._outbox.put_events(bodies))

    def retry(self) -> None:
        """Try again what the disk refused; call it now and then."""
        with self._lock:
            while self._waiting:
                try:
                    self._waiting[0]()
                except OutboxFull:
                    return
                self._waiting.popleft()

    def bring_back(self, clips: Path) -> None:
        """Take in what the last run left: clips without a row, clips half-written, episodes without an end."""
        named = adopt(self._outbox.files_without_row(clips))
        torn = salvage(clips)
        for clip in named.clips + torn.clips:
            self._take_back(clip)
        for name, why in named.broken + torn.broken:
            self._tell_broken(name, why)
        ends = self._outbox.ends_of_cut_episodes()
        if ends:
            log.warning("episodes were cut off; their end is told", events=len(ends))
            self.tell(*ends)

    def _take_back(self, clip: FinishedClip) -> None:
        """A damaged head may still be read and name what no reader of the wire takes."""
        try:
            decode(encode(make_envelope(self._clip_ready(clip), self._box, self._clock, 1, self._outbox.id)))
        except ValueError as error:
            set_aside(clip.path, str(error))
            self._tell_broken(clip.path.name, str(error))
        else:
            self.clip(clip)

    def _tell_broken(self, name: str, why: str) -> None:
        clip = name.partition(".")[0]
        known = clip if is_uuid(clip) else None
        self.tell(messages.DataLost(what="clip", reason=f"{name}: {why}"[:_LONGEST_REASON], clip=known))

    def _give(self, put: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.append(put)
            first = len(self._waiting) == 1
        self.retry()
        if first and self._waiting:
            log.error("the disk takes nothing: clips and losses wait to be told")

    def _clip_ready(self, clip: FinishedClip) -> messages.ClipReady:
        meta = clip.meta
        first_ms, mono_ms = clip.first_frame_wall_ms, meta.first_frame_mono_ms
        if mono_ms is not None and meta.boot_id == self._clock.boot_id:
            first_ms = self._clock.wall_ms_at(mono_ms)  # the wall clock may have been set since
        return messages.ClipReady(
            clip=meta.clip,
            episode=meta.episode,
            camera=meta.camera,
            sha256=clip.sha256,
            size_bytes=clip.size_bytes,
            first_frame_ms=first_ms,
            duration_ms=clip.duration_ms,
            codec=clip.codec,
            width=clip.width,
            height=clip.height,
            truncated=clip.truncated,
            note=clip.reason or None,
            boot_id=meta.boot_id,
            first_frame_mono_ms=mono_ms,
        )
