"""How restless each place of the scene is: leaves, water, flags and clocks stir again and again where they are.

Pure. Rules: only what no proven thing covers counts, so a place is learned also while something passes it, and nobody
who passes makes a place restless; it is learned in seconds and forgotten in minutes, since wind comes in gusts.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.light import CELL, cells_of

Image = NDArray[Any]

LEARN_S = 8.0
FORGET_S = 120.0
FIRST_S = 1.0
KNOWN_S = 3.5
"""A scene is unknown for the first second, and known well enough soon after the third."""
CALM_S = 1.0
"""So long a scene in which nothing stirs at all must be looked at to be known: leaves sway about once a second."""
LEAST_SHARE = 26
"""A tenth of a cell's pixels (of 255) must stir for the cell to count."""
CALM = 0.05
RESTLESS = 0.4
"""Shares of the time a place stirs: below CALM it is still, from RESTLESS on it never is."""
ALL_OVER = 3.0
"""A scene of which a third is restless is so all over."""
AROUND = np.ones((3, 3), np.uint8)


class Unrest:
    """The share of time that each cell of 8x8 pixels stirs without a thing being there."""

    def __init__(self, shape: tuple[int, int]) -> None:
        cells = cells_of(np.zeros(shape, np.uint8))
        self._share: Image = np.zeros(cells.shape, np.float32)
        self._half_size = (shape[1] // 2, shape[0] // 2)
        self._watched_s = 0.0
        self._resting_s = 0.0
        self._calm_s = 0.0
        self._longest_calm_s = 0.0
        self._restless = 0

    @property
    def unknown(self) -> float:
        """How little is known yet of where the scene is restless: 1 at the start, 0 after a few seconds."""
        by_time = (KNOWN_S - self._watched_s - self._resting_s) / (KNOWN_S - FIRST_S)
        return min(1.0, max(0.0, min(by_time, 1.0 - self._longest_calm_s / CALM_S)))

    def wait(self, dt_s: float) -> None:
        """The scene is not known well enough yet to tell what stirs."""
        self._resting_s += dt_s

    def rest(self, dt_s: float) -> None:
        """Nothing stirred for `dt_s`."""
        self._resting_s += dt_s
        self._calm_s += dt_s
        self._longest_calm_s = max(self._longest_calm_s, self._calm_s)

    def see(self, stirring: Image, dt_s: float) -> None:
        """Takes in what stirs (uint8 mask at working size) and is no proven thing."""
        if self._resting_s:
            self._watched_s += self._resting_s
            self._share = self._share * np.float32(
                math.exp(-self._resting_s / min(FORGET_S, max(FIRST_S, self._watched_s)))
            )
            self._resting_s = 0.0
        self._watched_s += dt_s
        self._calm_s = 0.0
        stirs = cells_of(stirring) > LEAST_SHARE
        # At first a plain average over the time watched, so that a windy scene is known after a second or two.
        rise = 1.0 - math.exp(-dt_s / min(LEARN_S, max(FIRST_S, self._watched_s)))
        fall = 1.0 - math.exp(-dt_s / min(FORGET_S, max(FIRST_S, self._watched_s)))
        change = np.where(stirs, rise * (1.0 - self._share), -fall * self._share).astype(np.float32)
        self._share = self._share + change  # anew: `memory` keeps what it was
        self._restless = int(np.count_nonzero(self._share > CALM))

    def memory(self) -> Image:
        """What is known now, for `before`."""
        return self._share

    @staticmethod
    def before(memory: Image, x0: int, y0: int, x1: int, y1: int) -> tuple[float, float]:
        """How restless a box of pixels and the rest of the scene were when that was known, 0..1 each.

        Who stirs for a second where nothing stirred makes the place restless; that is not held against them.
        """
        rows, columns = slice(y0 // CELL, -(-y1 // CELL)), slice(x0 // CELL, -(-x1 // CELL))
        around = memory[max(0, rows.start - 1) : rows.stop + 1, max(0, columns.start - 1) : columns.stop + 1]
        level = np.clip((cv2.dilate(around, AROUND) - CALM) / (RESTLESS - CALM), 0.0, 1.0)
        outside = np.count_nonzero(memory > CALM) - np.count_nonzero(memory[rows, columns] > CALM)
        return float(level.mean()), min(1.0, ALL_OVER * outside / memory.size)

    def beyond(self, x0: int, y0: int, x1: int, y1: int) -> float:
        """How restless the scene is outside of a box of pixels, 0..1.

        What a box holds says nothing of the rest: a large body that has not proved itself yet stirs in many cells.
        """
        if self._restless == 0:
            return 0.0
        within = self._share[y0 // CELL : -(-y1 // CELL), x0 // CELL : -(-x1 // CELL)]
        outside = self._restless - np.count_nonzero(within > CALM)
        return min(1.0, ALL_OVER * outside / self._share.size)

    def calm(self) -> Image:
        """uint8 mask of cells, 255 where nothing stirs but things."""
        return cv2.threshold(self._share, CALM, 255, cv2.THRESH_BINARY_INV)[1].astype(np.uint8)

    def at_half_size(self) -> Image:
        """float32 at half the working size, 0 still … 1 never still; places beside restless ones are so too."""
        level = np.clip((cv2.dilate(self._share, AROUND) - CALM) / (RESTLESS - CALM), 0.0, 1.0)
        rows, columns = level.shape
        width, height = self._half_size
        step = CELL // 2
        drawn = cv2.resize(level, (columns * step, rows * step), interpolation=cv2.INTER_NEAREST)
        widened = cv2.copyMakeBorder(
            drawn,
            0,
            max(0, height - rows * step),
            0,
            max(0, width - columns * step),
            cv2.BORDER_REPLICATE,
        )
        return np.asarray(widened[:height, :width])
