"""The demo's own camera: one minute of a street, rendered once as main and sub-stream, with the truth of what moves.

Both streams show the same scene on the same timeline and may be played in a loop. What was rendered is kept under a
name that changes with the drawing, and a rendering that was cut off is never taken for a whole one.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path as FilePath

import av
import cv2
import numpy as np

from deploy.demo.figures import Motorbike, Path, Rectangle, Tree, Walker
from deploy.demo.street import HEIGHT, WIDTH, Picture, paint_street

LOOP_S = 66
MAIN_FPS = 25
SUB_FPS = 10
SUB_WIDTH, SUB_HEIGHT = 640, 360
_CLOCK: Rectangle = (20, 16, 560, 68)
_NOISE_MARGIN = 64

Mover = Walker | Motorbike

MOVERS: tuple[Mover, ...] = (
    Walker(
        "woman in a conical hat", Path(((6.0, -90.0), (14.5, 2010.0))), 712, 215, (150, 96, 150), (52, 46, 44), True
    ),
    Motorbike("motorbike", Path(((25.0, 2100.0), (28.8, -220.0))), 900, 250, (96, 168, 96)),
    Walker(
        "man who looks at the shop",
        Path(((40.0, 2000.0), (44.6, 940.0), (46.2, 930.0), (50.5, -90.0))),
        706,
        222,
        (186, 178, 168),
        (92, 66, 48),
    ),
    Walker("man in front", Path(((42.0, -140.0), (50.0, 2070.0))), 1046, 330, (52, 70, 158), (60, 60, 66)),
)


@dataclass(frozen=True)
class Coding:
    """How a camera codes its two streams; x264's options."""

    name: str = ""
    sub_fps: int = SUB_FPS
    main: tuple[tuple[str, str], ...] = (("preset", "ultrafast"), ("crf", "24"), ("maxrate", "8M"), ("bufsize", "8M"))
    sub: tuple[tuple[str, str], ...] = (("preset", "veryfast"), ("crf", "25"))


@dataclass(frozen=True)
class Scene:
    """A rendered scene: two video files, and `truth`, a JSON file that tells when something moves."""

    main: FilePath
    sub: FilePath
    truth: FilePath


Progress = Callable[[int, int], None]
"""Called with the frames that are done and all frames."""


def prepare_scene(
    cache: FilePath,
    progress: Progress | None = None,
    name: str = "street",
    movers: tuple[Mover, ...] = MOVERS,
    coding: Coding = Coding(),
) -> Scene:
    """The scene, rendered into `cache` unless it is there already (about 15 s on two cores).

    The same street with other movers, or none, goes by another `name`.
    """
    name = f"{name}{coding.name}-{_version()}"
    scene = Scene(cache / f"{name}.mp4", cache / f"{name}-sub.mp4", cache / f"{name}.json")
    if all(file.exists() for file in (scene.main, scene.sub, scene.truth)):
        return scene
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = Scene(
        *(file.with_name(f"unfinished-{os.getpid()}-{file.name}") for file in (scene.main, scene.sub, scene.truth))
    )
    intervals = _render(unfinished.main, unfinished.sub, progress or _no_progress, movers, coding)
    unfinished.truth.write_text(json.dumps(_truth(intervals, movers, coding), indent=1) + "\n", encoding="utf-8")
    for made, final in ((unfinished.main, scene.main), (unfinished.sub, scene.sub), (unfinished.truth, scene.truth)):
        made.rename(final)
    return scene


def _no_progress(_done: int, _all: int) -> None:
    pass


