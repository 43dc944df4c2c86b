"""Pictures lent to a messenger's servers: a link to one picture, good for some minutes, that nobody can guess.

A link is LENT_AT/<sha256>.<end>.<mac>: the picture's hash, the end in seconds, and an HMAC of both by a key of this
collector's database. Links are made only for channels that may carry pictures; each use is a line of the audit log.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

LENT_AT = "/lent"
LENT_FOR_MS = 900_000
_MAC_CHARS = 43  # of 64: 172 bits


@dataclass(frozen=True)
class Lender:
    """`key` is the database's; `public_url` is where the messenger's servers reach this collector."""

    key: bytes
    public_url: str
    now_ms: Callable[[], int]

    def __call__(self, picture: bytes) -> str:
        """The link to this picture."""
        sha256 = hashlib.sha256(picture).hexdigest()
        end_s = (self.now_ms() + LENT_FOR_MS) // 1000
        return f"{self.public_url.rstrip('/')}{LENT_AT}/{sha256}.{end_s}.{_mac(self.key, sha256, str(end_s))}"


def lent(key: bytes, name: str, now_ms: int) -> str | None:
    """The picture's hash, where the link's last part is one of ours and has not ended; else None."""
    sha256, _, rest = name.partition(".")
    end_s, _, mac = rest.partition(".")
    if not (name.isascii() and end_s.isdigit() and len(end_s) <= 12):
        return None
    if not hmac.compare_digest(mac, _mac(key, sha256, end_s)) or now_ms >= int(end_s) * 1000:
        return None
    return sha256


def _mac(key: bytes, sha256: str, end_s: str) -> str:
    return hmac.new(key, f"{sha256}.{end_s}".encode(), "sha256").hexdigest()[:_MAC_CHARS]
