import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.ring import PacketRing
from edge_agent.outbox.items import ClipClass
from edge_agent.recording.clip_thread import ClipThread
from edge_agent.recording.finished import ClipMeta, FinishedClip
from edge_agent.recording.recorder import Recorder
from tests.support import video
from tests.support.cameras import wait_until
from tests.support.clock import FakeClock
from vonggac.daemon.threads import Pulse


class Bench:
    """A recorder, the thread behind it, and what came out."""

    def __init__(self, folder: Path, preroll_s: float = 2.0, ring_bytes: int = 1 << 20, queue_bytes: int = 1 << 20):
        self.folder = folder
        self.clips: list[FinishedClip] = []
        self.lost: list[tuple[ClipMeta, str]] = []
        self.clock = FakeClock(mono_ms=0.0)
        self.thread = ClipThread(
            folder, self.clips.append, lambda meta, why: self.lost.append((meta, why)), queue_bytes
        )
        numbers = itertools.count(1)
        self.recorder = self.another("gate", preroll_s, ring_bytes, numbers)
        self.numbers = numbers

    def another(self, camera: str, preroll_s: float, ring_bytes: int, numbers: Iterator[int]) -> Recorder:
        return Recorder(
            "box-1",
            camera,
            ring=PacketRing(preroll_s, ring_bytes),
            clips=self.thread,
            clock=self.clock,
            new_id=lambda: f"clip-{next(numbers)}",
            max_clip_s=60.0,
        )

    def feed(self, info: StreamInfo, packets: list[Packet]) -> None:
        for packet in packets:
            self.clock.advance(max(0.0, packet.mono_ms - self.clock.mono_ms()))
            self.recorder.on_packet(packet, info)

    def drain(self) -> list[FinishedClip]:
        self.recorder.close()
        self.thread.close()
        self.thread.run(Pulse("clip-writer", 60.0))
        return self.clips


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> tuple[StreamInfo, list[Packet]]:
    """20 s at 10 pictures a second, a key frame every second."""
    folder = tmp_path_factory.mktemp("stream")
    return video.read(video.encode(folder / "s.mp4", stamps_ms=range(0, 20_000, 100), gop=10))


Stream = tuple[StreamInfo, list[Packet]]


def test_a_clip_runs_from_the_key_frame_before_the_preroll_to_the_end_of_the_postroll(
    tmp_path: Path, stream: Stream
) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    bench.feed(info, packets[:80])
    bench.recorder.begin("episode-1", 5_950.0)
    bench.feed(info, packets[80:100])
    bench.recorder.end("episode-1", 12_000.0)
    bench.feed(info, packets[100:])
    (clip,) = bench.drain()
    assert [data for data, _ in video.samples(clip.path)] == [packet.data for packet in packets[50:121]]
    assert (clip.truncated, clip.reason) == (False, "")
    assert clip.meta == ClipMeta(
        *("box-1", "gate", "episode-1", "clip-1", bench.clock.wall_ms_at(5000.0)),
        *(ClipClass.NORMAL, bench.clock.boot_id, 5000),
    )
    assert not bench.recorder.recording


