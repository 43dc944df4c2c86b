"""How much of a time a camera was watched, and how much of it the collector could reach it. PURE; UTC milliseconds.

    counted   = the time asked for, from when the camera was first heard of until now, without maintenance
    unwatched = of it, when its box was off, or gave no picture of it (gaps.py: `off`, `no_picture`, `not_yet`)
    unknown   = of the rest, when nobody knows yet: `unheard`, `unknown`
    watched   = counted - unwatched - unknown
    away      = of counted, when an outage of the camera was open: the collector did not see it

A box that loses its link goes on watching, so `away` may be large while `watched` is whole. What is unknown counts as
watched for nobody, and shrinks when the box is heard again. Shares are of `counted`; None where nothing is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collector.fleet.gaps import Gap

Span = tuple[int, int]
_UNKNOWN = frozenset({"unheard", "unknown"})


@dataclass(frozen=True)
class Availability:
    """`outages`: how many touch the counted time, `longest_ms`: the longest of them within it."""

    counted_ms: int
    maintenance_ms: int
    unwatched_ms: int
    unknown_ms: int
    away_ms: int
    outages: int
    longest_ms: int

    @property
    def watched_ms(self) -> int:
        """What is left."""
        return self.counted_ms - self.unwatched_ms - self.unknown_ms

    @property
    def watched_share(self) -> float | None:
        """0 to 1."""
        return self.watched_ms / self.counted_ms if self.counted_ms else None

    @property
    def reached_share(self) -> float | None:
        """0 to 1."""
        return (self.counted_ms - self.away_ms) / self.counted_ms if self.counted_ms else None


def availability(
    window: Span, first_seen_ms: int, gaps: Iterable[Gap], maintenance: Iterable[Span], outages: Iterable[Span]
) -> Availability:
    """Of one camera within the window, whose end is not after now."""
    expected = cut([(max(window[0], first_seen_ms), window[1])], [window])
    working = cut(maintenance, expected)
    counted = without(expected, working)
    gaps = list(gaps)
    unwatched = cut(((gap.from_ms, gap.until_ms) for gap in gaps if gap.kind not in _UNKNOWN), counted)
    unknown = without(cut(((gap.from_ms, gap.until_ms) for gap in gaps if gap.kind in _UNKNOWN), counted), unwatched)
    each = [length(cut([outage], counted)) for outage in outages]
    return Availability(
        counted_ms=length(counted),
        maintenance_ms=length(working),
        unwatched_ms=length(unwatched),
        unknown_ms=length(unknown),
        away_ms=length(cut(outages, counted)),
        outages=sum(ms > 0 for ms in each),
        longest_ms=max(each, default=0),
    )


def length(spans: Iterable[Span]) -> int:
    """Of spans that do not overlap."""
    return sum(until - begin for begin, until in spans)


def cut(spans: Iterable[Span], within: Sequence[Span]) -> list[Span]:
    """What of the spans, taken together, lies within: in order, none over another."""
    found: list[Span] = []
    for begin, until in sorted(spans):
        for low, high in within:
            at, end = max(begin, low, found[-1][1] if found else low), min(until, high)
            if end > at:
                found.append((at, end))
    return sorted(found)


def without(spans: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """What is left of ordered spans when what was taken, ordered too, is gone."""
    found = []
    for begin, until in spans:
        at = begin
        for low, high in taken:
            if low > at and min(low, until) > at:
                found.append((at, min(low, until)))
            at = max(at, high)
        if until > at:
            found.append((at, until))
    return found
