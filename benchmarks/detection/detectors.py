"""The detectors that are compared, all behind the same two calls, all with the same episodes made of what they find."""

from typing import Any, Protocol

import cv2
import numpy as np

from benchmarks.detection.videos import Picture
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.observation import Observation, Region
from edge_agent.vision.settings import MotionSettings


class Detector(Protocol):
    """Anything that looks at frames."""

    def look(self, luma: Picture, t_ms: float, /) -> Observation:
        """What moves in this frame."""

    def mask(self) -> Picture:
        """Where it moves: uint8, 255 moving."""


class Subtractor:
    """OpenCV's background subtraction, a 5x5 median, motion where a patch exceeds 0.15 % of the picture."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._mask: Picture = np.zeros((1, 1), np.uint8)
        self._frames = 0

    def look(self, luma: Picture, t_ms: float, /) -> Observation:
        self._mask = cv2.medianBlur(cv2.threshold(self._model.apply(luma), 0, 255, cv2.THRESH_BINARY)[1], 5)
        self._frames += 1
        height, width = luma.shape
        _, _, stats, _ = cv2.connectedComponentsWithStats(self._mask)
        regions = tuple(
            Region((x / width, y / height, (x + w) / width, (y + h) / height), area / luma.size, 0.5)
            for x, y, w, h, area in stats[1:].tolist()
            if area > 0.0015 * luma.size
        )
        return Observation(t_ms, bool(regions) and self._frames > 5, regions, 0.5)

    def mask(self) -> Picture:
        return self._mask


def detector(name: str) -> Detector:
    """A new one by its name in the table."""
    if name == "ours":
        return MotionDetector(MotionSettings())
    if name == "MOG2":
        return Subtractor(cv2.createBackgroundSubtractorMOG2())
    if name == "KNN":
        return Subtractor(cv2.createBackgroundSubtractorKNN())
    raise ValueError(f"no detector is called {name!r}: ours, MOG2 or KNN")


DETECTORS = ("ours", "MOG2", "KNN")
