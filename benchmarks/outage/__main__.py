"""`python -m benchmarks.outage [--hours 72] [--seed N]`: simulated days offline; `--link`: the backlog afterwards.

Without `--link`: an episode every two minutes on a box without a link; the real outbox and disk budget, time turned by
hand, against the policy told a second time. With it: real programs in network namespaces (needs root).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.outage import days, link
from benchmarks.outage.line import missing
from benchmarks.results import write_section
from tests.support.system import wait_for

RESULTS = Path(__file__).with_name("RESULTS.md")
BUDGET_BYTES = 9_000_000
POWER_CUTS = 3
HEADING = "A long outage, and the backlog after it"


def simulate(hours: float, seed: int) -> bool:
    """Run, print, write; True when box and policy agree."""
    with tempfile.TemporaryDirectory(prefix="vonggac-outage-") as folder:
        found = days.run(Path(folder), hours, seed, BUDGET_BYTES, POWER_CUTS)
    lost = ", ".join(f"{number} of class {each}" for each, number in sorted(found.lost_clips.items()))
    kept = ", ".join(f"{number} of class {each}" for each, number in sorted(found.kept.items()))
    table = "\n".join(
        [
            f"`python -m benchmarks.outage --hours {hours:g} --seed {seed}`, {datetime.now(UTC):%Y-%m-%d}; "
            f"took {found.seconds:.0f} s. Clips are small (3–30 KB, the budget {found.budget_bytes / 1e6:g} MB to "
            "match): what counts is the choice.",
            "",
            "| | |",
            "|---|---|",
            f"| episodes: before the cut / offline | {found.episodes - found.offline} / {found.offline} |",
            f"| restarts / power cuts while offline | {found.restarts} / {found.power_cuts} |",
            f"| clips kept, none of them delivered before | {kept} |",
            f"| clips lost, each told by a numbered `data_lost` | {lost or 'none'} |",
            f"| events waiting, none lost; last number | {found.events}; {found.last_seq} |",
            f"| bytes used of the budget | {found.used_bytes} of {found.budget_bytes} |",
            f"| **differences between box and policy** | {len(found.differences)} |",
        ]
    )
    print(table)
    for difference in found.differences:
        print(difference)
    write_section(RESULTS, HEADING, f"{hours:g} simulated hours offline", table)
    return not found.differences


def drain(given: argparse.Namespace) -> bool:
    """Make the line, measure from inside the server's namespace, remove the line."""
    if missing():
        raise SystemExit(f"--link cannot run here: {missing()}")
    name = f"vg-outage-{os.getpid()}"
    folder = given.keep or Path(tempfile.mkdtemp(prefix="vonggac-link-"))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "line.log").open("w", encoding="ascii") as log:
        options = ["--kbps", str(given.kbps), "--queue-ms", str(given.queue_ms)]
        line = subprocess.Popen([sys.executable, "-m", "benchmarks.outage.line", name, *options], stdout=log)
    try:
        wait_for(lambda: (folder / "line.log").read_text() or None, "the line")
        arguments = [*sys.argv[1:], "--inside", name, "--keep", str(folder)]
        inside = ["ip", "netns", "exec", f"{name}-server", sys.executable, "-m", "benchmarks.outage", *arguments]
        good = subprocess.run(inside, check=False).returncode == 0
    finally:
        line.terminate()
        line.wait(10)
    if given.keep is None and good:
        shutil.rmtree(folder)
    return good


def measure_inside(given: argparse.Namespace) -> bool:
    """The part of `drain` that runs in the namespace."""
    found = link.run(given.keep, given.inside, given.minutes, given.uplink)
    command = f"python -m benchmarks.outage --link --minutes {given.minutes:g} --uplink '{given.uplink}'"
    text, good = link.render(found, f"{command}`, {datetime.now(UTC):%Y-%m-%d}", given.kbps, given.queue_ms)
    print(text)
    write_section(RESULTS, HEADING, f"500 MB over a narrow line, uplink {given.uplink}", text)
    return good


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage", description=__doc__)
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--link", action="store_true", help="the backlog over a narrow line (needs root)")
    parser.add_argument("--minutes", type=float, default=6.0, help="how long to drain")
    parser.add_argument("--kbps", type=float, default=2000.0)
    parser.add_argument("--queue-ms", type=float, default=300.0, help="of the household's router")
    parser.add_argument("--uplink", default="{}", help="the agent's option of that name, YAML")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it; otherwise a temporary one")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        sys.exit(0 if measure_inside(given) else 1)
    sys.exit(0 if (drain(given) if given.link else simulate(given.hours, given.seed)) else 1)


if __name__ == "__main__":
    main()
