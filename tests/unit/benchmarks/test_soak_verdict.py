"""The soak's verdict: a leak is seen through noise and restarts, noise and a warm-up's end are no leak."""

import random

import pytest

from benchmarks.soak.samples import DISK, FILES, MEMORY, THREADS, Figure, slope_per_hour, trend

TWO_HOURS = range(0, 7200, 10)


def noisy(start: float, per_hour: float, noise: float, seed: int = 1) -> list[tuple[float, float]]:
    rng = random.Random(seed)
    return [(second, start + second / 3600 * per_hour + rng.uniform(-noise, noise)) for second in TWO_HOURS]


@pytest.mark.parametrize(
    ("figure", "start", "per_hour", "noise"),
    [(MEMORY, 130.0, 6.0, 10.0), (THREADS, 9.0, 1.0, 0.5), (FILES, 20.0, 6.0, 3.0), (DISK, 20.0, 5.0, 6.0)],
)
def test_a_leak_is_seen_through_noise(figure: Figure, start: float, per_hour: float, noise: float) -> None:
    assert trend(noisy(start, per_hour, noise), figure).grows
    assert not trend(noisy(start, 0.0, noise), figure).grows


def test_one_step_after_which_nothing_grows_is_no_slope() -> None:
    points = [(float(second), 100.0 if second < 600 else 103.0) for second in TWO_HOURS]
    assert slope_per_hour(points) == 0.0
    assert not trend(points, MEMORY).grows


def test_a_program_that_was_restarted_leaves_the_slope_as_it_was() -> None:
    points = noisy(100.0, 12.0, 1.0)
    points[300:310] = [(second, 20.0) for second, _ in points[300:310]]
    assert trend(points, MEMORY).per_hour == pytest.approx(12.0, abs=0.5)
