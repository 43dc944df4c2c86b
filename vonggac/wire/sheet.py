"""The seal of a hand-over sheet: a line behind the HTML, an Ed25519 signature by the box over all before it. Pure.

    <!-- vonggac-sheet 1 BOX KEY SIGNATURE -->

So whatever a reader sees is signed; a byte that is changed, added or taken away breaks the seal.
"""

import re
from dataclasses import dataclass

_LINE = re.compile(rb"<!-- vonggac-sheet 1 ([a-z0-9-]{3,40}) ([0-9a-f]{64}) ([0-9a-f]{128}) -->\n")
MAX_SHEET_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Seal:
    """Who signed, with which public key, and the signature; raw, hexadecimal."""

    box: str
    key: str
    signature: str

    def line(self) -> bytes:
        """As it stands at the end of the file."""
        return f"<!-- vonggac-sheet 1 {self.box} {self.key} {self.signature} -->\n".encode("ascii")


def statement(box: str, page: bytes) -> bytes:
    """What is signed."""
    return b"vonggac hand-over 1\0" + box.encode("ascii") + b"\0" + page


def split(data: bytes) -> tuple[bytes, Seal]:
    """The page and its seal. Raises ValueError when there is none at the very end."""
    start = data.rfind(b"<!-- vonggac-sheet ")
    found = _LINE.fullmatch(data[start:]) if start >= 0 else None
    if found is None:
        raise ValueError("has no seal at its end: it is no hand-over sheet, or was cut off")
    box, key, signature = (part.decode("ascii") for part in found.groups())
    return data[:start], Seal(box, key, signature)
