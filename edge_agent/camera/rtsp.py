"""An RTSP client for the ordinary camera: H.264 or H.265 over one TCP connection, read in large pieces.

FFmpeg's own client makes six system calls for each RTP packet, and a camera sends hundreds a second; this one makes one
for all that has gathered in the socket. Rules: every wait ends (deadlines, or the wish to stop); it asks for the first
video and nothing else; whatever it does not know, a number that is none too, is `Unfamiliar`, and then FFmpeg's client
is used (see feed.py).

Sources: RFC 2326 (10.12: packets within the connection), RFC 3550 6.6 (the end that RTCP tells).
"""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from edge_agent.camera.rtp import CodedPicture, Depacketizer, Unfamiliar
from edge_agent.camera.rtsp_sign_in import SignIn
from edge_agent.camera.sdp import VideoOffer, first_video

_PORT = 554
_BUFFER_BYTES = 1 << 18
_SLICE_S = 0.5  # in a wait, the wish to stop is noticed so late at most
_SHORTEST_S = 0.001
_KEEP_ALIVE_S = 20.0
_FAREWELL_S = 0.5
_DOLLAR = 0x24
_BYE = 203
_MOST_DIGITS = 9
_ROOM_BYTES = 2 << 20
_NO_CHANNEL = 256  # none was agreed on yet: what comes on any is passed over
_EMPTY_REPORT = bytes((_DOLLAR, 1, 0, 8, 0x80, 201, 0, 1, 0, 0, 0, 0))


class SignInRefused(Exception):
    """The camera wants another user name or password."""


