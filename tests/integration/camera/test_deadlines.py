"""Every wait ends: cameras that answer nothing, half, or no more."""

import http.server
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from edge_agent.camera.reader import Deadlines, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from tests.support.cameras import TcpCamera, Watched, wait_until
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.threads import Stop

_DEADLINES = Deadlines(open_s=1.0, read_s=1.0)


def _silence(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def _describe_then_silence(connection: socket.socket) -> None:
    """An RTSP camera that says OK to everything and then sends no picture."""
    sdp = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
    )
    received = b""
    while chunk := connection.recv(4096):
        received += chunk
        while b"\r\n\r\n" in received:
            request, _, received = received.partition(b"\r\n\r\n")
            number = request.partition(b"CSeq: ")[2].partition(b"\r\n")[0].decode()
            head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n"
            if request.startswith(b"DESCRIBE"):
                head += f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
            elif request.startswith(b"SETUP"):
                head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n"
            else:
                head += "Public: DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n\r\n"
            connection.sendall(head.encode())


def _drip(connection: socket.socket) -> None:
    """One byte of an endless answer every 50 ms."""
    connection.recv(4096)
    while True:
        connection.sendall(b"H")
        time.sleep(0.05)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
@pytest.mark.parametrize("talk", [_silence, _describe_then_silence, _drip])
def test_a_camera_that_answers_nothing_useful_is_left_within_the_open_deadline(
    scheme: str, talk: Callable[[socket.socket], None]
) -> None:
    with TcpCamera(talk) as camera:
        began = time.monotonic()
        with pytest.raises(CameraUnavailable) as told:
            open_reader(
                SourceAddress.parse(f"{scheme}://an:geheim@127.0.0.1:{camera.port}/cam"),
                _DEADLINES,
                SystemClock(),
                Stop(),
            )
        assert time.monotonic() - began < 2.5
    if talk is not _describe_then_silence:
        assert told.value.reason == "timeout"
        assert str(told.value) == (
            f"The camera {scheme}://***@127.0.0.1:{camera.port}/cam did not answer with video within 1 s: "
            "check its network and its power."
        )
    assert "geheim" not in str(told.value)


def test_a_port_that_queues_but_never_accepts_is_left_within_the_open_deadline() -> None:
    with TcpCamera(_silence, accept=False) as camera:
        began = time.monotonic()
        with pytest.raises(CameraUnavailable) as told:
            open_reader(SourceAddress.parse(f"rtsp://127.0.0.1:{camera.port}/cam"), _DEADLINES, SystemClock(), Stop())
        assert time.monotonic() - began < 2.5
        assert told.value.reason == "timeout"


def _jpeg(index: int) -> bytes:
    import cv2
    import numpy as np

    picture = np.full((48, 64, 3), index % 200, np.uint8)
    return bytes(cv2.imencode(".jpg", picture)[1])


def _mjpeg_then(silent_after: int) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cam\r\n\r\n")
        for index in range(silent_after):
            jpeg = _jpeg(index)
            connection.sendall(
                b"--cam\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
            )
            time.sleep(0.04)
        connection.recv(1)

    return talk


def test_mjpeg_over_http_is_stamped_by_its_arrival_and_can_be_recorded() -> None:
    with TcpCamera(_mjpeg_then(1000)) as camera, Watched(f"http://127.0.0.1:{camera.port}/video") as watched:
        wait_until(lambda: len(watched.frames) >= 40, 10, "40 pictures")
        info = watched.infos[0]
        assert (info.codec, info.width, info.height, info.recordable) == ("mjpeg", 64, 48, True)
        assert all(packet.data.startswith(b"\xff\xd8") for packet in watched.packets)
        packets = list(watched.packets)
        stamps = [float((packet.pts or 0) * packet.time_base) * 1000 for packet in packets]
        assert 30 < (stamps[-1] - stamps[-21]) / 20 < 60
        assert watched.frames[-1].bgr().shape == (48, 64, 3)


