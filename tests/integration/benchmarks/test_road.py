"""The benchmarks' road over real sockets: what it promises of cuts, half-open connections, delay and rate."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from benchmarks.road import Road, Weather
from tests.support.cameras import wait_until


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def connect(road: Road) -> socket.socket:
    return socket.create_connection(("127.0.0.1", road.port), timeout=10)


def ask(connection: socket.socket, data: bytes) -> bytes:
    """What comes back, all of it; sending has a thread, as both directions may be full."""
    threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()
    found = b""
    while len(found) < len(data):
        piece = connection.recv(65536)
        if not piece:
            break
        found += piece
    return found


def test_everything_arrives_unchanged_and_in_order(echo: tuple[str, int]) -> None:
    data = bytes(range(256)) * 8000
    with Road(echo) as road, connect(road) as connection:
        assert ask(connection, data) == data
        wait_until(lambda: road.carried_bytes == 2 * len(data), 10, "all bytes counted")


def test_a_cut_resets_and_a_new_connection_works_unless_refused(echo: tuple[str, int]) -> None:
    with Road(echo) as road:
        with connect(road) as connection:
            assert ask(connection, b"here") == b"here"
            assert road.cut() == 1
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        with connect(road) as connection:
            assert ask(connection, b"again") == b"again"
        road.weather.refuses = True
        with pytest.raises(ConnectionError), connect(road) as connection:
            connection.recv(1)


def test_a_half_open_connection_stays_open_and_silent_while_a_new_one_works(echo: tuple[str, int]) -> None:
    with Road(echo) as road, connect(road) as old:
        assert ask(old, b"here") == b"here"
        assert road.leave_half_open() == 1
        old.sendall(b"lost")
        with connect(road) as new:
            assert ask(new, b"new") == b"new"
        old.settimeout(0.3)
        with pytest.raises(TimeoutError):
            old.recv(1)


def test_delay_counts_both_ways(echo: tuple[str, int]) -> None:
    with Road(echo) as road, connect(road) as connection:
        assert ask(connection, b"warm") == b"warm"
        road.weather = Weather(delay_s=0.1)
        began = time.monotonic()
        assert ask(connection, b"late") == b"late"
        assert time.monotonic() - began >= 0.2


def test_a_slow_road_carries_no_more_than_its_rate(echo: tuple[str, int]) -> None:
    with Road(echo) as road, connect(road) as connection:
        road.weather = Weather(bytes_per_s=100_000)
        began = time.monotonic()
        data = bytes(60_000)
        assert ask(connection, data) == data
        assert time.monotonic() - began >= 0.4
