import hashlib
import random
from pathlib import Path

import pytest

from edge_agent.recording import boxes
from edge_agent.recording.clip import ClipWriter
from edge_agent.recording.finished import ClipMeta
from edge_agent.recording.salvage import salvage
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
            assert [path.name for path, _ in found.broken] == ["clip.mp4.broken"]
            (tmp_path / "clip.mp4.broken").unlink()
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


def test_a_clip_that_was_whole_but_not_yet_named_is_whole(unfinished: bytes, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4.part").write_bytes(unfinished)
    (clip,) = salvage(tmp_path).clips
    sealed = clip.path.read_bytes()
    clip.path.rename(tmp_path / "clip.mp4.part")
    (again,) = salvage(tmp_path).clips
    assert again.path.read_bytes() == sealed


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 4096, b"garbage" * 1000, b"\x00\x00\x00\x08moov", b"\x00\x00\x00\x01moof", b"\xff" * 100],
    ids=["empty", "zeros", "garbage", "empty moov", "tiny box", "ones"],
)
def test_a_hopeless_file_is_set_aside_and_told_never_deleted(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4.part").write_bytes(content)
    found = salvage(tmp_path)
    assert found.clips == ()
    ((path, why),) = found.broken
    assert path.read_bytes() == content
    assert path.name == "a.mp4.broken"
    assert why


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
