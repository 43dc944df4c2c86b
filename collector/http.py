"""HTTP servers in threads of their own: the socket is bound first, so a taken port is told at once."""

import asyncio
import functools
import gc
import socket
import sys
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from collector.identity.gate import Gate
from vonggac.daemon.threads import Pulse, Stop

SHUTDOWN_S = 3
SWITCH_S = 0.001
COLLECT_EVERY = (20_000, 20, 20)


@functools.cache
def make_quick() -> None:
    """Set the interpreter up for many pages at a time, once for the process.

    A page asks the database a dozen times, and waits after each answer for whichever thread reckons then: with 5 ms, as
    Python has it, that was most of its time when several people read. And a page makes thousands of objects: as Python
    has it, a fifth of its time went into looking through them, and all that was there before, for circles.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)


class HttpServer:
    """uvicorn in a thread. `address` tells the port when 0 was asked for. Raises OSError when the port is taken."""

    def __init__(self, address: tuple[str, int], stop: Stop) -> None:
        self._stop = stop
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.create_server(address, family=family, backlog=256)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]

    def serve(self, app: ASGIApp, pulse: Pulse, gate: Gate | None = None) -> None:
        """Serve until asked to stop; with a gate over TLS, each connection by its protocol."""
        make_quick()
        config = uvicorn.Config(
            app,
            http="auto" if gate is None else gate.protocol,  # type: ignore[arg-type]
            ws="none" if gate is not None else "auto",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=30,
        )
        config.load()
        if gate is not None:
            config.ssl = gate.tls()
        _Server(config, pulse, self._stop, gate).run([self._socket])


class _Server(uvicorn.Server):
    """Beats while its event loop turns, and ends when asked."""

    def __init__(self, config: uvicorn.Config, pulse: Pulse, stop: Stop, gate: Gate | None) -> None:
        super().__init__(config)
        self._gate = gate
        self._pulse = pulse
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the library does; it hands on no limit for the handshake, and asyncio's own is a minute."""
        if self._gate is not None:
            loop = asyncio.get_running_loop()
            limited = functools.partial(loop.create_server, ssl_handshake_timeout=self._gate.patience_s)
            loop.create_server = limited  # type: ignore[method-assign]
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        self._pulse.beat()
        if self._gate is not None:
            self._gate.tick()
        return self._stop.is_set() or await super().on_tick(counter)

    def handle_exit(self, *_signal: Any) -> None:
        """Signals are the main thread's business."""
