"""What the sizes of packets tell."""

import math
import random
from collections.abc import Iterator

from edge_agent.camera.sizes import Sizes

STEP_MS = 40.0


def packets(seconds: float, size: int, spread: float, from_ms: float = 0.0, gop: int = 50) -> Iterator[tuple]:
    rng = random.Random(size)
    for number in range(round(seconds * 1000 / STEP_MS)):
        is_key = number % gop == 0
        # Encoders spend less on what directly follows a key frame.
        usual = size // 8 if number % gop == 1 else size
        yield (
            from_ms + number * STEP_MS,
            60_000 if is_key else round(usual * rng.uniform(1 - spread, 1 + spread)),
            is_key,
        )


def calm(sizes: Sizes, stream: Iterator[tuple]) -> list[bool]:
    told = []
    for t_ms, size, is_key in stream:
        told.append(sizes.take(t_ms, size, is_key))
        sizes.calm(t_ms - 1200)
    return told


def test_a_calm_stream_tells_little_once_it_is_known() -> None:
    sizes = Sizes(0.03)
    calm(sizes, packets(30, 3000, 0.15))
    assert sum(calm(sizes, packets(60, 3000, 0.15, 30_000))) <= 0.06 * 60_000 / STEP_MS


def test_more_bytes_tell_within_a_fifth_of_a_second() -> None:
    sizes = Sizes(0.03)
    calm(sizes, packets(20, 3000, 0.15))
    told = [sizes.take(t_ms, size, is_key) for t_ms, size, is_key in packets(1, 6000, 0.15, 20_080)]
    assert any(told[:6])


def test_a_rise_tells_though_gusts_are_louder() -> None:
    sizes = Sizes(0.03)

    def windy(from_s: float, seconds: float, more: int = 0) -> Iterator[tuple]:
        for number in range(round(from_s * 1000 / STEP_MS), round((from_s + seconds) * 1000 / STEP_MS)):
            gust = 5500 - 3500 * math.cos(number * STEP_MS / 16_000 * 2 * math.pi)
            yield number * STEP_MS, 60_000 if number % 50 == 0 else round(gust) + more, number % 50 == 0

    calm(sizes, windy(0, 96.2))
    assert any(sizes.take(*packet) for packet in windy(96.2, 0.4, 1500))


def test_a_fixed_budget_tells_little() -> None:
    sizes = Sizes(0.03)
    calm(sizes, packets(20, 8000, 0.4))
    told = [sizes.take(t_ms, size, is_key) for t_ms, size, is_key in packets(3, 8000, 0.4, 20_000)]
    assert sum(told) <= 8


def test_bytes_of_what_moved_are_no_measure_of_calm() -> None:
    sizes = Sizes(0.03)
    calm(sizes, packets(20, 3000, 0.1))
    for t_ms, size, is_key in packets(3, 9000, 0.1, 20_000):
        sizes.take(t_ms, size, is_key)
        sizes.forget()
    calm(sizes, packets(10, 3000, 0.1, 23_000))
    assert any(sizes.take(t_ms, size, is_key) for t_ms, size, is_key in packets(1, 6000, 0.1, 33_000))
