import hashlib
import itertools
import json
import resource
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.ring import PacketRing
from edge_agent.recording import boxes
from edge_agent.recording.clip import ClipWriter, describe, read_clip_head
from edge_agent.recording.finished import ClipMeta, FinishedClip
from edge_agent.recording.salvage import salvage
from tests.support import video

META = ClipMeta("box-1", "gate", "episode-1", "clip-1", 1_790_000_000_123)


def _write(path: Path, info: StreamInfo, packets: list[Packet]) -> FinishedClip:
    writer = ClipWriter(path, info, META)
    for packet in packets:
        writer.write(packet)
    return writer.finish()


def _write_all(writer: ClipWriter, packets: list[Packet]) -> None:
    for packet in packets:
        writer.write(packet)


def _layout(path: Path) -> boxes.Layout:
    with path.open("rb") as file:
        return boxes.read_layout(file)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_clip_holds_the_sources_packets_byte_for_byte_at_the_sources_times(
    tmp_path: Path, codec: str, b_frames: int
) -> None:
    source = video.encode(tmp_path / "source.mp4", codec, gop=10, b_frames=b_frames)
    info, packets = video.read(source)
    clip = _write(tmp_path / "clip.mp4", info, packets)
    assert video.samples(clip.path) == video.samples(source)
    assert clip.packets == len(packets) == 40
    assert 3900 < clip.duration_ms <= 4001
    assert (clip.codec, clip.width, clip.height, clip.truncated) == (codec, 64, 48, False)
    assert len(list(video.decoded(clip.path))) == 40


