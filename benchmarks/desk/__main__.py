"""`python -m benchmarks.desk [--episodes N] [--cameras N] [--postgresql] [--keep FOLDER]`: how long pages take.

Fills a database, then lets people read its pages while boxes tell: the web, the boxes and the readers are processes of
their own, on this one machine. First every reader asks for a page, looks at it for half a second to a second and a
half, and asks for the next: that is what is promised. Then none of them looks: each asks again at once.
"""

import argparse
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import argon2

from benchmarks.desk.fill import BOXES_A_COMMUNE, CAMERAS_A_BOX, YEAR_MS, ZONES, District, fill
from benchmarks.results import write_section
from collector.store import audit, users
from collector.store.audit import Act
from collector.store.database import open_database, sqlite_url
from collector.store.reach import Reach, Spot
from collector.store.users import Standing
from tests.support.postgres import Postgres, server_programs

RESULTS = Path(__file__).with_name("RESULTS.md")
HEADING = "The desk over a large database"
PROMISED_MS = 150.0
UNPROMISED = ("wall",)
LOOKS_S = 1.0
ALONE = 15
TOKENS = ("everywhere", "commune")
Ask = Callable[[random.Random], str]
Took = dict[str, list[float]]


def pages(cameras: Sequence[str], now_ms: int) -> dict[str, Ask]:
    """Addresses to ask for, by what they are; `cameras` are those of the reader."""

    def day(chance: random.Random) -> str:
        at_s = now_ms / 1000 - chance.random() * YEAR_MS / 1000
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")

    def camera(chance: random.Random) -> str:
        return chance.choice(cameras)

    def search(**fields: Callable[[random.Random], str]) -> Ask:
        return lambda chance: "/search?" + urlencode({name: of(chance) for name, of in fields.items()})

    def at(chance: random.Random) -> str:
        return f"{chance.randrange(24):02d}:{chance.randrange(60):02d}"

    return {
        "feed": lambda _chance: "/",
        "search: a day and a time": search(day=day, time=at),
        "search: a camera and a time": search(camera=camera, day=day, time=at),
        "search: a zone": search(zone=lambda chance: chance.choice(ZONES)),
        "search: a rare kind": search(kind=lambda _chance: "tamper:covered", day=day),
        "search: an outcome": search(outcome=lambda chance: chance.choice(("real", "false"))),
        "day strip (API)": lambda chance: f"/api/v1/cameras/{camera(chance)}/day?day={day(chance)}",
        "day strip (page)": search(camera=camera, day=day),
        "fleet": lambda _chance: "/boxes",
        "wall": lambda _chance: "/cameras",
    }


REPORTS: dict[str, Ask] = {
    "availability": lambda _chance: "/availability",
    "availability (CSV)": lambda _chance: "/api/v1/availability.csv",
}
"""Asked for once a month, and measured alone while the boxes tell."""


class Reader(threading.Thread):
    """Asks for one page after another on a connection of its own, and looks at each for `looks_s` on average."""

    def __init__(
        self, address: str, token: str, asks: dict[str, Ask], until_s: float, looks_s: float, seed: int
    ) -> None:
        super().__init__(name=f"reader-{seed}", daemon=True)
        self._wire = Wire(address, token)
        self._asks = asks
        self._until_s = until_s
        self._looks_s = looks_s
        self._chance = random.Random(seed)
        self.took: Took = {name: [] for name in asks}
        self.failed: list[str] = []

    def run(self) -> None:
        while time.monotonic() < self._until_s:
            time.sleep(self._looks_s * self._chance.uniform(0.5, 1.5))
            name = self._chance.choice(list(self._asks))
            path, start = self._asks[name](self._chance), time.monotonic()
            status = self._wire.page(path)
            self.took[name].append((time.monotonic() - start) * 1000)
            if status != 200:
                self.failed.append(f"{status} {path}")


