"""The upload endpoint: tus 1.0 (core, creation, termination) for boxes alone, each proving who it is (`Prove`).

Written by hand because no kept library compares the hash and syncs file and folder before it answers (tuspyserver needs
FastAPI and appends without a lock; asgi-tus 0.1 knows no checksum over the whole file). Rules: an upload's address is
its clip's id; one request at a time holds an upload, and a newer one ends a stalled older one; bytes go to the disk as
they come; an answer that completes the upload is given after the row is committed.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector.ingest.clip_store import ClipRefused, ClipStore, DiskFull, HashWrong
from collector.ingest.proof import NotProven, Prove
from collector.store.clips import Clip, Upload
from collector.store.errors import StoreUnavailable
from vonggac.daemon.logs import get_logger
from vonggac.wire.ids import is_camera_name, is_uuid

log = get_logger(__name__)

VERSION = "1.0.0"
EXTENSIONS = "creation,termination"
WRITE_BYTES = 512 * 1024
CHUNK_WITHIN_S = 30.0
LOCK_WITHIN_S = 5.0
RETRY_FULL_S = 60
_HEX = frozenset("0123456789abcdef")

Handler = Callable[[Request, str], Awaitable[Response]]


class _Answer(Exception):
    """Ends a request with this status and word."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class _Hold:
    """Who holds an upload; `leave` asks the holder to stop after the bytes in hand."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    users: int = 0


class Uploads:
    """The endpoint's requests, over one ClipStore."""

    def __init__(self, store: ClipStore, prove: Prove, max_bytes: int) -> None:
        self._store = store
        self._prove = prove
        self._max_bytes = max_bytes
        self._holds: dict[str, _Hold] = {}

    def app(self) -> Starlette:
        """To be mounted, or served alone."""
        return Starlette(
            routes=[
                Route("/", self._guarded(self._create), methods=["POST"]),
                Route("/", self._options, methods=["OPTIONS"]),
                Route("/{clip}", self._guarded(self._head), methods=["HEAD"]),
                Route("/{clip}", self._guarded(self._patch), methods=["PATCH"]),
                Route("/{clip}", self._guarded(self._delete), methods=["DELETE"]),
                Route("/{clip}", self._options, methods=["OPTIONS"]),
            ]
        )

    async def _options(self, _request: Request) -> Response:
        return _reply(204, Tus_Version=VERSION, Tus_Extension=EXTENSIONS, Tus_Max_Size=str(self._max_bytes))

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            box = ""
            try:
                box = await run_in_threadpool(self._prove, request)
                _check_version(request)
                return await handler(request, box)
            except NotProven as refused:
                log.warning("upload refused", status=refused.status, reason=str(refused))
                return _reply(refused.status, str(refused), **refused.headers)
            except _Answer as answer:
                if answer.status not in (404, 409):
                    log.warning("upload refused", box=box or None, status=answer.status, reason=answer.text)
                return _reply(answer.status, answer.text, **answer.headers)
            except ClipRefused as refused:
                log.warning("upload refused", box=box, reason=str(refused))
                await run_in_threadpool(self._store.count, "uploads_refused")
                return _reply(422, str(refused))
            except HashWrong as wrong:
                # Once may be a torn file of ours after a power cut: the box starts anew. Twice is the box's own.
                return _reply(409 if wrong.times == 1 else 460, str(wrong))
            except DiskFull:
                log.error("upload put off: no room above the reserve", box=box)
                return _reply(507, "no room now", Retry_After=str(RETRY_FULL_S))
            except StoreUnavailable as error:
                log.error("upload put off: database unavailable", box=box, reason=str(error))
                return _reply(503, "the database cannot be reached now", Retry_After="5")

        return handle

    async def _create(self, request: Request, box: str) -> Response:
        length = _whole_number(request.headers.get("upload-length"), "Upload-Length")
        if length == 0:
            raise _Answer(400, "a clip of no bytes is none")
        if length > self._max_bytes:
            await run_in_threadpool(self._store.count, "uploads_oversized")
            raise _Answer(413, f"a clip is at most {self._max_bytes} bytes")
        told = _metadata(request.headers.get("upload-metadata", ""))
        clip, sha256, camera = told.get("clip", ""), told.get("sha256", ""), told.get("camera")
        if not is_uuid(clip):
            raise _Answer(400, "Upload-Metadata clip: is no UUID")
        if len(sha256) != 64 or not set(sha256) <= _HEX:
            raise _Answer(400, "Upload-Metadata sha256: is no SHA-256 in 64 hexadecimal digits")
        if camera is not None and not is_camera_name(camera):
            raise _Answer(400, "Upload-Metadata camera: is no camera name")
        async with self._held(box, clip):
            offset = await run_in_threadpool(self._store.begin, box, clip, camera, sha256, length)
        where = f"{request.scope.get('root_path', '')}/{clip}"
        return _reply(201, Location=where, Upload_Offset=str(offset))

    async def _head(self, request: Request, box: str) -> Response:
        clip = _clip_of(request)
        found = await self._find(box, clip)
        if isinstance(found, Clip):
            offset = found.size_bytes
        else:
            async with self._held(box, clip):
                # looked up again: whoever held it may have finished it
                found = await self._find(box, clip)
                offset = (
                    found.size_bytes if isinstance(found, Clip) else await run_in_threadpool(self._store.offset, found)
                )
        return _reply(200, Upload_Offset=str(offset), Upload_Length=str(found.size_bytes), Cache_Control="no-store")

    async def _patch(self, request: Request, box: str) -> Response:
        clip = _clip_of(request)
        if request.headers.get("content-type") != "application/offset+octet-stream":
            raise _Answer(415, "Content-Type must be application/offset+octet-stream")
        offset = _whole_number(request.headers.get("upload-offset"), "Upload-Offset")
        async with self._held(box, clip) as hold:
            found = await self._find(box, clip)
            size = found.size_bytes
            here = size if isinstance(found, Clip) else await run_in_threadpool(self._store.offset, found)
            if offset != here:
                raise _Answer(409, f"the next byte is {here}", Upload_Offset=str(here))
            if isinstance(found, Upload) and here < size:
                here = await self._receive(request, found, here, hold)
                if here == size:
                    await run_in_threadpool(self._store.finish, found)
        return _reply(204, Upload_Offset=str(here))

    async def _receive(self, request: Request, upload: Upload, offset: int, hold: _Hold) -> int:
        """Bytes to disk as they come; returns the new offset, also when the sender goes away."""
        buffer = bytearray()
        async with aclosing(_chunks(request, hold.leave)) as chunks:
            async for chunk in chunks:
                buffer += chunk
                if offset + len(buffer) > upload.size_bytes:
                    await run_in_threadpool(self._store.drop, upload)
                    await run_in_threadpool(self._store.count, "uploads_oversized")
                    raise _Answer(413, f"more bytes than the {upload.size_bytes} announced; start anew")
                if len(buffer) >= WRITE_BYTES:
                    await run_in_threadpool(self._store.append, upload, offset, bytes(buffer))
                    offset += len(buffer)
                    buffer.clear()
        if buffer:
            await run_in_threadpool(self._store.append, upload, offset, bytes(buffer))
            offset += len(buffer)
        return offset

    async def _delete(self, request: Request, box: str) -> Response:
        clip = _clip_of(request)
        async with self._held(box, clip):
            found = await self._find(box, clip)
            if isinstance(found, Clip):
                raise _Answer(403, "a stored clip is not the box's to delete")
            await run_in_threadpool(self._store.drop, found)
        return _reply(204)

    async def _find(self, box: str, clip: str) -> Upload | Clip:
        found = await run_in_threadpool(self._store.find, box, clip)
        if found is None:
            raise _Answer(404, "no such upload; create it")
        return found

    @asynccontextmanager
    async def _held(self, box: str, clip: str) -> AsyncIterator[_Hold]:
        """Hold the upload alone; ask an older holder (often a connection that died) to leave."""
        key = f"{box}.{clip}"
        hold = self._holds.setdefault(key, _Hold())
        hold.users += 1
        try:
            if hold.lock.locked():
                hold.leave.set()
            try:
                await asyncio.wait_for(hold.lock.acquire(), LOCK_WITHIN_S)
            except TimeoutError:
                raise _Answer(423, "another request holds this upload", Retry_After="5") from None
            hold.leave.clear()
            try:
                yield hold
            finally:
                hold.lock.release()
        finally:
            hold.users -= 1
            if hold.users == 0:
                self._holds.pop(key, None)


