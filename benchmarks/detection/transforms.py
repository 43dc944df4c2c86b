"""Weather, lamps and poor cameras, laid over any recording: each takes frames and gives frames, the same every time."""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from benchmarks.detection.annoyances import ANNOYANCES
from benchmarks.detection.videos import Frame, Picture

Transform = Callable[[Iterable[Frame]], Iterator[Frame]]


def _clip(values: Picture) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)


def plain(given: Iterable[Frame]) -> Iterator[Frame]:
    """As recorded."""
    yield from given


def slow(given: Iterable[Frame]) -> Iterator[Frame]:
    """Five frames a second."""
    due_s = 0.0
    for at_s, picture in given:
        if at_s >= due_s - 1e-6:
            due_s = max(due_s + 0.2, at_s)
            yield at_s, picture


def night(given: Iterable[Frame]) -> Iterator[Frame]:
    """A third of the light and a sensor's noise."""
    random = np.random.default_rng(11)
    for at_s, picture in given:
        noise = random.standard_normal(picture.shape, dtype=np.float32) * 7
        yield at_s, _clip(picture * np.float32(0.35) + noise + 8)


def rain(given: Iterable[Frame]) -> Iterator[Frame]:
    """Bright streaks, slanting, new in every frame; some near and blurred."""
    random = np.random.default_rng(12)
    for at_s, picture in given:
        height, width = picture.shape
        streaks = np.zeros_like(picture)
        for count, length, thick in ((140, 0.05, 1), (14, 0.12, 2)):
            for _ in range(count):
                x, y = int(random.integers(0, width)), int(random.integers(0, height))
                end = (x + round(length * height * 0.2), y + round(length * height))
                cv2.line(streaks, (x, y), end, int(random.integers(30, 90)), thick, cv2.LINE_AA)
        yield at_s, cv2.add(picture, streaks)


def snow(given: Iterable[Frame]) -> Iterator[Frame]:
    """Flakes that fall slowly enough to be followed for a few frames."""
    random = np.random.default_rng(18)
    flakes = random.uniform(0, 1, (90, 2))
    speeds = np.stack([random.normal(0, 0.06, 90), random.uniform(0.25, 0.6, 90)], axis=1)
    sizes = random.uniform(0.002, 0.006, 90)
    before_s = 0.0
    for at_s, picture in given:
        height, width = picture.shape
        flakes = (flakes + speeds * (at_s - before_s)) % 1.0
        before_s = at_s
        layer = np.zeros_like(picture)
        for (x, y), size in zip(flakes, sizes, strict=True):
            cv2.circle(layer, (int(x * width), int(y * height)), max(1, round(size * width)), 90, -1, cv2.LINE_AA)
        yield at_s, cv2.add(picture, layer)


def flicker(given: Iterable[Frame]) -> Iterator[Frame]:
    """Lamps at 50 Hz seen through a rolling shutter: dark bands that drift."""
    for at_s, picture in given:
        rows = np.arange(picture.shape[0], dtype=np.float32) / picture.shape[0]
        bands = 1.0 + 0.12 * np.sin(2 * np.pi * (1.6 * rows + 1.3 * at_s + 0.4 * np.sin(at_s)))
        yield at_s, _clip(picture * bands[:, None].astype(np.float32))


def jitter(given: Iterable[Frame]) -> Iterator[Frame]:
    """A pole in the wind: the picture sways by up to about 0.4 % of its width, with gusts."""
    for at_s, picture in given:
        height, width = picture.shape
        gust = 0.4 + 0.6 * (np.sin(0.5 * at_s) > 0)
        x = width * 0.003 * gust * np.sin(2 * np.pi * 1.1 * at_s) + width * 0.001 * np.sin(2 * np.pi * 2.7 * at_s)
        y = width * 0.001 * gust * np.sin(2 * np.pi * 1.7 * at_s + 1)
        move = np.array([[1, 0, x], [0, 1, y]], np.float32)
        yield at_s, cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REPLICATE)


def headlights(given: Iterable[Frame]) -> Iterator[Frame]:
    """Every six seconds a soft beam sweeps over the scene, which is darker than recorded."""
    for at_s, picture in given:
        height, width = picture.shape
        turn = (at_s % 6.0) / 1.5
        light = np.full((height, width), 0.5, np.float32)
        if turn < 1:
            columns = np.arange(width, dtype=np.float32) / width - (turn * 1.6 - 0.3)
            rows = np.arange(height, dtype=np.float32)[:, None] / height - 0.6
            light = light + 1.0 * np.exp(-((columns[None] / 0.15) ** 2) - (rows / 0.25) ** 2)
        yield at_s, _clip(picture * light)


def exposure(given: Iterable[Frame]) -> Iterator[Frame]:
    """Auto-exposure that steps every five seconds, over a quarter of a second, with the sensor's curve."""
    random = np.random.default_rng(15)
    gain, goal, step = 1.0, 1.0, -1
    before_s = 0.0
    for at_s, picture in given:
        if int(at_s / 5) != step:
            step = int(at_s / 5)
            goal = 1.0 if step == 0 else float(random.choice([0.55, 0.75, 1.0, 1.3, 1.6]))
        gain += (goal - gain) * min(1.0, (at_s - before_s) / 0.1 * 0.6)
        before_s = at_s
        yield at_s, _clip(255.0 * (picture / 255.0 * gain) ** (1.0 + 0.15 * (1.0 - gain)))


