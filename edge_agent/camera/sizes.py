"""What the sizes of a stream's packets tell: bytes rise above what they just were, so something may stir. PURE.

A camera whose rate control follows the picture spends bytes where something moves; one that fills a fixed budget, or
codes noise, tells nothing. A rise is the mean logarithm of the last sizes less the median of those before: leaves in a
wind are loud, but swell slowly. It tells when it exceeds all but a few in a hundred of the rises of a calm scene: being
wrong so often costs little, since only the pictures up to now are decoded then (see gaze.py). Whether a camera's sizes
are to be relied on is decided by experience (see attention.py).
"""

import math
from collections import deque
from itertools import islice

_NOW_MS = 220.0
_BEFORE_MS = 1_700.0  # a gust takes about as long to swell
_LEAST_BEFORE = 6
_KEPT_MS = 5_600.0
_FEW_BYTES = 40  # headers: below this a packet says "as before" and no more
_LEAST_RISE = 0.04
_FIRST_RISE = 0.25
_LEARNS = 0.08


class Sizes:
    """Fed with every packet of a stream; then told, later, which of them were of a calm scene."""

    def __init__(self, wrong_share: float) -> None:
        """`wrong_share`: of a calm scene's packets, so many may tell."""
        self._wrong_share = wrong_share
        self._behind_key = True
        self._sizes: deque[tuple[float, float]] = deque()  # (t_ms, log size)
        self._unjudged: deque[tuple[float, float]] = deque()  # (t_ms, rise)
        self._limit = _FIRST_RISE

    def take(self, t_ms: float, size: int, is_key: bool) -> bool:
        """Listen to a packet; True when the last ones say that something may stir."""
        # Encoders spend another amount on what directly follows a key frame.
        if is_key or self._behind_key:
            self._behind_key = is_key
            return False
        sizes = self._sizes
        sizes.append((t_ms, math.log(size + _FEW_BYTES)))
        while sizes[0][0] < t_ms - _BEFORE_MS:
            sizes.popleft()
        now = 2
        while now < len(sizes) and sizes[-now - 1][0] > t_ms - _NOW_MS:
            now += 1
        before = len(sizes) - now
        if before < _LEAST_BEFORE:
            return False
        usual = sorted(loud for _, loud in islice(sizes, before))[before // 2]
        rise = sum(loud for _, loud in islice(sizes, before, None)) / now - usual
        self._unjudged.append((t_ms, rise))
        if self._unjudged[0][0] < t_ms - _KEPT_MS:
            self._unjudged.popleft()
        return rise > self._limit

    def calm(self, until_ms: float) -> None:
        """Nothing moved up to `until_ms`: so sizes rise and fall by themselves."""
        unjudged = self._unjudged
        while unjudged and unjudged[0][0] <= until_ms:
            _, rise = unjudged.popleft()
            step = 1 - self._wrong_share if rise > self._limit else -self._wrong_share
            self._limit = max(_LEAST_RISE, self._limit + _LEARNS * step)

    def forget(self) -> None:
        """Something moved in the last packets: they are no measure of calm."""
        self._unjudged.clear()
