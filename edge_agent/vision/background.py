"""What each pixel of an empty scene looks like and how much it wavers: learned in fixed buffers at working size.

Rules: the light is taken out first; only pixels that no confirmed thing covers are learned; what stood long enough
becomes background, and what was behind it is kept as a second layer, so that leaving again uncovers no ghost. Layers
are learned as float32 and compared as uint8, which is several times quicker and as exact as the frames are.

Sources: running mean and deviation per pixel, Wren et al., "Pfinder" (PAMI 1997); sample-selective update, Barnich and
Van Droogenbroeck, "ViBe" (TIP 2011); thresholds from each pixel's own unrest, St-Charles et al., "SuBSENSE" (TIP 2015);
layers, Kim et al., codebook (RTI 2005).
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision import light, shade

Image = NDArray[Any]

LEARN_S = 6.0
"""Time in which the background follows what it sees."""
FAST_S = 0.35
"""Time of the short mean that tells what changes now from what merely differs from the background."""
START_S = 0.8
"""Time of the first learning, and of learning again after the whole picture changed."""
START_FRAMES = 3
REST_S = 0.1
"""While nothing differs the scene is learned no more often than this."""
LIMITS_S = 0.08
"""So old may the limits be that are drawn from how much the pixels waver, which is learned over seconds."""
NOISE_FLOOR = 1.2
"""Grey levels: quantisation and compression leave at least this much deviation."""

SPREADS = 3.5
LEAST_STEP = 4.0
"""Grey levels: a difference counts above SPREADS mean deviations and this much more."""
CLEAR = 1.8
"""A thing has pixels that differ so many times more than needed; what merely differs joins them."""
CHANGE_SCALE = 8.0
BLOWN_OUT, NEAR_WHITE = 230.0, 4.0
"""Grey levels: nothing shows in a scene's brightest places if they are so bright, whether white is 235 or 255."""
LEAST_FALL = 0.5
BORDER = np.ones((5, 5), np.uint8)
SWAY = (9, 9)
"""Pixels over which pictures of one place are compared: who stands sways."""
UNCHANGED = 2.0
"""Times the noise, how far in the mean two pictures of the same thing differ."""
MUCH, TREMBLING = 2.5, 0.25 * CHANGE_SCALE
"""So many times more than the picture does, and by so many scaled grey levels, a place must change to tremble."""
CLOUDED_S, CLOUDY_S = 1.5, 10.0
"""Light must differ from place to place for so long, more than not, to be taken out: who passes close by or a car's
lamps shade the scene more briefly. It is remembered no longer than the second, also where the scene is learned anew."""
SUDDEN, SUDDEN_S = 0.25, 0.3
"""So much of the picture more becomes another within so long at a switched filter or lamp, not in a cloud's shadow."""
WIDEST_STEP = 60.0
"""Grey levels of one frame's difference that count towards a pixel's unrest."""
SAME_SCENE = 0.3
"""So much of the picture may have changed for it to be the scene that was known before."""
GUESS_LASTS_S = 60.0
GUESS = 4
"""What is hidden is guessed at this part of the size: it is smooth anyway."""
STIRS, LEFT_S = 0.02, 0.7
"""What hid the scene has left when less than this share of its place stirs for so long, and it looks otherwise."""


def _ema(seconds: float, dt_s: float) -> float:
    return 1.0 - math.exp(-dt_s / seconds)


