"""What rings other systems for nothing: clouds, a beam, insects, a spider's thread, a screen, water."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from benchmarks.detection.videos import Frame, Picture


def _lit(picture: Picture, light: Picture) -> Picture:
    return np.clip(picture * light, 0, 255).astype(np.uint8)


def clouds(given: Iterable[Frame]) -> Iterator[Frame]:
    """Shadows of clouds with fairly sharp rims pass over, a picture's width in four seconds."""
    random = np.random.default_rng(5)
    sky = np.zeros((256, 256), np.float32)
    for cells, weight in ((2, 1.0), (4, 0.6), (8, 0.35), (16, 0.2)):
        coarse = random.uniform(-1, 1, (cells, cells)).astype(np.float32)
        sky += weight * cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC)
    shadow = cv2.GaussianBlur(1.0 / (1.0 + np.exp(-12.0 * sky)), (0, 0), 3)
    shadow = np.concatenate([shadow, shadow[:, ::-1]], axis=1)
    for at_s, picture in given:
        height, width = picture.shape
        way = np.array([[230.0 / width, 0, 64.0 * at_s % 512], [0, 230.0 / height, 10]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shade = cv2.warpAffine(shadow, way, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP)
        yield at_s, _lit(picture, 1.0 - 0.5 * shade)


def beam(given: Iterable[Frame]) -> Iterator[Frame]:
    """At night, every seven seconds a car's light falls through a window and passes over, with a sharp rim."""
    for at_s, picture in given:
        height, width = picture.shape
        light = np.full((height, width), 0.45, np.float32)
        turn = (at_s % 7.0) / 1.8
        if turn < 1:
            left = round((turn * 1.5 - 0.25) * width)
            light[height // 5 : height // 2, max(0, left) : max(0, left + width // 6)] += 0.45
            light = cv2.GaussianBlur(light, (0, 0), width / 160)
        yield at_s, _lit(picture, light)


def insects(given: Iterable[Frame]) -> Iterator[Frame]:
    """At night, before the lens: large, blurred and bright, turning at each beat of their wings."""
    random = np.random.default_rng(4)
    x = y = heading = speed = radius = ends_s = before_s = 0.0
    next_s = 2.0
    for at_s, picture in given:
        height, width = picture.shape
        dark = _lit(picture, np.float32(0.5))
        if next_s <= at_s and ends_s < next_s:
            x, y, heading = random.uniform(0.1, 0.9), random.uniform(0.1, 0.9), random.uniform(0, 6.28)
            speed, radius = random.uniform(0.4, 1.2), random.uniform(0.008, 0.03)
            ends_s = at_s + random.uniform(0.4, 2.5)
            next_s = ends_s + random.exponential(3.0)
        if at_s <= ends_s:
            drawn = np.zeros_like(dark)
            for _ in range(6):
                heading += random.normal(0, 0.5)
                step = speed * (at_s - before_s) / 6
                x, y = x + np.cos(heading) * step, y + np.sin(heading) * step
                centre = round(x * width), round(y * height)
                cv2.circle(drawn, centre, max(1, round(radius * width)), 90, -1, cv2.LINE_AA)
            dark = cv2.add(dark, cv2.GaussianBlur(drawn, (0, 0), width / 150))
        before_s = at_s
        yield at_s, dark


def thread(given: Iterable[Frame]) -> Iterator[Frame]:
    """At night a spider's thread, lit and blurred, swings before the lens in gusts."""
    for at_s, picture in given:
        height, width = picture.shape
        gust = 0.3 + 0.7 * max(0.0, np.sin(0.31 * at_s)) * (0.5 + 0.5 * np.sin(0.07 * at_s))
        swing = gust * 0.18 * np.sin(2 * np.pi * 0.6 * at_s + np.sin(0.9 * at_s))
        ends = [(0.35 + 0.2 * swing, 0.0), (0.5 + swing, 0.5), (0.75 + 0.1 * swing, 1.0)]
        points = np.array([(x * width, y * height) for x, y in ends], np.int32)
        drawn = cv2.polylines(np.zeros_like(picture), [points], False, 110, max(3, width // 90), cv2.LINE_AA)
        yield at_s, cv2.add(_lit(picture, np.float32(0.5)), cv2.GaussianBlur(drawn, (0, 0), width / 200))


def screen(given: Iterable[Frame]) -> Iterator[Frame]:
    """At night a television: its picture changes all the time, and lights the room around it."""
    random = np.random.default_rng(8)
    level = 1.0
    for at_s, picture in given:
        height, width = picture.shape
        if random.random() < 0.15:
            level = random.uniform(0.3, 1.3)
        columns = np.arange(width, dtype=np.float32)[None] / width - 0.8
        rows = np.arange(height, dtype=np.float32)[:, None] / height - 0.3
        room = _lit(picture, 0.55 + 0.6 * level * np.exp(-(columns**2 + rows**2) / 0.08))
        shown = random.uniform(0, 255 * level, (4, 6)).astype(np.float32)
        shown = np.clip(cv2.resize(shown, (width // 8, height // 8)), 0, 255)
        top, left = height // 5, round(0.72 * width)
        room[top : top + height // 8, left : left + width // 8] = shown
        yield at_s, room


def water(given: Iterable[Frame]) -> Iterator[Frame]:
    """A pond in the lower left: what it shows ripples, and glitters."""
    for at_s, picture in given:
        height, width = picture.shape
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        pond = (y > 0.6 * height) & (x < 0.6 * width)
        ripple_x = x + pond * (3 * np.sin(y / 7 + 5 * at_s) + 2 * np.sin(x / 11 - 4 * at_s))
        ripple_y = y + pond * 2 * np.sin(x / 9 + 6 * at_s)
        moved = cv2.remap(picture, ripple_x, ripple_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        glitter = 40 * np.maximum(0, np.sin(x / 5 + y / 3 + 7 * at_s) * np.sin(y / 4 - 5 * at_s))
        yield at_s, np.clip(moved + pond * glitter, 0, 255).astype(np.uint8)


ANNOYANCES = {
    "clouds": clouds,
    "beam": beam,
    "insects": insects,
    "thread": thread,
    "screen": screen,
    "water": water,
}
