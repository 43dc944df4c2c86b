"""Makes the snapshot of an episode: a JPEG within a byte budget, the moving region drawn on it. PURE but for OpenCV."""

from collections.abc import Sequence

import cv2
import numpy as np

from edge_agent.camera.frames import Picture

_QUALITIES = (85, 75, 65, 55, 45, 35)
_SHRINK = 0.75
_SMALLEST_WIDTH = 64
_AMBER = (0, 176, 255)
_BLACK = (0, 0, 0)


def draw_snapshot(bgr: Picture, box: Sequence[float] | None, max_bytes: int = 40 * 1024, max_width: int = 960) -> bytes:
    """JPEG of at most `max_bytes`; `box` is [x0, y0, x1, y1] in 0..1. ValueError where it cannot be made that small."""
    height, width = bgr.shape[:2]
    picture = bgr
    if width > max_width:
        picture = _resized(bgr, max_width, max(1, round(height * max_width / width)))
    while True:
        drawn = _with_box(picture, box)
        for quality in _QUALITIES:
            ok, jpeg = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
            if ok and len(jpeg) <= max_bytes:
                return bytes(jpeg)
        height, width = picture.shape[:2]
        if width * _SHRINK < _SMALLEST_WIDTH:
            raise ValueError(f"no snapshot of {width} x {height} fits in {max_bytes} bytes")
        picture = _resized(picture, round(width * _SHRINK), max(1, round(height * _SHRINK)))


def _resized(picture: Picture, width: int, height: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _with_box(picture: Picture, box: Sequence[float] | None) -> Picture:
    """A copy with the region outlined, amber on black: seen on day and night pictures alike."""
    if box is None:
        return picture
    height, width = picture.shape[:2]
    x0, x1 = (round(min(max(x, 0.0), 1.0) * (width - 1)) for x in (box[0], box[2]))
    y0, y1 = (round(min(max(y, 0.0), 1.0) * (height - 1)) for y in (box[1], box[3]))
    drawn = picture.copy()
    thin = max(1, width // 400)
    cv2.rectangle(drawn, (x0, y0), (x1, y1), _BLACK, thin + 2)
    cv2.rectangle(drawn, (x0, y0), (x1, y1), _AMBER, thin)
    return drawn
