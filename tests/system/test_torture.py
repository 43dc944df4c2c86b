"""A short torture, the same faults every time: nothing is lost, and every gap is visible (benchmarks/torture).

Seeds stand here because they once failed, or because their few rounds meet many kinds of fault.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.brokers import mosquitto_path

ROUNDS = 3


@pytest.mark.timeout(300)
def test_a_short_torture_finds_nothing_that_was_promised_and_not_kept() -> None:
    seeds = {"embedded": 17, "mosquitto": 12} if mosquitto_path() is not None else {"embedded": 17}
    with ThreadPoolExecutor() as at_once:  # each in namespaces of its own
        for done in at_once.map(_torture, seeds, seeds.values()):
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
            assert f"| rounds | {ROUNDS} |" in done.stdout
            assert "| not as promised | 0 |" in done.stdout


def _torture(broker: str, seed: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.torture", "--rounds", str(ROUNDS), "--seed", str(seed)]
    return subprocess.run(
        [*command, "--broker", broker],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
