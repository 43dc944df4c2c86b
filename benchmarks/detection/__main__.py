"""python -m benchmarks.detection --videos DIR: detectors and rivals over labelled recordings; README.md says how."""

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import cv2

from benchmarks.detection import cost, rivals, videos
from benchmarks.detection.detectors import DETECTORS, detector
from benchmarks.detection.empty import ghosts, nobody
from benchmarks.detection.labelled import labelled
from benchmarks.detection.looks import run
from benchmarks.detection.scores import Pixels
from benchmarks.detection.transforms import TRANSFORMS
from benchmarks.results import table, write_section


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


RESULTS = Path(__file__).parent / "RESULTS.md"
PARTS = ["all", "labelled", "pixels", "empty", "ghosts", "cost"]


@click.command()
@click.option("--videos", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--part", type=click.Choice(PARTS), default="all")
@click.option("--detector", "names", multiple=True, help="Of the labelled recordings. Default: all that are here.")
@click.option("--only", default="", help="Only recordings whose name holds this.")
@click.option("--transform", "which", multiple=True, type=click.Choice(list(TRANSFORMS)), help="Default: all.")
@click.option("--passes", default=1, help="How often each labelled recording is played, to and fro.")
@click.option("--seconds", default=120.0, help="How long nobody is there, a scene and transformation.")
@click.option("--dvr-scan", default="dvr-scan", help="DVR-Scan's program, in an environment of its own.")
@click.option("--write/--no-write", default=True, help="Whether the figures go into RESULTS.md.")
def main(
    folder: Path,
    part: str,
    names: tuple[str, ...],
    only: str,
    which: tuple[str, ...],
    passes: int,
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
        f"Labelled recordings{of_whom}": ("labelled", lambda: labelled(folder, only, which, names, passes, dvr_scan)),
        "Pixels": ("pixels", lambda: pixels(folder, only)),
        "Nobody there": ("empty", lambda: nobody(folder, only, which, seconds)),
        "Ghosts": ("ghosts", lambda: ghosts(folder, only)),
        "Cost beside MOG2": ("cost", lambda: cost.pairs(folder, only)),
        "Cost of a frame": ("cost", lambda: cost.own_code(folder, only)),
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
