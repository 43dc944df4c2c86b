"""Releases that were taken in, as files under DATA/releases, and the keys whose signatures count.

Rules: what is not signed by a key of release.keys, or is not the archive of its manifest, does not get in; a release is
there whole or not at all; the collector holds public keys alone and can sign nothing.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from vonggac.daemon.files import make_folder, rename_durably, write_durably
from vonggac.daemon.signatures import signer_of
from vonggac.wire import release as wire

KEYS = "release.keys"


class ReleaseRefused(Exception):
    """It is not taken in: the text says why."""


@dataclass(frozen=True)
class Signed:
    """A manifest and its signature, as they travel."""

    manifest: wire.Manifest
    text: str
    signature: str


class Shelf:
    """`folder` is DATA/releases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def trusted_keys(self) -> tuple[str, ...]:
        """The trusted keys. Raises ReleaseRefused for a file that makes no sense."""
        try:
            return wire.parse_keys((self.folder / KEYS).read_text(encoding="ascii"))
        except FileNotFoundError:
            return ()
        except (ValueError, OSError) as error:
            raise ReleaseRefused(f"{self.folder / KEYS}: {error}") from None

    def trust(self, key: str) -> bool:
        """Take in a public key; False when it was there. Raises ValueError, OSError."""
        if wire.parse_keys(key) != (key,):
            raise ValueError("is no key; a key is 64 hexadecimal digits")
        known = self.trusted_keys()
        if key in known:
            return False
        make_folder(self.folder)
        write_durably(self.folder / KEYS, "".join(f"{each}\n" for each in (*known, key)).encode(), mode=0o644)
        return True

    def distrust(self, key: str) -> bool:
        """Take a key out: new bundles do not hold it. Boxes that are enrolled keep what they have. Raises OSError."""
        known = self.trusted_keys()
        rest = [each for each in known if each != key]
        write_durably(self.folder / KEYS, "".join(f"{each}\n" for each in rest).encode(), mode=0o644)
        return len(rest) < len(known)

    def take_in(self, source: Path) -> Signed:
        """Look at a release as `collector update sign` made it, and copy it. Raises ReleaseRefused, OSError."""
        signed = self._read(source)
        target = self.folder / signed.manifest.version
        if target.exists():
            raise ReleaseRefused(f"{signed.manifest.version} is here already; a release never changes")
        part = self.folder / f".{signed.manifest.version}.part"
        shutil.rmtree(part, ignore_errors=True)
        make_folder(self.folder)
        part.mkdir()
        try:
            for archive in signed.manifest.archives:
                _copy(source / archive.file, part / archive.file, archive)
            write_durably(part / wire.MANIFEST, signed.text.encode(), mode=0o644)
            write_durably(part / wire.SIGNATURE, signed.signature.encode(), mode=0o644)
            os.sync()
            rename_durably(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return signed

    def _read(self, source: Path) -> Signed:
        try:
            with (source / wire.MANIFEST).open("rb") as file:
                data = file.read(wire.MAX_MANIFEST_BYTES + 1)
            with (source / wire.SIGNATURE).open("rb") as file:
                raw = file.read(200)
        except OSError as error:
            raise ReleaseRefused(f"{error.filename}: {error.strerror}; is this a release?") from None
        try:
            signature = wire.parse_signature(raw)
        except ValueError as error:
            raise ReleaseRefused(f"{source / wire.SIGNATURE}: {error}") from None
        if signer_of(wire.statement(data), signature, self.trusted_keys()) is None:
            raise ReleaseRefused(f"{source}: is not signed by a trusted key. See: collector update trust")
        try:
            return Signed(wire.parse_manifest(data), data.decode("utf-8"), signature.hex())
        except ValueError as error:
            raise ReleaseRefused(f"{source / wire.MANIFEST}: {error}") from None

    def archive(self, version: str, sha256: str, text: str) -> Path | None:
        """The file of an archive that the manifest `text` of this version names."""
        manifest = wire.parse_manifest(text.encode())
        found = next((each for each in manifest.archives if each.sha256 == sha256), None)
        return None if found is None else self.folder / version / found.file


def _copy(source: Path, target: Path, told: wire.Archive) -> None:
    """At most as many bytes as were told, with the hash that was told."""
    digest, left = hashlib.sha256(), told.size_bytes
    with source.open("rb") as read, target.open("xb") as written:
        while chunk := read.read(min(2**20, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            written.write(chunk)
    if left or digest.hexdigest() != told.sha256:
        raise ReleaseRefused(f"{source}: is not the archive that the manifest names")
