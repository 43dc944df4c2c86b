"""Enrolment: a bundle becomes an identity, a configuration and the cameras' secrets; then the bundle's secrets go.

Steps: (1) the bundle is read whole and compared with its sums, (2) keys are made here, (3) the server is asked, over
HTTPS against the bundle's authority, (4) secrets, configuration and identity are written, the certificate last, (5) the
token and the passwords are overwritten and removed from the bundle. A run that broke off is begun again the same way:
the key of the first try is kept, and the server gives the same key the same certificate.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from edge_agent.identity import exchange
from edge_agent.identity import folder as files
from edge_agent.identity.folder import Facts
from edge_agent.identity.trust import Trust
from vonggac.daemon.clock import Clock
from vonggac.daemon.files import make_folder, write_durably
from vonggac.wire import bundle as wire
from vonggac.wire.bundle import Bundle
from vonggac.wire.enrolment import ENROL_PATH, TOKEN, EnrolRequest, encode, statement


class BundleUnusable(Exception):
    """The bundle cannot be used: the text says why and what to do."""


@dataclass(frozen=True)
class Read:
    """A bundle's content."""

    facts: Bundle
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

    def expect_authority(self, fingerprint: str | None) -> None:
        """Compare it with what the installer was told. Raises BundleUnusable."""
        if fingerprint is not None and fingerprint.strip().lower() != self.fingerprint:
            raise BundleUnusable(f"the bundle's authority is {self.fingerprint}, not the one given: do not use it")


def read_bundle(path: Path) -> Read:
    """A folder or a zip. Raises BundleUnusable."""
    try:
        if path.is_dir():
            return _checked(path, lambda name: (path / name).read_bytes() if _is_small(path / name) else None)
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}

            def member(name: str) -> bytes | None:
                return archive.read(name) if sizes.get(name, wire.MAX_FILE_BYTES) < wire.MAX_FILE_BYTES else None

            return _checked(path, member)
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleUnusable(f"{path}: is no bundle: {getattr(error, 'strerror', None) or error}") from None


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size < wire.MAX_FILE_BYTES


def _checked(path: Path, content: Any) -> Read:
    raw = content(wire.FACTS)
    if raw is None:
        raise BundleUnusable(f"{path}: holds no {wire.FACTS}, so it is no bundle")
    try:
        facts = wire.parse(raw)
    except ValueError as error:
        raise BundleUnusable(f"{path}: {wire.FACTS}: {error}. Copy the bundle again") from None
    found: dict[str, bytes] = {}
    for name, digest in facts.sums.items():
        data = content(name)
        if data is None:
            gone = "the bundle was used before. Make a new one: collector box replace"
            raise BundleUnusable(f"{path}: {name} is missing; {gone}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise BundleUnusable(f"{path}: {name} is damaged or was changed. Copy the bundle again")
        found[name] = data
    return Read(facts, found)


def enrol(read: Read, data: Path, config: Path, clock: Clock) -> files.Identity:
    """Steps 2 to 4. Raises BundleUnusable, exchange.AnswerRefused, exchange.NoAnswer, OSError."""
    facts, folder = read.facts, data / "identity"
    if files.is_enrolled(folder):
        raise BundleUnusable(f"{folder}: this box is enrolled already. To enrol it anew, remove that folder first")
    make_folder(data)
    files.begin(folder)
    write_durably(folder / files.AUTHORITY, read.files[wire.AUTHORITY], mode=0o644)
    key, signing = files.next_key(folder), files.signing_key(folder)
    csr = files.make_csr(key, facts.box)
    signed = signing.sign(statement(facts.box, csr.public_bytes(serialization.Encoding.DER)))
    raw = signing.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    request = EnrolRequest(
        box=facts.box,
        token=read.token,
        csr=files.csr_pem(csr),
        signing_key=raw.hex(),
        signature=signed.hex(),
    )
    trust = Trust(folder / files.AUTHORITY, None, clock, lambda: facts.made_ms)
    issued = exchange.ask(trust.context(), f"{facts.url}{ENROL_PATH}", encode(request))
    if not files.fits(issued.certificate, key, facts.box):
        raise exchange.AnswerRefused("the server's certificate is not for this box and key")
    for camera in facts.cameras:
        secret = read.files.get(f"{wire.SECRETS}/{camera.name}")
        if secret is not None:
            make_folder(data / wire.SECRETS)
            (data / wire.SECRETS).chmod(0o700)
            write_durably(data / wire.SECRETS / camera.name, secret)
    if not config.exists():
        make_folder(config.parent)
        write_durably(config, configuration(facts, data, frozenset(read.files)), mode=0o644)
    files.write_facts(folder, Facts(facts.box, facts.url, facts.made_ms))
    write_durably(folder / files.TLS, files.key_pem(key) + issued.certificate.encode("ascii"))
    (folder / files.NEXT).unlink(missing_ok=True)
    files.hand_over(folder, data)
    if (data / wire.SECRETS).exists():
        files.hand_over(data / wire.SECRETS, data)
    return files.Identity(folder)


def configuration(facts: Bundle, data: Path, given: frozenset[str]) -> bytes:
    """The agent's configuration, as the bundle describes it."""
    cameras = []
    for camera in facts.cameras:
        one: dict[str, Any] = {"name": camera.name, "source": camera.source}
        if camera.sub is not None:
            one["sub"] = camera.sub
        if camera.user is not None and f"{wire.SECRETS}/{camera.name}" in given:
            one |= {"user": camera.user, "password_file": str(data / wire.SECRETS / camera.name)}
        cameras.append(one)
    content = {
        "box": facts.box,
        "data": str(data),
        "identity": str(data / "identity"),
        "broker": {"host": facts.broker_host, "port": facts.broker_port},
        "collector": {"url": facts.url},
        "cameras": cameras,
    }
    head = "# Written by `edge-agent enrol`; configs/edge.yaml shows every option.\n"
    return (head + yaml.safe_dump(content, allow_unicode=True, sort_keys=False)).encode()


def scrub(path: Path) -> None:
    """Overwrite and remove what is secret in the bundle. Raises OSError: the stick is read-only."""
    if path.is_dir():
        for secret in (path / wire.TOKEN, *sorted((path / wire.SECRETS).glob("*"))):
            _shred(secret)
        if (path / wire.SECRETS).is_dir():
            (path / wire.SECRETS).rmdir()
    else:
        _shred(path)


def _shred(path: Path) -> None:
    if not path.is_file():
        return
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
