"""From observations to episodes: one stretch of motion with its start, updates and end. Pure: time is an argument.

Rules: an episode starts once motion has lasted `min_duration_s` and dates back to the first moving frame; it ends
once nothing has moved for `end_after_s`, dated to the last motion; past `max_episode_s` it is split and goes on as a
new one; when frames stop it ends as lost. What moves only in demoted places (demotion.py) makes episodes of its own
kind, which end at once when something else moves.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from edge_agent.vision.observation import BACKWARDS_MS, Box, Observation, union
from edge_agent.vision.settings import MotionSettings

UPDATE_EVERY_MS = 5_000.0
PATH_POINTS = 32
BRIDGE_MS = 500.0
"""Motion not yet confirmed may pause so long without starting over."""
SETTLES_MS = 3_000.0
"""So long an episode goes on before it is settled: by then a person has mostly shown themselves whole."""
LEAVING_MS = 700.0
"""What leaves is soon too small to count: an episode ends so long after its last motion, or half way to the next look
where that is later."""

MOTION, DEMOTED = "motion", "motion:demoted"
"""Kinds of episodes: the second is recorded and not told."""

EndReason = Literal["quiet", "split", "lost"]
PathPoint = tuple[float, float, float]
"""t_ms, and the centre of what moved then, in 0..1 of the picture."""


@dataclass(frozen=True, slots=True)
class EpisodeStarted:
    """Motion is confirmed. `start_ms` is the first moving frame, `box` all that moved since."""

    start_ms: float
    box: Box
    zones: tuple[str, ...]
    score: float
    kind: str = MOTION


@dataclass(frozen=True, slots=True)
class EpisodeUpdated:
    """The episode so far: union box, zones seen, best score, and when something moved last."""

    start_ms: float
    last_ms: float
    box: Box
    zones: tuple[str, ...]
    score: float
    kind: str = MOTION


@dataclass(frozen=True, slots=True)
class EpisodeEnded:
    """The whole episode. `best_box` is the box of the moment most worth a snapshot."""

    start_ms: float
    end_ms: float
    box: Box
    best_box: Box
    zones: tuple[str, ...]
    score: float
    path: tuple[PathPoint, ...]
    reason: EndReason
    kind: str = MOTION


EpisodeEvent = EpisodeStarted | EpisodeUpdated | EpisodeEnded


class _Path:
    """At most PATH_POINTS points over the whole time: when full, every other one goes and the step doubles."""

    def __init__(self) -> None:
        self._points: list[PathPoint] = []
        self._step = 1
        self._count = 0
        self._last: PathPoint | None = None

    def add(self, point: PathPoint) -> None:
        self._last = point
        if self._count % self._step == 0:
            if len(self._points) >= PATH_POINTS - 1:
                del self._points[1::2]
                self._step *= 2
            if self._count % self._step == 0:
                self._points.append(point)
        self._count += 1

    def points(self) -> tuple[PathPoint, ...]:
        points = list(self._points)
        if self._last is not None and points[-1] != self._last:
            points.append(self._last)
        return tuple(points)


class _Stretch:
    """What is gathered about motion from its first frame on, confirmed or not."""

    def __init__(self, start_ms: float) -> None:
        self.start_ms = start_ms
        self.last_ms = start_ms
        self.calm_ms: float | None = None
        """When nothing moved first after that."""
        self.box: Box | None = None
        self.best_box: Box = (0.0, 0.0, 1.0, 1.0)
        self.best_worth = -1.0
        self.zones: list[str] = []
        self.score = 0.0
        self.path = _Path()
        self.confirmed = False
        self.confirmed_ms = self.told_ms = start_ms
        self.told_zones = 0

    def add(self, observation: Observation, t_ms: float) -> bool:
        """Takes a moving frame in. True when it is the best moment so far."""
        self.last_ms, self.calm_ms = t_ms, None
        self.score = max(self.score, observation.score)
        if not observation.regions:
            return False
        now = observation.regions[0].box
        for region in observation.regions:
            now = union(now, region.box)
        for zone in _zones(observation):
            if zone not in self.zones:
                self.zones.append(zone)
        self.box = now if self.box is None else union(self.box, now)
        main = max(observation.regions, key=lambda region: region.area * region.score)
        x0, y0, x1, y1 = main.box
        self.path.add((t_ms, (x0 + x1) / 2, (y0 + y1) / 2))
        worth = snapshot_worth(observation)
        # A little better is not worth another JPEG: without this margin an approaching walker makes one a frame.
        if worth <= self.best_worth * 1.15 + 1e-6:
            return False
        self.best_worth = worth
        self.best_box = main.box
        return True

    def rest(self, t_ms: float) -> None:
        """Takes a frame in which nothing moves in."""
        if self.calm_ms is None:
            self.calm_ms = t_ms

    def tell(self, t_ms: float) -> None:
        """What is known of it is told now."""
        self.told_ms, self.told_zones = t_ms, len(self.zones)

    def left_ms(self) -> float:
        """When what moved was gone, as far as is known."""
        calm_ms = self.last_ms if self.calm_ms is None else self.calm_ms
        return max(self.last_ms + LEAVING_MS, (self.last_ms + calm_ms) / 2)

    def whole_box(self) -> Box:
        return self.box if self.box is not None else (0.0, 0.0, 1.0, 1.0)


def _zones(observation: Observation) -> Iterable[str]:
    for region in observation.regions:
        yield from region.zones


def snapshot_worth(observation: Observation) -> float:
    """How much a picture of this moment shows: a large, sure thing that is whole, not cut by the picture's edge."""
    best = 0.0
    for region in observation.regions:
        x0, y0, x1, y1 = region.box
        cut_sides = (x0 <= 0.01) + (y0 <= 0.01) + (x1 >= 0.99) + (y1 >= 0.99)
        size = min(1.0, (x1 - x0) * (y1 - y0) / 0.15) ** 0.5
        best = max(best, region.score * size * 0.6**cut_sides)
    return best


