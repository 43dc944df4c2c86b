"""The fleet's page: every box by commune, the worst first, with what a technician looks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape
from starlette.responses import Response

from collector.fleet.completeness import Where
from collector.fleet.rows import RANK, Row, row_of
from collector.store.desk import waiting_in
from collector.store.identities import papers as papers_of
from collector.store.missing import completeness_of
from collector.store.outage_history import Sought, list_outages
from collector.store.overview import BoxView, list_boxes
from collector.web.api import query_of
from collector.web.desk import Asked, Desk
from collector.web.render import render


@dataclass(frozen=True)
class Commune:
    """A commune and its boxes, the worst first, as drawn; `counts` by state, the worst first."""

    name: str
    rows: Markup
    counts: tuple[tuple[str, int], ...]


def page(desk: Desk, asked: Asked) -> Response:
    """Communes with the worst box first."""
    query_of(asked)
    with desk.database.read() as connection:
        found = list_boxes(connection, reach=asked.who.reach)
        known = completeness_of(connection, reach=asked.who.reach)
        waiting = waiting_in(connection, asked.who.reach)
        papers = papers_of(connection, asked.now_ms)
        sought = Sought(0, asked.now_ms + 1, is_open=True, limit=20, reach=asked.who.reach)
        outages = [each for each in list_outages(connection, sought) if each.kind in ("site", "commune", "all")]
    communes: dict[str, list[Row]] = {}
    for box in found:
        lost = known.get(box.id)
        counts = (0, 0) if lost is None else (lost.events(Where.HOLE), lost.clips.get(Where.HOLE, 0))
        communes.setdefault(box.commune, []).append(row_of(box, asked.now_ms, tuple(papers.get(box.id, ())), counts))
    draw = _pen(desk, asked)
    shown = [
        Commune(name, Markup("").join(draw(row) for row in rows), _tally([row.box for row in rows]))
        for name, rows in sorted(_worst_first(communes), key=lambda each: each[1][0].rank)
    ]
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


def _worst_first(communes: dict[str, list[Row]]) -> list[tuple[str, list[Row]]]:
    return [(name, sorted(rows, key=lambda row: row.rank)) for name, rows in communes.items()]


HOLE = Markup("<hole>")
"""Where an age goes in a row that is kept. No text can look like it: every text is escaped."""


def _pen(desk: Desk, asked: Asked) -> Callable[[Row], Markup]:
    """Draws rows; one that is the same as the last time (but for its ages) is drawn only once."""
    words, formats, now_ms = asked.words, asked.formats, asked.now_ms
    row_template: Any = (
        desk.templates[words.language]
        .get_template("box_row.html")
        .make_module({"t": words, "f": formats, "hole": HOLE})
    )

    def draw(row: Row) -> Markup:
        pieces = desk.drawn.of(
            ("row", words.language, row.box.id), row, lambda: str(row_template.box_row(row)).split(HOLE)
        )
        ages = [formats.ago(row.box.heartbeat_ms, now_ms), formats.ago(row.frame_ms, now_ms)]
        beat = row.box.heartbeat
        if beat is not None and beat.outbox.oldest_ms is not None:
            ages.append(formats.span(now_ms - beat.outbox.oldest_ms))
        drawn = pieces[0]
        for age, piece in zip(ages, pieces[1:], strict=True):
            drawn += str(escape(age)) + piece
        return Markup(drawn)  # noqa: S704 - drawn by a template

    return draw


def _tally(boxes: list[BoxView]) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for box in boxes:
        counts[box.standing.state] = counts.get(box.standing.state, 0) + 1
    return tuple(sorted(counts.items(), key=lambda each: RANK[each[0]]))
