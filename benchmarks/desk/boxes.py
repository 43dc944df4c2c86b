"""Boxes that tell: so many events a second through the collector's own intake, in a process of its own.

Every other event begins an episode, the next ends the oldest that goes on. As from a broker, what comes within 50 ms of
a commit goes into the database together.

`python -m benchmarks.desk.boxes URL FOLDER RATE SECONDS BOXES`; says how many it took and how long each batch was.
"""

import json
import random
import statistics
import sys
import time
from collections import deque
from pathlib import Path

from benchmarks.desk.fill import OUTBOX, envelope
from collector.ingest.intake import Arrived, Intake
from collector.ingest.mqtt import BATCH, COMMIT_EVERY_MS
from collector.store import ledger
from collector.store.database import open_database
from vonggac.wire import codec
from vonggac.wire import messages as m
from vonggac.wire.ids import uuid7
from vonggac.wire.topics import up

EVERY_S = COMMIT_EVERY_MS / 1000
BOOTED_MS = 1_700_000_000_000
"""When every box began: its clocks go alike."""


def tell(url: str, folder: str, rate: float, seconds: float, boxes: int) -> dict[str, float]:
    """Take events until the time is over; how many, and how long it took."""
    database = open_database(url)
    intake, chance = Intake(database, Path(folder)), random.Random(time.time_ns())
    with database.read() as connection:  # each goes on where an earlier run over the same database ended
        known = ledger.ranges_of_all(connection)
    seq = {box: ranges[OUTBOX][-1][1] for box, ranges in known.items()}
    going_on: deque[tuple[str, m.EpisodeStarted]] = deque()
    again_s = 0.0
    took, taken, late_s = [], 0, 0.0
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate) - taken
        if due <= 0 or time.monotonic() < again_s:
            time.sleep(max(EVERY_S / 10, again_s - time.monotonic()))
            continue
        now_ms = time.time_ns() // 1_000_000
        batch = []
        for number in range(taken, taken + min(due, BATCH)):
            body: m.Body
            if number % 2 and going_on:
                box, begun = going_on.popleft()
                body = m.EpisodeEnded(
                    episode=begun.episode, camera=begun.camera, start_ms=begun.start_ms, end_ms=now_ms, box=begun.box,
                    zones=begun.zones, score=0.9, reason="quiet", path=(m.PathPoint(t_ms=0, x=0.5, y=0.6),),
                )  # fmt: skip
            else:
                box = f"hop-{chance.randrange(boxes):04d}"
                body = m.EpisodeStarted(
                    episode=uuid7(now_ms, chance.randbytes(10)), camera=f"camera-{chance.randrange(4)}",
                    start_ms=now_ms, box=(0.42, 0.35, 0.58, 0.86), zones=("cổng",), score=0.8,
                )  # fmt: skip
                going_on.append((box, body))
            seq[box] = seq.get(box, 0) + 1
            told = envelope(box, body, now_ms, now_ms - BOOTED_MS, seq[box])
            batch.append(Arrived(up(box, "event"), codec.encode(told), False, now_ms))
        start = time.monotonic()
        intake.take(batch)
        took.append(time.monotonic() - start)
        again_s = time.monotonic() + EVERY_S
        taken += len(batch)
        late_s = max(late_s, (time.monotonic() - began) - taken / rate)
    figures = {"events": taken, "rate": round(taken / seconds, 1), "batch_p95_ms": round(_p95(took) * 1000, 1)}
    return figures | {"behind_s": round(late_s, 2)}


def _p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20)[-1] if len(took) > 1 else 0.0


if __name__ == "__main__":
    told = tell(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
    sys.stdout.write(json.dumps(told) + "\n")
