"""Sending clips, one at a time, in a thread of its own; a clip is done when its receipt comes, not before.

Rules: with a backlog the newest and the oldest of the highest class take turns, so that officers see what is now and
nothing starves. A clip that fails waits by itself and never blocks the others; what the server will never take is
parked. A whole upload without a receipt is asked for again. The household goes first: clips take what of its line
nobody else wants.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.items import WaitingClip
from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.errors import ClipGone, ItemRefused, UplinkRefused, UplinkUnavailable, UploadExpired
from edge_agent.uplink.round_trip import listen_to
from edge_agent.uplink.shaping import (
    LARGEST_PIECE_BYTES,
    SMALLEST_CHUNK_BYTES,
    GivingWay,
    TokenBucket,
    next_chunk_bytes,
)
from edge_agent.uplink.tus import TusUpload, UploadServer, open_session
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop

log = get_logger(__name__)

STALL_S = 180.0
"""How long one request may last at worst; give it to `crew.start`."""
_TURN_S = 1.0
_IDLE_S = 4.0  # a clip that was put wakes it
_ASK_AGAIN_FIRST_S = 20.0
_ASK_AGAIN_CAP_S = 600.0
_CLIP_FIRST_S = 5.0
_CLIP_CAP_S = 300.0
_REFUSALS_TO_PARK = 3
_MOST_RESTING = 500


class _BreakOff(Exception):
    """The program ends, the clip needs no sending any more, or its hour is over: leave the request in the middle."""


@dataclass(slots=True)
class _Rest:
    """A clip that is not to be tried for a while."""

    until_ms: float
    backoff: Backoff
    refusals: int = 0


@dataclass(slots=True)
class Counters:
    """What the uploader did since it began."""

    uploads: int = 0
    bytes_sent: int = 0
    failures: int = 0
    parked: int = 0


class Uploader:
    """The `upload` thread's work; `advance` is the step that `run` repeats."""

    def __init__(
        self,
        outbox: Outbox,
        server: UploadServer,
        clock: Clock,
        stop: Stop,
        max_kbps: Callable[[], int | None] = lambda: None,
        *,
        give_way: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        self.counters = Counters()
        self._outbox = outbox
        self._server = server
        self._session = open_session(server)
        self._clock = clock
        self._stop = stop
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._max_kbps = max_kbps
        self._kbps = max_kbps()
        self._bucket = TokenBucket(self._kbps or None, clock.mono_ms())
        self._line = listen_to(self._session, server.trust)
        self._giving_way = GivingWay(clock.mono_ms()) if give_way else None
        self._backoff = Backoff(1.0, 30.0, self._rng)
        self._not_before_ms = 0.0
        self._resting: dict[str, _Rest] = {}
        self._chunk_bytes = SMALLEST_CHUNK_BYTES * 4
        self._turn_of_newest = True
        self._told = ""
        self._news = threading.Event()
        self._beat: Callable[[], None] = lambda: None
        outbox.listen(self._news.set)

    def run(self, pulse: Pulse) -> None:
        """Until asked to stop; a request under way is broken off, the server keeps what arrived."""
        self._beat = pulse.beat
        while not self._stop.is_set():
            pulse.beat()
            wait_s = self.advance()
            if wait_s > 0:
                self._news.wait(min(_IDLE_S, wait_s))
                self._news.clear()
        self._session.close()

    def wake(self) -> None:
        """Look at the world now, from any thread: call it after asking to stop."""
        self._news.set()

    def advance(self) -> float:
        """Send one clip as far as it goes; returns how many seconds may pass before the next call."""
        now_ms = self._clock.mono_ms()
        if now_ms < self._not_before_ms:
            return (self._not_before_ms - now_ms) / 1000
        clip = None if self._heed_limit(now_ms) == 0 else self._next_clip(now_ms)
        if clip is None:
            return _IDLE_S
        try:
            self._try(clip)
        except OutboxFull as error:
            self._rest(clip)
            self._pause(str(error), None, refused=False)
        return 0.0

    def _try(self, clip: WaitingClip) -> None:
        try:
            self._send(clip)
        except (_BreakOff, ClipGone):
            return
        except UploadExpired:
            self._outbox.note_upload(clip.clip, None)
            self._rest(clip)
        except ItemRefused as error:
            self._refused(clip, str(error))
        except UplinkRefused as error:
            self._pause(str(error), None, refused=True)
        except UplinkUnavailable as error:
            self._rest(clip)
            self._pause(str(error), error.after_s, refused=False)
        else:
            self._told = ""

    def _next_clip(self, now_ms: float) -> WaitingClip | None:
        resting = [clip for clip, rest in self._resting.items() if rest.until_ms > now_ms]
        if len(resting) >= _MOST_RESTING:
            return None
        self._turn_of_newest = not self._turn_of_newest
        return self._outbox.next_clip(resting, newest=self._turn_of_newest)

    def _send(self, clip: WaitingClip) -> None:
        if not clip.path.is_file():
            log.error("clip file is gone; the loss is told", clip=clip.clip, file=clip.path.name)
            self._outbox.forget_clips([clip.clip], "file is gone from the box")
            return
        upload = TusUpload(self._server, self._session, clip, lambda size_bytes: self._pace(clip, size_bytes))
        if clip.upload_url is not None and clip.clip not in self._resting:
            upload.resume(clip.upload_url)
        elif clip.upload_url is not None:
            self._resume_or_begin(upload, clip.upload_url)
        else:
            upload.begin()
        if upload.path != clip.upload_url:
            self._outbox.note_upload(clip.clip, upload.path)
            reach("upload.created")
        while not upload.is_complete():
            before = upload.offset
            took_s = upload.send_chunk(self._chunk_bytes)
            self.counters.bytes_sent += upload.offset - before
            reach("upload.chunk.sent")
            self._chunk_bytes = next_chunk_bytes(self._chunk_bytes, took_s)
            self._backoff.reset()
        self.counters.uploads += 1
        reach("upload.whole")
        self._await_receipt(clip)

    def _resume_or_begin(self, upload: TusUpload, path: str) -> None:
        """A whole upload without a receipt is created again: a server that has it says so, and sends the receipt."""
        upload.resume(path)
        if upload.is_complete():
            upload.begin()

    def _pace(self, clip: WaitingClip, most_bytes: int) -> int:
        self._beat()
        size_bytes = min(most_bytes, LARGEST_PIECE_BYTES)
        now_ms = self._clock.mono_ms()
        if self._heed_limit(now_ms) == 0:
            raise _BreakOff
        wait_s = 0.0
        if self._giving_way is not None:
            round_trip = self._line.round_trip()
            if round_trip is not None:
                self._giving_way.note(round_trip.queue_ms, round_trip.best_ms, now_ms)
            size_bytes = min(size_bytes, self._giving_way.piece_bytes())
            wait_s = self._giving_way.wait_s(size_bytes, now_ms)
            self._giving_way.sent(size_bytes)
        wait_s = max(wait_s, self._bucket.wait_s(size_bytes, now_ms))
        while wait_s > 0 and not self._stop.is_set():
            self._stop.wait(min(wait_s, _TURN_S))
            wait_s -= _TURN_S
            self._beat()
        if self._stop.is_set() or not self._outbox.is_waiting(clip.clip):
            raise _BreakOff
        return size_bytes

    def _heed_limit(self, now_ms: float) -> int | None:
        """The limit of this hour; 0: clips wait."""
        kbps = self._max_kbps()
        if kbps != self._kbps:
            log.info("another limit for clips", max_kbps=kbps)
            self._kbps, self._bucket = kbps, TokenBucket(kbps or None, now_ms)
        return kbps

    def _await_receipt(self, clip: WaitingClip) -> None:
        rest = self._resting.get(clip.clip)
        if rest is None or rest.backoff.failures == 0:
            log.info("clip sent", clip=clip.clip, camera=clip.camera, size_bytes=clip.size_bytes)
        backoff = Backoff(_ASK_AGAIN_FIRST_S, _ASK_AGAIN_CAP_S, self._rng)
        backoff.failures = rest.backoff.failures if rest else 0
        self._resting[clip.clip] = _Rest(self._clock.mono_ms() + backoff.next_s() * 1000, backoff)
        self._forget_finished()

    def _rest(self, clip: WaitingClip) -> _Rest:
        rest = self._resting.setdefault(clip.clip, _Rest(0.0, Backoff(_CLIP_FIRST_S, _CLIP_CAP_S, self._rng)))
        rest.until_ms = self._clock.mono_ms() + rest.backoff.next_s() * 1000
        self._forget_finished()
        return rest

    def _forget_finished(self) -> None:
        for clip in [clip for clip in self._resting if not self._outbox.is_waiting(clip)]:
            del self._resting[clip]

    def _refused(self, clip: WaitingClip, reason: str) -> None:
        """Bytes may have been damaged on the way: begin anew a few times before giving up on a clip."""
        rest = self._rest(clip)
        rest.refusals += 1
        self._outbox.note_upload(clip.clip, None)
        if rest.refusals >= _REFUSALS_TO_PARK:
            self._outbox.park("clip", clip.clip, reason)
            self._resting.pop(clip.clip, None)
            self.counters.parked += 1

    def _pause(self, reason: str, after_s: float | None, *, refused: bool) -> None:
        self.counters.failures += 1
        wait_s = max(self._backoff.next_s(), after_s or 0.0)
        self._not_before_ms = self._clock.mono_ms() + wait_s * 1000
        if reason != self._told:
            say = log.error if refused else log.warning
            say(
                "collector refuses uploads of this box" if refused else "upload broken off; it goes on later",
                reason=reason,
                next_try_s=round(wait_s, 1),
            )
        self._told = reason
