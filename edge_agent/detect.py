"""The detector over a recording, as fast as it goes: what `edge-agent detect` does.

The same reader, detector and tracker as the daemon's, with the stream's own time in place of the clock's.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge_agent.camera.frames import Frame
from edge_agent.camera.reader import Deadlines, Reader, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.recording.overlay import OverlayWriter
from edge_agent.vision.episodes import EpisodeEnded, EpisodeTracker
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.observation import Observation
from edge_agent.vision.settings import MotionSettings


class _NoPacing:
    """A wish to stop that never comes, and waits that never last: a file is read as fast as it goes."""

    def is_set(self) -> bool:
        return False

    def wait(self, _seconds: float | None) -> bool:
        return False


class _ArrivalClock:
    def mono_ms(self) -> float:
        return time.monotonic() * 1000


@dataclass(frozen=True)
class Summary:
    """Figures of the whole recording; `frames` counts packets with a picture, `decoded` pictures looked at."""

    duration_s: float
    frames: int
    decoded: int
    cpu_s: float
    episodes: int


def detect(
    address: SourceAddress,
    settings: MotionSettings,
    on_episode: Callable[[EpisodeEnded], None],
    overlay: OverlayWriter | None = None,
    masks: Path | None = None,
) -> Summary:
    """Look through a recording; `on_episode` gets each episode with times in ms from the first frame's timestamp.

    Raises CameraUnavailable when the source cannot be opened or gives no picture, OSError when a picture of a mask
    cannot be written.
    """
    began_cpu_s = time.process_time()
    detector, tracker = MotionDetector(settings), EpisodeTracker(settings)
    packets = decoded = episodes = 0
    t_ms = 0.0
    reader = open_reader(address, Deadlines(), _ArrivalClock(), _NoPacing())
    try:
        for packets, frame_ms, frame in _frames(reader):  # noqa: B007 - the last count is told
            t_ms = frame_ms
            observation = detector.look(frame.luma, t_ms)
            for event in tracker.step(observation, t_ms):
                if isinstance(event, EpisodeEnded):
                    episodes += 1
                    on_episode(event)
            if masks is not None and not cv2.imwrite(str(masks / f"{decoded:06d}.png"), detector.mask()):
                raise OSError(f"{masks}: cannot write pictures there")
            if overlay is not None:
                boxes = [(region.box, f"{region.score:.2f}") for region in observation.regions]
                overlay.write(frame.bgr(), t_ms / 1000, boxes, why(observation, tracker))
            decoded += 1
    finally:
        reader.close()
    for event in tracker.lost(t_ms):
        if isinstance(event, EpisodeEnded):
            episodes += 1
            on_episode(event)
    if not decoded:
        raise CameraUnavailable("decode", f"{address}: holds no picture that can be decoded")
    return Summary(t_ms / 1000, packets, decoded, time.process_time() - began_cpu_s, episodes)


def why(observation: Observation, tracker: EpisodeTracker) -> str:
    """The state of the detector in a few words, for the overlay."""
    if not observation.ready:
        return "learning"
    if observation.global_change:
        return "light changed"
    zones = sorted({zone for region in observation.regions for zone in region.zones})
    moving = f"moving {observation.score:.2f} {' '.join(zones)}" if observation.moving else "quiet"
    return f"EPISODE {moving}" if tracker.in_episode else moving


def _frames(reader: Reader) -> Iterator[tuple[int, float, Frame]]:
    """Each picture with the count of packets so far and its time in ms after the first picture."""
    first_pts: int | None = None
    first_ms: float | None = None
    last_ms = 0.0
    for packets, frame in _pictures(reader):
        if frame.pts is None:
            first_ms = frame.mono_ms if first_ms is None else first_ms
            last_ms = max(last_ms, frame.mono_ms - first_ms)
        else:
            first_pts = frame.pts if first_pts is None else first_pts
            last_ms = max(last_ms, float((frame.pts - first_pts) * reader.info.time_base) * 1000)
        yield packets, last_ms, frame


def _pictures(reader: Reader) -> Iterator[tuple[int, Frame]]:
    """Each picture with the count of packets so far; a packet that cannot be decoded is passed over."""
    packets = 0
    try:
        for _, raw in reader.packets():
            packets += 1
            try:
                frames = reader.decode(raw)
            except CameraUnavailable:
                continue
            for frame in frames:
                yield packets, frame
    except CameraUnavailable as end:
        if end.reason != "ended":
            raise
    for frame in reader.flush():
        yield packets, frame
