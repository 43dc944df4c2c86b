"""One detector over one recording: the episodes made of what it finds, when it found them, and what it cost."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.detection import videos
from benchmarks.detection.detectors import Detector
from benchmarks.detection.scores import Pixels, Span
from edge_agent.vision.episodes import EpisodeEnded, EpisodeStarted, EpisodeTracker
from edge_agent.vision.settings import MotionSettings


@dataclass
class Run:
    """What one detector made of one recording."""

    episodes: list[Span] = field(default_factory=list)
    moving_s: list[float] = field(default_factory=list)
    alerts_s: list[float] = field(default_factory=list)
    frames: int = 0
    cpu_s: float = 0.0
    ready_s: float | None = None
    last_s: float = 0.0


def run(looker: Detector, given: Iterable[videos.Frame], truth: videos.Truth | None, pixels: Pixels) -> Run:
    """Looks at all frames and makes episodes of what is found."""
    result, tracker = Run(), EpisodeTracker(MotionSettings())
    for number, (at_s, picture) in enumerate(given):
        began_s = time.process_time()
        observation = looker.look(picture, at_s * 1000)
        result.cpu_s += time.process_time() - began_s
        result.frames += 1
        result.last_s = at_s
        if observation.ready and result.ready_s is None:
            result.ready_s = at_s
        if observation.moving:
            result.moving_s.append(at_s)
        events = tracker.step(observation, at_s * 1000)
        result.alerts_s += [at_s for event in events if isinstance(event, EpisodeStarted)]
        result.episodes += [(e.start_ms / 1000, e.end_ms / 1000) for e in events if isinstance(e, EpisodeEnded)]
        known = truth.of(number) if truth is not None else None
        if known is not None:
            moving, background = known
            mask = looker.mask() > 0
            pixels.right += int(np.count_nonzero(mask & moving))
            pixels.wrong += int(np.count_nonzero(mask & background))
            pixels.missed += int(np.count_nonzero(~mask & moving))
    ends = tracker.lost(result.last_s * 1000)
    result.episodes += [(e.start_ms / 1000, e.end_ms / 1000) for e in ends if isinstance(e, EpisodeEnded)]
    return result
