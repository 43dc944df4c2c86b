"""Writes a recording with what the detector saw drawn into it, for tuning: the one place that encodes video."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

_ZONE, _MASK, _MOVING, _TEXT = (255, 200, 0), (120, 120, 120), (0, 220, 255), (255, 255, 255)
_CLOCK = Fraction(1, 90_000)


class OverlayWriter:
    """An MP4 (H.264) of drawn frames; the first frame decides its size. Raises OSError where the disk fails."""

    def __init__(
        self,
        path: Path,
        zones: Sequence[tuple[str, Sequence[tuple[float, float]]]] = (),
        masks: Sequence[Sequence[tuple[float, float]]] = (),
    ) -> None:
        self._container = av.open(str(path), "w", format="mp4")
        self._stream: VideoStream | None = None
        self._zones = zones
        self._masks = masks
        self._last_pts = -1

    def write(
        self,
        bgr: NDArray[np.uint8],
        t_s: float,
        boxes: Sequence[tuple[tuple[float, float, float, float], str]],
        why: str,
    ) -> None:
        """Add one frame of time `t_s`: boxes in 0..1 with a word each, and a line of text."""
        picture = np.ascontiguousarray(bgr[: bgr.shape[0] // 2 * 2, : bgr.shape[1] // 2 * 2])
        height, width = picture.shape[:2]
        for mask in self._masks:  # darkened: nothing that goes on there counts
            hidden = np.zeros(picture.shape[:2], np.uint8)
            cv2.fillPoly(hidden, [_corners(mask, width, height)], 1)
            picture[hidden > 0] //= 3
            cv2.polylines(picture, [_corners(mask, width, height)], isClosed=True, color=_MASK, lineType=cv2.LINE_AA)
        for name, zone in self._zones:
            corners = _corners(zone, width, height)
            cv2.polylines(picture, [corners], isClosed=True, color=_ZONE, lineType=cv2.LINE_AA)
            left, bottom = int(corners[:, 0].min()), int(corners[:, 1].max())
            _put_text(picture, name, (left + 5, min(height, bottom) - 22))
        for (x0, y0, x1, y1), word in boxes:
            top_left, bottom_right = (round(x0 * width), round(y0 * height)), (round(x1 * width), round(y1 * height))
            cv2.rectangle(picture, top_left, bottom_right, _MOVING, 2)
            _put_text(picture, word, (top_left[0], max(12, top_left[1] - 4)))
        _put_text(picture, f"{t_s:7.2f} s  {why}", (6, height - 8))
        self._encode(picture, t_s)

    def _encode(self, picture: NDArray[np.uint8], t_s: float) -> None:
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "23"})
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = _CLOCK
        if picture.shape[:2] != (self._stream.height, self._stream.width):
            picture = cv2.resize(picture, (self._stream.width, self._stream.height)).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        self._last_pts = max(self._last_pts + 1, round(t_s / _CLOCK))
        frame.pts, frame.time_base = self._last_pts, _CLOCK
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def _corners(polygon: Sequence[tuple[float, float]], width: int, height: int) -> NDArray[np.int32]:
    return np.array([[round(x * width), round(y * height)] for x, y in polygon], np.int32)


def _put_text(picture: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's built-in letters have no marks
    cv2.putText(picture, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _TEXT, 1, cv2.LINE_AA)
