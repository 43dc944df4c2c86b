"""What one look at one frame found: values that pass from the detector to episodes, snapshots and the wire."""

from dataclasses import dataclass

BACKWARDS_MS = 2_000.0
"""Times that step back by less are disorder of the stream; by more, another recording."""
UNWATCHED_MS = 600.0
"""Between two looks so far apart a thing may come, go, or be taken for another: more than 5 fps with a frame lost."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in 0..1 of the picture."""


@dataclass(frozen=True, slots=True)
class Region:
    """One moving thing: its box, its share of the picture's area, how sure (0..1) and the named zones it is in.

    `thing` is its number, the same from frame to frame as long as it is followed; `velocity` in shares of the picture's
    width and height a second.
    """

    box: Box
    area: float
    score: float
    zones: tuple[str, ...] = ()
    thing: int = 0
    velocity: tuple[float, float] = (0.0, 0.0)

    def stays_for(self, seconds: float) -> bool:
        """Whether the middle of it will still be in the picture then, if it goes on as it does."""
        x0, y0, x1, y1 = self.box
        x, y = (x0 + x1) / 2 + self.velocity[0] * seconds, (y0 + y1) / 2 + self.velocity[1] * seconds
        return 0.0 < x < 1.0 and 0.0 < y < 1.0


@dataclass(frozen=True, slots=True)
class Observation:
    """One frame's result. `since_ms` is when the things that move now were first seen; None where nothing moves.

    `demoted` moves too, but where what moves is recorded and not told (demotion.py): `moving` says nothing of it.
    """

    t_ms: float
    moving: bool = False
    regions: tuple[Region, ...] = ()
    score: float = 0.0
    global_change: bool = False
    ready: bool = True
    since_ms: float | None = None
    demoted: tuple[Region, ...] = ()


def union(first: Box, second: Box) -> Box:
    """The smallest box around both."""
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )
