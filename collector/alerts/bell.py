"""A wake-up inside one process: who commits something rings, who waits for it is awake at once.

It only shortens the wait: every listener polls the database too, so that the parts may be processes of their own.
"""

import threading


class Ear:
    """One listener's side of a bell; remembers a ring until it has been heard."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def hear(self) -> None:
        """The bell's side."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """True when the bell rang since the last call, waiting for it at most so long."""
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return rung


class Bell:
    """Rung by any thread, heard by every ear."""

    def __init__(self) -> None:
        self._ears: list[Ear] = []

    def listen(self) -> Ear:
        """An ear for a thread that will wait; all are taken before the threads start."""
        ear = Ear()
        self._ears.append(ear)
        return ear

    def ring(self) -> None:
        """Something was committed."""
        for ear in self._ears:
            ear.hear()
