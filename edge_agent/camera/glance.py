"""Whether a picture differs from the one that was looked at last: a cheap question, asked to save dear ones. PURE.

A picture is halved until it is about a hundred cells wide. A change of light over the whole picture is taken out; what
remains counts where it exceeds what that cell did lately while nothing moved (leaves, compression, noise). A false yes
costs a look; a no lets a look wait, for a bounded time (see attention.py).
"""

from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_CELLS_ACROSS = 64  # at least: halving stops before
_LEAST = 3  # grey levels of a cell's mean: a sixth of a small person against a wall like his coat
_MARGIN = 1.5
_SHY = 24.0  # divided by 4 and the calm looks so far: what a cell usually does is not known yet
_FADES = 0.997  # a calm look: what a cell did is half forgotten after 230 of them
_SEVERAL = 2
_MOST_UNJUDGED = 32
_SPREAD = np.ones((3, 3), np.uint8)

Cells = NDArray[Any]


def cells_of(luma: NDArray[Any]) -> Cells:
    """A picture, (H, W) uint8, made small by exact halves: ten times quicker than averaging over uneven areas."""
    cells = luma
    while cells.shape[1] >= 2 * _CELLS_ACROSS and cells.shape[0] >= 2:
        cells = cv2.resize(cells, (cells.shape[1] // 2, cells.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return cells if cells is not luma else luma.copy()


class Glance:
    """Compares each picture with the last one kept; told later which of those were of a calm scene."""

    def __init__(self) -> None:
        self._kept: Cells | None = None
        self._kept_mean = 0.0
        self._usual: Cells = np.zeros((0, 0), np.float32)
        self._limit: Cells = np.zeros((0, 0), np.uint8)
        self._latest: Cells = self._limit
        self._difference: Cells | None = None
        self._calm_looks = 0
        self._unjudged: deque[tuple[float, Cells]] = deque(maxlen=_MOST_UNJUDGED)

    def differs(self, cells: Cells) -> bool:
        """Whether a picture's cells differ from those of the picture kept; True while none is."""
        self._latest = cells
        self._difference = self._compared(cells)
        return self._difference is None or self._is_much(self._difference)

    def would_differ(self, cells: Cells) -> bool:
        """The same of a picture that is not to be kept."""
        difference = self._compared(cells)
        return difference is None or self._is_much(difference)

    def _compared(self, cells: Cells) -> Cells | None:
        if self._kept is None or self._kept.shape != cells.shape:
            return None
        light = round(float(cv2.mean(cells)[0]) - self._kept_mean)
        as_lit = self._kept
        if light != 0:
            as_lit = np.clip(self._kept.astype(np.int16) + light, 0, 255).astype(np.uint8)
        return cv2.absdiff(cells, as_lit)

    def _is_much(self, difference: Cells) -> bool:
        excess = cv2.subtract(difference, self._limit)
        found = cv2.countNonZero(excess)
        return found >= _SEVERAL or (found > 0 and bool(excess.max() > _LEAST))

    def keep(self, t_ms: float) -> None:
        """The picture of the last `differs` is the one to compare with; what it shows of calm is told later."""
        if self._limit.shape != self._latest.shape:
            self._usual = np.zeros(self._latest.shape, np.float32)
            self._limit = np.full(self._latest.shape, _LEAST + _SHY / 4, np.uint8)
            self._calm_looks = 0
            self._unjudged.clear()
        elif self._difference is not None:
            self._unjudged.append((t_ms, self._difference))
        self._kept, self._kept_mean = self._latest, float(cv2.mean(self._latest)[0])

    def calm(self, until_ms: float) -> None:
        """Nothing moved in the pictures kept up to `until_ms`: so a cell changes by itself."""
        while self._unjudged and self._unjudged[0][0] <= until_ms:
            self._usual *= np.float32(_FADES)
            np.maximum(self._usual, self._unjudged.popleft()[1], out=self._usual)
            self._calm_looks += 1
            shy = _SHY / (4 + self._calm_looks)
            limit = cv2.convertScaleAbs(self._usual, alpha=_MARGIN, beta=shy)
            self._limit = np.maximum(cv2.dilate(limit, _SPREAD), np.uint8(_LEAST))

    def forget(self) -> None:
        """Something moved in the last pictures: they are no measure of calm."""
        self._unjudged.clear()
