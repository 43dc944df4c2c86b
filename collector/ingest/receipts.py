"""Receipts that are owed to boxes: gathered for at most 100 ms, then told as ranges.

Only what is committed may be added. A receipt that is lost costs nothing: the box sends again and gets another.
"""

import threading
from dataclasses import dataclass, field

from collector.ingest.intake import Outcome
from vonggac.wire.messages import Receipt

GATHER_MS = 100.0
MAX_RANGES = 400
MAX_HASHES = 200


@dataclass
class _Owed:
    since_mono_ms: float
    numbers: dict[str, set[int]] = field(default_factory=dict)
    clips: set[str] = field(default_factory=set)
    snapshots: set[str] = field(default_factory=set)


class Receipts:
    """What is owed, by box. Threads may add while another takes what is due."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owed: dict[str, _Owed] = {}

    def add(self, outcome: Outcome, mono_ms: float) -> None:
        """Owe what the outcome says, if anything."""
        if outcome.box is None or (outcome.seq is None and outcome.snapshot_sha256 is None):
            return
        with self._lock:
            owed = self._owed.setdefault(outcome.box, _Owed(mono_ms))
            if outcome.seq is not None and outcome.outbox is not None:
                owed.numbers.setdefault(outcome.outbox, set()).add(outcome.seq)
            if outcome.snapshot_sha256 is not None:
                owed.snapshots.add(outcome.snapshot_sha256)

    def add_clip(self, box: str, sha256: str, mono_ms: float) -> None:
        """Owe a clip that is stored."""
        with self._lock:
            self._owed.setdefault(box, _Owed(mono_ms)).clips.add(sha256)

    def due(self, mono_ms: float) -> list[tuple[str, Receipt]]:
        """Take what has been gathered for long enough, as messages to send."""
        with self._lock:
            boxes = [box for box, owed in self._owed.items() if mono_ms - owed.since_mono_ms >= GATHER_MS]
            taken = [(box, self._owed.pop(box)) for box in boxes]
        return [(box, receipt) for box, owed in taken for receipt in _receipts(owed)]


def _receipts(owed: _Owed) -> list[Receipt]:
    found = []
    for outbox, numbers in sorted(owed.numbers.items()):
        ranges = as_ranges(numbers)
        found += [
            Receipt(outbox=outbox, ranges=tuple(ranges[start : start + MAX_RANGES]))
            for start in range(0, len(ranges), MAX_RANGES)
        ]
    for start in range(0, len(owed.clips), MAX_HASHES):
        found.append(Receipt(clips=tuple(sorted(owed.clips)[start : start + MAX_HASHES])))
    for start in range(0, len(owed.snapshots), MAX_HASHES):
        found.append(Receipt(snapshots=tuple(sorted(owed.snapshots)[start : start + MAX_HASHES])))
    return found


def as_ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """Inclusive ranges, in order.

    >>> as_ranges({4, 1, 2, 3, 9})
    [(1, 4), (9, 9)]
    """
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
