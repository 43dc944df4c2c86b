"""What the last run left on the disk, and what the disk refuses, reaches the outbox."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.handover import Handover
from edge_agent.outbox.items import ClipClass
from edge_agent.outbox.outbox import Outbox
from edge_agent.recording.clip import ClipWriter
from edge_agent.recording.finished import ClipMeta
from tests.support import video
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, episode_started
from vonggac.wire.codec import decode
from vonggac.wire.messages import Body, ClipReady, DataLost, EpisodeEnded

ANOTHER_BOOT = "22222222-2222-4222-8222-222222222222"
Stream = tuple[StreamInfo, list[Packet]]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Stream:
    return video.read(video.encode(tmp_path_factory.mktemp("stream") / "s.mp4"))


class Box:
    """Outbox and handover over a clip folder; `record` leaves a clip as far as it came."""

    def __init__(self, folder: Path, stream: Stream) -> None:
        self.folder = folder / "clips"
        self.folder.mkdir()
        self.clock = FakeClock()
        self.outbox = Outbox(folder, self.clock, BOX)
        self.handover = Handover(self.outbox, self.clock, BOX)
        self._stream = stream

    def record(self, number: int, clip_class: ClipClass = ClipClass.NORMAL, camera: str = "gate") -> ClipWriter:
        mono_ms = round(self.clock.mono_ms())
        meta = ClipMeta(
            *(BOX, camera, an_id(100), an_id(number), self.clock.wall_ms(), clip_class),
            *(self.clock.boot_id, mono_ms),
        )
        info, packets = self._stream
        writer = ClipWriter(self.folder / f"{an_id(number)}.mp4", info, meta)
        for packet in packets:
            writer.write(packet)
        self.clock.advance(4_000)
        return writer

    def told(self) -> list[Body]:
        return [decode(event.message).body for event in self.outbox.next_events(100)]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def box(tmp_path: Path, stream: Stream) -> Iterator[Box]:
    made = Box(tmp_path, stream)
    yield made
    made.outbox.close()


def test_a_clip_cut_off_by_the_power_is_told_with_its_worth_its_boot_and_the_end_of_its_episode(box: Box) -> None:
    box.outbox.put_event(episode_started(100))
    began_ms, began_mono_ms, boot = box.clock.wall_ms(), round(box.clock.mono_ms()), box.clock.boot_id
    box.record(1, ClipClass.ALERT).abandon()
    box.clock.boot_id = ANOTHER_BOOT
    box.clock.step_wall(7_200_000)
    box.handover.bring_back(box.folder)
    _, clip, end = box.told()
    assert isinstance(clip, ClipReady)
    assert clip.truncated
    assert (clip.episode, clip.first_frame_ms) == (an_id(100), began_ms)
    assert (clip.boot_id, clip.first_frame_mono_ms) == (boot, began_mono_ms)
    assert isinstance(end, EpisodeEnded)
    assert (end.episode, end.reason) == (an_id(100), "cut")
    (kept,) = box.outbox.kept_clips()
    assert kept.clip_class is ClipClass.ALERT


def test_a_clip_is_dated_by_the_clock_as_it_stands_when_it_is_told(box: Box) -> None:
    began_ms = box.clock.wall_ms()
    writer = box.record(1)
    box.clock.step_wall(-7_200_000)
    box.handover.clip(writer.finish())
    (clip,) = box.told()
    assert isinstance(clip, ClipReady)
    assert clip.first_frame_ms == began_ms - 7_200_000
    assert 3_900 <= clip.duration_ms <= 4_000


def test_a_clip_that_was_named_and_not_taken_over_is_taken_over_once(box: Box) -> None:
    whole = box.record(1).finish()
    for _ in range(2):
        box.handover.bring_back(box.folder)
    (clip,) = box.told()
    assert isinstance(clip, ClipReady)
    assert (clip.clip, clip.sha256, clip.truncated) == (an_id(1), whole.sha256, False)


def test_a_clip_without_a_picture_goes_and_is_told_by_its_name(box: Box) -> None:
    (box.folder / f"{an_id(7)}.mp4.part").write_bytes(b"")
    box.handover.bring_back(box.folder)
    (loss,) = box.told()
    assert isinstance(loss, DataLost)
    assert (loss.what, loss.clip) == ("clip", an_id(7))
    assert box.files() == []


def test_a_damaged_head_that_names_what_no_reader_takes_stops_nothing(box: Box) -> None:
    box.record(1, camera="no such name!").abandon()
    box.record(2).abandon()
    box.handover.bring_back(box.folder)
    clip, loss = sorted(box.told(), key=lambda body: body.type)
    assert isinstance(clip, ClipReady)
    assert isinstance(loss, DataLost)
    assert (clip.clip, loss.clip) == (an_id(2), an_id(1))
    assert "camera" in loss.reason
    assert box.files() == [f"{an_id(1)}.mp4.broken", f"{an_id(2)}.mp4"]
