"""Named threads that stop in order: one stop flag, one crew, one pulse a thread.

An exception that leaves a thread's target is a defect or a thing nobody can mend here: it is logged, and the whole
program stops with exit code 1 so that systemd starts it again. This is the one place that catches everything.
"""

import threading
import time
from collections.abc import Callable

from vonggac.daemon.logs import get_logger

log = get_logger(__name__)


class Stop:
    """The wish to end, shared by all threads; keeps the first reason and the worst exit code."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self.reason = ""
        self.exit_code = 0

    def set(self, reason: str, exit_code: int = 0) -> None:
        """Ask everything to end; may be called from a signal handler and more than once."""
        if not self._event.is_set():
            self.reason = reason
        self.exit_code = max(self.exit_code, exit_code)
        self._event.set()

    def is_set(self) -> bool:
        """True once something asked to end."""
        return self._event.is_set()

    def wait(self, seconds: float | None) -> bool:
        """Sleep, but wake at once when asked to end; returns `is_set()`."""
        return self._event.wait(seconds)


class Pulse:
    """A thread's sign of life."""

    def __init__(self, name: str, stall_s: float) -> None:
        self.name = name
        self.stall_s = stall_s
        self._beat_at = time.monotonic()
        self.alive = True

    def beat(self) -> None:
        """Say that the loop moves; call it well within `stall_s`."""
        self._beat_at = time.monotonic()

    def silent_s(self) -> float:
        """Seconds since the last beat; 0 for a thread that has ended in order."""
        return time.monotonic() - self._beat_at if self.alive else 0.0


class Crew:
    """The threads of one program."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._threads: list[threading.Thread] = []
        self._pulses: list[Pulse] = []

    def start(self, name: str, target: Callable[[Pulse], None], stall_s: float = 60.0) -> None:
        """Run `target(pulse)` in a thread called `name` until it returns."""
        pulse = Pulse(name, stall_s)
        thread = threading.Thread(target=self._run, args=(target, pulse), name=name, daemon=True)
        self._pulses.append(pulse)
        self._threads.append(thread)
        thread.start()

    def _run(self, target: Callable[[Pulse], None], pulse: Pulse) -> None:
        try:
            target(pulse)
        except Exception:
            log.critical("thread failed; the program ends", thread=pulse.name, exc_info=True)
            self._stop.set(f"thread {pulse.name} failed", exit_code=1)
        finally:
            pulse.alive = False

    def stalled(self) -> list[str]:
        """Names of the threads that have not beaten for longer than they promised."""
        return [pulse.name for pulse in self._pulses if pulse.silent_s() > pulse.stall_s]

    def join(self, timeout_s: float, *names: str) -> list[str]:
        """Wait for all threads (or only the named ones); returns the names of those that did not end in time."""
        deadline = time.monotonic() + timeout_s
        threads = [thread for thread in self._threads if not names or thread.name in names]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in threads if thread.is_alive()]