class Wire:
    """HTTP on one connection with as little work as can be: what readers cost the processor, the server lacks."""

    def __init__(self, address: str, token: str) -> None:
        self._where = urlsplit(address)
        self._connection = socket.create_connection((self._where.hostname, self._where.port), timeout=60)
        self._token = token

    def page(self, path: str) -> int:
        """Ask, follow one redirection, read all of it; the status."""
        status, head = self._get(path)
        if status == 303:
            where = re.search(rb"\r\nlocation: ([^\r]*)", head)
            assert where is not None
            status, _head = self._get(where[1].decode().partition("#")[0])
        return status

    def _get(self, path: str) -> tuple[int, bytes]:
        asked = f"GET {path} HTTP/1.1\r\nhost: {self._where.netloc}\r\nauthorization: Bearer {self._token}\r\n\r\n"
        self._connection.sendall(asked.encode())
        head, end = b"", -1
        while end < 0:
            head += self._some()
            end = head.find(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        assert length is not None
        missing = int(length[1]) - (len(head) - end - 4)
        while missing > 0:
            missing -= len(self._some())
        return int(head[9:12]), head[:end]

    def _some(self) -> bytes:
        got = self._connection.recv(1 << 18)
        assert got, "the server hung up"
        return got


@dataclass(frozen=True)
class Round:
    """What readers met: milliseconds by page, and the share of one processor that each process took."""

    took: Took
    shares: dict[str, float]


class Scribe(threading.Thread):
    """Writes a line into the audit log every second, from another process than the boxes' and the web's."""

    def __init__(self, url: str, until_s: float) -> None:
        super().__init__(name="scribe", daemon=True)
        self._database = open_database(url)
        self._until_s = until_s
        self.took_ms: list[float] = []

    def run(self) -> None:
        while time.monotonic() < self._until_s:
            time.sleep(1)
            start = time.monotonic()
            with self._database.write() as connection:
                act = Act(action="view", who="benchmark", by="token", thing="clip", ref=str(start))
                audit.append(connection, act, time.time_ns() // 1_000_000)
            self.took_ms.append((time.monotonic() - start) * 1000)
        self._database.close()


@dataclass(frozen=True)
class Measured:
    """`alone`: milliseconds of processor time of each page asked for alone; `told`: what the boxes did meanwhile.

    `reports`: milliseconds of the processor and until it is there, of each.
    """

    looking: Round
    at_once: Round
    alone: dict[str, float]
    reports: dict[str, tuple[float, float]]
    told: dict[str, float]
    audit_ms: list[float]


def measure(url: str, folder: Path, district: District, given: argparse.Namespace) -> Measured:
    """Both rounds, with the boxes telling all the while."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.desk.server", url, str(folder)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    now_ms = time.time_ns() // 1_000_000
    asks = pages(district.cameras, now_ms)
    near = pages(district.cameras[-CAMERAS_A_BOX * BOXES_A_COMMUNE :], now_ms)
    asks, near = ({name: ask for name, ask in of.items() if name not in given.leave_out} for of in (asks, near))
    alone = {name: _alone(server.pid, address, ask, ALONE)[0] for name, ask in asks.items()}
    whole_s = 2 * given.seconds + 14
    numbers = [str(given.events), str(whole_s), str(len(district.cameras) // CAMERAS_A_BOX)]
    boxes = server
    if given.one_process:
        server.stdin.write(" ".join(numbers) + "\n")
        server.stdin.flush()
    else:
        boxes = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.desk.boxes", url, str(folder), *numbers], stdout=subprocess.PIPE,
            text=True, env=environment,
        )  # fmt: skip
    assert boxes.stdout is not None
    time.sleep(2)
    scribe = Scribe(url, time.monotonic() + 2 * given.seconds)
    scribe.start()
    rounds = []
    for looks_s in (LOOKS_S, 0.0):
        until_s = time.monotonic() + given.seconds
        readers = [
            Reader(address, TOKENS[seed % 2], (asks, near)[seed % 2], until_s, looks_s, seed)
            for seed in range(given.readers)
        ]
        processes = {"web": server.pid, "boxes": boxes.pid, "readers": os.getpid()}
        if given.one_process:
            processes = {"web and boxes": server.pid, "readers": os.getpid()}
        before = {name: _processor_ms(process) for name, process in processes.items()}
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        shares = {
            name: (_processor_ms(process) - before[name]) / 10 / given.seconds for name, process in processes.items()
        }
        failed = [each for reader in readers for each in reader.failed]
        if failed:
            raise SystemExit(f"{len(failed)} requests failed, the first: {failed[0]}")
        rounds.append(
            Round({name: sorted(ms for reader in readers for ms in reader.took[name]) for name in asks}, shares)
        )
    reports = {name: _alone(server.pid, address, ask, 5) for name, ask in REPORTS.items()}
    scribe.join()
    told = json.loads(boxes.stdout.readline())
    for process in {server, boxes}:
        process.terminate()
    server.wait(15)
    return Measured(rounds[0], rounds[1], alone, reports, told, sorted(scribe.took_ms))


def _alone(server: int, address: str, ask: Ask, times: int) -> tuple[float, float]:
    """Milliseconds of the server's processor, and until it is there, of the page while nobody else asks."""
    chance, wire = random.Random(3), Wire(address, TOKENS[0])
    wire.page(ask(chance))  # the first looks at its templates for the first time
    began_ms, start = _processor_ms(server), time.monotonic()
    for _ in range(times):
        wire.page(ask(chance))
    return (_processor_ms(server) - began_ms) / times, (time.monotonic() - start) * 1000 / times


def _processor_ms(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def people(url: str, district: District, now_ms: int) -> None:
    """A token of an officer who reaches everything, and of one who reaches a commune."""
    database = open_database(url)
    secret = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("not used")
    for name, reach in zip(TOKENS, (None, (Spot(district.communes[-1]),)), strict=True):
        with database.write() as connection:
            users.add_user(connection, name, secret, "officer", now_ms, Standing(Reach(reach)))
            users.add_token(connection, name, "benchmark", name, "officer", now_ms)
    database.close()


def report(found: Measured, given: argparse.Namespace, district: District, kind: str) -> bool:
    """Print and keep; True when every page keeps the promise."""
    load = os.getloadavg()[1]
    command = f"python -m benchmarks.desk --episodes {given.episodes} --cameras {given.cameras}"
    command += f" --readers {given.readers} --seconds {given.seconds}"
    command += " --postgresql" if given.postgresql else ""
    command += " --one-process" if given.one_process else ""
    command += f" --leave-out {' '.join(given.leave_out)}" if given.leave_out else ""
    told, looking, at_once = found.told, found.looking, found.at_once
    lines = [
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processors (load {load:.1f} at the "
        f"end, other work included). {district.episodes:,} episodes of a year on {given.cameras:,} cameras, "
        f"{district.incidents:,} incidents; {given.readers} readers, half of them of one commune, for {given.seconds} "
        f"s each way. Meanwhile {told['events']:,.0f} events were taken ({told['rate']} a second of {given.events:g}, "
        f"95 % of batches within {told['batch_p95_ms']} ms, {told['behind_s']} s behind at worst), and a line of the "
        f"audit log was written every second from a third process: 95 % within {_of(found.audit_ms, 95):.0f} ms, all "
        f"within {max(found.audit_ms, default=0.0):.0f} ms.",
        "",
        f"Of one processor: looking {_shares(looking)}; at once {_shares(at_once)}"
        f" ({sum(map(len, at_once.took.values())) / given.seconds:.0f} pages a second).",
        "",
        "| page | n | p50 ms | p95 ms | at once: n | p50 ms | p95 ms | alone: processor ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, ms in looking.took.items():
        hard = at_once.took[name]
        lines.append(
            f"| {name} | {len(ms)} | {_of(ms, 50):.0f} | {_of(ms, 95):.0f} | {len(hard)} | {_of(hard, 50):.0f} "
            f"| {_of(hard, 95):.0f} | {found.alone[name]:.0f} |"
        )
    lines += [
        "",
        "Asked for by one reader, everywhere, while the boxes tell: "
        + "; ".join(
            f"{name} {wall_ms:.0f} ms, {ms:.0f} of the processor" for name, (ms, wall_ms) in found.reports.items()
        )
        + ".",
    ]
    missed = [name for name in looking.took if name not in UNPROMISED and _of(looking.took[name], 95) > PROMISED_MS]
    lines += ["", f"p95 over {PROMISED_MS:.0f} ms with readers who look: {', '.join(missed) or 'none'}."]
    text = "\n".join(lines)
    sys.stdout.write(text + "\n")
    without = ", all in one process" if given.one_process else ""
    without += f", without {', '.join(given.leave_out)}" if given.leave_out else ""
    write_section(RESULTS, HEADING, f"{kind}, {given.episodes / 1e6:g} million episodes{without}", text)
    return not missed


def _shares(of: Round) -> str:
    return ", ".join(f"{name} {share:.0f} %" for name, share in of.shares.items())


def _of(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else 0.0


def main() -> int:
    """Fill, measure, tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000_000)
    parser.add_argument("--cameras", type=int, default=2_000)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--events", type=float, default=200.0)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--one-process", action="store_true", help="boxes tell the web's own process")
    parser.add_argument("--leave-out", nargs="*", default=[], help="pages that nobody asks for")
    parser.add_argument("--keep", type=Path, help="a folder whose database is filled once and used again")
    given = parser.parse_args()
    now_ms = time.time_ns() // 1_000_000
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.0f} s  {text}\n")

    kind = "PostgreSQL" if given.postgresql else "SQLite"
    with tempfile.TemporaryDirectory(prefix="vonggac-desk-") as name, ExitStack() as ending:
        folder = Path(name)
        kept = given.keep or folder
        kept.mkdir(parents=True, exist_ok=True)
        url, is_new = _on_postgresql(kept, ending) if given.postgresql else _on_sqlite(kept)
        note = kept / f"{kind.lower()}.json"
        if is_new:
            district = fill(url, given.episodes, given.cameras, now_ms, say)
            people(url, district, now_ms)
            note.write_text(json.dumps(vars(district)), encoding="utf-8")
        else:
            district = District(**json.loads(note.read_text(encoding="utf-8")))
        say("filled")
        found = measure(url, folder, district, given)
    return 0 if report(found, given, district, kind) else 1


def _on_sqlite(kept: Path) -> tuple[str, bool]:
    """The URL, and whether it has yet to be filled."""
    return sqlite_url(kept / "desk.sqlite"), not (kept / "sqlite.json").exists()


def _on_postgresql(kept: Path, ending: ExitStack) -> tuple[str, bool]:
    """The same. The server is ours, its commits are synced, and it stops with us."""
    programs = server_programs()
    if programs is None:
        raise SystemExit("needs Debian's package postgresql")
    server, is_new = Postgres(programs, kept / "postgresql"), not (kept / "postgresql.json").exists()
    ending.callback(server.shut_down)
    return server.database() if is_new else server.url("t1"), is_new


if __name__ == "__main__":
    sys.exit(main())
