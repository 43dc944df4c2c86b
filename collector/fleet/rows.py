"""A box as a technician looks at it, in one row; read by the page and by the command line."""

from dataclasses import dataclass

from collector.store.identities import Papers
from collector.store.overview import BoxView, CameraView

WORST_FIRST = ("down", "blind", "unreachable", "late", "degraded", "unknown", "new", "maintenance", "up", "retired")
RANK = {state: rank for rank, state in enumerate(WORST_FIRST)}


@dataclass(frozen=True)
class Row:
    """A box as the page shows it: `frame_ms` is when the camera that waits longest gave its last frame (None: one never
    did), `fps` that of its slowest camera, `troubled` its cameras that are not well.
    """

    box: BoxView
    frame_ms: int | None
    fps: float | None
    troubled: tuple[CameraView, ...]
    is_stale: bool
    papers: tuple[Papers, ...]
    lost: tuple[int, int]

    @property
    def rank(self) -> tuple[int, int, str]:
        """The worst first: by the worst of the box and its cameras, then by the box."""
        own = RANK[self.box.standing.state]
        return min([own, *(RANK[camera.standing.state] for camera in self.troubled)]), own, self.box.id


def row_of(box: BoxView, now_ms: int, papers: tuple[Papers, ...] = (), lost: tuple[int, int] = (0, 0)) -> Row:
    """What of a box stands in its row."""
    frames = [camera.last_frame_ms for camera in box.cameras]
    rates = [camera.health.main.fps for camera in box.cameras if camera.health is not None]
    known_rates = [rate for rate in rates if rate is not None]
    interval_s = 30.0 if box.heartbeat is None else box.heartbeat.interval_s
    return Row(
        box=box,
        frame_ms=None if None in frames else min((frame for frame in frames if frame is not None), default=None),
        fps=min(known_rates, default=None),
        troubled=tuple(camera for camera in box.cameras if camera.standing.state not in ("up", "maintenance")),
        is_stale=box.heartbeat_ms is not None and now_ms - box.heartbeat_ms > 3000 * interval_s,
        papers=papers,
        lost=lost,
    )
