"""Keeps one stream of one camera coming: open, demux, look, and open again when it fails.

Rules: a failure of the camera stays in this loop (reported, counted, retried); a frame is looked at in the thread that
decoded it; `on_frame=None` never decodes; `attention` says how much is decoded, None: all of it. Callbacks run in this
thread and must not block.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from edge_agent.camera.attention import COPYING_GATHER_S, Attention
from edge_agent.camera.gaze import Gaze, Look, Seen, StandsOut
from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.reader import Deadlines, Moments, Reader, StopWish, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.stats import CaptureStats, Rate, State
from edge_agent.camera.unavailable import CameraUnavailable, NeedsDemuxer
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

_SETTLED_MS = 10_000.0  # a stream that lasted this long was a good one: the next failure waits the first step again
_REST_S = 5.0
_LONGEST_GOP_MS = 35_000.0


class PacketHandler(Protocol):
    """Takes each packet of the stream, in the order it came, with what the stream is (a new `info` = a new stream)."""

    def __call__(self, packet: Packet, info: StreamInfo) -> None: ...


class Beat(Protocol):
    """The thread's sign of life."""

    def beat(self) -> None: ...


class Capture:
    """One stream; `run(pulse)` is the thread's target and returns when `stop` is set."""

    def __init__(
        self,
        name: str,
        address: SourceAddress,
        *,
        clock: Moments,
        backoff: Backoff,
        stop: StopWish,
        on_packet: PacketHandler | None,
        on_frame: Look | None = None,
        stands_out: StandsOut = lambda _: True,
        attention: Attention | None = None,
        on_state: Callable[[State, CameraUnavailable | None], None] | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        self.name = name
        self._address = address
        self._clock = clock
        self._backoff = backoff
        self._stop = stop
        self._on_packet = on_packet
        self._on_frame = on_frame
        self._stands_out = stands_out
        self._attention = attention
        self._on_state = on_state
        self._deadlines = deadlines or Deadlines()
        self._lock = threading.Lock()  # guards what changes seldom; counters have one writer and need none
        self._stats = CaptureStats()
        self._rate = Rate()
        self._seen = Seen()
        self._packets = self._discontinuities = 0
        self._last_packet_mono_ms: float | None = None
        self._ordinary = True

    def stats(self) -> CaptureStats:
        """A snapshot, from any thread."""
        with self._lock:
            stats, rate = self._stats, self._rate
        streaming = stats.state == "streaming"
        fps, bps = rate.figures(self._clock.mono_ms()) if streaming else (None, None)
        return replace(
            stats,
            fps_in=fps,
            bitrate_in_bps=bps,
            packets=self._packets,
            frames_decoded=self._seen.decoded,
            decode_errors=self._seen.decode_errors,
            discontinuities=self._discontinuities,
            last_packet_mono_ms=self._last_packet_mono_ms,
            last_frame_mono_ms=self._seen.last_frame_mono_ms,
        )

    def run(self, pulse: Beat) -> None:
        """Stream until asked to end."""
        while not self._stop.is_set():
            pulse.beat()
            self._enter("connecting")
            began_ms = self._clock.mono_ms()
            try:
                self._stream(pulse)
                break
            except CameraUnavailable as error:
                if self._clock.mono_ms() - began_ms >= _SETTLED_MS:
                    self._backoff.reset()
                self._ordinary = self._ordinary and not isinstance(error, NeedsDemuxer)
                self._fail(error)
                if error.reason == "ended" and self._address.kind == "file":
                    self._rest(pulse)
                    break
            wait_s = self._backoff.next_s()
            log.warning(
                "camera unavailable",
                camera=self.name,
                reason=self._stats.last_error,
                what=self._stats.last_error_text,
                retry_s=round(wait_s, 1),
            )
            pulse.beat()
            if self._stop.wait(wait_s):
                break

    def _rest(self, pulse: Beat) -> None:
        """A file that was played to its end is not played again: what it showed has been told."""
        log.info("file played to its end", camera=self.name, source=self._address.redacted)
        while not self._stop.wait(_REST_S):
            pulse.beat()

    def _stream(self, pulse: Beat) -> None:
        reader = open_reader(self._address, self._deadlines, self._clock, self._stop, ordinary=self._ordinary)
        reader.gather_s = COPYING_GATHER_S if self._on_frame is None else 0.0
        try:
            log.info(
                "camera streams",
                camera=self.name,
                source=self._address.redacted,
                codec=reader.info.codec,
                width=reader.info.width,
                height=reader.info.height,
            )
            self._opened(reader.info)
            self._copy_and_look(reader, pulse)
        finally:
            reader.close()

    def _copy_and_look(self, reader: Reader, pulse: Beat) -> None:
        # Pictures before the first key frame are grey mush: neither kept nor looked at. A camera that refreshes bit by
        # bit never sends one: it is looked at after a while, though nothing of it can be recorded.
        waits_for_key = True
        gives_up_ms = self._clock.mono_ms() + _LONGEST_GOP_MS
        gaze = None
        if self._on_frame is not None:
            gaze = Gaze(reader, self._attention, self._on_frame, self._seen, self._stands_out)
        jumps = 0
        for packet in self._until_end(reader, gaze):
            pulse.beat()
            self._packets += 1
            self._last_packet_mono_ms = packet.mono_ms
            self._rate.add(packet.mono_ms, len(packet.data))
            self._discontinuities += reader.jumps - jumps
            jumps = reader.jumps
            if waits_for_key and not packet.is_key and packet.mono_ms < gives_up_ms:
                continue
            waits_for_key = False
            if self._on_packet is not None:
                self._on_packet(packet, reader.info)
            if gaze is not None:
                errors = self._seen.decode_errors
                gaze.take(packet)
                self._tell_decode_errors(errors)

    def _until_end(self, reader: Reader, gaze: Gaze | None) -> Iterator[Packet]:
        """The reader's packets; the last pictures of a stream that ended are looked at before it is told."""
        try:
            yield from reader.packets()
        except CameraUnavailable:
            if gaze is not None and self._seen.decoded:
                gaze.finish()
            raise

    def _tell_decode_errors(self, before: int) -> None:
        if before < self._seen.decode_errors and self._seen.errors_in_a_row == 1:
            log.warning("packet cannot be decoded", camera=self.name, what=self._seen.last_error)

    def _opened(self, info: StreamInfo) -> None:
        with self._lock:
            self._rate = Rate()
            self._stats = replace(self._stats, info=info)
        self._enter("streaming")

    def _fail(self, error: CameraUnavailable) -> None:
        with self._lock:
            self._stats = replace(
                self._stats,
                reconnects=self._stats.reconnects + (self._stats.state == "streaming"),
                last_error=error.reason,
                last_error_text=str(error),
            )
        self._enter("unavailable", error)

    def _enter(self, state: State, why: CameraUnavailable | None = None) -> None:
        with self._lock:
            self._stats = replace(self._stats, state=state, since_mono_ms=self._clock.mono_ms())
        if self._on_state is not None:
            self._on_state(state, why)
