"""The road between a box and the server: a TCP proxy that can be cut, blocked, slowed, delayed, and that reads MQTT.

What passes is remembered as ground truth: which events the box has spoken of, and which receipts came back.
"""

import contextlib
import json
import random
import select
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from benchmarks.torture.mqtt import Splitter, published, repeated


@dataclass
class Road:
    """How things are on the way; changed by the faults while connections live."""

    cut: bool = False  # connections break, new ones are refused
    blocked: bool = False  # half-open: nothing passes, nobody is told
    delay_s: float = 0.0  # each way
    bytes_per_s: float | None = None
    double: float = 0.0  # share of the box's MQTT publications that arrive twice
    swap: float = 0.0  # share that is overtaken by the next one
    swallow: set[int] = field(default_factory=set)  # numbers whose events never arrive


@dataclass(frozen=True)
class Heard:
    """A numbered event as the box first spoke of it."""

    outbox: str
    seq: int
    message: str
    kind: str


class Tap:
    """What was heard of one box."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.events: dict[tuple[str, int], Heard] = {}
        self.numbered_twice: list[tuple[Heard, Heard]] = []
        self.receipted: dict[str, set[int]] = {}
        self.doubled = self.swapped = 0

    def up(self, topic: str, payload: bytes) -> int | None:
        """Take note of a publication of the box; its number, if it has one."""
        if not topic.endswith("/up/event"):
            return None
        message = json.loads(payload)
        heard = Heard(message["outbox"], message["seq"], message["id"], message["type"])
        with self.lock:
            known = self.events.setdefault((heard.outbox, heard.seq), heard)
            if known.message != heard.message:
                self.numbered_twice.append((known, heard))
        return heard.seq

    def down(self, topic: str, payload: bytes) -> None:
        """Take note of what goes to the box."""
        if topic.endswith("/down/receipt"):
            body = json.loads(payload)["body"]
            with self.lock:
                for first, last in body.get("ranges") or ():
                    self.receipted.setdefault(body["outbox"], set()).update(range(first, last + 1))


class Link:
    """One way through the proxy; `port` is where the box connects."""

    def __init__(self, target: int, road: Road, rng: random.Random, tap: Tap | None = None) -> None:
        self._target = target
        self._road = road
        self._rng = rng
        self._tap = tap
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def break_all(self) -> None:
        """End every connection now."""
        with self._lock:
            gone, self._open = self._open, set()
        for end in gone:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            near, _ = self._server.accept()
            if self._road.cut:
                near.close()
                continue
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        while self._road.blocked and not self._road.cut:
            time.sleep(0.05)
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            near.close()
            return
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {near, far}
        other = threading.Thread(target=self._pump, args=(far, near, False), daemon=True)
        other.start()
        self._pump(near, far, True)
        other.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        """Carry one direction to its end."""
        road, waiting = self._road, deque[tuple[float, bytes]]()
        splitter, held = Splitter(), b""
        try:
            while True:
                now = time.monotonic()
                until = 0.2 if not waiting else max(0.0, min(0.2, waiting[0][0] - now))
                ready, _, _ = select.select([source] if len(waiting) < 256 else [], [], [], until)
                if ready:
                    data = source.recv(16384)
                    if not data:
                        break
                    if self._tap is not None:
                        data, held = self._read(splitter, data, held, up)
                    waiting.append((time.monotonic() + road.delay_s, data))
                elif held:
                    waiting.append((time.monotonic(), held))
                    held = b""
                while waiting and waiting[0][0] <= time.monotonic() and not road.blocked:
                    _, data = waiting.popleft()
                    if road.bytes_per_s:
                        time.sleep(len(data) / road.bytes_per_s)
                    target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _read(self, splitter: Splitter, data: bytes, held: bytes, up: bool) -> tuple[bytes, bytes]:
        """Look into MQTT packets; doubles, swaps and swallows the box's events. (what goes on, what is held back)."""
        assert self._tap is not None
        out = []
        for packet in splitter.feed(data):
            found = published(packet, splitter.version)
            if found is None:
                out.append(packet)
                continue
            if not up:
                topic, payload = found
                # This direction has no CONNECT to learn the version from: MQTT 5's empty properties go before the JSON.
                self._tap.down(topic, payload[max(0, payload.find(b"{")) :])
                out.append(packet)
                continue
            seq = self._tap.up(*found)
            if seq is not None and seq in self._road.swallow:
                continue
            if seq is not None and not held and self._rng.random() < self._road.swap:
                held = packet
                self._tap.swapped += 1
                continue
            out.append(packet)
            if seq is not None and self._rng.random() < self._road.double:
                out.append(repeated(packet))
                self._tap.doubled += 1
            if held:
                out.append(held)
                held = b""
        return b"".join(out), held
