"""What each pixel of an empty scene looks like and how much it wavers: learned in fixed buffers at working size.

Rules: the light is taken out first (one gain and offset for the whole picture, fitted over coarse cells that ignore
what does not fit, then local structure); only pixels that no confirmed thing covers are learned; what stood long enough
becomes background, and what was behind it is kept as a second layer, so that leaving again uncovers no ghost.

Sources: running mean and deviation per pixel, Wren et al., "Pfinder" (PAMI 1997); sample-selective update, Barnich and
Van Droogenbroeck, "ViBe" (TIP 2011); thresholds from each pixel's own unrest, St-Charles et al., "SuBSENSE" (TIP 2015);
cast light by normalised cross-correlation, Jacques et al. (SIBGRAPI 2005); layers, Kim et al., codebook (RTI 2005).
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]

CELL = 12
LEARN_S = 6.0
"""Time in which the background follows what it sees."""
FAST_S = 0.35
"""Time of the short mean that tells what changes now from what merely differs from the background."""
START_S = 0.8
"""Time of the first learning, and of learning again after the whole picture changed."""
NOISE_FLOOR = 1.2
"""Grey levels: quantisation and compression leave at least this much deviation."""

SPREADS = 3.5
LEAST_STEP = 4.0
"""Grey levels: a difference counts above SPREADS mean deviations and this much more."""
CLEAR = 1.8
"""A thing has pixels that differ so many times more than needed; what merely differs joins them."""


def _ema(seconds: float, dt_s: float) -> float:
    return 1.0 - math.exp(-dt_s / seconds)


def _median(values: Image) -> float:
    middle = len(values) // 2
    return float(np.partition(values, middle)[middle])


def _above(values: Image, limit: float) -> Image:
    """uint8 mask, not 0 where above."""
    return np.greater(values, limit).view(np.uint8)


class Background:
    """The learned scene at one working size, and what of a frame does not fit it."""

    def __init__(self, shape: tuple[int, int], ignored: Image, threshold_factor: Image) -> None:
        """`ignored` is uint8, 255 where never to look; `threshold_factor` float32, above 1 where less sensitive."""
        self._shape = shape
        self._ignored = ignored
        self._factor = threshold_factor
        self._cells = (max(1, shape[1] // CELL), max(1, shape[0] // CELL))
        seen = cv2.resize(255 - ignored, self._cells, interpolation=cv2.INTER_AREA).ravel() > 128
        self._seen_cells: Image = seen if bool(seen.any()) else np.ones_like(seen)
        self.now: Image = np.zeros(shape, np.float32)
        self.mean: Image = np.zeros(shape, np.float32)
        self.older: Image = np.full(shape, -1e3, np.float32)
        self.fast: Image = np.zeros(shape, np.float32)
        self.spread: Image = np.full(shape, 2.0, np.float32)
        self.still_s: Image = np.zeros(shape, np.float32)
        self._difference: Image = np.zeros(shape, np.float32)
        self._expected: Image = np.zeros(shape, np.float32)
        self._limit: Image = np.zeros(shape, np.float32)
        self.noise = 2.0
        self.learned_s = -1.0
        self.gain = 1.0
        self.offset = 0.0
        self.changed_share = 0.0
        self.has_older = False
        self._since_noise_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether enough was seen to tell things from the scene."""
        return self.learned_s >= START_S

    def restart(self) -> None:
        """Forget the scene and learn it anew; the noise stays known."""
        self.learned_s = -1.0

    def take(self, small: Image, dt_s: float) -> None:
        """Takes the next frame in (uint8 at working size), `dt_s` after the one before."""
        np.copyto(self.now, small, casting="unsafe")
        if self.learned_s < 0.0:
            np.copyto(self.mean, self.now)
            np.copyto(self.fast, self.now)
            self.older.fill(-1e3)
            self.has_older = False
            self.still_s.fill(0.0)
            self.learned_s = 0.0
            self.gain, self.offset = 1.0, 0.0
            return
        self._match_light()
        self._follow_light()

    def _match_light(self) -> None:
        """One gain and offset that carry the background to this frame's light, whatever moves in parts of it."""
        now = cv2.resize(self.now, self._cells, interpolation=cv2.INTER_AREA).ravel()[self._seen_cells]
        was = cv2.resize(self.mean, self._cells, interpolation=cv2.INTER_AREA).ravel()[self._seen_cells]
        rise = now - was
        error = np.abs(rise)
        gain, offset, best = 1.0, 0.0, _median(error)
        if best >= 0.3 * NOISE_FLOOR:
            ratio = _median((now + 4.0) / (was + 4.0))
            for try_gain, try_offset in ((ratio, 4.0 * (ratio - 1.0)), (1.0, _median(rise))):
                trial = _median(np.abs(now - try_gain * was - try_offset))
                if trial < best * 0.9:
                    gain, offset, best = try_gain, try_offset, trial
            for _ in range(2):
                fits = np.abs(now - gain * was - offset) <= max(2.0, 2.5 * best)
                x, y = was[fits], now[fits]
                if len(x) < 8:
                    break
                mean_x, mean_y = float(np.add.reduce(x)) / len(x), float(np.add.reduce(y)) / len(x)
                x, y = x - mean_x, y - mean_y
                # The ridge keeps a picture without contrast from inventing a gain.
                slope = (float(x @ y) / len(x) + 25.0 * gain) / (float(x @ x) / len(x) + 25.0)
                slope = min(4.0, max(0.2, slope))
                shift = mean_y - slope * mean_x
                trial = _median(np.abs(now - slope * was - shift))
                if trial > best:
                    break
                gain, offset, best = slope, shift, trial
            error = np.abs(now - gain * was - offset)
        self.gain, self.offset = gain, offset
        self.changed_share = float(np.count_nonzero(error > 12.0)) / len(error)

    def _follow_light(self) -> None:
        """Carries all layers to the new light, also where something stands before them."""
        if abs(self.gain - 1.0) * 100.0 + abs(self.offset) < 0.5:
            return
        for layer in (self.mean, self.older, self.fast):
            np.multiply(layer, self.gain, out=layer)
            np.add(layer, self.offset, out=layer)

    def differing(self) -> tuple[Image, Image]:
        """(clearly, perhaps): uint8 masks, 255 where this frame differs from every layer of the scene."""
        np.clip(self.mean, 0.0, 255.0, out=self._expected)
        cv2.absdiff(self.now, self._expected, dst=self._difference)
        cv2.addWeighted(self.spread, SPREADS, self.spread, 0.0, LEAST_STEP, dst=self._limit)
        cv2.multiply(self._limit, self._factor, dst=self._limit)
        perhaps = cv2.compare(self._difference, self._limit, cv2.CMP_GT)
        if self.has_older:
            other = cv2.absdiff(self.now, self.older)
            perhaps = cv2.bitwise_and(perhaps, cv2.compare(other, self._limit, cv2.CMP_GT))
        clearly = cv2.compare(self._difference, self._limit * np.float32(CLEAR), cv2.CMP_GT)
        perhaps = cv2.subtract(perhaps, self._ignored)
        return cv2.bitwise_and(clearly, perhaps), perhaps

    def active(self) -> Image:
        """uint8 mask, 255 where the picture changes right now, against its own last moments."""
        change = cv2.absdiff(self.now, self.fast)
        return cv2.subtract(cv2.compare(change, self._limit * np.float32(0.8), cv2.CMP_GT), self._ignored)

    def structure(self, x0: int, y0: int, x1: int, y1: int) -> tuple[Image, Image, Image]:
        """(changed, lit, edge) of a rectangle: masks where the texture is another or the same in another light.

        `edge` is the texture now minus the texture of the background (float32): above 0 where a contour stands now.
        """
        now, was = self.now[y0:y1, x0:x1], self._expected[y0:y1, x0:x1]
        window = (5, 5)
        mean_now, mean_was = cv2.blur(now, window), cv2.blur(was, window)
        var_now = cv2.subtract(cv2.sqrBoxFilter(now, cv2.CV_32F, window), cv2.multiply(mean_now, mean_now))
        var_was = cv2.subtract(cv2.sqrBoxFilter(was, cv2.CV_32F, window), cv2.multiply(mean_was, mean_was))
        both = cv2.subtract(cv2.blur(cv2.multiply(now, was), window), cv2.multiply(mean_now, mean_was))
        floor = 4.0 * self.noise * self.noise
        agreed = cv2.sqrt(np.maximum(var_now, 0.01) * np.maximum(var_was, 0.01))
        textured = _above(cv2.max(var_now, var_was), floor)
        changed = cv2.bitwise_and(textured, cv2.compare(both, agreed * np.float32(0.5), cv2.CMP_LT))
        lit = cv2.bitwise_and(
            _above(cv2.min(var_now, var_was), floor),
            cv2.compare(both, agreed * np.float32(0.85), cv2.CMP_GT),
        )
        return changed, lit, cv2.subtract(cv2.sqrt(np.maximum(var_now, 0.0)), cv2.sqrt(np.maximum(var_was, 0.0)))

    def learn(self, covered: Image, doubted: Image, active: Image, dt_s: float) -> None:
        """Learns from this frame. `covered` (255) hides the scene; `doubted` differs but has not proved a thing."""
        early = not self.ready
        rate = _ema(0.25, dt_s) if early else _ema(LEARN_S, dt_s)
        free = cv2.bitwise_not(cv2.bitwise_or(covered, doubted))
        cv2.accumulateWeighted(self.now, self.mean, rate, mask=free)
        cv2.accumulateWeighted(self.now, self.mean, rate if early else rate * 0.5, mask=doubted)
        np.minimum(self._difference, 60.0, out=self._difference)
        cv2.accumulateWeighted(
            self._difference,
            self.spread,
            _ema(1.0, dt_s) if early else _ema(LEARN_S, dt_s),
            mask=cv2.bitwise_not(covered),
        )
        np.maximum(self.spread, NOISE_FLOOR, out=self.spread)
        cv2.accumulateWeighted(self.now, self.fast, _ema(FAST_S, dt_s))
        np.add(self.still_s, dt_s, out=self.still_s)
        self.still_s[active > 0] = 0.0
        self.learned_s += dt_s
        self._since_noise_s += dt_s
        if self._since_noise_s > 1.0:
            self._since_noise_s = 0.0
            self.noise = float(np.median(self.spread[::4, ::4])) * 1.25

    def absorb(self, where: Image) -> None:
        """What stands at `where` (bool) becomes background; what was there before is kept as the older layer."""
        np.copyto(self.older, self.mean, where=where)
        np.copyto(self.mean, self.fast, where=where)
        self.has_older = True

    def uncover(self) -> None:
        """Where the older layer has come to light again and stays, it is the background again."""
        if not self.has_older:
            return
        back = cv2.bitwise_and(
            cv2.compare(cv2.absdiff(self.fast, self.older), self._limit, cv2.CMP_LT),
            cv2.bitwise_and(cv2.compare(self._difference, self._limit, cv2.CMP_GT), _above(self.still_s, 0.5)),
        )
        if cv2.countNonZero(back):
            where = cv2.medianBlur(back, 3) > 0
            kept = self.mean[where]
            self.mean[where] = self.older[where]
            self.older[where] = kept
