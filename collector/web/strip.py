"""A camera's day in buckets of five minutes: what moved, what was watched, what was not. Pure.

Quiet is a word that must be earned: a bucket is `seen` only when no gap touches it; what has not come yet is `ahead`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from collector.fleet.gaps import Gap

BUCKET_MS = 300_000
Watch = Literal["seen", "ahead", "off", "no_picture", "unheard", "unknown", "not_yet"]
_WORST: tuple[Watch, ...] = ("no_picture", "off", "unheard", "unknown", "not_yet")
TOUCHES_MS = 1_000
"""A gap that is shorter within a bucket is an edge's rounding."""


@dataclass(frozen=True)
class Seen:
    """An episode as the strip needs it."""

    id: str
    start_ms: int
    last_ms: int
    score: float
    kind: str


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """`missing_ms` of it were not watched, and `watch` says why; `first_ms`: when the first of its
    episodes began in it; `begun`: how many did."""

    from_ms: int
    until_ms: int
    watch: Watch
    missing_ms: int
    episodes: int = 0
    score: float = 0.0
    tampered: bool = False
    first_ms: int | None = None
    begun: int = 0


@dataclass(frozen=True, kw_only=True)
class Hour:
    """What the strip says of an hour, in figures; an episode counts where it began."""

    from_ms: int
    episodes: int
    missing_ms: int
    is_ahead: bool


def buckets_of(begin_ms: int, end_ms: int, now_ms: int, episodes: Iterable[Seen], gaps: Sequence[Gap]) -> list[Bucket]:
    """The day from `begin_ms` to `end_ms`; an episode stands in every bucket that it touches."""
    count = (end_ms - begin_ms) // BUCKET_MS
    within: list[list[Seen]] = [[] for _ in range(count)]
    for episode in episodes:
        first = max(0, (episode.start_ms - begin_ms) // BUCKET_MS)
        last = min(count - 1, (max(episode.last_ms, episode.start_ms) - begin_ms) // BUCKET_MS)
        for index in range(first, last + 1):
            within[index].append(episode)
    made = []
    for index, members in enumerate(within):
        from_ms = begin_ms + index * BUCKET_MS
        watch, missing_ms = _watch(from_ms, from_ms + BUCKET_MS, now_ms, gaps)
        made.append(
            Bucket(
                from_ms=from_ms,
                until_ms=from_ms + BUCKET_MS,
                watch=watch,
                missing_ms=missing_ms,
                episodes=len(members),
                score=max((each.score for each in members), default=0.0),
                tampered=any(each.kind.startswith("tamper:") for each in members),
                begun=sum(each.start_ms >= from_ms or index == 0 for each in members),
                first_ms=min((max(each.start_ms, from_ms) for each in members), default=None),
            )
        )
    return made


def hours_of(buckets: Sequence[Bucket]) -> list[Hour]:
    """The same by hour."""
    step = 3_600_000 // BUCKET_MS
    return [
        Hour(
            from_ms=members[0].from_ms,
            episodes=sum(each.begun for each in members),
            missing_ms=sum(each.missing_ms for each in members),
            is_ahead=all(each.watch == "ahead" for each in members),
        )
        for members in (buckets[start : start + step] for start in range(0, len(buckets), step))
    ]


def _watch(from_ms: int, until_ms: int, now_ms: int, gaps: Sequence[Gap]) -> tuple[Watch, int]:
    if from_ms >= now_ms:
        return "ahead", 0
    missing: dict[Watch, int] = {}
    for gap in gaps:
        inside_ms = min(gap.until_ms, until_ms) - max(gap.from_ms, from_ms)
        if inside_ms > 0:
            missing[gap.kind] = missing.get(gap.kind, 0) + inside_ms
    whole_ms = sum(missing.values())
    if whole_ms < TOUCHES_MS:
        return "seen", 0
    return max(missing, key=lambda kind: (missing[kind], -_WORST.index(kind))), whole_ms