class Background:
    """The learned scene at one working size, and what of a frame does not fit it."""

    def __init__(self, shape: tuple[int, int], ignored: Image, threshold_factor: Image) -> None:
        """`ignored` is uint8, 255 where never to look; `threshold_factor` float32, above 1 where less sensitive."""
        self._ignored = ignored
        self._has_ignored = bool(ignored.any())
        self._factor = threshold_factor
        self._one_factor = float(threshold_factor[0, 0]) if np.ptp(threshold_factor) == 0 else None
        seen = light.cells_of(255 - ignored) > 128
        self._seen_cells: Image = seen if bool(seen.any()) else np.ones_like(seen)
        self.now: Image = np.zeros(shape, np.uint8)
        self.expected: Image = np.zeros(shape, np.uint8)
        self._mean: Image = np.zeros(shape, np.float32)
        self._fast: Image = np.zeros(shape, np.float32)
        self._spread: Image = np.full(shape, 2.0, np.float32)
        self._older: Image = np.zeros(shape, np.uint8)
        self._older_known: Image = np.zeros(shape, np.uint8)
        self._still_s: Image = np.zeros(shape, np.float32)
        self._guessed: Image | None = None
        """uint8 mask: behind what stood there when learning began anew the scene is a guess, from what is around."""
        self._left_s = 0.0
        self._was_guessed: Image = np.zeros(shape, np.uint8)
        self._other: tuple[Image, Image] | None = None
        self._in_old_light: Image = self._mean
        self._usual_share = 0.0
        self._cloudy_s = 0.0
        self._thing: Image = np.zeros(shape, np.uint8)
        self._zeros: Image = np.zeros(shape, np.float32)
        self._recent: Image = np.zeros(shape, np.uint8)
        self.change: Image = np.zeros(shape, np.uint8)
        """CHANGE_SCALE times how much each pixel changes right now, so that means of it lose nothing by rounding."""
        self.difference: Image = np.zeros(shape, np.uint8)
        self._limit: Image = np.zeros(shape, np.uint8)
        self._clear_limit: Image = np.zeros(shape, np.uint8)
        self._float: Image = np.zeros(shape, np.float32)
        self._mask: Image = np.zeros(shape, np.uint8)
        self._cells: Image = light.cells_of(self._mean)
        self.noise = 2.0
        self.learned_s = -1.0
        self.changed_share = 0.0
        self.changed_areas = 0
        self._frames = 0
        self._has_older = False
        self._since_noise_s = 0.0
        self._resting_s = 0.0
        self._since_limits_s = 0.0
        self._draw_limits()

    @property
    def ready(self) -> bool:
        """Whether enough was seen to tell things from the scene."""
        return self.learned_s >= START_S and self._frames >= START_FRAMES

    def restart(self, now: Image, things: Image) -> None:
        """Forget the scene and learn it anew from this frame (uint8); the noise stays known.

        Behind `things` (uint8 mask), which are no part of it, it is guessed until they leave.
        """
        other = self._other
        if self.ready:
            self._other = self._in_old_light, self._spread.copy()
        self.learned_s = -1.0
        self.take(now, 0.0)
        self._guessed, self._was_guessed, self._left_s = None, things, 0.0
        if cv2.countNonZero(things):
            self._guessed, self._thing = things, now.copy()
        if not (other is not None and self._recall(*other)) and self._guessed is not None:
            self._guess(now, things)

    def _guess(self, now: Image, things: Image) -> None:
        small = max(1, now.shape[1] // GUESS), max(1, now.shape[0] // GUESS)
        hidden = cv2.threshold(cv2.resize(things, small, interpolation=cv2.INTER_AREA), 0, 255, cv2.THRESH_BINARY)[1]
        behind = cv2.inpaint(cv2.resize(now, small, interpolation=cv2.INTER_AREA), hidden, 3, cv2.INPAINT_TELEA)
        behind = cv2.resize(behind, now.shape[::-1], interpolation=cv2.INTER_LINEAR)
        cv2.copyTo(behind.astype(np.float32), things, self._mean)
        cv2.copyTo(np.full_like(self._spread, max(NOISE_FLOOR, self.noise)), things, self._spread)
        self._draw_limits()
        self._draw_mean()

    def _recall(self, mean: Image, spread: Image) -> bool:
        """Takes the scene as it was before the last change where it is that again: filters switch to and fro."""
        lit = light.match(self._cells, light.cells_of(mean), self._seen_cells, mean.shape[0])
        if lit.changed_share > SAME_SCENE:
            return False
        np.copyto(self._mean, mean)
        np.copyto(self._spread, spread)
        self._follow(lit.gain, lit.offset)
        np.copyto(self._fast, self.now, casting="unsafe")
        self.learned_s, self._frames = START_S, START_FRAMES
        self._draw_limits()
        return True

    def take(self, small: Image, dt_s: float, things: shade.Boxes = ()) -> None:
        """Takes the next frame in (uint8 at working size), in whatever light it is; `things` were seen a moment ago."""
        if self.learned_s < 0.0:
            np.copyto(self.now, small)
            np.copyto(self._mean, small, casting="unsafe")
            np.copyto(self._fast, self._mean)
            self._older_known.fill(0)
            self._has_older = False
            self._still_s.fill(0.0)
            self.learned_s, self._frames, self._resting_s, self.changed_share = 0.0, 0, 0.0, 0.0
            self._draw_mean()
            return
        now_cells = light.cells_of(small).astype(np.float32)
        lit = light.match(now_cells, self._cells, self._seen_cells, small.shape[0])
        self.changed_share, self.changed_areas = lit.changed_share, lit.changed_areas
        if lit.rows is None:
            np.copyto(self.now, small)
        else:
            # Bands drift from frame to frame: they are taken out of the frame, not put into the scene.
            np.divide(small, lit.rows, out=self._float)
            cv2.convertScaleAbs(self._float, dst=self.now)
        if lit.changed_share > SAME_SCENE / 2:
            self._in_old_light = self._mean.copy()  # what no light explains may be another scene
        if not lit.same:
            self._follow(lit.gain, lit.offset)
        self._even_out(lit.apart, things, dt_s)

    def _even_out(self, apart: Image, things: shade.Boxes, dt_s: float) -> None:
        """Takes out of the frame what light differs from place to place; the scene follows it as it learns."""
        least = shade.LASTS if self._cloudy_s > CLOUDED_S else shade.BEGINS
        sudden = self.changed_share - self._usual_share
        self._usual_share += sudden * _ema(SUDDEN_S, dt_s)
        logs = None if sudden > SUDDEN else self._light_of_places(apart, things, least)
        self._cloudy_s = min(CLOUDY_S, max(0.0, self._cloudy_s + (dt_s if logs is not None else -dt_s / 3)))
        if logs is None or self._cloudy_s <= CLOUDED_S:
            return
        self.now = shade.evened(self.now, self.expected, logs)
        apart = np.abs(light.cells_of(self.now).astype(np.float32) - self._cells)
        self.changed_share, self.changed_areas = light.changed(apart, self._seen_cells)
        # Also where something stands before the scene: it would be in an older light than what is around it.
        gains = cv2.exp(cv2.resize(logs * np.float32(_ema(LEARN_S, dt_s)), self.now.shape[::-1]))
        cv2.multiply(self._mean, gains, dst=self._mean)
        layers = [self._older] if self._has_older else []
        for layer in layers if self._guessed is None else [*layers, self._thing]:
            cv2.multiply(layer, gains, dst=layer, dtype=cv2.CV_8U)
        self._draw_mean()

    def _light_of_places(self, apart: Image, things: shade.Boxes, least: float) -> Image | None:
        """What `shade.logs` says, if it is to be asked."""
        if np.count_nonzero(apart > least) < shade.FAIR_SHARE * apart.size:
            return None
        cells = light.cells_of(self.now).astype(np.float32)
        if shade.is_curve(cells, self._cells, things, self.now.shape, least):
            return None
        return shade.logs(self.now, self.expected, self.noise, self._seen_cells, things, least)

    def _follow(self, gain: float, offset: float) -> None:
        """Carries all layers to the new light, also where something stands before them."""
        blown, fall = self._blown_out(gain, offset)
        for layer in (self._mean, self._fast):
            cv2.addWeighted(layer, gain, layer, 0.0, offset, dst=layer)
            np.clip(layer, 0.0, 255.0, out=layer)
        if blown is not None:
            rise = cv2.subtract(self.now, cv2.convertScaleAbs(self._mean))
            shown = cv2.bitwise_and(blown, cv2.inRange(rise, 1.0, fall + 1.0))
            for layer in (self._mean, self._fast):
                cv2.copyTo(self.now.astype(np.float32), shown, layer)
        if self._has_older:
            cv2.addWeighted(self._older, gain, self._older, 0.0, offset, dst=self._older)
        if self._guessed is not None:
            cv2.addWeighted(self._thing, gain, self._thing, 0.0, offset, dst=self._thing)
        self._draw_mean()

    def _blown_out(self, gain: float, offset: float) -> tuple[Image | None, float]:
        """uint8 mask of where the scene is too bright to be shown and of what borders on that, or None; and how much
        brighter than it was told the scene may be there once the light falls: as far as white falls, no further.
        """
        white = cv2.minMaxLoc(self.expected)[1]
        fall = white * (1.0 - gain) - offset
        if white < BLOWN_OUT or fall < LEAST_FALL:
            return None, 0.0
        return cv2.dilate(cv2.threshold(self.expected, white - NEAR_WHITE, 255, cv2.THRESH_BINARY)[1], BORDER), fall

    def _draw_mean(self) -> None:
        cv2.convertScaleAbs(self._mean, dst=self.expected)
        self._cells = light.cells_of(self.expected).astype(np.float32)

    def _draw_limits(self) -> None:
        self._since_limits_s = 0.0
        if self._one_factor is not None:
            cv2.convertScaleAbs(
                self._spread, dst=self._limit, alpha=SPREADS * self._one_factor, beta=LEAST_STEP * self._one_factor
            )
        else:
            cv2.addWeighted(self._spread, SPREADS, self._spread, 0.0, LEAST_STEP, dst=self._float)
            cv2.multiply(self._float, self._factor, dst=self._float)
            cv2.convertScaleAbs(self._float, dst=self._limit)
        cv2.addWeighted(self._limit, CLEAR, self._limit, 0.0, 0.0, dst=self._clear_limit)
        if self._has_ignored:
            self._limit[self._ignored > 0] = 255

    def differing(self) -> Image:
        """uint8 mask, 255 where this frame differs from every layer of the scene."""
        cv2.absdiff(self.now, self.expected, dst=self.difference)
        perhaps = cv2.compare(self.difference, self._limit, cv2.CMP_GT)
        if self._has_older:
            from_older = cv2.absdiff(self.now, self._older)
            as_before = cv2.bitwise_and(cv2.compare(from_older, self._limit, cv2.CMP_LE), self._older_known)
            perhaps = cv2.subtract(perhaps, as_before)
            cv2.copyTo(cv2.min(from_older, self.difference), as_before, self.difference)
        return perhaps

    def differing_in(self, small: Image) -> int:
        """How many pixels of another picture (uint8 at working size) differ from the scene: nothing is taken in."""
        lit = light.match(light.cells_of(small).astype(np.float32), self._cells, self._seen_cells, small.shape[0])
        if lit.changed_share > SAME_SCENE:
            return small.size
        if lit.rows is not None:
            small = cv2.convertScaleAbs(small / lit.rows)
        expected = cv2.convertScaleAbs(self._mean, alpha=lit.gain, beta=lit.offset)
        differs = cv2.compare(cv2.absdiff(small, expected), self._limit, cv2.CMP_GT)
        if self._has_older:
            from_older = cv2.absdiff(small, cv2.convertScaleAbs(self._older, alpha=lit.gain, beta=lit.offset))
            as_before = cv2.bitwise_and(cv2.compare(from_older, self._limit, cv2.CMP_LE), self._older_known)
            differs = cv2.subtract(differs, as_before)
        return cv2.countNonZero(differs)

    def clearly(self) -> Image:
        """uint8 mask, 255 where this frame differs by far more than its pixels waver."""
        return cv2.compare(self.difference, self._clear_limit, cv2.CMP_GT)

    def active(self) -> Image:
        """uint8 mask, 255 where the picture changes right now, against its own last moments."""
        cv2.convertScaleAbs(self._fast, dst=self._recent)
        change = cv2.absdiff(self.now, self._recent)
        cv2.addWeighted(change, CHANGE_SCALE, change, 0.0, 0.0, dst=self.change)
        # A little more than the limit's 0.8, since the threshold below is on whole numbers.
        cv2.addWeighted(change, 1.25, change, 0.0, 0.0, dst=change)
        return cv2.medianBlur(cv2.compare(change, self._limit, cv2.CMP_GT), 3)

    def rest(self, dt_s: float) -> None:
        """Learns from a frame in which nothing differs: seldom, since little can be learned from it."""
        self._resting_s += dt_s
        cv2.accumulateWeighted(self.now, self._fast, _ema(FAST_S, dt_s))
        if self._has_older:
            np.add(self._still_s, dt_s, out=self._still_s)
        if self._resting_s < REST_S and self.ready:
            self._frames += 1
            return
        self._learn_all(self._resting_s)
        self._resting_s = 0.0

    def _learn_all(self, dt_s: float) -> None:
        early = not self.ready
        known = None if self._guessed is None else cv2.bitwise_not(self._guessed)
        cv2.accumulateWeighted(self.now, self._mean, _ema(0.25 if early else LEARN_S, dt_s), mask=known)
        cv2.accumulateWeighted(self.difference, self._spread, _ema(1.0 if early else LEARN_S, dt_s), mask=known)
        self._learned(dt_s)

    def learn(self, covered: Image, doubted: Image, steady: Image, active: Image, dt_s: float) -> None:
        """Learns from this frame. `covered` (255) hides the scene; `doubted` differs but has not proved a thing.

        What is `steady` (255), merely lit or a thing that stands, says nothing of how much the scene wavers: who comes
        next to where somebody stood for long would else not be seen there.
        """
        dt_s, resting_s = dt_s + self._resting_s, self._resting_s
        self._resting_s = 0.0
        rate = _ema(LEARN_S, dt_s)
        free = cv2.bitwise_not(covered)
        cv2.accumulateWeighted(self.now, self._mean, rate, mask=cv2.subtract(free, doubted))
        cv2.accumulateWeighted(self.now, self._mean, rate * 0.5, mask=doubted)
        np.minimum(self.difference, np.uint8(WIDEST_STEP), out=self.difference)
        cv2.accumulateWeighted(self.difference, self._spread, rate, mask=cv2.subtract(free, steady))
        cv2.accumulateWeighted(self.now, self._fast, _ema(FAST_S, dt_s - resting_s))
        if self._has_older:
            np.add(self._still_s, dt_s - resting_s, out=self._still_s)
            cv2.copyTo(self._zeros, active, self._still_s)
        self._learned(dt_s)

    def _learned(self, dt_s: float) -> None:
        np.maximum(self._spread, NOISE_FLOOR, out=self._spread)
        self._frames += 1
        self.learned_s += dt_s
        self._since_noise_s += dt_s
        if self._since_noise_s > 1.0:
            self._since_noise_s = 0.0
            self.noise = light.median(self._spread[::4, ::4].ravel()) * 1.25
        self._draw_mean()
        self._since_limits_s += dt_s
        if self._since_limits_s >= LIMITS_S or not self.ready:
            self._draw_limits()

    def absorb(self, stands: Image, gone: Image) -> None:
        """What stands for long becomes background, with what it hides kept as the older layer; so does what came to
        light where a thing had been learned, but that thing is forgotten. Both are uint8 masks.
        """
        cv2.copyTo(self.expected, stands, self._older)
        cv2.bitwise_or(self._older_known, stands, dst=self._older_known)
        cv2.subtract(self._older_known, gone, dst=self._older_known)
        cv2.copyTo(self._fast, cv2.bitwise_or(stands, gone), self._mean)
        self._has_older = bool(cv2.countNonZero(self._older_known))
        self._draw_mean()

    def find_out(self, active: Image, dt_s: float) -> None:
        """Once what hid the scene has left, and nothing stirs there (`active`, uint8 mask) any more, the guess ends."""
        guessed = self._guessed
        if guessed is None:
            return
        stirs = cv2.countNonZero(cv2.bitwise_and(active, guessed)) > STIRS * cv2.countNonZero(guessed)
        as_it_was = self._as_it_was(slice(None), slice(None))
        self._left_s = 0.0 if stirs or as_it_was else self._left_s + dt_s
        if self._left_s < LEFT_S:
            return
        cv2.copyTo(self._fast, guessed, self._mean)
        self._guessed, self._left_s = None, 0.0
        self._draw_mean()

    def trembles(self, where: tuple[slice, slice]) -> bool:
        """Whether what stands in the way there (rows, columns) changes right now, more than the rest does."""
        if self._guessed is None:
            return False
        change = cv2.mean(self.change[where], mask=self._guessed[where])[0]
        return change > MUCH * cv2.mean(self.change)[0] + TREMBLING

    def still_hidden(self, where: tuple[slice, slice]) -> bool:
        """Whether most of what stood in the way there when learning began anew still looks as it did then."""
        return self._guessed is not None and self._as_it_was(*where)

    def _as_it_was(self, rows: slice, columns: slice) -> bool:
        if self._guessed is None:
            return False
        since = cv2.absdiff(cv2.blur(self.now[rows, columns], SWAY), cv2.blur(self._thing[rows, columns], SWAY))
        return bool(cv2.mean(since, mask=self._guessed[rows, columns])[0] < 1.0 + UNCHANGED * self.noise)

    def revealed(self, where: tuple[slice, slice]) -> bool:
        """Whether what comes to light there was hidden when learning began anew, and is no more than that."""
        if self.learned_s > GUESS_LASTS_S or not self._was_guessed[where].any():
            return False
        share = cv2.countNonZero(self._was_guessed[where]) / self._was_guessed[where].size
        return share > 0.4 and not self.still_hidden(where)

    def uncover(self) -> None:
        """Where the older layer has come to light again and stays, it is the background again."""
        if not self._has_older:
            return
        cv2.convertScaleAbs(self._fast, dst=self._recent)
        back = cv2.compare(cv2.absdiff(self._recent, self._older), self._limit, cv2.CMP_LT)
        back = cv2.bitwise_and(back, self._older_known)
        other = cv2.compare(cv2.absdiff(self.now, self.expected), self._limit, cv2.CMP_GT)
        back = cv2.bitwise_and(back, other)
        back[self._still_s <= 0.5] = 0
        if not cv2.countNonZero(back):
            return
        where = cv2.medianBlur(back, 3)
        was = self.expected.copy()
        cv2.copyTo(self._older.astype(np.float32), where, self._mean)
        cv2.copyTo(was, where, self._older)
        self._draw_mean()
