"""What the kernel says of running programs, sampled, and whether it grows. `verdict` and `slope_per_hour` are pure."""

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import psutil

_MOST_POINTS = 240
"""Theil-Sen looks at every pair: more points than this are thinned."""


@dataclass(frozen=True)
class Figure:
    """One thing that must not grow: tolerated are `per_hour` in slope, and between the quarters `least` or `share`."""

    name: str
    unit: str
    per_hour: float
    least: float
    share: float = 0.05


MEMORY = Figure("memory (RSS)", "MiB", 2.0, 3.0, 0.02)
OWN_MEMORY = Figure("memory of its own (USS)", "MiB", 2.0, 3.0, 0.02)
THREADS = Figure("threads", "", 0.5, 1.0)
FILES = Figure("open files", "", 2.0, 4.0)
DISK = Figure("data folder", "MiB", 2.0, 2.0)
WAITING = Figure("outbox: events waiting", "", 0.0, 10.0)
OF_A_PROCESS = (MEMORY, OWN_MEMORY, THREADS, FILES)


@dataclass(frozen=True)
class Trend:
    """Medians of the first and last quarter after warm-up, and the robust slope: of all, and of the second half.

    What fills up to a bound (a database's page cache) slows down; a leak does not.
    """

    first: float
    last: float
    per_hour: float
    late_per_hour: float
    grows: bool


def of_process(pid: int) -> dict[str, float] | None:
    """Memory, threads, open files, CPU and bytes written of a process; None when it has ended."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            memory = process.memory_full_info()
            cpu = process.cpu_times()
            return {
                MEMORY.name: memory.rss / 2**20,
                OWN_MEMORY.name: memory.uss / 2**20,
                THREADS.name: float(process.num_threads()),
                FILES.name: float(process.num_fds()),
                "written (MiB)": process.io_counters().write_bytes / 2**20,
                "CPU-s": cpu.user + cpu.system,
            }
    except psutil.NoSuchProcess:
        return None


def child_of(pid: int, name: str) -> int | None:
    """The child of that program name."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            if name in child.name():
                return int(child.pid)
    return None


def folder_mib(folder: Path) -> float:
    """Allocated on the disk for all files of a folder; files may vanish meanwhile."""
    blocks = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            blocks += path.lstat().st_blocks
    return blocks * 512 / 2**20


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """Theil-Sen: the median slope of all pairs of (seconds, value), for one hour.

    >>> slope_per_hour([(0, 5.0), (1800, 6.0), (2000, 900.0), (3600, 7.0)])
    2.0
    """
    step = max(1, -(-len(points) // _MOST_POINTS))
    thinned = points[::step]
    slopes = [(after - before) / (later - sooner) for (sooner, before), (later, after) in combinations(thinned, 2)]
    return statistics.median(slopes) * 3600 if slopes else 0.0


def trend(points: Sequence[tuple[float, float]], figure: Figure) -> Trend:
    """Grows when both slopes are over the tolerance and the last quarter is over the first by more than `least`.

    >>> trend([(second, 50.0 + second / 3600 * 20) for second in range(0, 7200, 10)], MEMORY).grows
    True
    >>> trend([(second, 50.0 + second % 7) for second in range(0, 7200, 10)], MEMORY).grows
    False
    """
    quarter = max(1, len(points) // 4)
    first = statistics.median(value for _, value in points[:quarter])
    last = statistics.median(value for _, value in points[-quarter:])
    slope, late_slope = slope_per_hour(points), slope_per_hour(points[len(points) // 2 :])
    grows = min(slope, late_slope) > figure.per_hour and last - first > max(figure.least, first * figure.share)
    return Trend(first, last, slope, late_slope, grows)
