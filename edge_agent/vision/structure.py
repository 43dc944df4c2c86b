"""The lasting contours of a scene, and how much of them a picture still shows. PURE: durations are arguments.

What is compared is the direction of contours, not brightness: light, infrared and exposure change brightness and turn
dark-to-bright into bright-to-dark, but leave a wall's edge where it is. What moves leaves no lasting contour, so crowds
and traffic do not enter. Each tile of the picture counts alike, so that a burnt-in clock proves nothing.

Sources: A. Saglam, A. Temizel, "Real-time Adaptive Camera Tamper Detection for Video Surveillance", AVSS 2009 (a
learned background, the energy of its fine detail against the picture's); E. Ribnick et al., "Real-Time Detection of
Camera Tampering", AVSS 2006 (short against long memory, gradient directions); S. Pertuz et al., "Analysis of
focus measure operators", Pattern Recognition 46 (2013) (energy of the Laplacian).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.light import median

Image = NDArray[Any]

FINE_WIDTH = 192
TILES_ACROSS, TILES_DOWN = 8, 6
LASTING = 0.4
"""A contour lasts where the mean of its direction, of at most length 1, is so long."""
MEMORY_S = 60.0
LEAST_TILES = 5
SURELY_LOST, DOUBTFUL = 0.17, 0.5
"""Below the one, contours are not the scene's; between the two they are looked for elsewhere."""
_FAINT = 24.0  # Sobel's sum for a contour that noise cannot be told from; squared below
_SWAYS = [(x, y) for y in (-1, 0, 1) for x in (-2, -1, 0, 1, 2) if (x, y) != (0, 0)]
_ELSEWHERE = [(11, 7), (-13, 8), (9, -9), (-10, -7)]


def fine_picture(luma: Image) -> Image:
    """The picture 192 wide or less, and of even height: by exact halves first, which is quicker and nearly the same."""
    height, width = luma.shape
    scale = min(1.0, FINE_WIDTH / width)
    size = max(16, 2 * round(width * scale / 2)), max(16, 2 * round(height * scale / 2))
    while luma.shape[1] >= 2 * size[0] and luma.shape[0] >= 2 * size[1]:
        luma = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return luma if luma.shape == size[::-1] else cv2.resize(luma, size, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True, slots=True)
class Likeness:
    """One picture against the learned scene.

    `kept`: how much of the tiles' lasting contours is still shown, 1 = as usual, about 0 for any other scene (what
    agrees by chance and what contradicts cancel out); None where there are too few to say.
    `detail`: fine detail at the lasting contours against what is usual, 1 = as usual; None where it cannot be said.
    `own`: contours that this picture shares with the one before it, against what is usual.
    `elsewhere`: the lasting contours fit better shifted than where they were. Only looked at where `kept` is doubtful:
    infrared weakens contours, but moves none.
    `layout`: correlation of the coarse picture with the scene's, -1..1.
    """

    kept: float | None
    detail: float | None
    own: float
    layout: float
    elsewhere: bool = False


