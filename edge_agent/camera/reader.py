"""Opens a source and yields its video packets under hard deadlines; decodes only what it is asked to.

Rules: every wait ends (open_s, read_s, or the wish to stop); every failure is a `CameraUnavailable` in plain words;
packets are byte for byte the source's own; one decoding thread (a box has more cameras than cores).
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import av.error
import numpy as np
from av.video.stream import VideoStream

from edge_agent.camera import opening
from edge_agent.camera.feed import Feed, Unit, open_feed
from edge_agent.camera.frames import Frame, Picture
from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.parameter_sets import continues_picture, parameter_sets
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.timeline import Timeline
from edge_agent.camera.unavailable import CameraUnavailable

_REMEMBERED_PACKETS = 64  # longer than any reorder depth with room for repeated stamps
_DEEPEST_REORDER = 16  # pictures that H.264 and H.265 hold back at most
_OWN_CLOCK = Fraction(1, 90_000)


class Moments(Protocol):
    """The one thing a reader asks of the clock."""

    def mono_ms(self) -> float: ...


class StopWish(Protocol):
    """The wish to end: `wait` sleeps, but wakes at once when it comes."""

    def is_set(self) -> bool: ...

    def wait(self, seconds: float | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a source may take to open, and then to send the next packet."""

    open_s: float = 10.0
    read_s: float = 10.0


