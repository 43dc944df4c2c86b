"""What waits in the outbox, as values. PURE."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class ClipClass(IntEnum):
    """How much a clip is worth when the disk is full: the lowest goes first, and is sent last."""

    ROUTINE = 0
    NORMAL = 1
    ALERT = 2


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """A JPEG of at most 40 KB to be queued with the event that names its SHA-256."""

    episode: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event without a receipt, as the bytes that go out."""

    seq: int
    message: bytes


@dataclass(frozen=True, slots=True)
class WaitingSnapshot:
    """A snapshot without a receipt; `seq` is that of the event it was queued with."""

    sha256: str
    episode: str
    seq: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class WaitingClip:
    """A clip that the collector has not yet said to have. `upload_url` is where a begun upload goes on."""

    clip: str
    episode: str
    camera: str
    seq: int
    sha256: str
    size_bytes: int
    path: Path
    upload_url: str | None


@dataclass(frozen=True, slots=True)
class ParkedItem:
    """An item that the server refused: it waits, out of the way, until a person has it tried again."""

    kind: str
    key: str
    reason: str
    size_bytes: int
