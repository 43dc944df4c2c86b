"""One resumable upload by tus 1.0 (core and creation): deadlines, one kept connection, a shaped body.

Written here, not with tuspy 1.1: that one calls `requests` without a time limit (a half-open connection would hold the
thread for ever), knows no own authority for the server's certificate, and brings aiohttp and nine others along, 10 MB
of a box's memory. What would be left of it are three headers.

Source: https://tus.io/protocols/resumable-upload, 1.0.0.
"""

import base64
import email.utils
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from edge_agent.identity.trust import Trust
from edge_agent.outbox.items import WaitingClip
from edge_agent.uplink.errors import ClipGone, ItemRefused, UplinkRefused, UplinkUnavailable, UploadExpired

CONNECT_S = 10.0
READ_S = 60.0
"""The last answer comes after the server hashed and synced the whole clip."""
_LONGEST_WISH_S = 600.0
_VERSION = {"Tus-Resumable": "1.0.0"}
_PASSING = frozenset({408, 409, 423, 425, 429})


@dataclass(frozen=True, slots=True)
class UploadServer:
    """Where clips go, and as whom: by the secret, or by what `trust` holds. `url` is where uploads are created."""

    url: str
    box: str
    secret: str | None = field(repr=False)
    ca_file: Path | None = None
    trust: Trust | None = None


