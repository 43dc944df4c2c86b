"""How much the parts of a picture change from one to the next, against what is least usual for this camera. PURE.

A frozen picture that is encoded at a fixed bitrate never repeats to the bit: each key frame spoils it, and the pictures
behind it mend it again. But what then changes is the encoder's, not the sensor's: between those moments hardly
anything does, in all tiles at once. So of the pairs of some seconds the quieter quarter is taken, tile by tile, and
compared with the least that this camera ever did lately. A quiet night is as quiet as it always is; the noise of a
sensor does not halve at once. Where something moves, one tile changes in each pair, whatever bits are left for the
others. Tiles are judged by their smoother half, which a pole in the wind does not change.

Pairs that lie differently far apart are judged apart: between two key frames more is new than between two pictures.
"""

import math
from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]

DOWN, ACROSS = 4, 8
APART_MS = (250.0, 750.0)
"""Pairs nearer than the first are of pictures in a row, nearer than the second of dozing, others of key frames."""
DOZING = 1
"""Which of these kinds the second is."""
WINDOW_MS = 3_200.0
QUIETER = 0.25
"""Of the pairs of a window so many are quieter than what is taken for it."""
LEAST_PAIRS = 5
KNOWN_MS = 6_000.0
"""What is usual is known once so long was watched."""
DOUBTS_AFTER_MS = 24_000.0
"""Of key frames: the least of a few is not what is least usual, and each doubt ends a camera's rest for seconds."""
HALVED, AS_EVER = 0.5, 0.8
"""Of the least usual: below the one a tile is dead; above the other it lives."""
MOST, HALF = 0.9, 0.5
"""Of the tiles that tell something must be dead; fewer where the loudest of them never was nearly so quiet: at a fixed
bitrate what moves takes the bits that would show the others' noise, so a busy street hardly has any."""
NEVER_SO_QUIET = 0.2
TELLS = 0.02
"""Grey levels: a tile that changes by less as a rule tells nothing, since its encoder leaves nothing of the noise."""
LATE_MS = (4_000.0, 4_000.0, 15_000.0)
"""By how far pairs lie apart: learned so late, so that the beginning of a frozen picture is not. Key frames take
longest to become alike: an encoder that has bits to spare betters them one by one."""
EASES = 0.0005
"""What is least usual rises by so much at each learning (three a second): doubled in eight minutes."""
SMOOTH_EVERY = 10
"""Weighings after which the smoother half of each tile is found anew."""
LIT, LIT_SHARE = 10.0, 0.75
"""Grey levels by which so many tiles change at once when the light does: then all is learned anew."""
ANOTHER, ANOTHER_SHARE = 25.0, 0.5
"""By so much, and so many tiles: another picture, as a switched filter makes it."""
SETTLES_MS = 8_000.0
"""For so long an encoder at a fixed bitrate betters another picture, which then grows quieter though it lives."""


class _Habit:
    """The least that each tile, and the loudest of them, does."""

    def __init__(self, late_ms: float) -> None:
        self.late_ms = late_ms
        self.tiles: Image = np.full(DOWN * ACROSS, np.inf)
        self.loudest = math.inf
        self.watched_ms = 0.0
        self.waiting: deque[tuple[float, Image, float]] = deque(maxlen=32)

    def learn(self, tiles: Image, loudest: float, t_ms: float) -> None:
        """Takes in what was told before, and keeps this for later."""
        self.waiting.append((t_ms, tiles, loudest))
        while t_ms - self.waiting[0][0] >= self.late_ms:
            _, tiles, loudest = self.waiting.popleft()
            self.tiles = np.minimum(self.tiles * (1.0 + EASES), tiles)
            self.loudest = min(self.loudest * (1.0 + EASES), loudest)


