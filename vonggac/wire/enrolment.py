"""How a box gets its certificate: what travels over HTTPS between `edge-agent enrol` and the collector. Pure.

POST /enrol (nobody is known yet) and POST /renew (over mutual TLS) carry one JSON object of at most MAX_REQUEST_BYTES.
docs/ref/enrolment.md tells both. Unknown fields are ignored, types are strict.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from vonggac.wire.ids import is_box_id

VERSION = 1
ENROL_PATH, RENEW_PATH, WHOAMI_PATH = "/enrol", "/renew", "/whoami"
MAX_REQUEST_BYTES = 8 * 1024
MAX_CSR_BYTES = 4 * 1024
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""256 random bits in base64url."""
_HEX32 = re.compile(r"[0-9a-f]{64}")
_HEX64 = re.compile(r"[0-9a-f]{128}")
SERVER_NAMES = ("collector", "broker", "localhost")
"""No box may be called so: a file, a user or a host of ours is."""


@dataclass(frozen=True, kw_only=True)
class EnrolRequest:
    """`csr` is PEM; `signing_key` the raw Ed25519 public key in hex; `signature` proves that key over `statement`."""

    box: str
    token: str = field(repr=False)
    csr: str
    signing_key: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class RenewRequest:
    """`csr` is PEM, over a new key; who asks is what the connection's certificate says."""

    csr: str


@dataclass(frozen=True, kw_only=True)
class Issued:
    """The certificate, PEM, and when it ends, UTC milliseconds."""

    certificate: str
    not_after_ms: int


def statement(box: str, csr_der: bytes) -> bytes:
    """What the signing key signs at enrolment: that it belongs to this box and to this request."""
    return b"vonggac enrolment 1\0" + box.encode("ascii") + b"\0" + csr_der


def encode(message: EnrolRequest | RenewRequest | Issued) -> bytes:
    """As it travels."""
    return json.dumps({"v": VERSION, **asdict(message)}).encode()


def parse_enrol(data: bytes) -> EnrolRequest:
    """Raises ValueError with what is wrong, which never repeats the token."""
    found = _object(data)
    request = EnrolRequest(
        box=_text(found, "box", 40),
        token=_text(found, "token", 64),
        csr=_text(found, "csr", MAX_CSR_BYTES),
        signing_key=_text(found, "signing_key", 64),
        signature=_text(found, "signature", 128),
    )
    if not is_box_id(request.box):
        raise ValueError("box: is no box id")
    if TOKEN.fullmatch(request.token) is None:
        raise ValueError("token: is none")
    if _HEX32.fullmatch(request.signing_key) is None:
        raise ValueError("signing_key: is no Ed25519 key in 64 hexadecimal digits")
    if _HEX64.fullmatch(request.signature) is None:
        raise ValueError("signature: is no Ed25519 signature in 128 hexadecimal digits")
    return request


def parse_renew(data: bytes) -> RenewRequest:
    """Raises ValueError with what is wrong."""
    return RenewRequest(csr=_text(_object(data), "csr", MAX_CSR_BYTES))


def parse_issued(data: bytes) -> Issued:
    """Raises ValueError with what is wrong."""
    found = _object(data)
    not_after_ms = found.get("not_after_ms")
    if not isinstance(not_after_ms, int) or isinstance(not_after_ms, bool):
        raise ValueError("not_after_ms: is no whole number")  # noqa: TRY004 - a message's mistake, not a caller's
    return Issued(certificate=_text(found, "certificate", 16 * 1024), not_after_ms=not_after_ms)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise ValueError("is no JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004
    if found.get("v") != VERSION:
        raise ValueError(f"v: must be {VERSION}")
    return found


def _text(found: dict[str, Any], name: str, longest: int) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: is missing or no text")
    if len(value) > longest:
        raise ValueError(f"{name}: is longer than {longest} characters")
    return value
