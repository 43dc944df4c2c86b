"""Labelled recordings as they are and under each transformation, by every detector, on the same files."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click

from benchmarks.detection import films, passes, rivals, videos
from benchmarks.detection.detectors import detector
from benchmarks.detection.looks import run
from benchmarks.detection.scores import HEADER, Pixels, Score, totals
from benchmarks.detection.transforms import TRANSFORMS, Transform
from benchmarks.results import table

AT_ONCE = 6
"""Films that Motion plays beside each other: each takes a twentieth of a core."""


@dataclass
class _Film:
    """One recording under one transformation, as a file that every program can read."""

    path: Path
    labels: videos.Labels
    name: str


def _films(folder: Path, only: str, label: str, passed: int, where: Path) -> Iterator[_Film]:
    for path in videos.recordings(folder):
        labels = videos.labels_of(path)
        if only not in path.stem or labels is None:
            continue
        if label == "plain" and passed == 1:
            yield _Film(path, labels, path.stem)
            continue
        film = where / f"{path.stem}.mkv"
        given = list(videos.frames(path))
        _write(given, TRANSFORMS[label], passed, film, films.ENCODINGS.get(label, films.HARDLY_COMPRESSED))
        yield _Film(film, passes.labels_to_and_fro(labels, given[-1][0], passed), path.stem)


def _write(given: list[videos.Frame], transform: Transform, passed: int, film: Path, encoding: films.Encoding) -> None:
    times = [at_s for at_s, _ in islice(transform(given), 50)]
    films.write(transform(passes.to_and_fro(given, passed)), film, (len(times) - 1) / times[-1], encoding)


def labelled(
    folder: Path, only: str, which: tuple[str, ...], names: tuple[str, ...], passed: int, dvr_scan: str
) -> str:
    """A table with a row for each transformation and detector, and what each detector comes to in all."""
    rows: list[list[str]] = []
    scores: dict[str, list[Score]] = {name: [] for name in names}
    for label in which or TRANSFORMS:
        with tempfile.TemporaryDirectory() as where, ThreadPoolExecutor(AT_ONCE) as beside:
            given = list(_films(folder, only, label, passed, Path(where)))
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
                        score.count(result.frames, result.cpu_s, result.last_s, result.ready_s)
                    notes += [film.name] * (score.of_nothing > before)
                scores[name].append(score)
                rows.append([label, name, *score.row(), ", ".join(notes)])
                click.echo(" | ".join(rows[-1]), err=True)
    said = "\n".join(totals(name, of_one) for name, of_one in scores.items())
    return f"{said}\n\n{table(['transformation', 'detector', *HEADER, 'of nothing in'], rows)}"
