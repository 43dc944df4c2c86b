"""Whether a camera shows its scene: covered, turned, defocused, black, white or frozen. PURE: time is an argument.

Rules: only what lasts is told (a bus that stops close by leaves contours around it, a switched filter is over in a
second), dated back to its first picture; it ends once the scene has been seen again for a while. While something is
wrong the scene is not learned. A new aim is taken for the right one after `ACCEPTED_AFTER_S`, or by a new start.

What it cannot tell: a turn or a cover before the start; a cover with holes that show a fifth of the scene; what a scene
without contours shows (a wall, fog, a night without lamps), where only black, white and frozen are judged; focus
lost by less than about a hundredth of the picture's width; a scene that looks like its mirror image.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.freshness import Freshness
from edge_agent.vision.structure import DOUBTFUL, SURELY_LOST, Likeness, Structure, fine_picture

Image = NDArray[Any]
Kind = Literal["covered", "turned", "defocused", "black", "white", "frozen"]

STEP_MS = 700.0
WELL_STEP_MS = 1_900.0
"""While the scene is known and all is well: what begins just behind such a look is told within five seconds still."""
TOLD_AFTER_MS = 2_700.0
OVER_AFTER_MS = 2_000.0
ACCEPTED_AFTER_S = 6 * 3600.0
DOUBTED = 0.55
"""Less of the scene's contours than this is not learned for a while."""
LEARNED_AFTER_S = 60.0
BARE = 0.08
"""Of its usual contours, what a picture shares with the one before it: covers had 0.01 at most, live scenes 0.29."""
BLURRED = 0.25
BLACK, WHITE = 20.0, 232.0
_FLAT = 14.0
_DAZZLE_STEPS = 2


@dataclass(frozen=True, slots=True)
class TamperStarted:
    """Something is wrong with the picture since `since_ms`."""

    kind: Kind
    since_ms: float


@dataclass(frozen=True, slots=True)
class TamperEnded:
    """It is over since `end_ms`: the scene is seen again ("seen"), what is seen was taken for the scene ("accepted"),
    or nobody looks any more ("stopped"): a new start finds it again, unless the new aim is taken for the right one."""

    kind: Kind
    since_ms: float
    end_ms: float
    why: Literal["seen", "accepted", "stopped"] = "seen"


TamperEvent = TamperStarted | TamperEnded


class PictureHealth:
    """Looks at one camera's luma pictures in order of time, every 0.7 or, all being well, 1.9 s; any size, which may
    change."""

    def __init__(self) -> None:
        self._structure = Structure()
        self._freshness = Freshness()
        self._size = (0, 0)
        self._sampled_ms = -math.inf
        self._suspected_ms: float | None = None
        self._well_ms: float | None = None
        self._doubted_s = 0.0
        self._votes: Counter[Kind] = Counter()
        self._told: TamperStarted | None = None

    @property
    def suspects(self) -> bool:
        """Something may be wrong that is not told yet: worth watching closely."""
        return self._told is None and (self._suspected_ms is not None or self._freshness.doubted)

    @property
    def active(self) -> Kind | None:
        """What is wrong now."""
        return None if self._told is None else self._told.kind

    @property
    def _all_well(self) -> bool:
        well = self._told is None and self._suspected_ms is None and self._freshness.stale_since_ms is None
        return well and self._structure.known

    def gap(self) -> None:
        """Pictures stopped coming. What was told stays told: a camera may be turned while its cable is out."""
        self._freshness.gap()
        self._suspected_ms = self._well_ms = None
        self._sampled_ms = -math.inf

    def give_up(self, t_ms: float) -> TamperEvent | None:
        """Looking ends for good: so does what was told."""
        told, self._told = self._told, None
        return None if told is None else TamperEnded(told.kind, told.since_ms, t_ms, "stopped")

    def look(self, luma: Image, t_ms: float, *, moving: bool = False) -> TamperEvent | None:
        """`luma` is (H, W) uint8, `t_ms` any monotonic milliseconds; `moving`: an episode goes on.

        Returns what began or ended, if anything did.
        """
        self._freshness.look(luma, t_ms, moving=moving)
        if 0 <= t_ms - self._sampled_ms < (WELL_STEP_MS if self._all_well else STEP_MS):
            return None
        dt_s = min(5.0, max(0.05, (t_ms - self._sampled_ms) / 1000))
        self._sampled_ms = t_ms
        if self._size != luma.shape:
            self._size = luma.shape
            self._structure = Structure()
        fine = fine_picture(luma)
        likeness = self._structure.compare(fine)
        wrong = self._judge(fine, likeness)
        if wrong is None and self._freshness.stale_since_ms is not None:
            wrong = "frozen"
        doubted = likeness.kept is not None and likeness.kept < DOUBTED
        self._doubted_s = self._doubted_s + dt_s if doubted else 0.0
        if wrong is None and self._told is None and not 0 < self._doubted_s < LEARNED_AFTER_S:
            self._structure.learn(dt_s)
        return self._step(wrong, t_ms)

    def _judge(self, fine: Image, likeness: Likeness) -> Kind | None:
        """What this picture alone would be called."""
        mean, spread = (float(value[0, 0]) for value in cv2.meanStdDev(fine))
        kept = likeness.kept
        bare = kept is not None and kept < DOUBTFUL and likeness.own < BARE
        lost = bare or (kept is not None and kept < SURELY_LOST) or likeness.elsewhere
        if mean < BLACK and spread < 6.0 and float(np.percentile(fine, 99.5)) - mean < _FLAT:
            return "black"
        if mean > WHITE and spread < 6.0 and mean - float(np.percentile(fine, 0.5)) < _FLAT:
            return "white"
        if not self._structure.known:
            return None
        soft = likeness.detail is not None and likeness.detail < BLURRED
        if lost:
            if soft and likeness.layout > 0.6:
                return "defocused"
            if not bare:
                return "turned"
            return "black" if mean < BLACK else "white" if mean > WHITE else "covered"
        return "defocused" if soft else None

    def _step(self, wrong: Kind | None, t_ms: float) -> TamperEvent | None:
        told = self._told
        if told is not None:
            return self._follow(told, wrong, t_ms)
        if wrong is None:
            if self._well_ms is not None:  # twice in a row
                self._suspected_ms = None
                self._votes.clear()
            self._well_ms = t_ms
            return None
        self._well_ms = None
        if self._suspected_ms is None:
            self._suspected_ms = t_ms
        stale_ms = self._freshness.stale_since_ms
        if wrong == "frozen" and stale_ms is not None:
            self._suspected_ms = min(self._suspected_ms, stale_ms)
        self._votes[wrong] += 1
        if t_ms - self._suspected_ms < TOLD_AFTER_MS or self._votes.total() < _DAZZLE_STEPS:
            return None
        self._told = TamperStarted(self._votes.most_common(1)[0][0], self._suspected_ms)
        self._suspected_ms = None
        self._votes.clear()
        return self._told

    def _follow(self, told: TamperStarted, wrong: Kind | None, t_ms: float) -> TamperEvent | None:
        if t_ms - told.since_ms >= ACCEPTED_AFTER_S * 1000 and told.kind in ("turned", "defocused"):
            self._told, self._structure = None, Structure()
            return TamperEnded(told.kind, told.since_ms, t_ms, "accepted")
        if wrong is not None:
            self._well_ms = None
            return None
        if self._well_ms is None:
            self._well_ms = t_ms
        if t_ms - self._well_ms < OVER_AFTER_MS:
            return None
        self._told = None
        ended = TamperEnded(told.kind, told.since_ms, self._well_ms)
        self._well_ms = None
        return ended
