"""A real RTSP server: stream, sign-in, kill and return."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.camera.feed import DemuxerFeed, RtspFeed, open_feed
from edge_agent.camera.reader import Deadlines, open_reader, stream_header
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.recording.clip import ClipWriter
from edge_agent.recording.finished import ClipMeta
from tests.support import rtsp_server, video
from tests.support.cameras import Watched, wait_until
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.threads import Stop

_MISSING = rtsp_server.missing()
pytestmark = [pytest.mark.rtsp, pytest.mark.skipif(bool(_MISSING), reason=_MISSING)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rtsp")


@pytest.fixture(scope="module")
def street(folder: Path) -> Path:
    return video.encode(folder / "h264.mp4", stamps_ms=range(0, 60_000, 50), gop=20, size=(160, 120))


@pytest.fixture
def server(street: Path) -> Iterator[rtsp_server.RtspServer]:
    with rtsp_server.RtspServer(street) as running:
        yield running


@pytest.mark.parametrize(("codec", "b_frames"), [("h264", 0), ("h264", 2), ("hevc", 0), ("hevc", 2)])
def test_what_comes_over_rtsp_decodes_and_records(folder: Path, codec: str, b_frames: int) -> None:
    source = video.encode(
        folder / f"{codec}{b_frames}.mp4", codec, range(0, 20_000, 50), gop=20, b_frames=b_frames, size=(160, 120)
    )
    number = {"h264": "h264", "hevc": "h265"}[codec]
    with rtsp_server.RtspServer(source, number) as running, Watched(running.url) as watched:
        wait_until(lambda: len(watched.frames) >= 40, 10, "40 pictures")
        packets = list(watched.packets)
        moments = [frame.mono_ms for frame in watched.frames[15:40]]
        info = watched.infos[0]
        assert watched.capture.stats().discontinuities == 0
    assert (info.codec, info.width, info.height, info.recordable) == (codec, 160, 120, True)
    steps = [b - a for a, b in itertools.pairwise(moments)]
    assert min(steps) > 25
    assert max(steps) < 75
    writer = ClipWriter(folder / f"clip-{codec}{b_frames}.mp4", info, ClipMeta("b", "c", "e", "c", 0))
    for packet in packets:
        writer.write(packet)
    clip = writer.finish()
    written = [_slices(codec, _prefixed(data)) for data, _ in video.samples(clip.path)]
    assert written == [_slices(codec, _started(packet.data)) for packet in packets]
    sent = [_slices(codec, _prefixed(data)) for data, _ in video.samples(source)]
    assert written == sent[: len(written)]
    assert clip.packets == len(packets)
    assert len(list(video.decoded(clip.path))) == len(packets)
    clip.path.unlink()


def test_key_frames_that_a_server_cuts_in_pieces_are_joined_again(folder: Path) -> None:
    source = video.encode(folder / "slices.mp4", "h264", range(0, 20_000, 50), gop=10, size=(160, 128), slices=4)
    whole = [_slices("h264", _prefixed(data)) for data, _ in video.samples(source)]
    assert len(whole[0]) == 4
    with rtsp_server.RtspServer(source, "h264") as running, Watched(running.url) as watched:
        wait_until(lambda: len(watched.packets) >= 45, 10, "45 packets")
        packets = list(watched.packets)
        assert watched.capture.stats().decode_errors == 0
    assert [packet.is_key for packet in packets[:41:10]] == [True] * 5
    assert [_slices("h264", _started(packet.data)) for packet in packets] == whole[: len(packets)]


def _started(data: bytes) -> list[bytes]:
    """The units of a packet with start codes."""
    return [unit for unit in re.split(b"\0\0\0\1|\0\0\1", data) if unit]


def _prefixed(data: bytes) -> list[bytes]:
    """The units of a packet with lengths."""
    units, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        units.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return units


def _slices(codec: str, units: list[bytes]) -> list[bytes]:
    """The pictures themselves, without what the way adds or takes (delimiters, repeated parameter sets)."""
    if codec == "h264":
        return [unit for unit in units if unit[0] & 0x1F in (1, 5)]
    return [unit for unit in units if unit[0] >> 1 & 0x3F < 32]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_our_own_client_and_ffmpegs_bring_the_same(folder: Path, codec: str) -> None:
    source = video.encode(folder / f"same-{codec}.mp4", codec, range(0, 3000, 50), gop=10, size=(320, 240))
    address_of = {True: RtspFeed, False: DemuxerFeed}
    told = {}
    with rtsp_server.RtspServer(source, {"h264": "h264", "hevc": "h265"}[codec]) as running:
        for ordinary, kind in address_of.items():
            stop = Stop()
            feed = open_feed(SourceAddress.parse(running.url), Deadlines(5, 5), stop, ordinary=ordinary)
            assert isinstance(feed, kind)
            units = list(itertools.islice(feed.units(), 50))
            first = units[0].pts or 0
            context = feed.stream.codec_context
            told[ordinary] = (
                (context.name, context.width, context.height, feed.time_base, bool(stream_header(feed.stream))),
                [
                    (_slices(codec, _started(unit.data)), unit.is_key, (unit.pts or 0) - first, unit.dts == unit.pts)
                    for unit in units
                ],
            )
            feed.close()
    assert told[True] == told[False]
    assert any(is_key for _, is_key, _, _ in told[True][1])


def test_the_end_that_a_camera_tells_is_heard(folder: Path) -> None:
    source = video.encode(folder / "short.mp4", "h264", range(0, 1500, 50), gop=10, size=(160, 120))
    with rtsp_server.RtspServer(source) as running:
        feed = open_feed(SourceAddress.parse(running.url), Deadlines(5, 5), Stop())
        assert isinstance(feed, RtspFeed)
        assert len(list(feed.units())) == 30
        feed.close()


@pytest.mark.parametrize("auth", ["digest", "basic"])
def test_a_password_with_signs_of_its_own_opens_and_a_wrong_one_is_told(street: Path, auth: str) -> None:
    with rtsp_server.RtspServer(street, user="an", password="p@ss/w:rd%", auth=auth) as running:
        clock, stop = SystemClock(), Stop()
        right = SourceAddress.parse(running.url, "an", "p@ss/w:rd%")
        open_reader(right, Deadlines(5, 5), clock, stop).close()
        for address in (SourceAddress.parse(running.url, "an", "geheim"), SourceAddress.parse(running.url)):
            with pytest.raises(CameraUnavailable, match=r"refuses the user name or password: check both\.$") as told:
                open_reader(address, Deadlines(5, 5), clock, stop)
            assert told.value.reason == "unauthorised"
            assert "geheim" not in str(told.value)


def test_a_wrong_path_is_told(server: rtsp_server.RtspServer) -> None:
    address = SourceAddress.parse(server.url.replace("/cam", "/other"))
    with pytest.raises(CameraUnavailable, match=r"does not know this path: check the part after the host\.$"):
        open_reader(address, Deadlines(5, 5), SystemClock(), Stop())


def test_frames_flow_again_after_the_server_was_killed_and_another_camera_misses_nothing(
    server: rtsp_server.RtspServer, street: Path
) -> None:
    with rtsp_server.RtspServer(street) as other, Watched(server.url) as watched, Watched(other.url) as beside:
        wait_until(lambda: len(watched.frames) > 20 and len(beside.frames) > 20, 10, "both stream")
        server.kill()
        wait_until(lambda: watched.capture.stats().state == "unavailable", 5, "the loss is noticed")
        server.start()
        frames = len(watched.frames)
        took_s = wait_until(lambda: len(watched.frames) > frames, 15, "frames flow again")
        assert took_s <= 15
        stats = watched.capture.stats()
        assert stats.reconnects == 1
        assert len(watched.infos) == 2
        steady = [packet.pts for packet in beside.packets[2:] if packet.pts is not None]
        assert {b - a for a, b in itertools.pairwise(steady)} == {4500}
        assert beside.capture.stats().reconnects == 0
