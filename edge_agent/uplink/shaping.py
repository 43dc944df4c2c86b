"""How fast clips may go: a token bucket, giving way to the household, chunks of a few seconds. PURE: time comes in."""


class TokenBucket:
    """`kbps` kilobits a second with a burst of one second; None lets everything through."""

    def __init__(self, kbps: int | None, now_ms: float) -> None:
        self._bytes_per_ms = kbps / 8 if kbps is not None else None
        self._burst = (self._bytes_per_ms or 0.0) * 1000
        self._level = self._burst
        self._at_ms = now_ms

    def wait_s(self, size_bytes: int, now_ms: float) -> float:
        """Take `size_bytes` out; returns how long to wait before sending them. The level may go below nothing."""
        if self._bytes_per_ms is None:
            return 0.0
        self._level = min(self._burst, self._level + max(0.0, now_ms - self._at_ms) * self._bytes_per_ms)
        self._at_ms = now_ms
        self._level -= size_bytes
        return max(0.0, -self._level / self._bytes_per_ms / 1000)


class GivingWay:
    """A rate that leaves the household its line: it falls when what we send begins to wait in the router's queue.

    A background transfer in the sense of RFC 6817 (LEDBAT): it takes what nobody else wants, and the wait that it adds
    stays near `target_ms`. There is no limit until the round trip first rises: on a fast line there never is one.
    """

    def __init__(self, now_ms: float) -> None:
        self.rate: float | None = None
        """Bytes a second; None without a limit."""
        self._acted_ms = now_ms
        self._sent_bytes = 0
        self._clear_ms = now_ms
        self._risen = 0
        self._last_good = 0.0

    def sent(self, size_bytes: int) -> None:
        """So much goes out now."""
        self._sent_bytes += size_bytes

    def note(self, queue_ms: float, best_ms: float, now_ms: float) -> None:
        """What the last round trip told: how long we wait behind ourselves and others, and the shortest there is."""
        passed_ms = now_ms - self._acted_ms
        if passed_ms < max(_ACT_EVERY_MS, best_ms + queue_ms):
            return
        flow = self._sent_bytes / passed_ms * 1000
        self._acted_ms, self._sent_bytes = now_ms, 0
        target = target_ms(best_ms)
        self._risen = self._risen + 1 if queue_ms > target else 0
        if self._risen >= _RISEN_TWICE:
            before = flow if self.rate is None else min(self.rate, max(flow, _LEAST_BYTES_PER_S))
            if self._risen == _RISEN_TWICE:
                self._last_good = before
            self.rate = max(_LEAST_BYTES_PER_S, before * max(0.7, 1 - 0.25 * (queue_ms - target) / target))
        elif not self._risen and self.rate is not None and flow > self.rate * 0.5:
            growth = _GROWTH_BACK if self.rate < 0.7 * self._last_good else _GROWTH
            self.rate *= 1 + growth * (1 - queue_ms / target)

    def wait_s(self, size_bytes: int, now_ms: float) -> float:
        """How long to wait before sending so much; call it once for each piece."""
        if self.rate is None:
            return 0.0
        begin_ms = max(self._clear_ms, now_ms)
        self._clear_ms = begin_ms + size_bytes / self.rate * 1000
        return (begin_ms - now_ms) / 1000

    def piece_bytes(self) -> int:
        """What may go in one burst: some ten milliseconds' worth."""
        if self.rate is None:
            return LARGEST_PIECE_BYTES
        return int(min(LARGEST_PIECE_BYTES, max(_SMALLEST_PIECE_BYTES, self.rate * 0.01)))


def target_ms(best_ms: float) -> float:
    """How long the router's queue may become by us.

    >>> target_ms(1.0), target_ms(120.0), target_ms(600.0)
    (50.0, 60.0, 100.0)
    """
    return min(100.0, max(50.0, best_ms / 2))


_ACT_EVERY_MS = 100.0
_RISEN_TWICE = 2  # one round trip may be long for many a reason: radio, a busy computer
_GROWTH = 0.02
_GROWTH_BACK = 0.12  # towards what went well before somebody came
_LEAST_BYTES_PER_S = 16_000.0
"""Even beside a neighbour who fills the line for hours a clip should leave within minutes."""
LARGEST_PIECE_BYTES = 16 * 1024
_SMALLEST_PIECE_BYTES = 2 * 1448
"""Two packets: one alone would be acknowledged 40 ms late, and that looks like a queue."""
SMALLEST_CHUNK_BYTES = 64 * 1024
LARGEST_CHUNK_BYTES = 1024 * 1024
_AIM_S = 4.0


def next_chunk_bytes(chunk_bytes: int, took_s: float) -> int:
    """The size of the next request: a cut should cost seconds, an acknowledgement should not cost the throughput."""
    if took_s > 2 * _AIM_S:
        return max(SMALLEST_CHUNK_BYTES, chunk_bytes // 2)
    if took_s < _AIM_S / 2:
        return min(LARGEST_CHUNK_BYTES, chunk_bytes * 2)
    return chunk_bytes
