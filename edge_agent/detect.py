"""The detector over a recording, as fast as it goes: what `edge-agent detect` does.

The same reader, attention, detector and tracker as the daemon's, with the stream's own time in place of the clock's.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.camera.attention import Attention, RestPolicy
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.gaze import Gaze, Look, Seen, StandsOut
from edge_agent.camera.reader import Deadlines, Moments, StopWish, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable, Reason
from edge_agent.lookout import interest
from edge_agent.vision.demotion import Demotion
from edge_agent.vision.episodes import DEMOTED, EpisodeEnded, EpisodeEvent, Episodes
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
class CutShort:
    """Watching ended before the recording or the time did: a person asked ("asked"), or the source gave no more."""

    reason: Reason | Literal["asked"]
    text: str


@dataclass(frozen=True)
class Summary:
    """Figures of the whole recording: pictures in it, how many of them were decoded, and looked at.

    `untold` of the episodes were recorded only.
    """

    duration_s: float
    frames: int
    decoded: int
    looked: int
    cpu_s: float
    episodes: int
    untold: int
    cut_short: CutShort | None = None


@dataclass(frozen=True)
class Judged:
    """One picture that was looked at, the `number`th from 0, and what the detector makes of it.

    `is_told`: within an episode that people are told of. `mask()` is (H, W) uint8, 255 where something moves.
    """

    number: int
    frame: Frame
    t_ms: float
    observation: Observation
    is_told: bool
    tamper: Kind | None
    mask: Callable[[], NDArray[np.uint8]]


def detect(
    address: SourceAddress,
    settings: MotionSettings,
    on_episode: Callable[[EpisodeEnded], None],
    on_tamper: Callable[[TamperEvent], None] = lambda _: None,
    on_picture: Callable[[Judged], None] = lambda _: None,
    *,
    all_frames: bool = False,
) -> Summary:
    """Look through a recording; `on_episode` gets each episode with times in ms from the first frame's timestamp.

    Pictures are decoded and looked at as the daemon would do with its only stream, unless `all_frames`. Ctrl-C ends
    it early: who has seen enough is told what was seen.

    Raises CameraUnavailable when the source cannot be opened or gives no picture, and what the callbacks raise.
    """
    began_cpu_s = time.process_time()
    detector, demotion, tracker = MotionDetector(settings), Demotion(), Episodes(settings)
    health = PictureHealth()
    kinds: list[str] = []
    first_ms: float | None = None
    t_ms = 0.0
    seen = Seen()

    def tell(events: Iterable[EpisodeEvent]) -> None:
        for event in events:
            if isinstance(event, EpisodeEnded):
                kinds.append(event.kind)
                on_episode(event)

    def look(frame: Frame) -> Interest:
        nonlocal first_ms, t_ms
        first_ms = frame.mono_ms if first_ms is None else first_ms
        t_ms = frame.mono_ms - first_ms
        observation = demotion.see(detector.look(frame.luma, t_ms))
        tell(tracker.step(observation, t_ms))
        tamper = health.look(frame.luma, t_ms, moving=tracker.in_episode)
        if tamper is not None:
            on_tamper(tamper)
        on_picture(Judged(seen.looked - 1, frame, t_ms, observation, tracker.told, health.active, detector.mask))
        return interest(observation, tracker)

    def stands_out(frame: Frame) -> bool:
        return detector.stands_out(frame.luma)

    watched = watch(address, look, stands_out, RecordedTime(), all_frames=all_frames, seen=seen)
    tell(tracker.lost(t_ms))
    cpu_s = time.process_time() - began_cpu_s
    return Summary(
        duration_s=t_ms / 1000,
        frames=watched.packets,
        decoded=seen.decoded,
        looked=seen.looked,
        cpu_s=cpu_s,
        episodes=len(kinds),
        untold=kinds.count(DEMOTED),
        cut_short=watched.cut_short,
    )


@dataclass(frozen=True)
class Watched:
    """How many pictures a stream had, and why watching ended early, if it did."""

    packets: int
    cut_short: CutShort | None


def watch(
    address: SourceAddress,
    look: Look,
    stands_out: StandsOut,
    moments: Watching,
    *,
    all_frames: bool,
    seen: Seen | None = None,
    longest_s: float | None = None,
) -> Watched:
    """Show `look` the pictures of a stream until it ends, `moments` says so, or `longest_s` of it passed.

    Ctrl-C ends it early: who has seen enough is told what was seen. Raises CameraUnavailable where nothing was seen.
    """
    packets = 0
    began_ms: float | None = None
    seen = seen or Seen()
    reader = open_reader(address, Deadlines(), moments, moments)
    try:
        gaze = Gaze(reader, None if all_frames else Attention(RestPolicy()), look, seen, stands_out)
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
    except CameraUnavailable as error:
        if not seen.looked:
            raise
        return Watched(packets, CutShort(error.reason, str(error)))
    except KeyboardInterrupt:
        return Watched(packets, CutShort("asked", "Ctrl-C"))
    finally:
        reader.close()
    if not seen.looked:
        raise CameraUnavailable("decode", f"{address}: gave no picture that can be decoded")
    return Watched(packets, None)
