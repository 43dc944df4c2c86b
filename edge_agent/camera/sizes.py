"""What the sizes of a stream's packets tell: more bytes than a calm picture needs, that something stirs. PURE.

A camera with a rate control that follows the picture spends bytes where something moves; one that fills a fixed budget,
or codes noise, tells nothing. This only listens; whether to believe it is decided by experience (see attention.py).
Sizes are compared as logarithms, for each place behind the key frame apart: encoders treat the first ones differently.
"""

import math
from collections import deque

_PLACES = 6
_WINDOW_MS = 350.0
_KEPT_MS = 5_000.0
_FEW_BYTES = 40  # headers: below this a packet says "as before" and no more
_LEAST_MARGIN = 0.12
_MOST_MARGIN = 2.0
_LEARNS = 0.05
_FADES_MS = 90_000.0  # the loudest calm is half forgotten after about a minute
_FORGIVES = 0.25  # what was cried for nothing is forgotten so much slower: a false cry in some minutes costs little


class Sizes:
    """Fed with every packet of a stream; then told, later, which of them were of a calm scene."""

    def __init__(self) -> None:
        self._usual: list[float | None] = [None] * _PLACES
        self._place = 0
        self._unjudged: deque[tuple[float, float, int, float]] = deque()  # (t_ms, log size, place, level)
        self._excesses: deque[tuple[float, float]] = deque()
        self._loudest = 0.0
        self._calm_ms = -math.inf
        self._margin = 2 * _LEAST_MARGIN

    def take(self, t_ms: float, size: int, is_key: bool) -> bool:
        """Listen to a packet; True when the last ones say that something stirs."""
        if is_key:
            self._place = 0
            return False
        place, self._place = self._place, min(_PLACES - 1, self._place + 1)
        loud = math.log(size + _FEW_BYTES)
        usual = self._usual[place]
        excesses = self._excesses
        excesses.append((t_ms, 0.0 if usual is None else loud - usual))
        while excesses[0][0] < t_ms - _WINDOW_MS:
            excesses.popleft()
        level = sum(excess for _, excess in excesses) / len(excesses)
        self._unjudged.append((t_ms, loud, place, level))
        if self._unjudged[0][0] < t_ms - _KEPT_MS:
            self._unjudged.popleft()
        return level > self._loudest + self._margin

    def calm(self, until_ms: float) -> None:
        """Nothing moved up to `until_ms`: that is what calm sounds like."""
        unjudged = self._unjudged
        while unjudged and unjudged[0][0] <= until_ms:
            t_ms, loud, place, level = unjudged.popleft()
            usual = self._usual[place]
            self._usual[place] = loud if usual is None else usual + _LEARNS * (loud - usual)
            faded = math.exp(-min(1000.0, max(0.0, t_ms - self._calm_ms)) / _FADES_MS)
            self._loudest = max(level, self._loudest * faded, 0.0)
            self._margin = max(_LEAST_MARGIN, self._margin * (1 - (1 - faded) * _FORGIVES))
            self._calm_ms = t_ms

    def judge(self, right: bool) -> None:
        """What they told was something, or nothing: who cries wolf has to cry louder."""
        self._margin = min(_MOST_MARGIN, max(_LEAST_MARGIN, self._margin * (0.7 if right else 1.5)))

    def forget(self) -> None:
        """Something moved in the last packets: they are no measure of calm."""
        self._unjudged.clear()
        self._excesses.clear()
