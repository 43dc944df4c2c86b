"""A signed release of the box's program, and what travels when a box asks for one. Pure.

manifest.json   this module's Manifest, exactly the bytes that were signed
manifest.sig    the Ed25519 signature over `statement`, hexadecimal
ARCHIVES        one .tar.gz for each target, named in the manifest with its SHA-256
                in each: SHA256SUMS, as sha256sum writes it, of all its other files

GET /release answers an Answer, GET /release/archive/SHA256 an archive (Range allowed); both over mutual TLS alone.
Nothing of a manifest is read before its signature was found to be of a pinned key (vonggac/daemon/signatures.py).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
RELEASE_PATH, ARCHIVE_PATH = "/release", "/release/archive"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SUMS = "SHA256SUMS"
MAX_MANIFEST_BYTES = 64 * 1024
MAX_ARCHIVE_BYTES = 2**30
MAX_UNPACKED_BYTES = 4 * 2**30
MAX_MEMBERS = 100_000
MAX_NOTES = 2000
_NUMBER = r"(0|[1-9][0-9]{0,5})"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}")
TARGET = re.compile(r"[a-z0-9_]{1,20}-cp3[0-9]{1,2}")
SHA256 = re.compile(r"[0-9a-f]{64}")
KEY = re.compile(r"[0-9a-f]{64}")
"""A raw Ed25519 public key, hexadecimal."""
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_SUM = re.compile(r"([0-9a-f]{64})  ([^\0\n]{1,1024})")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One target's archive: what it is called, how large it is packed and unpacked, how many members it has."""

    target: str
    file: str
    size_bytes: int
    sha256: str
    unpacked_bytes: int
    members: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """`outbox` is the version of the outbox's database that this release writes; `notes` is for people."""

    version: str
    made_ms: int
    outbox: int
    archives: tuple[Archive, ...]
    notes: str = ""

    def archive_for(self, target: str) -> Archive | None:
        """The archive of a target; None when this release has none."""
        return next((each for each in self.archives if each.target == target), None)


@dataclass(frozen=True, kw_only=True)
class Heard:
    """The newest heartbeat that the collector has committed of a box.

    `ran_ms`: for how long that run of the agent had been running. `cameras`: does each show a picture decoded within
    the last minute?
    """

    version: str | None
    received_ms: int
    ran_ms: int | None
    cameras: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the collector wants of a box: a signed manifest or nothing; and what it last heard. `now_ms` is its time."""

    now_ms: int
    manifest: str | None = None
    signature: str | None = None
    heard: Heard | None = None


def version_key(version: str) -> tuple[int, int, int]:
    """For comparing. Raises ValueError for what is no version.

    >>> version_key("1.10.0") > version_key("1.9.12")
    True
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError("must be MAJOR.MINOR.PATCH, numbers only")
    return int(found[1]), int(found[2]), int(found[3])


def statement(manifest: bytes) -> bytes:
    """What a release key signs."""
    return b"vonggac release 1\0" + manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """As it is signed."""
    return json.dumps({"v": VERSION, **asdict(manifest)}, ensure_ascii=False, indent=1).encode()


def parse_manifest(data: bytes) -> Manifest:
    """Raises ValueError with what is wrong."""
    found = _object(data, MAX_MANIFEST_BYTES)
    manifest = Manifest(
        version=_of(found, "version", str),
        made_ms=_of(found, "made_ms", int),
        outbox=_of(found, "outbox", int),
        archives=tuple(_archive(each) for each in _of(found, "archives", list)),
        notes=_of(found, "notes", str),
    )
    try:
        version_key(manifest.version)
    except ValueError as error:
        raise ValueError(f"version: {error}") from None
    targets = [each.target for each in manifest.archives]
    if not targets or len(set(targets)) != len(targets):
        raise ValueError("archives: must be one for each target, and at least one")
    if len(manifest.notes) > MAX_NOTES:
        raise ValueError(f"notes: are longer than {MAX_NOTES} characters")
    return manifest