def test_what_a_clip_is_given_is_written_soon_though_nothing_follows(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    writer = threading.Thread(target=bench.thread.run, args=(Pulse("clip-writer", 60.0),), daemon=True)
    writer.start()
    bench.feed(info, packets[:10])
    bench.recorder.begin("episode-1", 0.0)
    for burst in (packets[10:40], packets[40:41], packets[41:70]):
        bench.feed(info, burst)
        wait_until(lambda: bench.thread.queued_bytes == 0, 2.0, "a burst is written")
    bench.recorder.close()
    bench.thread.close()
    writer.join(10)
    assert [clip.packets for clip in bench.clips] == [70]


def test_an_end_that_is_already_past_closes_the_clip_at_once(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    bench.feed(info, packets[:80])
    bench.recorder.begin("episode-1", 6_000.0)
    bench.recorder.end("episode-1", 7_000.0)
    assert not bench.recorder.recording
    (clip,) = bench.drain()
    assert not clip.truncated


def test_a_preroll_that_memory_did_not_hold_cuts_nothing_short(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    bench.feed(info, packets[:10])
    bench.recorder.begin("episode-1", -3_000.0)
    bench.recorder.end("episode-1", 1_500.0)
    bench.feed(info, packets[10:30])
    (clip,) = bench.drain()
    assert clip.first_frame_wall_ms == bench.clock.wall_ms_at(0.0)
    assert not clip.truncated


def test_a_ring_too_small_for_the_gop_is_said(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    bench = Bench(tmp_path, ring_bytes=len(packets[0].data) + len(packets[1].data))
    bench.feed(info, packets[:8])
    bench.recorder.begin("episode-1", 0.0)
    bench.recorder.end("episode-1", 1_500.0)
    bench.feed(info, packets[8:30])
    (clip,) = bench.drain()
    assert clip.truncated
    assert clip.reason == "a part of the pre-roll did not fit in the packet ring's byte budget"


def test_a_stream_that_breaks_closes_the_clip_and_the_episode_goes_on_in_a_new_one(
    tmp_path: Path, stream: Stream
) -> None:
    info, packets = stream
    again = StreamInfo(info.codec, info.width, info.height, info.fps, info.time_base, info.header)
    bench = Bench(tmp_path)
    bench.feed(info, packets[:50])
    bench.recorder.begin("episode-1", 4_000.0)
    bench.recorder.on_lost_stream("The camera ended its stream.")
    assert bench.recorder.recording
    bench.feed(again, packets[100:150])
    bench.recorder.end("episode-1", 15_000.0)
    bench.feed(again, packets[150:])
    first, second = bench.drain()
    assert (first.truncated, first.reason) == (True, "The camera ended its stream.")
    assert [data for data, _ in video.samples(second.path)] == [packet.data for packet in packets[100:151]]
    assert (second.meta.episode, second.truncated) == ("episode-1", False)


def test_an_episode_that_ends_while_the_camera_is_away_has_only_its_first_clip(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    bench.feed(info, packets[:50])
    bench.recorder.begin("episode-1", 4_000.0)
    bench.recorder.on_lost_stream("gone")
    bench.clock.advance(10_000)
    bench.recorder.end("episode-1", 6_000.0)
    assert not bench.recorder.recording
    assert len(bench.drain()) == 1


def test_an_episode_that_begins_before_any_packet_records_from_the_first_key_frame(
    tmp_path: Path, stream: Stream
) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    bench.recorder.begin("episode-1", 0.0)
    bench.feed(info, packets[5:30])
    bench.recorder.end("episode-1", 2_500.0)
    (clip,) = bench.drain()
    assert video.samples(clip.path)[0][0] == packets[10].data


def test_two_episodes_that_overlap_have_a_clip_each(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    bench.feed(info, packets[:50])
    bench.recorder.begin("a", 4_000.0)
    bench.recorder.end("a", 8_000.0)
    bench.feed(info, packets[50:70])
    bench.recorder.begin("b", 5_000.0)
    bench.recorder.end("b", 9_000.0)
    bench.feed(info, packets[70:])
    assert [(clip.meta.episode, clip.packets) for clip in bench.drain()] == [("a", 41), ("b", 41)]


def test_a_long_episode_is_split_at_a_key_frame_and_nothing_is_missing(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "s.mp4", stamps_ms=range(0, 90_000, 500), gop=4, size=(16, 16)))
    bench = Bench(tmp_path)
    bench.feed(info, packets[:1])
    bench.recorder.begin("a", 0.0)
    bench.feed(info, packets[1:])
    first, second = bench.drain()
    assert (first.truncated, first.reason) == (False, "the episode goes on in the next clip")
    both = video.samples(first.path) + video.samples(second.path)
    assert [data for data, _ in both] == [packet.data for packet in packets]


def test_a_disk_that_does_not_keep_up_shortens_the_clip_says_so_and_goes_on_later(
    tmp_path: Path, stream: Stream
) -> None:
    info, packets = stream
    total = sum(len(packet.data) for packet in packets[:40])
    bench = Bench(tmp_path, queue_bytes=total)
    bench.feed(info, packets[:1])
    bench.recorder.begin("a", 0.0)
    bench.feed(info, packets[1:100])
    assert bench.thread.queued_bytes <= total
    worker = threading.Thread(target=bench.thread.run, args=(Pulse("clip-writer", 60.0),))
    worker.start()
    deadline = threading.Event()
    for _ in range(500):
        if bench.thread.queued_bytes == 0:
            break
        deadline.wait(0.01)
    bench.feed(info, packets[100:120])
    bench.recorder.end("a", 11_900.0)
    bench.thread.close()
    worker.join(10)
    first, second = bench.clips
    assert (first.truncated, first.reason) == (
        True,
        "the disk was too slow: the queue of the clip writer was full",
    )
    assert first.packets == 40
    assert video.samples(second.path)[0][0] == packets[100].data
    assert not second.truncated


def test_a_disk_that_refuses_is_told_and_the_file_stays_for_salvage(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    (tmp_path / "clip-1.mp4.part").write_bytes(b"in the way")
    bench = Bench(tmp_path)
    bench.feed(info, packets[:20])
    bench.recorder.begin("a", 0.0)
    assert bench.drain() == []
    ((meta, why),) = bench.lost
    assert meta.clip == "clip-1"
    assert "File exists" in why


def test_when_the_program_ends_open_clips_are_whole_and_marked(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    bench = Bench(tmp_path)
    bench.feed(info, packets[:50])
    bench.recorder.begin("a", 4_000.0)
    (clip,) = bench.drain()
    assert (clip.truncated, clip.reason, clip.packets) == (True, "the program ends", 10)


def test_a_stream_that_cannot_be_recorded_makes_no_clip_and_no_failure(tmp_path: Path, stream: Stream) -> None:
    info, packets = stream
    raw = StreamInfo("rawvideo", 64, 48, None, info.time_base, b"")
    bench = Bench(tmp_path)
    bench.feed(raw, packets[:50])
    bench.recorder.begin("a", 4_000.0)
    bench.feed(raw, packets[50:60])
    assert bench.drain() == []
    assert bench.lost == []
