"""python -m benchmarks.detection --videos DIR: runs the detectors over labelled recordings and prints the tables."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from benchmarks.detection import videos
from benchmarks.detection.detectors import DETECTORS, Detector, detector
from benchmarks.detection.scores import HEADER, Pixels, Score, Span
from benchmarks.detection.transforms import TRANSFORMS
from edge_agent.vision.episodes import EpisodeEnded, EpisodeTracker
from edge_agent.vision.settings import MotionSettings


@dataclass
class Run:
    """What one detector made of one recording."""

    episodes: list[Span] = field(default_factory=list)
    moving_s: list[float] = field(default_factory=list)
    frames: int = 0
    cpu_s: float = 0.0
    last_s: float = 0.0
    global_changes: int = 0


def run(looker: Detector, given: Iterable[videos.Frame], truth: videos.Truth | None, pixels: Pixels) -> Run:
    """Looks at all frames and makes episodes of what is found."""
    result, tracker = Run(), EpisodeTracker(MotionSettings())
    for number, (at_s, picture) in enumerate(given):
        began_s = time.process_time()
        observation = looker.look(picture, at_s * 1000)
        result.cpu_s += time.process_time() - began_s
        result.frames += 1
        result.last_s = at_s
        result.global_changes += observation.global_change
        if observation.moving:
            result.moving_s.append(at_s)
        events = tracker.step(observation, at_s * 1000)
        result.episodes += [(e.start_ms / 1000, e.end_ms / 1000) for e in events if isinstance(e, EpisodeEnded)]
        known = truth.of(number) if truth is not None else None
        if known is not None:
            moving, background = known
            mask = looker.mask() > 0
            pixels.right += int(np.count_nonzero(mask & moving))
            pixels.wrong += int(np.count_nonzero(mask & background))
            pixels.missed += int(np.count_nonzero(~mask & moving))
    ends = tracker.lost(result.last_s * 1000)
    result.episodes += [(e.start_ms / 1000, e.end_ms / 1000) for e in ends if isinstance(e, EpisodeEnded)]
    return result


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Prints a Markdown table."""
    click.echo(f"\n### {title}\n")
    for row in (header, ["---"] * len(header), *rows):
        click.echo("| " + " | ".join(row) + " |")


def originals(folder: Path, names: tuple[str, ...], only: str) -> None:
    """Labelled recordings and those with pixel truth, as they are, by every detector."""
    rows, f_rows = [], []
    for name in names:
        score, f_row = Score(), [name]
        for path in videos.recordings(folder):
            labels, truth = videos.labels_of(path), videos.truth_of(path)
            if only not in path.stem or (labels is None and truth is None):
                continue
            pixels = Pixels()
            result = run(detector(name), videos.frames(path), truth, pixels)
            if labels is not None:
                score.add(labels, result.episodes, result.moving_s)
                score.frames += result.frames
                score.cpu_s += result.cpu_s
            if truth is not None:
                f_row.append(f"{path.stem} {pixels.f_measure():.3f}")
        rows.append([name, *score.row()])
        f_rows.append(f_row)
    table("Labelled recordings", ["detector", *HEADER], rows)
    if len(f_rows[0]) > 1:
        table("Pixels, F-measure", ["detector"] + ["recording"] * (len(f_rows[0]) - 1), f_rows)


def transformed(folder: Path, names: tuple[str, ...], only: str, which: str) -> None:
    """Labelled recordings under every transformation."""
    rows = []
    for label, transform in TRANSFORMS.items():
        if which and which not in label:
            continue
        for name in names:
            score, notes = Score(), []
            for path in videos.recordings(folder):
                labels = videos.labels_of(path)
                if only not in path.stem or labels is None:
                    continue
                result = run(detector(name), transform(videos.frames(path)), None, Pixels())
                before = score.of_nothing
                score.add(labels, result.episodes, result.moving_s)
                score.frames += result.frames
                score.cpu_s += result.cpu_s
                if score.of_nothing > before:
                    notes.append(path.stem)
            rows.append([label, name, *score.row(), ", ".join(notes)])
    table("Transformed", ["transformation", "detector", *HEADER, "of nothing in"], rows)


def empty(folder: Path, names: tuple[str, ...], only: str, which: str, seconds: float) -> None:
    """Scenes with nobody in them, for long, under every transformation: every episode is false."""
    random = np.random.default_rng(20)
    rows = []
    scenes = {}
    for path in videos.recordings(folder):
        labels = videos.labels_of(path)
        if only in path.stem and labels is not None:
            scenes[path.stem] = videos.empty_scene(path, labels)
    for label, transform in TRANSFORMS.items():
        if which and which not in label:
            continue
        for name in names:
            false, flagged_s, total_s, notes = 0, 0.0, 0.0, []
            for stem, scene in scenes.items():
                shrink = min(1.0, 640 / scene.shape[1])
                small = cv2.resize(scene, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
                noise: Any = 1.5 * random.standard_normal((7, *small.shape), dtype=np.float32)

                def still(small: videos.Picture = small, noise: Any = noise) -> Iterable[videos.Frame]:
                    for number in range(round(seconds * 10)):
                        layer = noise[int(random.integers(0, 7))]
                        yield number / 10, np.clip(small + layer, 0, 255).astype(np.uint8)

                result = run(detector(name), transform(still()), None, Pixels())
                false += len(result.episodes)
                flagged_s += sum(end - start for start, end in result.episodes)
                total_s += result.last_s
                if result.episodes:
                    notes.append(f"{stem} {len(result.episodes)}")
            row = [label, name, str(false), f"{false / total_s * 3600:.1f}", f"{flagged_s / total_s:.1%}"]
            rows.append([*row, ", ".join(notes)])
    table("Nobody there", ["transformation", "detector", "false", "false an hour", "flagged", "in"], rows)


@click.command()
@click.option("--videos", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--part", type=click.Choice(["all", "originals", "transformed", "empty"]), default="originals")
@click.option("--detector", "names", multiple=True, type=click.Choice(DETECTORS), help="Default: all.")
@click.option("--only", default="", help="Only recordings whose name holds this.")
@click.option("--transform", "which", default="", help="Only transformations whose name holds this.")
@click.option("--seconds", default=120.0, help="How long nobody is there, a scene and transformation.")
def main(folder: Path, part: str, names: tuple[str, ...], only: str, which: str, seconds: float) -> None:
    """Compare detectors on labelled recordings, as they are and under weather, lamps and poor cameras."""
    names = names or DETECTORS
    cv2.setNumThreads(1)  # as the agent does; also what makes CPU times comparable
    if part in ("all", "originals"):
        originals(folder, names, only)
    if part in ("all", "transformed"):
        transformed(folder, names, only, which)
    if part in ("all", "empty"):
        empty(folder, names, only, which, seconds)


if __name__ == "__main__":
    main()
