"""Writes a recording with what the detector saw drawn into it, for tuning: the one place that encodes video."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from edge_agent.recording.lettering import Lettering

Polygon = Sequence[tuple[float, float]]
Picture = NDArray[np.uint8]

_ZONE, _MASK, _MOVING, _DEMOTED = (255, 200, 0), (120, 120, 120), (0, 220, 255), (190, 190, 190)
_CLOCK = Fraction(1, 90_000)
_READABLE_WIDTH = 640
_LETTERS_SHARE, _LEAST_LETTERS_PX = 1 / 45, 14


@dataclass(frozen=True, slots=True)
class Moving:
    """What moves: its box in 0..1, a word to stand at it, and whether people are told of it."""

    box: tuple[float, float, float, float]
    word: str
    is_told: bool = True


class OverlayWriter:
    """An MP4 (H.264) of drawn frames; the first frame decides its size, and makes the file.

    Small pictures are drawn larger, so that words can be read. Raises OSError, with the file's name, where it cannot
    be written; what is there of it then goes.
    """

    def __init__(self, path: Path, zones: Sequence[tuple[str, Polygon]] = (), masks: Sequence[Polygon] = ()) -> None:
        self._path = path
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._lettering = Lettering(_LEAST_LETTERS_PX)
        self._zones = zones
        self._masks = masks
        self._last_pts = -1

    def write(self, bgr: Picture, t_s: float, moving: Sequence[Moving], why: str) -> None:
        """Add one frame of time `t_s`: what moves, and a line of text."""
        stream = self._stream or self._begin(bgr)
        picture = _sized(bgr, stream.width, stream.height)
        height, width = picture.shape[:2]
        for mask in self._masks:  # darkened: nothing that goes on there counts
            hidden = np.zeros(picture.shape[:2], np.uint8)
            cv2.fillPoly(hidden, [_corners(mask, width, height)], 1)
            picture[hidden > 0] //= 3
            cv2.polylines(picture, [_corners(mask, width, height)], isClosed=True, color=_MASK, lineType=cv2.LINE_AA)
        for name, zone in self._zones:
            corners = _corners(zone, width, height)
            cv2.polylines(picture, [corners], isClosed=True, color=_ZONE, thickness=2, lineType=cv2.LINE_AA)
            self._lettering.put(picture, name, int(corners[:, 0].min()) + 4, int(corners[:, 1].min()) + 4, _ZONE)
        for thing in moving:
            x0, y0, x1, y1 = thing.box
            top_left, bottom_right = (round(x0 * width), round(y0 * height)), (round(x1 * width), round(y1 * height))
            colour = _MOVING if thing.is_told else _DEMOTED
            cv2.rectangle(picture, top_left, bottom_right, colour, 2)
            self._lettering.put(picture, thing.word, top_left[0], top_left[1] - self._lettering.line_px, colour)
        minutes, seconds = divmod(t_s, 60)
        self._lettering.put(picture, f"{minutes:.0f}:{seconds:04.1f}  {why}", 0, height)
        self._encode(picture, t_s)

    def _begin(self, bgr: Picture) -> VideoStream:
        factor = -(-_READABLE_WIDTH // bgr.shape[1]) if bgr.shape[1] < _READABLE_WIDTH else 1
        height, width = (side * factor // 2 * 2 for side in bgr.shape[:2])
        self._lettering = Lettering(max(_LEAST_LETTERS_PX, round(height * _LETTERS_SHARE)))
        try:
            self._container = av.open(str(self._path), "w", format="mp4")
            self._stream = self._container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "23"})
            self._stream.height, self._stream.width = height, width
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = _CLOCK
            self._container.start_encoding()  # the coder looks far ahead: a wrong path would be told late
        except av.error.FFmpegError as error:
            raise self._unwritable(error) from None
        return self._stream

    def _encode(self, picture: Picture, t_s: float) -> None:
        assert self._container is not None  # noqa: S101 - both are made together
        assert self._stream is not None  # noqa: S101
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        self._last_pts = max(self._last_pts + 1, round(t_s / _CLOCK))
        frame.pts, frame.time_base = self._last_pts, _CLOCK
        try:
            self._container.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        """Finish the file. Nothing to do where no frame came, or a write failed."""
        container, self._container = self._container, None
        if container is None or self._stream is None:
            return
        try:
            container.mux(self._stream.encode(None))
            container.close()
        except av.error.FFmpegError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: av.error.FFmpegError) -> OSError:
        self._container = None
        if self._path.is_file():
            self._path.unlink(missing_ok=True)
        return OSError(error.errno, error.strerror, str(self._path))


def _sized(bgr: Picture, width: int, height: int) -> Picture:
    """A copy of that size."""
    if bgr.shape[1] in (width, width + 1) and bgr.shape[0] in (height, height + 1):
        return np.ascontiguousarray(bgr[:height, :width]).copy()
    return np.asarray(cv2.resize(bgr, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _corners(polygon: Polygon, width: int, height: int) -> NDArray[np.int32]:
    return np.array([[round(x * width), round(y * height)] for x, y in polygon], np.int32)
