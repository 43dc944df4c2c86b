"""The real programs as processes of the demo: started, watched, ended by their own id, their logs read for errors."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_BAD_LEVELS = ("error", "critical")


def executable(name: str) -> str:
    """A program of this project, beside the Python that runs the demo."""
    return str(Path(sys.executable).with_name(name))


def _environment() -> dict[str, str]:
    """Ours without what ./demo set for itself: the programs find their code as they are installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONUNBUFFERED": "1"}


def _end_with_parent() -> None:
    # Should the demo be killed, nothing of it goes on running.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class StepFailed(Exception):
    """A step of the set-up went wrong: what, and what the program said."""


def run_step(command: Sequence[str]) -> str:
    """Runs a command of ours to its end and returns what it printed. Raises StepFailed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepFailed(f"{' '.join(command[:3])}: {error}") from None
    if done.returncode:
        raise StepFailed(f"{' '.join(command[:3])} ended with {done.returncode}:\n{done.stderr.strip()[-1500:]}")
    return done.stdout


@dataclass
class Program:
    """One process. Its log lines go to `log`."""

    name: str
    command: Sequence[str]
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _asked_to_end: bool = field(default=False, init=False)
    killed: bool = field(default=False, init=False)

    def start(self) -> None:
        """Starts it in a session of its own: Ctrl-C reaches the demo alone, which ends all in order."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
                env=_environment(),
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    def died(self) -> bool:
        """True when it ended though nobody asked it to."""
        return self.exit_code is not None and not self._asked_to_end

    def start_again(self) -> None:
        """As systemd does after an orderly end: somebody told the box on its page to restart its program."""
        if self.exit_code == 0 and not self._asked_to_end:
            self.start()

    def end(self, within_s: float) -> None:
        """Asks it to end and waits; after `within_s` it is killed."""
        if self._process is None or self._process.poll() is not None:
            return
        self._asked_to_end = True
        self._process.terminate()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.killed = True
            self._process.kill()
            self._process.wait()

    def complaints(self) -> list[str]:
        """What went wrong by its own log, and by the way it ended."""
        found = [line for line in _lines(self.log) if is_complaint(line)]
        if self.killed:
            found.append(f"{self.name} did not end when asked and was killed")
        elif self.died():
            found.append(f"{self.name} ended by itself with exit code {self.exit_code}")
        elif self._asked_to_end and self.exit_code not in (0, -signal.SIGTERM):
            found.append(f"{self.name} ended with exit code {self.exit_code}")
        return found

    def last_words(self, count: int = 8) -> str:
        """The end of its log."""
        return "\n".join(_lines(self.log)[-count:])


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []


def is_complaint(line: str) -> bool:
    """True for a log line that tells of an error: ours are JSON, a library's begin with the level."""
    if not line.startswith("{"):
        return line.startswith(("ERROR", "CRITICAL", "Traceback", "Fatal"))
    try:
        fields = json.loads(line)
    except ValueError:
        return False
    return isinstance(fields, Mapping) and fields.get("level") in _BAD_LEVELS
