"""Puts the pictures of an RTP stream of H.264 or H.265 together again, as Annex B. PURE.

A picture ends at its packet's marker, or where the time stamp changes. What a server sends between pictures (parameter
sets, delimiters) goes in front of the next one. A lost packet costs what it carried. What goes beyond that, pictures
from the future above all, and one without an end, is `Unfamiliar`: FFmpeg's own client reads such a stream.

Sources: RFC 3550 5.1, RFC 6184 5 (H.264), RFC 7798 4.4 (H.265).
"""

import struct
from dataclasses import dataclass

_HEAD = struct.Struct(">BBHI")
_START = b"\x00\x00\x00\x01"
_SECOND = 90_000  # ticks, by both RFCs
_WRAP = 1 << 32
_LARGEST_BYTES = 16 << 20  # of a coded picture: more than 100 Mbit/s carry in a second
_RECOVERY_POINT = 6  # the SEI that marks where a stream without key frames can be entered


class Unfamiliar(Exception):
    """The stream, or its server, does something that only FFmpeg's client knows."""


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """One picture as Annex B; `pts` in 1/90000 s from the first one on, without wraps."""

    data: bytes
    pts: int
    is_key: bool


class Depacketizer:
    """One video stream of one connection."""

    def __init__(self, codec: str) -> None:
        """`codec`: `h264` or `hevc`."""
        self._hevc = codec == "hevc"
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self._stamp: int | None = None
        self._pts = 0
        self._has_slice = self._is_key = self._in_fragments = False
        self._fragment_mark = 0
        self._ended_stamp: int | None = None
        self._next_number: int | None = None

    def take(self, packet: memoryview) -> CodedPicture | None:
        """Take the next RTP packet; returns the picture that it completes, if any. Raises Unfamiliar."""
        if len(packet) < _HEAD.size:
            return None
        flags, kind, number, stamp = _HEAD.unpack_from(packet)
        if flags == 0x80 and self._goes_on(packet, kind, number, stamp):
            return None
        begin, end = 12 + 4 * (flags & 15), len(packet)
        if flags & 0x10 and begin + 4 <= end:  # header extension
            begin += 4 + 4 * (packet[begin + 2] << 8 | packet[begin + 3])
        if flags & 0x20:
            end -= packet[end - 1]
        if begin >= end or flags >> 6 != 2:
            return None
        if number != self._next_number:
            self._in_fragments = False
        self._next_number = (number + 1) & 0xFFFF
        complete = None
        if stamp != self._stamp:
            if self._has_slice:
                complete = self._complete()
            self._follow(stamp)
        self._unpack(packet[begin:end])
        if kind & 0x80 and self._has_slice and complete is None:
            self._ended_stamp = stamp
            return self._complete()
        return complete

    def _goes_on(self, packet: memoryview, kind: int, number: int, stamp: int) -> bool:
        """The middle of a unit, which most packets are: nothing to be done but to keep it."""
        if not self._in_fragments or kind & 0x80 or number != self._next_number or stamp != self._stamp:
            return False
        head = 14 if self._hevc else 13
        if len(packet) <= head or packet[head] & 0xC0 or packet[12] != self._fragment_mark:
            return False
        self._keep(bytes(packet[head + 1 :]))
        self._next_number = (number + 1) & 0xFFFF
        return True

    def _follow(self, stamp: int) -> None:
        if self._stamp is not None:
            step = (stamp - self._stamp + _WRAP // 2) % _WRAP - _WRAP // 2
            if -_SECOND < step < 0:
                raise Unfamiliar("pictures do not come in the order of their times")
            self._pts += step
        self._stamp, self._ended_stamp = stamp, None

    def _complete(self) -> CodedPicture:
        picture = CodedPicture(b"".join(self._pieces), self._pts, self._is_key)
        self._pieces, self._size_bytes = [], 0
        self._has_slice = self._is_key = self._in_fragments = False
        return picture

    def _unpack(self, payload: memoryview) -> None:
        kind = payload[0] >> 1 & 0x3F if self._hevc else payload[0] & 0x1F
        if kind < (48 if self._hevc else 24):
            self._unit(bytes(payload))
        elif kind == (49 if self._hevc else 28):
            self._fragment(payload)
        elif kind == (48 if self._hevc else 24):
            self._aggregate(payload)
        else:
            raise Unfamiliar(f"RTP payload of the kind {kind}")

    def _aggregate(self, payload: memoryview) -> None:
        """Several whole units in one packet, each behind its length."""
        at = 2 if self._hevc else 1
        while at + 2 < len(payload):
            size = payload[at] << 8 | payload[at + 1]
            if size:
                self._unit(bytes(payload[at + 2 : at + 2 + size]))
            at += 2 + size

    def _fragment(self, payload: memoryview) -> None:
        """A piece of one unit; its own header is made again from the first piece."""
        head = 2 if self._hevc else 1
        if len(payload) <= head + 1:
            return
        part = payload[head]
        if part & 0x80:
            if self._hevc:
                first = bytes((payload[0] & 0x81 | (part & 0x3F) << 1, payload[1]))
            else:
                first = bytes((payload[0] & 0xE0 | part & 0x1F,))
            self._unit(first + payload[head + 1 :])
            self._in_fragments, self._fragment_mark = True, payload[0]
        elif self._in_fragments:
            self._keep(bytes(payload[head + 1 :]))
        if part & 0x40:
            self._in_fragments = False

    def _unit(self, unit: bytes) -> None:
        """A unit, or its beginning."""
        kind = unit[0] >> 1 & 0x3F if self._hevc else unit[0] & 0x1F
        is_slice = kind < 32 if self._hevc else 1 <= kind <= 5
        if is_slice:
            if self._ended_stamp is not None:
                raise Unfamiliar("a picture goes on behind its end")
            self._has_slice = True
            self._is_key = self._is_key or (16 <= kind <= 23 if self._hevc else kind == 5)
        elif kind == 6 and not self._hevc and unit[1:2] == bytes((_RECOVERY_POINT,)):
            raise Unfamiliar("a stream that is refreshed bit by bit")
        self._keep(_START)
        self._keep(unit)

    def _keep(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._size_bytes > _LARGEST_BYTES:
            raise Unfamiliar("a picture without an end")
        self._pieces.append(piece)
