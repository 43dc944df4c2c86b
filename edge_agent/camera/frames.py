"""One decoded picture, as the looking thread sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

Interest = Literal["none", "some", "known", "settled"]
"""What a look found: nothing; something that needs watching closely; something that is known to be there by now; or
that, and nothing more could be told of it while it stays."""


@dataclass(frozen=True, slots=True)
class Frame:
    """`luma`: 2-D uint8 (height, width), 0..255, a view into the decoder's own memory where that is possible.

    It may be kept, at the price of one of the decoder's buffers; do not write to it. `bgr()` converts only when called.
    """

    luma: Picture
    mono_ms: float
    pts: int | None
    width: int
    height: int
    to_bgr: Callable[[], Picture]
    is_key: bool = False

    def bgr(self) -> Picture:
        """The picture in colour, (height, width, 3), blue first: costs a conversion, for snapshots only."""
        return self.to_bgr()
