"""What waits in the outbox, as values. PURE."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

ClipState = Literal["waiting", "parked", "delivered", "going"]
ItemKind = Literal["event", "snapshot", "clip"]


class ClipClass(IntEnum):
    """How much a clip is worth when the disk is full: the lowest goes first, and is sent last."""

    ROUTINE = 0
    """Motion on a camera for which nobody drew a zone."""
    NORMAL = 1
    """Motion in a zone that somebody drew."""
    ALERT = 2
    """Somebody meddled with the camera."""


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
    """A snapshot without a receipt; `number` counts snapshots, `seq` is that of the event it was queued with."""

    number: int
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
class KeptClip:
    """A clip file on the disk, as the disk budget weighs it; `seq` (of its clip_ready event) is its age."""

    clip: str
    episode: str
    camera: str
    seq: int
    size_bytes: int
    clip_class: ClipClass
    state: ClipState
    path: Path


@dataclass(frozen=True, slots=True)
class ParkedItem:
    """An item that the server refused: it waits, out of the way, until a person has it tried again.

    `key` is an event's seq, a snapshot's SHA-256 or a clip's id.
    """

    kind: ItemKind
    key: str
    reason: str
    size_bytes: int
