"""Our RTSP client against a server that says what the test wants, in pieces of any size."""

import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable

import pytest

from edge_agent.camera.feed import RtspFeed, open_feed
from edge_agent.camera.reader import Deadlines
from edge_agent.camera.rtp import Unfamiliar
from edge_agent.camera.rtsp import RtspSession
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable, NeedsDemuxer
from tests.support import rtp, video
from tests.support.cameras import TcpCamera
from vonggac.daemon.threads import Stop

_START = b"\0\0\0\1"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    """The units of each picture; parameter sets stand before the key frames only."""
    path = tmp_path_factory.mktemp("client") / "a.h264"
    video.encode(path, stamps_ms=range(0, 4000, 100), gop=10, size=(160, 128), slices=3, container="h264")
    found: list[list[bytes]] = [[]]
    for unit in (piece.rstrip(b"\0") for piece in path.read_bytes().split(b"\0\0\1")[1:]):
        kind = unit[0] & 0x1F
        begins = kind == 7 or (kind == 1 and unit[1] & 0x80 > 0)
        if begins and any(one[0] & 0x1F in (1, 5) for one in found[-1]):
            found.append([])
        if kind != 6:
            found[-1].append(unit)
    return found


class Server:
    """Answers as cameras do, and then sends `pieces`, with pauses between them."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        transport: str = "interleaved=2-3",
        session: str = "77;timeout=3",
        pause_s: float = 0.0,
        before: bytes = b"",
    ) -> None:
        self._before = before
        self._pieces = pieces
        self._transport = transport
        self._session = session
        self._pause_s = pause_s
        self.asked: list[str] = []
        self.talks = threading.Event()

    def talk(self, connection: socket.socket) -> None:
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
            while b"\r\n\r\n" in received:
                request, _, received = received.partition(b"\r\n\r\n")
                self.asked.append(request.decode("latin-1"))
                self._answer(connection, self.asked[-1])
                if request.startswith(b"PLAY"):
                    threading.Thread(target=self._send, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket, request: str) -> None:
        number = request.partition("CSeq: ")[2].partition("\r\n")[0]
        head, body = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n", ""
        if request.startswith("OPTIONS"):
            head += "Public: OPTIONS, DESCRIBE, GET_PARAMETER, PLAY\r\n"
        elif request.startswith("DESCRIBE"):
            body = "v=0\r\ns=x\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:video\r\n"
            head += f"Content-Base: rtsp://camera.invalid/base/\r\nContent-Length: {len(body)}\r\n"
        elif request.startswith("SETUP"):
            head += f"Transport: RTP/AVP/TCP;unicast;{self._transport}\r\nSession: {self._session}\r\n"
        connection.sendall(self._before + f"{head}\r\n{body}".encode())

    def _send(self, connection: socket.socket) -> None:
        try:
            for piece in self._pieces:
                connection.sendall(piece)
                if self._pause_s and self.talks.wait(self._pause_s):
                    return
            self.talks.wait(10)
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _framed(packets: list[bytes], between: Callable[[int], bytes] = lambda _: b"") -> list[bytes]:
    return [between(index) + b"$\x02" + len(packet).to_bytes(2, "big") + packet for index, packet in enumerate(packets)]


def _packets(pictures: list[list[bytes]], rng: random.Random) -> list[bytes]:
    return list(rtp.packets("h264", pictures, [9000 * index for index in range(len(pictures))], rng))


def _between(index: int) -> bytes:
    """What servers put between packets: answers to keep-alives, requests of their own, reports, sound, garbage."""
    return (
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\nabc",
        b"ANNOUNCE rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        b"$\x03\x00\x08\x80\xc8\x00\x01\0\0\0\0",
        b"$\x04\x00\x02ab",
        b"\0\r\n",
        b"",
    )[index % 6]


@pytest.mark.parametrize("piece", [1, 97, 1500, 1 << 20])
def test_pictures_arrive_whole_whatever_the_network_makes_of_the_connection(
    pictures: list[list[bytes]], piece: int
) -> None:
    stream = b"".join(_framed(_packets(pictures, random.Random(piece)), between=_between))
    server = Server([stream[at : at + piece] for at in range(0, len(stream), piece)])
    server.talks.set()
    with TcpCamera(server.talk) as camera:
        address = SourceAddress.parse(f"rtsp://an:geheim@127.0.0.1:{camera.port}/cam?channel=1")
        feed = open_feed(address, Deadlines(5, 5), Stop())
        assert isinstance(feed, RtspFeed)
        units = list(feed.units())
        feed.close()
    assert [unit.data for unit in units] == [b"".join(_START + one for one in picture) for picture in pictures]
    assert [unit.pts for unit in units] == [9000 * index for index in range(len(pictures))]
    assert (feed.stream.codec_context.width, feed.stream.codec_context.height) == (160, 128)
    lines = [request.split("\r\n")[0] for request in server.asked]
    where = f"rtsp://127.0.0.1:{camera.port}/cam?channel=1"
    assert lines[:4] == [
        f"OPTIONS {where} RTSP/1.0",
        f"DESCRIBE {where} RTSP/1.0",
        "SETUP rtsp://camera.invalid/base/video RTSP/1.0",
        "PLAY rtsp://camera.invalid/base/ RTSP/1.0",
    ]
    assert "Session: 77" in server.asked[3].split("\r\n")
    assert "geheim" not in "".join(server.asked)


def test_the_session_is_kept_alive(pictures: list[list[bytes]]) -> None:
    server = Server(_framed(_packets(pictures, random.Random(1))), pause_s=0.01)
    with TcpCamera(server.talk) as camera:
        feed = open_feed(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), Deadlines(5, 5), Stop())
        for _ in feed.units():
            if any(request.startswith("GET_PARAMETER") for request in server.asked):
                break
        feed.close()
        server.talks.set()
    assert any(request.startswith("GET_PARAMETER rtsp://camera.invalid/base/ ") for request in server.asked)


def test_a_camera_of_one_picture_now_and_then_is_opened_by_its_first(pictures: list[list[bytes]]) -> None:
    first = _framed(_packets(pictures[:1], random.Random(1)))
    second = _framed([rtp.packet(pictures[1][-1], 9, 270_000, marker=True)])
    server = Server([b"".join(first), *second], pause_s=2.0)
    with TcpCamera(server.talk) as camera:
        began = time.monotonic()
        feed = open_feed(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), Deadlines(5, 5), Stop())
        assert time.monotonic() - began < 1.5
        assert isinstance(feed, RtspFeed)
        assert [unit.pts for unit in itertools.islice(feed.units(), 2)] == [0, 270_000]
        feed.close()
        server.talks.set()


def test_what_is_not_ordinary_is_left_to_ffmpeg_at_once_or_when_it_shows(pictures: list[list[bytes]]) -> None:
    server = Server([], transport="client_port=5000-5001")
    with TcpCamera(server.talk) as camera, pytest.raises(CameraUnavailable):
        open_feed(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), Deadlines(1, 1), Stop())
    assert any("User-Agent: VongGac" in request and request.startswith("SETUP") for request in server.asked)
    assert camera.connections == 2, "ours, then FFmpeg's"
    late = rtp.packet(pictures[1][0], 9999, 9000 * (len(pictures) - 2), marker=True)
    server = Server(_framed([*_packets(pictures, random.Random(1)), late]), pause_s=0.01)
    with TcpCamera(server.talk) as camera:
        feed = open_feed(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), Deadlines(5, 5), Stop())
        with pytest.raises(NeedsDemuxer):
            list(feed.units())
        server.talks.set()


@pytest.mark.parametrize(
    ("transport", "session"),
    [
        ("interleaved=0/1", "77"),
        ("interleaved=" + "9" * 5000, "77"),
        ("interleaved=0-1", "77;timeout=" + "9" * 400),
        ("interleaved=0-1", "77;timeout=" + "9" * 5000),
        ("interleaved=0-1", "77\r\nContent-Length: " + "9" * 5000),
    ],
    ids=["no number", "a long channel", "a long wait", "a longer wait", "a long body"],
)
def test_a_number_that_is_none_is_left_to_ffmpeg(transport: str, session: str) -> None:
    server = Server([], transport=transport, session=session)
    with TcpCamera(server.talk) as camera, pytest.raises(Unfamiliar):
        RtspSession(f"rtsp://127.0.0.1:{camera.port}/cam", 5, 5, Stop())


def test_packets_that_nobody_asked_for_are_passed_over(pictures: list[list[bytes]]) -> None:
    packet = _packets(pictures, random.Random(1))[0]
    server = Server(
        _framed(_packets(pictures, random.Random(1))),
        before=b"".join(bytes((0x24, channel)) + len(packet).to_bytes(2, "big") + packet for channel in (0, 1, 255)),
    )
    server.talks.set()
    with TcpCamera(server.talk) as camera:
        feed = RtspFeed(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), Deadlines(5, 5), Stop())
        assert len(list(feed.units())) == len(pictures)
        feed.close()


def test_a_camera_is_not_held_up_while_packets_gather() -> None:
    sent = threading.Event()

    def loud() -> Iterable[bytes]:
        yield bytes(1_000_000)
        sent.set()

    server = Server(loud())

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        server.talk(connection)

    with TcpCamera(talk) as camera:
        session = RtspSession(f"rtsp://127.0.0.1:{camera.port}/cam", 5, 5, Stop())
        assert sent.wait(2), "what a loud second holds finds room though nobody reads"
        server.talks.set()
        session.close()


def test_a_camera_that_sends_on_and_on_and_no_picture_is_given_up() -> None:
    server = Server(itertools.repeat(b"$\x04\x00\x02ab" * 1000))
    with TcpCamera(server.talk) as camera:
        session = RtspSession(f"rtsp://127.0.0.1:{camera.port}/cam", 5, 0.4, Stop())
        with pytest.raises(TimeoutError):
            next(session.pictures())
        session.close()


def test_a_camera_that_falls_silent_and_the_wish_to_stop_end_the_wait(pictures: list[list[bytes]]) -> None:
    server = Server(_framed(_packets(pictures, random.Random(1))))
    with TcpCamera(server.talk) as camera:
        stop = Stop()
        feed = open_feed(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), Deadlines(5, 0.6), stop)
        with pytest.raises(CameraUnavailable, match="stopped sending within"):
            list(feed.units())
        feed.close()
        feed = open_feed(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), Deadlines(5, 30), stop)
        threading.Timer(0.2, stop.set, ("test",)).start()
        assert len(list(feed.units())) == len(pictures)
        feed.close()
        server.talks.set()
