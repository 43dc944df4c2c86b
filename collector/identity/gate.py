"""The one HTTPS door for boxes: enrolment without a certificate, all else with one. TLS 1.2 or 1.3, no plaintext.

Rules: a connection knows its peer from the handshake; one that brings no whole request head within PATIENCE_S is
ended; bodies are bounded in size and time; a peer that may no longer speak is cut within seconds, also in the middle of
an upload. What is refused is logged with its reason, at most LOGS_A_MINUTE times a minute, never with what was sent.
"""

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from collector.identity.authority import AUTHORITY, SERVER, SERVER_KEY, Authority
from collector.identity.enrol import Enrolments
from collector.identity.peers import PEER, Peer, PeerRefused, Peers
from collector.identity.requests import RequestRefused
from collector.releases.door import ReleaseDoor
from collector.store.errors import StoreUnavailable
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.wire import enrolment as wire
from vonggac.wire.release import ARCHIVE_PATH, RELEASE_PATH

log = get_logger(__name__)

PATIENCE_S = 10.0
"""Seconds for the TLS handshake, again for a whole request head, and again for a whole body."""
MOST_CONNECTIONS = 512
MOST_UNKNOWN_OF_ADDRESS = 16
"""Connections without a certificate from one address."""
MOST_AT_ONCE = 4
"""Requests for certificates that are worked on at once."""
LOGS_A_MINUTE = 30
X509_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name: Peers looks at the dates."""


_NO_TLS = frozenset({"HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG"})
"""Whoever speaks no TLS understands no alert."""


class Refusals:
    """Tells refusals in the log, but lets nobody fill it."""

    def __init__(self) -> None:
        self._minute = 0
        self._told = 0
        self._silent = 0
        self._lock = threading.Lock()

    def tell(self, what: str, **about: Any) -> None:
        """One refusal."""
        with self._lock:
            minute = int(time.monotonic() // 60)
            if minute != self._minute:
                if self._silent:
                    log.warning("more refusals than were told", count=self._silent)
                self._minute, self._told, self._silent = minute, 0, 0
            if self._told >= LOGS_A_MINUTE:
                self._silent += 1
                return
            self._told += 1
        log.warning(what, **about)


class Gate:
    """The door: its TLS context, its application, its open connections."""

    def __init__(
        self,
        authority: Authority,
        enrolments: Enrolments,
        peers: Peers,
        upload_app: ASGIApp | None,
        clock: Clock,
        patience_s: float = PATIENCE_S,
        releases: ReleaseDoor | None = None,
    ) -> None:
        self.patience_s = patience_s
        self._authority = authority
        self._enrolments = enrolments
        self._peers = peers
        self._clock = clock
        self.refusals = Refusals()
        self.connections: set[GateProtocol] = set()
        self._working = asyncio.Semaphore(MOST_AT_ONCE)
        routes: list[Route | Mount] = [
            Route("/healthz", _healthz, methods=["GET"]),
            Route(wire.ENROL_PATH, self._answering(self._enrol), methods=["POST"]),
            Route(wire.RENEW_PATH, self._answering(self._renew), methods=["POST"]),
            Route(wire.WHOAMI_PATH, self._answering(self._whoami), methods=["GET"]),
        ]
        if releases is not None:
            self._releases = releases
            routes.append(Route(RELEASE_PATH, self._answering(self._release), methods=["GET"]))
            routes.append(Route(f"{ARCHIVE_PATH}/{{sha256}}", self._answering(self._archive), methods=["GET"]))
        if upload_app is not None:
            routes.append(Mount("/upload", upload_app))
        self.app = Starlette(routes=routes)

    def tls(self) -> ssl.SSLContext:
        """Asks for a certificate of our authority and lets in who has none: they may enrol and nothing else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0
        context.load_cert_chain(self._authority.file(SERVER), self._authority.file(SERVER_KEY))
        context.load_verify_locations(self._authority.file(AUTHORITY))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VerifyFlags(X509_NO_CHECK_TIME)
        context.sslobject_class = _telling(self.refusals)
        return context

    def protocol(self, **how: Any) -> "GateProtocol":
        """For uvicorn."""
        return GateProtocol(self, **how)

    def may_join(self, joining: "GateProtocol") -> bool:
        """Is there room for one more? Whoever has no certificate gets little."""
        if len(self.connections) >= MOST_CONNECTIONS:
            return False
        if joining.peer is not None:
            return True
        unknown = Counter(each.client[0] for each in self.connections if each.client and each.peer is None)
        return joining.client is None or unknown[joining.client[0]] < MOST_UNKNOWN_OF_ADDRESS

    def box_of(self, request: Request) -> str:
        """The box that asks. Raises PeerRefused, StoreUnavailable."""
        return self._peers.box_of(request.scope.get(PEER), self._clock.wall_ms())

    def sweep(self, holding: Iterable[str]) -> int:
        """End connections whose certificate is not among the serials that hold; returns how many. From any thread."""
        known, cut = frozenset(holding), 0
        for each in list(self.connections):
            if each.peer is not None and each.peer.serial not in known:
                each.loop.call_soon_threadsafe(each.transport.abort)
                log.warning("connection of a box cut: its certificate holds no more", box=each.peer.box)
                cut += 1
        return cut

    def tick(self) -> None:
        """End connections that bring no request. In the loop's thread."""
        for each in list(self.connections):
            if each.waits_too_long():
                self.refusals.tell("connection ended: no whole request head in time", address=each.address)
                each.transport.abort()

    # --- answers -------------------------------------------------------------------------------------------------

    def _answering(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except (RequestRefused, PeerRefused) as refused:
                peer: Peer | None = request.scope.get(PEER)
                self.refusals.tell(
                    "refused",
                    path=request.url.path,
                    address=request.client.host if request.client else None,
                    box=None if peer is None else peer.box,
                    status=refused.status,
                    reason=str(refused),
                )
                return PlainTextResponse(f"{refused}\n", refused.status)
            except StoreUnavailable as error:
                log.error("put off: database unavailable", path=request.url.path, reason=str(error))
                return PlainTextResponse("the database cannot be reached now\n", 503, {"Retry-After": "5"})

        return answer

    async def _enrol(self, request: Request) -> Response:
        body = await _read(request, self.patience_s)
        try:
            wanted = wire.parse_enrol(body)
        except ValueError as error:
            raise RequestRefused(str(error), 400) from None
        address = request.client.host if request.client else ""
        async with self._working:
            issued = await run_in_threadpool(self._enrolments.enrol, wanted, address)
        log.info("box enrolled", box=wanted.box, address=address)
        return _json(issued)

    async def _renew(self, request: Request) -> Response:
        box = await run_in_threadpool(self.box_of, request)
        try:
            wanted = wire.parse_renew(await _read(request, self.patience_s))
        except ValueError as error:
            raise RequestRefused(str(error), 400) from None
        async with self._working:
            issued = await run_in_threadpool(self._enrolments.renew, box, wanted)
        log.info("certificate renewed", box=box)
        return _json(issued)

    async def _whoami(self, request: Request) -> Response:
        return JSONResponse({"v": wire.VERSION, "box": await run_in_threadpool(self.box_of, request)})

    async def _release(self, request: Request) -> Response:
        return await run_in_threadpool(lambda: self._releases.wanted(self.box_of(request)))

    async def _archive(self, request: Request) -> Response:
        sha256 = str(request.path_params["sha256"])
        return await run_in_threadpool(lambda: self._releases.archive(self.box_of(request), sha256))


class GateProtocol(H11Protocol):
    """uvicorn's, knowing its peer."""

    def __init__(self, gate: Gate, **how: Any) -> None:
        super().__init__(**how)
        self._gate = gate
        self.peer: Peer | None = None
        self._head_since: float | None = None
        self._inner = self.app
        self.app = self._with_peer

    @property
    def address(self) -> str | None:
        """Of the other end."""
        return self.client[0] if self.client else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """After the handshake."""
        self.peer = Peer.of(transport.get_extra_info("ssl_object").getpeercert(binary_form=True))
        super().connection_made(transport)
        self._head_since = self.loop.time()
        if not self._gate.may_join(self):
            self._gate.refusals.tell("connection ended: too many", address=self.address)
            transport.abort()
        self._gate.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by either end."""
        self._gate.connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A head that comes in drops has no more time than one that comes at once."""
        if self._is_between_requests() and self._head_since is None:
            self._head_since = self.loop.time()
        super().data_received(data)
        if not self._is_between_requests():
            self._head_since = None

    def waits_too_long(self) -> bool:
        """A request head is awaited, and has had its time."""
        return self._head_since is not None and self.loop.time() - self._head_since > self._gate.patience_s

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    async def _with_peer(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[PEER] = self.peer
        await self._inner(scope, receive, send)


def _telling(refusals: Refusals) -> type[ssl.SSLObject]:
    class Telling(ssl.SSLObject):
        """Handshakes that fail are told, to the log and to the other end.

        asyncio keeps silent about them, and throws the alert away that OpenSSL has written: asking for more bytes
        first has it sent. The error is raised at the next word or the end of the other end.
        """

        _failed: ssl.SSLError | None = None

        def do_handshake(self) -> None:
            if self._failed is not None:
                raise self._failed
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                reason = getattr(error, "verify_message", None) or error.reason or "unreadable"
                refusals.tell("TLS handshake refused", reason=str(reason).lower().replace("_", " "))
                if error.reason in _NO_TLS:
                    raise
                self._failed = error
                raise ssl.SSLWantReadError from error

    return Telling


async def _read(request: Request, patience_s: float) -> bytes:
    """The body. Raises RequestRefused when it is too large, too slow or cut off."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > wire.MAX_REQUEST_BYTES:
        raise RequestRefused(f"a request is at most {wire.MAX_REQUEST_BYTES} bytes", 413)
    body = bytearray()
    try:
        async with asyncio.timeout(patience_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > wire.MAX_REQUEST_BYTES:
                    raise RequestRefused(f"a request is at most {wire.MAX_REQUEST_BYTES} bytes", 413)
    except TimeoutError:
        raise RequestRefused(f"the request did not come whole within {patience_s:.0f} s", 408) from None
    except ClientDisconnect:
        raise RequestRefused("the request was broken off", 400) from None
    return bytes(body)


def _json(issued: wire.Issued) -> Response:
    return Response(wire.encode(issued), 200, {"Cache-Control": "no-store"}, media_type="application/json")


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")
