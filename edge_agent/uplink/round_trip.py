"""How long the way to the collector and back takes, as the kernel sees it on the connection that carries clips.

Nothing is sent for it: TCP measures with every acknowledgement. Rule: little unsent data waits in the kernel, so that
whoever paces what is sent still decides over it.
"""

import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from edge_agent.identity.trust import Trust

# linux/tcp.h, struct tcp_info: tcpi_rtt and tcpi_rttvar (µs) stand at 68, tcpi_min_rtt (µs, of five minutes) at 148.
_INFO_BYTES = 152
_SMOOTHED, _BEST = struct.Struct("=68xII"), struct.Struct("=148xI")
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_UNSENT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Milliseconds: `now_ms` smoothed and less its usual variation, `best_ms` the shortest of the last minutes."""

    now_ms: float
    best_ms: float

    @property
    def queue_ms(self) -> float:
        """How long what is sent waits on its way, behind whomever."""
        return max(0.0, self.now_ms - self.best_ms)


def read_round_trip(connection: socket.socket) -> RoundTrip | None:
    """Of a TCP connection; None where the kernel does not tell or the connection is closed."""
    if not hasattr(socket, "TCP_INFO"):
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return None
    if len(info) < _INFO_BYTES:
        return None
    smoothed_us, variation_us = _SMOOTHED.unpack_from(info)
    (best_us,) = _BEST.unpack_from(info)
    if not smoothed_us or not 0 < best_us < 2**32 - 1:
        return None
    return RoundTrip(max(best_us, smoothed_us - variation_us) / 1000, best_us / 1000)


class ListeningAdapter(HTTPAdapter):
    """A session's adapter that knows the socket of its newest connection."""

    def __init__(self, trust: Trust | None = None) -> None:
        self._newest: socket.socket | None = None
        self._trust = trust
        self._generation = 0
        super().__init__()

    def init_poolmanager(self, *args: Any, **how: Any) -> None:
        """As the library does, with connections that tell of themselves and trust whom the box trusts."""
        if self._trust is not None:
            self._generation = self._trust.generation
            how["ssl_context"] = self._trust.context()
        super().init_poolmanager(*args, **how)
        self.poolmanager.pool_classes_by_scheme = _pools(self._connected)

    def send(self, *args: Any, **how: Any) -> requests.Response:
        """As the library does; after a renewal with connections of the new certificate."""
        if self._trust is not None and self._generation != self._trust.generation:
            self.poolmanager.clear()
            self.init_poolmanager(DEFAULT_POOLSIZE, DEFAULT_POOLSIZE)
        return super().send(*args, **how)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """With a trust of our own there is nothing to add: `requests` would load the public authorities into it."""
        if self._trust is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def round_trip(self) -> RoundTrip | None:
        """Of the newest connection; None before there is one."""
        return None if self._newest is None else read_round_trip(self._newest)

    def _connected(self, connection: socket.socket | None) -> None:
        self._newest = connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)


def listen_to(session: requests.Session, trust: Trust | None = None) -> ListeningAdapter:
    """Have the session's connections watched; with `trust` they are over TLS by it alone."""
    adapter = ListeningAdapter(trust)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return adapter


def _pools(tell: Callable[[socket.socket | None], None]) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            tell(self.sock)

    class Encrypted(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            tell(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
