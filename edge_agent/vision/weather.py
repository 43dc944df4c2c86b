"""Tells rain, snow and insects by what they have in common: they come up where nothing was, and are gone. Pure.

Rules: what differs is counted by cells of 8x8 pixels; a cell counts where neither it nor a neighbour differed in the
frame before. A body grows out of where it was, so it hardly ever counts; a drop, flake or insect does in each frame.
While there are many, only pixels that differ in two frames running are believed: a drop is never twice at one place.

Source: rain is a short, local brightening of single frames, K. Garg, S. Nayar, "Vision and Rain" (IJCV 2007).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.light import cells_of

Image = NDArray[Any]

MEMORY_S = 6.0
MANY = 8.0
"""Patches a second that come up from nothing, in the mean: a person is one, once, where they come in."""
SMALL = 6
"""Cells that a drop, flake or insect is large at most."""
LONG_STEP_S = 0.12
"""In so long a body moves by less than its own length."""
LEAST_SHARE = 26
"""A tenth of a cell's pixels (of 255) must differ for the cell to count."""
AROUND = np.ones((3, 3), np.uint8)


class Weather:
    """How much comes up from nothing, lately."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._cells: Image = cells_of(np.zeros(shape, np.uint8))
        self._before: Image = np.zeros(shape, np.uint8)
        self._nothing: Image = np.zeros((0, 5), np.int32)
        self._watched_s = 0.3
        self._calm = True
        self.litter = 0.0

    @property
    def bad(self) -> float:
        """How surely it rains, snows or swarms, 0..1."""
        return min(1.0, max(0.0, 2.0 * self.litter / MANY - 1.0))

    def rest(self, dt_s: float) -> None:
        """A frame in which nothing differs."""
        self._count(0, dt_s)
        if not self._calm:
            self._cells.fill(0)
            self._before.fill(0)
            self._calm = True

    def see(self, differs: Image, calm: Image, dt_s: float) -> Image:
        """Takes in what differs (uint8 mask, working size); returns what of it is to be believed.

        `calm` (uint8 mask of cells): leaves, too, come up from nothing, but where leaves are.
        """
        cells = cv2.threshold(cells_of(differs), LEAST_SHARE, 255, cv2.THRESH_BINARY)[1]
        born = cv2.subtract(cv2.bitwise_and(cells, calm), cv2.dilate(self._cells, AROUND))
        patches = cv2.connectedComponentsWithStats(born)[2] if cv2.countNonZero(born) else self._nothing
        # Between frames far apart bodies, too, come up from nothing.
        apart = max(1.0, dt_s / LONG_STEP_S) ** 2
        self._count(np.count_nonzero(patches[1:, cv2.CC_STAT_AREA] <= SMALL) / apart, dt_s)
        believed = differs if self.bad < 1.0 else cv2.bitwise_and(differs, cv2.dilate(self._before, AROUND))
        self._cells, self._before, self._calm = cells, differs, False
        return believed

    def _count(self, born: float, dt_s: float) -> None:
        self._watched_s += dt_s
        self.litter += dt_s / max(dt_s, min(MEMORY_S, self._watched_s)) * (born / dt_s - self.litter)
