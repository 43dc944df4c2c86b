"""A patch of one frame, and the track of what may be a thing through many. Pure."""

import math
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edge_agent.vision.observation import UNWATCHED_MS

Image = NDArray[Any]

FORGET_S = UNWATCHED_MS / 1000
"""A track not seen so long is gone."""
REMEMBER_S = 8.0
"""A thing that vanished inside the picture (still, dazzled, behind rain) is the same one if it stirs there again."""


@dataclass(slots=True)
class Blob:
    """One patch of a frame that differs, in pixels of the working size."""

    label: int
    x0: int
    y0: int
    x1: int
    y1: int
    area: float
    cx: float
    cy: float
    stirs: bool
    """Whether more of its pixels change right now than rain or noise change anywhere."""
    contour: float
    """Texture along it now against the background's, -1 … 1: below 0 something is gone rather than there."""
    differed: float
    """How many of its pixels differed in the frame before too: bodies have many, streaks of rain few."""
    structure: float
    """Share of its pixels whose texture is another than the background's."""
    restless: float
    """How restless the place is, 0..1."""
    elsewhere: float
    """How restless the rest of the scene is, 0..1."""
    sharp: float
    """How much it differs just within its contour against inside, 0..1: light fades out."""

    @property
    def size(self) -> int:
        """The shorter side."""
        return min(self.x1 - self.x0, self.y1 - self.y0)


@dataclass(slots=True)
class Track:
    """One thing, or what may become one, through time."""

    blob: Blob
    birth_s: float
    seen_s: float
    stirred_s: float
    x: float
    y: float
    first_x: float
    first_y: float
    first_box: tuple[int, int, int, int]
    first_s: float
    """Where, and when, it was at the start of the window over which its displacement counts."""
    hits: int = 1
    lasting: int = 0
    strays: int = 0
    """Frames in which it was neither on its old place nor where its speed said."""
    path: float = 0.0
    confirmed: bool = False
    reach: float = 0.0
    proved_s: float = -math.inf
    restless: float = 0.0
    merged: bool = False
    dazzled: bool = False
    held_s: float = -math.inf
    """When it was last felt rather than seen: nothing differs where it stood still, but there it stirs."""
    velocity: tuple[float, float] = field(default=(0.0, 0.0))
    number: int = 0
    """Its own among all tracks of the camera."""
    known: Image | None = None
    """Where the scene was restless at its birth (`Unrest.memory`)."""
    shown_s: float = math.inf
    """When its first pixels differed, where that was before they were believed; else its birth."""

    @property
    def since_s(self) -> float:
        """When it was first to be seen."""
        return min(self.birth_s, self.shown_s)

    def travelled(self) -> float:
        """Pixels since the start of the window."""
        return math.hypot(self.x - self.first_x, self.y - self.first_y)

    def grown(self) -> float:
        """Pixels by which a side of it has moved outwards since the start of the window."""
        x0, y0, x1, y1 = self.first_box
        return max(x0 - self.blob.x0, self.blob.x1 - x1, y0 - self.blob.y0, self.blob.y1 - y1)

    def looms(self, least: float) -> bool:
        """Whether its outline moved outwards by `least` pixels on both sides, and up or down: it comes nearer."""
        x0, y0, x1, y1 = self.first_box
        aside = min(x0 - self.blob.x0, self.blob.x1 - x1)
        return min(aside, max(y0 - self.blob.y0, self.blob.y1 - y1)) >= least

    def open_window(self, now_s: float) -> None:
        """Displacement counts from here."""
        blob = self.blob
        self.first_x, self.first_y, self.first_s, self.path = self.x, self.y, now_s, 0.0
        self.first_box = (blob.x0, blob.y0, blob.x1, blob.y1)

    def came_far(self) -> bool:
        """Whether it moved so far that it stays a thing when it stops; what moved less only counts while it moves."""
        return self.reach >= 4.0 + 0.5 * self.blob.size

    def kept_s(self, width: int, height: int) -> float:
        """How long it is remembered unseen: what left over the picture's edge is gone at once."""
        blob = self.blob
        if self.merged or not self.confirmed or not self.came_far():
            return FORGET_S
        inside = blob.x0 > 1 and blob.y0 > 1 and blob.x1 < width - 1 and blob.y1 < height - 1
        return REMEMBER_S if inside or self.stands() else FORGET_S

    def stands(self) -> bool:
        """Whether it is hardly on its way."""
        blob = self.blob
        return math.hypot(*self.velocity) * 0.5 < max(blob.x1 - blob.x0, blob.y1 - blob.y0) * 0.25