def open_session(server: UploadServer) -> requests.Session:
    """A session that ignores the environment's proxies and .netrc: the way to the collector is the configuration's."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(server.ca_file) if server.ca_file else True
    if server.secret is not None:
        session.auth = (server.box, server.secret)
    return session


class TusUpload:
    """The upload of one clip. `offset` is what the server has; `path` names the upload on the server, once begun.

    `pace(most_bytes)` is called before each piece is sent, waits as the shape asks, returns how many bytes may go then,
    and may raise to break off.
    All methods raise UplinkUnavailable, UplinkRefused, ItemRefused, UploadExpired or ClipGone.
    """

    def __init__(
        self, server: UploadServer, session: requests.Session, clip: WaitingClip, pace: Callable[[int], int]
    ) -> None:
        self._clip = clip
        self._server = server
        self._session = session
        self._pace = pace
        self._at = server.url
        self.offset = 0

    @property
    def path(self) -> str:
        """What to keep in the outbox: the upload's URL without the server, so that a moved server resumes too."""
        parts = urlsplit(self._at)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def is_complete(self) -> bool:
        """True when the server says to have all bytes."""
        return self.offset >= self._clip.size_bytes

    def begin(self) -> None:
        """Create the upload; a server that has the clip already answers with its whole length as offset."""
        clip = self._clip
        metadata = {"clip": clip.clip, "sha256": clip.sha256, "episode": clip.episode, "camera": clip.camera}
        headers = {"Upload-Length": str(clip.size_bytes), "Upload-Metadata": _metadata(metadata)}
        response = self._ask("POST", self._server.url, headers)
        judge(response, begun=False)
        location = response.headers.get("location")
        if not location:
            raise UplinkUnavailable("the collector's answer to a new upload names no location")
        self._at = self._on_server(location)
        self.offset = self._offset_of(response, missing=0)

    def resume(self, path: str) -> None:
        """Ask how far a begun upload came."""
        self._at = self._on_server(path)
        response = self._ask("HEAD", self._at, {})
        judge(response, begun=True)
        self.offset = self._offset_of(response, missing=None)

    def send_chunk(self, chunk_bytes: int) -> float:
        """Send the next bytes; returns the seconds that took. The server's offset counts, not ours."""
        chunk = self._read(chunk_bytes)
        headers = {"Upload-Offset": str(self.offset), "Content-Type": "application/offset+octet-stream"}
        began = time.monotonic()
        response = self._ask("PATCH", self._at, headers, _PacedBody(chunk, self._pace))
        judge(response, begun=True)
        before = self.offset
        self.offset = self._offset_of(response, missing=None)
        if self.offset <= before:
            raise UplinkUnavailable("the collector took no byte of a chunk")
        return time.monotonic() - began

    def _read(self, most_bytes: int) -> bytes:
        try:
            with self._clip.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(most_bytes)
        except FileNotFoundError:
            raise ClipGone from None
        except OSError as error:
            raise ItemRefused(f"the box's disk does not give the clip: {error.strerror}") from None
        if not data:
            raise ItemRefused(f"the clip's file ends at {self.offset} of {self._clip.size_bytes} bytes")
        return data

    def _ask(
        self, method: str, url: str, headers: dict[str, str], body: "_PacedBody | None" = None
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                url,
                headers=_VERSION | headers,
                data=body,
                timeout=(CONNECT_S, READ_S),
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise UplinkRefused(f"TLS with the collector fails: {_short(error)}") from error
        except requests.exceptions.RequestException as error:
            raise UplinkUnavailable(_short(error)) from error

    def _offset_of(self, response: requests.Response, missing: int | None) -> int:
        text = response.headers.get("upload-offset")
        if text is None and missing is not None:
            return missing
        if text is None or not text.isdecimal() or int(text) > self._clip.size_bytes:
            raise UplinkUnavailable(f"the collector's Upload-Offset makes no sense: {str(text)[:40]}")
        return int(text)

    def _on_server(self, location: str) -> str:
        """The secret goes with every request, so an upload may live nowhere but on the configured server."""
        url = urljoin(self._server.url, location)
        if urlsplit(url)[:2] != urlsplit(self._server.url)[:2]:
            raise UplinkRefused(f"the collector sends uploads to another server ({urlsplit(url).netloc}): not followed")
        return url


def _metadata(values: dict[str, str]) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def judge(response: requests.Response, *, begun: bool) -> None:
    """What a status means for the sender. Raises what it should do; returns for 2xx."""
    status = response.status_code
    if 200 <= status < 300:
        return
    text = f"HTTP {status} {response.reason or ''}".strip()
    if status in (401, 403):
        raise UplinkRefused(f"the collector does not let this box in: {text}")
    if status in (404, 410) and begun:
        raise UploadExpired(text)
    if status == 404:
        raise UplinkUnavailable(f"no upload endpoint at this address: {text}")
    if status in _PASSING or not 400 <= status < 500:
        raise UplinkUnavailable(text, retry_after_s(response.headers.get("retry-after")))
    raise ItemRefused(f"{text}: {response.text[:200]}" if response.text else text)


def retry_after_s(text: str | None, now_s: float | None = None) -> float | None:
    """Seconds from a Retry-After header in either form, at most ten minutes; None when there is none."""
    if not text:
        return None
    if text.isdecimal():
        return min(_LONGEST_WISH_S, float(text))
    try:
        then = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    now = time.time() if now_s is None else now_s
    return min(_LONGEST_WISH_S, max(0.0, then.timestamp() - now))


def _short(error: Exception) -> str:
    """The innermost reason: what requests prints around it names addresses at length."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    reason = getattr(inner, "reason", None)
    return f"{type(error).__name__}: {reason or inner}"[:200]


class _PacedBody:
    """A request body that asks for leave before each piece.

    No `io` class on purpose: `requests` asks those where they stand (`tell`) and, getting no answer, would announce a
    chunked body beside the Content-Length, which a strict server refuses.
    """

    def __init__(self, data: bytes, pace: Callable[[int], int]) -> None:
        self._data = data
        self._at = 0
        self._pace = pace

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece

    def read(self, size: int = -1) -> bytes:
        """The next piece; whoever paces says how large."""
        left = len(self._data) - self._at
        most = left if size < 0 else min(size, left)
        piece = self._data[self._at : self._at + self._pace(most)] if most else b""
        self._at += len(piece)
        return piece
