"""Whoever hangs up at any moment of a connection's beginning is told of: a link that waits for ever is a blind box."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from edge_agent.uplink.link import Disconnected
from edge_agent.uplink.mqtt import Broker, MqttLink

TRIES = 150


@pytest.fixture
def port() -> Iterator[int]:
    """Of a listener that resets each connection as soon as it can."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def reset_all() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    thread = threading.Thread(target=reset_all, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


@pytest.mark.parametrize("protocol", ["3.1.1", "5", "auto"])
def test_a_reset_before_between_or_after_the_first_bytes_is_always_told(port: int, protocol: str) -> None:
    for _ in range(TRIES):
        link = MqttLink(Broker("127.0.0.1", port, "box-1", "secret", protocol), will=lambda: b"{}")  # type: ignore[arg-type]
        link.connect()
        news = link.wait(5.0)
        link.close()
        assert [type(one) for one in news] == [Disconnected]
