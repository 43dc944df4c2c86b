"""What the command line shows of the database: tables for people, one JSON object a line for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from collector.fleet.completeness import Where
from collector.store import boxes, clips, identities, ledger, releases
from collector.store.database import Connection
from collector.store.desk import Wanted, list_episodes, list_incidents
from collector.store.missing import completeness_of
from collector.store.overview import list_boxes
from vonggac.daemon.clock import SystemClock

_PIPED_WIDTH = 240
Row = dict[str, Any]


def print_boxes(
    connection: Connection, zone: tzinfo, as_json: bool, _since_ms: int | None = None, _limit: int = 0
) -> None:
    """Boxes with their state; `missing_events` counts numbers that will not come (`collector gaps` tells which)."""
    known = completeness_of(connection)
    rows = []
    for box in list_boxes(connection):
        outbox = None if box.heartbeat is None else box.heartbeat.outbox
        rows.append(
            {
                "id": box.id,
                "site": box.site,
                "commune": box.commune,
                "state": box.standing.state,
                "reasons": list(box.standing.reasons),
                "connected": box.connected,
                "heartbeat_ms": box.heartbeat_ms,
                "agent_version": box.agent_version,
                "on_box_events": None if outbox is None else outbox.events,
                "on_box_clips": None if outbox is None else outbox.clips,
                "missing_events": known[box.id].events(Where.HOLE) if box.id in known else 0,
            }
        )
    _print(rows, as_json, zone)


def print_cameras(
    connection: Connection, zone: tzinfo, as_json: bool, _since_ms: int | None = None, _limit: int = 0
) -> None:
    """Cameras with what their box last said of them."""
    rows = [
        {
            "id": camera.id,
            "state": camera.standing.state,
            "reasons": list(camera.standing.reasons),
            "stream": None if camera.health is None else camera.health.main.state,
            "fps": None if camera.health is None else camera.health.main.fps,
            "last_frame_ms": camera.last_frame_ms,
            "configured": camera.configured,
        }
        for box in list_boxes(connection)
        for camera in box.cameras
    ]
    _print(rows, as_json, zone)


def print_events(connection: Connection, zone: tzinfo, as_json: bool, since_ms: int | None, limit: int) -> None:
    """Events as they came in, the newest first."""
    _print(ledger.list_events(connection, since_ms=since_ms or 0, limit=limit), as_json, zone)


def print_episodes(connection: Connection, zone: tzinfo, as_json: bool, since_ms: int | None, limit: int) -> None:
    """Episodes, the newest first."""
    rows = [
        {
            "id": episode.id,
            "camera": episode.camera,
            "start_ms": episode.start_ms,
            "end_ms": episode.end_ms,
            "zones": list(episode.zones),
            "score": episode.score,
            "clips": [clip.id for clip in episode.clips if clip.state == "stored"],
            "late_ms": episode.late_ms,
        }
        for episode in list_episodes(connection, Wanted(since_ms=since_ms, limit=limit))[0]
    ]
    _print(rows, as_json, zone)


def print_clips(connection: Connection, zone: tzinfo, as_json: bool, since_ms: int | None, limit: int) -> None:
    """Clips, the newest first."""
    rows = [
        {
            "id": clip.id,
            "camera": clip.camera,
            "state": clip.state,
            "first_frame_ms": clip.first_frame_ms,
            "duration_ms": clip.duration_ms,
            "size_bytes": clip.size_bytes,
            "codec": clip.codec,
            "truncated": clip.truncated,
            "held": clip.held,
            "path": clip.path,
        }
        for clip in clips.list_clips(connection, since_ms=since_ms or 0, limit=limit)
    ]
    _print(rows, as_json, zone)


def print_incidents(connection: Connection, zone: tzinfo, as_json: bool, since_ms: int | None, limit: int) -> None:
    """Incidents, the newest first."""
    rows = [
        {
            "id": incident.id,
            "camera": incident.camera,
            "state": incident.state,
            "severity": incident.severity,
            "rule": incident.rule,
            "start_ms": incident.start_ms,
            "last_ms": incident.last_ms,
            "episodes": len(incident.episodes),
            "owner": incident.owner,
            "outcome": incident.outcome,
        }
        for incident in list_incidents(connection, Wanted(since_ms=since_ms, limit=limit))[0]
    ]
    _print(rows, as_json, zone)


def print_registered(connection: Connection, zone: tzinfo, as_json: bool) -> None:
    """Boxes that are registered, and what there is to know of their certificates."""
    ends, papers = identities.ends(connection), identities.papers(connection, SystemClock().wall_ms())
    rows = [
        {
            "id": box.id,
            "site": box.site,
            "commune": box.commune,
            "created_ms": box.created_ms,
            "certificate_ends_ms": ends.get(box.id),
            "papers": [paper.word for paper in papers.get(box.id, [])],
        }
        for box in boxes.list_boxes(connection)
    ]
    _print(rows, as_json, zone)


def print_releases(connection: Connection, zone: tzinfo, as_json: bool) -> None:
    """Releases, the newest first; `offered` is false once it was stopped, or taken back by too many boxes."""
    rows = [
        {
            "version": each.version,
            "ring": each.ring,
            "offered": each.offer.is_open,
            "runs_on": each.runs,
            "taken_back_by": each.returns,
            "stopped_ms": each.stopped_ms,
            "stopped_by": each.stopped_by,
            "added_ms": each.added_ms,
        }
        for each in releases.list_releases(connection)
    ]
    _print(rows, as_json, zone)


def print_progress(connection: Connection, zone: tzinfo, as_json: bool) -> None:
    """Every box with the release that it runs and what became of the last update."""
    _print([vars(each) for each in releases.progress(connection)], as_json, zone)


def _print(rows: Sequence[Row], as_json: bool, zone: tzinfo) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=_PIPED_WIDTH)
    if as_json:
        for row in rows:
            console.file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    if not rows:
        console.print("nothing")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for name in rows[0]:  # folded where the screen is narrow: an id that is cut off is of no use
        table.add_column(name.removesuffix("_ms") if _is_time(name) else name, overflow="fold")
    for row in rows:
        table.add_row(*_cells(row, zone))
    console.print(table)


def _is_time(name: str) -> bool:
    return name.endswith("_ms") and name not in ("duration_ms", "late_ms", "mono_ms")


def _cells(row: Row, zone: tzinfo) -> Iterable[str]:
    for name, value in row.items():
        if value is None:
            yield "-"
        elif _is_time(name):
            yield datetime.fromtimestamp(value / 1000, UTC).astimezone(zone).strftime("%d/%m/%Y %H:%M:%S")
        elif isinstance(value, list):
            yield ", ".join(map(str, value)) or "-"
        elif isinstance(value, bool):
            yield "yes" if value else "no"
        elif isinstance(value, float):
            yield f"{value:.2f}"
        else:
            yield str(value)
