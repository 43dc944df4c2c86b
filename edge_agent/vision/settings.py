"""What an installer may say about motion on one camera: sensitivity, sizes, times, zones and masks, checked when made.

All places are shares of the picture, (x, y) from the top left in 0..1, so that they hold for every picture size.
"""

import math
from dataclasses import dataclass

Polygon = tuple[tuple[float, float], ...]
"""The corners of an area, at least three, in order; it closes by itself."""


def _check_polygon(polygon: Polygon, where: str) -> None:
    if len(polygon) < 3:
        raise ValueError(f"{where}: a polygon needs at least 3 points, not {len(polygon)}: list its corners as [x, y]")
    for point in polygon:
        if len(point) != 2:
            raise ValueError(f"{where}: a point is [x, y], not {list(point)}")
        if not all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in point):
            raise ValueError(
                f"{where}: point {list(point)} is outside the picture: x and y are shares of width and height, 0 to 1"
            )
    twice_area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True))
    if abs(twice_area) < 2e-6:
        raise ValueError(f"{where}: the polygon has no area: its corners lie on one line")


def _check_sensitivity(sensitivity: int, where: str) -> None:
    if isinstance(sensitivity, bool) or not isinstance(sensitivity, int) or not 1 <= sensitivity <= 5:
        raise ValueError(f"{where}: sensitivity must be a whole number from 1 (least) to 5 (most), not {sensitivity!r}")


def _check_seconds(value_s: float, low_s: float, high_s: float, where: str) -> None:
    if not (math.isfinite(value_s) and low_s <= value_s <= high_s):
        raise ValueError(f"{where}: must be from {low_s:g} to {high_s:g} seconds, not {value_s!r}")


@dataclass(frozen=True, slots=True)
class Zone:
    """A named area in which motion counts. `sensitivity` None takes the camera's. Raises ValueError when impossible."""

    name: str
    polygon: Polygon
    sensitivity: int | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("zone: a zone needs a name")
        _check_polygon(self.polygon, f"zone {self.name!r}")
        if self.sensitivity is not None:
            _check_sensitivity(self.sensitivity, f"zone {self.name!r}")


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """How motion is looked for on one camera. Raises ValueError, saying what to do, when a value is out of range.

    `min_size` is the least share of the picture's area that counts as a thing; None derives it from `sensitivity`.
    Without zones the whole picture is looked at; what lies inside a mask never is.
    """

    sensitivity: int = 3
    min_size: float | None = None
    min_duration_s: float = 0.3
    end_after_s: float = 3.0
    max_episode_s: float = 120.0
    zones: tuple[Zone, ...] = ()
    masks: tuple[Polygon, ...] = ()

    def __post_init__(self) -> None:
        _check_sensitivity(self.sensitivity, "motion")
        if self.min_size is not None and not (math.isfinite(self.min_size) and 0.0 < self.min_size <= 0.5):
            raise ValueError(
                f"min_size: must be a share of the picture's area above 0 and up to 0.5, not {self.min_size!r}"
            )
        _check_seconds(self.min_duration_s, 0.0, 10.0, "min_duration_s")
        _check_seconds(self.end_after_s, 0.5, 60.0, "end_after_s")
        _check_seconds(self.max_episode_s, 5.0, 3600.0, "max_episode_s")
        if self.max_episode_s <= self.end_after_s:
            raise ValueError(
                f"max_episode_s: {self.max_episode_s:g} must be longer than end_after_s ({self.end_after_s:g})"
            )
        names = [zone.name for zone in self.zones]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"zones: the name {name!r} is used twice: give each zone its own name")
        for number, polygon in enumerate(self.masks, start=1):
            _check_polygon(polygon, f"mask {number}")
