"""What a source sends, picture by picture: by our own RTSP client where it knows the stream, else by FFmpeg's demuxers.

Rules: what FFmpeg can open is opened; which of the two ways was taken shows in nothing that comes out.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from edge_agent.camera import opening
from edge_agent.camera.opening import OpenDeadlines, Stoppable
from edge_agent.camera.rtp import CodedPicture, Unfamiliar
from edge_agent.camera.rtsp import RtspSession, SignInRefused
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable, NeedsDemuxer

_RTP_CLOCK = Fraction(1, 90_000)
_FIRST_PICTURES = 4  # among them those from the future show
_MORE_S = 0.5
_WAITED_S = 0.001
_CLOCKLESS = ("mpjpeg",)  # the demuxer counts frames as if they came at 25 a second


@dataclass(slots=True)
class Unit:
    """One compressed picture, or a piece of one, as it came; stamps in the feed's `time_base`."""

    data: bytes
    pts: int | None
    dts: int | None
    duration: int | None
    is_key: bool
    announces_change: bool = False


class Feed(Protocol):
    """One opened source. `stream` has its decoder, and is the template for whoever writes its packets.

    `time_base` is None where the source has no clock of its own, `fps` where it promises no rate. `caught_up`: no
    other unit lies behind the last one, here or in the socket.
    """

    stream: VideoStream
    time_base: Fraction | None
    fps: float | None

    @property
    def caught_up(self) -> bool: ...

    def units(self) -> Iterator[Unit]:
        """Until the source ends, or the wish to stop comes. Raises CameraUnavailable."""
        ...

    def close(self) -> None: ...


def open_feed(address: SourceAddress, deadlines: OpenDeadlines, stop: Stoppable, *, ordinary: bool = True) -> Feed:
    """Open a source; raises CameraUnavailable. `ordinary` False: `NeedsDemuxer` was raised of it before."""
    if address.kind == "rtsp" and ordinary:
        try:
            return RtspFeed(address, deadlines, stop)
        except Unfamiliar:
            pass
    return DemuxerFeed(address, deadlines, stop)


class RtspFeed:
    """A camera whose RTSP is of the ordinary kind. Raises Unfamiliar at once where it is not."""

    time_base: Fraction | None = _RTP_CLOCK
    fps: float | None = None

    def __init__(self, address: SourceAddress, deadlines: OpenDeadlines, stop: Stoppable) -> None:
        self._address = address
        self._deadlines = deadlines
        ends_at = time.monotonic() + deadlines.open_s
        try:
            self._session = RtspSession(address.target, deadlines.open_s, deadlines.read_s, stop)
        except SignInRefused:
            raise opening.sign_in_refused(address) from None
        except OSError as error:
            raise opening.explain(error, address, deadlines.open_s, opened=False) from None
        self._pictures = self._session.pictures()
        self._first: list[CodedPicture] = []
        try:
            self._container = self._until_known(ends_at)
            self.stream = opening.video_stream(self._container, address)
        except BaseException:
            self._session.close()
            raise

    @property
    def caught_up(self) -> bool:
        return self._session.caught_up

    def _until_known(self, ends_at: float) -> InputContainer:
        """Fetch the first pictures; what their parameter sets say is read by FFmpeg."""
        offer, known = self._session.offer, b""
        try:
            while not known:
                picture = next(self._pictures, None)
                if picture is None:
                    raise CameraUnavailable("ended", opening.ended(self._address))
                if time.monotonic() > ends_at:
                    raise TimeoutError
                self._first.append(picture)
                if offer.parameter_sets or picture.is_key:
                    known = offer.parameter_sets + picture.data
            self._fetch_some_more()
            container = av.open(io.BytesIO(known), "r", format=offer.codec)
        except (av.error.FFmpegError, OSError) as error:
            raise opening.explain(error, self._address, self._deadlines.open_s, opened=False) from None
        if any(stream.codec_context.has_b_frames for stream in container.streams.video):
            raise Unfamiliar("pictures from the future")
        return container

    def _fetch_some_more(self) -> None:
        """A few pictures, as far as they come quickly: what is not ordinary mostly shows in them."""
        self._session.expect(_MORE_S)
        try:
            while len(self._first) < _FIRST_PICTURES and (picture := next(self._pictures, None)) is not None:
                self._first.append(picture)
        except TimeoutError:
            self._pictures = self._session.pictures()
        self._session.expect(self._deadlines.read_s)

    def units(self) -> Iterator[Unit]:
        first, self._first = self._first, []
        try:
            for picture in first:
                yield _unit(picture)
            for picture in self._pictures:
                yield _unit(picture)
        except Unfamiliar:
            raise NeedsDemuxer("changed", opening.changed(self._address)) from None
        except OSError as error:
            raise opening.explain(error, self._address, self._deadlines.read_s, opened=True) from None

    def close(self) -> None:
        self._session.close()
        self._container.close()


def _unit(picture: CodedPicture) -> Unit:
    return Unit(picture.data, picture.pts, picture.pts, None, picture.is_key)


def _idle_s() -> float:
    """Rises while this thread waits and not while it works: taking a large picture apart is no wait."""
    return time.monotonic() - time.thread_time()


class DemuxerFeed:
    """Whatever FFmpeg opens."""

    def __init__(self, address: SourceAddress, deadlines: OpenDeadlines, stop: Stoppable) -> None:
        self._address = address
        self._deadlines = deadlines
        self._container = opening.open_container(address, deadlines, stop)
        try:
            self.stream = opening.video_stream(self._container, address)
        except CameraUnavailable:
            self._container.close()
            raise
        clockless = self._container.format.name in _CLOCKLESS
        rate = self.stream.average_rate or self.stream.guessed_rate
        self.time_base: Fraction | None = None if clockless else self.stream.time_base
        self.fps: float | None = float(rate) if rate and not clockless and 0 < rate < 1000 else None
        self.caught_up = False

    def units(self) -> Iterator[Unit]:
        asked_at = _idle_s()
        try:
            for raw in self._container.demux(self.stream):
                # What had to be waited for is the last there is. Not where lagging behind could not be seen.
                self.caught_up = self.time_base is not None and _idle_s() - asked_at >= _WAITED_S
                if raw.size:
                    yield Unit(
                        *(bytes(raw), raw.pts, raw.dts, raw.duration, bool(raw.is_keyframe)),
                        raw.has_sidedata("new_extradata"),
                    )
                asked_at = _idle_s()
        except (av.error.FFmpegError, OSError) as error:
            raise opening.explain(error, self._address, self._deadlines.read_s, opened=True) from None

    def close(self) -> None:
        self._container.close()
