"""What `collector box add` gives to `edge-agent enrol`: a folder, or a zip of it, that an installer carries to the box.

    box.json          this module's Bundle: who the box is, where its server is, its cameras, a SHA-256 of each file
    authority.pem     the authority that the server's certificates must come from
    token             good once, for this box, for 72 hours
    secrets/CAMERA    a camera's password, where it has one
    release.keys      the keys whose releases the box takes, where the collector trusts any

The sums tell a damaged stick, not a thief: who can write the bundle can write them too. Pure.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from vonggac.wire.ids import is_box_id, is_camera_name

VERSION = 1
FACTS, AUTHORITY, TOKEN, SECRETS = "box.json", "authority.pem", "token", "secrets"
RELEASE_KEYS = "release.keys"
MAX_FILE_BYTES = 64 * 1024
_HTTPS = re.compile(r"https://[A-Za-z0-9.:\[\]-]{1,255}")
_SUM = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"authority\.pem|token|release\.keys|secrets/[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class BundleCamera:
    """A camera; `source` and `sub` hold no password."""

    name: str
    source: str
    sub: str | None = None
    user: str | None = None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Times in UTC milliseconds; `sums` are SHA-256 in hexadecimal by file name."""

    box: str
    made_ms: int
    url: str
    broker_host: str
    broker_port: int
    cameras: tuple[BundleCamera, ...]
    sums: dict[str, str]


def encode(bundle: Bundle) -> bytes:
    """As it stands in box.json."""
    return json.dumps({"v": VERSION, **asdict(bundle)}, ensure_ascii=False, indent=1).encode()


def parse(data: bytes) -> Bundle:
    """Raises ValueError with what is wrong."""
    try:
        found = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise ValueError("is no JSON in UTF-8") from None
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise ValueError(f"is no bundle of version {VERSION}")
    try:
        bundle = Bundle(
            box=_of(found, "box", str),
            made_ms=_of(found, "made_ms", int),
            url=_of(found, "url", str),
            broker_host=_of(found, "broker_host", str),
            broker_port=_of(found, "broker_port", int),
            cameras=tuple(_camera(each) for each in _of(found, "cameras", list)),
            sums=dict(_of(found, "sums", dict)),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{error.args[0]}: is missing or wrong") from None
    if not is_box_id(bundle.box):
        raise ValueError("box: is no box id")
    if _HTTPS.fullmatch(bundle.url) is None:
        raise ValueError("url: must be https://HOST:PORT")
    if not 1 <= bundle.broker_port <= 65535 or not bundle.broker_host:
        raise ValueError("broker_host, broker_port: are no address")
    for name, digest in bundle.sums.items():
        if _NAME.fullmatch(name) is None or not isinstance(digest, str) or _SUM.fullmatch(digest) is None:
            raise ValueError(f"sums: {name[:60]!r} does not belong in a bundle")
    if not {AUTHORITY, TOKEN} <= bundle.sums.keys():
        raise ValueError(f"sums: {AUTHORITY} and {TOKEN} must be among them")
    return bundle


def _camera(found: Any) -> BundleCamera:
    camera = BundleCamera(
        name=_of(found, "name", str),
        source=_of(found, "source", str),
        sub=None if found.get("sub") is None else _of(found, "sub", str),
        user=None if found.get("user") is None else _of(found, "user", str),
    )
    if not is_camera_name(camera.name):
        raise ValueError("cameras: a name must be 1–40 of a–z, 0–9, _ and -")
    return camera


def _of(found: dict[str, Any], name: str, kind: type) -> Any:
    value = found[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(name)
    return value
