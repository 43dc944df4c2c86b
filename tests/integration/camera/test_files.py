"""A file as a camera, and files that are none."""

import itertools
import random
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from edge_agent.camera.feed import DemuxerFeed
from edge_agent.camera.packets import Packet
from edge_agent.camera.reader import Deadlines, Reader, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from tests.support import video
from tests.support.cameras import Watched, wait_until
from tests.support.clock import FakeClock


class TurnedClock(FakeClock):
    """A clock that a reader's own waiting turns: a file plays in no time."""

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float | None) -> bool:
        self.advance((seconds or 0.0) * 1000)
        return False


def _open(path: Path | str) -> Reader:
    clock = TurnedClock(mono_ms=50_000.0)
    return open_reader(SourceAddress.parse(str(path)), Deadlines(), clock, clock)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_file_plays_in_real_time_byte_for_byte_and_then_ends(tmp_path: Path, codec: str) -> None:
    stamps = [0, 30, 100, 400, 420, 1000, 1050, 2000]
    source = video.encode(tmp_path / "s.mp4", codec, stamps, gop=4)
    reader = _open(source)
    packets, frames = [], []
    stream = reader.packets()
    for _ in stamps:
        packet = next(stream)
        packets.append(packet)
        frames += reader.decode(packet)
    with pytest.raises(CameraUnavailable) as ended:
        next(stream)
    assert ended.value.reason == "ended"
    assert [packet.data for packet in packets] == [data for data, _ in video.samples(source)]
    assert [round(packet.mono_ms) for packet in packets] == [50_000 + at for at in stamps]
    assert [round(frame.mono_ms) for frame in frames] == [50_000 + at for at in stamps][: len(frames)]


def test_taking_a_large_picture_apart_is_not_taken_for_a_wait_for_it(tmp_path: Path) -> None:
    large = tmp_path / "large.nut"
    with av.open(str(large), "w") as output:
        stream = output.add_stream("rawvideo", rate=25, width=3840, height=2160, pix_fmt="yuv420p")
        for _ in range(12):
            output.mux(stream.encode(av.VideoFrame(3840, 2160, "yuv420p")))
    address, clock = SourceAddress.parse(str(large)), TurnedClock()
    feed = DemuxerFeed(address, Deadlines(), clock)
    waited = [feed.caught_up for _ in feed.units()]
    feed.close()
    assert len(waited) == 12
    assert sum(waited) < 6


def test_a_looped_file_goes_on_without_a_step_in_time(tmp_path: Path) -> None:
    source = video.encode(tmp_path / "s.mp4", stamps_ms=range(0, 2000, 100), gop=10, b_frames=2)
    reader = _open(f"{source}?loop=1")
    packets = _first(reader, 70)
    once = [data for data, _ in video.samples(source)]
    assert [packet.data for packet in packets] == (once * 4)[:70]
    stamps = [packet.dts for packet in packets if packet.dts is not None]
    assert stamps == sorted(set(stamps))
    shown = sorted(packet.mono_ms for packet in packets[:60])
    steps = [b - a for a, b in itertools.pairwise(shown)]
    assert max(steps) < 210
    assert reader.jumps == 0
    reader.close()


def test_the_last_pictures_of_a_file_are_looked_at_though_the_codec_reorders(tmp_path: Path) -> None:
    source = video.encode(tmp_path / "s.mp4", stamps_ms=range(0, 1000, 100), gop=5, b_frames=2)
    with Watched(str(source)) as watched:
        wait_until(lambda: watched.capture.stats().state == "unavailable", 5, "the end")
        assert len(watched.frames) == 10
    reader = _open(f"{source}?loop=1")
    looked = (frame for packet in itertools.islice(reader.packets(), 25) for frame in reader.decode(packet))
    seen = [round(frame.mono_ms) for frame in looked]
    assert {b - a for a, b in itertools.pairwise(seen)} == {100, 40}  # 40: what this file says of its last picture
    assert len(seen) > 20
    reader.close()


