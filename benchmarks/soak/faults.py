"""Faults for a soak: one after the other, at random, for ever; the programs live on, all around them misbehaves."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.road import Road, Weather


class Troubles:
    """Injects a fault, lets it last, mends it, waits; `counts` says how often each came."""

    def __init__(self, roads: list[Road], film: Path, broker_pid: Callable[[], int | None], seed: int) -> None:
        self._roads = roads
        self._film = film
        self._broker_pid = broker_pid
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="troubles", daemon=True)
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Mend everything and stop."""
        self._ended.set()
        self._thread.join(60)

    def _run(self) -> None:
        kinds: dict[str, Callable[[], None]] = {
            "cut": self._cut,
            "outage": self._outage,
            "half-open": self._half_open,
            "delay": self._delay,
            "slow link": self._slow,
            "broker restart": self._restart_broker,
            "camera gone": self._hide_film,
        }
        names: list[str] = []
        while not self._ended.wait(self._random.uniform(4, 10)):
            names = names or self._random.sample(sorted(kinds), len(kinds))
            name = names.pop()
            self.counts[name] += 1
            kinds[name]()

    def _last(self, low_s: float, high_s: float) -> None:
        self._ended.wait(self._random.uniform(low_s, high_s))

    def _some(self) -> list[Road]:
        return self._random.choice([self._roads, [self._random.choice(self._roads)]])

    def _cut(self) -> None:
        for road in self._some():
            road.cut()

    def _outage(self) -> None:
        roads = self._some()
        for road in roads:
            road.weather.refuses = True
            road.cut()
        self._last(5, 25)
        for road in roads:
            road.weather.refuses = False

    def _half_open(self) -> None:
        for road in self._some():
            road.leave_half_open()

    def _delay(self) -> None:
        self._under(Weather(delay_s=self._random.uniform(0.3, 2.0)))

    def _slow(self) -> None:
        self._under(Weather(bytes_per_s=self._random.uniform(4_000, 40_000), delay_s=0.04))

    def _under(self, weather: Weather) -> None:
        roads = self._some()
        for road in roads:
            road.weather = weather
        self._last(5, 25)
        for road in roads:
            road.weather = Weather()

    def _restart_broker(self) -> None:
        pid = self._broker_pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, self._random.choice([signal.SIGKILL, signal.SIGTERM]))

    def _hide_film(self) -> None:
        """A looping film is opened anew at each turn: hidden for longer than one, it is a camera that went and came."""
        hidden = self._film.with_suffix(".gone")
        self._film.rename(hidden)
        self._last(20, 50)
        hidden.rename(self._film)
