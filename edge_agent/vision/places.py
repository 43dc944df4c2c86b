"""Zones, masks and least sizes of the settings, drawn at the working size. Pure."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.settings import MotionSettings, Polygon

Image = NDArray[Any]

LEAST_SHARE = {1: 0.004, 2: 0.0015, 3: 0.0006, 4: 0.0003, 5: 0.00015}
THRESHOLD_FACTOR = {1: 1.8, 2: 1.3, 3: 1.0, 4: 0.8, 5: 0.65}
LEAST_PIXELS = 10
ZONE_SHARE = 0.3
"""A thing is in a zone when so much of it is, or when its feet are."""


class Places:
    """Where to look, how closely, and how large a thing must be, at one working size."""

    def __init__(self, settings: MotionSettings, width: int, height: int) -> None:
        self._width, self._height = width, height
        self.ignored: Image = np.zeros((height, width), np.uint8)
        for polygon in settings.masks:
            self._draw(self.ignored, polygon, 255)
        self.threshold_factor: Image = np.full((height, width), THRESHOLD_FACTOR[settings.sensitivity], np.float32)
        self._zones: list[tuple[str, Image, int]] = []
        picture = width * height
        for zone in settings.zones:
            area = np.zeros((height, width), np.uint8)
            self._draw(area, zone.polygon, 255)
            sensitivity = zone.sensitivity if zone.sensitivity is not None else settings.sensitivity
            self._zones.append((zone.name, area, self._pixels(settings.min_size, sensitivity, picture)))
            self.threshold_factor[area > 0] = THRESHOLD_FACTOR[sensitivity]
        sizes = [least for _, _, least in self._zones]
        self.least_area = min(sizes, default=self._pixels(settings.min_size, settings.sensitivity, picture))

    @staticmethod
    def _pixels(min_size: float | None, sensitivity: int, picture: int) -> int:
        share = min_size if min_size is not None else LEAST_SHARE[sensitivity]
        return max(LEAST_PIXELS, round(share * picture))

    def _draw(self, area: Image, polygon: Polygon, value: int) -> None:
        points = np.array([[(x * self._width - 0.5, y * self._height - 0.5) for x, y in polygon]])
        cv2.fillPoly(area, [np.round(points[0]).astype(np.int32)], value)

    def zones_of(self, x0: int, y0: int, x1: int, y1: int, foreground: Image) -> tuple[str, ...] | None:
        """Names of the zones that a thing in this box is in; () where no zones are set; None when it is in none."""
        if not self._zones:
            return ()
        part = foreground[y0:y1, x0:x1]
        area = cv2.countNonZero(part)
        foot_x, foot_y = min(self._width - 1, (x0 + x1) // 2), min(self._height - 1, y1 - 1)
        names: list[str] = []
        for name, zone, least in self._zones:
            if area < least:
                continue
            inside = cv2.countNonZero(cv2.bitwise_and(part, zone[y0:y1, x0:x1]))
            if zone[foot_y, foot_x] or inside >= ZONE_SHARE * area:
                names.append(name)
        return tuple(names) or None