class Structure:
    """One camera's scene, at one size of picture."""

    def __init__(self) -> None:
        self._mean: Image | None = None  # (h, w, 2): mean direction, doubled angle
        self._before: Image | None = None
        self._usual: Image = np.zeros(TILES_DOWN * TILES_ACROSS)
        self._usual_detail = self._usual_own = 0.0
        self._layout: Image = np.zeros((1, 1))
        self._learned_s = 0.0
        self._pictures = 0
        self._detail_now: float | None = None

    @property
    def known(self) -> bool:
        """Whether enough was seen to compare with."""
        return self._learned_s >= 2.0 and self._pictures >= 5

    def compare(self, fine: Image) -> Likeness:
        """Compare a picture (fine_picture) with the scene; `learn` then takes it in, if it is to be."""
        half = cv2.pyrDown(fine).astype(np.float32)
        self._fine = fine
        across, down = cv2.Sobel(half, cv2.CV_32F, 1, 0), cv2.Sobel(half, cv2.CV_32F, 0, 1)
        strength = across * across + down * down
        field = np.dstack((across * across - down * down, 2 * across * down)) / (strength + _FAINT**2)[..., None]
        self._field, self._strength = field, strength
        self._coarse = cv2.resize(half, (16, 12), interpolation=cv2.INTER_AREA)
        before, mean = self._before, self._mean
        self._before = field
        own = 0.0 if before is None else max(0.0, float(np.vdot(field, before))) / strength.size
        self._own_now = own
        if mean is None or mean.shape != field.shape:
            self._agreement: Image = self._usual
            return Likeness(None, None, 1.0, 1.0)
        layout = float((_normal(self._coarse) * _normal(self._layout)).mean())
        lasting, weight = self._lasting, self._weight
        # Against what both show: in the dark contours are weak, but where they are they run as ever.
        both = np.maximum(_tiles(self._length * cv2.magnitude(field[..., 0], field[..., 1])), 0.02 * weight)
        chance = sum(self._agree(lasting, field, sway) for sway in _ELSEWHERE) / len(_ELSEWHERE)
        here = self._agree(lasting, field, (0, 0))
        enough = weight >= 3.0
        counted = enough & (self._usual > 0.12)

        def kept(agree: Image) -> float:
            part = np.clip((agree - chance) / np.maximum(both * self._usual, 1e-6), -1.0, 1.0)
            return float(part[counted].sum() / max(1, counted.sum()))

        if kept(here) < 0.6:  # a pole in the wind
            swayed = max((self._agree(lasting, field, sway) for sway in _SWAYS), key=lambda agree: float(agree.sum()))
            here = swayed if swayed.sum() > here.sum() else here
        self._agreement = np.where(enough, (here - chance) / np.maximum(both, 1e-6), 0.0)
        still = kept(here)
        said = counted.sum() >= LEAST_TILES
        self._detail_now = detail = self._detail()
        usual = self._usual_detail
        return Likeness(
            still if said else None,
            detail / usual if said and detail is not None and usual > 0.01 else None,
            own / self._usual_own if self._usual_own > 1e-4 else 1.0,
            layout,
            elsewhere=bool(said) and SURELY_LOST <= still < DOUBTFUL and self._fits_elsewhere(lasting, field),
        )

    def learn(self, dt_s: float) -> None:
        """Take the picture that was compared last into the scene; `dt_s` since the one before."""
        if self._mean is None or self._mean.shape != self._field.shape:
            self._mean, self._layout, self._usual = self._field, self._coarse, self._usual * 0
            self._usual_detail = self._usual_own = self._learned_s = 0.0
            self._pictures = 1
            self._mark(self._mean)
            return
        self._pictures += 1
        self._learned_s += dt_s
        share = max(min(0.5, dt_s / MEMORY_S), 1.0 / self._pictures if self._learned_s < MEMORY_S else 0.0)
        self._mean = cv2.addWeighted(self._mean, 1 - share, self._field, share, 0)
        self._layout = self._layout * (1 - share) + self._coarse * share
        quicker = max(share, 0.05)
        self._usual = self._usual + (self._agreement - self._usual) * quicker
        self._usual_own += (self._own_now - self._usual_own) * quicker
        self._mark(self._mean)
        detail = self._detail() if self._detail_now is None else self._detail_now
        if detail is not None:
            self._usual_detail += (detail - self._usual_detail) * (quicker if self._usual_detail else 1.0)

    def _mark(self, mean: Image) -> None:
        """Where the contours last, and where there is nothing near them: what comparing goes by."""
        length = cv2.magnitude(mean[..., 0], mean[..., 1])
        at = length > LASTING
        self._lasting: Image = mean * at[..., None]
        self._length: Image = length * at
        self._weight: Image = _tiles(self._length)
        self._at = at
        self._away = cv2.dilate(at.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0

    @staticmethod
    def _agree(lasting: Image, field: Image, sway: tuple[int, int]) -> Image:
        moved = field if sway == (0, 0) else np.roll(field, sway[::-1], (0, 1))
        both = lasting * moved
        return _tiles(both[..., 0] + both[..., 1])

    @staticmethod
    def _fits_elsewhere(lasting: Image, field: Image) -> bool:
        """By correlation over all shifts: does another stand out, and more than none?

        Infrared lamps laid over recordings gave at most 1.0 of the peak at no shift, turns 1.2 to 10 times.
        """
        contours = np.fft.fft2(lasting[..., 0] + 1j * lasting[..., 1])
        shown = field[..., 0] + 1j * field[..., 1]
        surface = np.fft.fftshift(np.fft.ifft2(np.fft.fft2(shown - shown.mean()) * np.conj(contours)).real)
        y, x = surface.shape[0] // 2, surface.shape[1] // 2
        here = float(surface[y - 2 : y + 3, x - 3 : x + 4].max())
        surface[y - 5 : y + 6, x - 6 : x + 7] = np.nan
        there, mean = float(np.nanmax(surface)), float(np.nanmean(surface))
        return there - mean > max(1.15 * (here - mean), 3.4 * float(np.nanstd(surface)))

    def _detail(self) -> float | None:
        """Fine against middling contrast at the lasting contours, less what noise puts everywhere."""
        at, away = self._at, self._away
        if np.count_nonzero(at) < 40:
            return None
        fine = cv2.Laplacian(self._fine, cv2.CV_32F)
        fine = cv2.resize(fine * fine, (at.shape[1], at.shape[0]), interpolation=cv2.INTER_AREA)
        noise = median(fine[away]) if np.count_nonzero(away) >= 40 else 0.0
        middling = float(self._strength[at].mean())
        return float(max(0.0, float(fine[at].mean()) - noise) ** 0.5 / (middling**0.5 + 20.0))


def _tiles(picture: Image) -> Image:
    """The sum in each of the tiles, row by row."""
    mean = cv2.resize(picture.astype(np.float32), (TILES_ACROSS, TILES_DOWN), interpolation=cv2.INTER_AREA)
    return np.asarray(mean.ravel() * (picture.size / (TILES_ACROSS * TILES_DOWN)))


def _normal(picture: Image) -> Image:
    less = picture - picture.mean()
    return np.asarray(less / (less.std() + 2.0))
