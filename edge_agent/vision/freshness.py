"""Whether a stream still shows anything new though pictures come. PURE: times are arguments.

A sensor's noise changes some pixel in every picture, so decoded pictures hardly ever repeat exactly. Where the encoder
throws so much away that they do, repetition proves nothing; so a camera is judged by its own habit: what repeats counts
only where half of the picture's tiles change as a rule. The habit is told by tiles, so that it is learned while
something moves, too. A key frame encodes a frozen picture anew and changes it a little: most pictures of a stretch must
repeat, not all. The top and bottom of the picture, where clocks are burnt in, are left out. Where a fixed bitrate makes
no picture repeat, how lively they are tells (liveliness.py).

What this cannot tell: a camera whose pictures repeat from the first moment on (frozen already, or so still and so
coarsely coded): it is told only after `LONG_S`, and only where something new was seen before.
"""

import math
from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.light import median
from edge_agent.vision.liveliness import Liveliness

Image = NDArray[Any]

SHORT_S = 3.5
LONG_S = 900.0
HABIT = 0.5
"""Where the middling tile repeats more often than this in ordinary life, a picture that repeats proves nothing soon."""
MOSTLY = 0.6
STIR = 0.8
"""Mean difference, in grey levels, that no re-encoding of the same picture makes."""
LEARNED_EVERY_MS = 300.0
_HABIT_PAIRS = 12
_LONGEST_PAIRS = 256
_DOWN, _ACROSS = 4, 8


class Freshness:
    """One camera's. `look` at every picture that is decoded for looking."""

    def __init__(self) -> None:
        self._before: Image | None = None
        self._habits: Image = np.zeros(_DOWN * _ACROSS)
        self._recent: deque[tuple[float, bool]] = deque(maxlen=_LONGEST_PAIRS)
        self._pairs = 0
        self._learned_ms = -math.inf
        self._new_ms = -math.inf
        self._liveliness = Liveliness()
        self._weighed_ms = -math.inf
        self._repeating_since_ms: float | None = None
        self.stale_since_ms: float | None = None

    @property
    def doubted(self) -> bool:
        """Whether a look at every picture would tell whether this one is frozen."""
        return self._liveliness.doubted

    def gap(self) -> None:
        """Pictures stopped coming: the next is compared with nothing."""
        self._before = None
        self._recent.clear()
        self._liveliness.gap()
        self._repeating_since_ms = self.stale_since_ms = None

    def look(self, luma: Image, t_ms: float, *, moving: bool = False) -> None:
        """Compare with the picture before. Afterwards `stale_since_ms` says since when nothing is new, or None."""
        height, width = luma.shape
        rows = luma[height // 8 : height - height // 8 : max(1, height // 90)]
        rows = rows[:, :: max(1, width // 640)]
        sample = rows[: len(rows) // (2 * _DOWN) * 2 * _DOWN, : rows.shape[1] // _ACROSS * _ACROSS].copy()
        before, self._before = self._before, sample
        if before is None or before.shape != sample.shape:
            self._recent.clear()
            self._liveliness.gap()
            return
        same = bool(np.array_equal(before, sample))
        due = t_ms - self._learned_ms >= LEARNED_EVERY_MS
        if due and self.stale_since_ms is None and (not same or not self._recent or not self._recent[-1][1]):
            self._learned_ms = t_ms
            self._learn(before, sample)
        if not same:
            self._new_ms = t_ms
            if cv2.norm(before, sample, cv2.NORM_L1) >= STIR * sample.size:
                self._recent.clear()
        self._recent.append((t_ms, same))
        while self._recent and t_ms - self._recent[0][0] > SHORT_S * 1000 + 200:
            self._recent.popleft()
        weigh = t_ms - self._weighed_ms >= LEARNED_EVERY_MS or t_ms < self._weighed_ms
        self._weighed_ms = t_ms if weigh else self._weighed_ms
        self._liveliness.look(before, sample, t_ms, weigh=weigh, moving=moving)
        repeats_since_ms, dead_since_ms = self._repeats(t_ms), self._liveliness.dead_since_ms
        self._repeating_since_ms = repeats_since_ms
        self.stale_since_ms = repeats_since_ms if repeats_since_ms is not None else dead_since_ms

    def _learn(self, before: Image, sample: Image) -> None:
        """How often each tile repeats. Of a run of repetitions only the first counts: it may be a frozen one."""
        tiles = (before != sample).reshape(_DOWN, sample.shape[0] // _DOWN, _ACROSS, -1).any(axis=(1, 3)).ravel()
        self._pairs += 1
        self._habits += (~tiles - self._habits) * max(0.002, 1.0 / self._pairs)

    def _repeats(self, t_ms: float) -> float | None:
        """Since when pictures have repeated to the bit, where that proves something."""
        if not self._recent or self._pairs < _HABIT_PAIRS:
            return None
        if self._repeating_since_ms is not None:
            repeating = sum(same for _, same in self._recent) >= MOSTLY * len(self._recent)
            return self._repeating_since_ms if repeating else None
        repeating_since = next((at for at, same in self._recent if same), t_ms)
        pairs = [same for at, same in self._recent if at >= repeating_since]
        if len(pairs) < 5 or sum(pairs) < MOSTLY * len(pairs):
            return None
        if median(self._habits) < HABIT:
            return repeating_since if t_ms - repeating_since >= SHORT_S * 1000 - 300 else None
        quiet_ms = t_ms - max(self._new_ms, 0.0)
        return self._new_ms if math.isfinite(self._new_ms) and quiet_ms >= LONG_S * 1000 else None
