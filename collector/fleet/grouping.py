"""Boxes that went silent together are one outage: of their site, of their commune, or of everything. PURE.

Rules, each with a test:
1. A site or commune is gone when at least two of its boxes are, and at least half. Everything is gone when at least
   three boxes are, and 80 % of all: then the collector or its own network is looked at first.
2. What explains more wins: everything before communes before sites. But a commune whose gone boxes all stand at one
   site is not gone: that site is.
3. Boxes that were never heard, are under maintenance or retired do not count.
4. Boxes never fall silent in the same second. While some of a scope are LATE with whom it would be gone, nothing begins
   in it and nobody is told, for HOLD_MS at most: then one word says it all.
5. A scope that is gone stays so until all its boxes are back, or until more than half have been for EASE_MS: whoever
   is still away then has an outage of its own.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from collector.fleet.state import State

ScopeKind = Literal["site", "commune", "all"]
Scope = tuple[ScopeKind, str]
EVERYTHING: Scope = ("all", "all")
HALF, NEARLY_ALL = 0.5, 0.8
FEWEST, FEWEST_OF_ALL = 2, 3
HOLD_MS = 240_000
EASE_MS = 300_000
_RANK: dict[ScopeKind, int] = {"site": 0, "commune": 1, "all": 2}


@dataclass(frozen=True)
class Judged:
    """A box and its own state, whatever lies around it; `down_ms`: for how long it has been DOWN."""

    box: str
    commune: str
    site: str
    state: State
    down_ms: int = 0

    @property
    def scopes(self) -> tuple[Scope, Scope, Scope]:
        """Where it stands, the smallest first."""
        return (site_scope(self.commune, self.site), ("commune", self.commune), EVERYTHING)


@dataclass(frozen=True)
class Group:
    """A scope that is gone: `gone` of its boxes, `of` that many."""

    scope: Scope
    gone: tuple[str, ...]
    of: int


@dataclass(frozen=True)
class Grouped:
    """`groups`: what is gone; `parent`: the group of each gone box in one; `held`: boxes nobody is told of yet."""

    groups: Mapping[Scope, Group]
    parent: Mapping[str, Scope]
    held: frozenset[str]


def site_scope(commune: str, site: str) -> Scope:
    """A site's name holds its commune's: two communes may have a market."""
    return ("site", f"{commune}/{site}")


def group(boxes: Iterable[Judged], standing: Collection[Scope] = ()) -> Grouped:
    """What is gone; `standing` are the scopes whose outage goes on already."""
    counted = [box for box in boxes if box.state not in (State.NEW, State.MAINTENANCE, State.RETIRED)]
    members: dict[Scope, list[Judged]] = defaultdict(list)
    for box in counted:
        for scope in box.scopes:
            members[scope].append(box)
    gone = {scope: [box for box in inside if box.state is State.DOWN] for scope, inside in members.items()}
    chosen: dict[Scope, Group] = {}
    parent: dict[str, Scope] = {}
    held: set[str] = set()
    for scope in sorted(members, key=lambda each: (-_RANK[each[0]], each[1])):
        away = [box for box in gone[scope] if box.box not in parent and box.box not in held]
        if scope not in standing:
            if _is_undecided(scope, gone[scope], members[scope], standing):
                held |= {box.box for box in away}
                continue
            if not _is_gone(scope, away, gone[scope], len(members[scope])):
                continue
        chosen[scope] = Group(scope, tuple(box.box for box in gone[scope]), len(members[scope]))
        parent |= {box.box: scope for box in gone[scope] if box.box not in parent}
    return Grouped(chosen, parent, frozenset(held - parent.keys()))


def is_over(away: int, of: int, eased_ms: int | None, now_ms: int) -> bool:
    """Is the outage of a scope over? `away` of its `of` boxes are; `eased_ms`: since when fewer than half."""
    return away == 0 or (2 * away < of and eased_ms is not None and now_ms - eased_ms >= EASE_MS)


def _is_gone(scope: Scope, unexplained: list[Judged], gone: list[Judged], of: int) -> bool:
    if not unexplained or not _is_many(scope, len(gone), of):
        return False
    return scope[0] != "commune" or len({box.site for box in gone}) > 1


def _is_many(scope: Scope, gone: int, of: int) -> bool:
    if scope == EVERYTHING:
        return gone >= FEWEST_OF_ALL and gone >= NEARLY_ALL * of
    return gone >= FEWEST and gone >= HALF * of


def _is_undecided(scope: Scope, gone: list[Judged], inside: list[Judged], standing: Collection[Scope]) -> bool:
    """May the whole scope be gone in a moment?"""
    late = sum(box.state is State.LATE for box in inside)
    waited_ms = max((box.down_ms for box in gone if not set(box.scopes) & set(standing)), default=0)
    return bool(gone) and late > 0 and waited_ms < HOLD_MS and _is_many(scope, len(gone) + late, len(inside))
