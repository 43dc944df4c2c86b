"""`python -m benchmarks.desk [--episodes N] [--cameras N] [--postgresql] [--keep FILE]`: how long pages take.

Fills a database, then lets people read its pages while boxes tell: the web, the boxes and the readers are processes of
their own. A reader asks for a page, looks at it for half a second to a second and a half, and asks for the next.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import argon2

from benchmarks.desk.fill import BOXES_A_COMMUNE, CAMERAS_A_BOX, YEAR_MS, ZONES, District, fill
from benchmarks.results import write_section
from collector.store import users
from collector.store.database import open_database, sqlite_url
from collector.store.reach import Reach, Spot
from collector.store.users import Standing
from tests.support.postgres import shared_server

RESULTS = Path(__file__).with_name("RESULTS.md")
HEADING = "The desk over a large database"
PROMISED_MS = 150.0
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


class Reader(threading.Thread):
    """Asks for one page after another on a connection of its own."""

    def __init__(self, address: str, token: str, asks: dict[str, Ask], until_s: float, seed: int) -> None:
        super().__init__(name=f"reader-{seed}", daemon=True)
        self._where = urlsplit(address).netloc
        self._token = token
        self._asks = asks
        self._until_s = until_s
        self._chance = random.Random(seed)
        self.took: dict[str, list[float]] = {name: [] for name in asks}
        self.failed: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._where, timeout=60)
        while time.monotonic() < self._until_s:
            time.sleep(self._chance.uniform(0.5, 1.5))
            name = self._chance.choice(list(self._asks))
            path, hops, start = self._asks[name](self._chance), 0, time.monotonic()
            while True:
                connection.request("GET", path, headers={"authorization": f"Bearer {self._token}"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 303 or hops:
                    break
                path, hops = answer.headers["location"].partition("#")[0], 1
            self.took[name].append((time.monotonic() - start) * 1000)
            if answer.status != 200:
                self.failed.append(f"{answer.status} {path}")


def measure(
    url: str, folder: Path, district: District, given: argparse.Namespace
) -> tuple[Took, dict[str, float], str]:
    """Milliseconds by page, processor time of each asked for alone, and what the boxes did meanwhile."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.desk.server", url, str(folder)], stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    now_ms = time.time_ns() // 1_000_000
    of_commune = district.cameras[-CAMERAS_A_BOX * BOXES_A_COMMUNE :]
    asks = pages(district.cameras, now_ms)
    near = pages(of_commune, now_ms)
    asks, near = ({name: ask for name, ask in of.items() if name not in given.leave_out} for of in (asks, near))
    alone = {name: _alone(server.pid, address, ask) for name, ask in asks.items()}
    boxes = subprocess.Popen(
        [
            sys.executable, "-m", "benchmarks.desk.boxes", url, str(folder), str(given.events), str(given.seconds + 4),
            str(len(district.cameras) // CAMERAS_A_BOX),
        ],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    time.sleep(2)
    until_s = time.monotonic() + given.seconds
    readers = [
        Reader(address, TOKENS[seed % 2], (asks, near)[seed % 2], until_s, seed) for seed in range(given.readers)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    told = boxes.communicate(timeout=60)[0].strip()
    server.terminate()
    server.wait(15)
    failed = [each for reader in readers for each in reader.failed]
    if failed:
        raise SystemExit(f"{len(failed)} requests failed, the first: {failed[0]}")
    took = {name: sorted(ms for reader in readers for ms in reader.took[name]) for name in asks}
    return took, alone, told


def _alone(server: int, address: str, ask: Ask) -> float:
    """Milliseconds of processor time that the server spends on the page while nobody else asks."""
    chance, where = random.Random(3), http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    began_ms = 0.0
    for number in range(1 + ALONE):  # the first looks at its templates for the first time
        if number == 1:
            began_ms = _processor_ms(server)
        path = ask(chance)
        for _hop in range(2):
            where.request("GET", path, headers={"authorization": f"Bearer {TOKENS[0]}"})
            answer = where.getresponse()
            answer.read()
            if answer.status != 303:
                break
            path = answer.headers["location"].partition("#")[0]
    return (_processor_ms(server) - began_ms) / ALONE


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


def report(
    took: Took, alone: dict[str, float], told: str, given: argparse.Namespace, district: District, kind: str
) -> bool:
    """Print and keep; True when every page keeps the promise."""
    boxes = json.loads(told)
    load = os.getloadavg()[1]
    command = f"python -m benchmarks.desk --episodes {given.episodes} --cameras {given.cameras}"
    command += " --postgresql" if given.postgresql else ""
    command += f" --leave-out {' '.join(given.leave_out)}" if given.leave_out else ""
    lines = [
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors "
        f"(load {load:.1f} at the end, other work included). {district.episodes:,} episodes of a year on "
        f"{given.cameras:,} cameras, {district.incidents:,} incidents; {given.readers} readers for {given.seconds} s, "
        f"half of them of one commune; meanwhile {boxes['events']:,} events were taken ({boxes['rate']} a second, "
        f"95 % of batches within {boxes['batch_p95_ms']} ms, {boxes['behind_s']} s behind at worst).",
        "",
        "| page | n | p50 ms | p95 ms | alone: processor ms |",
        "|---|---|---|---|---|",
    ]
    for name, values in took.items():
        lines.append(f"| {name} | {len(values)} | {_of(values, 50):.0f} | {_of(values, 95):.0f} | {alone[name]:.0f} |")
    promised = [name for name in took if name.startswith(("feed", "search", "day strip", "fleet"))]
    missed = [name for name in promised if _of(took[name], 95) > PROMISED_MS]
    lines += ["", f"p95 over {PROMISED_MS:.0f} ms: {', '.join(missed) or 'none'}."]
    text = "\n".join(lines)
    sys.stdout.write(text + "\n")
    without = f", without {', '.join(given.leave_out)}" if given.leave_out else ""
    write_section(RESULTS, HEADING, f"{kind}, {given.episodes / 1e6:g} million episodes{without}", text)
    return not missed


def _of(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else 0.0


def main() -> int:
    """Fill, measure, tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000_000)
    parser.add_argument("--cameras", type=int, default=2_000)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--events", type=float, default=200.0)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--leave-out", nargs="*", default=[], help="pages that nobody asks for")
    parser.add_argument("--keep", type=Path, help="SQLite: a file that is filled once and used again")
    given = parser.parse_args()
    now_ms = time.time_ns() // 1_000_000
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.0f} s  {text}\n")

    with tempfile.TemporaryDirectory(prefix="vonggac-desk-") as name:
        folder = Path(name)
        url = shared_server().database() if given.postgresql else sqlite_url(given.keep or folder / "desk.sqlite")
        note = Path(f"{given.keep}.json")
        if given.keep and note.exists():
            district = District(**json.loads(note.read_text(encoding="utf-8")))
        else:
            district = fill(url, given.episodes, given.cameras, now_ms, say)
            people(url, district, now_ms)
            if given.keep:
                note.write_text(json.dumps(vars(district)), encoding="utf-8")
        say("filled")
        took, alone, told = measure(url, folder, district, given)
    return 0 if report(took, alone, told, given, district, "PostgreSQL" if given.postgresql else "SQLite") else 1


if __name__ == "__main__":
    sys.exit(main())