class Reader:
    """One opened source. Use it in one thread; `close()` it there.

    `gather_s`: let packets of a network stream gather in the socket for so long once all that came is read. One waking
    then serves many packets, at the price of so much delay. A reader that lags behind never does.
    """

    def __init__(
        self, address: SourceAddress, feed: Feed, deadlines: Deadlines, clock: Moments, stop: StopWish
    ) -> None:
        self._address = address
        self._feed = feed
        self._deadlines = deadlines
        self._clock = clock
        self._stop = stop
        self._use_decoder()
        time_base = feed.time_base or _OWN_CLOCK
        self._timeline = Timeline(time_base, jump_ms=max(deadlines.read_s, 1.0) * 1000.0)
        self.gather_s = 0.0
        self._held: list[Frame] = []
        self._moments: dict[int | None, float] = {}  # of packets whose picture was not shown yet
        self._last_shown_pts: int | None = None
        self._stamped_as_decoded = False
        self._last_mono_ms = self.shown_ms = self._arrival_ms = clock.mono_ms()
        self._in_pieces: bool | None = None
        self._parameter_sets: frozenset[bytes] = frozenset()
        self.info = StreamInfo(
            codec=self._decoder.name,
            width=self._decoder.width,
            height=self._decoder.height,
            fps=feed.fps,
            time_base=time_base,
            header=stream_header(feed.stream),
        )

    def _use_decoder(self) -> None:
        self._decoder = self._feed.stream.codec_context
        self._decoder.thread_count = 1

    @property
    def jumps(self) -> int:
        """How often the stream's own clock jumped since it was opened."""
        return self._timeline.jumps

    def close(self) -> None:
        """Let go of the connection or device."""
        self._feed.close()

    def packets(self) -> Iterator[Packet]:
        """Each packet as it comes. Ends by stop or `CameraUnavailable`."""
        offset, started_ms = 0, self._clock.mono_ms()
        while not self._stop.is_set():
            begin: int | None = None
            end = 0
            for unit in self._whole_pictures():
                if self._stop.is_set():
                    return
                stamp = unit.dts if unit.dts is not None else unit.pts
                if self._address.kind == "file" and stamp is not None:
                    begin = stamp if begin is None else begin
                    end = max(end, stamp + (unit.duration or self._one_frame()))
                    due_ms = started_ms + float((stamp - begin + offset) * self.info.time_base) * 1000.0
                    if self._stop.wait(max(0.0, due_ms - self._clock.mono_ms()) / 1000.0):
                        return
                    self._arrival_ms = self._clock.mono_ms()
                yield self._place(unit, offset)
                if self._may_gather() and self._stop.wait(self.gather_s):
                    return
            if self._stop.is_set():
                return
            if not self._address.loop or begin is None:
                raise CameraUnavailable("ended", opening.ended(self._address))
            offset += end - begin
            self._rewind()

    def _may_gather(self) -> bool:
        return self.gather_s > 0 and self._feed.caught_up and self._address.kind in ("rtsp", "http")

    def _place(self, unit: Unit, offset: int) -> Packet:
        self._watch_parameters(unit)
        clockless = self._feed.time_base is None
        pts = None if clockless or unit.pts is None else unit.pts + offset
        dts = None if clockless or unit.dts is None else unit.dts + offset
        placed = self._timeline.place(pts, dts, self._arrival_ms)
        self._last_mono_ms = placed.mono_ms
        duration = None if clockless else unit.duration or None
        return Packet(unit.data, placed.pts, placed.dts, duration, self.info.time_base, unit.is_key, placed.mono_ms)

    def _watch_parameters(self, unit: Unit) -> None:
        """A camera that is set to another size keeps its connection: parameter sets inside the key frame tell."""
        if unit.announces_change:
            raise CameraUnavailable("changed", opening.changed(self._address))
        if not unit.is_key:
            return
        found = parameter_sets(self.info.codec, unit.data)
        if self._parameter_sets and not found <= self._parameter_sets:
            raise CameraUnavailable("changed", opening.changed(self._address))
        self._parameter_sets = found or self._parameter_sets

    def _whole_pictures(self) -> Iterator[Unit]:
        """Servers that repeat parameter sets before each slice make the demuxer cut a key frame in two: joined again.

        Only a stream whose first key frame came in pieces pays for it, with one frame's delay of its key frames.
        """
        held: Unit | None = None
        held_ms = 0.0
        for unit in self._feed.units():
            now_ms = self._clock.mono_ms()
            if held is not None:
                if continues_picture(self.info.codec, unit.data):
                    held.data, self._in_pieces = held.data + unit.data, True
                    continue
                if self._in_pieces is None:
                    self._in_pieces = False
                self._arrival_ms = held_ms
                yield held
                held = None
            if unit.is_key and self._in_pieces is not False:
                held, held_ms = unit, now_ms
            else:
                self._arrival_ms = now_ms
                yield unit
        if held is not None:
            yield held

    def _one_frame(self) -> int:
        return round(1 / (self.info.fps or 25.0) / self.info.time_base)

    def _rewind(self) -> None:
        """Open the file anew: cheaper to trust than a seek in a file whose index may lie."""
        if self._decoder.is_open:
            self._held = self.flush()
        self._feed.close()
        self._feed = open_feed(self._address, self._deadlines, self._stop)
        self._use_decoder()
        self._forget_moments()

    def decode(self, packet: Packet) -> list[Frame]:
        """The pictures that this packet completes (none or several where a codec reorders)."""
        self._moments[packet.pts] = packet.mono_ms
        most = _DEEPEST_REORDER + 1 if self._stamped_as_decoded else _REMEMBERED_PACKETS
        while len(self._moments) > most:
            del self._moments[next(iter(self._moments))]
        raw = av.Packet(packet.data)
        raw.pts, raw.dts, raw.time_base, raw.is_keyframe = packet.pts, packet.dts, packet.time_base, packet.is_key
        try:
            pictures = self._decoder.decode(raw)
        except av.error.FFmpegError:
            self._moments.pop(packet.pts, None)
            raise CameraUnavailable("decode", opening.undecodable(self._address)) from None
        held, self._held = self._held, []
        return held + [self._frame(picture) for picture in pictures]

    def decode_key(self, packet: Packet) -> tuple[list[Frame], bool]:
        """The picture of a key frame, with nothing before it; and whether the decoder can go on behind it.

        If not, because it holds pictures back, it then stands as if just opened.
        """
        self.restart_decoder(packet.mono_ms)
        frames = self.decode(packet)
        if frames:
            return frames, True
        frames = self.flush()
        self.restart_decoder(packet.mono_ms)
        return frames, False

    def restart_decoder(self, shown_ms: float) -> None:
        """Forget all pictures: the next packet is a key frame. Those of `shown_ms` and before have been seen."""
        if self._decoder.is_open:
            self._decoder.flush_buffers()
        self._held.clear()
        self._forget_moments()
        self.shown_ms = shown_ms

    def _forget_moments(self) -> None:
        self._moments.clear()
        self._last_shown_pts = None

    def flush(self) -> list[Frame]:
        """The pictures that the decoder still holds back for reordering; ask once, when `packets()` has ended."""
        held, self._held = self._held, []
        with suppress(av.error.FFmpegError):
            held += [self._frame(picture) for picture in self._decoder.decode(None)]
        return held

    def _frame(self, picture: av.VideoFrame) -> Frame:
        pts = self._shown_pts(picture.pts)
        mono_ms = self._moments.pop(pts, 0.0) if pts is not None else self._last_mono_ms
        self.shown_ms = max(mono_ms, self.shown_ms)  # who looks must never see time run backwards
        return Frame(
            luma=luma_of(picture),
            mono_ms=self.shown_ms,
            pts=pts,
            width=picture.width,
            height=picture.height,
            is_key=picture.key_frame,
            to_bgr=lambda: _as_bytes(picture, "bgr24"),
        )

    def _shown_pts(self, pts: int | None) -> int | None:
        """A picture's stamp; where stamps turn out to be of the order of decoding (AVI), the earliest yet unused."""
        if pts is None:
            return None
        if self._last_shown_pts is not None and pts < self._last_shown_pts:
            self._stamped_as_decoded = True
        self._last_shown_pts = pts
        if self._stamped_as_decoded:
            return min((stamp for stamp in self._moments if stamp is not None), default=pts)
        return pts


