"""A program of its own: `python -m collector.playback.copying SOURCE TARGET` makes an H.264 copy of a clip.

Bytes that came from outside are decoded here, in a process that may die: with little priority, bounded time and memory,
one picture after another. Times stay those of the clip, so that marks and seeking mean the same in both.
"""

import os
import resource
import sys
from fractions import Fraction
from pathlib import Path

import av

MAX_WIDTH = 1280
CPU_S = 900
MEMORY_BYTES = 4 * 2**30
TIME_BASE = Fraction(1, 90_000)


def main(arguments: list[str]) -> int:
    """Exit code 0 once the copy stands whole at TARGET; 1 with a word on stderr otherwise."""
    source, target = Path(arguments[0]), Path(arguments[1])
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 10))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        make_copy(source, part, os.getppid())
        part.replace(target)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    finally:
        part.unlink(missing_ok=True)
    return 0


def make_copy(source: Path, target: Path, parent: int) -> None:
    """Decode and encode every picture; an orphan (its `parent` is gone) gives up. Raises av.FFmpegError, ValueError."""
    with av.open(str(source), format="mp4") as clip, av.open(str(target), "w", format="mp4") as copy:
        if not clip.streams.video:
            raise ValueError("no video in it")
        video = clip.streams.video[0]
        video.thread_type = "NONE"
        rate = video.average_rate or Fraction(25)
        out = copy.add_stream(
            "libx264", rate=rate, options={"preset": "veryfast", "crf": "24", "bf": "0", "threads": "1"}
        )
        out.width, out.height = _size(video.width, video.height)
        out.pix_fmt, out.time_base = "yuv420p", TIME_BASE
        out.codec_context.time_base = TIME_BASE
        last = -1
        for frame in clip.decode(video):
            if os.getppid() != parent:
                raise ValueError("nobody waits for it any more")
            if frame.pts is None or frame.time_base is None:
                continue
            pts = round(frame.pts * frame.time_base / TIME_BASE)
            if pts <= last:
                continue
            picture = frame.reformat(out.width, out.height, "yuv420p")
            picture.pts, picture.time_base, last = pts, TIME_BASE, pts
            picture.pict_type = 0
            copy.mux(out.encode(picture))
        if last < 0:
            raise ValueError("no picture in it could be decoded")
        copy.mux(out.encode(None))


def _size(width: int, height: int) -> tuple[int, int]:
    """At most MAX_WIDTH wide, even, in the same shape."""
    share = min(1.0, MAX_WIDTH / width)
    return max(2, round(width * share) // 2 * 2), max(2, round(height * share) // 2 * 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
