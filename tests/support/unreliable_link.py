"""A link whose road drops, doubles, delays and reorders both ways, and breaks; time is a FakeClock's."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from edge_agent.uplink.link import Arrived, Connected, Disconnected, LinkNews
from tests.support.clock import FakeClock


@dataclass
class Road:
    """Shares of messages that suffer, and the longest delay."""

    drop: float = 0.0
    double: float = 0.0
    longest_ms: float = 5.0
    cut: float = 0.0


@dataclass
class UnreliableLink:
    clock: FakeClock
    far_side: Callable[[str, bytes], None] = lambda _topic, _payload: None
    road: Road = field(default_factory=Road)
    seed: int = 1
    room: int = 64
    broker_up: bool = True

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.connected = False
        self.closed = False
        self.sent: list[tuple[str, bytes, bool]] = []
        self.attempts = 0
        self._news: list[LinkNews] = []
        self._moving: list[tuple[float, bool, str, bytes]] = []
        self._under_way: list[float] = []

    # --- Link ----------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        self.attempts += 1
        if self.broker_up:
            self.connected = True
            self._news.append(Connected("3.1.1"))
        else:
            self._news.append(Disconnected("no road"))

    def wait(self, timeout_s: float) -> list[LinkNews]:
        if not self._news:
            soonest = min((at for at, *_ in self._moving), default=None)
            step_ms = timeout_s * 1000
            if soonest is not None:
                step_ms = min(step_ms, max(1.0, soonest - self.clock.mono_ms()))
            self.clock.advance(max(1.0, step_ms))
        self._deliver()
        if self.connected and self.rng.random() < self.road.cut:
            self.break_road()
        news, self._news = self._news, []
        return news

    def wake(self) -> None:
        pass

    def has_room(self, size_bytes: int, urgent: bool = False) -> bool:
        now = self.clock.mono_ms()
        self._under_way = [at for at in self._under_way if at > now]
        return self.connected and (urgent or len(self._under_way) < self.room)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        if not self.connected:
            return False
        self.sent.append((topic, payload, retain))
        self._under_way.append(self.clock.mono_ms() + 5)
        self._move(True, topic, payload)
        return True

    def close(self) -> None:
        while self._moving:
            self.clock.advance(1000)
            self._deliver()
        self.connected = False
        self.closed = True

    # --- the test's hand -----------------------------------------------------------------------------------------

    def send_down(self, topic: str, payload: bytes) -> None:
        self._move(False, topic, payload)

    def break_road(self) -> None:
        self.connected = False
        self._moving.clear()
        self._news.append(Disconnected("cut"))

    # --- inside --------------------------------------------------------------------------------------------------

    def _move(self, up: bool, topic: str, payload: bytes) -> None:
        if self.rng.random() < self.road.drop:
            return
        copies = 2 if self.rng.random() < self.road.double else 1
        for _ in range(copies):
            at = self.clock.mono_ms() + self.rng.uniform(1, self.road.longest_ms)
            self._moving.append((at, up, topic, payload))

    def _deliver(self) -> None:
        now = self.clock.mono_ms()
        ready = sorted(item for item in self._moving if item[0] <= now)
        self._moving = [item for item in self._moving if item[0] > now]
        for _, up, topic, payload in ready:
            if up:
                self.far_side(topic, payload)
            elif self.connected:
                self._news.append(Arrived(topic, payload))
