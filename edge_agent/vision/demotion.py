"""Demotes what has been active for long: it is recorded and reported, and no longer alerts. PURE: times are arguments.

Rules: only what *stays* makes a place active: it stirs where it is (leaves, a flag, a screen)
or goes to and fro, and gets nowhere; who passes makes none, however many pass. A place is demoted where something so
stayed in OFTEN of the last MINUTES minutes, and promoted again after MINUTES of calm. Only minutes that were watched
count. All places together are at most MOST of the picture: what stirs over more than that goes on alerting.

A thing is *heard* (alerts) although it is in a demoted place once it goes a way of its own through it, farther than
what stirs there does, is mostly outside, or is far larger; for a minute, after which it has to show so again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.observation import UNWATCHED_MS, Box, Observation, Region

Cells = NDArray[Any]

ACROSS, DOWN = 32, 24
MINUTES, OFTEN, JOINED = 10, 8, 4
"""Minutes remembered; in how many of them a cell must be active, and in how many where it touches such ones."""
MINUTE_MS = 60_000.0
LONGEST_STEP_MS = 5_000.0
"""What was not watched for longer than this is no calm."""
MOST = 0.35
STAYS = 0.1
"""Of the picture: what moved less in a minute than this, or than its own width, stays."""
STRAIGHT = 0.6
"""Shorter parts of its way than this, as the crow flies, are to and fro."""
MOMENT_MS = 3_000.0
"""What sways turns back within this."""
OUTSIDE = 0.5
"""A thing is outside with more than this part of its box."""
FARTHER, LARGER = 1.5, 2.5
"""So many times the reach, or the area, of the most that stays in the place is something else."""
FADES = 0.9
"""A minute, of what is known of reach and area."""
_KNOWN_THINGS = 64
_FORGET_MS = 10_000.0
_GONE_NOWHERE_MS = 10_000.0
_AROUND = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class DemotedPlace:
    """A part of the picture that no longer alerts: the box around it, and since when."""

    box: Box
    since_ms: float


@dataclass(slots=True)
class _Way:
    """What one thing did in its last minute."""

    began_ms: float
    last_ms: float
    first: tuple[float, float]
    last: tuple[float, float]
    covered: Cells
    length: float = 0.0
    reach: float = 0.0
    width: float = 0.0
    area: float = 0.0
    heard_ms: float | None = None
    broken: bool = False
    """Nobody looked at it for a while: it may have been taken for another, or another for it."""

    def net(self) -> float:
        """How far it is from where it was, in shares of the picture."""
        return math.hypot(self.last[0] - self.first[0], self.last[1] - self.first[1])

    def passes(self) -> bool:
        """Whether it got away from where it was, rather straight."""
        net = self.net()
        return net >= max(STAYS, self.width) and net >= STRAIGHT * self.length

    def stays(self) -> bool:
        """Whether it surely got nowhere. What went straight for a moment, and what was not watched all the while, may
        have passed: a car close by crosses less than its own width in the moment that it takes.
        """
        lasted_ms = self.last_ms - self.began_ms
        if self.broken:
            return self.reach < max(STAYS, self.width) and lasted_ms >= _GONE_NOWHERE_MS
        if lasted_ms < MOMENT_MS and self.net() >= STRAIGHT * self.length:
            return False
        return not self.passes()


class Demotion:
    """One camera's; it outlives changes of the detector's settings. `see` belongs to the looking thread."""

    def __init__(self) -> None:
        self._history: Cells = np.zeros((MINUTES, DOWN, ACROSS), bool)
        self._active: Cells = np.zeros((DOWN, ACROSS), bool)
        self._demoted: Cells = np.zeros((DOWN, ACROSS), np.uint8)
        self._near: Cells = self._demoted
        self._ways: dict[int, _Way] = {}
        self._watched_ms = 0.0
        self._before_ms: float | None = None
        self._reach: Cells = np.zeros((DOWN, ACROSS), np.float32)
        self._area: Cells = np.zeros((DOWN, ACROSS), np.float32)
        self.places: tuple[DemotedPlace, ...] = ()
        """The places that are demoted now, the oldest first; replaced as a whole, so any thread may read it."""

    def see(self, observation: Observation) -> Observation:
        """Takes an observation in; what of it moves in demoted places is told apart (`demoted`)."""
        t_ms = observation.t_ms
        before_ms = t_ms if self._before_ms is None else self._before_ms
        step_ms, self._before_ms = t_ms - before_ms, t_ms
        self._watched_ms += min(LONGEST_STEP_MS, max(0.0, step_ms))
        unwatched = step_ms > UNWATCHED_MS
        if unwatched:
            for way in self._ways.values():
                way.broken |= way.last_ms == before_ms
        for region in observation.regions:
            self._follow(region, t_ms, unwatched=unwatched)
        if self._watched_ms >= MINUTE_MS:
            self._watched_ms -= MINUTE_MS
            self._end_minute(t_ms)
        if not (self.places and observation.regions):
            return observation
        return self._told_apart(observation)

    def forget_things(self) -> None:
        """Things are numbered anew from here."""
        for way in self._ways.values():
            self._weigh(way)
        self._ways.clear()

    def _told_apart(self, observation: Observation) -> Observation:
        demoted = tuple(region for region in observation.regions if self._ways[region.thing].heard_ms is None)
        if not demoted:
            return observation
        regions = tuple(region for region in observation.regions if region not in demoted)
        heard_ms = [self._ways[region.thing].heard_ms for region in regions]
        since_ms = min((at_ms for at_ms in heard_ms if at_ms is not None), default=None)
        if since_ms is not None and observation.since_ms is not None:
            since_ms = max(since_ms, observation.since_ms)
        return replace(
            observation,
            moving=bool(regions),
            regions=regions,
            score=max((region.score for region in regions), default=0.0),
            since_ms=since_ms,
            demoted=demoted,
        )

    # --- things --------------------------------------------------------------------------------------------------

    def _follow(self, region: Region, t_ms: float, *, unwatched: bool) -> None:
        x0, y0, x1, y1 = region.box
        centre = (x0 + x1) / 2, (y0 + y1) / 2
        rows, columns = _cells(region.box)
        way = self._ways.get(region.thing)
        if way is not None and not 0.0 <= t_ms - way.began_ms < MINUTE_MS:
            self._weigh(self._ways.pop(region.thing))
            way = None
        if way is None:
            if len(self._ways) >= _KNOWN_THINGS:
                self._forget(t_ms)
            way = self._ways[region.thing] = _Way(t_ms, t_ms, centre, centre, np.zeros((DOWN, ACROSS), bool))
            way.broken = unwatched
        way.length += math.hypot(centre[0] - way.last[0], centre[1] - way.last[1])
        way.last, way.last_ms = centre, t_ms
        way.reach, way.area = max(way.reach, way.net()), max(way.area, region.area)
        way.width = max(way.width, min(x1 - x0, y1 - y0))
        way.covered[rows, columns] = True
        inside = self._near[rows, columns]
        if way.heard_ms is None:
            if 1.0 - np.count_nonzero(inside) / inside.size > OUTSIDE:
                way.heard_ms = t_ms
            elif (way.passes() and way.net() > FARTHER * self._reach[rows, columns].max()) or (
                region.area > LARGER * self._area[rows, columns].max()
            ):
                way.heard_ms = way.began_ms

    def _forget(self, t_ms: float) -> None:
        """Weighs and drops the things that are gone; where none is, the one that was seen longest ago."""
        gone = [thing for thing, way in self._ways.items() if not 0.0 <= t_ms - way.last_ms <= _FORGET_MS]
        for thing in gone or [min(self._ways, key=lambda thing: self._ways[thing].last_ms)]:
            self._weigh(self._ways.pop(thing))

    def _weigh(self, way: _Way) -> None:
        if way.stays():
            self._active |= way.covered
            np.maximum(self._reach, way.reach, out=self._reach, where=way.covered)
            np.maximum(self._area, way.area, out=self._area, where=way.covered)

    # --- places --------------------------------------------------------------------------------------------------

    def _end_minute(self, t_ms: float) -> None:
        for thing, way in list(self._ways.items()):
            if not 0.0 <= t_ms - way.last_ms <= _FORGET_MS:
                self._weigh(self._ways.pop(thing))
            elif t_ms - way.began_ms >= _GONE_NOWHERE_MS:
                self._weigh(way)
                way.covered[:] = False
        self._history = np.concatenate((self._history[1:], self._active[None]))
        self._active = np.zeros((DOWN, ACROSS), bool)
        self._reach *= np.float32(FADES)
        self._area *= np.float32(FADES)
        minutes = self._history.sum(axis=0)
        calmed = minutes == 0
        wide = ((minutes >= JOINED) | (self._demoted > 0)) & ~calmed
        demoted = np.zeros((DOWN, ACROSS), np.uint8)
        parts = _parts(wide, lambda part: bool((minutes[part] >= OFTEN).any() or self._demoted[part].any()))
        found = [(self._since(cells, t_ms), cells) for cells in parts]
        places: list[DemotedPlace] = []
        for since_ms, cells in sorted(found, key=lambda each: each[0]):
            if np.count_nonzero(demoted) + np.count_nonzero(cells) > MOST * demoted.size:
                continue
            demoted[cells] = 1
            places.append(DemotedPlace(_box(cells), since_ms))
        self._demoted, self.places = demoted, tuple(places)
        self._near = cv2.dilate(demoted, _AROUND) if places else demoted

    def _since(self, cells: Cells, t_ms: float) -> float:
        """Since when: where places have grown together, since the oldest of them."""
        olds = [place.since_ms for place in self.places if cells[_cells(place.box)].any()]
        return min(olds, default=t_ms)


def _cells(box: Box) -> tuple[slice, slice]:
    """Rows and columns of the cells that a box touches, at least one."""
    x0, y0, x1, y1 = box
    left, top = min(ACROSS - 1, int(x0 * ACROSS)), min(DOWN - 1, int(y0 * DOWN))
    right, bottom = max(left + 1, math.ceil(x1 * ACROSS - 1e-6)), max(top + 1, math.ceil(y1 * DOWN - 1e-6))
    return slice(top, bottom), slice(left, right)


def _parts(cells: Cells, wanted: Callable[[Cells], bool]) -> list[Cells]:
    """The connected parts (bool) for which `wanted` holds."""
    count, labels = cv2.connectedComponents(cells.astype(np.uint8), connectivity=8)
    return [part for number in range(1, count) if wanted(part := labels == number)]


def _box(cells: Cells) -> Box:
    rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    return (
        float(columns[0]) / ACROSS,
        float(rows[0]) / DOWN,
        float(columns[-1] + 1) / ACROSS,
        float(rows[-1] + 1) / DOWN,
    )
