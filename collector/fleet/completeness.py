"""Which numbers of a box are not here, and where each one is: still on the box, on its way, or a hole for good.

Pure. What is here comes from the ledger, what is there from the box's last word on its outbox (`waiting` in the
heartbeat). A box lets a number go only on a receipt, and a receipt follows the commit; so a number that is neither here
nor waiting there will not come.

| the number | the outbox is in the box | and the box is | it is |
|---|---|---|---|
| was given after the last word | yes | any | `on_its_way` |
| waits, by the last word (or the box does not say which wait) | yes | connected | `on_its_way` |
| waits, by the last word (or the box does not say which wait) | yes | not connected | `on_box` |
| neither here nor waiting | yes | any | `hole` |
| any | no: the card was changed | any | `hole` |
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Range = tuple[int, int]
"""First and last number, both included."""


class Where(StrEnum):
    """Where a number is that is not here."""

    ON_BOX = "on_box"
    ON_ITS_WAY = "on_its_way"
    HOLE = "hole"


@dataclass(frozen=True)
class Word:
    """What a box last said of an outbox; `waiting` None where it does not say which numbers wait."""

    last_seq: int
    waiting: tuple[Range, ...] | None
    in_box: bool


@dataclass(frozen=True)
class Missing:
    """Numbers of one outbox that are not here."""

    outbox: str
    first_seq: int
    last_seq: int
    where: Where

    @property
    def count(self) -> int:
        """How many."""
        return self.last_seq - self.first_seq + 1


@dataclass(frozen=True)
class Completeness:
    """Of one box. Clips are counted by the same words; a hole among them is one that was lost or left behind."""

    missing: tuple[Missing, ...] = ()
    clips: dict[Where, int] = field(default_factory=dict)

    def events(self, where: Where) -> int:
        """How many numbers are there."""
        return sum(each.count for each in self.missing if each.where is where)


def missing_of(outbox: str, here: Sequence[Range], word: Word | None, connected: bool) -> list[Missing]:
    """Everything of an outbox up to the newest number known of it that is not here; `here` in order and disjoint."""
    newest = max(here[-1][1] if here else 0, word.last_seq if word is not None else 0)
    found: list[Missing] = []
    for first, last in _between(here, newest):
        found += _told_apart(outbox, first, last, word, connected)
    return found


def _between(here: Sequence[Range], newest: int) -> Iterator[Range]:
    expected = 1
    for first, last in here:
        if first > expected:
            yield expected, first - 1
        expected = last + 1
    if newest >= expected:
        yield expected, newest


def _told_apart(outbox: str, first: int, last: int, word: Word | None, connected: bool) -> Iterator[Missing]:
    if word is None or not word.in_box:
        # No word yet: the box has spoken of later numbers and will say in its first heartbeat what waits.
        yield Missing(outbox, first, last, Where.ON_ITS_WAY if word is None else Where.HOLE)
        return
    known_last = min(last, word.last_seq)
    at = first
    for waits_from, waits_to in word.waiting if word.waiting is not None else ((1, word.last_seq),):
        low, high = max(waits_from, at), min(waits_to, known_last)
        if low > high:
            continue
        if low > at:
            yield Missing(outbox, at, low - 1, Where.HOLE)
        yield Missing(outbox, low, high, Where.ON_ITS_WAY if connected else Where.ON_BOX)
        at = high + 1
    if at <= known_last:
        yield Missing(outbox, at, known_last, Where.HOLE)
        at = known_last + 1
    if at <= last:
        yield Missing(outbox, at, last, Where.ON_ITS_WAY)
