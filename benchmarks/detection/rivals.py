"""Motion and DVR-Scan over a file, as programs of their own: when each saw something move.

Motion plays a file at its own pace, a little slow on a busy machine, and some time passes until it sees that the file
is over: both are told from how long files of different lengths take. It tells every frame in which it detects
motion; episodes are made of those with gaps of under three seconds. DVR-Scan is asked for the same gap, without lead.
"""

import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.detection.scores import Span

GAP_S = 3.0
MOTION = {"Motion": (), "Motion 300": ("threshold 300",)}
"""Its defaults but for the size, which is the file's; and with the threshold that finds smaller things."""
DVR_SCAN = "DVR-Scan"


def available(dvr_scan: str) -> tuple[str, ...]:
    """The names of the rivals that are installed here."""
    found = tuple(MOTION) if shutil.which("motion") else ()
    return (*found, DVR_SCAN) if shutil.which(dvr_scan) else found


@dataclass(frozen=True)
class Played:
    """When Motion detected something, since it began to play a file, and when it saw that the file was over."""

    length_s: float
    took_s: float
    seen_s: list[float]


def in_time(plays: list[Played]) -> list[list[float]]:
    """The detections in seconds of each file."""
    pace = 1.0
    if len({played.length_s for played in plays}) > 1:
        pace = float(np.polyfit([played.length_s for played in plays], [played.took_s for played in plays], 1)[0])
    return [[at_s / pace for at_s in played.seen_s] for played in plays]


def motion_plays(path: Path, name: str, size: tuple[int, int], fps: float, length_s: float) -> Played:
    """Lets Motion play a file. Takes as long as the file is."""
    # Its sizes are multiples of eight.
    width, height = (side // 8 * 8 for side in size)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "motion.conf"
        lines = [
            *("daemon off", "log_level 6", "webcontrol_port 0", "stream_port 0", "pre_capture 0"),
            *("movie_output off", "picture_output off", f"event_gap {GAP_S:.0f}", "on_motion_detected echo moving"),
            *(f"netcam_url file://{path}", f"width {width}", f"height {height}"),
            *(f"framerate {max(2, round(fps))}", f"target_dir {folder}", *MOTION[name]),
        ]
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = ["motion", "-n", "-c", str(config)]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        watchdog = threading.Timer(length_s * 3 + 60, program.kill)
        watchdog.start()
        try:
            began_s, ended_s, seen = _follow(program)
        finally:
            watchdog.cancel()
            program.terminate()
            with suppress(subprocess.TimeoutExpired):
                program.wait(10)
            program.kill()
    return Played(length_s, ended_s - began_s, [at_s - began_s for at_s in seen])


def _follow(program: subprocess.Popen[str]) -> tuple[float, float, list[float]]:
    began_s = ended_s = 0.0
    seen: list[float] = []
    for line in program.stdout or ():
        now_s = time.monotonic()
        if line.strip() == "moving":
            seen.append(now_s)
        elif "netcam_rtsp_connect" in line and "connected" in line:
            began_s = began_s or now_s
        elif "Reconnecting" in line:  # the file is over
            ended_s = now_s
            break
    if not began_s or not ended_s:
        raise SystemExit("motion did not play the file: try it by hand with the configuration of rivals.py")
    return began_s, ended_s, seen


def episodes_of(times_s: list[float]) -> list[Span]:
    """Moments joined over gaps of under three seconds."""
    episodes: list[Span] = []
    for at_s in times_s:
        if episodes and at_s - episodes[-1][1] < GAP_S:
            episodes[-1] = (episodes[-1][0], at_s)
        else:
            episodes.append((at_s, at_s))
    return episodes


def dvr_scan_episodes(path: Path, program: str) -> list[Span]:
    """The events that DVR-Scan finds with its defaults, from the first to the last moment that it calls motion."""
    options = ["-so", "-q", "--ignore-user-config", "-tb", "0s", "-tp", f"{GAP_S:.0f}s"]
    told = subprocess.run([program, "-i", str(path), *options], capture_output=True, text=True, check=True, timeout=900)
    times = list(_timecodes(told.stdout))
    return [(start, max(start, end - GAP_S)) for start, end in zip(times[::2], times[1::2], strict=True)]


def _timecodes(text: str) -> Iterator[float]:
    for hours, minutes, seconds in re.findall(r"(\d+):(\d\d):(\d\d\.\d+)", text):
        yield int(hours) * 3600 + int(minutes) * 60 + float(seconds)
