"""The still picture of the demo's scene: a street corner at dusk, drawn with OpenCV and stylised on purpose.

Colours are BGR, places are pixels of a 1920x1080 picture. The same numbers give the same picture every time.
"""

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

WIDTH, HEIGHT = 1920, 1080
PAVEMENT_Y = 655
KERB_Y = 735
ROAD_END_Y = 985
_POLES = (512, 1072)  # between two houses, so that they hide no sign

# left edge, right edge, roof, colour of the front, storeys
_HOUSES: tuple[tuple[int, int, int, Colour, int], ...] = (
    (-40, 250, 215, (104, 150, 176), 2),
    (250, 520, 110, (112, 176, 206), 3),
    (520, 810, 190, (150, 164, 132), 2),
    (810, 1080, 62, (128, 138, 188), 3),
    (1080, 1390, 205, (172, 160, 128), 2),
    (1390, 1660, 128, (110, 168, 190), 3),
    (1660, 1960, 232, (138, 150, 168), 2),
)
_SIGNS: tuple[tuple[int, str, Colour, Colour], ...] = (
    (0, "SỬA XE", (60, 60, 52), (200, 214, 220)),
    (1, "TẠP HOÁ CÔ BẢY", (44, 40, 150), (210, 236, 244)),
    (2, "CÀ PHÊ", (44, 66, 92), (170, 214, 240)),
    (3, "PHỞ GIA TRUYỀN", (58, 108, 44), (210, 240, 244)),
    (4, "NHÀ THUỐC", (120, 92, 30), (236, 240, 230)),
    (5, "BÁNH MÌ", (30, 112, 178), (220, 240, 250)),
)


def paint_street() -> Picture:
    """The street without anything that moves, shape (1080, 1920, 3)."""
    random = np.random.default_rng(17)
    picture = _sky()
    for number, (left, right, roof, colour, storeys) in enumerate(_HOUSES):
        _house(picture, random, left, right, roof, colour, storeys, lit=number % 2 == 1)
    for house, text, board, letters in _SIGNS:
        left, right, *_ = _HOUSES[house]
        _sign(picture, left + 16, right - 16, text, board, letters)
    _ground(picture, random)
    _wires_and_lamp(picture)
    _things_on_the_pavement(picture)
    return _as_a_camera_sees_it(picture, random)


def write(picture: Picture, text: str, at: tuple[int, int], size: int, colour: Colour) -> None:
    """Draws text with Vietnamese letters; `at` is the left end of the base line."""
    cv2.putText(picture, text, at, colour, cv2.FontFace("uni"), size)


def _width_of(text: str, size: int) -> int:
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("uni"), size)
    return int(width)


def _sky() -> Picture:
    stops = np.array([[0.0, 150, 104, 92], [0.25, 172, 134, 158], [0.5, 150, 164, 226], [1.0, 130, 182, 244]])
    rows = np.linspace(0, 1, HEIGHT)
    column = np.stack([np.interp(rows * 2.4, stops[:, 0], stops[:, channel]) for channel in (1, 2, 3)], axis=1)
    picture = np.repeat(column[:, None, :], WIDTH, axis=1)
    return np.ascontiguousarray(picture.astype(np.uint8))


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (int(min(255, channel * factor)) for channel in colour)
    return blue, green, red


