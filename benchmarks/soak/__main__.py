"""`python -m benchmarks.soak --minutes 120 --seed N`: the real programs under faults, sampled; does anything grow?

Collector with its embedded broker, an agent with two looping films as cameras, a road between them that is cut, left
half-open, delayed and slowed all the time; the broker is killed, a camera goes and comes. `--quiet` instead measures
what an agent writes to its disk while nothing happens, `--ingest` whether events of days raise the intake's memory.
"""

import argparse
import csv
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import write_section
from benchmarks.road import Road
from benchmarks.soak import ingest, quiet, report
from benchmarks.soak.faults import Troubles
from benchmarks.soak.samples import DISK, WAITING, child_of, folder_mib, of_process
from collector.fleet.completeness import Where
from collector.store.database import open_database, sqlite_url
from collector.store.ledger import ranges_of
from collector.store.missing import completeness_of
from edge_agent.outbox.inspect import read_stats
from tests.support.system import Program, System, program, wait_for
from tests.support.walks import film_walks

BOX = "soak-01"
SAMPLE_S = 10.0
TURN_S = 44.0
_RETENTION = "retention: {clips: 8m, snapshots: 8m, events: 8m, heartbeats: 8m, keep_free: 100MiB}\n"


class Soak:
    """One run in one folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.system = System(folder, _RETENTION + "uploads: {keep_free: 100MiB}\n")
        self.rows: list[dict[str, float]] = []
        rng = random.Random(seed)
        for name in ("gate", "yard"):
            walks = [(start := rng.uniform(6, 12), start + 4), (start + 16, start + 20)]
            film_walks(folder / f"{name}.mp4", walks, TURN_S, (320, 240), fps=10)

    def start(self, broker: Road, uploads: Road) -> Program:
        """Both programs; the agent knows only the roads."""
        self.system.serve()
        config = self.folder / f"{BOX}.yaml"
        cameras = [f"{{name: {name}, source: '{name}.mp4?loop=1', post_roll: 2s}}" for name in ("gate", "yard")]
        config.write_text(
            f"box: {BOX}\ndata: box\nheartbeat: 5s\ndisk: {{budget: 8MiB, keep_free: 100MiB, keep_free_share: 0}}\n"
            f"broker: {{host: 127.0.0.1, port: {broker.port}, password_file: {BOX}.secret}}\n"
            f"collector: {{url: 'http://127.0.0.1:{uploads.port}'}}\ncameras: [{', '.join(cameras)}]\n",
            encoding="utf-8",
        )
        agent = Program("edge-agent", ["run", "--config", str(config)], self.folder / "box.log")
        self.system.boxes[BOX] = agent
        wait_for(lambda: "connected" in agent.log.read_text(), "the box's connection", 60)
        return agent

    def broker_pid(self) -> int | None:
        """The collector's child."""
        assert self.system.collector is not None
        return child_of(self.system.collector.process.pid, "nats-server")

    def sample(self, since_s: float) -> None:
        """One row of everything."""
        assert self.system.collector is not None
        pids = {
            "agent": self.system.boxes[BOX].process.pid,
            "collector": self.system.collector.process.pid,
            "broker": self.broker_pid(),
        }
        row = {"seconds": since_s}
        for name, pid in pids.items():
            found = of_process(pid) if pid is not None else None
            if found is None and name != "broker":
                raise SystemExit(f"the {name} has ended: see {self.folder}")
            row |= {f"{name} {figure}": value for figure, value in (found or {}).items()}
        stats = read_stats(self.folder / "box")
        row |= {
            f"box {DISK.name}": folder_mib(self.folder / "box"),
            f"server {DISK.name}": folder_mib(self.folder / "server"),
            WAITING.name: float(stats.events),
            "last number": float(stats.last_seq),
        }
        self.rows.append(row)

    def settle(self) -> report.Count:
        """The agent stopped, everything handed over: what was made, what is stored."""
        agent = self.system.boxes[BOX]
        log = agent.log
        wait_for(lambda: _nothing_new_waits(self.folder / "box"), "receipts for everything", 180)
        code = agent.stop()
        stats = read_stats(self.folder / "box")
        database = open_database(sqlite_url(self.folder / "server" / "collector.sqlite"))
        with database.read() as connection:
            ranges = [one for found in ranges_of(connection, BOX).values() for one in found]
            missing = completeness_of(connection, BOX)[BOX].events(Where.HOLE)
            clips = dict(connection.exec_driver_sql("SELECT state, count(*) FROM clips GROUP BY state").all())
        database.close()
        stored = sum(last - first + 1 for first, last in ranges)
        errors = len(agent.lines("error", "critical")) if log.exists() else 0
        return report.Count(stats.last_seq, stored, missing, stats.events, clips, code, errors)


def _nothing_new_waits(folder: Path) -> bool:
    stats = read_stats(folder)
    return stats.events <= 6 and stats.clips <= 1


def write_csv(path: Path, rows: list[dict[str, float]]) -> None:
    """Every sample, one line each; a program that was down at that moment has empty fields."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({name: f"{value:.3f}".rstrip("0").rstrip(".") for name, value in row.items()} for row in rows)


def run(minutes: float, seed: int, warm_up_s: float, folder: Path, output: Path) -> bool:
    """Soak, print, write; True when nothing grew and nothing was lost."""
    soak = Soak(folder, seed)
    soak.system.add_box(BOX)
    broker = Road(("127.0.0.1", soak.system.broker_port))
    uploads = Road(("127.0.0.1", soak.system.port))
    with broker, uploads:
        try:
            soak.start(broker, uploads)
            troubles = Troubles([broker, uploads], folder / "yard.mp4", soak.broker_pid, seed)
            troubles.start()
            began = time.monotonic()
            while (passed := time.monotonic() - began) < minutes * 60:
                soak.sample(passed)
                write_csv(folder / "samples.csv", soak.rows)
                time.sleep(max(0.0, SAMPLE_S - (time.monotonic() - began - passed)))
            troubles.end()
            count = soak.settle()
            fsck = soak.system.run("fsck").strip().splitlines()[-1:]
            codes = soak.system.stop()
        finally:
            soak.system.kill()
    command = f"python -m benchmarks.soak --minutes {minutes:g} --seed {seed}"
    table, good = report.render(command, soak.rows, warm_up_s, dict(troubles.counts), count, codes, fsck)
    print(table)
    write_csv(output.parent / f"soak-{seed}.csv", soak.rows)
    write_section(output, quiet.HEADING, f"soak of {minutes:g} minutes", table)
    return good


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, help="default: 120, or 60 with --quiet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warm-up", type=float, default=10.0, metavar="MINUTES", help="left out of the figures")
    parser.add_argument("--quiet", action="store_true", help="bytes written by an agent while nothing happens")
    parser.add_argument("--ingest", type=int, metavar="EVENTS", help="so many events into the collector's intake alone")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it; otherwise a temporary one")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="vonggac-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    assert program("collector")
    if given.ingest:
        good = ingest.run(given.ingest, folder, given.output)
    elif given.quiet:
        good = quiet.run(given.minutes or 60.0, folder, given.output)
    else:
        good = run(given.minutes or 120.0, given.seed, given.warm_up * 60, folder, given.output)
    if given.keep is None and good:
        shutil.rmtree(folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
