"""Which release a box should have. Pure.

Rings: a release is offered to `first`, then `some`, then `all`; a box of ring `first` gets what is offered to any ring,
one of `all` only what is offered to all. What was stopped, or came back from as many boxes as RETURNS_STOP, is offered
to nobody; a box is never offered what is not newer than what it runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from vonggac.wire.release import version_key

Ring = Literal["first", "some", "all"]
RINGS: tuple[Ring, ...] = get_args(Ring)
RETURNS_STOP = 2


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A release: to whom it is offered (None: to nobody yet), whether it was stopped, how many boxes took it back."""

    version: str
    ring: str | None
    stopped_ms: int | None = None
    returns: int = 0

    @property
    def is_open(self) -> bool:
        """May a box still begin with it?"""
        return self.ring in RINGS and self.stopped_ms is None and self.returns < RETURNS_STOP


def wanted(offers: Iterable[Offer], ring: str, runs: str | None) -> str | None:
    """The version for a box of this ring that runs `runs` (None: not known); None when it has the newest."""
    reaching = [each.version for each in offers if each.is_open and each.ring is not None and _reaches(each.ring, ring)]
    newest = max(reaching, key=version_key, default=None)
    if newest is None or runs is None:
        return newest
    try:
        return newest if version_key(newest) > version_key(runs) else None
    except ValueError:  # what it runs calls itself something else; the box itself decides
        return newest


def _reaches(offered_to: str, ring: str) -> bool:
    return ring in RINGS and RINGS.index(ring) <= RINGS.index(offered_to)
