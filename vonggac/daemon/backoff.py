"""Waiting longer after each failure, with jitter so that a hundred boxes do not come back in the same second."""

import random


class Backoff:
    """Full-range jitter over a doubling, capped delay: each wait is drawn from [half, whole] of the step."""

    def __init__(self, first_s: float = 1.0, cap_s: float = 30.0, rng: random.Random | None = None) -> None:
        if not 0 < first_s <= cap_s:
            raise ValueError(f"back-off needs 0 < first_s <= cap_s, got {first_s} and {cap_s}")
        self._first_s = first_s
        self._cap_s = cap_s
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self.failures = 0

    def next_s(self) -> float:
        """Count one more failure and say how many seconds to wait before the next try."""
        step = min(self._cap_s, self._first_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return step * (0.5 + 0.5 * self._rng.random())

    def reset(self) -> None:
        """It worked: the next failure waits `first_s` again."""
        self.failures = 0
