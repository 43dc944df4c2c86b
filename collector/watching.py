"""`collector boxes --watch`: the fleet in the terminal, the worst first, drawn anew every two seconds."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from collector.fleet.rows import RANK, Row, row_of
from collector.store.database import Database
from collector.store.errors import StoreUnavailable
from collector.store.overview import list_boxes

EVERY_S = 2.0
_COLOURS = {"down": "red", "blind": "red", "unreachable": "red", "late": "yellow", "degraded": "yellow", "up": "green"}
_COLUMNS = ("box", "site", "state", "since", "heard", "frame", "fps", "outbox", "disk", "°C", "clock", "version", "why")


def watch(
    database: Database, zone: tzinfo, now_ms: Callable[[], int], console: Console, rounds: int | None = None
) -> None:
    """Draw until interrupted, or so many times."""
    with Live(console=console, auto_refresh=False) as live:
        while rounds is None or rounds > 0:
            live.update(picture(database, zone, now_ms()), refresh=True)
            rounds = None if rounds is None else rounds - 1
            if rounds != 0:
                time.sleep(EVERY_S)


def picture(database: Database, zone: tzinfo, now_ms: int) -> Group:
    """How the fleet is now."""
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).strftime("%d/%m/%Y %H:%M:%S")
    try:
        with database.read() as connection:
            rows = [row_of(box, now_ms) for box in list_boxes(connection)]
    except StoreUnavailable as error:
        return Group(Text(f"{stamp}  the database cannot be asked: {error}", style="red"))
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.box.standing.state] = counts.get(row.box.standing.state, 0) + 1
    tally = ", ".join(f"{state} {counts[state]}" for state in sorted(counts, key=RANK.__getitem__)) or "no box yet"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for name in _COLUMNS:
        table.add_column(name, overflow="fold")
    for row in sorted(rows, key=lambda each: each.rank):
        table.add_row(*_cells(row, zone, now_ms))
    return Group(Text(f"{stamp}  {tally}"), table)


def _cells(row: Row, zone: tzinfo, now_ms: int) -> list[Text]:
    box = row.box
    host = None if box.heartbeat is None else box.heartbeat.host
    queue = None if box.heartbeat is None else box.heartbeat.outbox
    state = box.standing.state
    since = None if box.standing.since_ms is None else datetime.fromtimestamp(box.standing.since_ms / 1000, UTC)
    why = [*box.standing.reasons]
    why += [f"{camera.name}: {' '.join((camera.standing.state, *camera.standing.reasons))}" for camera in row.troubled]
    free = host.disk_free_bytes if host is not None else None
    total = host.disk_total_bytes if host is not None else None
    heat = host.temperature_c if host is not None else None
    texts = [
        box.id,
        f"{box.site}, {box.commune}",
        state,
        "-" if since is None else since.astimezone(zone).strftime("%d/%m %H:%M"),
        _ago(box.heartbeat_ms, now_ms),
        _ago(row.frame_ms, now_ms),
        "-" if row.fps is None else f"{row.fps:.1f}",
        "-" if queue is None else str(queue.events + queue.clips),
        f"{100 * free / total:.0f}%" if free is not None and total else "-",
        "-" if heat is None else f"{heat:.0f}",
        box.clock or "-",
        box.agent_version or "-",
        "; ".join(why),
    ]
    style = "dim" if row.is_stale else ""
    cells = [Text(text, style=style) for text in texts]
    cells[2].stylize(_COLOURS.get(state, ""))
    return cells


def _ago(then_ms: int | None, now_ms: int) -> str:
    if then_ms is None:
        return "-"
    seconds = max(0, now_ms - then_ms) // 1000
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"
