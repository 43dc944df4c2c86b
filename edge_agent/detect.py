"""The detector over a recording, as fast as it goes: what `edge-agent detect` does.

The same reader, attention, detector and tracker as the daemon's, with the stream's own time in place of the clock's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from edge_agent.camera.attention import Attention, RestPolicy
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.gaze import Gaze, Look, Seen
from edge_agent.camera.reader import Deadlines, Moments, StopWish, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.lookout import interest
from edge_agent.recording.overlay import OverlayWriter
from edge_agent.vision.demotion import Demotion
from edge_agent.vision.episodes import EpisodeEnded, Episodes
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.observation import Observation
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.tamper import Kind, PictureHealth, TamperEvent


class RecordedTime:
    """The clock and the stop wish of a reader that never waits: a wait is over at once, and the time has passed."""

    def __init__(self) -> None:
        self._now_ms = 0.0

    def mono_ms(self) -> float:
        return self._now_ms

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float | None) -> bool:
        self._now_ms += (seconds or 0.0) * 1000.0
        return False


class Watching(Moments, StopWish, Protocol):
    """The time and the wish to end, as a reader takes them."""


@dataclass(frozen=True)
class Summary:
    """Figures of the whole recording: pictures in it, how many of them were decoded, and looked at."""

    duration_s: float
    frames: int
    decoded: int
    looked: int
    cpu_s: float
    episodes: int


def detect(
    address: SourceAddress,
    settings: MotionSettings,
    on_episode: Callable[[EpisodeEnded], None],
    overlay: OverlayWriter | None = None,
    masks: Path | None = None,
    all_frames: bool = False,
    on_tamper: Callable[[TamperEvent], None] | None = None,
) -> Summary:
    """Look through a recording; `on_episode` gets each episode with times in ms from the first frame's timestamp.

    Pictures are decoded and looked at as the daemon would do with its only stream, unless `all_frames`.

    Raises CameraUnavailable when the source cannot be opened or gives no picture, OSError when a picture of a mask
    cannot be written.
    """
    began_cpu_s = time.process_time()
    detector, demotion, tracker = MotionDetector(settings), Demotion(), Episodes(settings)
    health = PictureHealth()
    episodes = 0
    first_ms: float | None = None
    t_ms = 0.0
    seen = Seen()

    def look(frame: Frame) -> Interest:
        nonlocal first_ms, t_ms, episodes
        first_ms = frame.mono_ms if first_ms is None else first_ms
        t_ms = frame.mono_ms - first_ms
        observation = demotion.see(detector.look(frame.luma, t_ms))
        for event in tracker.step(observation, t_ms):
            if isinstance(event, EpisodeEnded):
                episodes += 1
                on_episode(event)
        tamper = health.look(frame.luma, t_ms)
        if tamper is not None and on_tamper is not None:
            on_tamper(tamper)
        if masks is not None and not cv2.imwrite(str(masks / f"{seen.looked - 1:06d}.png"), detector.mask()):
            raise OSError(f"{masks}: cannot write pictures there")
        if overlay is not None:
            boxes = [(region.box, f"{region.score:.2f}") for region in observation.regions]
            overlay.write(frame.bgr(), t_ms / 1000, boxes, why(observation, tracker, health.active))
        return interest(observation, tracker)

    packets = watch(address, look, RecordedTime(), all_frames=all_frames, seen=seen)
    for event in tracker.lost(t_ms):
        if isinstance(event, EpisodeEnded):
            episodes += 1
            on_episode(event)
    if not seen.looked:
        raise CameraUnavailable("decode", f"{address}: holds no picture that can be decoded")
    return Summary(t_ms / 1000, packets, seen.decoded, seen.looked, time.process_time() - began_cpu_s, episodes)


def watch(
    address: SourceAddress,
    look: Look,
    moments: Watching,
    *,
    all_frames: bool,
    seen: Seen | None = None,
    longest_s: float | None = None,
) -> int:
    """Show `look` the pictures of a stream until it ends, `moments` says so, or `longest_s` of it passed.

    Returns how many pictures there were. Raises CameraUnavailable.
    """
    packets = 0
    began_ms: float | None = None
    reader = open_reader(address, Deadlines(), moments, moments)
    try:
        gaze = Gaze(reader, None if all_frames else Attention(RestPolicy()), look, seen or Seen())
        try:
            for packet in reader.packets():
                packets += 1
                gaze.take(packet)
                began_ms = packet.mono_ms if began_ms is None else began_ms
                if longest_s is not None and packet.mono_ms - began_ms >= longest_s * 1000:
                    break
        except CameraUnavailable as end:
            if end.reason not in ("ended", "decode"):
                raise
        gaze.finish()
    finally:
        reader.close()
    return packets


def why(observation: Observation, tracker: Episodes, tamper: Kind | None = None) -> str:
    """The state of the detector in a few words, for the overlay."""
    if tamper is not None:
        return f"TAMPER {tamper}"
    if not observation.ready:
        return "learning"
    if observation.global_change:
        return "light changed"
    zones = sorted({zone for region in observation.regions for zone in region.zones})
    moving = f"moving {observation.score:.2f} {' '.join(zones)}" if observation.moving else "quiet"
    if observation.demoted and not observation.moving:
        moving = "moving, not told"
    return f"EPISODE {moving}" if tracker.told else moving
