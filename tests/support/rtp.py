"""Puts coded pictures into RTP packets in every way that H.264 and H.265 know."""

import random
import struct
from collections.abc import Iterator


def packets(
    codec: str, pictures: list[list[bytes]], stamps: list[int], rng: random.Random, first_number: int = 65_530
) -> Iterator[bytes]:
    """`pictures` are lists of units; single packets, aggregates and fragments of random sizes, in order."""
    number = first_number
    for units, stamp in zip(pictures, stamps, strict=True):
        payloads = list(_payloads(codec, units, rng))
        for index, payload in enumerate(payloads):
            yield packet(payload, number, stamp, marker=index == len(payloads) - 1, rng=rng)
            number = (number + 1) % 65_536


def packet(payload: bytes, number: int, stamp: int, *, marker: bool, rng: random.Random | None = None) -> bytes:
    """One packet; with `rng` some carry contributors, an extension or padding."""
    flags, extra, padding = 0x80, b"", b""
    if rng is not None and rng.random() < 0.2:
        contributors = rng.randrange(1, 4)
        flags, extra = flags | contributors, bytes(4 * contributors)
    if rng is not None and rng.random() < 0.2:
        flags, extra = flags | 0x10, extra + b"\xab\xcd\x00\x02" + bytes(8)
    if rng is not None and rng.random() < 0.2:
        flags, padding = flags | 0x20, bytes(3) + b"\x04"
    head = struct.pack(">BBHII", flags, 96 | marker << 7, number % 65_536, stamp % (1 << 32), 7)
    return head + extra + payload + padding


def _payloads(codec: str, units: list[bytes], rng: random.Random) -> Iterator[bytes]:
    waiting: list[bytes] = []
    for unit in units:
        if len(unit) < 60 and rng.random() < 0.7:
            waiting.append(unit)
            continue
        yield from _aggregated(codec, waiting)
        waiting = []
        if rng.random() < 0.7 and len(unit) > 8:
            yield from fragments(codec, unit, rng.randrange(3, 1 + max(4, len(unit) // 2)))
        else:
            yield unit
    yield from _aggregated(codec, waiting)


def _aggregated(codec: str, units: list[bytes]) -> Iterator[bytes]:
    if units:
        head = b"\x18" if codec == "h264" else bytes((48 << 1, 1))
        yield head + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def fragments(codec: str, unit: bytes, size: int) -> Iterator[bytes]:
    """One unit in pieces of at most `size` bytes."""
    header = 1 if codec == "h264" else 2
    body = unit[header:]
    for at in range(0, len(body), size):
        ends = 0x80 * (at == 0) | 0x40 * (at + size >= len(body))
        if codec == "h264":
            yield bytes((unit[0] & 0xE0 | 28, ends | unit[0] & 0x1F)) + body[at : at + size]
        else:
            kind = unit[0] >> 1 & 0x3F
            yield bytes((unit[0] & 0x81 | 49 << 1, unit[1], ends | kind)) + body[at : at + size]