async def _chunks(request: Request, leave: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """The body as it comes; ends too when the sender is gone, silent for too long, or asked to leave."""
    stream = request.stream()
    asked = asyncio.ensure_future(leave.wait())
    try:
        while True:
            chunk = asyncio.ensure_future(anext(stream, None))
            done, _ = await asyncio.wait({chunk, asked}, timeout=CHUNK_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if chunk not in done:
                chunk.cancel()
                return
            try:
                data = chunk.result()
            except ClientDisconnect:
                return
            if data is None:
                return
            yield data
            if leave.is_set():
                return
    finally:
        asked.cancel()


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise _Answer(412, f"this server speaks tus {VERSION}", Tus_Version=VERSION)


def _clip_of(request: Request) -> str:
    clip = str(request.path_params["clip"])
    if not is_uuid(clip):
        raise _Answer(404, "no such upload; create it")
    return clip


def _whole_number(text: str | None, name: str) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _Answer(400, f"{name}: is missing or no whole number")
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """tus metadata: `key base64,key base64`."""
    found: dict[str, str] = {}
    for pair in text.split(","):
        key, _, coded = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise _Answer(400, f"Upload-Metadata {key[:40]}: is no base64 of text") from None
    return found


def _reply(status: int, text: str = "", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text + "\n" if text else b"", status, {"Tus-Resumable": VERSION, **named}, media_type="text/plain")
