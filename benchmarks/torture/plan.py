"""What happens when: the faults of every round, from the seed alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from vonggac.daemon.crash_points import POINTS

BOX_POINTS = sorted(point for point in POINTS if point.split(".")[0] in ("outbox", "clip", "upload"))
_ELSEWHERE = {point for point in POINTS if point.split(".")[0] in ("update", "retention")}
"""Points of what does not run here: updates have trials of their own; retention rarely finds anything old."""
SERVER_POINTS = sorted(POINTS - set(BOX_POINTS) - _ELSEWHERE)

ROOTLESS = {
    "agent killed": 3,
    "agent killed at a point": 5,
    "collector killed": 3,
    "collector killed at a point": 5,
    "broker killed": 2,
    "broker wiped": 1,
    "link cut": 3,
    "link half-open": 2,
    "link delayed 2 s": 2,
    "link narrowed": 2,
    "events doubled": 2,
    "events reordered": 2,
    "clock stepped": 2,
    "card torn out": 1,
    "box power cut": 4,
}
"""Kinds and how often each is drawn."""
ROOTED = {
    "server power cut": 3,
    "packets lost 30 %": 2,
    "link narrowed by tc": 2,
    "box disk full": 2,
    "server disk full": 2,
}


@dataclass(frozen=True)
class Fault:
    """`at_s` from the round's beginning; `box` is an index; `detail` is a crash point or a clock step."""

    kind: str
    at_s: float
    lasts_s: float
    box: int
    detail: str = ""


def faults_of_round(
    seed: int, number: int, boxes: int, root: bool, round_s: float, words: Sequence[str] = (), most: int = 4
) -> list[Fault]:
    """Two to four faults, `most` at most; the same for the same arguments.

    With `words` only kinds and crash points whose name holds one of them. Raises ValueError where none does.
    """
    rng = random.Random(f"{seed}/{number}")
    kinds, points = _wanted(ROOTLESS | (ROOTED if root else {}), words)
    found = []
    for kind in rng.choices(list(kinds), list(kinds.values()), k=rng.randint(min(2, most), most)):
        detail = ""
        if kind in points:
            detail = f"{rng.choice(points[kind])}:{rng.choice((1, 1, 2, 3, 5))}"
        elif kind == "clock stepped":
            detail = f"{rng.choice((-1, 1)) * rng.randint(1, 12) * 3600:+d}s"
        at_s = rng.uniform(0.0, round_s * 0.6)
        found.append(Fault(kind, at_s, rng.uniform(1.0, round_s - at_s), rng.randrange(boxes), detail))
    return sorted(found, key=lambda fault: fault.at_s)


def _wanted(kinds: dict[str, int], words: Sequence[str]) -> tuple[dict[str, int], dict[str, list[str]]]:
    points = {"agent killed at a point": BOX_POINTS, "collector killed at a point": SERVER_POINTS}
    if not words:
        return kinds, points
    named = {kind for kind in kinds if any(word in kind for word in words)}
    chosen = {kind: [point for point in of if any(word in point for word in words)] for kind, of in points.items()}
    found = {kind: weight for kind, weight in kinds.items() if kind in named or chosen.get(kind)}
    if not found:
        raise ValueError(f"no fault's name holds any of {', '.join(words)}. There are: {', '.join(sorted(kinds))}")
    return found, {kind: chosen[kind] or of for kind, of in points.items()}
