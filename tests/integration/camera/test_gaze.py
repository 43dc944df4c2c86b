"""What is decoded of a real stream, and that what stirs is followed back to where it began."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.camera.attention import (
    CLOSE_KEYS_MS,
    DOZING_GATHER_S,
    LONGEST_REST_MS,
    RESTING_GATHER_S,
    Attention,
    RestPolicy,
)
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.gaze import Gaze, Seen
from edge_agent.camera.reader import Deadlines, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.detect import RecordedTime, detect
from edge_agent.vision.settings import MotionSettings
from tests.support.walks import film_walks

WALKS = [(20.3, 24.0), (41.1, 44.5)]


class Watcher:
    """Somebody who knows when something moves."""

    def __init__(self, walks: list[tuple[float, float]]) -> None:
        self._walks = walks
        self.looked_s: list[float] = []

    def look(self, frame: Frame) -> Interest:
        at_s = frame.mono_ms / 1000
        self.looked_s.append(at_s)
        return "some" if at_s < 1 or any(start <= at_s < end for start, end in self._walks) else "none"


def watch(path: Path, watcher: Watcher, attention: Attention | None) -> Seen:
    now, seen = RecordedTime(), Seen()
    reader = open_reader(SourceAddress.parse(str(path)), Deadlines(), now, now)
    gaze = Gaze(reader, attention, watcher.look, seen)
    with suppress(CameraUnavailable):  # played to its end
        for packet in reader.packets():
            gaze.take(packet)
    gaze.finish()
    reader.close()
    return seen


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_walks(tmp_path_factory.mktemp("gaze") / "street.mp4", WALKS, 60.0)


def test_without_attention_every_picture_is_looked_at(street: Path) -> None:
    watcher = Watcher(WALKS)
    seen = watch(street, watcher, None)
    assert (seen.decoded, seen.looked) == (600, 600)


def test_a_calm_street_costs_its_key_frames_and_what_stirs_is_followed_back(street: Path) -> None:
    watcher = Watcher(WALKS)
    seen = watch(street, watcher, Attention(RestPolicy()))
    assert seen.decoded < 540, "noise drowns the sizes here: after the first late word all is decoded"
    assert seen.decode_errors == 0
    assert watcher.looked_s == sorted(set(watcher.looked_s)), "once each, in order of time"
    for start_s, _ in WALKS:
        assert sum(start_s <= at_s < start_s + 1 for at_s in watcher.looked_s) >= 9, "from its first picture on"


def test_a_stream_that_may_not_rest_is_decoded_whole_and_looked_at_now_and_then(street: Path) -> None:
    watcher = Watcher(WALKS)
    seen = watch(street, watcher, Attention(RestPolicy(allowed=False)))
    assert seen.decoded == 600
    assert seen.looked < 450
    for start_s, _ in WALKS:
        assert min(at_s for at_s in watcher.looked_s if at_s >= start_s) <= start_s + 0.1


def read_both_ways(path: Path) -> tuple[dict[bool, list[tuple[float, float]]], dict[bool, int]]:
    """Starts and ends of episodes, and how many pictures were decoded: with all of them, and sparingly."""
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    decoded = {}
    for all_frames, episodes in found.items():
        summary = detect(
            SourceAddress.parse(str(path)),
            MotionSettings(),
            lambda episode, episodes=episodes: episodes.append((episode.start_ms, episode.end_ms)),
            all_frames=all_frames,
        )
        decoded[all_frames] = summary.decoded
    return found, decoded


@pytest.mark.parametrize("gop_s", [1.0, 2.0, 10.0])
def test_episodes_are_the_same_whether_all_is_decoded_or_not(tmp_path: Path, gop_s: float) -> None:
    path = film_walks(tmp_path / "street.mp4", WALKS, 50.0, gop_s=gop_s)
    found, decoded = read_both_ways(path)
    assert len(found[True]) == len(found[False]) == len(WALKS)
    for whole, sparing in zip(found[True], found[False], strict=True):
        assert sparing[0] <= whole[0] + 200
        assert abs(sparing[1] - whole[1]) <= 700
    assert decoded[False] < decoded[True] or gop_s > 2


def test_who_walks_the_same_way_again_and_again_is_seen_every_time(tmp_path: Path) -> None:
    walks = [(start, start + 3.0) for start in range(16, 156, 20)]
    path = film_walks(tmp_path / "street.mp4", walks, 160.0)
    starts_s: list[float] = []
    detect(
        SourceAddress.parse(str(path)),
        MotionSettings(),
        lambda episode: starts_s.append(episode.start_ms / 1000),
        all_frames=False,
    )
    assert len(starts_s) == len(walks)


def test_packets_are_not_kept_for_ever_where_key_frames_stop_coming(street: Path) -> None:
    now = RecordedTime()
    reader = open_reader(SourceAddress.parse(str(street)), Deadlines(), now, now)
    gaze = Gaze(reader, Attention(RestPolicy()), Watcher([(0.0, 60.0)]).look, Seen())
    kept_ms = 0.0
    with suppress(CameraUnavailable):  # played to its end
        for packet in reader.packets():
            gaze.take(packet if packet.mono_ms < 10_000 else replace(packet, is_key=False))
            if gaze._kept:
                kept_ms = max(kept_ms, packet.mono_ms - gaze._kept[0].mono_ms)
    reader.close()
    assert 1_000 < kept_ms <= LONGEST_REST_MS


def test_the_packet_that_wakes_the_camera_is_the_last_that_was_let_gather(street: Path) -> None:
    now, attention = RecordedTime(), Attention(RestPolicy())
    reader = open_reader(SourceAddress.parse(str(street)), Deadlines(), now, now)
    gaze = Gaze(reader, attention, Watcher(WALKS).look, Seen())
    gathers: set[float] = set()
    with suppress(CameraUnavailable):  # played to its end
        for packet in reader.packets():
            gaze.take(packet)
            assert reader.gather_s == attention.gather_s(packet.mono_ms)
            gathers.add(reader.gather_s)
    reader.close()
    assert gathers >= {0.0, DOZING_GATHER_S, RESTING_GATHER_S}


class Follower(Watcher):
    """Somebody who has known for long what moves there."""

    def look(self, frame: Frame) -> Interest:
        return "settled" if super().look(frame) == "some" else "none"


def test_what_is_settled_costs_little_more_than_its_key_frames(street: Path) -> None:
    watcher = Follower([(0.0, 50.0)])
    seen = watch(street, watcher, Attention(RestPolicy()))
    assert seen.decode_errors == 0
    assert watcher.looked_s == sorted(set(watcher.looked_s))
    there = [at_s for at_s in watcher.looked_s if 10 <= at_s < 50]
    assert len(there) <= 25
    assert max(later - sooner for sooner, later in pairwise(there)) <= 2.05
    assert sum(50 <= at_s < 51 for at_s in watcher.looked_s) >= 5, "who left is looked for"


def test_where_key_frames_stop_what_was_passed_over_is_decoded(street: Path) -> None:
    now, seen, watcher = RecordedTime(), Seen(), Follower([(0.0, 60.0)])
    reader = open_reader(SourceAddress.parse(str(street)), Deadlines(), now, now)
    gaze = Gaze(reader, Attention(RestPolicy()), watcher.look, seen)
    with suppress(CameraUnavailable):  # played to its end
        for packet in reader.packets():
            gaze.take(packet if packet.mono_ms < 20_000 else replace(packet, is_key=False))
    reader.close()
    assert seen.decode_errors == 0
    assert watcher.looked_s == sorted(set(watcher.looked_s))
    assert max(later - sooner for sooner, later in pairwise(watcher.looked_s)) <= CLOSE_KEYS_MS / 1000 + 0.15


def test_people_who_walk_for_long_make_one_episode_at_a_part_of_the_cost(tmp_path: Path) -> None:
    path = film_walks(tmp_path / "street.mp4", [(start, start + 6.0) for start in range(8, 56, 6)], 64.0)
    found, decoded = read_both_ways(path)
    ((whole_start_ms, whole_end_ms),), ((start_ms, end_ms),) = found[True], found[False]
    assert abs(start_ms - whole_start_ms) <= 200
    assert abs(end_ms - whole_end_ms) <= 2_000, "half way between two key frames, give or take half of it and a step"
    assert decoded[False] < 0.6 * decoded[True]


def test_what_a_glance_finds_at_rest_is_followed_back_only_where_it_stands_out(street: Path) -> None:
    decoded = {}
    for stands_out in (True, False):
        now, seen = RecordedTime(), Seen()
        reader = open_reader(SourceAddress.parse(str(street)), Deadlines(), now, now)
        gaze = Gaze(reader, Attention(RestPolicy()), Watcher([]).look, seen, lambda _, answer=stands_out: answer)
        with suppress(CameraUnavailable):  # played to its end
            for packet in reader.packets():
                gaze.take(packet)
        reader.close()
        decoded[stands_out] = seen.decoded
    assert decoded[False] < 0.7 * decoded[True]


def test_what_was_passed_over_when_a_stream_ends_is_looked_at(street: Path) -> None:
    watcher = Follower([(0.0, 60.0)])
    watch(street, watcher, Attention(RestPolicy()))
    assert watcher.looked_s[-1] >= 59.4
