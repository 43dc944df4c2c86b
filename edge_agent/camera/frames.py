"""One decoded picture, as the looking thread sees it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """`luma`: 2-D uint8 (height, width), 0..255, a view into the decoder's own memory where that is possible.

    Look at it (or copy it) before asking for the next frame; do not write to it. `bgr()` converts only when called.
    """

    luma: Picture
    mono_ms: float
    pts: int | None
    width: int
    height: int
    to_bgr: Callable[[], Picture]

    def bgr(self) -> Picture:
        """The picture in colour, (height, width, 3), blue first: costs a conversion, for snapshots only."""
        return self.to_bgr()
