"""Crash points: each one that is named stands in the code once, and an armed one kills."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vonggac.daemon.crash_points import POINTS, VARIABLE, read_variable

ROOT = Path(__file__).resolve().parents[3]


def test_every_point_stands_in_the_code_once_and_every_call_names_one() -> None:
    calls = [
        name
        for program in ("edge_agent", "collector")
        for file in (ROOT / program).rglob("*.py")
        for name in re.findall(r'\breach\("([^"]+)"\)', file.read_text(encoding="utf-8"))
    ]
    assert sorted(calls) == sorted(POINTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [("clip.named", "'clip.named' is no crash point"), ("clip.sealed:0", "'0' is not how many times")],
)
def test_what_names_no_point_is_refused_at_the_start(text: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        read_variable(text)


@pytest.mark.parametrize(("armed", "printed"), [("clip.sealed:3", "1\n2\n"), ("clip.sealed", ""), ("", "1\n2\n3\n4\n")])
def test_the_process_dies_at_the_reach_that_was_asked_for(armed: str, printed: str) -> None:
    code = (
        "from vonggac.daemon.crash_points import reach\n"
        "for n in range(1, 5):\n    reach('clip.renamed')\n    reach('clip.sealed')\n    print(n, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, VARIABLE: armed}, capture_output=True, text=True, check=False
    )
    assert done.stdout == printed
    assert done.returncode == (-signal.SIGKILL if armed else 0)
