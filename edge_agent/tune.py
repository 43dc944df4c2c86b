"""Watches a camera for a while, or a recording, and finds what would alarm for nothing: what `edge-agent tune` does.

The daemon's own reader, detector and tracker; other sensitivities look at the same pictures beside it. A recording is
looked at again with each proposal; what a camera showed is reckoned from what was seen.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge_agent.camera.frames import Frame, Interest, Picture
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.detect import CutShort, RecordedTime, Watching, watch
from edge_agent.lookout import interest
from edge_agent.recording.lettering import Lettering
from edge_agent.vision.advice import Proposal, advise, alarms_of, stays
from edge_agent.vision.episodes import EpisodeEnded, Episodes
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.observation import Observation
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.tamper import PictureHealth, TamperStarted
from vonggac.daemon.clock import SystemClock

_ALARM, _ZONE, _PROPOSED = (0, 220, 255), (255, 200, 0), (90, 90, 255)


class UntilThen:
    """A camera's clock and stop wish: real time, over after so many seconds or when asked."""

    def __init__(self, seconds: float) -> None:
        self._clock = SystemClock()
        self._end_ms = self._clock.mono_ms() + seconds * 1000
        self._nap = threading.Event()

    def mono_ms(self) -> float:
        return self._clock.mono_ms()

    def is_set(self) -> bool:
        return self._nap.is_set() or self.mono_ms() >= self._end_ms

    def stop(self) -> None:
        """End now."""
        self._nap.set()

    def wait(self, seconds: float | None) -> bool:
        left_s = max(0.0, (self._end_ms - self.mono_ms()) / 1000)
        self._nap.wait(left_s if seconds is None else min(seconds, left_s))
        return self.is_set()


@dataclass(frozen=True)
class Findings:
    """What was seen in `watched_s`: alarms, what was wrong with the picture, proposals, and whether each was re-run.

    `cut_short` says why watching ended early, if it did.
    """

    watched_s: float
    alarms: tuple[EpisodeEnded, ...]
    tampers: tuple[TamperStarted, ...]
    proposals: tuple[Proposal, ...]
    rerun: bool
    picture: Picture
    cut_short: CutShort | None = None

    @property
    def staying(self) -> int:
        """How many alarms came from what stirs in one place."""
        return sum(stays(alarm) for alarm in self.alarms)

    @property
    def busy(self) -> float:
        """Which share of the time some alarm was going on."""
        return sum(alarm.end_ms - alarm.start_ms for alarm in self.alarms) / max(1.0, self.watched_s * 1000)


class _Looks:
    """What each sensitivity sees of the same pictures, with no memory for pictures."""

    def __init__(self, settings: MotionSettings, beside: tuple[int, ...]) -> None:
        self._settings = settings
        values = (settings.sensitivity, *beside)
        self._detectors = {value: MotionDetector(replace(settings, sensitivity=value)) for value in values}
        self.seen: dict[int, list[Observation]] = {value: [] for value in self._detectors}
        self.tampers: list[TamperStarted] = []
        self.last: Frame | None = None
        self._health = PictureHealth()
        self._tracker = Episodes(settings)
        self._first_ms: float | None = None
        self.t_ms = 0.0

    def look(self, frame: Frame) -> Interest:
        self._first_ms = frame.mono_ms if self._first_ms is None else self._first_ms
        self.t_ms = frame.mono_ms - self._first_ms
        for value, detector in self._detectors.items():
            self.seen[value].append(detector.look(frame.luma, self.t_ms))
        event = self._health.look(frame.luma, self.t_ms)
        if isinstance(event, TamperStarted):
            self.tampers.append(event)
        self.last = frame
        observation = self.seen[self._settings.sensitivity][-1]
        self._tracker.step(observation, self.t_ms)
        return interest(observation, self._tracker)

    def stands_out(self, frame: Frame) -> bool:
        return any(detector.stands_out(frame.luma) for detector in self._detectors.values())


