"""How fast clips may go: a token bucket, and chunks that take a few seconds each. PURE: time comes in as ms."""


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
