import hashlib
import random
from pathlib import Path

import pytest

from edge_agent.recording import boxes
from edge_agent.recording.clip import ClipWriter, read_clip_head, seal
from edge_agent.recording.finished import ClipMeta, Ending
from edge_agent.recording.salvage import BROKEN_KEPT, adopt, salvage
from tests.support import video

META = ClipMeta("box-1", "gate", "episode-1", "clip-1", 1_790_000_000_123)


@pytest.fixture(scope="module", params=["h264", "hevc"])
def unfinished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What stands on the disk in the middle of a recording of 8 s."""
    folder = tmp_path_factory.mktemp("unfinished")
    source = video.encode(folder / "s.mp4", request.param, stamps_ms=range(0, 8000, 100), gop=20, b_frames=2)
    info, packets = video.read(source)
    writer = ClipWriter(folder / "clip.mp4", info, META)
    for packet in packets:
        writer.write(packet)
    data = (folder / "clip.mp4.part").read_bytes()
    writer.abandon()
    return data


def _parts(data: bytes, folder: Path) -> boxes.Layout:
    (folder / "whole").write_bytes(data)
    with (folder / "whole").open("rb") as file:
        layout = boxes.read_layout(file)
    (folder / "whole").unlink()
    return layout


def test_a_small_clip_cut_at_every_single_byte_comes_back_or_goes_with_zeros_or_rubbish_behind_it_too(
    tmp_path: Path,
) -> None:
    source = video.encode(tmp_path / "s.mp4", "h264", stamps_ms=range(0, 3000, 500), gop=2, size=(32, 32))
    info, packets = video.read(source)
    writer = ClipWriter(tmp_path / "clip.mp4", info, META)
    for packet in packets:
        writer.write(packet)
    data = (tmp_path / "clip.mp4.part").read_bytes()
    writer.abandon()
    for path in tmp_path.iterdir():
        path.unlink()
    layout = _parts(data, tmp_path)
    assert len(layout.parts) >= 2
    rubbish = random.Random(3).randbytes(700)
    empty = range(layout.reserve_offset + 16, layout.parts[0].offset - 16)
    for cut in (cut for cut in range(len(data) + 1) if cut not in empty):
        whole = sum(len(part.sample_sizes) for part in layout.parts if part.offset + part.size <= cut)
        tail = (b"", bytes(700), rubbish)[cut % 3]
        (tmp_path / "clip.mp4.part").write_bytes(data[:cut] + tail)
        found = salvage(tmp_path)
        assert sum(clip.packets for clip in found.clips) >= whole, (cut, tail[:1])
        assert len(found.clips) + len(found.broken) == 1
        for clip in found.clips:
            assert clip.truncated
            clip.path.unlink()
        assert list(tmp_path.iterdir()) == [], (cut, tail[:1])


def test_a_file_cut_at_any_byte_plays_to_its_last_whole_part(unfinished: bytes, tmp_path: Path) -> None:
    layout = _parts(unfinished, tmp_path)
    rng = random.Random(7)
    edges = {part.offset + part.size + delta for part in layout.parts for delta in (-1, 0, 1, 7, 8, 9)}
    cuts = sorted({*edges, *(rng.randrange(layout.parts[0].offset, len(unfinished)) for _ in range(25))})
    for cut in cuts:
        if cut > len(unfinished):
            continue
        (tmp_path / "clip.mp4.part").write_bytes(unfinished[:cut])
        found = salvage(tmp_path)
        whole = [part for part in layout.parts if part.offset + part.size <= cut]
        if not whole:
            assert [name for name, _ in found.broken] == ["clip.mp4"]
            assert list(tmp_path.iterdir()) == []
            continue
        (clip,) = found.clips
        assert clip.truncated
        assert clip.reason == "the power or the program failed while it was recorded"
        assert clip.meta == META
        assert clip.packets == sum(len(part.sample_sizes) for part in whole)
        assert clip.sha256 == hashlib.sha256(clip.path.read_bytes()).hexdigest()
        assert clip.size_bytes == clip.path.stat().st_size
        assert len(list(video.decoded(clip.path))) == clip.packets
        clip.path.unlink()
    assert list(tmp_path.iterdir()) == []


def test_a_cut_loses_no_more_than_the_part_that_was_being_written(unfinished: bytes, tmp_path: Path) -> None:
    layout = _parts(unfinished, tmp_path)
    assert max(part.duration for part in layout.parts) <= layout.timescale
    assert sum(part.duration for part in layout.parts) >= 7.0 * layout.timescale


def test_pages_that_never_came_to_disk_are_cut_off(unfinished: bytes, tmp_path: Path) -> None:
    layout = _parts(unfinished, tmp_path)
    last = layout.parts[-1]
    hollow = unfinished[: last.data_offset] + bytes(len(unfinished) - last.data_offset)
    (tmp_path / "clip.mp4.part").write_bytes(hollow)
    (clip,) = salvage(tmp_path).clips
    assert clip.packets == layout.packets - len(last.sample_sizes)


def test_a_sector_in_the_middle_of_a_picture_that_never_came_to_disk_is_noticed(tmp_path: Path) -> None:
    source = video.encode(tmp_path / "s.mp4", "mjpeg", stamps_ms=range(0, 3000, 100), size=(640, 480))
    info, packets = video.read(source)
    writer = ClipWriter(tmp_path / "clip.mp4", info, META)
    for packet in packets:
        writer.write(packet)
    writer.abandon()
    data = (tmp_path / "clip.mp4.part").read_bytes()
    layout = _parts(data, tmp_path)
    part = layout.parts[2]
    hole = -(-(part.data_offset + 16) // 512) * 512
    assert hole + 512 + 16 < part.data_offset + part.sample_sizes[0], "the picture is too small for this test"
    (tmp_path / "clip.mp4.part").write_bytes(data[:hole] + bytes(512) + data[hole + 512 :])
    (clip,) = salvage(tmp_path).clips
    assert clip.packets == sum(len(each.sample_sizes) for each in layout.parts[:2])


def test_a_clip_that_was_sealed_but_not_yet_named_or_taken_over_is_as_it_was_sealed(
    unfinished: bytes, tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4.part").write_bytes(unfinished)
    ending = Ending(truncated=True, reason="máy ảnh mất kết nối")
    meta, info = read_clip_head(tmp_path / "clip.mp4.part")
    sealed = seal(tmp_path / "clip.mp4.part", tmp_path / "clip.mp4", meta, info, ending)
    assert (sealed.truncated, sealed.reason) == (True, "máy ảnh mất kết nối")
    assert adopt([sealed.path]).clips == (sealed,)
    sealed.path.rename(tmp_path / "clip.mp4.part")
    assert salvage(tmp_path).clips == (sealed,)


@pytest.mark.parametrize("lost", ["a byte", "a whole part"])
def test_a_sealed_clip_that_lost_its_tail_is_cut_and_says_so(unfinished: bytes, tmp_path: Path, lost: str) -> None:
    (tmp_path / "clip.mp4.part").write_bytes(unfinished)
    meta, info = read_clip_head(tmp_path / "clip.mp4.part")
    whole = seal(tmp_path / "clip.mp4.part", tmp_path / "clip.mp4", meta, info, Ending())
    data = whole.path.read_bytes()
    end = len(data) - 1 if lost == "a byte" else _parts(data, tmp_path).parts[-1].offset
    (tmp_path / "clip.mp4.part").write_bytes(data[:end])
    whole.path.unlink()
    (clip,) = salvage(tmp_path).clips
    assert clip.truncated
    assert clip.packets < whole.packets
    assert clip.path.stat().st_size == clip.size_bytes


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 4096, b"garbage" * 1000, b"\x00\x00\x00\x08moov", b"\xff" * 100],
    ids=["empty", "zeros", "garbage", "empty moov", "ones"],
)
def test_a_file_that_never_held_a_picture_goes_and_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4.part").write_bytes(content)
    found = salvage(tmp_path)
    assert found.clips == ()
    ((name, why),) = found.broken
    assert name == "a.mp4"
    assert why
    assert list(tmp_path.iterdir()) == []


def test_pictures_behind_a_head_that_cannot_be_read_are_set_aside_and_told_a_few_at_most(
    unfinished: bytes, tmp_path: Path
) -> None:
    head = _parts(unfinished, tmp_path).reserve_offset
    headless = bytes(head) + unfinished[head:]
    for number in range(BROKEN_KEPT + 2):
        (tmp_path / f"{number}.mp4.part").write_bytes(headless)
    found = salvage(tmp_path)
    assert [name for name, _ in found.broken] == [f"{number}.mp4" for number in range(BROKEN_KEPT + 2)]
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == [f"{number}.mp4.broken" for number in range(2, BROKEN_KEPT + 2)]
    assert all(path.read_bytes() == headless for path in kept)


def test_a_file_with_flipped_bytes_never_crashes_the_salvage(unfinished: bytes, tmp_path: Path) -> None:
    rng = random.Random(11)
    for _ in range(60):
        damaged = bytearray(unfinished)
        for _ in range(rng.randrange(1, 40)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / "clip.mp4.part").write_bytes(damaged)
        found = salvage(tmp_path)
        assert len(found.clips) + len(found.broken) == 1
        for path in tmp_path.iterdir():
            path.unlink()


def test_a_head_that_is_mutated_never_crashes_the_salvage(unfinished: bytes, tmp_path: Path) -> None:
    rng = random.Random(13)
    head = _parts(unfinished, tmp_path).reserve_offset
    for _ in range(60):
        damaged = bytearray(unfinished)
        damaged[rng.randrange(head)] = rng.randrange(256)
        (tmp_path / "clip.mp4.part").write_bytes(damaged)
        found = salvage(tmp_path)
        assert len(found.clips) + len(found.broken) == 1
        for path in tmp_path.iterdir():
            path.unlink()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert salvage(tmp_path / "none").clips == ()


def test_finished_clips_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "done.mp4").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"y")
    assert salvage(tmp_path) == type(salvage(tmp_path))((), ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["done.mp4", "notes.txt"]