def tune(address: SourceAddress, settings: MotionSettings, seconds: float, moments: Watching | None = None) -> Findings:
    """Watch, and find what would help. A file is read as fast as it goes, and again for each proposal.

    Raises CameraUnavailable when nothing could be seen at all.
    """
    is_file = address.kind == "file"
    if is_file:
        address = replace(address, loop=False)
    moments = moments or (RecordedTime() if is_file else UntilThen(seconds))
    own_zones = all(zone.sensitivity is not None for zone in settings.zones) if settings.zones else False
    lower = () if own_zones else tuple(value for value in (settings.sensitivity - 1, settings.sensitivity - 2) if value)
    looks = _Looks(settings, tuple(value for value in lower if value > 0))
    watched = watch(address, looks.look, looks.stands_out, moments, all_frames=False, longest_s=seconds)
    if looks.last is None:
        raise CameraUnavailable("decode", f"{address}: gave no picture that can be decoded in {seconds:g} s")
    own = looks.seen.pop(settings.sensitivity)

    def rerun(changed: MotionSettings) -> int | None:
        if not is_file:
            return None
        again = _Looks(changed, beside=())
        watch(address, again.look, again.stands_out, RecordedTime(), all_frames=False, longest_s=seconds)
        return len(alarms_of(again.seen[changed.sensitivity], changed))

    return Findings(
        looks.t_ms / 1000,
        alarms_of(own, settings),
        tuple(looks.tampers),
        advise(own, settings, rerun, dict(looks.seen)),
        is_file,
        looks.last.bgr(),
        watched.cut_short,
    )


def draw_findings(findings: Findings, settings: MotionSettings, path: Path, legend: Sequence[str]) -> None:
    """A picture of the scene: alarms, what is set, what is proposed, by number. Raises OSError.

    `path` ends in .jpg or .png. `legend` says what the colours of alarms, zones and proposed masks mean.
    """
    picture = np.ascontiguousarray(findings.picture).copy()
    height, width = picture.shape[:2]
    if width < 640:
        picture = cv2.resize(picture, None, fx=640 / width, fy=640 / width).astype(np.uint8)
        height, width = picture.shape[:2]
    thick = max(1, width // 640)
    lettering = Lettering(max(15, height // 40))

    def points(polygon: tuple[tuple[float, float], ...]) -> Picture:
        return np.array([[round(x * (width - 1)), round(y * (height - 1))] for x, y in polygon], np.int32)

    for mask in settings.masks:
        hidden = np.zeros((height, width), np.uint8)
        cv2.fillPoly(hidden, [points(mask)], 1)
        picture[hidden > 0] //= 3
    for alarm in findings.alarms:
        x0, y0, x1, y1 = alarm.best_box
        corners = (round(x0 * width), round(y0 * height)), (round(x1 * width), round(y1 * height))
        cv2.rectangle(picture, *corners, _ALARM, thick)
        way = points(tuple((x, y) for _, x, y in alarm.path))
        cv2.polylines(picture, [way], isClosed=False, color=_ALARM, thickness=thick, lineType=cv2.LINE_AA)
    for zone in settings.zones:
        outline = points(zone.polygon)
        cv2.polylines(picture, [outline], isClosed=True, color=_ZONE, thickness=thick + 1, lineType=cv2.LINE_AA)
        lettering.put(picture, zone.name, int(outline[:, 0].min()) + 4, int(outline[:, 1].min()) + 4, _ZONE)
    for number, proposal in enumerate(findings.proposals, start=1):
        if proposal.box is None:
            continue
        colour = _PROPOSED if proposal.change == "mask" else _ZONE
        x0, y0, x1, y1 = (round(value * size) for value, size in zip(proposal.box, (width, height) * 2, strict=True))
        if proposal.change == "mask":
            shade = picture.copy()
            cv2.rectangle(shade, (x0, y0), (x1, y1), colour, -1)
            picture = cv2.addWeighted(shade, 0.3, picture, 0.7, 0).astype(np.uint8)
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, thick + 1)
        lettering.put(picture, str(number), x0 + 4, y0 + 4, colour)
    for line, (words, colour) in enumerate(zip(legend, (_ALARM, _ZONE, _PROPOSED), strict=True)):
        lettering.put(picture, words, 0, height - (len(legend) - line) * lettering.line_px, colour)
    _, coded = cv2.imencode(path.suffix, picture)
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:  # which does not say where when the disk is full
        raise OSError(error.errno, error.strerror, str(path)) from None
