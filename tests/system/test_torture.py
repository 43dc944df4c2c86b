"""A short torture, the same faults every time: nothing is lost, and every gap is visible (benchmarks/torture).

Seeds stand here because they once failed, or because their few rounds meet many kinds of fault.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.brokers import mosquitto_path

ROUNDS = 3


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("broker", "seed"), [("embedded", 17), ("mosquitto", 12)])
def test_a_short_torture_finds_nothing_that_was_promised_and_not_kept(broker: str, seed: int) -> None:
    if broker == "mosquitto" and mosquitto_path() is None:
        pytest.skip("there is no Mosquitto: apt-get install mosquitto")
    command = [sys.executable, "-m", "benchmarks.torture", "--rounds", str(ROUNDS), "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--broker", broker],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    assert f"| rounds | {ROUNDS} |" in done.stdout
    assert "| not as promised | 0 |" in done.stdout