def infrared(given: Iterable[Frame]) -> Iterator[Frame]:
    """Every fifteen seconds the filter switches between day and a flat, bright-centred infrared picture."""
    for at_s, picture in given:
        if int(at_s / 15) % 2 == 0:
            yield at_s, picture
            continue
        height, width = picture.shape
        columns = (np.arange(width, dtype=np.float32) / width - 0.5)[None]
        rows = (np.arange(height, dtype=np.float32) / height - 0.5)[:, None]
        lamp = np.exp(-(columns**2 + rows**2) / 0.18)
        yield at_s, _clip((60.0 + 0.6 * np.abs(picture.astype(np.float32) - 90.0)) * lamp + 12)


def blocks(given: Iterable[Frame]) -> Iterator[Frame]:
    """Poor compression: blocks whose quality jumps at every key frame."""
    for number, (at_s, picture) in enumerate(given):
        quality = 30 if number % 20 == 0 else 14 + (number % 20) // 4
        packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        yield at_s, np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE))


def leaves(given: Iterable[Frame]) -> Iterator[Frame]:
    """A tree in the upper left: dark leaves that sway before the scene, in gusts."""
    random = np.random.default_rng(17)
    sprigs = np.stack([random.uniform(0.0, 0.33, 160), random.uniform(0.0, 0.4, 160)], axis=1)
    phases, levels = random.uniform(0, 6.28, (160, 2)), random.integers(25, 110, 160)
    for at_s, picture in given:
        height, width = picture.shape
        drawn = picture.copy()
        gust = 0.35 + 0.65 * max(0.0, np.sin(0.4 * at_s))
        for (x, y), (a, b), level in zip(sprigs, phases, levels, strict=True):
            reach = 0.012 * gust * (0.4 + y)
            at_x = x + reach * np.sin(2 * np.pi * 0.8 * at_s + a * 0.3) + 0.3 * reach * np.sin(7.1 * at_s + a)
            at_y = y + 0.4 * reach * np.sin(2 * np.pi * 1.1 * at_s + b)
            centre = (int(at_x * width), int(at_y * height))
            axes = (max(2, width // 50), max(1, width // 120))
            cv2.ellipse(drawn, centre, axes, float(np.degrees(b)), 0, 360, int(level), -1, cv2.LINE_AA)
        yield at_s, drawn


def thirty(given: Iterable[Frame]) -> Iterator[Frame]:
    """Thirty frames a second: between the recorded ones, what lies between them in time is blended."""
    number, before = 0, None
    for at_s, picture in given:
        while number / 30 <= at_s:
            if before is None:
                yield number / 30, picture
            else:
                part = (number / 30 - before[0]) / (at_s - before[0])
                yield number / 30, cv2.addWeighted(picture, part, before[1], 1.0 - part, 0.0)
            number += 1
        before = at_s, picture


def uneven(given: Iterable[Frame]) -> Iterator[Frame]:
    """A poor line: two frames in five are lost, and every now and then all for six tenths of a second."""
    random = np.random.default_rng(21)
    resumes_s = 0.0
    for at_s, picture in given:
        if at_s < resumes_s or (at_s > 0 and random.random() < 0.4):
            continue
        yield at_s, picture
        if random.random() < 0.02:
            resumes_s = at_s + 0.6


def interlaced(given: Iterable[Frame]) -> Iterator[Frame]:
    """Two fields: every other row is from the frame before, so that what moves has combs."""
    before = None
    for at_s, picture in given:
        woven = picture.copy()
        if before is not None:
            woven[1::2] = before[1::2]
        before = picture
        yield at_s, woven


def odd(given: Iterable[Frame]) -> Iterator[Frame]:
    """Sides that no encoder's blocks divide: nine tenths of the recording's, and odd."""
    for at_s, picture in given:
        height, width = picture.shape
        yield (
            at_s,
            cv2.resize(picture, (width * 9 // 20 * 2 + 1, height * 9 // 20 * 2 + 1), interpolation=cv2.INTER_AREA),
        )


def distant(given: Iterable[Frame]) -> Iterator[Frame]:
    """All that happens, four times farther away: the recording at a quarter in a still wall with a sensor's noise.

    The wall is in the recording's light, as auto-exposure has it.
    """
    random = np.random.default_rng(22)
    wall: Picture | None = None
    usual = 1.0
    for at_s, picture in given:
        height, width = picture.shape
        if wall is None:
            coarse = random.uniform(70, 150, (height // 24 + 1, width // 24 + 1)).astype(np.float32)
            wall = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
            usual = float(np.median(picture))
        small = cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
        seen = wall * np.float32(np.median(small) / usual)
        top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
        seen[top : top + small.shape[0], left : left + small.shape[1]] = small
        yield at_s, _clip(seen + 2 * random.standard_normal(picture.shape, dtype=np.float32))


TRANSFORMS: dict[str, Transform] = {
    "plain": plain,
    "5 fps": slow,
    "night noise": night,
    "rain": rain,
    "snow": snow,
    "flicker": flicker,
    "jitter": jitter,
    "headlights": headlights,
    "exposure": exposure,
    "infrared": infrared,
    "blocks": blocks,
    "leaves": leaves,
    **ANNOYANCES,
    "H.265": plain,
    "interlaced": interlaced,
    "odd size": odd,
    "30 fps": thirty,
    "uneven times": uneven,
    "distant": distant,
}
"""By the name in the tables; "H.265", "interlaced" and "odd size" are also coded in a way of their own (films.py)."""
