"""How right a detector is: events found, time covered, quiet flagged, detections of nothing; and pixels."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.detection.videos import Labels

Span = tuple[float, float]


def shared_s(first: Span, second: Span) -> float:
    """Seconds that two spans share; below 0 the gap between them."""
    return min(first[1], second[1]) - max(first[0], second[0])


def _covered_s(spans: Iterable[Span], of: Span) -> float:
    """Seconds of `of` that the spans cover, each moment once."""
    total, done = 0.0, of[0]
    for start, end in sorted(spans):
        low, high = max(start, done), min(end, of[1])
        if high > low:
            total += high - low
            done = high
    return total


@dataclass
class Score:
    """Adds up over recordings."""

    events: int = 0
    found: int = 0
    hard: int = 0
    hard_found: int = 0
    event_s: float = 0.0
    covered_s: float = 0.0
    quiet_s: float = 0.0
    flagged_s: float = 0.0
    of_nothing: int = 0
    video_s: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    alert_delays_s: list[float] = field(default_factory=list)
    frames: int = 0
    cpu_s: float = 0.0
    ready_s: list[float] = field(default_factory=list)

    def count(self, frames: int, cpu_s: float, video_s: float, ready_s: float | None) -> None:
        """Takes in what one recording cost, how long it is, and when the detector was ready."""
        self.frames += frames
        self.cpu_s += cpu_s
        self.video_s += video_s
        self.ready_s.append(math.inf if ready_s is None else ready_s)

    def add(
        self, labels: Labels, episodes: Sequence[Span], moving_s: Sequence[float], alerts_s: Sequence[float] = ()
    ) -> None:
        """Takes in one recording: its episodes, the times of its moving frames, and those at which it was told."""
        tolerance_s = labels.tolerance_s
        for event in labels.events:
            span = (event.start_s, event.end_s)
            hit = any(shared_s(episode, span) > 0 for episode in episodes)
            self.hard += event.hard
            self.hard_found += event.hard and hit
            self.events += not event.hard
            self.found += hit and not event.hard
            self.event_s += event.end_s - event.start_s
            self.covered_s += _covered_s(episodes, span)
            if event.backwards:
                continue
            first = [at_s for at_s in moving_s if event.start_s - tolerance_s <= at_s <= event.end_s]
            if first:
                self.delays_s.append(first[0] - event.start_s)
            told = [at_s for at_s in alerts_s if event.start_s - tolerance_s <= at_s <= event.end_s]
            if told:
                self.alert_delays_s.append(told[0] - event.start_s)
        known = [(e.start_s - tolerance_s, e.end_s + tolerance_s) for e in labels.events] + list(labels.unsure)
        self.of_nothing += sum(not any(shared_s(episode, span) > 0 for span in known) for episode in episodes)
        for stretch in labels.quiet:
            self.quiet_s += stretch[1] - stretch[0]
            self.flagged_s += _covered_s(episodes, stretch)

    def row(self) -> list[str]:
        """The cells of the table."""

        def share(part: float, whole: float) -> str:
            return f"{part / whole:.1%}" if whole else "–"

        def middle(delays_s: Sequence[float]) -> str:
            return f"{statistics.median(delays_s):+.2f}" if delays_s else "–"

        return [
            f"{self.found}/{self.events}",
            f"{self.hard_found}/{self.hard}",
            share(self.covered_s, self.event_s),
            str(self.of_nothing),
            share(self.flagged_s, self.quiet_s),
            middle(self.delays_s),
            middle(self.alert_delays_s),
            f"{self.cpu_s / self.frames * 1000:.2f}" if self.frames else "–",
        ]


def totals(name: str, scores: Sequence[Score]) -> str:
    """What one detector comes to over all transformations, in a sentence."""
    found, events = sum(score.found for score in scores), sum(score.events for score in scores)
    covered = sum(score.covered_s for score in scores) / max(1e-9, sum(score.event_s for score in scores))
    flagged = sum(score.flagged_s for score in scores) / max(1e-9, sum(score.quiet_s for score in scores))
    of_nothing, hours = sum(score.of_nothing for score in scores), sum(score.video_s for score in scores) / 3600
    said = f"{name} in all: {found} of {events} events, {covered:.1%} of their time covered, {flagged:.1%} of the quiet"
    said += f" flagged, {of_nothing} of nothing"
    if not hours:
        return said + "."
    ready_s = max(at_s for score in scores for at_s in score.ready_s)
    said += f" in {hours:.2f} h, {of_nothing / hours:.2f} an hour"
    return f"{said}; ready {ready_s:.2f} s after the start at the latest."


HEADER = ["found", "hard", "event time covered", "of nothing", "quiet flagged", "moves s", "told s", "ms/frame"]


@dataclass
class Pixels:
    """Counts of pixels, for the F-measure."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def f_measure(self) -> float:
        """2TP / (2TP + FP + FN)."""
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)
