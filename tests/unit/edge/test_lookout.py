"""What a camera's frames become: events in the outbox, and what the record is asked for."""

import hashlib
import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_agent.camera.frames import Frame
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.lookout import Lookout, LookoutPlan
from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.items import ClipClass
from edge_agent.outbox.outbox import Outbox
from edge_agent.vision.schedule import Schedule, Window
from edge_agent.vision.settings import MotionSettings, Zone
from tests.support.clock import FakeClock
from vonggac.wire import messages

FPS = 10
WIDTH, HEIGHT = 320, 180


class NotedRecord:
    """Keeps what the lookout asks of the recorder."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, float]] = []
        self.classes: dict[str, ClipClass] = {}

    def begin(self, episode_id: str, from_mono_ms: float, clip_class: ClipClass) -> None:
        self.asked.append(("begin", episode_id, from_mono_ms))
        self.classes[episode_id] = clip_class

    def end(self, episode_id: str, until_mono_ms: float) -> None:
        self.asked.append(("end", episode_id, until_mono_ms))


class Street:
    """A noisy street, and a walker who crosses it when told to."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._rng = np.random.default_rng(5)
        self._background = self._rng.integers(60, 160, (HEIGHT // 20, WIDTH // 20)).repeat(20, 0).repeat(20, 1)

    def frame(self, walker_at: float | None) -> Frame:
        luma = self._background + self._rng.normal(0, 2, (HEIGHT, WIDTH))
        if walker_at is not None:
            x = int(walker_at * (WIDTH - 24))
            luma[60:140, x : x + 24] = 235
        luma = np.clip(luma, 0, 255).astype(np.uint8)
        return Frame(luma, self._clock.mono_ms(), None, WIDTH, HEIGHT, lambda: np.dstack([luma] * 3))


class Scene:
    def __init__(self, tmp_path, **plan) -> None:
        self.clock = FakeClock()
        self.outbox = Outbox(tmp_path, self.clock, "box-1")
        self.record = NotedRecord()
        settings = plan.pop("settings", MotionSettings())
        self.plan = LookoutPlan(
            camera="gate",
            day=settings,
            night=plan.pop("night", settings),
            hours=plan.pop("hours", Schedule()),
            night_hours=plan.pop("night_hours", None),
            pre_roll_ms=5000,
            post_roll_ms=3000,
        )
        self.lookout = Lookout(self.plan, self.outbox, self.record, self.clock, ZoneInfo("Asia/Ho_Chi_Minh"))
        self.street = Street(self.clock)

    def quiet(self, seconds: float) -> None:
        for _ in range(round(seconds * FPS)):
            self.clock.advance(1000 / FPS)
            self.lookout.on_frame(self.street.frame(None))

    def walk(self, seconds: float) -> None:
        count = round(seconds * FPS)
        for step in range(count):
            self.clock.advance(1000 / FPS)
            self.lookout.on_frame(self.street.frame(step / count))

    def events(self) -> list[dict]:
        return [json.loads(event.message) for event in self.outbox.next_events(1000)]


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.outbox.close()


def test_a_walk_is_one_episode_with_start_end_pictures_and_a_clip_around_it(scene):
    scene.quiet(4)
    walk_ms = scene.clock.wall_ms()
    walk_mono_ms = scene.clock.mono_ms()
    scene.walk(4)
    scene.quiet(6)
    events = scene.events()
    assert [event["type"] for event in events] == ["episode_started", "episode_ended"]
    started, ended = (event["body"] for event in events)
    assert started["episode"] == ended["episode"]
    assert walk_ms <= started["start_ms"] <= walk_ms + 500
    assert walk_ms + 3000 <= ended["end_ms"] <= walk_ms + 5500
    assert ended["reason"] == "quiet"
    assert ended["path"][0]["x"] < ended["path"][-1]["x"]
    pictures = {picture.sha256: picture.jpeg for picture in scene.outbox.next_snapshots(10)}
    assert {started["snapshot_sha256"], ended["snapshot_sha256"]} == set(pictures)
    assert all(jpeg[:2] == b"\xff\xd8" and hashlib.sha256(jpeg).hexdigest() == sha for sha, jpeg in pictures.items())
    (begin, end) = scene.record.asked
    assert begin[0] == "begin"
    assert begin[1] == started["episode"]
    assert walk_mono_ms - 5100 <= begin[2] <= walk_mono_ms - 4550
    assert end == ("end", started["episode"], pytest.approx(walk_mono_ms + (ended["end_ms"] - walk_ms) + 3000, abs=2))


def test_a_clip_is_worth_more_where_somebody_drew_a_zone(tmp_path):
    zone = Zone("street", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    for settings, worth in (
        (MotionSettings(), ClipClass.ROUTINE),
        (MotionSettings(zones=(zone,)), ClipClass.NORMAL),
    ):
        scene = Scene(tmp_path / worth.name, settings=settings)
        scene.quiet(4)
        scene.walk(4)
        assert list(scene.record.classes.values()) == [worth]
        scene.outbox.close()


def test_a_quiet_street_says_nothing(scene):
    scene.quiet(15)
    assert scene.events() == []
    assert scene.record.asked == []


def test_a_camera_that_goes_away_ends_its_episode_as_lost(scene):
    scene.quiet(4)
    scene.walk(2)
    scene.lookout.look_lost("lost")
    assert scene.events()[-1]["body"]["reason"] == "lost"
    assert [what for what, *_ in scene.record.asked] == ["begin", "end"]


def test_the_agents_stop_ends_an_episode_as_stopped(scene):
    scene.quiet(4)
    scene.walk(2)
    scene.lookout.look_lost("stopped")
    assert scene.events()[-1]["body"]["reason"] == "stopped"


def test_outside_the_schedule_nothing_is_looked_for(tmp_path):
    local_now = 1_790_000_000_000 // 60_000 % 1440 + 7 * 60  # UTC+7
    later = (local_now + 60) % 1440
    scene = Scene(tmp_path, hours=Schedule((Window(later, (later + 60) % 1440),)))
    scene.quiet(4)
    scene.walk(4)
    assert scene.events() == []
    scene.clock.advance(61 * 60_000)
    scene.quiet(4)
    scene.walk(4)
    assert [event["type"] for event in scene.events()] == ["episode_started"]
    scene.outbox.close()


def test_the_night_has_its_own_settings(tmp_path):
    local_now = (1_790_000_000_000 // 60_000 + 7 * 60) % 1440
    night = Schedule((Window(local_now, (local_now + 30) % 1440),))
    scene = Scene(tmp_path, night=MotionSettings(min_size=0.5), night_hours=night)
    scene.quiet(4)
    scene.walk(4)
    assert scene.events() == []
    scene.clock.advance(31 * 60_000)
    scene.quiet(4)
    scene.walk(4)
    assert [event["type"] for event in scene.events()] == ["episode_started"]
    scene.outbox.close()


def test_a_camera_is_down_while_any_of_its_streams_is_and_says_so_once(scene):
    scene.lookout.stream_state("sub", None)
    scene.lookout.stream_state("main", CameraUnavailable("timeout", "nothing came for 10 s"))
    scene.lookout.stream_state("main", CameraUnavailable("timeout", "nothing came for 10 s"))
    scene.lookout.stream_state("sub", CameraUnavailable("refused", "it says no"))
    scene.lookout.stream_state("main", None)
    scene.lookout.stream_state("sub", None)
    told = [(event["body"]["state"], event["body"]["reason"], event["body"]["code"]) for event in scene.events()]
    assert told == [("up", None, None), ("down", "main: nothing came for 10 s", "timeout"), ("up", None, None)]


def test_a_wanted_snapshot_is_the_next_frame(scene):
    scene.quiet(1)
    request = "01890a5d-b000-7000-8000-000000000001"
    scene.lookout.want_snapshot(request)
    scene.quiet(0.2)
    (event,) = scene.events()
    assert (event["type"], event["body"]["request"]) == ("snapshot_taken", request)
    (picture,) = scene.outbox.next_snapshots(10)
    assert (picture.episode, picture.sha256) == (request, event["body"]["snapshot_sha256"])


def test_a_covered_lens_is_an_episode_of_its_own_with_picture_and_clip_and_a_state_that_ends(scene):
    scene.quiet(8)
    covered_ms = scene.clock.wall_ms()
    for _ in range(60):
        scene.clock.advance(1000 / FPS)
        luma = np.full((HEIGHT, WIDTH), 50, np.uint8) + scene.street._rng.integers(0, 4, (HEIGHT, WIDTH), np.uint8)
        scene.lookout.on_frame(
            Frame(luma, scene.clock.mono_ms(), None, WIDTH, HEIGHT, lambda luma=luma: np.dstack([luma] * 3))
        )
    scene.quiet(8)
    events = [event for event in scene.events() if event["body"].get("kind", "").endswith("covered")]
    started, began, ended, over = events
    assert [event["type"] for event in events] == ["episode_started", "tamper", "episode_ended", "tamper"]
    assert started["body"]["kind"] == ended["body"]["kind"] == "tamper:covered"
    assert covered_ms <= started["body"]["start_ms"] == began["body"]["since_ms"] <= covered_ms + 1000
    assert (began["body"]["active"], over["body"]["active"]) == (True, False)
    pictures = {picture.sha256 for picture in scene.outbox.next_snapshots(10)}
    assert started["body"]["snapshot_sha256"] in pictures
    episode = started["body"]["episode"]
    assert [asked[0] for asked in scene.record.asked if asked[1] == episode] == ["begin", "end"]
    assert scene.record.classes[episode] is ClipClass.ALERT


def test_a_lens_that_is_covered_when_the_program_ends_is_not_left_as_a_state(scene):
    scene.quiet(8)
    for _ in range(60):
        scene.clock.advance(1000 / FPS)
        luma = np.full((HEIGHT, WIDTH), 5, np.uint8)
        scene.lookout.on_frame(
            Frame(luma, scene.clock.mono_ms(), None, WIDTH, HEIGHT, lambda luma=luma: np.dstack([luma] * 3))
        )
    scene.lookout.look_lost("stopped")
    states = [event["body"]["active"] for event in scene.events() if event["type"] == "tamper"]
    assert states == [True, False]
    assert scene.events()[-2]["body"]["reason"] == "stopped"


class RefusingJournal:
    """An outbox whose disk is full until a test says otherwise."""

    def __init__(self) -> None:
        self.full = True
        self.kept: list[messages.Body] = []

    def put_event(self, body, *snapshots):
        if self.full:
            raise OutboxFull("the disk takes no more")
        self.kept.append(body)


def test_events_that_found_no_room_for_long_are_told_as_lost(tmp_path):
    scene = Scene(tmp_path)
    journal = RefusingJournal()
    lookout = Lookout(scene.plan, journal, scene.record, scene.clock, ZoneInfo("Asia/Ho_Chi_Minh"))
    for number in range(260):
        lookout.stream_state("main", None if number % 2 else CameraUnavailable("timeout", f"timeout {number}"))
    journal.full = False
    scene.clock.advance(1500)
    lookout.on_frame(scene.street.frame(None))
    assert len(journal.kept) == 257
    assert [body.reason for body in journal.kept[:1]] == ["main: timeout 4"]
    assert journal.kept[-1] == messages.DataLost(
        what="event", reason="4 events of this camera found no room on the box's disk", camera="gate"
    )
    scene.outbox.close()


class Flag:
    """The street with a flag that a wind blows to and fro, in one corner."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rng = np.random.default_rng(8)
        self._noise = [self._rng.normal(0, 2, (HEIGHT, WIDTH)) for _ in range(5)]
        self._frames = 0

    def rests(self, seconds: float) -> None:
        """Hanging still, seen every five seconds."""
        for _ in range(round(seconds / 5)):
            self._scene.clock.advance(4800)
            self._frames = 0
            self.blows(0.2)

    def blows(self, seconds: float, walker: bool = False) -> None:
        scene, steps = self._scene, round(seconds * 5)
        for step in range(steps):
            scene.clock.advance(200)
            self._frames += 1
            luma = scene.street._background + self._noise[self._frames % 5]
            at = round(30 + 16 * np.sin(self._frames * 0.8))
            luma[30:60, at : at + 26] = 225
            if walker:
                x = int((1 - step / steps) * (WIDTH - 24))
                luma[90:170, x : x + 24] = 235
            luma = np.clip(luma, 0, 255).astype(np.uint8)
            scene.lookout.on_frame(
                Frame(luma, scene.clock.mono_ms(), None, WIDTH, HEIGHT, lambda luma=luma: np.dstack([luma] * 3))
            )


def test_a_flag_that_blows_for_long_is_recorded_without_an_alert_and_a_walker_still_alerts(scene):
    flag = Flag(scene)
    scene.quiet(4)
    for _ in range(12):
        flag.blows(5)
        flag.rests(11 * 5)
    (place,) = scene.lookout.demoted
    assert place.box[2] < 0.4
    assert place.box[3] < 0.6
    before = {event["body"]["episode"] for event in scene.events()}
    flag.blows(6)
    flag.rests(10)
    new = [event for event in scene.events() if event["body"]["episode"] not in before]
    assert {event["body"]["kind"] for event in new} == {"motion:demoted"}
    (demoted,) = {event["body"]["episode"] for event in new if event["type"] == "episode_started"}
    assert scene.record.classes[demoted] == ClipClass.ROUTINE
    assert ("begin", demoted) in [(what, episode) for what, episode, _ in scene.record.asked]
    before |= {demoted}
    flag.blows(6, walker=True)
    started = [event["body"] for event in scene.events() if event["type"] == "episode_started"]
    assert [body["kind"] for body in started if body["episode"] not in before] == ["motion"]
