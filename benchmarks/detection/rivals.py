"""Motion and DVR-Scan over a file, as programs of their own: when each saw something move.

Motion plays a file at the file's pace and may pass pictures over on a busy machine, so the clock says little of which
picture it saw. It is given a copy whose pictures carry their number in a band below, which a mask hides from its
detection, and keeps each picture in which it detects motion. Episodes are made of those with gaps of under three
seconds. DVR-Scan is asked for the same gap, without lead.
"""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from benchmarks.detection import films, videos
from benchmarks.detection.scores import Span
from benchmarks.detection.videos import Frame, Picture

GAP_S = 3.0
MOTION = {"Motion": (), "Motion 300": ("threshold 300",)}
"""Its defaults but for the size, which is the file's; and with the threshold that finds smaller things."""
SIDES = 8
"""Motion takes sides that are multiples of this."""
BAND, BITS = 16, 16
"""Height of the band with the number, in pixels, and its blocks."""
DVR_SCAN = "DVR-Scan"


def available(dvr_scan: str) -> tuple[str, ...]:
    """The names of the rivals that are installed here."""
    found = tuple(MOTION) if shutil.which("motion") else ()
    return (*found, DVR_SCAN) if shutil.which(dvr_scan) else found


def numbered(given: Iterable[Frame]) -> Iterator[Frame]:
    """Each picture at sizes that Motion takes, with its number as black and white blocks in a band below it."""
    for number, (at_s, picture) in enumerate(given):
        height, width = (side // SIDES * SIDES for side in picture.shape)
        band = np.zeros((BAND, width), np.uint8)
        step = width // BITS
        for bit in range(BITS):
            band[:, bit * step : (bit + 1) * step] = 255 * (number >> bit & 1)
        yield at_s, np.vstack((picture[:height, :width], band))


def number_of(picture: Picture) -> int:
    """The number that stands in a picture's band."""
    height, width = picture.shape
    step = width // BITS
    blocks = [picture[height - BAND + 4 : height - 4, bit * step + 3 : (bit + 1) * step - 3] for bit in range(BITS)]
    return sum(1 << bit for bit, block in enumerate(blocks) if block.mean() > 127)


def motion_plays(path: Path, name: str) -> list[float]:
    """Lets Motion play a file, at the file's own pace; the times of the pictures in which it detected motion."""
    times = [at_s for at_s, _ in videos.frames(path)]
    fps = len(times) / times[-1]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        films.write(numbered(videos.frames(path)), folder / "numbered.mkv", fps)
        height, width = next(numbered(videos.frames(path)))[1].shape
        mask = np.full((height, width), 255, np.uint8)
        mask[height - BAND :] = 0
        cv2.imwrite(str(folder / "mask.pgm"), mask)
        (folder / "found").mkdir()
        lines = [
            *("daemon off", "log_level 6", "webcontrol_port 0", "stream_port 0", "movie_output off", "pre_capture 0"),
            *("picture_output on", "picture_quality 90", "picture_filename %v-%Y%m%d%H%M%S-%q"),
            *(f"netcam_url file://{folder / 'numbered.mkv'}", f"width {width}", f"height {height}"),
            *(f"framerate {max(2, round(fps))}", f"mask_file {folder / 'mask.pgm'}", f"event_gap {GAP_S:.0f}"),
            *(f"target_dir {folder / 'found'}", *MOTION[name]),
        ]
        config = folder / "motion.conf"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        _run_until_played(["motion", "-n", "-c", str(config)], times[-1] * 3 + 60)
        pictures = [cv2.imread(str(found), cv2.IMREAD_GRAYSCALE) for found in (folder / "found").glob("*.jpg")]
    numbers = sorted({number_of(picture) for picture in pictures if picture is not None})
    return [times[number] for number in numbers if number < len(times)]


def _run_until_played(command: list[str], longest_s: float) -> None:
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watchdog = threading.Timer(longest_s, program.kill)
    watchdog.start()
    try:
        played = any("Reconnecting" in line for line in program.stdout or ())
    finally:
        watchdog.cancel()
        program.terminate()
        with suppress(subprocess.TimeoutExpired):
            program.wait(10)
        program.kill()
    if not played:
        raise SystemExit("motion did not play the file: try it by hand with the configuration of rivals.py")


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
