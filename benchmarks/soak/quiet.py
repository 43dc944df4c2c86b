"""The quiet hour: what the agent writes to its disk while nothing happens, by the kernel's accounting.

One camera looks at a still scene with a sensor's noise; heartbeats go out; collector and broker are real. Counted from
a minute after the start, when the outbox stands. Two views: what the process caused (`/proc/PID/io`), and what arrived
at the device under its data folder, which as root is an ext4 of its own.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.results import write_section
from benchmarks.soak.disk import Disk, own_disk
from benchmarks.soak.samples import of_process
from edge_agent.outbox.inspect import read_stats
from tests.support.system import Program, System, wait_for

BOX = "quiet-01"
BAR_BYTES = 1_000_000
HEADING = "Long runs of the real programs"
_SETTLE_S = 60.0
_SAMPLE_S = 10.0


def film_still(path: Path, size: tuple[int, int], seconds: float, fps: int = 10, sigma: float = 4.0) -> Path:
    """A still yard: shot noise that differs in every picture, as a cheap sensor gives by evening; H.264."""
    width, height = size
    rng = np.random.default_rng(5)
    coarse = rng.integers(40, 170, (9, 16)).astype(np.uint8)
    scene = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(
            "libx264", rate=fps, width=width, height=height, pix_fmt="yuv420p",
            options={"preset": "superfast", "g": str(fps * 2), "bf": "0", "crf": "26"},
        )  # fmt: skip
        for number in range(round(seconds * fps)):
            noise = rng.standard_normal((height, width), dtype=np.float32) * (sigma * np.sqrt(scene / 100))
            picture = np.full((height * 3 // 2, width), 128, np.uint8)
            picture[:height] = np.clip(scene + noise, 0, 255)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def file_marks(folder: Path) -> dict[str, tuple[int, int]]:
    """(bytes, time of last change in ns) of every file: what changed can be named afterwards."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass(frozen=True)
class Counted:
    """Bytes so far: caused by the process, and arrived at the device under its data folder (None: not measured)."""

    process: float
    device: int | None


def run(minutes: float, folder: Path, output: Path) -> bool:
    """Measure, print, write; True when at most 1 MB an hour was written, by both counts."""
    film_still(folder / "main.mp4", (1280, 720), 20.0)
    film_still(folder / "sub.mp4", (640, 360), 30.0)
    with own_disk(folder / "box", folder / "box.ext4") as disk:
        system = System(folder)
        system.add_box(BOX)
        try:
            system.serve()
            text, good = _measure(minutes, folder, system, disk)
            codes = system.stop()
        finally:
            system.kill()
    print(text)
    write_section(output, HEADING, "quiet hour", text)
    return good and not any(codes.values())


def _measure(minutes: float, folder: Path, system: System, disk: Disk | None) -> tuple[str, bool]:
    data = folder / "box"
    agent = _start(folder, system)
    start = _count(agent, disk)
    time.sleep(_SETTLE_S)
    subprocess.run(["sync", "--file-system", str(data)], check=True)  # what is left of the start is written now
    before, marks, events = _count(agent, disk), file_marks(data), read_stats(data).last_seq
    began = time.monotonic()
    while time.monotonic() - began < minutes * 60:
        time.sleep(min(_SAMPLE_S, minutes * 60))
        now = _count(agent, disk)
        print(
            f"{time.monotonic() - began:6.0f} s  {now.process - before.process:9.0f} bytes by the process", flush=True
        )
    after = _count(agent, disk)
    changed = [name for name, mark in file_marks(data).items() if marks.get(name) != mark]
    seen = read_stats(data).last_seq - events
    per_hour = (after.process - before.process) * 60 / minutes
    device = None if after.device is None or before.device is None else after.device - before.device
    good = max(per_hour, (device or 0) * 60 / minutes) <= BAR_BYTES
    arrived = "not measured: needs root and a loop device" if device is None else f"{device} bytes"
    rows = [
        f"`python -m benchmarks.soak --quiet --minutes {minutes:g}`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} "
        "cores; one camera, 1280x720@10 copied, 640x360@10 looked at, still scene with sensor noise; heartbeats every "
        f"30 s. The bar is {BAR_BYTES} bytes an hour: {'met' if good else 'MISSED'}.",
        "",
        "| | |",
        "|---|---|",
        f"| written by the agent in {minutes:g} minutes (`/proc/PID/io` write_bytes) | "
        f"{after.process - before.process:.0f} bytes |",
        f"| arrived meanwhile at the device under its data folder, an ext4 of its own with its journal | {arrived} |",
        f"| written in the minute after its start, not counted above | {before.process - start.process:.0f} bytes |",
        f"| files of the data folder that changed | {', '.join(changed) or 'none'} |",
        f"| events made meanwhile (0: nothing was taken for motion) | {seen} |",
    ]
    return "\n".join(rows), good


def _start(folder: Path, system: System) -> Program:
    config = folder / f"{BOX}.yaml"
    config.write_text(
        f"box: {BOX}\ndata: box\ndisk: {{budget: 64MiB, keep_free: 16MiB}}\n"
        f"broker: {{host: 127.0.0.1, port: {system.broker_port}, password_file: {BOX}.secret}}\n"
        f"collector: {{url: '{system.url}'}}\n"
        "cameras: [{name: yard, source: 'main.mp4?loop=1', sub: 'sub.mp4?loop=1'}]\n",
        encoding="utf-8",
    )
    agent = Program("edge-agent", ["run", "--config", str(config)], folder / "box.log")
    system.boxes[BOX] = agent
    wait_for(lambda: "connected" in agent.log.read_text(), "the box's connection", 60)
    return agent


def _count(agent: Program, disk: Disk | None) -> Counted:
    found = of_process(agent.process.pid)
    if found is None:
        raise SystemExit(f"the agent has ended: see {agent.log}")
    return Counted(found["written (MiB)"] * 2**20, None if disk is None else disk.written_bytes())
