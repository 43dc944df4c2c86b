"""What moves in the demo's scene: people who walk, a motorbike with its rider, the leaves of a tree.

Each is drawn into a picture at a moment of the scene (seconds) and returns the rectangle it touched.
"""

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from deploy.demo.street import HEIGHT, WIDTH, Colour, Picture

Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom in pixels, even, inside the picture, right and bottom excluded."""
Place = tuple[float, float]


@dataclass(frozen=True)
class Path:
    """A way across the picture: (second, x) at its corners, in order of time; straight between them."""

    corners: tuple[tuple[float, float], ...]

    def x_at(self, at_s: float) -> float:
        """Where it is, in pixels."""
        return float(np.interp(at_s, [corner[0] for corner in self.corners], [corner[1] for corner in self.corners]))

    def walked(self, at_s: float) -> float:
        """How far it has come, in pixels: this drives the legs, so that nobody slides."""
        corners = [corner for corner in self.corners if corner[0] < at_s]
        xs = [x for _, x in corners] + [self.x_at(at_s)]
        return sum(abs(b - a) for a, b in itertools.pairwise(xs))

    def faces_right(self) -> bool:
        """Which way it goes."""
        return self.corners[-1][1] > self.corners[0][1]


@dataclass(frozen=True)
class Walker:
    """A person on foot."""

    name: str
    path: Path
    feet_y: int
    height: int
    shirt: Colour
    trousers: Colour
    conical_hat: bool = False
    kind: str = "person"

    def draw(self, picture: Picture, at_s: float) -> Rectangle | None:
        """Draws the person; None while out of the picture."""
        x, tall = self.path.x_at(at_s), self.height
        touched = _inside(x - 0.36 * tall, self.feet_y - 1.1 * tall, x + 0.36 * tall, self.feet_y + 0.06 * tall)
        if touched is None:
            return None
        side = 1 if self.path.faces_right() else -1
        phase = self.path.walked(at_s) / (0.62 * tall) * math.pi
        swing = math.sin(phase)
        lift = abs(math.cos(phase)) * 0.018 * tall
        hip = (x, self.feet_y - 0.50 * tall - lift)
        shoulder = (x + side * 0.02 * tall, self.feet_y - 0.82 * tall - lift)
        thick = 0.085 * tall
        _shadow(picture, x, self.feet_y, 0.2 * tall)
        self._arm(picture, shoulder, side, swing, _darker(self.shirt), thick * 0.62)
        self._leg(picture, hip, side, -swing, math.cos(phase), _darker(self.trousers), thick)
        self._leg(picture, hip, side, swing, -math.cos(phase), self.trousers, thick)
        _limb(
            picture, (hip[0], hip[1] - 0.02 * tall), (shoulder[0], shoulder[1] + 0.03 * tall), self.shirt, 0.155 * tall
        )
        self._arm(picture, shoulder, side, -swing, self.shirt, thick * 0.62)
        self._head(picture, (shoulder[0] + side * 0.015 * tall, shoulder[1] - 0.115 * tall), side)
        return touched

    def _leg(
        self, picture: Picture, hip: Place, side: int, swing: float, back: float, colour: Colour, thick: float
    ) -> None:
        tall = self.height
        knee = (hip[0] + side * (0.10 * swing + 0.02) * tall, hip[1] + 0.25 * tall)
        bend = max(0.0, back) * 0.09 * tall
        foot = (hip[0] + side * 0.21 * swing * tall - side * bend * 0.8, self.feet_y - 0.015 * tall - bend)
        _limb(picture, hip, knee, colour, thick)
        _limb(picture, knee, foot, colour, thick * 0.82)
        _limb(picture, foot, (foot[0] + side * 0.06 * tall, foot[1]), (46, 44, 48), thick * 0.5)

    def _arm(self, picture: Picture, shoulder: Place, side: int, swing: float, colour: Colour, thick: float) -> None:
        tall = self.height
        elbow = (shoulder[0] + side * 0.09 * swing * tall, shoulder[1] + 0.18 * tall)
        hand = (shoulder[0] + side * (0.17 * swing + 0.04) * tall, shoulder[1] + 0.33 * tall)
        _limb(picture, (shoulder[0], shoulder[1] + 0.03 * tall), elbow, colour, thick)
        _limb(picture, elbow, hand, (108, 142, 190), thick * 0.8)

    def _head(self, picture: Picture, at: Place, side: int) -> None:
        tall = self.height
        _disc(picture, at, 0.062 * tall, (112, 148, 198))
        if self.conical_hat:
            brim, top = at[1] - 0.012 * tall, at[1] - 0.115 * tall
            hat = np.array([[at[0] - 0.145 * tall, brim], [at[0], top], [at[0] + 0.145 * tall, brim]])
            cv2.fillPoly(picture, [_fixed(hat)], (150, 200, 224), cv2.LINE_AA, 4)
        else:
            _disc(picture, (at[0] - side * 0.012 * tall, at[1] - 0.022 * tall), 0.06 * tall, (34, 34, 40))


@dataclass(frozen=True)
class Motorbike:
    """A scooter with its rider."""

    name: str
    path: Path
    feet_y: int
    height: int
    shirt: Colour
    kind: str = "motorbike"

    def draw(self, picture: Picture, at_s: float) -> Rectangle | None:
        """Draws the motorbike; None while out of the picture."""
        x, tall, ground = self.path.x_at(at_s), self.height, self.feet_y
        touched = _inside(x - 0.72 * tall, ground - 1.18 * tall, x + 0.82 * tall, ground + 0.1 * tall)
        if touched is None:
            return None
        side = 1 if self.path.faces_right() else -1

        def at(across: float, up: float) -> Place:
            return x + side * across * tall, ground - up * tall

        _shadow(picture, x, ground, 0.6 * tall)
        spin = self.path.walked(at_s) / (0.17 * tall)
        for wheel in (at(-0.42, 0.17), at(0.46, 0.17)):
            _disc(picture, wheel, 0.17 * tall, (36, 34, 34))
            _disc(picture, wheel, 0.10 * tall, (104, 104, 108))
            for spoke in range(3):
                turn = side * spin + spoke * math.pi / 3
                dx, dy = 0.1 * tall * math.cos(turn), 0.1 * tall * math.sin(turn)
                _limb(
                    picture, (wheel[0] - dx, wheel[1] - dy), (wheel[0] + dx, wheel[1] + dy), (60, 60, 64), 0.015 * tall
                )
        body = np.array([at(-0.5, 0.34), at(-0.42, 0.50), at(0.02, 0.46), at(0.1, 0.24), at(0.3, 0.24), at(0.36, 0.62),
                         at(0.46, 0.6), at(0.44, 0.2), at(0.1, 0.14), at(-0.2, 0.16)])  # fmt: skip
        cv2.fillPoly(picture, [_fixed(body)], (150, 84, 40), cv2.LINE_AA, 4)
        _limb(picture, at(-0.44, 0.52), at(0.0, 0.49), (40, 38, 40), 0.07 * tall)
        _limb(picture, at(0.46, 0.2), at(0.34, 0.68), (88, 88, 92), 0.03 * tall)
        _limb(picture, at(-0.12, 0.54), at(0.16, 0.44), (70, 58, 50), 0.11 * tall)
        _limb(picture, at(0.16, 0.44), at(0.18, 0.22), (70, 58, 50), 0.09 * tall)
        _limb(picture, at(-0.14, 0.56), at(-0.06, 0.86), self.shirt, 0.17 * tall)
        _limb(picture, at(-0.04, 0.84), at(0.14, 0.70), _darker(self.shirt), 0.07 * tall)
        _limb(picture, at(0.14, 0.70), at(0.30, 0.69), (108, 142, 190), 0.055 * tall)
        _disc(picture, at(0.0, 1.0), 0.085 * tall, (112, 148, 198))
        _disc(picture, at(-0.03, 1.035), 0.09 * tall, (52, 60, 200))
        _disc(picture, at(0.45, 0.58), 0.045 * tall, (226, 246, 254))
        return touched


class Tree:
    """The crown of a tree at the edge of the picture; the wind is the same again after each loop of the scene."""

    place: Rectangle = (1420, 0, 1920, 420)

    def __init__(self, loop_s: float) -> None:
        """Draws the crown once; each frame only bends it."""
        random = np.random.default_rng(5)
        left, top, right, bottom = self.place
        width, height = right - left, bottom - top
        crown = np.zeros((height, width, 4), np.uint8)
        branch = np.array([[width, 300], [width - 90, 236], [width - 250, 150]], np.int32)
        cv2.polylines(crown, [branch], isClosed=False, color=(40, 56, 70, 255), thickness=13, lineType=cv2.LINE_AA)
        for _ in range(1500):
            angle, far = random.uniform(0, 2 * math.pi), math.sqrt(random.uniform(0, 1))
            x = int(width - 130 + far * 255 * math.cos(angle))
            y = int(120 + far * 195 * math.sin(angle))
            light = random.uniform(0.45, 1.1) * (1.15 - y / 520)
            colour = (int(46 * light), int(104 * light), int(70 * light), 255)
            size = (int(random.integers(9, 19)), int(random.integers(4, 9)))
            cv2.ellipse(crown, (x, y), size, float(random.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        self._leaves = np.ascontiguousarray(crown[..., :3])
        self._shape = np.where(crown[..., 3] > 127, 255, 0).astype(np.uint8)
        self._x, self._y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._ripple_a = np.sin(self._y / 31 + self._x / 47).astype(np.float32)
        self._ripple_b = np.cos(self._y / 23 - self._x / 39).astype(np.float32)
        self._loop_s = loop_s

    def draw(self, picture: Picture, at_s: float) -> Rectangle:
        """Draws the crown as the wind bends it at that moment."""
        turn = 2 * math.pi * at_s / self._loop_s
        gust = 0.55 + 0.45 * math.sin(3 * turn)
        bend_a = np.float32(2.6 * gust * math.sin(26 * turn))
        bend_b = np.float32(1.8 * gust * math.sin(41 * turn))
        field = self._ripple_a * bend_a + self._ripple_b * bend_b
        x, y = self._x + field, self._y + field * np.float32(0.5)
        leaves = cv2.remap(self._leaves, x, y, cv2.INTER_LINEAR)
        shape = cv2.remap(self._shape, x, y, cv2.INTER_NEAREST)
        left, top, right, bottom = self.place
        cv2.copyTo(leaves, shape, picture[top:bottom, left:right])
        return self.place


def _inside(left: float, top: float, right: float, bottom: float) -> Rectangle | None:
    x0, y0 = max(0, int(left) & ~1), max(0, int(top) & ~1)
    x1, y1 = min(WIDTH, (int(right) + 2) & ~1), min(HEIGHT, (int(bottom) + 2) & ~1)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _darker(colour: Colour) -> Colour:
    blue, green, red = (int(channel * 0.72) for channel in colour)
    return blue, green, red


def _fixed(points: np.ndarray) -> np.ndarray:
    """Points in OpenCV's fixed-point form, so that nothing jumps from pixel to pixel."""
    return np.round(np.asarray(points) * 16).astype(np.int32)


def _limb(picture: Picture, start: Place, end: Place, colour: Colour, thick: float) -> None:
    a, b = _fixed(np.array([start, end])).tolist()
    cv2.line(picture, a, b, colour, max(1, round(thick)), cv2.LINE_AA, 4)


def _disc(picture: Picture, at: Place, radius: float, colour: Colour) -> None:
    cv2.circle(picture, _fixed(np.array(at)).tolist(), round(radius * 16), colour, -1, cv2.LINE_AA, 4)


def _shadow(picture: Picture, x: float, y: int, wide: float) -> None:
    touched = _inside(x - wide, y - wide * 0.14, x + wide, y + wide * 0.14)
    if touched is None:
        return
    left, top, right, bottom = touched
    ground = picture[top:bottom, left:right]
    mask = np.zeros(ground.shape[:2], np.float32)
    cv2.ellipse(mask, (int(x) - left, y - top), (int(wide), int(wide * 0.12)), 0, 0, 360, 0.42, -1, cv2.LINE_AA)
    ground[:] = (ground * (1 - mask[..., None])).astype(np.uint8)
