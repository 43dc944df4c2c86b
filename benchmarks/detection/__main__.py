"""python -m benchmarks.detection --videos DIR: detectors and rivals over labelled recordings; README.md says how."""

import shlex
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from benchmarks.detection import films, rivals, videos
from benchmarks.detection.detectors import DETECTORS, Detector, detector
from benchmarks.detection.scores import HEADER, Pixels, Score, Span
from benchmarks.detection.transforms import TRANSFORMS, Transform
from benchmarks.results import write_section
from edge_agent.vision.episodes import EpisodeEnded, EpisodeStarted, EpisodeTracker
from edge_agent.vision.settings import MotionSettings

AT_ONCE = 6
"""Films that Motion plays beside each other: each takes a twentieth of a core."""


@dataclass
class Run:
    """What one detector made of one recording."""

    episodes: list[Span] = field(default_factory=list)
    moving_s: list[float] = field(default_factory=list)
    alerts_s: list[float] = field(default_factory=list)
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
        result.alerts_s += [at_s for event in events if isinstance(event, EpisodeStarted)]
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


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows))


def pixels(folder: Path, only: str) -> str:
    """The recordings with pixel truth, by each detector that marks pixels: F-measure, CPU a frame."""
    header, rows = ["detector"], [[name] for name in DETECTORS]
    for path in videos.recordings(folder):
        truth = videos.truth_of(path)
        if only not in path.stem or truth is None:
            continue
        header += [path.stem, "ms/frame"]
        for row in rows:
            counts = Pixels()
            result = run(detector(row[0]), videos.frames(path), truth, counts)
            row += [f"{counts.f_measure():.3f}", f"{result.cpu_s / result.frames * 1000:.2f}"]
    return table(header, rows)


@dataclass
class _Film:
    """One recording under one transformation, as a file that every program can read."""

    path: Path
    labels: videos.Labels
    name: str


def _films(folder: Path, only: str, transform: Transform | None, where: Path) -> Iterator[_Film]:
    for path in videos.recordings(folder):
        labels = videos.labels_of(path)
        if only not in path.stem or labels is None:
            continue
        film = path
        if transform is not None:
            film = where / f"{path.stem}.mkv"
            times = [at_s for at_s, _ in transform(videos.frames(path))]
            films.write(transform(videos.frames(path)), film, len(times) / times[-1])
        yield _Film(film, labels, path.stem)


def labelled(folder: Path, only: str, which: tuple[str, ...], names: tuple[str, ...], dvr_scan: str) -> str:
    """The labelled recordings as they are and under each transformation, by every detector, on the same files."""
    rows = []
    for label, transform in TRANSFORMS.items():
        if which and label not in which:
            continue
        with tempfile.TemporaryDirectory() as where, ThreadPoolExecutor(AT_ONCE) as beside:
            given = list(_films(folder, only, None if label == "plain" else transform, Path(where)))
            playing = {
                name: [beside.submit(rivals.motion_plays, film.path, name) for film in given]
                for name in names
                if name in rivals.MOTION
            }
            for name in names:
                score, notes = Score(), []
                played = [play.result() for play in playing.get(name, [])]
                for number, film in enumerate(given):
                    before = score.of_nothing
                    if name in playing:
                        times = played[number]
                        score.add(film.labels, rivals.episodes_of(times), times)
                    elif name == rivals.DVR_SCAN:
                        found = rivals.dvr_scan_episodes(film.path, dvr_scan)
                        score.add(film.labels, found, [start for start, _ in found])
                    else:
                        result = run(detector(name), videos.frames(film.path), None, Pixels())
                        score.add(film.labels, result.episodes, result.moving_s, result.alerts_s)
                        score.frames += result.frames
                        score.cpu_s += result.cpu_s
                    notes += [film.name] * (score.of_nothing > before)
                rows.append([label, name, *score.row(), ", ".join(notes)])
                click.echo(" | ".join(rows[-1]), err=True)
    return table(["transformation", "detector", *HEADER, "of nothing in"], rows)


def empty(folder: Path, only: str, which: tuple[str, ...], seconds: float) -> str:
    """Scenes with nobody in them, for long, under every transformation: every episode is false."""
    random = np.random.default_rng(20)
    rows = []
    scenes = {}
    for path in videos.recordings(folder):
        labels = videos.labels_of(path)
        if only in path.stem and labels is not None:
            scenes[path.stem] = videos.empty_scene(path, labels)
    for label, transform in TRANSFORMS.items():
        if which and label not in which:
            continue
        for name in ("ours",):
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
    return table(["transformation", "detector", "false", "false an hour", "flagged", "in"], rows)


RESULTS = Path(__file__).parent / "RESULTS.md"


@click.command()
@click.option("--videos", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--part", type=click.Choice(["all", "labelled", "pixels", "empty"]), default="all")
@click.option("--detector", "names", multiple=True, help="Of the labelled recordings. Default: all that are here.")
@click.option("--only", default="", help="Only recordings whose name holds this.")
@click.option("--transform", "which", multiple=True, type=click.Choice(list(TRANSFORMS)), help="Default: all.")
@click.option("--seconds", default=120.0, help="How long nobody is there, a scene and transformation.")
@click.option("--dvr-scan", default="dvr-scan", help="DVR-Scan's program, in an environment of its own.")
@click.option("--write/--no-write", default=True, help="Whether the figures go into RESULTS.md.")
def main(
    folder: Path,
    part: str,
    names: tuple[str, ...],
    only: str,
    which: tuple[str, ...],
    seconds: float,
    dvr_scan: str,
    write: bool,
) -> None:
    """Compare detectors on labelled recordings, as they are and under weather, lamps and poor cameras."""
    of_whom = f": {', '.join(names)}" if names else ""
    names = names or (*DETECTORS, *rivals.available(dvr_scan))
    cv2.setNumThreads(1)  # as the agent does; also what makes CPU times comparable
    told = f"{datetime.now(UTC):%Y-%m-%d}: `python -m benchmarks.detection {_asked()}`"
    parts = {
        f"Labelled recordings{of_whom}": ("labelled", lambda: labelled(folder, only, which, names, dvr_scan)),
        "Pixels": ("pixels", lambda: pixels(folder, only)),
        "Nobody there": ("empty", lambda: empty(folder, only, which, seconds)),
    }
    for title, (name, measure) in parts.items():
        if part not in ("all", name):
            continue
        text = f"{told}\n\n{measure()}"
        click.echo(f"\n## {title}\n\n{text}")
        if write:
            write_section(RESULTS, "Detection: the last figures", title, text)


def _asked() -> str:
    """The command line, without the paths of this machine."""
    hidden = {"--videos": "DIR", "--dvr-scan": "PROGRAM"}
    words = sys.argv[1:]
    return shlex.join(hidden.get(words[n - 1], word) if n else word for n, word in enumerate(words))


if __name__ == "__main__":
    main()
