"""Reading a bundle (vonggac/wire/bundle.py) from a folder or a zip, and taking its secrets away."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from vonggac.wire import bundle as wire
from vonggac.wire.bundle import Bundle
from vonggac.wire.enrolment import TOKEN
from vonggac.wire.release import parse_keys

Answer = TypeVar("Answer")
Content = Callable[[str], bytes | None]
"""A file of the bundle by its name; None where there is none."""


class BundleUnusable(Exception):
    """The bundle cannot be used: the text says why and what to do."""


@dataclass(frozen=True)
class Read:
    """A bundle's content; `facts_file` is box.json as it stands there, `files` are the others."""

    facts: Bundle
    facts_file: bytes
    files: dict[str, bytes]

    @property
    def token(self) -> str:
        """Once scrubbed, there is none: raises BundleUnusable."""
        text = self.files[wire.TOKEN].decode("ascii", "replace").strip()
        if TOKEN.fullmatch(text) is None:
            raise BundleUnusable("the bundle's token is no token. Make a new bundle: collector box replace")
        return text

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its authority, as `collector box add` printed it."""
        try:
            return x509.load_pem_x509_certificate(self.files[wire.AUTHORITY]).fingerprint(hashes.SHA256()).hex()
        except ValueError:
            raise BundleUnusable(f"{wire.AUTHORITY}: is no certificate. Copy the bundle again") from None

    @property
    def release_keys(self) -> tuple[str, ...]:
        """The keys that it pins. Raises BundleUnusable."""
        try:
            return parse_keys(self.files.get(wire.RELEASE_KEYS, b"").decode("ascii", "replace"))
        except ValueError as error:
            raise BundleUnusable(f"{wire.RELEASE_KEYS}: {error}. Make a new bundle") from None

    def expect_authority(self, fingerprint: str | None) -> None:
        """Compare it with what the installer was told. Raises BundleUnusable."""
        if fingerprint is not None and fingerprint.strip().lower() != self.fingerprint:
            raise BundleUnusable(f"the bundle's authority is {self.fingerprint}, not the one given: do not use it")


def read_bundle(path: Path) -> Read:
    """A folder or a zip, whole and as its sums say. Raises BundleUnusable."""
    return _opened(path, lambda content: _checked(path, content))


def facts_of(path: Path) -> Bundle:
    """What a bundle says of itself, also once its secrets are gone. Raises BundleUnusable."""
    return _opened(path, lambda content: _facts(path, content))


def _opened(path: Path, use: Callable[[Content], Answer]) -> Answer:
    try:
        if path.is_dir():
            return use(lambda name: (path / name).read_bytes() if _is_small(path / name) else None)
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}

            def member(name: str) -> bytes | None:
                return archive.read(name) if sizes.get(name, wire.MAX_FILE_BYTES) < wire.MAX_FILE_BYTES else None

            return use(member)
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleUnusable(f"{path}: is no bundle: {getattr(error, 'strerror', None) or error}") from None


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size < wire.MAX_FILE_BYTES


def _facts(path: Path, content: Content) -> Bundle:
    raw = content(wire.FACTS)
    if raw is None:
        raise BundleUnusable(f"{path}: holds no {wire.FACTS}, so it is no bundle")
    try:
        return wire.parse(raw)
    except ValueError as error:
        raise BundleUnusable(f"{path}: {wire.FACTS}: {error}. Copy the bundle again") from None


def _checked(path: Path, content: Content) -> Read:
    facts = _facts(path, content)
    found: dict[str, bytes] = {}
    for name, digest in facts.sums.items():
        data = content(name)
        if data is None:
            gone = "the bundle was used before. Make a new one: collector box replace"
            raise BundleUnusable(f"{path}: {name} is missing; {gone}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise BundleUnusable(f"{path}: {name} is damaged or was changed. Copy the bundle again")
        found[name] = data
    return Read(facts, content(wire.FACTS) or b"", found)


def scrub(path: Path) -> None:
    """Overwrite and remove what is secret in the bundle. Raises OSError: the stick is read-only."""
    if path.is_dir():
        for secret in (path / wire.TOKEN, *sorted((path / wire.SECRETS).glob("*"))):
            shred(secret)
        if (path / wire.SECRETS).is_dir():
            (path / wire.SECRETS).rmdir()
    else:
        shred(path)


def shred(path: Path) -> None:
    """Overwrite a file and remove it, if it is there. Flash memory may keep a copy that nobody reaches."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
