"""A camera that cannot be fooled: a live stream whose every picture carries its number, and walks on schedule.

`python -m benchmarks.torture.camera PORT BEGAN_MS SEED SHOWN` serves MPEG-TS over HTTP on loopback. Picture n is shown
at BEGAN_MS + n * 1000 / FPS on CLOCK_BOOTTIME, so who knows BEGAN_MS knows what every clip must hold. The file SHOWN
gets a line for each listener: the number of the first picture that it was given.
"""

import io
import socket
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

FPS = 10
WIDTH, HEIGHT = 320, 240
STRIP = 12
"""Height of the band at the top that carries the number, one bit a square; the agent's configuration masks it."""
BITS = 24
PERIOD_S, WALK_S, FIRST_WALK_S = 9.0, 3.0, 4.0


def walk_of(number: int) -> tuple[int, int]:
    """First and last picture of walk 0, 1, 2, …"""
    first = round((FIRST_WALK_S + number * PERIOD_S) * FPS)
    return first, first + round(WALK_S * FPS) - 1


def draw(number: int, scene: NDArray[np.uint8], noise: list[NDArray[np.int16]]) -> NDArray[np.uint8]:
    """Luma of picture `number`."""
    luma = scene.astype(np.int16) + noise[number % len(noise)]
    walk = int((number / FPS - FIRST_WALK_S) // PERIOD_S)
    first, last = walk_of(walk)
    if walk >= 0 and first <= number <= last:
        left = round((number - first) / (last - first + 1) * WIDTH * 0.9)
        luma[HEIGHT // 3 : HEIGHT * 5 // 6, left : left + WIDTH // 12] = 225
    picture = np.clip(luma, 0, 255).astype(np.uint8)
    picture[:STRIP] = 0
    for bit in range(BITS):
        if number >> bit & 1:
            picture[:STRIP, bit * STRIP : (bit + 1) * STRIP] = 255
    return picture


def number_in(luma: NDArray[np.uint8]) -> int:
    """The number that a decoded picture carries."""
    centres = luma[STRIP // 2, STRIP // 2 : BITS * STRIP : STRIP]
    return sum(1 << bit for bit, value in enumerate(centres) if value > 127)


class Camera:
    """Encodes once; each listener gets the stream from the next key frame on."""

    def __init__(self, port: int, began_ms: int, seed: int, shown: Path) -> None:
        self._began_s = began_ms / 1000
        self._shown = shown
        rng = np.random.default_rng(seed)
        coarse = rng.integers(60, 170, (12, 16)).astype(np.uint8)
        self._scene = np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
        self._noise = [rng.normal(0, 2, (HEIGHT, WIDTH)).astype(np.int16) for _ in range(5)]
        self._lock = threading.Lock()
        self._listeners: list[_Listener] = []
        self._server = socket.create_server(("127.0.0.1", port), backlog=16)

    def run(self) -> None:
        """Until the process is ended."""
        threading.Thread(target=self._answer, daemon=True).start()
        sink = av.open(io.BytesIO(), "w", format="mpegts")
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(FPS), "sc_threshold": "0", "crf": "26"}
        encoder = sink.add_stream("libx264", rate=FPS, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p", options=options)
        encoder.codec_context.thread_count = 1
        number = max(0, int((time.clock_gettime(time.CLOCK_BOOTTIME) - self._began_s) * FPS))
        grey = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
        while True:
            wait_s = self._began_s + number / FPS - time.clock_gettime(time.CLOCK_BOOTTIME)
            if wait_s > 0:
                time.sleep(wait_s)
            picture = np.vstack([draw(number, self._scene, self._noise), grey])
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            for packet in encoder.encode(frame):
                self._hand_out(bytes(packet), number, bool(packet.is_keyframe))
            number += 1

    def _hand_out(self, data: bytes, number: int, is_key: bool) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            if not listener.take(data, number, is_key):
                with self._lock:
                    self._listeners.remove(listener)

    def _answer(self) -> None:
        while True:
            connection, _ = self._server.accept()
            connection.settimeout(2.0)
            try:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
            except OSError:
                connection.close()
                continue
            with self._lock:
                self._listeners.append(_Listener(connection, self._shown))


class _Listener:
    def __init__(self, connection: socket.socket, shown: Path) -> None:
        self._connection = connection
        self._shown = shown
        self._buffer = io.BytesIO()
        self._output = av.open(self._buffer, "w", format="mpegts", options={"flush_packets": "1"})
        self._stream = self._output.add_stream("libx264", rate=FPS, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p")
        self._begun = False

    def take(self, data: bytes, number: int, is_key: bool) -> bool:
        """False when the listener has gone."""
        if not self._begun and not is_key:
            return True
        if not self._begun:
            with self._shown.open("a", encoding="ascii") as file:
                file.write(f"{number}\n")
        self._begun = True
        packet = av.Packet(data)
        packet.stream, packet.time_base = self._stream, Fraction(1, FPS)
        packet.pts = packet.dts = number
        packet.is_keyframe = is_key
        try:
            self._output.mux(packet)
            self._connection.sendall(self._buffer.getvalue())
        except OSError:
            self._connection.close()
            return False
        self._buffer.seek(0)
        self._buffer.truncate()
        return True


if __name__ == "__main__":
    Camera(*map(int, sys.argv[1:4]), Path(sys.argv[4])).run()