def test_a_camera_that_stops_in_mid_stream_is_left_within_the_read_deadline_and_tried_again() -> None:
    with (
        TcpCamera(_mjpeg_then(30)) as camera,
        Watched(f"http://127.0.0.1:{camera.port}/video", deadline_s=1.0) as watched,
    ):
        wait_until(lambda: len(watched.packets) >= 10, 10, "pictures")
        wait_until(lambda: camera.connections >= 2, 8, "a second try")
        stats = watched.capture.stats()
        assert stats.last_error == "timeout"
        assert stats.reconnects >= 1
        assert "stopped sending within 1 s" in stats.last_error_text
        wait_until(lambda: len(watched.infos) >= 2, 8, "a new stream")


def test_a_silent_camera_does_not_hold_up_another_one() -> None:
    with (
        TcpCamera(_silence) as silent,
        TcpCamera(_mjpeg_then(2000)) as good,
        Watched(f"rtsp://127.0.0.1:{silent.port}/cam", deadline_s=1.0) as first,
        Watched(f"http://127.0.0.1:{good.port}/video") as second,
    ):
        wait_until(lambda: silent.connections >= 3, 15, "three tries of the silent one")
        moments = [packet.mono_ms for packet in second.packets[5:]]
        assert max(b - a for a, b in itertools.pairwise(moments)) < 400
        assert first.capture.stats().state != "streaming"
        assert second.capture.stats().state == "streaming"


class _Refuses(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, kind, body = {
            "/locked": (401, "text/plain", b"no"),
            "/forbidden": (403, "text/plain", b"no"),
            "/broken": (503, "text/plain", b"no"),
            "/page": (200, "text/html", b"<html>" + b"hello " * 1000),
            "/empty": (200, "video/mp4", b""),
            "/playlist": (200, "application/vnd.apple.mpegurl", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n"),
        }.get(self.path, (404, "text/plain", b"no"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refuses)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "reason", "words"),
    [
        ("locked", "unauthorised", "refuses the user name or password: check both."),
        ("forbidden", "unauthorised", "refuses the user name or password: check both."),
        ("nothing", "refused", "answers, but does not know this path: check the part after the host."),
        ("broken", "refused", "answers with an error of its own: check the path, or restart the camera."),
        ("page", "not_video", "is not a video that can be understood: half-written, or another kind."),
        ("playlist", "not_video", ""),
    ],
)
def test_what_a_web_server_refuses_is_told_apart(web: int, path: str, reason: str, words: str) -> None:
    with pytest.raises(CameraUnavailable) as told:
        open_reader(SourceAddress.parse(f"http://127.0.0.1:{web}/{path}"), _DEADLINES, SystemClock(), Stop())
    assert told.value.reason == reason
    assert str(told.value).endswith(words)


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        ("rtsp://127.0.0.1:1/cam", "refused", "refuses the connection: check the port, and that the service is on."),
        ("rtsp://no-such.invalid/cam", "unreachable", "has a host name that nobody knows: check the spelling, or the DNS."),  # noqa: E501
        ("http://no-such.invalid/cam", "unreachable", "has a host name that nobody knows: check the spelling, or the DNS."),  # noqa: E501
        ("usb:97", "unreachable", "is not there (no /dev/video97): check the plug and the number."),
        ("usb:/dev/null", "not_video", "is a device, but not a camera that gives pictures: try another number."),
        ("/no/such/file.mp4", "unreachable", "does not exist: check the path."),
        ("/tmp", "not_video", "is a folder, not a video file: name a file in it."),
        ("/dev/zero", "not_video", "is not a regular file: name a video file."),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_told_apart(source: str, reason: str, words: str) -> None:
    with pytest.raises(CameraUnavailable) as told:
        open_reader(SourceAddress.parse(source), _DEADLINES, SystemClock(), Stop())
    assert (told.value.reason, str(told.value).endswith(words)) == (reason, True), str(told.value)


def test_the_wish_to_stop_ends_the_wait_between_tries_at_once() -> None:
    watched = Watched("/no/such/file.mp4")
    with watched:
        wait_until(
            lambda: ("unavailable", "The file /no/such/file.mp4 does not exist: check the path.") in watched.states,
            5,
            "told",
        )
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
