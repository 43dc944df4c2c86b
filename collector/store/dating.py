"""When something happened, from what a box said and what is known of its clock in that boot. PURE.

Words: an *offset* is wall − mono of one boot, in ms: constant while nobody sets the clock, since both run at the same
rate (Linux disciplines CLOCK_BOOTTIME's rate with the wall clock's). An *anchor* is the offset of a message that was
made while the kernel said `synced`. Rules:
1. What was told while synced stands, whatever came before or after.
2. Anything else is dated by the anchor in force: the last one before it in its boot, or, before the first, that one.
3. A boot without any anchor: `holdover` stands where it is possible at all; `unset` is somewhere between bounds.
   Nothing was made after the collector received it, before its boot's predecessor ended, or after its successor began.
4. Less than AGREES_MS of difference is no difference: nothing is changed for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

How = Literal["told", "corrected", "uncertain"]

AGREES_MS = 1000
"""NTP slews what is smaller than 128 ms and steps the rest (RFC 5905, STEPT); the two clocks of an envelope are read
one after the other on a busy board; and people read seconds."""
POSSIBLE_MS = 60_000
"""A free-running clock may be ahead of the collector's by so much before its word is called impossible."""


@dataclass(frozen=True, order=True)
class Anchor:
    """At `mono_ms` of its boot the wall clock was right, and `offset_ms` ahead of the monotonic one."""

    mono_ms: int
    offset_ms: int


@dataclass(frozen=True, kw_only=True)
class Boot:
    """What is known of one boot of a box.

    `latest_offset_ms`: no greater offset is possible, for each message was made before it was received. `last_mono_ms`:
    it lasted at least so long. `first_seq`: its first event in `outbox`; None when only heartbeats came.
    """

    boot_id: str
    latest_offset_ms: int
    last_mono_ms: int
    outbox: str | None = None
    first_seq: int | None = None
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True)
class Bounds:
    """Between which offsets a boot's true one lies; `earliest_ms` None: nothing is known of what came before."""

    earliest_ms: int | None
    latest_ms: int


@dataclass(frozen=True)
class Told:
    """A moment as the box told it: by its wall clock, by its monotonic one, and how much the former was worth then."""

    mono_ms: int
    wall_ms: int
    clock: str

    @property
    def offset_ms(self) -> int:
        """How far the wall clock was ahead of the monotonic one."""
        return self.wall_ms - self.mono_ms


@dataclass(frozen=True)
class Dated:
    """A moment by the best that is known. The bounds are there only where it is `uncertain`; the first may be None."""

    wall_ms: int
    how: How
    earliest_ms: int | None = None
    latest_ms: int | None = None


def adds(anchors: Sequence[Anchor], new: Anchor) -> bool:
    """Does `new` say more than the anchors (in order) that are here? One a stretch of equal offsets is enough."""
    before = [anchor for anchor in anchors if anchor.mono_ms <= new.mono_ms]
    nearest = before[-1] if before else next(iter(anchors), None)
    return nearest is None or abs(nearest.offset_ms - new.offset_ms) >= AGREES_MS


def in_force(anchors: Sequence[Anchor], mono_ms: int) -> Anchor | None:
    """The anchor that a moment is dated by: the last one before it, else the first after it."""
    before = [anchor for anchor in anchors if anchor.mono_ms <= mono_ms]
    return before[-1] if before else next(iter(anchors), None)


def bounds_of(boots: Iterable[Boot]) -> Mapping[str, Bounds]:
    """The bounds of every boot of one box, by boot id.

    The boots of one outbox followed each other as their numbers did: a boot began after what is known of all before it,
    and ended before any later one began. Bounds that contradict each other lose the lower one: boxes can be wrong about
    much, the collector's clock is taken as right.
    """
    found: dict[str, Bounds] = {}
    by_outbox: dict[str | None, list[Boot]] = {}
    for boot in boots:
        by_outbox.setdefault(boot.outbox if boot.first_seq is not None else None, []).append(boot)
    for boot in by_outbox.pop(None, []):
        found[boot.boot_id] = Bounds(None, boot.latest_offset_ms)
    for outbox in by_outbox.values():
        ordered = sorted(outbox, key=lambda boot: (boot.first_seq or 0, boot.boot_id))
        found |= _bounds_in_order(ordered)
    return found


def _bounds_in_order(boots: Sequence[Boot]) -> dict[str, Bounds]:
    earliest: list[int | None] = []
    ended_ms: int | None = None  # no earlier than this did all boots so far end
    for boot in boots:
        earliest.append(ended_ms)
        last = in_force(boot.anchors, boot.last_mono_ms)
        offset_ms = ended_ms if last is None else last.offset_ms
        if offset_ms is not None:
            ended_ms = max(offset_ms + boot.last_mono_ms, offset_ms if ended_ms is None else ended_ms)
    latest: list[int] = []
    begins_ms: int | None = None  # no later than this did the next boot begin
    for boot in reversed(boots):
        bound_ms = boot.latest_offset_ms
        if begins_ms is not None:
            bound_ms = min(bound_ms, begins_ms - boot.last_mono_ms)
        latest.insert(0, bound_ms)
        first = boot.anchors[0].offset_ms if boot.anchors else bound_ms
        begins_ms = first if begins_ms is None else min(begins_ms, first)
    return {
        boot.boot_id: Bounds(low if low is None or low <= high else None, high)
        for boot, low, high in zip(boots, earliest, latest, strict=True)
    }


def date(told: Told, anchors: Sequence[Anchor], bounds: Bounds) -> Dated:
    """When it was, by the rules above."""
    if told.clock == "synced":
        return Dated(told.wall_ms, "told")
    anchor = in_force(anchors, told.mono_ms)
    if anchor is not None:
        if abs(anchor.offset_ms - told.offset_ms) < AGREES_MS:
            return Dated(told.wall_ms, "told")
        return Dated(told.mono_ms + anchor.offset_ms, "corrected")
    earliest_ms = None if bounds.earliest_ms is None else max(0, told.mono_ms + bounds.earliest_ms)
    latest_ms = max(0, told.mono_ms + bounds.latest_ms)  # boots that say they lasted centuries lead back beyond
    if told.clock == "holdover" and (earliest_ms or told.wall_ms) <= told.wall_ms <= latest_ms + POSSIBLE_MS:
        return Dated(told.wall_ms, "told")
    return Dated(latest_ms, "uncertain", earliest_ms, latest_ms)
