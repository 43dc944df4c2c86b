"""`python -m benchmarks.cost`: CPU-seconds a minute and peak memory, ours beside Motion's, same streams, same run.

All read the same real RTSP servers (GStreamer) over TCP; each runs alone, in turn, several rounds; figures are taken
between warm-up and stop from the kernel's own accounting; the table gives medians and the ratio of medians. Each run
writes its section of RESULTS.md; `--all` makes every section.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.cost.contenders import Contender, Floor, Motion, Ours, Streams, clips_made
from benchmarks.cost.scenes import SCENES, scene_of
from deploy.demo.scene import LOOP_S, Scene
from tests.support.rtsp_server import RtspServer, missing

_WARM_UP_S = 26.0  # a calm stream is rested from after 10 s, and a busy machine starts slowly; the scene ends after 66
_FLOORS = ("demux", "key frames", "every frame")
RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True)
class Mode:
    """What is run: `streams` is `dual` or `main`."""

    streams: str
    scene: str
    cameras: int = 1
    sub_fps: int = 10

    @property
    def title(self) -> str:
        what = f"main + sub-stream of {self.sub_fps}/s" if self.streams == "dual" else "main stream only"
        count = "one camera" if self.cameras == 1 else f"{self.cameras} cameras"
        return f"{what}, {self.scene}, {count}"

    @property
    def options(self) -> str:
        return f"--streams {self.streams} --scene {self.scene} --cameras {self.cameras} --sub-fps {self.sub_fps}"


ALL = (
    Mode("dual", "quiet"),
    Mode("dual", "busy"),
    Mode("dual", "street"),
    Mode("main", "quiet"),
    Mode("main", "busy"),
    Mode("dual", "quiet", 8),
    Mode("dual", "quiet", sub_fps=25),
    Mode("dual", "busy", sub_fps=25),
    Mode("dual", "street", sub_fps=25),
)


@dataclass(frozen=True)
class Figures:
    """One run of one program."""

    cpu_s_per_minute: float
    peak_mib: float
    clips: int


def measure(contender: Contender, folder: Path, streams: Streams, seconds: float) -> Figures:
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


def run(mode: Mode, rounds: int, seconds: float, cache: Path) -> None:
    """All rounds of one mode; prints and keeps its table."""
    scene = scene_of(mode.scene, cache, mode.sub_fps)
    runs: dict[str, list[Figures]] = {}
    makers: list[Callable[[Path], Contender]] = [Ours, Motion]
    with tempfile.TemporaryDirectory(prefix="vonggac-cost-") as folder:
        for number in range(rounds):
            floors = [_floor(work) for work in _FLOORS] if number == 0 and mode.cameras == 1 else []
            for index, make in enumerate((makers if number % 2 == 0 else makers[::-1]) + floors):
                place = Path(folder) / f"{number}-{index}"
                contender = make(place)
                with RtspServer(scene.main) as main_stream, RtspServer(scene.sub) as sub_stream:
                    sub = sub_stream.url if mode.streams == "dual" else None
                    streams = Streams(main_stream.url, sub, mode.cameras, mode.sub_fps)
                    figures = measure(contender, place, streams, seconds)
                runs.setdefault(contender.name, []).append(figures)
                print(
                    f"{mode.title}, round {number + 1}: {contender.name:18} {figures.cpu_s_per_minute:6.2f} CPU-s/min "
                    f"{figures.peak_mib:6.0f} MiB peak, {figures.clips} clips",
                    flush=True,
                )
    table = render(
        mode, scene, runs, f"python -m benchmarks.cost {mode.options} --rounds {rounds} --seconds {seconds:g}"
    )
    print(table)
    write_section(mode.title, table)


def _floor(work: str) -> Callable[[Path], Contender]:
    return lambda folder: Floor(folder, work)


def render(mode: Mode, scene: Scene, runs: dict[str, list[Figures]], command: str) -> str:
    """The table, Markdown."""
    streams = f"1080p25 main at {_mbit_s(scene.main):.1f} Mbit/s"
    if mode.streams == "dual":
        streams += f" + 640x360@{mode.sub_fps} sub at {_mbit_s(scene.sub):.2f} Mbit/s"
    rows = [
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores; {streams}",
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
    ours, theirs = runs[Ours.name], runs[Motion.name]
    cpu_ratio = _median_cpu(ours) / _median_cpu(theirs)
    peak_ratio = _median_peak(ours) / _median_peak(theirs)
    rows.append(f"| ours / Motion's | {cpu_ratio:.2f} | {peak_ratio:.2f} | |")
    return "\n".join(rows)


def _mbit_s(file: Path) -> float:
    return file.stat().st_size * 8 / LOOP_S / 1e6


def _median_cpu(all_figures: list[Figures]) -> float:
    return statistics.median(figures.cpu_s_per_minute for figures in all_figures)


def _median_peak(all_figures: list[Figures]) -> float:
    return statistics.median(figures.peak_mib for figures in all_figures)


def write_section(title: str, table: str) -> None:
    """Replace one section of RESULTS.md, keeping the others."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Cost: ours beside Motion 4.5.1\n"
    head, *sections = text.split("\n## ")
    kept = {section.split("\n", 1)[0]: section.split("\n", 1)[1] for section in sections}
    kept[title] = f"\n{table}\n"
    body = "".join(f"\n## {name}\n{kept[name]}" for name in sorted(kept))
    RESULTS.write_text(head.rstrip("\n") + "\n" + body, encoding="utf-8")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    arguments.add_argument("--streams", choices=("dual", "main"), default="dual")
    arguments.add_argument("--scene", choices=SCENES, default="street")
    arguments.add_argument("--cameras", type=int, default=1)
    arguments.add_argument("--sub-fps", type=int, default=10)
    arguments.add_argument("--all", action="store_true", help="every mode that RESULTS.md has")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=20.0, help="measured time of each run; 35 at most")
    arguments.add_argument("--cache", type=Path, default=Path(".demo-cache"), help="where the scenes are kept")
    given = arguments.parse_args()
    if missing():
        raise SystemExit(missing())
    for mode in ALL if given.all else (Mode(given.streams, given.scene, given.cameras, given.sub_fps),):
        run(mode, given.rounds, given.seconds, given.cache)


if __name__ == "__main__":
    main()
