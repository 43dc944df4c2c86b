"""What the cameras of the cost benchmark show: the demo's street, empty or never empty; leaves and noise in both.

Coded as cameras do, not as is quickest to make: with CABAC, deblocking and noise in the pictures between key frames,
about 3 Mbit/s and 0.3 Mbit/s (the demo's own is coded by x264's quickest means, which are cheap to decode).
"""

from dataclasses import replace
from pathlib import Path as FilePath

from deploy.demo.figures import Path
from deploy.demo.scene import LOOP_S, MOVERS, Coding, Mover, Scene, prepare_scene

SCENES = ("quiet", "busy", "street")


def scene_of(kind: str, cache: FilePath, sub_fps: int = 10) -> Scene:
    """`quiet`: nobody; `busy`: somebody all the time; `street`: the demo's own, three passages a minute."""
    movers = {"quiet": (), "busy": _busy(), "street": MOVERS}[kind]
    coding = Coding(
        name=f"-as-cameras-{sub_fps}",
        sub_fps=sub_fps,
        main=(("preset", "veryfast"), ("refs", "1"), ("crf", "21"), ("maxrate", "6M"), ("bufsize", "6M")),
        sub=(("preset", "veryfast"), ("refs", "1"), ("crf", "20")),
    )
    return prepare_scene(cache, name=f"street-{kind}", movers=movers, coding=coding)


def _busy() -> tuple[Mover, ...]:
    """The demo's people and its motorbike one after the other, the next coming in before the last has left."""
    movers: list[Mover] = []
    begins_s, number = 0.0, 0
    while begins_s < LOOP_S:
        mover = MOVERS[number % len(MOVERS)]
        corners = mover.path.corners
        shifted = Path(tuple((at_s - corners[0][0] + begins_s, x) for at_s, x in corners))
        movers.append(replace(mover, name=f"{mover.name} {number}", path=shifted))
        begins_s += corners[-1][0] - corners[0][0] - 1.0
        number += 1
    return tuple(movers)