def _archive(found: Any) -> Archive:
    if not isinstance(found, dict):
        raise ValueError("archives: must be objects")  # noqa: TRY004 - whoever parses catches one kind
    archive = Archive(
        target=_matching(found, "target", TARGET),
        file=_matching(found, "file", _FILE),
        size_bytes=_of(found, "size_bytes", int),
        sha256=_matching(found, "sha256", SHA256),
        unpacked_bytes=_of(found, "unpacked_bytes", int),
        members=_of(found, "members", int),
    )
    for name, most in (
        ("size_bytes", MAX_ARCHIVE_BYTES),
        ("unpacked_bytes", MAX_UNPACKED_BYTES),
        ("members", MAX_MEMBERS),
    ):
        if not 0 < getattr(archive, name) <= most:
            raise ValueError(f"archives: {name} must be from 1 to {most}")
    return archive


def write_sums(sums: Mapping[str, str]) -> str:
    """The list of a release's files: name to SHA-256."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def read_sums(text: str) -> dict[str, str]:
    """What `write_sums` wrote. Raises ValueError for a line that is torn."""
    sums = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _SUM.fullmatch(line)
        if found is None:
            raise ValueError(f"line {number} is no sum and name")
        sums[found[2]] = found[1]
    return sums


def parse_signature(data: bytes) -> bytes:
    """As it stands in manifest.sig. Raises ValueError."""
    text = data[:200].decode("ascii", "replace").strip()
    if _SIGNATURE.fullmatch(text) is None:
        raise ValueError("is no signature in hexadecimal")
    return bytes.fromhex(text)


def parse_keys(text: str) -> tuple[str, ...]:
    """release.keys: one key a line, empty lines and lines with # left out. Raises ValueError."""
    keys = []
    for at, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0].strip()
        if bare and KEY.fullmatch(bare) is None:
            raise ValueError(f"line {at}: is no key; a key is 64 hexadecimal digits")
        keys += [bare] if bare else []
    return tuple(dict.fromkeys(keys))


def encode_answer(answer: Answer) -> bytes:
    """As it travels."""
    return json.dumps({"v": VERSION, **asdict(answer)}, ensure_ascii=False).encode()


def parse_answer(data: bytes) -> Answer:
    """Raises ValueError with what is wrong."""
    found = _object(data, 2 * MAX_MANIFEST_BYTES)
    heard = found.get("heard")
    return Answer(
        now_ms=_of(found, "now_ms", int),
        manifest=None if found.get("manifest") is None else _of(found, "manifest", str),
        signature=None if found.get("signature") is None else _of(found, "signature", str),
        heard=None if heard is None else _heard(heard),
    )


def _heard(found: Any) -> Heard:
    if not isinstance(found, dict):
        raise ValueError("heard: must be an object")  # noqa: TRY004
    cameras = _of(found, "cameras", dict)
    if any(not isinstance(shows, bool) for shows in cameras.values()):
        raise ValueError("heard: cameras are true or false")
    return Heard(
        version=None if found.get("version") is None else _of(found, "version", str),
        received_ms=_of(found, "received_ms", int),
        ran_ms=None if found.get("ran_ms") is None else _of(found, "ran_ms", int),
        cameras=cameras,
    )


def _object(data: bytes, most: int) -> dict[str, Any]:
    if len(data) > most:
        raise ValueError(f"is larger than {most} bytes")
    try:
        found = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise ValueError("is no JSON in UTF-8") from None
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise ValueError(f"is not of version {VERSION}")
    return found


def _of(found: dict[str, Any], name: str, kind: type) -> Any:
    value = found.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name}: is missing or wrong")  # noqa: TRY004
    return value


def _matching(found: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value: str = _of(found, name, str)
    if pattern.fullmatch(value) is None:
        raise ValueError(f"{name}: is none")
    return value