class Liveliness:
    """One camera's. `look` at each pair; `dead_since_ms` then says since when nothing lives, or None."""

    def __init__(self) -> None:
        self._habits = tuple(_Habit(late_ms) for late_ms in LATE_MS)
        self._pairs: deque[tuple[float, int, Image]] = deque(maxlen=256)
        self._means: Image | None = None
        self._slow: Image = np.zeros((0, 0), np.float32)
        self._smooth: Image = np.zeros((0, 0), np.uint8)
        self._smooth_pixels: Image = np.ones(DOWN * ACROSS)
        self._weighed = 0
        self._before_ms = -math.inf
        self._settled_ms = -math.inf
        self.dead_since_ms: float | None = None
        self.doubted = False
        """Whether the last pair of key frames was quieter than any lately: worth watching closely."""

    def gap(self) -> None:
        """Pictures stopped coming."""
        self._pairs.clear()
        self._before_ms = -math.inf
        self.dead_since_ms, self.doubted = None, False

    def look(self, before: Image, now: Image, t_ms: float, *, weigh: bool, moving: bool = False) -> None:
        """Compare two samples (h, w) uint8 whose sides are multiples of twice the tiles'; `weigh` now and then.

        While something is `moving` pairs of dozing say nothing: such a picture is not dozed over but looked at seldom.
        """
        before, now = before[::2], now[::2]
        apart_ms = t_ms - self._before_ms
        if weigh or apart_ms >= APART_MS[1]:
            self._follow_light(now, t_ms)
        self._before_ms = t_ms
        if not 0.0 < apart_ms < 60_000.0 or t_ms < self._settled_ms:
            return
        kind = sum(apart_ms >= limit for limit in APART_MS)
        if moving and kind == DOZING:
            self.gap()
            self._before_ms = t_ms
            return
        self._habits[kind].watched_ms += min(apart_ms, WINDOW_MS)
        if self._slow.shape != now.shape:
            self._slow = now.astype(np.float32)
            self._find_smooth()
        change = cv2.absdiff(before, now)
        tiles = _tiles(cv2.multiply(change, self._smooth)) / self._smooth_pixels
        self._pairs.append((t_ms, kind, np.append(tiles, _tiles(change).max())))
        while self._pairs and t_ms - self._pairs[0][0] > WINDOW_MS:
            self._pairs.popleft()
        if kind == len(APART_MS):
            self._doubt(self._habits[kind], self._pairs[-1][2], t_ms)
        elif weigh:
            cv2.accumulateWeighted(now, self._slow, 0.1)
            self._weighed += 1
            if self._weighed % SMOOTH_EVERY == 0:
                self._find_smooth()
            self._weigh(kind, t_ms)

    def _follow_light(self, now: Image, t_ms: float) -> None:
        means = _tiles(now)
        change = np.zeros(1) if self._means is None else np.abs(means - self._means)
        if np.count_nonzero(change > ANOTHER) > ANOTHER_SHARE * change.size:
            self._settled_ms = t_ms + SETTLES_MS
        if np.count_nonzero(change > LIT) > LIT_SHARE * change.size:
            self._habits = tuple(_Habit(late_ms) for late_ms in LATE_MS)
            self.gap()
        self._means = means

    def _find_smooth(self) -> None:
        """The pixels beside which the picture rises least, half of each tile, where neither black nor white."""
        across, down = cv2.Sobel(self._slow, cv2.CV_32F, 1, 0), cv2.Sobel(self._slow, cv2.CV_32F, 0, 1)
        rise = np.maximum(np.abs(across), np.abs(down))
        height, width = rise.shape
        blocks = rise.reshape(DOWN, height // DOWN, ACROSS, width // ACROSS)
        limits = np.median(blocks[:, ::2, :, ::2], axis=(1, 3))[:, None, :, None]
        shown = cv2.inRange(self._slow, 4.0, 250.0) > 0
        self._smooth = ((blocks <= limits).reshape(height, width) & shown).astype(np.uint8)
        self._smooth_pixels = np.maximum(_tiles(self._smooth), 0.02)

    def _doubt(self, habit: _Habit, pair: Image, t_ms: float) -> None:
        tiles, loudest = pair[:-1], float(pair[-1])
        self.doubted = habit.watched_ms >= DOUBTS_AFTER_MS and self._is_dead(habit, tiles, loudest, AS_EVER, HALF)
        habit.learn(tiles, loudest, t_ms)

    def _weigh(self, kind: int, t_ms: float) -> None:
        seen = [(at_ms, pair) for at_ms, each, pair in self._pairs if each == kind]
        if len(seen) < LEAST_PAIRS or t_ms - seen[0][0] < 0.9 * WINDOW_MS:
            return
        taken = np.stack([pair for _, pair in seen])
        quarter = round(QUIETER * (len(seen) - 1))
        middle = np.partition(taken, quarter, axis=0)[quarter]
        tiles, loudest = middle[:-1], float(middle[-1])
        habit = self._habits[kind]
        known = habit.watched_ms >= KNOWN_MS + WINDOW_MS
        if self.dead_since_ms is not None:
            if not self._is_dead(habit, tiles, loudest, AS_EVER):
                self.dead_since_ms = None
            return
        if known and self._is_dead(habit, tiles, loudest, HALVED):
            self.dead_since_ms = next(
                (at_ms for at_ms, pair in seen if self._is_dead(habit, pair[:-1], float(pair[-1]), HALVED)), t_ms
            )
            habit.waiting.clear()
            return
        self.doubted = False
        habit.learn(tiles, loudest, t_ms)

    @staticmethod
    def _is_dead(habit: _Habit, tiles: Image, loudest: float, share: float, least: float = MOST) -> bool:
        tells = habit.tiles > TELLS
        count = np.count_nonzero(tells)
        if count < 0.5 * tells.size or loudest >= AS_EVER * habit.loudest:
            return False
        if loudest < NEVER_SO_QUIET * habit.loudest:
            least = HALF
        return bool(np.count_nonzero(tiles[tells] < share * habit.tiles[tells]) >= least * count)


def _tiles(sample: Image) -> Image:
    """Means of the tiles, row by row."""
    height, width = sample.shape
    bands = sample.reshape(DOWN, height // DOWN, width)
    sums = np.concatenate([cv2.reduce(band, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S) for band in bands])
    return np.asarray(sums.reshape(DOWN, ACROSS, width // ACROSS).sum(axis=2).ravel() * (DOWN * ACROSS / sample.size))
