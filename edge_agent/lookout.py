"""One camera's lookout: what its frames mean for the record and for the outbox.

Runs in the thread that decoded the frame. An episode's start is in the outbox, with its first snapshot, before anyone
hears of it; the record is asked for from `start - pre_roll` to `end + post_roll`. Only while no episode goes on do
settings change between day and night, and does looking start and stop with the schedule. The picture's health is
looked at at all hours.
"""

import hashlib
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from edge_agent.camera.attention import CLOSE_KEYS_MS, FOUND_AGAIN_MS
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.items import ClipClass, NewSnapshot
from edge_agent.recording.snapshot import draw_snapshot
from edge_agent.vision.demotion import DemotedPlace, Demotion
from edge_agent.vision.episodes import DEMOTED, EpisodeEnded, EpisodeEvent, Episodes, EpisodeStarted, EpisodeUpdated
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.observation import Box, Observation
from edge_agent.vision.schedule import Schedule
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.tamper import PictureHealth, TamperEvent, TamperStarted
from vonggac.daemon.clock import Clock, new_id
from vonggac.daemon.logs import get_logger
from vonggac.wire import messages

log = get_logger(__name__)

_KEPT_UNSAVED = 256
_CHECK_HOURS_MS = 1000.0
_LONGEST_REASON = 500
_TAMPER_CLIP_MS = 30_000.0  # how it came about is worth a clip, hours of a covered lens are not
_WHOLE = (0.0, 0.0, 1.0, 1.0)
_ROUNDING_MS = 50.0  # two roundings to wall time must not make a pre-roll look a millisecond short


class Journal(Protocol):
    """Where events go, durably: the outbox."""

    def put_event(self, body: messages.Body, *snapshots: NewSnapshot) -> messages.Envelope: ...


class Record(Protocol):
    """What is told of episodes to whoever keeps the clips. Times are `mono_ms`."""

    def begin(self, episode_id: str, from_mono_ms: float, clip_class: ClipClass) -> None: ...

    def end(self, episode_id: str, until_mono_ms: float) -> None: ...


@dataclass(frozen=True)
class LookoutPlan:
    """What an installer wants of one camera. `night_hours` None: the day's settings hold always."""

    camera: str
    day: MotionSettings
    night: MotionSettings
    hours: Schedule
    night_hours: Schedule | None
    pre_roll_ms: float
    post_roll_ms: float


