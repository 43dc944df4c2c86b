"""What would alarm less: from what was seen, masks, zones and sensitivities that help, each tried. PURE.

Rules: a proposal says what it would have left of the alarms that were; one that helps little is not made. What stirs in
one place is told from what passes through: only an installer knows whether somebody who passes is to be seen.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from edge_agent.vision.episodes import EpisodeEnded, EpisodeTracker
from edge_agent.vision.observation import Box, Observation, union
from edge_agent.vision.settings import MotionSettings, Zone

Try = Callable[[MotionSettings], int | None]
"""Alarms that other settings would have given; None where that cannot be tried."""

LARGEST_MASK = 0.2
LOCAL = 0.12
"""An alarm whose whole way covers no more of the picture than this, and hardly more than its own size, stays local."""
_MARGIN = 0.01
_MOST_MASKS = 3
_COVERED = 0.6
_STRAIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Proposal:
    """One thing to change. `left` alarms would have remained, of `of`; `passing` of those removed had gone somewhere.

    `settings` are the camera's with the change made. `box` is the mask's or zone's.
    """

    change: Literal["mask", "zone", "sensitivity"]
    settings: MotionSettings
    of: int
    left: int
    passing: int = 0
    box: Box | None = None
    sensitivity: int | None = None


def alarms_of(observations: Iterable[Observation], settings: MotionSettings) -> tuple[EpisodeEnded, ...]:
    """The episodes that these observations make."""
    tracker = EpisodeTracker(settings)
    ended: list[EpisodeEnded] = []
    last_ms = 0.0
    for seen in observations:
        last_ms = seen.t_ms
        ended += [event for event in tracker.step(seen, seen.t_ms) if isinstance(event, EpisodeEnded)]
    return (*ended, *(event for event in tracker.lost(last_ms) if isinstance(event, EpisodeEnded)))


def stays(alarm: EpisodeEnded) -> bool:
    """Whether it stirred in one place, as leaves, flags, water and screens do: to and fro, or hardly at all.

    Who was seen for a moment only came not far either; but straight on, and farther than their own size.
    """
    if area(alarm.box) > LOCAL or len(alarm.path) < 2:
        return area(alarm.box) <= LOCAL
    xs, ys = [x for _, x, _ in alarm.path], [y for _, _, y in alarm.path]
    way = sum(abs(x1 - x0) + abs(y1 - y0) for (_, x0, y0), (_, x1, y1) in pairwise(alarm.path))
    to_x, to_y = abs(xs[-1] - xs[0]), abs(ys[-1] - ys[0])
    net = to_x + to_y
    x0, y0, x1, y1 = alarm.best_box
    went_on = net >= _STRAIGHT * way and (to_x >= x1 - x0 or to_y >= y1 - y0)
    return net < 0.3 * way or (net < 0.1 and not went_on)


def masked(observations: Sequence[Observation], box: Box) -> tuple[Observation, ...]:
    """The observations without what lies mostly in the box: nearly what a mask does, which works pixel by pixel."""
    return tuple(_keeping(seen, lambda region: _share_inside(region, box) < _COVERED) for seen in observations)


def zoned(observations: Sequence[Observation], box: Box) -> tuple[Observation, ...]:
    """The observations of what is in the box by a third, or stands in it."""
    return tuple(
        _keeping(
            seen,
            lambda region: _share_inside(region, box) >= 0.3 or _holds(box, (region[0] + region[2]) / 2, region[3]),
        )
        for seen in observations
    )


def advise(
    observations: Sequence[Observation], settings: MotionSettings, rerun: Try, others: dict[int, Sequence[Observation]]
) -> tuple[Proposal, ...]:
    """Proposals, the most helpful first.

    `rerun` tries settings on the recording itself where there is one; `others` are observations of the same pictures
    at other sensitivities.
    """
    alarms = alarms_of(observations, settings)
    proposals = [*_masks(observations, alarms, settings, rerun)]
    proposals += _zone(observations, alarms, settings, rerun)
    for sensitivity, seen in sorted(others.items(), reverse=True):
        changed = replace(settings, sensitivity=sensitivity)
        left = alarms_of(seen, changed)
        if sensitivity < settings.sensitivity and _helps(len(alarms), len(left)):
            lost = sum(not stays(alarm) for alarm in alarms) - sum(not stays(alarm) for alarm in left)
            proposals.append(
                Proposal("sensitivity", changed, len(alarms), len(left), max(0, lost), sensitivity=sensitivity)
            )
            break
    return tuple(sorted(proposals, key=lambda proposal: (proposal.passing > 0, proposal.left)))


def _masks(
    observations: Sequence[Observation], alarms: Sequence[EpisodeEnded], settings: MotionSettings, rerun: Try
) -> list[Proposal]:
    """One place after another, each on top of the masks before it."""
    found: list[Proposal] = []
    remaining, now, changed = observations, list(alarms), settings
    while len(found) < _MOST_MASKS:
        best: tuple[int, Box, list[EpisodeEnded]] | None = None
        for box in _places(now):
            left = list(alarms_of(masked(remaining, box), settings))
            if _helps(len(now), len(left)) and (best is None or len(left) < best[0]):
                best = len(left), box, left
        if best is None:
            break
        _, box, left = best
        changed = replace(changed, masks=(*changed.masks, corners(box)))
        exact = rerun(changed)
        count = len(left) if exact is None else exact
        if count >= len(now):
            break  # tried on the recording itself, it does not help
        passing = sum(not stays(alarm) for alarm in now) - sum(not stays(alarm) for alarm in left)
        found.append(Proposal("mask", changed, len(now), count, max(0, passing), box))
        remaining, now = masked(remaining, box), left
    return found


def _places(alarms: Sequence[EpisodeEnded]) -> list[Box]:
    """Where alarms that stay in one place lie together, small enough to be masked."""
    boxes = [alarm.box for alarm in alarms if stays(alarm)]
    places: list[Box] = []
    for seed in boxes:
        place = seed
        for box in boxes:
            wider = union(place, box)
            near = _holds(_grown(place, 0.05), (box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            if near and area(wider) <= LARGEST_MASK:
                place = wider
        place = _grown(place, _MARGIN)
        if place not in places:
            places.append(place)
    return places


def _zone(
    observations: Sequence[Observation], alarms: Sequence[EpisodeEnded], settings: MotionSettings, rerun: Try
) -> list[Proposal]:
    """Where something passes, if it does so in a part of the picture only."""
    passing = [alarm for alarm in alarms if not stays(alarm)]
    if settings.zones or len(passing) < 2:
        return []
    box = passing[0].box
    for alarm in passing:
        box = union(box, alarm.box)
    box = _grown(box, _MARGIN)
    if area(box) > 0.7:
        return []
    changed = replace(settings, zones=(_named(box),))
    exact = rerun(changed)
    left = len(alarms_of(zoned(observations, box), settings)) if exact is None else exact
    return [Proposal("zone", changed, len(alarms), left, 0, box)] if _helps(len(alarms), left) else []


def _named(box: Box) -> Zone:
    return Zone("passage", corners(box))


def _helps(before: int, after: int) -> bool:
    return before - after >= 2 and after <= 0.8 * before


def _keeping(seen: Observation, keeps: Callable[[Box], bool]) -> Observation:
    if not seen.moving:
        return seen
    regions = tuple(region for region in seen.regions if keeps(region.box))
    if len(regions) == len(seen.regions):
        return seen
    score = max((region.score for region in regions), default=0.0)
    return replace(
        seen, moving=bool(regions), regions=regions, score=score, since_ms=seen.since_ms if regions else None
    )


def area(box: Box) -> float:
    """Its share of the picture."""
    return (box[2] - box[0]) * (box[3] - box[1])


def corners(box: Box) -> tuple[tuple[float, float], ...]:
    """As a polygon, to a hundredth."""
    x0, y0, x1, y1 = (round(value, 2) for value in box)
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _share_inside(region: Box, box: Box) -> float:
    wide = min(region[2], box[2]) - max(region[0], box[0])
    high = min(region[3], box[3]) - max(region[1], box[1])
    return max(0.0, wide) * max(0.0, high) / max(1e-9, area(region))


def _holds(box: Box, x: float, y: float) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _grown(box: Box, margin: float) -> Box:
    return (
        max(0.0, box[0] - margin),
        max(0.0, box[1] - margin),
        min(1.0, box[2] + margin),
        min(1.0, box[3] + margin),
    )
