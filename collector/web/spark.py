"""Small timelines drawn on the server as SVG paths. Pure. What was not heard is a gap in the line."""

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH, HEIGHT = 600.0, 48.0
_PAD = 3.0

Point = tuple[int, float | None]


@dataclass(frozen=True)
class Spark:
    """`path` in a box of WIDTH by HEIGHT; `dots` are values without a neighbour; None where nothing was heard."""

    path: str
    dots: tuple[tuple[float, float], ...]
    low: float | None
    high: float | None
    last: float | None


def spark(points: Iterable[Point], since_ms: int, until_ms: int, step_ms: int) -> Spark:
    """The line through points (time, value), broken where two are farther apart than 2.5 steps."""
    known = [(at_ms, value) for at_ms, value in points if value is not None]
    if not known or until_ms <= since_ms:
        return Spark("", (), None, None, None)
    values = [value for _, value in known]
    low, high = min(values), max(values)
    runs: list[list[tuple[float, float]]] = []
    before_ms: int | None = None
    for at_ms, value in known:
        x = round(WIDTH * (at_ms - since_ms) / (until_ms - since_ms), 1)
        share = (value - low) / (high - low) if high > low else 0.5
        y = round(HEIGHT - _PAD - (HEIGHT - 2 * _PAD) * share, 1)
        if before_ms is None or at_ms - before_ms > 2.5 * step_ms:
            runs.append([])
        runs[-1].append((x, y))
        before_ms = at_ms
    path = " ".join("M" + " L".join(f"{x} {y}" for x, y in run) for run in runs if len(run) > 1)
    return Spark(path, tuple(run[0] for run in runs if len(run) == 1), low, high, values[-1])
