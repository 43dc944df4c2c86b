"""Finds what moves in a camera's pictures. Pure: frames and their times come in as arguments."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.observation import Box, Observation, Region
from edge_agent.vision.settings import MotionSettings

__all__ = ["Box", "MotionDetector", "Observation", "Region"]

Grey = NDArray[Any]


class MotionDetector:
    """Looks at one camera's luma frames in order of time; any size, which may change between frames."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._before: Grey | None = None
        self._moved: Grey = np.zeros((1, 1), np.uint8)
        self._size = (1, 1)
        self._first_ms = 0.0

    def look(self, luma: Grey, t_ms: float) -> Observation:
        """`luma` is (H, W) uint8; `t_ms` any monotonic milliseconds. Returns what moves in this frame."""
        height, width = luma.shape
        small = cv2.resize(
            luma, (min(320, width), max(1, height * min(320, width) // width)), interpolation=cv2.INTER_AREA
        )
        before = self._before
        if before is None or before.shape != small.shape:
            before, self._first_ms = small, t_ms
        self._size = (width, height)
        self._moved = cv2.threshold(cv2.absdiff(small, before), 20, 255, cv2.THRESH_BINARY)[1]
        self._before = small
        ready = t_ms - self._first_ms >= 500
        points = cv2.findNonZero(self._moved)
        if points is None or len(points) < small.size * 0.002 or not ready:
            return Observation(t_ms, ready=ready)
        x, y, w, h = cv2.boundingRect(points)
        box = (x / small.shape[1], y / small.shape[0], (x + w) / small.shape[1], (y + h) / small.shape[0])
        region = Region(box, len(points) / small.size, 0.5)
        return Observation(t_ms, True, (region,), 0.5, ready=ready, since_ms=t_ms)

    def mask(self) -> Grey:
        """(H, W) uint8 of the last frame at its own size: 255 where something moves, else 0."""
        return cv2.resize(self._moved, self._size, interpolation=cv2.INTER_NEAREST)
