"""`python -m benchmarks.outage [--hours 72] [--seed N]`: simulated days offline; `--link`: the backlog afterwards.

Without `--link`: an episode every two minutes on a box without a link; the real outbox and disk budget, time turned by
hand, against the policy told a second time. With it: real programs in network namespaces (needs root).
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.outage import days
from benchmarks.results import write_section

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage", description=__doc__)
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(0 if simulate(given.hours, given.seed) else 1)


if __name__ == "__main__":
    main()