def _version() -> str:
    sources = sorted(FilePath(__file__).parent.glob("[fs]*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def _truth(intervals: dict[str, tuple[float, float]], movers: tuple[Mover, ...], coding: Coding) -> dict[str, object]:
    return {
        "duration_s": LOOP_S,
        "main": {"width": WIDTH, "height": HEIGHT, "fps": MAIN_FPS},
        "sub": {"width": SUB_WIDTH, "height": SUB_HEIGHT, "fps": coding.sub_fps},
        "movers": [
            {
                "what": mover.name,
                "kind": mover.kind,
                "start_s": intervals[mover.name][0],
                "end_s": intervals[mover.name][1],
            }
            for mover in movers
        ],
    }


class FramePainter:
    """Paints the scene's frames one after the other; only what moves is drawn again."""

    def __init__(self, movers: tuple[Mover, ...] = MOVERS) -> None:
        self._movers = sorted(movers, key=lambda mover: mover.feet_y)
        self._still = paint_street()
        self._still_planes = _planes(self._still)
        self._tree = Tree(LOOP_S)
        self._picture = self._still.copy()
        self._planes = self._still_planes.copy()
        self._touched: list[Rectangle] = []
        random = np.random.default_rng(3)
        shape = (HEIGHT + _NOISE_MARGIN, WIDTH + _NOISE_MARGIN)
        self._noise = [np.clip(random.normal(8, 2.2, shape), 0, 16).astype(np.uint8) for _ in range(3)]
        self._random = random

    def paint(self, at_s: float) -> tuple[Picture, list[str]]:
        """The frame at that moment as planes of YUV 4:2:0, shape (1620, 1920), and the names of what is in sight."""
        for left, top, right, bottom in self._touched:
            self._picture[top:bottom, left:right] = self._still[top:bottom, left:right]
        before, self._touched, seen = self._touched, [], []
        self._touched.append(self._tree.draw(self._picture, at_s))
        for mover in self._movers:
            touched = mover.draw(self._picture, at_s)
            if touched:
                self._touched.append(touched)
                seen.append(mover.name)
        self._touched.append(self._draw_clock(at_s))
        for rectangle in (*before, *self._touched):
            _convert(self._picture, self._planes, rectangle)
        return self._with_noise(), seen

    def _draw_clock(self, at_s: float) -> Rectangle:
        minutes, seconds = divmod(int(at_s), 60)
        text = f"2026-11-23 17:{42 + minutes:02d}:{seconds:02d}  NGO 12"
        for colour, thick in (((20, 20, 20), 5), ((236, 236, 236), 2)):
            cv2.putText(self._picture, text, (28, 54), cv2.FONT_HERSHEY_SIMPLEX, 1.1, colour, thick, cv2.LINE_AA)
        return _CLOCK

    def _with_noise(self) -> Picture:
        noise = self._noise[int(self._random.integers(len(self._noise)))]
        dx, dy = self._random.integers(0, _NOISE_MARGIN, 2).tolist()
        noisy = self._planes.copy()
        luma = noisy[:HEIGHT]
        cv2.add(luma, noise[dy : dy + HEIGHT, dx : dx + WIDTH], dst=luma)
        luma -= 8  # cannot fall below zero: luma is 16 and more
        return noisy


def _planes(picture: Picture) -> Picture:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.uint8)


def _convert(picture: Picture, planes: Picture, rectangle: Rectangle) -> None:
    """Brings one rectangle of the picture into the planes: luma first, then the two of half size."""
    left, top, right, bottom = rectangle
    width, height = right - left, bottom - top
    part = cv2.cvtColor(np.ascontiguousarray(picture[top:bottom, left:right]), cv2.COLOR_BGR2YUV_I420)
    planes[top:bottom, left:right] = part[:height]
    colours = part[height:].reshape(2, height // 2, width // 2)
    whole = planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    whole[:, top // 2 : bottom // 2, left // 2 : right // 2] = colours


def _smaller(planes: Picture) -> Picture:
    size = (SUB_WIDTH, SUB_HEIGHT)
    luma = cv2.resize(planes[:HEIGHT], size, interpolation=cv2.INTER_AREA)
    colours = planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    half = (SUB_WIDTH // 2, SUB_HEIGHT // 2)
    small = [cv2.resize(plane, half, interpolation=cv2.INTER_AREA).reshape(-1, SUB_WIDTH) for plane in colours]
    return np.concatenate([luma, *small]).astype(np.uint8)


class _Encoder:
    """One H.264 file as a camera sends it: a key frame every two seconds, no frames from the future.

    It encodes in a thread of its own while the next frames are painted, and lags at most a few frames behind.
    """

    def __init__(self, file: FilePath, width: int, height: int, fps: int, options: dict[str, str]) -> None:
        self._container = av.open(str(file), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=fps)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = 2 * fps
        self._stream.codec_context.thread_count = 2
        self._stream.options = {"bf": "0", "sc_threshold": "0", **options}
        self._fps = fps
        self._count = 0
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def write(self, planes: Picture) -> None:
        """Takes one frame; the picture must not be changed afterwards."""
        self._waiting.append(self._thread.submit(self._encode, planes))
        if len(self._waiting) > 6:
            self._waiting.popleft().result()

    def _encode(self, planes: Picture) -> None:
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = self._count
        frame.time_base = Fraction(1, self._fps)
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Encodes what is left and finishes the file."""
        for frame in self._waiting:
            frame.result()
        self._thread.shutdown()
        self._container.mux(self._stream.encode(None))
        self._container.close()


def _render(
    main_file: FilePath, sub_file: FilePath, progress: Progress, movers: tuple[Mover, ...], coding: Coding
) -> dict[str, tuple[float, float]]:
    """Renders both files; returns for each mover from when to when it is in sight."""
    painter = FramePainter(movers)
    main = _Encoder(main_file, WIDTH, HEIGHT, MAIN_FPS, dict(coding.main))
    sub = _Encoder(sub_file, SUB_WIDTH, SUB_HEIGHT, coding.sub_fps, dict(coding.sub))
    intervals: dict[str, tuple[float, float]] = {}
    frames = LOOP_S * MAIN_FPS
    small = 0
    for number in range(frames):
        at_s = number / MAIN_FPS
        planes, seen = painter.paint(at_s)
        main.write(planes)
        if number * coding.sub_fps >= small * MAIN_FPS:
            sub.write(_smaller(planes))
            small += 1
        for name in seen:
            start_s, _ = intervals.get(name, (at_s, at_s))
            intervals[name] = (start_s, round((number + 1) / MAIN_FPS, 3))
        if number % MAIN_FPS == MAIN_FPS - 1:
            progress(number + 1, frames)
    main.close()
    sub.close()
    return intervals