class Lookout:
    """Looks at one camera's frames. `on_frame` and `look_lost` belong to the looking thread, the rest to any."""

    def __init__(self, plan: LookoutPlan, journal: Journal, record: Record, clock: Clock, zone: ZoneInfo) -> None:
        self._plan = plan
        self._journal = journal
        self._record = record
        self._clock = clock
        self._zone = zone
        self._lock = threading.Lock()
        self._unsaved: deque[tuple[messages.Body, tuple[NewSnapshot, ...]]] = deque(maxlen=_KEPT_UNSAVED)
        self._forgotten = 0
        self._streams_down: dict[str, CameraUnavailable] = {}
        self._told_state: str | None = None
        self._wanted_snapshots: deque[str] = deque(maxlen=8)
        self._episode: str | None = None
        self._best: tuple[Frame, Box | None] | None = None  # drawn only when it is sent
        self._health = PictureHealth()
        self._tamper: str | None = None
        self._hours_checked_ms = float("-inf")
        self._looking = True
        self._at_night = False
        self._demotion = Demotion()
        self._start_looking(plan.day)

    def _start_looking(self, settings: MotionSettings) -> None:
        self._detector = MotionDetector(settings)
        self._episodes = Episodes(settings)
        self._demotion.forget_things()

    @property
    def in_episode(self) -> bool:
        """Whether something moves now."""
        return self._episode is not None

    @property
    def demoted(self) -> tuple[DemotedPlace, ...]:
        """The places of the picture that are recorded and not told now."""
        return self._demotion.places

    # --- the looking thread --------------------------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> Interest:
        """Look at one frame; everything that follows from it is durable when this returns."""
        if self._wanted_snapshots:
            self._take_wanted_snapshots(frame)
        if frame.mono_ms - self._hours_checked_ms >= _CHECK_HOURS_MS:
            self._hours_checked_ms = frame.mono_ms
            self._follow_the_hours(frame.mono_ms)
            self._save_unsaved()
        change = self._health.look(frame.luma, frame.mono_ms, moving=self._episodes.in_episode)
        if change is not None:
            self._on_tamper(change, frame)
        found = self._look_for_motion(frame) if self._looking else "none"
        return "some" if self._health.suspects else found

    def stands_out(self, frame: Frame) -> bool:
        """Whether a picture, which may be later than the next one, shows something: nothing is learned from it."""
        return self._looking and self._detector.stands_out(frame.luma)

    def _look_for_motion(self, frame: Frame) -> Interest:
        observation = self._see_places(self._detector.look(frame.luma, frame.mono_ms))
        events = self._episodes.step(observation, frame.mono_ms)
        for event in events:
            if isinstance(event, EpisodeEnded):
                self._on_event(event, frame)
        if self._episodes.is_best_moment:
            self._best = (frame, self._episodes.best_box)
        for event in events:
            if not isinstance(event, EpisodeEnded):
                self._on_event(event, frame)
        return interest(observation, self._episodes)

    def _see_places(self, observation: Observation) -> Observation:
        before = self._demotion.places
        observation = self._demotion.see(observation)
        if self._demotion.places != before:
            boxes = [[round(value, 2) for value in place.box] for place in self._demotion.places]
            log.warning("places that stir for long: recorded, not told", camera=self._plan.camera, places=boxes)
        return observation

    def look_lost(self, reason: str) -> None:
        """No more frames, for now ("lost") or for good ("stopped"): an open episode ends with its last motion."""
        for event in self._episodes.lost(self._clock.mono_ms()):
            self._on_event(event, None, reason)
        self._health.gap()
        if reason == "stopped":
            told = self._health.give_up(self._clock.mono_ms())
            if told is not None:
                self._on_tamper(told, None)
        self._save_unsaved()

    def _follow_the_hours(self, mono_ms: float) -> None:
        if self._episodes.in_episode:
            return
        local = datetime.fromtimestamp(self._clock.wall_ms_at(mono_ms) / 1000, self._zone)
        minute, weekday = local.hour * 60 + local.minute, local.weekday()
        looking = self._plan.hours.active(minute, weekday)
        night_hours = self._plan.night_hours
        at_night = night_hours is not None and night_hours.active(minute, weekday)
        if looking and (not self._looking or at_night != self._at_night):
            self._start_looking(self._plan.night if at_night else self._plan.day)
            log.info("looking with other settings", camera=self._plan.camera, night=at_night)
        self._looking, self._at_night = looking, at_night

    def _on_event(self, event: EpisodeEvent, frame: Frame | None, end_reason: str | None = None) -> None:
        camera, wall = self._plan.camera, self._clock.wall_ms_at
        if isinstance(event, EpisodeStarted):
            self._episode = new_id(self._clock)
            if self._best is None and frame is not None:
                self._best = (frame, event.box)
            snapshots = self._best_snapshot()
            started = messages.EpisodeStarted(
                episode=self._episode,
                camera=camera,
                start_ms=wall(event.start_ms),
                box=event.box,
                zones=event.zones,
                score=round(event.score, 4),
                kind=event.kind,
                snapshot_sha256=_sha256(snapshots[0]) if snapshots else None,
            )
            worth = ClipClass.NORMAL if event.zones and event.kind != DEMOTED else ClipClass.ROUTINE
            self._record.begin(self._episode, event.start_ms - self._plan.pre_roll_ms - _ROUNDING_MS, worth)
            self._save(started, *snapshots)
        elif self._episode is None:
            return
        elif isinstance(event, EpisodeUpdated):
            updated = messages.EpisodeUpdated(
                episode=self._episode,
                camera=camera,
                last_ms=wall(event.last_ms),
                box=event.box,
                zones=event.zones,
                score=round(event.score, 4),
                kind=event.kind,
            )
            self._save(updated)
        else:
            snapshots = self._best_snapshot()
            ended = messages.EpisodeEnded(
                episode=self._episode,
                camera=camera,
                start_ms=wall(event.start_ms),
                end_ms=wall(event.end_ms),
                box=event.box,
                zones=event.zones,
                score=round(event.score, 4),
                kind=event.kind,
                reason="stopped" if end_reason == "stopped" else event.reason,
                path=tuple(
                    messages.PathPoint(t_ms=max(0, round(t_ms - event.start_ms)), x=round(x, 4), y=round(y, 4))
                    for t_ms, x, y in event.path
                ),
                snapshot_sha256=_sha256(snapshots[0]) if snapshots else None,
            )
            self._record.end(self._episode, event.end_ms + self._plan.post_roll_ms)
            self._save(ended, *snapshots)
            self._episode, self._best = None, None

    def _on_tamper(self, change: TamperEvent, frame: Frame | None) -> None:
        """An episode with picture and clip for whoever is to look, and the state for whoever keeps the cameras."""
        camera, wall = self._plan.camera, self._clock.wall_ms_at
        kind, since_ms = f"tamper:{change.kind}", wall(change.since_ms)
        if isinstance(change, TamperStarted):
            self._tamper = new_id(self._clock)
            taken = () if frame is None else (NewSnapshot(self._tamper, self._draw(frame, None)),)
            started = messages.EpisodeStarted(
                episode=self._tamper,
                camera=camera,
                start_ms=since_ms,
                box=_WHOLE,
                score=1.0,
                kind=kind,
                snapshot_sha256=_sha256(taken[0]) if taken else None,
            )
            from_mono_ms = change.since_ms - self._plan.pre_roll_ms - _ROUNDING_MS
            self._record.begin(self._tamper, from_mono_ms, ClipClass.ALERT)
            self._record.end(self._tamper, change.since_ms + _TAMPER_CLIP_MS)
            self._save(started, *taken)
            self._save(messages.Tamper(camera=camera, kind=change.kind, active=True, since_ms=since_ms))
            log.warning("picture is wrong", camera=camera, kind=change.kind)
            return
        end_ms = wall(change.end_ms)
        if self._tamper is not None:
            ended = messages.EpisodeEnded(
                episode=self._tamper,
                camera=camera,
                start_ms=since_ms,
                end_ms=end_ms,
                box=_WHOLE,
                score=1.0,
                kind=kind,
                reason="stopped" if change.why == "stopped" else "quiet",
            )
            self._save(ended)
        self._tamper = None
        self._save(messages.Tamper(camera=camera, kind=change.kind, active=False, since_ms=end_ms))
        log.info("picture is right again", camera=camera, kind=change.kind, why=change.why)

    def _best_snapshot(self) -> tuple[NewSnapshot, ...]:
        if self._best is None or self._episode is None:
            return ()
        return (NewSnapshot(self._episode, self._draw(*self._best)),)

    @staticmethod
    def _draw(frame: Frame, box: Box | None) -> bytes:
        return draw_snapshot(frame.bgr(), box)

    # --- saying, durably -----------------------------------------------------------------------------------------

    def _save(self, body: messages.Body, *snapshots: NewSnapshot) -> None:
        """Into the outbox; while the disk takes nothing, kept in memory, in order, and tried again each second.

        There is room for so many; the oldest beyond them is lost, and that is told.
        """
        with self._lock:
            self._forgotten += len(self._unsaved) == _KEPT_UNSAVED
            self._unsaved.append((body, snapshots))
        self._save_unsaved()

    def _save_unsaved(self) -> None:
        with self._lock:
            if self._put_unsaved() and self._forgotten:
                reason = f"{self._forgotten} events of this camera found no room on the box's disk"
                self._unsaved.append((messages.DataLost(what="event", reason=reason, camera=self._plan.camera), ()))
                self._forgotten = 0
                self._put_unsaved()

    def _put_unsaved(self) -> bool:
        while self._unsaved:
            body, snapshots = self._unsaved[0]
            try:
                self._journal.put_event(body, *snapshots)
            except OutboxFull as error:
                log.error("event cannot be stored yet", camera=self._plan.camera, what=str(error))
                return False
            self._unsaved.popleft()
        return True

    # --- any thread ----------------------------------------------------------------------------------------------

    def stream_state(self, stream: str, problem: CameraUnavailable | None) -> None:
        """The `main` or `sub` stream came (None) or went (why); the camera is down while any of its streams is."""
        with self._lock:
            if problem is None:
                self._streams_down.pop(stream, None)
            else:
                self._streams_down[stream] = problem
            state = "down" if self._streams_down else "up"
            if state == self._told_state:
                return
            self._told_state = state
            down = sorted(self._streams_down.items())  # main before sub
        body = messages.CameraState(
            camera=self._plan.camera,
            state="down" if down else "up",
            since_ms=self._clock.wall_ms(),
            reason="; ".join(f"{name}: {why}"[:_LONGEST_REASON] for name, why in down) or None,
            code=down[0][1].reason if down else None,
        )
        self._save(body)

    def want_snapshot(self, request: str) -> None:
        """Take a picture of the next frame under the id of the request."""
        self._wanted_snapshots.append(request)

    def _take_wanted_snapshots(self, frame: Frame) -> None:
        picture = self._draw(frame, None)
        while self._wanted_snapshots:
            snapshot = NewSnapshot(self._wanted_snapshots.popleft(), picture)
            taken = messages.SnapshotTaken(
                request=snapshot.episode,
                camera=self._plan.camera,
                taken_ms=self._clock.wall_ms_at(frame.mono_ms),
                snapshot_sha256=_sha256(snapshot),
            )
            self._save(taken, snapshot)


def interest(observation: Observation, episodes: Episodes) -> Interest:
    """What the reader has to know: an episode that has been told needs no close watching, only following."""
    if not observation.ready or (observation.moving and not episodes.told):
        return "some"
    if observation.demoted and not episodes.in_episode:
        return "some"
    if observation.moving and not observation.demoted and episodes.settled:
        stays = any(region.stays_for(CLOSE_KEYS_MS / 2000) for region in observation.regions)
        outlasts = episodes.patience_ms >= CLOSE_KEYS_MS + FOUND_AGAIN_MS  # else it ends before it is looked at again
        return "settled" if stays and outlasts else "known"
    return "known" if observation.moving or observation.demoted else "none"


def _sha256(snapshot: NewSnapshot) -> str:
    return hashlib.sha256(snapshot.jpeg).hexdigest()