class EpisodeTracker:
    """Turns one camera's observations, in order of time, into episodes of one kind."""

    def __init__(self, settings: MotionSettings, kind: str = MOTION) -> None:
        self._settings = settings
        self._kind = kind
        self._stretch: _Stretch | None = None
        self._is_best_moment = False
        self._ended_ms = -math.inf

    @property
    def is_best_moment(self) -> bool:
        """Whether the last step showed the stretch of motion better than any before: time to take a snapshot."""
        return self._is_best_moment

    @property
    def best_box(self) -> Box | None:
        """The box of the best moment of the motion now going on; None while nothing moves."""
        return self._stretch.best_box if self._stretch is not None else None

    @property
    def in_episode(self) -> bool:
        """Whether an episode has started and not ended."""
        return self._stretch is not None and self._stretch.confirmed

    @property
    def settled(self) -> bool:
        """Whether an episode goes on of which nothing is new any more, and all zones have seen something of it."""
        stretch = self._stretch
        if stretch is None or not stretch.confirmed or stretch.last_ms - stretch.confirmed_ms < SETTLES_MS:
            return False
        return len(stretch.zones) == len(self._settings.zones)

    def step(self, observation: Observation, t_ms: float) -> tuple[EpisodeEvent, ...]:
        """Takes one observation in; returns what it brought about, in order."""
        self._is_best_moment = False
        events: list[EpisodeEvent] = []
        follows_split = False
        stretch = self._stretch
        if stretch is not None:
            patience_ms = self._settings.end_after_s * 1000 if stretch.confirmed else BRIDGE_MS
            if -BACKWARDS_MS <= t_ms - stretch.last_ms < 0:
                t_ms = stretch.last_ms
            if not 0 <= t_ms - stretch.last_ms < patience_ms:
                if stretch.confirmed:
                    events.append(self._ended(stretch, min(t_ms, stretch.left_ms()), "quiet"))
                stretch = None
            else:
                stretch.rest(t_ms)
        if observation.moving:
            if stretch is None:
                since_ms = observation.since_ms if observation.since_ms is not None else t_ms
                stretch = _Stretch(min(t_ms, max(since_ms, self._ended_ms)))
            elif stretch.confirmed and t_ms - stretch.start_ms >= self._settings.max_episode_s * 1000:
                events.append(self._ended(stretch, t_ms, "split"))
                stretch = _Stretch(t_ms)
                follows_split = True
            self._is_best_moment = stretch.add(observation, t_ms)
        self._stretch = stretch
        if stretch is not None and observation.moving:
            if not stretch.confirmed:
                if follows_split or t_ms - stretch.start_ms >= self._settings.min_duration_s * 1000:
                    stretch.confirmed = True
                    stretch.confirmed_ms = t_ms
                    stretch.tell(t_ms)
                    events.append(self._started(stretch))
            elif len(stretch.zones) > stretch.told_zones or t_ms - stretch.told_ms >= UPDATE_EVERY_MS:
                stretch.tell(t_ms)
                events.append(
                    EpisodeUpdated(
                        stretch.start_ms,
                        stretch.last_ms,
                        stretch.whole_box(),
                        tuple(stretch.zones),
                        stretch.score,
                        self._kind,
                    )
                )
        return tuple(events)

    def lost(self, t_ms: float) -> tuple[EpisodeEvent, ...]:
        """The camera went away at `t_ms`: an episode that is going on ends, dated to its last motion."""
        self._is_best_moment = False
        stretch, self._stretch = self._stretch, None
        if stretch is None or not stretch.confirmed:
            return ()
        return (self._ended(stretch, min(stretch.last_ms, t_ms), "lost"),)

    def give_way(self, t_ms: float) -> tuple[EpisodeEvent, ...]:
        """Another episode begins: one that is going on ends at its last motion, as if split."""
        self._is_best_moment = False
        stretch, self._stretch = self._stretch, None
        if stretch is None or not stretch.confirmed:
            return ()
        return (self._ended(stretch, min(stretch.last_ms, t_ms), "split"),)

    def _started(self, stretch: _Stretch) -> EpisodeStarted:
        return EpisodeStarted(stretch.start_ms, stretch.whole_box(), tuple(stretch.zones), stretch.score, self._kind)

    def _ended(self, stretch: _Stretch, end_ms: float, reason: EndReason) -> EpisodeEnded:
        self._ended_ms = end_ms
        return EpisodeEnded(
            stretch.start_ms,
            end_ms,
            stretch.whole_box(),
            stretch.best_box,
            tuple(stretch.zones),
            stretch.score,
            stretch.path.points(),
            reason,
            self._kind,
        )


