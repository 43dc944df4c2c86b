"""When a box was not heard, and when its cameras saw nothing. Pure; times are UTC milliseconds.

A silence of a box is not a gap of its video: while the link is down the agent looks and records, and tells later. So a
silence is told apart by the run of the agent that ends it: the same run (`link`: nothing is missing but word); a new
one soon after the last word, or for as long as its own boot had begun and the agent had not (`off`: nobody looked); a
new one long after the last word, or an agent that does not say (`unknown`: nobody told how long the run before lived).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

SilenceKind = Literal["link", "off", "unknown"]
GapKind = Literal["off", "unknown", "no_picture", "unheard", "not_yet"]
HOUR_MS = 3_600_000
BEATS = 2.5
"""A box is silent when it was not heard for so many of its own intervals: one heartbeat may be lost."""
SKEW_MS = 5_000
FIRST_WORD_MS = 120_000
"""A camera says within so long after its agent's start whether it has a picture."""


@dataclass(frozen=True)
class Beat:
    """One heartbeat: when it was made as well as is known, and by which run of the agent."""

    at_ms: int
    mono_ms: int
    boot_id: str
    interval_ms: float
    run_began_mono_ms: int | None

    @property
    def patience_ms(self) -> float:
        """How long until it is missed."""
        return BEATS * self.interval_ms


@dataclass(frozen=True)
class Silence:
    """A box was not heard from `from_ms` to `until_ms`."""

    from_ms: int
    until_ms: int
    kind: SilenceKind


@dataclass(frozen=True)
class Word:
    """A camera said that its picture is gone (`bad`) or there."""

    since_ms: int
    bad: bool
    reason: str | None = None
    code: str | None = None


class Gap(NamedTuple):
    """No video of a camera. `unheard`: the box is silent now, and whether it records is not known yet; `not_yet`: the
    camera was not there.
    """

    from_ms: int
    until_ms: int
    kind: GapKind
    reason: str | None = None
    code: str | None = None


def made_ms(wall_ms: int, received_ms: int, clock: str) -> int:
    """When a heartbeat was made: by its own clock where that is set and plausible (a broker may keep it for hours)."""
    return wall_ms if clock == "synced" and wall_ms <= received_ms + SKEW_MS else received_ms


def silences_between(before: Beat, now: Beat) -> list[Silence]:
    """What one heartbeat after another says of the time between them."""
    if now.at_ms <= before.at_ms and now.boot_id != before.boot_id:
        return []
    if now.run_began_mono_ms is None:
        silent = now.at_ms - before.at_ms > before.patience_ms
        return [Silence(before.at_ms, now.at_ms, "unknown")] if silent else []
    if (now.boot_id, now.run_began_mono_ms) == (before.boot_id, before.run_began_mono_ms):
        passed_ms = now.mono_ms - before.mono_ms
        return [Silence(now.at_ms - passed_ms, now.at_ms, "link")] if passed_ms > before.patience_ms else []
    began_ms = now.at_ms - (now.mono_ms - now.run_began_mono_ms)
    from_ms = before.at_ms
    if now.boot_id == before.boot_id:
        from_ms = now.at_ms - (now.mono_ms - before.mono_ms)
    # Until when the run before may have lived: nobody has heard of its end.
    lived_ms = began_ms if now.boot_id == before.boot_id else min(began_ms, now.at_ms - now.mono_ms)
    off_ms = lived_ms if lived_ms - from_ms > before.patience_ms else from_ms
    found = [Silence(from_ms, off_ms, "unknown"), Silence(off_ms, max(off_ms, began_ms), "off")]
    if now.at_ms - began_ms > now.patience_ms:
        found.append(Silence(began_ms, now.at_ms, "link"))
    return [each for each in found if each.until_ms > each.from_ms]


def video_gaps(
    words: Iterable[Word],
    silences: Iterable[Silence],
    heard_ms: int | None,
    patience_ms: float,
    since_ms: int,
    until_ms: int,
    *,
    first_seen_ms: int = 0,
) -> list[Gap]:
    """A camera's gaps within the window, earliest first; they do not overlap, the surer word comes first.

    `heard_ms`: the box's last heartbeat, None when there was none in the window or before; `first_seen_ms`: when the
    camera was first heard of, before which only its own words (which may have come late) count.
    """
    words = sorted(words, key=lambda word: word.since_ms)
    off = [Gap(each.from_ms, _looked_again(each, words), each.kind) for each in silences if each.kind != "link"]
    gaps = [*off, *_pictureless(words, until_ms)]
    if (begins_ms := min([first_seen_ms, *(word.since_ms for word in words)])) > since_ms:
        gaps.append(Gap(since_ms, begins_ms, "not_yet"))
    if heard_ms is not None and until_ms - heard_ms > patience_ms:
        gaps.append(Gap(heard_ms, until_ms, "unheard"))
    sure = _apart((gap for gap in gaps if gap.kind != "unknown"), since_ms, until_ms)
    return sorted(_apart((gap for gap in gaps if gap.kind == "unknown"), since_ms, until_ms, sure), key=_begin)


def _begin(gap: Gap) -> int:
    return gap.from_ms


def _looked_again(silence: Silence, words: Sequence[Word]) -> int:
    """A run that began has no picture before the camera's first word in it; until that is here, from its beginning."""
    until_ms = silence.until_ms
    for word in words:
        if until_ms - SKEW_MS <= word.since_ms < until_ms + FIRST_WORD_MS:
            return max(word.since_ms, until_ms)
    return until_ms


def _pictureless(words: Sequence[Word], until_ms: int) -> Iterator[Gap]:
    began: Word | None = None
    for word in words:
        if word.bad and began is None:
            began = word
        elif not word.bad and began is not None:
            yield Gap(began.since_ms, word.since_ms, "no_picture", began.reason, began.code)
            began = None
    if began is not None:
        yield Gap(began.since_ms, until_ms, "no_picture", began.reason, began.code)


def _apart(gaps: Iterable[Gap], since_ms: int, until_ms: int, taken: Sequence[Gap] = ()) -> list[Gap]:
    """Cut to the window, none over another: who begins first is first, and what is `taken` stays."""
    found = sorted(taken, key=_begin)
    for gap in sorted(gaps, key=lambda each: (each.from_ms, -each.until_ms)):
        at, end = max(gap.from_ms, since_ms), min(gap.until_ms, until_ms)
        index = bisect_right(found, at, key=_begin)
        if index and found[index - 1].until_ms > at:
            at = found[index - 1].until_ms
        new = []
        for other in found[index:]:
            if other.from_ms >= end:
                break
            if other.from_ms > at:
                new.append(gap._replace(from_ms=at, until_ms=other.from_ms))
            at = max(at, other.until_ms)
        if end > at:
            new.append(gap._replace(from_ms=at, until_ms=end))
        later = found[index:]
        found[index:] = sorted([*new, *later], key=_begin) if new and later else new or later
    return found


def by_hour(gaps: Iterable[Gap], since_ms: int, until_ms: int) -> list[tuple[int, int]]:
    """(beginning of the hour, milliseconds without video in it) for every hour that the window touches."""
    hours = dict.fromkeys(range(since_ms - since_ms % HOUR_MS, until_ms, HOUR_MS), 0)
    for gap in gaps:
        for hour in range(gap.from_ms - gap.from_ms % HOUR_MS, gap.until_ms, HOUR_MS):
            if hour in hours:
                hours[hour] += min(gap.until_ms, hour + HOUR_MS) - max(gap.from_ms, hour)
    return sorted(hours.items())