def open_reader(
    address: SourceAddress, deadlines: Deadlines, clock: Moments, stop: StopWish, *, ordinary: bool = True
) -> Reader:
    """Open a source within `deadlines.open_s`; raises `CameraUnavailable`. `ordinary`: see `open_feed`."""
    feed = open_feed(address, deadlines, stop, ordinary=ordinary)
    try:
        return Reader(address, feed, deadlines, clock, stop)
    except CameraUnavailable:
        feed.close()
        raise


def stream_header(stream: VideoStream) -> bytes:
    """What `StreamInfo.header` promises, or b"" where MP4 cannot hold the codec or its parameters are not known."""
    try:
        _empty_file(stream, "mp4")  # only to see whether it can be done
        # NUT keeps the codec parameters as the source gave them. MP4 turns Annex B parameters into its own form, and
        # the clip's muxer then takes packets with start codes for length-prefixed ones: clips that nothing decodes.
        return _empty_file(stream, "nut")
    except (av.error.FFmpegError, ValueError):
        return b""


def _empty_file(stream: VideoStream, container: str) -> bytes:
    target = io.BytesIO()
    options = {"movflags": "empty_moov"} if container == "mp4" else {}
    with av.open(target, "w", format=container, options=options) as output:
        copy = output.add_stream_from_template(stream, opaque=True)
        output.start_encoding()
        if container == "nut":  # its reader wants one packet before it believes in the stream
            packet = av.Packet(bytes(8))
            packet.stream, packet.is_keyframe = copy, True
            packet.pts = packet.dts = 0
            output.mux_one(packet)
    return target.getvalue()


def luma_of(picture: av.VideoFrame) -> Picture:
    """The brightness plane, (height, width) uint8: a view where the format has one of 8 bits, else converted."""
    name = picture.format.name
    width, height = picture.width, picture.height
    planar = name.startswith(("yuv4", "yuvj4", "nv1", "nv2")) and picture.format.components[0].bits == 8
    if not (planar or name in ("gray", "yuyv422")):
        return _as_bytes(picture, "gray")
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height]
    return rows[:, : 2 * width : 2] if name == "yuyv422" else rows[:, :width]


def _as_bytes(picture: av.VideoFrame, pixels: str) -> Picture:
    return np.asarray(picture.to_ndarray(format=pixels), dtype=np.uint8)
