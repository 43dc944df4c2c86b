"""What looking costs: beside MOG2 in pairs, and all that the agent does with a frame that it looks at."""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2

from benchmarks.detection import videos
from benchmarks.detection.detectors import detector
from benchmarks.results import table
from edge_agent.vision.demotion import Demotion
from edge_agent.vision.episodes import Episodes
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.tamper import PictureHealth

ROUNDS, FRAMES = 7, 300


def _cpu_s(look: Callable[[videos.Picture, float], object], given: Sequence[videos.Frame]) -> float:
    began_s = time.thread_time()
    for at_s, picture in given:
        look(picture, at_s * 1000)
    return time.thread_time() - began_s


def _bare() -> Callable[[videos.Picture, float], object]:
    model = cv2.createBackgroundSubtractorMOG2()
    return lambda picture, _: model.apply(picture)


def pairs(folder: Path, only: str) -> str:
    """The recordings with pixel truth: ours, then MOG2, again and again in one process; the median of the ratios."""
    rows = []
    for path in videos.recordings(folder):
        if only not in path.stem or not videos.has_truth(path):
            continue
        given = list(itertools.islice(videos.frames(path), FRAMES))
        ours_s, patches_s, bare_s = [], [], []
        for _ in range(ROUNDS):
            ours_s.append(_cpu_s(detector("ours").look, given))
            patches_s.append(_cpu_s(detector("MOG2").look, given))
            bare_s.append(_cpu_s(_bare(), given))
        row = [path.stem, str(len(given)), f"{statistics.median(ours_s) / len(given) * 1000:.2f}"]
        for rival_s in (patches_s, bare_s):
            ratios = [ours / rival for ours, rival in zip(ours_s, rival_s, strict=True)]
            row += [f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}–{max(ratios):.2f}"]
        rows.append(row)
    header = ["recording", "frames", "ours ms/frame", "to MOG2 with patches", "least–most", "to its apply() alone"]
    return table([*header, "least–most"], rows)


def own_code(folder: Path, only: str) -> str:
    """Each recording: CPU of all that the agent does with a frame, decoding and saving left out; ms a frame."""
    rows = []
    for path in videos.recordings(folder):
        if only not in path.stem:
            continue
        looker, demotion = MotionDetector(MotionSettings()), Demotion()
        episodes, health = Episodes(MotionSettings()), PictureHealth()
        each_s, moving, size = [], 0, ""
        for at_s, picture in videos.frames(path):
            t_ms = at_s * 1000
            began_s = time.thread_time()
            health.look(picture, t_ms)
            observation = demotion.see(looker.look(picture, t_ms))
            episodes.step(observation, t_ms)
            each_s.append(time.thread_time() - began_s)
            moving += observation.moving
            size = f"{picture.shape[1]}x{picture.shape[0]}"
        each_s.sort()
        middle, mean = statistics.median(each_s), statistics.fmean(each_s)
        late = each_s[len(each_s) * 95 // 100]
        cells = [f"{value * 1000:.2f}" for value in (middle, mean, late)]
        rows.append([path.stem, size, str(len(each_s)), f"{moving / len(each_s):.0%}", *cells])
    return table(["recording", "size", "frames", "of them moving", "median ms", "mean ms", "95 % ms"], rows)
