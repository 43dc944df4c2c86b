"""Asking the collector which release this box should have, and fetching archives, over mutual TLS alone.

Rules: answers are bounded; an archive goes on where it stopped and is never written beyond the size that its signed
manifest says; whether it is the right one is for its hash to say.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import requests

from edge_agent.identity.exchange import TIMEOUT_S, PinnedAdapter, tls_reason
from vonggac.daemon.crash_points import reach
from vonggac.wire import release as wire

_CHUNK = 64 * 1024
Progress = Callable[[int], None]
"""Told how many bytes are there."""


class NoAnswer(Exception):
    """The collector was not reached or could not answer now: ask again later."""


class DoorClosed(Exception):
    """The collector gives this box nothing: the text says why."""


class Door(Protocol):
    """Where releases come from."""

    def ask(self) -> wire.Answer:
        """What is wanted, and what was heard. Raises NoAnswer, DoorClosed."""
        ...

    def fetch(self, archive: wire.Archive, into: Path, progress: Progress) -> None:
        """Append to `into` what is still missing of an archive. Raises NoAnswer, DoorClosed, OSError."""
        ...


class CollectorDoor:
    """The collector at `url`; `context` makes its TLS, with the box's certificate."""

    def __init__(self, url: str, context: Callable[[], ssl.SSLContext]) -> None:
        self._url = url
        self._context = context

    def ask(self) -> wire.Answer:
        url = f"{self._url}{wire.RELEASE_PATH}"
        with self._session() as session:
            try:
                with session.get(url, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as answer:
                    self._check(answer, 200)
                    data = answer.raw.read(2 * wire.MAX_MANIFEST_BYTES + 1, decode_content=True)
            except requests.RequestException as error:
                raise self._unreached(error) from None
            except OSError as error:
                raise NoAnswer(f"{self._url}: {error.strerror or type(error).__name__}") from None
        try:
            return wire.parse_answer(data)
        except ValueError as error:
            raise NoAnswer(f"{url}: its answer makes no sense: {error}") from None

    def fetch(self, archive: wire.Archive, into: Path, progress: Progress) -> None:
        there = into.stat().st_size if into.exists() else 0
        if there >= archive.size_bytes:
            return
        url = f"{self._url}{wire.ARCHIVE_PATH}/{archive.sha256}"
        headers = {"Range": f"bytes={there}-", "Accept-Encoding": "identity"}
        with self._session() as session, into.open("ab") as file:
            try:
                with session.get(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as answer:
                    self._check(answer, 206)
                    for chunk in answer.iter_content(_CHUNK):
                        if there + len(chunk) > archive.size_bytes:
                            raise DoorClosed("the archive is longer than its manifest says")
                        file.write(chunk)
                        there += len(chunk)
                        progress(there)
                        reach("update.fetching")
            except requests.RequestException as error:
                raise self._unreached(error) from None

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", PinnedAdapter(self._context()))
        return session

    def _unreached(self, error: requests.RequestException) -> Exception:
        if isinstance(error, requests.exceptions.SSLError):
            return DoorClosed(f"{self._url}: TLS fails: {tls_reason(error)}")
        return NoAnswer(f"{self._url}: cannot be reached ({type(error).__name__})")

    def _check(self, answer: requests.Response, wanted: int) -> None:
        if answer.status_code == wanted:
            return
        if answer.status_code in (408, 429) or answer.status_code >= 500:
            raise NoAnswer(f"{self._url}: cannot answer now (HTTP {answer.status_code})")
        word = answer.raw.read(300, decode_content=True).decode("utf-8", "replace").strip()
        raise DoorClosed(f"{self._url}: HTTP {answer.status_code}: {word}")


class StickDoor:
    """A release from a folder on a stick; what was heard still comes from the collector."""

    def __init__(self, folder: Path, collector: Door) -> None:
        self._folder = folder
        self._collector = collector

    def ask(self) -> wire.Answer:
        answer = self._collector.ask()
        try:
            manifest = _small(self._folder / wire.MANIFEST, wire.MAX_MANIFEST_BYTES)
            signature = _small(self._folder / wire.SIGNATURE, 200)
        except OSError as error:
            raise DoorClosed(f"{error.filename}: {error.strerror}; is this a release?") from None
        return wire.Answer(now_ms=answer.now_ms, manifest=manifest, signature=signature.strip(), heard=answer.heard)

    def fetch(self, archive: wire.Archive, into: Path, progress: Progress) -> None:
        there = 0
        with (self._folder / archive.file).open("rb") as source, into.open("wb") as file:
            while there < archive.size_bytes and (chunk := source.read(min(_CHUNK, archive.size_bytes - there))):
                file.write(chunk)
                there += len(chunk)
                progress(there)


def _small(path: Path, most: int) -> str:
    with path.open("rb") as file:
        return file.read(most + 1).decode("utf-8", "replace")
