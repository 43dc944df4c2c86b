"""Prints when each deed is told on each recording, and what is told where nothing was done.

`python -m benchmarks.tamper --videos DIR [--quick] [--only encoded] [--scene FILE]`
Each recording is played to and fro for 12 s, then the deed is done for 8 s, then undone for 8 s. Nothing is done in the
transformed recordings of benchmarks.detection, played to and fro for a minute, nor in `--scene`, looped for an hour.
Encoded: the same at a fixed bitrate (encoder.py), as recorded and with a sensor's noise laid over, frozen before the
encoder; nothing is done in the transformed recordings.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from benchmarks.detection.transforms import TRANSFORMS
from benchmarks.detection.videos import Frame, frames, recordings
from benchmarks.tamper.deeds import Frozen, deeds
from benchmarks.tamper.encoder import at_fixed_bitrate
from edge_agent.vision.tamper import PictureHealth, TamperEnded, TamperStarted

LEAD_S, DEED_S, AFTER_S, PLAIN_S = 12.0, 8.0, 8.0, 60.0


def to_and_fro(kept: list[Frame], length_s: float) -> Iterator[Frame]:
    """Without a jump where it begins again."""
    step_s = kept[-1][0] / max(1, len(kept) - 1)
    at_s, number = 0.0, 0
    order = list(range(len(kept))) + list(range(len(kept) - 2, 0, -1))
    while at_s < length_s:
        yield at_s, kept[order[number % len(order)]][1]
        at_s, number = at_s + step_s, number + 1


def told(given: Iterable[Frame]) -> list[tuple[float, TamperStarted | TamperEnded]]:
    """What is told, with the second at which it is."""
    health = PictureHealth()
    said = []
    for at_s, picture in given:
        event = health.look(picture, at_s * 1000)
        if event is not None:
            said.append((at_s, event))
    return said


def _with_deed(kept: list[Frame], deed: object) -> Iterator[Frame]:
    for at_s, picture in to_and_fro(kept, LEAD_S + DEED_S + AFTER_S):
        since_s = at_s - LEAD_S
        yield at_s, deed(picture, since_s) if 0 <= since_s < DEED_S else picture  # type: ignore[operator]


def _read(path: Path) -> list[Frame]:
    """At most 20 s, ten pictures a second, 640 wide: as the agent looks at a sub-stream."""
    kept: list[Frame] = []
    for at_s, picture in frames(path):
        if at_s > 20.0:
            break
        if not kept or at_s - kept[-1][0] >= 0.095:
            shrink = min(1.0, 640 / picture.shape[1])
            kept.append(
                (
                    at_s,
                    picture
                    if shrink == 1
                    else cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA),
                )
            )
    return kept


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--scene", type=Path)
    parser.add_argument("--quick", action="store_true", help="without the transformations")
    parser.add_argument("--only", choices=["deeds", "encoded"])
    options = parser.parse_args()
    if options.only != "encoded":
        _deeds(options.videos, quick=options.quick)
    if options.only != "deeds":
        _encoded(options.videos, quick=options.quick)
    if options.scene is not None:
        _scene(options.scene)


def _deeds(folder: Path, *, quick: bool) -> None:
    names = list(deeds())
    print("| recording | " + " | ".join(names) + " | false |")
    print("|---|" + "---|" * (len(names) + 1))
    for path in recordings(folder):
        kept = _read(path)
        cells = []
        for kind, deed in deeds().values():
            said = told(_with_deed(kept, deed))
            during = [(s, e) for s, e in said if isinstance(e, TamperStarted) and LEAD_S <= s < LEAD_S + DEED_S]
            wrong = [e.kind for s, e in said if isinstance(e, TamperStarted) and not LEAD_S <= s < LEAD_S + DEED_S]
            ends = [s for s, e in said if isinstance(e, TamperEnded)]
            cell = "**missed**"
            if during:
                delay_s, event = during[0][0] - LEAD_S, during[0][1]
                cell = f"{delay_s:.1f}" + ("" if event.kind == kind else f" ({event.kind})")
                cell += f" / {ends[0] - LEAD_S - DEED_S:.1f}" if ends else " / no end"
            cells.append(cell + (f" +{wrong}" if wrong else ""))
        false = [] if quick else _false(kept)
        print(f"| {path.stem} | " + " | ".join(cells) + f" | {', '.join(false) or ('-' if quick else 'none')} |")


def _scene(path: Path) -> None:
    began_s, count, last_s = time.process_time(), 0, 0.0
    looped = chain.from_iterable(
        ((turn * 66.0 + at_s, picture) for at_s, picture in frames(path)) for turn in range(55)
    )
    health, said = PictureHealth(), []
    for at_s, picture in looped:
        event, count, last_s = health.look(picture, at_s * 1000), count + 1, at_s
        said += [f"{at_s:.0f} s {event}"] if event else []
    cpu_s = time.process_time() - began_s
    print(
        f"\nscene: {last_s / 60:.0f} minutes, {count} pictures, {cpu_s:.0f} s CPU with decoding; told: {said or 'none'}"
    )


def _false(kept: list[Frame], encoded: Callable[[Iterable[Frame]], Iterable[Frame]] = iter) -> list[str]:
    found = []
    for name, transform in TRANSFORMS.items():
        found += [
            f"{name} {e.kind} {s:.0f} s"
            for s, e in told(encoded(transform(to_and_fro(kept, PLAIN_S))))
            if isinstance(e, TamperStarted)
        ]
    return found


def _noisy(given: Iterable[Frame], sigma: float) -> Iterator[Frame]:
    """With a sensor's noise of so many grey levels."""
    random = np.random.default_rng(1)
    for at_s, picture in given:
        noise = sigma * random.standard_normal(picture.shape, dtype=np.float32)
        yield at_s, np.clip(picture + noise, 0, 255).astype(np.uint8)


def _frozen(given: Iterable[Frame]) -> Iterator[Frame]:
    deed = Frozen()
    for at_s, picture in given:
        yield at_s, deed(picture, at_s) if LEAD_S <= at_s < LEAD_S + DEED_S else picture


def _encoded(folder: Path, *, quick: bool) -> None:
    print("\n| recording | frozen, as recorded | frozen, with noise | false |\n|---|---|---|---|")
    for path in recordings(folder):
        kept = _read(path)
        fps = (len(kept) - 1) / kept[-1][0]

        def encoded(given: Iterable[Frame], fps: float = fps) -> Iterator[Frame]:
            return (frame for frame, _ in at_fixed_bitrate(given, fps))

        cells = []
        for sigma in (0.0, 1.5):
            plain = to_and_fro(kept, LEAD_S + DEED_S + AFTER_S)
            said = told(encoded(_frozen(_noisy(plain, sigma) if sigma else plain)))
            starts = [s for s, e in said if isinstance(e, TamperStarted)]
            ends = [s for s, e in said if isinstance(e, TamperEnded)]
            cell = f"{starts[0] - LEAD_S:.1f}" if starts else "**missed**"
            cells.append(cell + (f" / {ends[0] - LEAD_S - DEED_S:.1f}" if ends else ""))
        false = [] if quick else _false(kept, encoded)
        print(
            f"| {path.stem} | " + " | ".join(cells) + f" | {', '.join(false) or ('-' if quick else 'none')} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
