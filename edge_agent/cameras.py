"""The parts of one camera, built and wired: capture of its streams, ring, recorder, lookout, its part of a heartbeat.

With a sub-stream, `look-<camera>` decodes the sub-stream and `copy-<camera>` only copies the main one; without, one
thread does both. Nothing here knows another camera: one that is dead disturbs nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from edge_agent.camera.attention import SMALL_STREAM, Attention, RestPolicy
from edge_agent.camera.capture import Capture
from edge_agent.camera.reader import Deadlines
from edge_agent.camera.ring import PacketRing
from edge_agent.camera.stats import CaptureStats, State
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.config import CameraSection
from edge_agent.lookout import Journal, Lookout, LookoutPlan
from edge_agent.recording.clip_thread import ClipThread
from edge_agent.recording.recorder import Recorder
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock, new_id
from vonggac.daemon.threads import Crew, Stop
from vonggac.wire.messages import CameraHealth, CameraInfo, DemotedPlace, StreamHealth

_RING_MARGIN_S = 2.0  # motion is confirmed a moment after it began, and arrival jitters


@dataclass(frozen=True)
class CameraParts:
    """One camera at work."""

    name: str
    lookout: Lookout
    recorder: Recorder
    ring: PacketRing
    main: Capture
    sub: Capture | None

    def start(self, crew: Crew) -> None:
        """Start its one or two threads."""
        for thread, capture in self._threads():
            crew.start(thread, capture.run, stall_s=180.0)

    def _threads(self) -> list[tuple[str, Capture]]:
        if self.sub is None:
            return [(f"capture-{self.name}", self.main)]
        return [(f"copy-{self.name}", self.main), (f"look-{self.name}", self.sub)]

    def thread_names(self) -> list[str]:
        """Its threads, to be waited for."""
        return [thread for thread, _ in self._threads()]

    def state(self) -> State:
        """Whether the stream that is looked at gives pictures."""
        return (self.sub or self.main).stats().state

    def info(self) -> CameraInfo:
        """What the birth message says of it."""
        return CameraInfo(name=self.name, has_sub=self.sub is not None)

    def health(self, mono_ms: float) -> CameraHealth:
        """What the heartbeat says of it now."""
        main = self.main.stats()
        sub = self.sub.stats() if self.sub is not None else None
        looked = sub if sub is not None else main
        seen_ms = looked.last_frame_mono_ms
        oldest_ms, newest_ms = self.ring.oldest_ms, self.ring.newest_ms
        return CameraHealth(
            name=self.name,
            main=_stream_health(main),
            sub=_stream_health(sub) if sub is not None else None,
            last_frame_age_ms=None if seen_ms is None else max(0, round(mono_ms - seen_ms)),
            decoded=looked.frames_decoded,
            recording=self.recorder.recording,
            pre_roll_ms=None if oldest_ms is None or newest_ms is None else round(newest_ms - oldest_ms),
            demoted=tuple(
                DemotedPlace(box=place.box, age_ms=max(0, round(mono_ms - place.since_ms)))
                for place in self.lookout.demoted
            ),
        )


def _stream_health(stats: CaptureStats) -> StreamHealth:
    return StreamHealth(
        state=stats.state,
        reason=stats.last_error if stats.state != "streaming" else None,
        fps=None if stats.fps_in is None else round(stats.fps_in, 2),
        bitrate_kbps=None if stats.bitrate_in_bps is None else round(stats.bitrate_in_bps / 1000, 1),
        drops=stats.drops,
        reconnects=stats.reconnects,
    )


def build_camera(
    box: str, section: CameraSection, journal: Journal, clips: ClipThread, clock: Clock, stop: Stop, zone: ZoneInfo
) -> CameraParts:
    """Build one camera's parts. Raises ConfigInvalid when its secret file cannot be read."""
    ring = PacketRing(section.pre_roll + _RING_MARGIN_S, section.ring)
    recorder = Recorder(box, section.name, ring=ring, clips=clips, clock=clock, new_id=lambda: new_id(clock))
    motion = section.motion
    plan = LookoutPlan(
        camera=section.name,
        day=motion.settings(),
        night=motion.settings(at_night=True),
        hours=motion.hours(),
        night_hours=motion.night_hours(),
        pre_roll_ms=section.pre_roll * 1000,
        post_roll_ms=section.post_roll * 1000,
    )
    lookout = Lookout(plan, journal, recorder, clock, zone)
    deadlines = Deadlines(section.open_deadline, section.read_deadline)

    def capture(stream: str, source: str, *, copies: bool, looks: bool) -> Capture:
        return Capture(
            f"{section.name}/{stream}",
            section.address(source),
            clock=clock,
            backoff=Backoff(first_s=1.0, cap_s=10.0),
            stop=stop,
            on_packet=recorder.on_packet if copies else None,
            on_frame=lookout.on_frame if looks else None,
            stands_out=lookout.stands_out,
            attention=Attention(SMALL_STREAM if stream == "sub" else RestPolicy()) if looks else None,
            on_state=_follow(stream, lookout, recorder, copies=copies, looks=looks),
            deadlines=deadlines,
        )

    if section.sub is None:
        main, sub = capture("main", section.source, copies=True, looks=True), None
    else:
        main = capture("main", section.source, copies=True, looks=False)
        sub = capture("sub", section.sub, copies=False, looks=True)
    return CameraParts(section.name, lookout, recorder, ring, main, sub)


def _follow(
    stream: str, lookout: Lookout, recorder: Recorder, *, copies: bool, looks: bool
) -> Callable[[State, CameraUnavailable | None], None]:
    """What a stream's coming and going means for the lookout and the record."""

    def on_state(state: State, why: CameraUnavailable | None) -> None:
        if state == "connecting":
            return
        if why is not None:
            if looks:
                lookout.look_lost("lost")
            if copies:
                recorder.on_lost_stream(str(why))
        lookout.stream_state(stream, why)

    return on_state
