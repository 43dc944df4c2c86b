"""The fleet's page: every box by commune, the worst first, with what a technician looks for."""

from dataclasses import dataclass

from starlette.responses import Response

from collector.fleet.completeness import Where
from collector.fleet.rows import RANK, Row, row_of
from collector.store.desk import waiting_in
from collector.store.identities import papers as papers_of
from collector.store.outage_history import Sought, list_outages
from collector.store.overview import BoxView, list_boxes
from collector.store.presence import completeness_of
from collector.web.api import query_of
from collector.web.desk import Asked, Desk
from collector.web.render import render


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


def _commune(name: str, rows: list[Row]) -> Commune:
    rows = sorted(rows, key=lambda row: row.rank)
    return Commune(name, tuple(rows), _tally([row.box for row in rows]))


def _tally(boxes: list[BoxView]) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for box in boxes:
        counts[box.standing.state] = counts.get(box.standing.state, 0) + 1
    return tuple(sorted(counts.items(), key=lambda each: RANK[each[0]]))
