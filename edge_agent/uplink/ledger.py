"""What was published and has no receipt yet, and when each is to be published again. PURE: time comes in as ms."""

import heapq
import random


class Ledger:
    """Numbers under way. The wait for a receipt doubles from `first_s` to `cap_s`, with up to a quarter of jitter.

    A number is *open* until its wait is over; then it is *overdue* and no longer counts against the sender's window:
    an item that never gets a receipt must not block those behind it.
    """

    def __init__(self, rng: random.Random, first_s: float = 10.0, cap_s: float = 60.0) -> None:
        self._rng = rng
        self._first_s = first_s
        self._cap_s = cap_s
        self._tries: dict[int, int] = {}
        self._sent_ms: dict[int, float] = {}
        self._due_ms: dict[int, float] = {}
        self._queue: list[tuple[float, int]] = []
        self._open: set[int] = set()

    def sent(self, number: int, now_ms: float) -> None:
        """It was published now."""
        tries = self._tries.get(number, 0)
        wait_s = min(self._cap_s, self._first_s * 2.0 ** min(tries, 16)) * (1 + 0.25 * self._rng.random())
        self._tries[number] = tries + 1
        self._sent_ms[number] = now_ms
        self._due_ms[number] = now_ms + wait_s * 1000
        self._open.add(number)
        heapq.heappush(self._queue, (self._due_ms[number], number))

    def settle(self, first: int, last: int) -> list[float | None]:
        """Receipts came for all in [first, last]; returns when each known here was sent (ms).

        None for what was sent more than once: which of them the receipt is for cannot be told (Karn's rule).
        """
        if last - first < len(self._tries):
            numbers = [number for number in range(first, last + 1) if number in self._tries]
        else:
            numbers = [number for number in self._tries if first <= number <= last]
        sent = [self._sent_ms[number] if self._tries[number] == 1 else None for number in numbers]
        for number in numbers:
            del self._tries[number], self._sent_ms[number], self._due_ms[number]
            self._open.discard(number)
        return sent

    def overdue(self, now_ms: float, limit: int) -> list[int]:
        """Up to `limit` numbers whose receipt is late, the longest waiting first; each must be `sent` or `settle`d."""
        found: list[int] = []
        while self._queue and self._queue[0][0] <= now_ms:
            due_ms, number = self._queue[0]
            if self._due_ms.get(number) != due_ms:
                heapq.heappop(self._queue)  # settled, or sent again since
                continue
            self._open.discard(number)
            if len(found) >= limit:
                break
            heapq.heappop(self._queue)
            found.append(number)
        return found

    def put_back(self, number: int, now_ms: float) -> None:
        """It was overdue but could not be published now."""
        if number in self._tries:
            self._due_ms[number] = now_ms
            heapq.heappush(self._queue, (now_ms, number))

    def open_count(self) -> int:
        """How many were published and may still get their receipt in time."""
        return len(self._open)

    def next_due_ms(self) -> float | None:
        """When the next number becomes overdue; None when nothing is under way."""
        while self._queue and self._due_ms.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def clear(self) -> None:
        """The connection is gone, and with it everything under way."""
        self._tries.clear()
        self._sent_ms.clear()
        self._due_ms.clear()
        self._queue.clear()
        self._open.clear()
