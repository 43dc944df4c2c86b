"""Somebody else in the household: small requests over the same line, one after the other; how long each took.

`python -m benchmarks.outage.neighbour HOST PORT` prints milliseconds from opening a connection to the whole answer,
one line each, twice a second. An idle line of 80 ms needs two round trips: 160 ms.
"""

import contextlib
import socket
import sys
import threading
import time

REQUEST, ANSWER_BYTES = b"GET / HTTP/1.0\r\n\r\n".ljust(200), 1200
_EVERY_S = 0.5
_TIMEOUT_S = 10.0


def serve(host: str) -> socket.socket:
    """A small web server in a thread; close the socket to end it."""
    listener = socket.create_server((host, 0), backlog=64)

    def answer_all() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=_answer, args=(connection,), daemon=True).start()

    threading.Thread(target=answer_all, daemon=True, name="small-web-server").start()
    return listener


def _answer(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_TIMEOUT_S)
        read = 0
        while read < len(REQUEST):
            data = connection.recv(4096)
            if not data:
                return
            read += len(data)
        connection.sendall(bytes(ANSWER_BYTES))


def ask(host: str, port: int) -> float:
    """Milliseconds of one request; the time limit's where it failed."""
    began = time.monotonic()
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(REQUEST)
        while connection.recv(65536):
            pass
        return (time.monotonic() - began) * 1000
    return _TIMEOUT_S * 1000


def main() -> None:
    """Ask for ever."""
    host, port = sys.argv[1], int(sys.argv[2])
    while True:
        took_ms = ask(host, port)
        print(f"{took_ms:.1f}", flush=True)
        time.sleep(max(0.0, _EVERY_S - took_ms / 1000))


if __name__ == "__main__":
    main()