def _rectangle(picture: Picture, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
    cv2.rectangle(picture, (int(left), int(top)), (int(right), int(bottom)), colour, -1)


def _house(
    picture: Picture,
    random: np.random.Generator,
    left: int,
    right: int,
    roof: int,
    colour: Colour,
    storeys: int,
    *,
    lit: bool,
) -> None:
    front = _shade(colour, 0.72)
    _rectangle(picture, left, roof, right - 3, PAVEMENT_Y, front)
    _rectangle(picture, right - 12, roof, right - 3, PAVEMENT_Y, _shade(front, 0.74))
    _rectangle(picture, left - 6, roof - 14, right + 2, roof, _shade(front, 0.6))
    _water_tank(picture, left + 60, roof - 14)
    ground_floor = 425
    height = (ground_floor - roof - 10) / storeys
    for storey in range(storeys):
        top = roof + 14 + storey * height
        _balcony_floor(picture, left, right, top, height, front, glow=lit and storey == storeys - 1)
    _rectangle(picture, left, ground_floor - 8, right - 3, ground_floor, _shade(front, 0.6))
    _shop_front(picture, random, left + 18, right - 22, ground_floor + 66, open_door=lit)


def _water_tank(picture: Picture, x: int, y: int) -> None:
    _rectangle(picture, x, y - 38, x + 62, y - 4, (150, 146, 140))
    for line in range(1, 5):
        cv2.line(picture, (x, y - 38 + line * 7), (x + 62, y - 38 + line * 7), (122, 118, 112), 1, cv2.LINE_AA)


def _balcony_floor(
    picture: Picture, left: int, right: int, top: float, height: float, front: Colour, *, glow: bool
) -> None:
    width = right - left
    pane = (96, 176, 236) if glow else (92, 74, 62)
    for share in (0.14, 0.56):
        x0, x1 = left + width * share, left + width * (share + 0.28)
        y0, y1 = top + height * 0.1, top + height * 0.66
        _rectangle(picture, x0 - 6, y0 - 6, x1 + 6, y1 + 4, _shade(front, 1.22))
        _rectangle(picture, x0, y0, x1, y1, pane)
        middle = int((x0 + x1) / 2)
        cv2.line(picture, (middle, int(y0)), (middle, int(y1)), _shade(front, 0.8), 4)
        cv2.line(picture, (int(x0), int((y0 + y1) / 2)), (int(x1), int((y0 + y1) / 2)), _shade(front, 0.8), 3)
    rail = int(top + height * 0.66)
    floor = int(top + height * 0.94)
    _rectangle(picture, left + 8, floor, right - 16, floor + 7, _shade(front, 0.55))
    for x in range(left + 12, right - 16, 13):
        cv2.line(picture, (x, rail), (x, floor), _shade(front, 0.46), 2)
    cv2.line(picture, (left + 8, rail), (right - 16, rail), _shade(front, 0.4), 4)
    for x in range(left + 30, right - 40, 92):
        cv2.circle(picture, (x, floor - 16), 17, (52, 92, 58), -1, cv2.LINE_AA)
        _rectangle(picture, x - 11, floor - 10, x + 11, floor, (58, 82, 128))


def _shop_front(
    picture: Picture, random: np.random.Generator, left: int, right: int, top: int, *, open_door: bool
) -> None:
    if not open_door:
        _rectangle(picture, left, top, right, PAVEMENT_Y, (112, 108, 100))
        for x in range(left, right, 16):
            cv2.line(picture, (x, top), (x, PAVEMENT_Y), (90, 86, 80), 3)
        return
    _rectangle(picture, left, top, right, PAVEMENT_Y, (74, 128, 178))
    _rectangle(picture, left, top, right, top + 16, (150, 214, 246))
    for row in range(3):
        y = top + 62 + row * 44
        _rectangle(picture, left + 8, y, right - 8, y + 4, (52, 78, 104))
        x = left + 14
        while x < right - 30:
            width = int(random.integers(12, 26))
            tall = int(random.integers(16, 34))
            goods = _shade((int(random.integers(40, 190)), int(random.integers(60, 190)), 160), 0.8)
            _rectangle(picture, x, y - tall, x + width, y, goods)
            x += width + int(random.integers(2, 7))


def _sign(picture: Picture, left: int, right: int, text: str, board: Colour, letters: Colour) -> None:
    _rectangle(picture, left, 430, right, 482, board)
    size = 33
    while (width := _width_of(text, size)) > right - left - 16:
        size -= 1
    write(picture, text, ((left + right - width) // 2, 468), size, letters)
    awning = np.array([[left - 6, 484], [right + 6, 484], [right + 22, 512], [left - 22, 512]], np.int32)
    cv2.fillPoly(picture, [awning], _shade(board, 0.8), cv2.LINE_AA)
    for step in range(0, 10, 2):
        a, b = (left + (right - left) * part / 10 for part in (step, step + 1))
        stripe = np.array([[a, 484], [b, 484], [b + 3, 512], [a - 3, 512]], np.int32)
        cv2.fillPoly(picture, [stripe], _shade(letters, 0.72), cv2.LINE_AA)


def _ground(picture: Picture, random: np.random.Generator) -> None:
    _rectangle(picture, 0, PAVEMENT_Y, WIDTH, KERB_Y, (124, 122, 128))
    for x in range(-200, WIDTH + 200, 62):
        cv2.line(picture, (x + 40, PAVEMENT_Y), (x, KERB_Y), (106, 104, 110), 2, cv2.LINE_AA)
    for y in (PAVEMENT_Y + 20, PAVEMENT_Y + 46):
        cv2.line(picture, (0, y), (WIDTH, y), (106, 104, 110), 2)
    _rectangle(picture, 0, KERB_Y, WIDTH, KERB_Y + 7, (146, 144, 146))
    _rectangle(picture, 0, KERB_Y + 7, WIDTH, KERB_Y + 15, (78, 76, 78))
    road = np.linspace(74, 92, ROAD_END_Y - KERB_Y - 15)[:, None, None] * np.array([1.03, 0.98, 0.96])
    picture[KERB_Y + 15 : ROAD_END_Y] = road.astype(np.uint8)
    for x in range(-60, WIDTH, 300):
        dash = np.array([[x, 852], [x + 150, 852], [x + 140, 862], [x - 12, 862]], np.int32)
        cv2.fillPoly(picture, [dash], (150, 164, 168), cv2.LINE_AA)
    for _ in range(60):
        x, y = int(random.integers(0, WIDTH)), int(random.integers(KERB_Y + 30, ROAD_END_Y))
        cv2.ellipse(picture, (x, y), (int(random.integers(20, 90)), 3), 0, 0, 360, (80, 77, 75), -1, cv2.LINE_AA)
    _rectangle(picture, 0, ROAD_END_Y, WIDTH, ROAD_END_Y + 12, (140, 138, 142))
    _rectangle(picture, 0, ROAD_END_Y + 12, WIDTH, HEIGHT, (112, 110, 116))
    for x in range(-300, WIDTH + 300, 96):
        cv2.line(picture, (x + 60, ROAD_END_Y + 12), (x, HEIGHT), (94, 92, 98), 3, cv2.LINE_AA)


def _wires_and_lamp(picture: Picture) -> None:
    pole = (92, 94, 96)
    for x in _POLES:
        _rectangle(picture, x, 20, x + 15, PAVEMENT_Y + 18, pole)
        _rectangle(picture, x + 11, 20, x + 15, PAVEMENT_Y + 18, _shade(pole, 0.7))
        _rectangle(picture, x - 44, 54, x + 58, 62, _shade(pole, 0.8))
    _rectangle(picture, 494, 330, 544, 392, (116, 118, 116))
    spans = ((-300, 520), (520, 1080), (1080, 2240))
    for height, sag in ((48, 40), (54, 64), (60, 52), (66, 78), (74, 60), (310, 34), (318, 52)):
        for start, end in spans:
            along = np.linspace(start, end, 40)
            down = height + sag * 4 * (along - start) * (end - along) / (end - start) ** 2
            line = np.stack([along, down], axis=1).astype(np.int32)
            cv2.polylines(picture, [line], isClosed=False, color=(46, 42, 42), thickness=2, lineType=cv2.LINE_AA)
    cv2.line(picture, (1080, 150), (1150, 150), pole, 7, cv2.LINE_AA)
    _rectangle(picture, 1132, 148, 1192, 162, (210, 240, 252))


def _things_on_the_pavement(picture: Picture) -> None:
    for x, colour in ((846, (60, 52, 186)), (900, (176, 96, 40)), (1010, (60, 52, 186))):
        seat = np.array([[x, 646], [x + 30, 646], [x + 36, 682], [x - 6, 682]], np.int32)
        cv2.fillPoly(picture, [seat], _shade(colour, 0.85), cv2.LINE_AA)
        _rectangle(picture, x - 2, 640, x + 32, 648, colour)
    _rectangle(picture, 944, 634, 1000, 640, (150, 156, 160))
    for x in (950, 992):
        cv2.line(picture, (x, 640), (x, 684), (120, 124, 128), 4)
    _parked_motorbike(picture, 66, 694)
    for x, y in ((1452, 660), (1520, 664)):
        _rectangle(picture, x, y - 34, x + 44, y + 4, (66, 92, 140))
        cv2.circle(picture, (x + 22, y - 52), 30, (52, 96, 60), -1, cv2.LINE_AA)
        cv2.circle(picture, (x + 10, y - 66), 18, (64, 112, 74), -1, cv2.LINE_AA)
    # A national flag on its pole, as in most streets.
    cv2.line(picture, (600, 330), (544, 246), (120, 130, 136), 4, cv2.LINE_AA)
    flag = np.array([[547, 250], [482, 276], [496, 322], [561, 296]], np.int32)
    cv2.fillPoly(picture, [flag], (40, 36, 196), cv2.LINE_AA)
    angles = np.arange(10) * np.pi / 5 - np.pi / 2 - 0.4
    radius = np.where(np.arange(10) % 2 == 0, 15, 6)
    star = np.stack([522 + radius * np.cos(angles), 286 + radius * np.sin(angles)], axis=1).astype(np.int32)
    cv2.fillPoly(picture, [star], (40, 220, 250), cv2.LINE_AA)


def _parked_motorbike(picture: Picture, x: int, y: int) -> None:
    for wheel in (x, x + 108):
        cv2.circle(picture, (wheel, y - 22), 22, (42, 40, 40), 7, cv2.LINE_AA)
    body = np.array([[x + 14, y - 30], [x + 30, y - 62], [x + 92, y - 58], [x + 100, y - 30]], np.int32)
    cv2.fillPoly(picture, [body], (58, 46, 132), cv2.LINE_AA)
    cv2.line(picture, (x + 106, y - 24), (x + 90, y - 84), (70, 70, 72), 6, cv2.LINE_AA)
    cv2.line(picture, (x + 10, y - 64), (x + 66, y - 64), (40, 40, 44), 9, cv2.LINE_AA)


def _as_a_camera_sees_it(picture: Picture, random: np.random.Generator) -> Picture:
    """Warm light from lamp and shops, fading corners, the grain of walls and road, a lens that is not perfect."""
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    light = np.full((HEIGHT, WIDTH), 0.86, np.float32)
    light += 0.42 * np.exp(-(((x - 1160) / 300) ** 2) - ((y - 640) / 290) ** 2)
    light += 0.50 * np.exp(-(((x - 1162) / 70) ** 2) - ((y - 165) / 60) ** 2)
    for left, right, *_ in (_HOUSES[1], _HOUSES[3], _HOUSES[5]):
        light += 0.34 * np.exp(-(((x - (left + right) / 2) / 170) ** 2) - ((y - 640) / 130) ** 2)
    light *= 1 - 0.30 * (((x - WIDTH / 2) / WIDTH) ** 2 + ((y - HEIGHT / 2) / HEIGHT) ** 2) * 2
    warm = np.clip(light - 0.72, 0, 1)[..., None] * np.array([-0.12, 0.02, 0.10], np.float32)
    grain = cv2.GaussianBlur(random.normal(0, 11, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.6)
    seen = picture.astype(np.float32) * (light[..., None] + warm) + grain[..., None]
    return np.asarray(cv2.GaussianBlur(np.clip(seen, 0, 255).astype(np.uint8), (0, 0), 0.9), np.uint8)
