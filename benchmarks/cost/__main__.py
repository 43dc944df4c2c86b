"""`python -m benchmarks.cost`: CPU-seconds a minute and peak memory, ours beside Motion's, same streams, same run.

Both read the same real RTSP servers (GStreamer) over TCP; each runs alone, in turn, several rounds; figures are taken
between warm-up and stop from the kernel's own accounting; the table gives medians and the ratio of medians.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.cost.contenders import Motion, Ours, Streams, clips_made
from benchmarks.results import write_section
from deploy.demo.scene import prepare_scene
from tests.support.rtsp_server import RtspServer, missing

_WARM_UP_S = 6.0
RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True)
class Figures:
    """One run of one program."""

    cpu_s_per_minute: float
    peak_mib: float
    clips: int


def measure(contender: Ours | Motion, folder: Path, streams: Streams, seconds: float) -> Figures:
    """Run a contender alone; its whole process tree counts."""
    command = contender.prepare(streams)
    try:
        with (folder / "contender.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        watched = psutil.Process(process.pid)
        time.sleep(_WARM_UP_S)
        before_s, began = _cpu_s(watched), time.monotonic()
        time.sleep(seconds)
        spent_s, lasted_s = _cpu_s(watched) - before_s, time.monotonic() - began
        peak_mib = _peak_mib(process.pid)
        process.terminate()
        process.wait(60)
    finally:
        contender.clean()
    return Figures(spent_s * 60 / lasted_s, peak_mib, clips_made(folder))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"the kernel tells no VmHWM of {pid}")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=50.0, help="measured time of each run")
    arguments.add_argument("--cache", type=Path, default=Path(".demo-cache"), help="where the scene is kept")
    arguments.add_argument("--main-only", action="store_true", help="no sub-stream: the main one is looked at")
    given = arguments.parse_args()
    if missing():
        raise SystemExit(missing())
    scene = prepare_scene(given.cache)
    runs: dict[str, list[Figures]] = {"vonggac": [], "motion": []}
    with tempfile.TemporaryDirectory(prefix="vonggac-cost-") as folder:
        for number in range(given.rounds):
            for kind in (Ours, Motion) if number % 2 == 0 else (Motion, Ours):
                place = Path(folder) / f"{number}-{kind.name}"
                with RtspServer(scene.main) as main_stream, RtspServer(scene.sub) as sub_stream:
                    streams = Streams(main_stream.url, None if given.main_only else sub_stream.url)
                    figures = measure(kind(place), place, streams, given.seconds)
                runs[kind.name].append(figures)
                print(
                    f"round {number + 1} {kind.name:8} {figures.cpu_s_per_minute:6.2f} CPU-s/min "
                    f"{figures.peak_mib:6.0f} MiB peak, {figures.clips} clips",
                    flush=True,
                )
    table = render(runs, given)
    print(table)
    section = "main stream only" if given.main_only else "main + sub-stream"
    write_section(RESULTS, "Cost: ours beside Motion 4.5.1", section, table)


def render(runs: dict[str, list[Figures]], given: argparse.Namespace) -> str:
    """The table, Markdown."""
    command = "python -m benchmarks.cost" + (" --main-only" if given.main_only else "")
    command += f" --rounds {given.rounds} --seconds {given.seconds:g}"
    rows = [
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores; 1080p25 main"
        + ("" if given.main_only else " + 640x360@10 sub"),
        "",
        "| | CPU-s a minute, median (min–max) | peak memory, median | clips |",
        "|---|---|---|---|",
    ]
    for name, all_figures in runs.items():
        cpu = [figures.cpu_s_per_minute for figures in all_figures]
        peak = statistics.median(figures.peak_mib for figures in all_figures)
        clips = "/".join(str(figures.clips) for figures in all_figures)
        rows.append(
            f"| {name} | {statistics.median(cpu):.2f} ({min(cpu):.2f}–{max(cpu):.2f}) | {peak:.0f} MiB | {clips} |"
        )
    ours, theirs = runs["vonggac"], runs["motion"]
    cpu_ratio = _median_cpu(ours) / _median_cpu(theirs)
    peak_ratio = _median_peak(ours) / _median_peak(theirs)
    rows.append(f"| ratio | {cpu_ratio:.2f} | {peak_ratio:.2f} | |")
    return "\n".join(rows)


def _median_cpu(all_figures: list[Figures]) -> float:
    return statistics.median(figures.cpu_s_per_minute for figures in all_figures)


def _median_peak(all_figures: list[Figures]) -> float:
    return statistics.median(figures.peak_mib for figures in all_figures)


if __name__ == "__main__":
    main()
