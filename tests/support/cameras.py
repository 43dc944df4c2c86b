"""Cameras that misbehave, over plain sockets, and a capture that a test can watch."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from edge_agent.camera.capture import Capture
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.reader import Deadlines
from edge_agent.camera.source import SourceAddress
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.threads import Pulse, Stop


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds until `condition` held; AssertionError after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"after {seconds} s still not: {what}"
        threading.Event().wait(0.02)
    return time.monotonic() - began


class TcpCamera:
    """Listens on a free port and lets `talk(connection)` do what a bad camera does; hangs up when left."""

    def __init__(self, talk: Callable[[socket.socket], None], *, accept: bool = True) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        if accept:
            self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        try:
            self._talk(connection)
        except OSError:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()


class Watched:
    """A capture in a thread of its own, with all that came out of it."""

    def __init__(self, source: str, *, look: bool = True, deadline_s: float = 2.0, user: str = "", password: str = ""):
        self.packets: list[Packet] = []
        self.infos: list[StreamInfo] = []
        self.frames: list[Frame] = []
        self.states: list[tuple[str, str]] = []
        self.stop = Stop()
        self.clock = SystemClock()
        self.capture = Capture(
            "gate",
            SourceAddress.parse(source, user, password),
            clock=self.clock,
            backoff=Backoff(0.2, 1.0),
            stop=self.stop,
            on_packet=self._on_packet,
            on_frame=self._look if look else None,
            on_state=lambda state, why: self.states.append((state, "" if why is None else str(why))),
            deadlines=Deadlines(deadline_s, deadline_s),
        )
        self._thread = threading.Thread(target=self.capture.run, args=(Pulse("capture-gate", 60.0),))

    def _look(self, frame: Frame) -> Interest:
        self.frames.append(frame)
        return "some"

    def _on_packet(self, packet: Packet, info: StreamInfo) -> None:
        self.packets.append(packet)
        if not self.infos or self.infos[-1] is not info:
            self.infos.append(info)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set("test ends")
        self._thread.join(10)
        assert not self._thread.is_alive()
