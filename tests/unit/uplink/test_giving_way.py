"""Clips take what of the household's line nobody else wants: the rule against a simulated router's queue."""

import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from edge_agent.uplink.round_trip import read_round_trip
from edge_agent.uplink.shaping import LARGEST_PIECE_BYTES, GivingWay, target_ms


@dataclass
class SimulatedLine:
    """A sender that gives way, a queue with a rate, somebody else, and a round trip told one round trip late."""

    bytes_per_s: float
    best_ms: float
    others: Callable[[float], float] = lambda _s: 0.0
    jitter_ms: float = 0.0
    hiccup_every_s: float = 0.0
    now_ms: float = 0.0
    queue_bytes: float = 0.0
    sent_bytes: float = 0.0
    queues: list[float] = field(default_factory=list)

    def run(self, sender: GivingWay, seconds: float) -> None:
        """Pieces as fast as the sender lets them, and as TCP would: never more than a queue of 300 ms."""
        told: list[tuple[float, float]] = []
        seen_ms, rng, end_ms = 0.0, random.Random(1), self.now_ms + seconds * 1000
        self.queues, self.sent_bytes = [], 0.0
        while self.now_ms < end_ms:
            while told and told[0][0] <= self.now_ms:
                seen_ms = told.pop(0)[1]
            sender.note(seen_ms + rng.uniform(0, self.jitter_ms) + self._hiccup_ms(), self.best_ms, self.now_ms)
            size = sender.piece_bytes()
            pause_ms = max(1.0, sender.wait_s(size, self.now_ms) * 1000)
            self.pass_time(pause_ms)
            if self.queue_ms() < 300:
                sender.sent(size)
                self.queue_bytes += size
                self.sent_bytes += size
            told.append((self.now_ms + self.best_ms + self.queue_ms(), self.queue_ms()))
            self.queues.append(self.queue_ms())

    def _hiccup_ms(self) -> float:
        """For a fifth of a second the radio, or a busy computer, holds everything up."""
        return 200.0 if self.hiccup_every_s and self.now_ms / 1000 % self.hiccup_every_s < 0.2 else 0.0

    def pass_time(self, ms: float) -> None:
        self.now_ms += ms
        change = (self.others(self.now_ms / 1000) - self.bytes_per_s) * ms / 1000
        self.queue_bytes = min(max(0.0, self.queue_bytes + change), self.bytes_per_s * 0.3)

    def queue_ms(self) -> float:
        return self.queue_bytes / self.bytes_per_s * 1000


@pytest.mark.parametrize("kbps", [500, 2000, 10_000, 50_000])
@pytest.mark.parametrize("best_ms", [20.0, 80.0, 200.0])
def test_a_line_for_itself_is_used_and_its_queue_stays_short(kbps: int, best_ms: float) -> None:
    line, sender = SimulatedLine(kbps * 125, best_ms), GivingWay(0.0)
    line.run(sender, 30)
    line.run(sender, 60)
    assert line.sent_bytes >= 0.8 * line.bytes_per_s * 60
    assert sorted(line.queues)[len(line.queues) * 95 // 100] <= 2 * target_ms(best_ms)


def test_somebody_else_gets_the_line_and_afterwards_it_is_used_again() -> None:
    line, sender = SimulatedLine(250_000, 80.0), GivingWay(0.0)
    line.run(sender, 30)
    line.others = lambda _s: 260_000.0
    line.run(sender, 20)
    assert line.sent_bytes <= 0.25 * line.bytes_per_s * 20
    line.others = lambda _s: 0.0
    line.run(sender, 20)
    line.run(sender, 20)
    assert line.sent_bytes >= 0.75 * line.bytes_per_s * 20


def test_hiccups_cost_little() -> None:
    line, sender = SimulatedLine(250_000, 80.0, hiccup_every_s=5.0), GivingWay(0.0)
    line.run(sender, 30)
    line.run(sender, 60)
    assert line.sent_bytes >= 0.7 * line.bytes_per_s * 60


def test_a_clip_is_never_starved() -> None:
    line, sender = SimulatedLine(250_000, 80.0, others=lambda _s: 400_000.0), GivingWay(0.0)
    line.run(sender, 60)
    assert sender.rate is not None
    assert sender.rate >= 16_000


def test_a_round_trip_that_wavers_less_than_the_target_costs_nothing() -> None:
    sender = GivingWay(0.0)
    line = SimulatedLine(25_000_000, 2.0, jitter_ms=20.0)
    line.run(sender, 5)
    assert sender.rate is None
    assert sender.piece_bytes() == LARGEST_PIECE_BYTES


def test_the_kernel_tells_the_round_trip_of_an_open_connection_and_of_no_other() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: listener.accept()[0].sendall(b"here"), daemon=True).start()
    with listener, socket.create_connection(listener.getsockname()) as connection:
        assert connection.recv(4) == b"here"
        found = read_round_trip(connection)
        assert found is not None
        assert 0 < found.best_ms <= found.now_ms < 1000
    assert read_round_trip(connection) is None
