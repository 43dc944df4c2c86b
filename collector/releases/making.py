"""Making a release, away from any server: what deploy/package/build packed is described in a manifest and signed.

Rules: the private key stands in a file encrypted with a password, and nothing of it ever comes to the collector; what
the archives say of themselves (release.json in each) is what the manifest says of them.
"""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import make_folder, write_durably
from vonggac.daemon.signatures import public_hex
from vonggac.wire import release as wire

LEAST_PASSWORD = 16
MACHINE_OF = {"amd64": "x86_64", "arm64": "aarch64"}
_FACTS = PurePosixPath("release.json")


def make_key(path: Path, password: str) -> str:
    """A new signing key, encrypted; returns its public half. Raises ConfigInvalid, FileExistsError, OSError."""
    if len(password) < LEAST_PASSWORD:
        raise ConfigInvalid(
            [f"the password must have at least {LEAST_PASSWORD} characters. Do: openssl rand -base64 32"]
        )
    if path.exists():
        raise FileExistsError(17, "exists; boxes trust it, so it is not overwritten", str(path))
    key = Ed25519PrivateKey.generate()
    write_durably(
        path,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password.encode()),
        ),
    )
    return public_hex(key)


def read_key(path: Path, password: str) -> Ed25519PrivateKey:
    """Raises ConfigInvalid."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password.encode())
    except OSError as error:
        raise ConfigInvalid([f"{path}: cannot be read: {error.strerror}"]) from None
    except (ValueError, TypeError):
        raise ConfigInvalid([f"{path}: cannot be opened with this password"]) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigInvalid([f"{path}: holds no Ed25519 key"])
    return key


def make_release(
    target: Path, packed: Sequence[Path], outbox: int, notes: str, now_ms: int, key: Ed25519PrivateKey
) -> wire.Manifest:
    """Archives, manifest and signature in the new folder `target`. Raises ValueError, FileExistsError, OSError."""
    described = [_describe(path) for path in packed]
    versions = {version for version, _archive in described}
    if len(versions) != 1:
        raise ValueError(f"are of different versions: {', '.join(sorted(versions))}")
    manifest = wire.Manifest(
        version=versions.pop(),
        made_ms=now_ms,
        outbox=outbox,
        archives=tuple(archive for _version, archive in described),
        notes=notes,
    )
    data = wire.encode_manifest(manifest)
    wire.parse_manifest(data)
    make_folder(target.parent)
    target.mkdir()
    for path in packed:
        shutil.copy(path, target / path.name)
    write_durably(target / wire.MANIFEST, data, mode=0o644)
    write_durably(target / wire.SIGNATURE, key.sign(wire.statement(data)).hex().encode() + b"\n", mode=0o644)
    return manifest


def _describe(path: Path) -> tuple[str, wire.Archive]:
    """Its version, and the archive as a manifest names it. Raises ValueError, OSError."""
    unpacked = members = 0
    facts: dict[str, Any] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                members += 1
                unpacked += member.size if member.isreg() else 0
                content = archive.extractfile(member) if PurePosixPath(member.name) == _FACTS else None
                if content is not None:
                    facts = json.loads(content.read(wire.MAX_MANIFEST_BYTES))
        if facts["program"] != "agent":
            raise ValueError(f"{path}: is the {facts['program']}'s; boxes run the agent")
        target = f"{MACHINE_OF[facts['architecture']]}-cp{facts['python'].replace('.', '')}"
        version = str(facts["version"])
    except (tarfile.TarError, KeyError, TypeError, AttributeError, json.JSONDecodeError):
        raise ValueError(f"{path}: is no release as deploy/package/build --tar makes it") from None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return version, wire.Archive(
        target=target,
        file=path.name,
        size_bytes=path.stat().st_size,
        sha256=sha256,
        unpacked_bytes=unpacked,
        members=members,
    )
