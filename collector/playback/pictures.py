"""Draws an uploaded picture anew in a process of its own (drawing.py), so that nothing but its pixels is kept."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

WITHIN_S = 60.0
MAX_BYTES = 12 * 2**20
PictureKind = Literal["png", "jpeg"]
_BEGINS: dict[bytes, PictureKind] = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}


class NoPicture(Exception):
    """The bytes are no PNG or JPEG that can be drawn; the text says why."""


@dataclass(frozen=True)
class Drawn:
    """A picture of ours."""

    kind: PictureKind
    width: int
    height: int
    body: bytes


def draw_anew(given: bytes) -> Drawn:
    """The same picture without whatever else was in the file. Raises NoPicture."""
    kind = next((kind for begin, kind in _BEGINS.items() if given.startswith(begin)), None)
    if kind is None:
        raise NoPicture("is neither PNG nor JPEG")
    command = [sys.executable, "-P", "-m", "collector.playback.drawing", kind]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise NoPicture("takes too long to draw") from None
    if done.returncode != 0:
        raise NoPicture("cannot be drawn: damaged, or too large")
    head, _, body = done.stdout.partition(b"\n")
    if len(body) > MAX_BYTES:
        raise NoPicture("is too large when drawn anew; give a JPEG, or a smaller one")
    size = json.loads(head)
    return Drawn(kind, size["width"], size["height"], body)
