"""The fleet's page: every box by commune, the worst first, with what a technician looks for."""

from dataclasses import dataclass

from starlette.responses import Response

from collector.fleet.completeness import Where
from collector.store.desk import waiting_in
from collector.store.identities import Papers
from collector.store.identities import papers as papers_of
from collector.store.outage_history import Sought, list_outages
from collector.store.overview import BoxView, CameraView, list_boxes
from collector.store.presence import completeness_of
from collector.web.api import query_of
from collector.web.desk import Asked, Desk
from collector.web.render import render

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


@dataclass(frozen=True)
class Commune:
    """A commune and its boxes, the worst first; `counts` by state, the worst first."""

    name: str
    rows: tuple[Row, ...]
    counts: tuple[tuple[str, int], ...]


def page(desk: Desk, asked: Asked) -> Response:
    """Communes with the worst box first."""
    query_of(asked)
    with desk.database.read() as connection:
        found = list_boxes(connection, reach=asked.who.reach)
        known = completeness_of(connection)
        waiting = waiting_in(connection, asked.who.reach)
        papers = papers_of(connection, asked.now_ms)
        sought = Sought(0, asked.now_ms + 1, is_open=True, limit=20, reach=asked.who.reach)
        outages = [each for each in list_outages(connection, sought) if each.kind in ("site", "commune", "all")]
    communes: dict[str, list[Row]] = {}
    for box in found:
        lost = known.get(box.id)
        counts = (0, 0) if lost is None else (lost.events(Where.HOLE), lost.clips.get(Where.HOLE, 0))
        communes.setdefault(box.commune, []).append(row_of(box, asked.now_ms, tuple(papers.get(box.id, ())), counts))
    shown = sorted((_commune(name, rows) for name, rows in communes.items()), key=lambda each: each.rows[0].rank)
    return render(
        desk,
        asked,
        "boxes.html",
        communes=shown,
        tally=_tally(found),
        outages=outages,
        waiting=waiting,
        total=len(found),
    )


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


def _commune(name: str, rows: list[Row]) -> Commune:
    rows = sorted(rows, key=lambda row: row.rank)
    return Commune(name, tuple(rows), _tally([row.box for row in rows]))


def _tally(boxes: list[BoxView]) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for box in boxes:
        counts[box.standing.state] = counts.get(box.standing.state, 0) + 1
    return tuple(sorted(counts.items(), key=lambda each: RANK[each[0]]))