def test_a_finished_clip_tells_its_hash_its_size_and_what_it_is(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4"))
    clip = _write(tmp_path / "clip.mp4", info, packets)
    data = clip.path.read_bytes()
    assert (clip.sha256, clip.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert read_clip_head(clip.path)[0] == META
    assert clip.first_frame_wall_ms == 1_790_000_000_123
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["clip.mp4", "source.mp4"]


def test_a_finished_clip_can_be_described_anew(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4", "hevc", b_frames=2))
    clip = _write(tmp_path / "clip.mp4", info, packets)
    assert describe(clip.path) == clip
    with pytest.raises(ValueError, match=r"^source\.mp4 is no clip of this program: its head cannot be read$"):
        describe(tmp_path / "source.mp4")


def test_a_disk_that_is_full_is_told_and_what_was_synced_can_be_salvaged(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4", stamps_ms=range(0, 8000, 100)))
    writer = ClipWriter(tmp_path / "clip.mp4", info, META)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large"):
            _write_all(writer, packets)
    finally:
        writer.abandon()
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (clip,) = salvage(tmp_path).clips
    assert 0 < clip.packets < len(packets)
    assert len(list(video.decoded(clip.path))) == clip.packets


def test_hevc_carries_the_tag_that_players_accept(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4", "hevc"))
    clip = _write(tmp_path / "clip.mp4", info, packets)
    with av.open(str(clip.path)) as opened:
        assert opened.streams.video[0].codec_tag == "hvc1"


def test_mjpeg_is_copied_too(tmp_path: Path) -> None:
    source = video.encode(tmp_path / "source.avi", "mjpeg", stamps_ms=range(0, 2000, 40))
    info, packets = video.read(source)
    clip = _write(tmp_path / "clip.mp4", info, packets)
    assert [data for data, _ in video.samples(clip.path)] == [packet.data for packet in packets]
    assert all(part.duration >= 0.15 * _layout(clip.path).timescale for part in _layout(clip.path).parts[:-1])


@pytest.mark.parametrize("gop", [1, 3, 12, 25, 400])
def test_parts_last_at_most_a_second_and_the_index_leads_to_key_frames(tmp_path: Path, gop: int) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4", stamps_ms=range(0, 10_000, 40), gop=gop))
    clip = _write(tmp_path / "clip.mp4", info, packets)
    layout = _layout(clip.path)
    assert max(part.duration for part in layout.parts) <= layout.timescale
    assert layout.torn_bytes == 0
    data = clip.path.read_bytes()
    at = data.index(b"sidx")
    count = int.from_bytes(data[at + 26 : at + 28])
    sizes = [int.from_bytes(data[at + 28 + 12 * n : at + 32 + 12 * n]) for n in range(count)]
    starts = [layout.parts[0].offset + total for total in itertools.accumulate([0, *sizes])]
    assert starts[-1] == len(data)
    by_offset = {part.offset: part for part in layout.parts}
    assert all(by_offset[start].starts_with_key for start in starts[:-1])


def test_a_long_clip_still_has_an_index_over_all_of_it(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "s.mp4", stamps_ms=range(0, 600_000, 500), gop=1, size=(16, 16)))
    clip = _write(tmp_path / "clip.mp4", info, packets)
    with av.open(str(clip.path)) as opened:
        assert opened.duration == pytest.approx(600_000_000, rel=1e-3)
    assert len(_layout(clip.path).parts) > 400


def test_a_clip_may_begin_at_any_key_frame_of_a_running_stream(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4", gop=10, b_frames=2))
    start = next(index for index, packet in enumerate(packets) if packet.is_key and index >= 20)
    clip = _write(tmp_path / "clip.mp4", info, packets[start:])
    assert [data for data, _ in video.samples(clip.path)] == [packet.data for packet in packets[start:]]
    assert len(list(video.decoded(clip.path))) == len(packets) - start


def test_a_clip_that_does_not_begin_with_a_key_frame_is_a_mistake(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4"))
    writer = ClipWriter(tmp_path / "clip.mp4", info, META)
    with pytest.raises(ValueError, match="begins with a key frame"):
        writer.write(packets[1])
    writer.abandon()


def test_a_stream_that_mp4_cannot_hold_is_refused_in_words(tmp_path: Path) -> None:
    info = StreamInfo("rawvideo", 64, 48, 25.0, Fraction(1, 1000), b"")
    with pytest.raises(ValueError, match="MP4 cannot hold rawvideo: this stream is looked at, not recorded"):
        ClipWriter(tmp_path / "clip.mp4", info, META)
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4"))
    writer = ClipWriter(tmp_path / "clip.mp4", info, META)
    for packet in packets:
        writer.write(packet)
        assert not (tmp_path / "clip.mp4").exists()
    assert (tmp_path / "clip.mp4.part").stat().st_size > 10_000 - 8192
    writer.finish()
    assert not (tmp_path / "clip.mp4.part").exists()


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe: apt-get install ffmpeg")
def test_ffprobe_reads_the_clip_and_its_time_without_complaint(tmp_path: Path) -> None:
    info, packets = video.read(video.encode(tmp_path / "source.mp4", b_frames=2))
    clip = _write(tmp_path / "clip.mp4", info, packets)
    probe = subprocess.run(
        ["ffprobe", "-v", "warning", "-of", "json", "-show_format", "-count_packets", "-show_streams", str(clip.path)],
        capture_output=True,
        check=True,
    )
    assert probe.stderr == b""
    told = json.loads(probe.stdout)
    assert told["streams"][0]["nb_read_packets"] == "40"
    assert told["format"]["tags"]["vonggac.first_frame_wall_ms"] == "1790000000123"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preroll")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    codec=st.sampled_from(["h264", "hevc"]),
    gop_s=st.sampled_from([0.25, 1, 2, 10, 30]),
    steps_ms=st.lists(st.integers(20, 400), min_size=1, max_size=12),
    b_frames=st.sampled_from([0, 2]),
    preroll_s=st.floats(0, 10),
    trigger=st.floats(0.1, 1.0),
)
def test_the_preroll_holds_for_every_gop_frame_rate_and_codec(
    folder: Path,
    codec: str,
    gop_s: float,
    steps_ms: list[int],
    b_frames: int,
    preroll_s: float,
    trigger: float,
) -> None:
    mean_ms = sum(steps_ms) / len(steps_ms)
    gop = max(1, round(gop_s * 1000 / mean_ms))
    stamps, now = [], 0
    for step in itertools.cycle(steps_ms):
        stamps.append(now)
        now += step
        if now > 1500 * gop_s + 12_000 or len(stamps) >= 500:
            break
    info, packets = video.read(video.encode(folder / "source.mp4", codec, stamps, gop, b_frames))
    began = max(1, round(trigger * len(packets)))
    ring = PacketRing(preroll_s, 64 << 20)
    for packet in packets[:began]:
        ring.append(packet)
    asked_ms = max(packet.mono_ms for packet in packets[:began]) - preroll_s * 1000
    recorded = ring.since(asked_ms) + packets[began:]
    assert recorded[0].is_key
    assert recorded[0].mono_ms <= max(asked_ms, packets[0].mono_ms)
    clip = _write(folder / "clip.mp4", info, recorded)
    written = video.samples(clip.path)
    first = recorded[0].pts
    assert first is not None
    assert [data for data, _ in written] == [packet.data for packet in recorded]
    assert [at for _, at in written] == pytest.approx(
        [float(((packet.pts or 0) - first) * packet.time_base) for packet in recorded], abs=1e-4
    )
    assert len(list(video.decoded(clip.path))) == len(recorded)
