"""Whether a picture differs from the one looked at last."""

import numpy as np
import pytest

from edge_agent.camera.glance import Glance, cells_of

SIZE = (360, 640)


def street(seed: int = 1, noise: float = 2.0, size: tuple[int, int] = SIZE) -> np.ndarray:
    height, width = size
    still = np.random.default_rng(7).integers(50, 180, (height // 20, width // 20)).repeat(20, 0).repeat(20, 1)
    return np.clip(still + np.random.default_rng(seed).normal(0, noise, still.shape), 0, 255).astype(np.uint8)


def used_to(pictures: list[np.ndarray]) -> Glance:
    glance = Glance()
    for number, picture in enumerate(pictures):
        glance.differs(cells_of(picture))
        glance.keep(number)
        glance.calm(number)
    return glance


def test_the_first_picture_and_one_of_another_size_differ() -> None:
    glance = Glance()
    assert glance.differs(cells_of(street()))
    glance.keep(0)
    assert not glance.differs(cells_of(street(2)))
    assert glance.differs(cells_of(street(2, size=(180, 320))))


@pytest.mark.parametrize("noise", [0.0, 2.0, 12.0])
def test_noise_does_not_differ(noise: float) -> None:
    glance = used_to([street(seed, noise) for seed in range(20)])
    assert sum(glance.differs(cells_of(street(seed, noise))) for seed in range(100, 130)) <= 1


def test_more_light_on_everything_does_not_differ() -> None:
    glance = used_to([street(seed) for seed in range(5)])
    assert not glance.differs(cells_of(street(9) + np.uint8(12)))
    assert not glance.differs(cells_of(street(9) - np.uint8(12)))


@pytest.mark.parametrize("height", [16, 30, 120])
def test_a_person_differs_small_or_large(height: int) -> None:
    glance = used_to([street(seed) for seed in range(20)])
    with_person = street(50)
    with_person[200 : 200 + height, 300 : 300 + height // 2] = 20
    assert glance.differs(cells_of(with_person))


def test_leaves_that_always_move_are_known_and_a_person_elsewhere_still_differs() -> None:
    def windy(seed: int) -> np.ndarray:
        picture = street(seed)
        rng = np.random.default_rng(seed)
        picture[20:100, 400:600] = rng.integers(20, 120, (8, 20)).repeat(10, 0).repeat(10, 1)
        return picture

    glance = used_to([windy(seed) for seed in range(40)])
    assert sum(glance.differs(cells_of(windy(seed))) for seed in range(100, 120)) <= 2
    with_person = windy(60)
    with_person[220:280, 100:130] = 10
    assert glance.differs(cells_of(with_person))


def test_who_came_this_way_before_differs_again() -> None:
    """What was seen before it was known for a person is no measure of calm."""
    glance = used_to([street(seed) for seed in range(20)])
    with_person = street(50)
    with_person[200:260, 0:20] = 20
    assert glance.differs(cells_of(with_person))
    glance.keep(20)
    glance.forget()
    assert glance.differs(cells_of(street(51)))
    glance.keep(21)
    glance.forget()
    assert not glance.differs(cells_of(street(52)))
    glance.keep(22)
    glance.calm(22)
    assert glance.would_differ(cells_of(with_person))


def test_a_picture_that_is_only_tried_changes_nothing() -> None:
    glance = used_to([street(seed) for seed in range(5)])
    with_person = street(50)
    with_person[200:260, 300:330] = 20
    assert glance.would_differ(cells_of(with_person))
    assert not glance.differs(cells_of(street(9)))


@pytest.mark.parametrize("size", [(8, 8), (100, 120), (1080, 1920), (33, 1001)])
def test_pictures_of_any_size_are_compared(size: tuple[int, int]) -> None:
    glance = Glance()
    glance.differs(cells_of(np.full(size, 90, np.uint8)))
    glance.keep(0)
    assert not glance.differs(cells_of(np.full(size, 91, np.uint8)))
    changed = np.full(size, 90, np.uint8)
    changed[: size[0] // 2, : size[1] // 2] = 220
    assert glance.differs(cells_of(changed))
