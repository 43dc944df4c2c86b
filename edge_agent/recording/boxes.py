"""Reads the parts of a fragmented MP4 and makes its index (sidx). PURE: works on bytes and a seekable file it is given.

Sources: ISO/IEC 14496-12 (8.8 movie fragments, 8.16.3 segment index). Only what our own clip writer makes is
understood: one track, `default-base-is-moof`, one trun a fragment; anything else ends the walk as torn.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

_HEADER = struct.Struct(">I4s")
_MAX_MOOF_BYTES = 4 << 20
_SIDX_HEAD_BYTES = 32
_SIDX_ENTRY_BYTES = 12
_NON_SYNC = 0x00010000
_PROBED_BYTES = 16
_SECTOR = 512  # the least that a disk writes
_UNWRITTEN = bytes(_SECTOR)
Box = tuple[bytes, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One moof + mdat. Times in the track's timescale, sizes in bytes."""

    offset: int
    size: int
    start: int
    duration: int
    end_of_pictures: int
    sample_sizes: tuple[int, ...]
    data_offset: int
    starts_with_key: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in a clip file; `end` is the end of the last whole part, `torn_bytes` what lies behind it."""

    timescale: int
    track_id: int
    reserve_offset: int
    reserve_size: int
    parts: tuple[Part, ...]
    end: int
    torn_bytes: int

    @property
    def packets(self) -> int:
        return sum(len(part.sample_sizes) for part in self.parts)

    @property
    def duration(self) -> int:
        """From the first picture to the end of the last, in the timescale."""
        return max((part.end_of_pictures for part in self.parts), default=0)


class Torn(ValueError):
    """The bytes here are not what the clip writer wrote."""


def children(data: bytes, start: int, end: int) -> Iterator[Box]:
    """(type, payload start, payload end) of each box between `start` and `end`."""
    while start < end:
        if end - start < _HEADER.size:
            raise Torn("box header cut")
        size, kind = _HEADER.unpack_from(data, start)
        if size < _HEADER.size or start + size > end:
            raise Torn(f"box {kind!r} has size {size}")
        yield kind, start + _HEADER.size, start + size
        start += size


def _find(data: bytes, path: Sequence[bytes], start: int, end: int) -> tuple[int, int]:
    for wanted in path:
        for kind, inner, stop in children(data, start, end):
            if kind == wanted:
                start, end = inner, stop
                break
        else:
            raise Torn(f"no {wanted!r}")
    return start, end


def read_layout(file: BinaryIO) -> Layout:
    """Walk the file; raises `Torn` where not even the head is whole."""
    file.seek(0, 2)
    length = file.tell()
    at = 0
    timescale = track_id = 0
    reserve = (0, 0)
    parts: list[Part] = []
    end = 0
    while at + _HEADER.size <= length:
        file.seek(at)
        size, kind = _HEADER.unpack(file.read(_HEADER.size))
        if size < _HEADER.size or at + size > length:
            break
        if kind == b"moov":
            file.seek(at)
            timescale, track_id = _read_moov(file.read(size))
            reserve = (at + size, 0)
        elif kind in (b"free", b"sidx") and timescale and not parts:
            reserve = (reserve[0], at + size - reserve[0])
        elif kind == b"moof" and timescale and size <= _MAX_MOOF_BYTES:
            part = _read_part(file, at, size, length)
            if part is None:
                break
            parts.append(part)
            size = part.size
            end = at + size
        elif not (kind in (b"ftyp", b"styp") and not parts):
            break
        at += size
    if not timescale:
        raise Torn("the head of the file is not whole")
    return Layout(timescale, track_id, *reserve, tuple(parts), end or sum(reserve), length - (end or sum(reserve)))


def _read_moov(data: bytes) -> tuple[int, int]:
    trak = _find(data, (b"moov", b"trak"), 0, len(data))
    mdhd, _ = _find(data, (b"mdia", b"mdhd"), *trak)
    tkhd, _ = _find(data, (b"tkhd",), *trak)
    try:
        (timescale,) = struct.unpack_from(">I", data, mdhd + (20 if data[mdhd] == 1 else 12))
        (track_id,) = struct.unpack_from(">I", data, tkhd + (20 if data[tkhd] == 1 else 12))
    except struct.error:
        raise Torn("moov is too short") from None
    if not timescale:
        raise Torn("timescale 0")
    return timescale, track_id


def _read_part(file: BinaryIO, at: int, moof_size: int, length: int) -> Part | None:
    """The moof at `at` and the mdat behind it, or None where either is torn."""
    file.seek(at)
    moof = file.read(moof_size)
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return None
    mdat_size, kind = _HEADER.unpack(head)
    total = moof_size + mdat_size
    if kind != b"mdat" or mdat_size < _HEADER.size or at + total > length:
        return None
    try:
        start, durations, sizes, offsets, data_offset, key = _read_moof(moof)
    except (Torn, struct.error):
        return None
    if not sizes or data_offset < moof_size or data_offset + sum(sizes) > total:
        return None
    clock, ends = start, []
    for duration, offset in zip(durations, offsets, strict=True):
        ends.append(clock + offset + duration)
        clock += duration
    return Part(at, total, start, clock - start, max(ends), sizes, at + data_offset, key)


def _read_moof(moof: bytes) -> tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], int, bool]:
    traf = _find(moof, (b"moof", b"traf"), 0, len(moof))
    start = 0
    default_duration = default_size = default_flags = 0
    trun: tuple[int, int] | None = None
    for kind, inner, _ in children(moof, *traf):
        version, flags = moof[inner], int.from_bytes(moof[inner + 1 : inner + 4])
        if kind == b"tfhd":
            at = inner + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
            for bit in (0x8, 0x10, 0x20):
                if flags & bit:
                    (value,) = struct.unpack_from(">I", moof, at)
                    at += 4
                    if bit == 0x8:
                        default_duration = value
                    elif bit == 0x10:
                        default_size = value
                    else:
                        default_flags = value
        elif kind == b"tfdt":
            (start,) = struct.unpack_from(">Q" if version else ">I", moof, inner + 4)
        elif kind == b"trun":
            if trun is not None:
                raise Torn("two truns")
            trun = (inner, flags)
    if trun is None:
        raise Torn("no trun")
    at, flags = trun
    (count,) = struct.unpack_from(">I", moof, at + 4)
    at += 8
    data_offset = 0
    first_flags: int | None = None
    if flags & 0x1:
        (data_offset,) = struct.unpack_from(">i", moof, at)
        at += 4
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", moof, at)
        at += 4
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if count > len(moof):
        raise Torn("more samples than bytes")
    durations, sizes, offsets = [], [], []
    for index in range(count):
        sample = {0x100: default_duration, 0x200: default_size, 0x400: default_flags, 0x800: 0}
        for bit in fields:
            (sample[bit],) = struct.unpack_from(">i" if bit == 0x800 else ">I", moof, at)
            at += 4
        if index == 0 and first_flags is None:
            first_flags = sample[0x400]
        durations.append(sample[0x100])
        sizes.append(sample[0x200])
        offsets.append(sample[0x800])
    key = first_flags is not None and not first_flags & _NON_SYNC
    return start, tuple(durations), tuple(sizes), tuple(offsets), data_offset, key


def free_box(size: int, note: bytes = b"") -> bytes:
    """`size` bytes that a player skips; they begin with `note`."""
    return _HEADER.pack(size, b"free") + note.ljust(size - _HEADER.size, b"\0")


def read_note(reserve: bytes) -> bytes:
    """The note in a reserve that was filled by `index_for`; b"" where there is none."""
    try:
        for kind, start, end in children(reserve, 0, len(reserve)):
            if kind == b"free":
                return reserve[start:end].rstrip(b"\0")
    except Torn:
        pass
    return b""


def index_for(layout: Layout, note: bytes = b"") -> bytes:
    """The bytes for the reserve: a sidx over all parts and a free box with `note` up to the first part.

    b"" without parts or room.

    Entries begin where a part begins with a key frame, and grow together where the reserve is too small: a player that
    seeks lands on an entry's start and must be able to decode from there.
    """
    room = (layout.reserve_size - _SIDX_HEAD_BYTES - _HEADER.size - len(note)) // _SIDX_ENTRY_BYTES
    if room < 1 or not layout.parts:
        return b""
    groups: list[list[Part]] = []
    for part in layout.parts:
        if part.starts_with_key or not groups:
            groups.append([part])
        else:
            groups[-1].append(part)
    step = -(-len(groups) // room)
    merged = [[part for group in groups[i : i + step] for part in group] for i in range(0, len(groups), step)]
    body = bytearray()
    for entry in merged:
        sap = 0x90000000 if entry[0].starts_with_key else 0
        body += struct.pack(">III", sum(p.size for p in entry), sum(p.duration for p in entry) & 0xFFFFFFFF, sap)
    size = _SIDX_HEAD_BYTES + len(body)
    rest = layout.reserve_size - size
    head = struct.pack(
        ">I4sIIIIIHH",
        size,
        b"sidx",
        0,
        layout.track_id,
        layout.timescale,
        layout.parts[0].start & 0xFFFFFFFF,
        rest,
        0,
        len(merged),
    )
    return head + bytes(body) + free_box(rest, note)


def samples_written(file: BinaryIO, part: Part) -> bool:
    """Whether every sample's sectors came to disk: none is all zeros, and no sample begins or ends in zeros.

    No coder makes such runs: H.264 and H.265 break up three zero bytes, JPEG has no use for them.
    """
    at = part.data_offset
    file.seek(at)
    for size in part.sample_sizes:
        data = file.read(size)
        if len(data) < size or not any(data[:_PROBED_BYTES]) or not any(data[-_PROBED_BYTES:]):
            return False
        if any(data.startswith(_UNWRITTEN, sector) for sector in range(-at % _SECTOR, size - _SECTOR + 1, _SECTOR)):
            return False
        at += size
    return True
