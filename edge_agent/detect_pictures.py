"""Pictures of what the detector saw: an overlay with words in it, and a mask for each picture."""

from pathlib import Path

import cv2

from edge_agent.aim.words import Language
from edge_agent.detect import Judged
from edge_agent.detect_words import tell_region, tell_state
from edge_agent.recording.overlay import Moving, OverlayWriter
from edge_agent.vision.settings import MotionSettings


class OverlayOfJudged:
    """Draws each picture with zones, masks, what moves and why into an MP4. Raises OSError."""

    def __init__(self, path: Path, settings: MotionSettings, language: Language) -> None:
        self._writer = OverlayWriter(path, [(zone.name, zone.polygon) for zone in settings.zones], settings.masks)
        self._language = language

    def show(self, judged: Judged) -> None:
        """Add one picture."""
        seen = judged.observation
        moving = [Moving(region.box, tell_region(region, self._language)) for region in seen.regions]
        moving += [Moving(region.box, tell_region(region, self._language), is_told=False) for region in seen.demoted]
        state = tell_state(seen, judged.is_told, judged.tamper, self._language)
        self._writer.write(judged.frame.bgr(), judged.t_ms / 1000, moving, state)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def write_mask(folder: Path, judged: Judged) -> None:
    """A PNG of the picture's size, white where something moves: `000123_0012.300s.png`. Raises OSError."""
    _, png = cv2.imencode(".png", judged.mask())
    path = folder / f"{judged.number:06d}_{judged.t_ms / 1000:08.3f}s.png"
    try:
        path.write_bytes(png.tobytes())
    except OSError as error:  # which does not say where when the disk is full
        raise OSError(error.errno, error.strerror, str(path)) from None
