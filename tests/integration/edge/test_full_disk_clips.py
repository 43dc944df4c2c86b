"""A disk that fills while clips are written: what is whole stays a clip, nothing half-written stays, all is told."""

import itertools
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.ring import PacketRing
from edge_agent.handover import Handover
from edge_agent.outbox.fsck import check_outbox
from edge_agent.outbox.outbox import Outbox
from edge_agent.recording.clip_thread import ClipThread
from edge_agent.recording.recorder import Recorder
from tests.support import video
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, camera_event
from tests.support.system import wait_for
from vonggac.daemon.threads import Pulse
from vonggac.wire.codec import decode
from vonggac.wire.messages import Body, ClipReady, DataLost

Stream = tuple[StreamInfo, list[Packet]]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Stream:
    """20 s at 10 pictures a second, a key frame every second."""
    folder = tmp_path_factory.mktemp("stream")
    return video.read(video.encode(folder / "s.mp4", stamps_ms=range(0, 20_000, 100), gop=10, size=(320, 240)))


class Box:
    """Recorder, clip writer, handover and outbox on one disk."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self.folder = disk / "clips"
        self.folder.mkdir(exist_ok=True)
        self.clock = FakeClock(mono_ms=0.0)
        self.outbox = Outbox(disk, self.clock, BOX)
        self.handover = Handover(self.outbox, self.clock, BOX)
        self.clips = ClipThread(self.folder, self.handover.clip, self.handover.lost_clip, disk_rests_s=0.0)
        numbers = itertools.count(1)
        self.recorder = Recorder(
            BOX,
            "gate",
            ring=PacketRing(2.0, 1 << 24),
            clips=self.clips,
            clock=self.clock,
            new_id=lambda: an_id(next(numbers)),
        )
        self.thread = threading.Thread(target=self.clips.run, args=(Pulse("clip-writer", 60.0),))
        self.thread.start()

    def feed(self, stream: Stream, begin: int, end: int) -> None:
        for packet in stream[1][begin:end]:
            self.clock.advance(max(0.0, packet.mono_ms - self.clock.mono_ms()))
            self.recorder.on_packet(packet, stream[0])
        wait_for(lambda: not self.clips.queued_bytes, "the clip writer")

    def fill(self) -> Path:
        """All but what the last page of a file still takes."""
        path = self.disk / "other"
        with path.open("wb") as file:
            free = os.statvfs(self.disk).f_bavail * os.statvfs(self.disk).f_frsize
            os.posix_fallocate(file.fileno(), 0, free)
        return path

    def stop(self) -> None:
        self.recorder.close()
        self.clips.close()
        self.thread.join(30)

    def told(self) -> list[Body]:
        return [decode(event.message).body for event in self.outbox.next_events(1000)]

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


def test_a_clip_whose_disk_fills_up_is_kept_as_far_as_it_is_whole_and_the_next_begins_when_there_is_room(
    disk: Path, stream: Stream
) -> None:
    box = Box(disk)
    box.feed(stream, 0, 5)
    box.recorder.begin(an_id(100), 0.0)
    box.feed(stream, 5, 60)
    other = box.fill()
    box.feed(stream, 60, 120)
    other.unlink()
    box.feed(stream, 120, 200)
    box.stop()
    told = box.told()
    ready = [body for body in told if isinstance(body, ClipReady)]
    assert len(ready) >= 2
    assert ready[0].truncated
    assert ready[0].note == "the box's disk was full"
    assert 5_000 < ready[0].duration_ms < 8_000
    assert ready[-1].first_frame_ms > ready[0].first_frame_ms + 6_000
    assert box.files() == {f"{body.clip}.mp4" for body in ready}
    for body in ready:
        pictures = len(list(video.decoded(box.folder / f"{body.clip}.mp4")))
        assert body.duration_ms == pytest.approx(pictures * 100, abs=100)
    assert all(body.clip not in {each.clip for each in ready} for body in told if isinstance(body, DataLost))
    box.outbox.close()
    assert not any(finding.is_open for finding in check_outbox(disk, deep=True))


def test_a_clip_that_cannot_even_begin_leaves_no_file_and_is_told(disk: Path, stream: Stream) -> None:
    box = Box(disk)
    box.feed(stream, 0, 10)
    box.fill()
    box.recorder.begin(an_id(100), 0.0)
    box.recorder.end(an_id(100), 100.0)
    box.stop()
    (loss,) = box.told()
    assert isinstance(loss, DataLost)
    assert (loss.what, loss.camera, loss.episode, loss.clip) == ("clip", "gate", an_id(100), an_id(1))
    assert box.files() == set()
    box.outbox.close()
    assert not any(finding.is_open for finding in check_outbox(disk))


def test_what_not_even_the_reserve_could_tell_is_told_when_there_is_room_again(disk: Path, stream: Stream) -> None:
    box = Box(disk)
    box.feed(stream, 0, 10)
    box.recorder.begin(an_id(100), 0.0)
    box.feed(stream, 10, 30)
    other = box.fill()
    loss = DataLost(what="video", reason="x" * 4_000)
    while (disk / "outbox.reserve").exists():
        box.outbox.put_event(loss)
    with (disk / "more").open("wb") as more:
        os.posix_fallocate(more.fileno(), 0, os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize)
    box.handover.tell(*[loss] * 2000)
    box.stop()
    before = box.outbox.last_seq()
    box.handover.retry()
    assert box.outbox.last_seq() == before
    other.unlink()
    (disk / "more").unlink()
    box.handover.retry()
    (last,) = box.outbox.next_events(1, before + 2000)
    assert isinstance(decode(last.message).body, ClipReady)
    assert box.outbox.last_seq() == before + 2001
    box.outbox.close()
    assert not any(finding.is_open for finding in check_outbox(disk, deep=True))


def test_an_outbox_opens_on_a_full_disk_by_its_reserve(disk: Path) -> None:
    clock = FakeClock()
    outbox = Outbox(disk, clock, BOX)
    outbox.put_event(camera_event())
    outbox.close()
    with (disk / "other").open("wb") as other:
        os.posix_fallocate(other.fileno(), 0, os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize)
    outbox = Outbox(disk, clock, BOX)
    assert outbox.put_event(camera_event()).seq == 2
    outbox.close()
    assert not any(finding.is_open for finding in check_outbox(disk, deep=True))
