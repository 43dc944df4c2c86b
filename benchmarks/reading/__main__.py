"""`python -m benchmarks.reading --videos DIR`: events lost, late starts and late words by reading less than everything.

The agent's own reader, attention and detector, on recordings encoded as cameras do (see films.py), beside the same with
every picture decoded and looked at: as a camera's only stream, and as the small one beside a large one, whose word may
not come late. Prints a table for each recording and writes them to RESULTS.md.
"""

import argparse
import statistics
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.detection.videos import SUFFIXES, labels_of
from benchmarks.reading.films import GOPS_S, RATES, Film, encode, original, with_calms
from edge_agent.camera.attention import SMALL_STREAM, Attention, RestPolicy
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.gaze import Gaze, Seen
from edge_agent.camera.reader import Deadlines, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.detect import RecordedTime
from edge_agent.lookout import interest
from edge_agent.vision.episodes import Episodes, EpisodeStarted
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings

RESULTS = Path(__file__).with_name("RESULTS.md")
_TOLERANCE_S = 1.0
POLICIES = {"only stream": RestPolicy(), "beside a large one": SMALL_STREAM}


@dataclass(frozen=True)
class Found:
    """One episode: its span in the film, and the moment of the stream at which it was told."""

    start_s: float
    end_s: float
    told_s: float


@dataclass
class Row:
    """One recording, encoded in one way and read under one policy."""

    events: int = 0
    whole: int = 0
    sparing: int = 0
    lost: list[str] = field(default_factory=list)
    later_start_s: list[float] = field(default_factory=list)
    later_word_s: list[float] = field(default_factory=list)
    pictures: int = 0
    decoded: int = 0
    looked: int = 0


def read(path: Path, attention: Attention | None) -> tuple[list[Found], Seen]:
    """All episodes of a file."""
    now, seen = RecordedTime(), Seen()
    detector, tracker = MotionDetector(MotionSettings()), Episodes(MotionSettings())
    found: list[Found] = []
    reader = open_reader(SourceAddress.parse(str(path)), Deadlines(), now, now)

    def look(frame: Frame) -> Interest:
        observation = detector.look(frame.luma, frame.mono_ms)
        for event in tracker.step(observation, frame.mono_ms):
            if isinstance(event, EpisodeStarted):
                start_s = event.start_ms / 1000
                found.append(Found(start_s, start_s, now.mono_ms() / 1000))
        if tracker.in_episode and observation.moving:
            found[-1] = Found(found[-1].start_s, frame.mono_ms / 1000, found[-1].told_s)
        return interest(observation, tracker)

    gaze = Gaze(reader, attention, look, seen, lambda frame: detector.stands_out(frame.luma))
    with suppress(CameraUnavailable):  # played to its end
        for packet in reader.packets():
            gaze.take(packet)
    gaze.finish()
    reader.close()
    return found, seen


def compare(film: Film, path: Path) -> dict[str, Row]:
    """One encoded film under each policy."""
    whole, _ = read(path, None)
    rows = {}
    for policy, rest in POLICIES.items():
        sparing, seen = read(path, Attention(rest))
        row = rows[policy] = Row(pictures=len(film.pictures), decoded=seen.decoded, looked=seen.looked)
        for event in film.events:
            row.events += 1
            by_whole, by_sparing = _of(whole, event), _of(sparing, event)
            row.whole += by_whole is not None
            row.sparing += by_sparing is not None
            if by_whole is not None and by_sparing is None:
                row.lost.append(f"at {event[0]:.1f} s")
            if by_whole is not None and by_sparing is not None:
                row.later_start_s.append(by_sparing.start_s - by_whole.start_s)
                row.later_word_s.append(by_sparing.told_s - by_whole.told_s)
    return rows


def _of(found: list[Found], event: tuple[float, float]) -> Found | None:
    for episode in found:
        if episode.start_s <= event[1] and episode.end_s >= event[0] - _TOLERANCE_S:
            return episode
    return None


Key = tuple[str, str, str, str, int]
"""Recording, policy, film, rate control, seconds between key frames."""


def render(rows: dict[Key, Row]) -> str:
    """The tables, Markdown: one a recording."""
    recordings = sorted({recording for recording, *_ in rows})
    lines = [
        "# Reading less than everything: last figures",
        "",
        f"`python -m benchmarks.reading --videos DIR`, {datetime.now(UTC):%Y-%m-%d}; {len(recordings)} recordings.",
        "Found: labelled events touched by an episode. Later: than with every picture decoded and looked at. Word: the",
        "moment of the stream at which the episode is told. Long calms: each event behind a calm of 17 s and more.",
    ]
    for recording in recordings:
        own = {key[1:]: row for key, row in rows.items() if key[0] == recording}
        whole, sparing = sum(row.whole for row in own.values()), sum(row.sparing for row in own.values())
        lost = sum(len(row.lost) for row in own.values())
        lines += [
            "",
            f"## {recording}: {lost} events lost of {whole} that full decoding found, {sparing} found",
            "",
            "| read as | film | rate | key frame each | events | found, every picture | found, sparing | lost | "
            "start later, most | word later, median | most | decoded | looked at |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [_line(key, row) for key, row in sorted(own.items())]
    return "\n".join(lines) + "\n"


def _line(key: tuple[str, str, str, int], row: Row) -> str:
    words = row.later_word_s or [0.0]
    policy, film, rate, gop_s = key
    return (
        f"| {policy} | {film} | {rate} | {gop_s} s | {row.events} | {row.whole} | {row.sparing} | "
        f"{', '.join(row.lost) or 0} | {max(row.later_start_s, default=0.0):+.2f} s | "
        f"{statistics.median(words):+.2f} s | {max(words):+.2f} s | "
        f"{row.decoded / row.pictures:.0%} | {row.looked / row.pictures:.0%} |"
    )


def main() -> None:
    """Encode, read twice, compare."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    arguments.add_argument("--videos", type=Path, required=True, help="recordings with labels/NAME.json beside them")
    given = arguments.parse_args()
    rows: dict[Key, Row] = {}
    for path in sorted(file for file in given.videos.iterdir() if file.suffix in SUFFIXES):
        labels = labels_of(path)
        if labels is None or not labels.events:
            continue
        plain = original(path, labels)
        films = {"as it is": plain, "long calms": with_calms(plain, labels)}
        for title, film in films.items():
            if film is None:
                continue
            for rate in RATES:
                for gop_s in GOPS_S:
                    with tempfile.TemporaryDirectory(prefix="vonggac-reading-") as folder:
                        found = compare(film, encode(film, Path(folder) / "film.mp4", rate, gop_s))
                    for policy, row in found.items():
                        rows[path.stem, policy, title, rate, gop_s] = row
                        print(f"{path.stem}, {policy}, {title}, {rate}, {gop_s} s: {row}", flush=True)
    table = render(rows)
    print(table)
    RESULTS.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
