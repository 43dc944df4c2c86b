"""No episode stays open for ever: what the last run left open is ended after the next start, with what was told."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.outbox.database import DATABASE
from edge_agent.outbox.outbox import Outbox
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, camera_event, episode_started
from vonggac.wire.messages import Body, EpisodeEnded, EpisodeStarted, EpisodeUpdated, Tamper

START_MS = 1_790_000_000_000


class Box:
    """A box whose power a test cuts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.outbox = Outbox(folder, self.clock, BOX)

    def cut(self) -> list[Body]:
        self.outbox.close()
        return self.start()

    def start(self) -> list[Body]:
        self.clock.advance(60_000)
        self.clock.boot_id = "22222222-2222-4222-8222-222222222222"
        self.outbox = Outbox(self.folder, self.clock, BOX)
        return self.outbox.ends_of_cut_episodes()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.outbox.close()


def updated(number: int, last_ms: int) -> EpisodeUpdated:
    box = (0.4, 0.1, 0.9, 0.3)
    return EpisodeUpdated(episode=an_id(number), camera="gate", last_ms=last_ms, box=box, zones=("door",), score=0.7)


def ended(number: int) -> EpisodeEnded:
    box = (0.1, 0.2, 0.3, 0.4)
    return EpisodeEnded(episode=an_id(number), camera="gate", start_ms=START_MS, end_ms=START_MS + 9_000, box=box)


def test_an_episode_that_the_power_cut_off_ends_with_what_was_told_of_it(box: Box) -> None:
    boot = box.clock.boot_id
    began_mono_ms = int(box.clock.mono_ms())
    box.clock.advance(400)
    box.outbox.put_event(episode_started(0, b"jpeg"))
    box.outbox.put_event(updated(0, START_MS + 5_000))
    box.outbox.put_event(updated(0, START_MS + 10_000))
    (end,) = box.cut()
    assert isinstance(end, EpisodeEnded)
    assert (end.episode, end.camera, end.reason) == (an_id(0), "gate", "cut")
    assert (end.start_ms, end.end_ms) == (START_MS, START_MS + 10_000)
    assert (end.boot_id, end.start_mono_ms) == (boot, began_mono_ms)
    assert (end.box, end.zones, end.score) == ((0.1, 0.1, 0.9, 0.4), ("door",), 0.7)
    assert end.snapshot_sha256 == episode_started(0, b"jpeg").snapshot_sha256


def test_told_once_it_is_told_no_more_over_any_number_of_cuts(box: Box) -> None:
    box.outbox.put_events([episode_started(1), episode_started(2)])
    assert len(box.cut()) == 2
    ends = box.cut()
    assert [end.episode for end in ends if isinstance(end, EpisodeEnded)] == [an_id(1), an_id(2)]
    box.outbox.put_events(ends)
    assert box.cut() == []


def test_an_episode_that_ended_leaves_nothing_to_tell(box: Box) -> None:
    box.outbox.put_events([episode_started(1), camera_event(), ended(1), updated(1, START_MS)])
    assert box.cut() == []


def test_a_tamper_that_was_going_on_ends_as_episode_and_as_state(box: Box) -> None:
    whole = (0.0, 0.0, 1.0, 1.0)
    started = EpisodeStarted(episode=an_id(3), camera="gate", start_ms=START_MS, box=whole, kind="tamper:covered")
    box.outbox.put_event(started)
    end, state = box.cut()
    assert isinstance(end, EpisodeEnded)
    assert (end.kind, end.reason) == ("tamper:covered", "cut")
    assert state == Tamper(camera="gate", kind="covered", active=False, since_ms=box.clock.wall_ms())


def test_a_tampers_end_is_later_than_its_begin_though_the_clock_went_back(box: Box) -> None:
    whole = (0.0, 0.0, 1.0, 1.0)
    box.outbox.put_event(
        EpisodeStarted(episode=an_id(3), camera="gate", start_ms=START_MS, box=whole, kind="tamper:black")
    )
    box.clock.step_wall(-86_400_000)
    _, state = box.cut()
    assert isinstance(state, Tamper)
    assert state.since_ms == START_MS + 1


def test_an_outbox_of_the_version_before_is_taken_over_with_all_it_has(box: Box) -> None:
    box.outbox.put_events([camera_event(1), camera_event(2)])
    box.outbox.close()
    old = sqlite3.connect(box.folder / DATABASE)
    old.execute("DROP TABLE open_episode")
    old.execute("PRAGMA user_version = 1")
    old.close()
    assert box.start() == []
    assert [event.seq for event in box.outbox.next_events(10)] == [1, 2]
    box.outbox.put_event(episode_started(4))
    assert len(box.cut()) == 1


def test_what_a_corrupt_database_still_tells_of_open_episodes_is_ended_too(box: Box) -> None:
    box.outbox.put_event(episode_started(5))
    box.outbox.close()
    aside = box.folder / f"outbox.corrupt-{box.clock.wall_ms()}.sqlite"
    (box.folder / DATABASE).rename(aside)
    box.outbox = Outbox(box.folder, box.clock, BOX)
    (end,) = box.outbox.ends_of_cut_episodes()
    assert isinstance(end, EpisodeEnded)
    assert end.episode == an_id(5)