class Stopping(Protocol):
    """The wish to end."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str:
        return self.headers.get(name, [""])[0]


class RtspSession:
    """One connection that plays. Raises OSError (TimeoutError where a deadline passed), SignInRefused, Unfamiliar.

    `caught_up`: nothing lies behind the last picture, here or in the socket.
    """

    def __init__(self, url: str, open_s: float, read_s: float, stop: Stopping) -> None:
        """Connect, sign in and ask for the first video. `url` is rtsp://, perhaps with user and password."""
        parts = urlsplit(url)
        if parts.scheme.lower() != "rtsp" or not parts.hostname:
            raise Unfamiliar(parts.scheme)
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._sign_in = SignIn(unquote(parts.username or ""), unquote(parts.password or ""))
        self._stop = stop
        self._read_s = read_s
        self.expect(open_s)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._at = self._end = 0
        self._answer: _Answer | None = None
        self._pictures: list[CodedPicture] = []
        self._number = 0
        self._channel = _NO_CHANNEL
        self._session = ""
        self._over = False
        self._drained = False
        self.caught_up = False
        self._socket = socket.create_connection((parts.hostname, parts.port or _PORT), open_s)
        self._timeout_s = open_s
        _make_room(self._socket)
        try:
            self.offer = self._begin()
        except BaseException:
            self._socket.close()
            raise

    def _begin(self) -> VideoOffer:
        """OPTIONS, DESCRIBE, SETUP, PLAY."""
        options = self._ask("OPTIONS", self._url)
        self._keep_alive = "GET_PARAMETER" if "GET_PARAMETER" in options.header("public") else "OPTIONS"
        described = self._ask("DESCRIBE", self._url, Accept="application/sdp")
        offer = first_video(described.body.decode("utf-8", "replace"))
        base = described.header("content-base") or described.header("content-location") or self._url
        if "://" in offer.session_control:
            base = offer.session_control
        track = offer.control
        if "://" not in track:
            track = f"{base.rstrip('/')}/{track}" if track not in ("", "*") else base
        self._depacketizer = Depacketizer(offer.codec)
        setup = self._ask("SETUP", track, Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        transport = setup.header("transport").lower()
        _, told, channels = transport.partition("interleaved=")
        if not told:
            raise Unfamiliar("no packets within the connection")
        self._channel = _number(channels.partition(";")[0].partition("-")[0])
        self._session, _, timeout = setup.header("session").partition(";timeout=")
        self._session = self._session.partition(";")[0].strip()
        self._control = base
        seconds = _number(timeout) if timeout.strip().isdecimal() else 60
        self._keep_alive_s = min(_KEEP_ALIVE_S, max(1.0, seconds / 3))
        self._ask("PLAY", base, Range="npt=0.000-")
        self._keep_alive_at = time.monotonic() + self._keep_alive_s
        return offer

    def close(self) -> None:
        """Say good-bye and hang up; a camera that does not listen any more is left."""
        with suppress(OSError):
            self._socket.settimeout(_FAREWELL_S)
            self._send("TEARDOWN", self._control)
        self._socket.close()

    def expect(self, seconds: float) -> None:
        """The next picture has to come within so long."""
        self._deadline = time.monotonic() + seconds

    def pictures(self) -> Iterator[CodedPicture]:
        """Each picture as it comes, until the camera ends the stream or `stop` is set; may be called anew."""
        waits_since = time.monotonic()
        while True:
            pictures, self._pictures = self._pictures, []
            if pictures:
                self.expect(self._read_s)
            for index, picture in enumerate(pictures, 1):
                self.caught_up = self._drained and index == len(pictures)
                yield picture
            if pictures:
                waits_since = time.monotonic()
            if self._over or not self._receive():
                return
            self._take_apart()
            now = time.monotonic()
            if not self._pictures and now - waits_since > self._read_s:
                raise TimeoutError  # bytes come, and no picture
            if now >= self._keep_alive_at:
                self._keep_alive_at = now + self._keep_alive_s
                self._send(self._keep_alive, self._control)
                self._socket.sendall(_EMPTY_REPORT)

    # --- the connection ------------------------------------------------------------------------------------------

    def _ask(self, method: str, url: str, **headers: str) -> _Answer:
        for _ in range(3):
            self._answer = None
            self._send(method, url, **headers)
            while self._answer is None:
                if not self._receive():
                    raise ConnectionResetError
                self._take_apart()
                if time.monotonic() > self._deadline:
                    raise TimeoutError
            answer: _Answer = self._answer
            if answer.status == 200:
                return answer
            if answer.status != 401:
                raise Unfamiliar(f"{method} is answered by {answer.status}")
            if not self._sign_in.answers(answer.headers.get("www-authenticate", [])):
                break
        raise SignInRefused

    def _send(self, method: str, url: str, **headers: str) -> None:
        self._number += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._number}", "User-Agent: VongGac"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        proof = self._sign_in.header(method, url)
        if proof:
            lines.append(f"Authorization: {proof}")
        if self._session:
            lines.append(f"Session: {self._session}")
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def _receive(self) -> bool:
        """Wait for bytes; False where the camera hung up or `stop` was set. Raises TimeoutError."""
        if self._at:
            left = self._end - self._at
            self._buffer[:left] = self._buffer[self._at : self._end]
            self._at, self._end = 0, left
        while not self._stop.is_set():
            left_s = self._deadline - time.monotonic()
            self._wait_at_most(min(_SLICE_S, max(_SHORTEST_S, left_s)))
            try:
                size = self._socket.recv_into(self._view[self._end :])
            except TimeoutError:
                if left_s <= 0:
                    raise
                continue
            self._end += size
            self._drained = self._end < _BUFFER_BYTES
            return size > 0
        return False

    def _wait_at_most(self, seconds: float) -> None:
        if seconds != self._timeout_s:  # setting it costs a system call
            self._timeout_s = seconds
            self._socket.settimeout(seconds)

    def _take_apart(self) -> None:
        """Everything whole that lies in the buffer: pictures, answers, the end."""
        buffer, at, end = self._buffer, self._at, self._end
        while end - at >= 4:
            if buffer[at] != _DOLLAR:
                size = self._message(at)
                if not size:
                    break
                at += size
                continue
            behind = at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
            if behind > end:
                break
            channel = buffer[at + 1] - self._channel
            if channel == 0:
                picture = self._depacketizer.take(self._view[at + 4 : behind])
                if picture is not None:
                    self._pictures.append(picture)
            elif channel == 1 and says_bye(buffer[at + 4 : behind]):
                self._over = True
            at = behind
        self._at = at

    def _message(self, at: int) -> int:
        """The size of the RTSP message at `at`, or of what makes no sense there; 0: it is not whole yet."""
        text = bytes(self._buffer[at : self._end])
        if not text[:1].isupper():
            garbage = text.find(b"$")
            return garbage if garbage > 0 else len(text)
        head, whole, body = text.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, list[str]] = {}
        for name, _, value in (line.partition(":") for line in lines):
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        length = headers.get("content-length", ["0"])[0]
        size = _number(length) if length.isdecimal() else 0
        if not whole or len(body) < size:
            if len(text) >= _BUFFER_BYTES:
                raise Unfamiliar("an answer without an end")
            return 0
        words = first.split()
        is_answer = words[0].startswith("RTSP/") and len(words) > 1 and words[1].isdecimal()
        if is_answer and headers.get("cseq", [""])[0] == str(self._number):
            self._answer = _Answer(_number(words[1]), headers, body[:size])
        return len(head) + 4 + size


def _make_room(connection: socket.socket) -> None:
    """Packets gather in the socket, also when a calm stream grows loud: the kernel's window would grow only with what
    was read before, and the camera be held up meanwhile. It grows at once where so much is asked for, for a moment.
    """
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _ROOM_BYTES)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _number(text: str) -> int:
    """What a camera writes where a number belongs. Raises Unfamiliar."""
    text = text.strip()
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise Unfamiliar(f"{text[:20]!r} in place of a number")
    return int(text)


def says_bye(report: bytes | bytearray) -> bool:
    """Whether a compound RTCP packet holds a BYE."""
    at = 0
    while at + 4 <= len(report):
        if report[at + 1] == _BYE:
            return True
        at += 4 + 4 * (report[at + 2] << 8 | report[at + 3])
    return False