class Episodes:
    """One camera's episodes, one at a time: of what is told, and else of what moves in demoted places."""

    def __init__(self, settings: MotionSettings) -> None:
        self._told = EpisodeTracker(settings)
        self._demoted = EpisodeTracker(settings, DEMOTED)
        self.patience_ms = settings.end_after_s * 1000
        """So long after its last motion an episode ends."""

    @property
    def in_episode(self) -> bool:
        """Whether an episode has started and not ended."""
        return self._told.in_episode or self._demoted.in_episode

    @property
    def told(self) -> bool:
        """Whether it is one that people are told of."""
        return self._told.in_episode

    @property
    def settled(self) -> bool:
        """Whether one that people are told of goes on, of which nothing is new any more."""
        return self._told.settled

    @property
    def is_best_moment(self) -> bool:
        """Whether the last step showed what moves better than any before: time to take a snapshot."""
        return self._told.is_best_moment or (self._told.best_box is None and self._demoted.is_best_moment)

    @property
    def best_box(self) -> Box | None:
        """The box of the best moment of the motion now going on; None while nothing moves."""
        return self._told.best_box if self._told.best_box is not None else self._demoted.best_box

    def step(self, observation: Observation, t_ms: float) -> tuple[EpisodeEvent, ...]:
        """Takes one observation in; returns what it brought about, in order."""
        told = self._told.step(observation, t_ms)
        if self._told.in_episode:
            return (*self._demoted.give_way(t_ms), *told)
        regions = observation.demoted
        score = max((region.score for region in regions), default=0.0)
        apart = replace(observation, moving=bool(regions), regions=regions, score=score, since_ms=None)
        return (*told, *self._demoted.step(apart, t_ms))

    def lost(self, t_ms: float) -> tuple[EpisodeEvent, ...]:
        """The camera went away at `t_ms`: an episode that is going on ends, dated to its last motion."""
        return (*self._told.lost(t_ms), *self._demoted.lost(t_ms))
