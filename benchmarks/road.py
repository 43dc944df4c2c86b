"""A TCP road between programs that can be cut, refused, slowed, delayed and left half-open while they run.

Rules: one thread carries everything; nothing that was accepted is changed or reordered; a dead half is never told to
the other side, as on a real network; needs no rights, so it works where there is no network namespace.
"""

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Self

_CHUNK = 16_384
_TICK_S = 0.005
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Weather:
    """What the road does now. `delay_s` is one way; `bytes_per_s` counts for each connection and direction."""

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    refuses: bool = False


@dataclass
class _Way:
    """Bytes on their way in one direction of one connection."""

    source: socket.socket
    sink: socket.socket
    moving: deque[tuple[float, bytes]] = field(default_factory=deque)
    waiting_bytes: int = 0
    allowance: float = 0.0
    closed: bool = False


@dataclass
class _Pair:
    """One connection: both directions; a half-open one swallows all from then on."""

    ways: tuple[_Way, _Way]
    half_open: bool = False


class Road:
    """Listens on `port` and carries to `target`; `weather` may be changed at any time."""

    room_bytes = 262_144

    def __init__(self, target: tuple[str, int], listen: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._target = target
        self._listener = socket.create_server(listen, backlog=32)
        self.port: int = self._listener.getsockname()[1]
        self.weather = Weather()
        self.connections = 0
        self.carried_bytes = 0
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"road-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)
        self.cut()
        self._listener.close()

    def cut(self) -> int:
        """Reset every connection, both sides; returns how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
            for pair in pairs:
                _reset(pair)
        return len(pairs)

    def leave_half_open(self) -> int:
        """Every connection there is stays open and never carries a byte again; returns how many."""
        with self._lock:
            fresh = [pair for pair in self._pairs if not pair.half_open]
            for pair in fresh:
                pair.half_open = True
        return len(fresh)

    # --- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._listener.setblocking(False)
        last = time.monotonic()
        while not self._ended.is_set():
            with self._lock:
                pairs = list(self._pairs)
            self._wait(pairs)
            with contextlib.suppress(BlockingIOError):
                self._accept(self._listener.accept()[0])
            now = time.monotonic()
            with self._lock:
                for pair in list(self._pairs):
                    if not self._carry(pair, now, now - last):
                        _reset(pair)
                        self._pairs.remove(pair)
            last = now

    def _wait(self, pairs: list[_Pair]) -> None:
        """Until something can be read or is due; half-open ones and full ways are not asked."""
        soonest = min((way.moving[0][0] for pair in pairs for way in pair.ways if way.moving), default=None)
        pause_s = 0.1 if soonest is None else min(0.1, max(_TICK_S, soonest - time.monotonic()))
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            for pair in pairs:
                for way in pair.ways:
                    if not way.closed and way.waiting_bytes < self.room_bytes and way.source.fileno() >= 0:
                        with contextlib.suppress(KeyError, ValueError, OSError):
                            selector.register(way.source, selectors.EVENT_READ)
            selector.select(pause_s)

    def _accept(self, near: socket.socket) -> None:
        self.connections += 1
        if self.weather.refuses:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            near.close()
            return
        try:
            far = socket.create_connection(self._target, timeout=2.0)
        except OSError:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            near.close()
            return
        for one in (near, far):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._pairs.append(_Pair((_Way(near, far), _Way(far, near))))

    def _carry(self, pair: _Pair, now: float, passed_s: float) -> bool:
        """Move what can be moved; False when the connection has ended on a side."""
        for way in pair.ways:
            if not self._take(way, now, pair.half_open) or not self._give(way, now, passed_s):
                return False
        return not (all(way.closed for way in pair.ways) and not any(way.moving for way in pair.ways))

    def _take(self, way: _Way, now: float, swallow: bool) -> bool:
        while not way.closed and way.waiting_bytes < self.room_bytes:
            try:
                data = way.source.recv(_CHUNK)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                way.closed = True
            elif not swallow:
                way.moving.append((now + self.weather.delay_s, data))
                way.waiting_bytes += len(data)
        return True

    def _give(self, way: _Way, now: float, passed_s: float) -> bool:
        rate = self.weather.bytes_per_s
        way.allowance = min(way.allowance + rate * passed_s, max(rate * 0.1, 1500.0)) if rate else 0.0
        while way.moving and way.moving[0][0] <= now:
            due, data = way.moving[0]
            piece = data if rate is None else data[: int(way.allowance)]
            if not piece:
                return True
            try:
                sent = way.sink.send(piece)
            except BlockingIOError:
                return True
            except OSError:
                return False
            way.allowance -= sent
            way.waiting_bytes -= sent
            self.carried_bytes += sent
            if sent == len(data):
                way.moving.popleft()
            else:
                way.moving[0] = (due, data[sent:])
        if way.closed and not way.moving:
            with contextlib.suppress(OSError):
                way.sink.shutdown(socket.SHUT_WR)
        return True


def _reset(pair: _Pair) -> None:
    for way in pair.ways:
        with contextlib.suppress(OSError):
            way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            os.close(way.source.detach())
