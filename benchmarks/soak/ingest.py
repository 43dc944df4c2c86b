"""Days of events in minutes: the collector's intake and retention in one process; does its memory stay where it is?

What a soak of two hours leaves open: a page cache that fills up to its bound looks like a slow leak for hours. Here the
same rows come hundreds of times faster, so that the bound is reached.
"""

import os
import statistics
import uuid
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.results import write_section
from benchmarks.soak.quiet import HEADING
from collector.store import ledger, live
from tests.support.collector import NOW_MS, Station, arrived
from vonggac.wire import messages as m

_ROUNDS, _BATCH, _EVERY_MS, _KEPT_MS = 20, 12, 5000, 400_000
TOLERATED_MIB = 1.0


def run(events: int, folder: Path, output: Path) -> bool:
    """Take so many events; True when the last quarter needs no more memory than the second."""
    station, process = Station(folder), psutil.Process()
    seq, now_ms, rows = 0, NOW_MS, []
    for number in range(_ROUNDS):
        while seq < events * (number + 1) // _ROUNDS:
            batch = []
            for _ in range(_BATCH):
                now_ms += _EVERY_MS
                batch += [arrived(body, seq + at + 1, received_ms=now_ms) for at, body in enumerate(_episode(now_ms))]
                seq += 3
            station.intake.take(batch)
            with station.database.read() as connection:
                live.changes_after(connection, live.newest_change(connection) - 20)
        with station.database.write() as connection:
            ledger.prune_events(connection, now_ms - _KEPT_MS)
            live.prune_changes(connection, now_ms - _KEPT_MS)
        database_mb = (folder / "collector.sqlite").stat().st_size / 1e6
        rows.append((seq, process.memory_full_info().uss / 2**20, database_mb))
        print(f"{seq:7} events {rows[-1][1]:7.2f} MiB of memory, database {database_mb:.2f} MB", flush=True)
    station.database.close()
    quarter = _ROUNDS // 4
    early, late = (
        statistics.median(memory for _, memory, _ in part) for part in (rows[quarter : 2 * quarter], rows[-quarter:])
    )
    good = late - early <= TOLERATED_MIB
    shown = rows[:: _ROUNDS // 5] + rows[-1:]
    text = "\n".join(
        [
            f"`python -m benchmarks.soak --ingest {events}`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores: "
            "intake, live feed's reading and pruning, hundreds of times faster than in the soak. "
            f"{'Flat' if good else 'GROWS'}: {late - early:+.2f} MiB from the second quarter "
            f"to the last (medians), tolerated {TOLERATED_MIB:g}.",
            "",
            "| events taken | memory of its own (USS), MiB | database, MB |",
            "|---|---|---|",
            *(f"| {seq} | {memory:.1f} | {size:.1f} |" for seq, memory, size in shown),
        ]
    )
    print(text)
    write_section(output, HEADING, "events of days in minutes", text)
    return good


def _episode(now_ms: int) -> list[m.Body]:
    episode, clip = str(uuid.uuid4()), str(uuid.uuid4())
    where = {"episode": episode, "camera": "gate"}
    return [
        m.EpisodeStarted(**where, start_ms=now_ms, box=(0.1, 0.1, 0.2, 0.2)),
        m.EpisodeEnded(**where, start_ms=now_ms, end_ms=now_ms + 4000, box=(0.1, 0.1, 0.2, 0.2)),
        m.ClipReady(
            **where,
            clip=clip,
            sha256="0" * 64,
            size_bytes=10,
            first_frame_ms=now_ms,
            duration_ms=1000,
            codec="h264",
            width=16,
            height=16,
        ),
    ]
