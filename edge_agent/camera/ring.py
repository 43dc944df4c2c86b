"""The last seconds of a stream's packets in memory, in whole GOPs, so that a clip can begin before its episode. PURE.

Rules: what is kept begins with a key frame; the GOP that covers `newest - seconds` is kept whatever its length;
the byte budget is hard and beats the seconds. Over budget the oldest GOP goes (`dropped_gops` counts it). A single
GOP larger than the budget keeps its beginning, for without its key frame nothing of it can be shown: what follows is
not kept (`starved` is true, and `newest_ms` stands still) until the next key frame. A key frame larger than the
budget is not kept at all.
"""

from bisect import bisect_right
from collections import deque
from itertools import islice

from edge_agent.camera.packets import Packet


class _Gop:
    __slots__ = ("cut", "packets", "size_bytes", "start_ms")

    def __init__(self, first: Packet) -> None:
        self.packets = [first]
        self.size_bytes = len(first.data)
        self.start_ms = first.mono_ms
        self.cut = False


class PacketRing:
    """Not thread-safe: the copying thread of its camera owns it."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        if seconds < 0 or max_bytes <= 0:
            raise ValueError(f"a packet ring needs seconds >= 0 and max_bytes > 0, got {seconds} and {max_bytes}")
        self._keep_ms = seconds * 1000.0
        self._max_bytes = max_bytes
        self._gops: deque[_Gop] = deque()
        self._newest_ms: float | None = None
        self.bytes = 0
        self.dropped_gops = 0
        self.dropped_packets = 0

    @property
    def oldest_ms(self) -> float | None:
        """When the oldest packet kept arrived; None while empty."""
        return self._gops[0].start_ms if self._gops else None

    @property
    def newest_ms(self) -> float | None:
        """When the newest packet kept arrived; None while empty."""
        return self._newest_ms if self._gops else None

    @property
    def starved(self) -> bool:
        """The newest GOP is larger than the whole budget: its end is not kept."""
        return bool(self._gops) and self._gops[-1].cut

    def __len__(self) -> int:
        return sum(len(gop.packets) for gop in self._gops)

    def clear(self) -> None:
        """Forget everything: the stream began anew and its packets no longer fit the older ones."""
        self._gops.clear()
        self._newest_ms = None
        self.bytes = 0

    def append(self, packet: Packet) -> bool:
        """Keep a packet; returns False where it cannot be kept (before the first key frame, or over budget)."""
        size = len(packet.data)
        if packet.is_key and size > self._max_bytes:
            self.dropped_gops += len(self._gops)
            self.dropped_packets += 1
            self.clear()
            return False
        if packet.is_key:
            self._gops.append(_Gop(packet))
        elif not self._gops:
            self.dropped_packets += 1
            return False
        else:
            gop = self._gops[-1]
            if gop.cut or gop.size_bytes + size > self._max_bytes:
                gop.cut = True
                self.dropped_packets += 1
                return False
            gop.packets.append(packet)
            gop.size_bytes += size
        self.bytes += size
        self._newest_ms = packet.mono_ms if self._newest_ms is None else max(self._newest_ms, packet.mono_ms)
        self._trim(self._newest_ms - self._keep_ms)
        return True

    def _trim(self, needed_ms: float) -> None:
        while len(self._gops) > 1 and self._gops[1].start_ms <= needed_ms:
            self.bytes -= self._gops.popleft().size_bytes
        while self.bytes > self._max_bytes and len(self._gops) > 1:
            self.bytes -= self._gops.popleft().size_bytes
            self.dropped_gops += 1

    def since(self, mono_ms: float) -> list[Packet]:
        """Every packet from the key frame at or before `mono_ms` on (or from the earliest key frame kept)."""
        starts = [gop.start_ms for gop in self._gops]
        first = max(0, bisect_right(starts, mono_ms) - 1)
        return [packet for gop in islice(self._gops, first, None) for packet in gop.packets]
