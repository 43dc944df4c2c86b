"""Somebody in systemd's place on a box: starts the agent of `current` for ever, until the power is cut."""

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.system import wait_for


class Service:
    """A new start is asked for by the file `flag`. `how` goes to Popen. Begins without power."""

    def __init__(
        self, root: Path, flag: Path, arguments: Sequence[str | Path] = (), turn_s: float = 0.1, **how: Any
    ) -> None:
        self.root, self.flag = root, flag
        self._command = [root / "current" / "bin" / "edge-agent", "run", *arguments]
        self._turn_s, self._how = turn_s, how
        self._agent: subprocess.Popen[bytes] | None = None
        self._is_on, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    def boot(self) -> None:
        """Power: the agent is started, again and again."""
        self._is_on.set()

    def cut_power(self) -> None:
        """Everything is gone at once."""
        self._is_on.clear()
        wait_for(lambda: self._agent is None, "the agent to be gone", 10, every_s=0.01)

    def close(self) -> None:
        self._over.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def turned(self) -> None:
        """Called at each turn."""

    def _live(self) -> None:
        while not self._over.wait(self._turn_s):
            if not self._is_on.is_set():
                self._end(at_once=True)
            else:
                if self.flag.exists():
                    self.flag.unlink()
                    self._end(at_once=False)
                if self._agent is None or self._agent.poll() is not None:
                    self._start()
            self.turned()
        self._end(at_once=True)

    def _start(self) -> None:
        try:
            self._agent = subprocess.Popen(self._command, **self._how)
        except OSError:  # `current` leads nowhere, or to what is no program
            self._agent = None

    def _end(self, *, at_once: bool) -> None:
        if self._agent is not None:
            (self._agent.kill if at_once else self._agent.terminate)()
            try:
                self._agent.wait(15)
            except subprocess.TimeoutExpired:
                self._agent.kill()
                self._agent.wait(5)
        self._agent = None