def test_pictures_of_a_file_that_stamps_them_in_order_of_decoding_come_at_their_own_times(tmp_path: Path) -> None:
    """AVI says only when a packet is decoded: a reordering codec's pictures are shown in that order of times all the
    same."""
    source = video.encode(tmp_path / "s.avi", stamps_ms=range(0, 2000, 40), gop=10, b_frames=2)
    reader = _open(source)
    seen = [frame.mono_ms for packet in _first(reader, 50) for frame in reader.decode(packet)]
    seen += [frame.mono_ms for frame in reader.flush()]
    reader.close()
    steps = [round(b - a) for a, b in itertools.pairwise(seen)]
    assert len(seen) == 50
    assert set(steps[5:-1]) == {40}, steps  # the last packet has a stamp that FFmpeg guesses
    assert round(seen[-2] - seen[0]) == 48 * 40


def test_luma_is_a_view_of_the_right_size_whatever_the_width(tmp_path: Path) -> None:
    for size in ((64, 48), (50, 38), (322, 242)):
        reader = _open(video.encode(tmp_path / "s.mp4", stamps_ms=(0, 100), size=size))
        (frame, *_) = [frame for packet in _first(reader, 1) for frame in reader.decode(packet)]
        assert frame.luma.shape == (size[1], size[0])
        assert frame.luma.dtype == np.uint8
        assert not frame.luma.flags.owndata
        assert frame.bgr().shape == (size[1], size[0], 3)
        assert abs(int(frame.luma[4, 4]) - 220) < 12
        reader.close()


def _first(reader: Reader, count: int) -> "list[tuple[Packet, av.Packet[VideoStream]]]":
    return list(itertools.islice(reader.packets(), count))


def test_a_file_of_sound_alone_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
    with pytest.raises(CameraUnavailable, match=r"holds sound but no video\.$") as told:
        _open(path)
    assert told.value.reason == "not_video"


def test_hostile_files_are_refused_and_never_crash(tmp_path: Path) -> None:
    good = video.encode(tmp_path / "good.mp4").read_bytes()
    rng = random.Random(5)
    hostile = [rng.randbytes(size) for size in (1, 100, 10_000)]
    hostile += [good[:cut] for cut in (8, 40, len(good) // 2, len(good) - 100)]
    hostile += [b"\x00" * 5000, b"#EXTM3U\n/etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n"]
    for content in hostile:
        path = tmp_path / "hostile.mp4"
        path.write_bytes(content)
        told = _play(path)
        assert told.reason in ("not_video", "ended"), content[:40]
        assert str(told).startswith(f"The file {path}")
    for _ in range(40):
        damaged = bytearray(good)
        for _ in range(20):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        assert _play(path).reason in ("not_video", "ended", "changed")


def _play(path: Path) -> CameraUnavailable:
    """Play to the end, whatever it is, looking at every picture that can be decoded."""
    try:
        reader = _open(path)
        for packet in reader.packets():
            with suppress(CameraUnavailable):
                reader.decode(packet)
    except CameraUnavailable as told:
        return told
    raise AssertionError("a file ends by saying so")


def test_an_empty_file_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(CameraUnavailable, match=r"is empty: was it copied to its end\?\.?$"):
        _open(tmp_path / "a.mp4")


def test_a_capture_counts_what_it_sees_and_rests_when_the_file_ends(tmp_path: Path) -> None:
    source = video.encode(tmp_path / "s.mp4", stamps_ms=range(0, 1500, 50), gop=10)
    with Watched(str(source)) as watched:
        wait_until(lambda: len(watched.frames) >= 20, 5, "20 pictures")
        stats = watched.capture.stats()
        assert stats.state == "streaming"
        assert stats.fps_in == pytest.approx(20, rel=0.15)
        assert stats.bitrate_in_bps is not None
        wait_until(lambda: watched.capture.stats().state == "unavailable", 5, "the end")
        stats = watched.capture.stats()
        assert (stats.last_error, stats.packets, stats.frames_decoded, stats.drops) == ("ended", 30, 30, 0)
        assert stats.fps_in is None
        assert stats.last_frame_mono_ms is not None
        assert [state for state, _ in watched.states] == ["connecting", "streaming", "unavailable"]


def test_a_capture_that_only_copies_decodes_nothing(tmp_path: Path) -> None:
    source = video.encode(tmp_path / "s.mp4", stamps_ms=range(0, 1000, 50))
    with Watched(str(source), look=False) as watched:
        wait_until(lambda: len(watched.packets) == 20, 5, "all packets")
        stats = watched.capture.stats()
        assert (stats.frames_decoded, stats.last_frame_mono_ms) == (0, None)
