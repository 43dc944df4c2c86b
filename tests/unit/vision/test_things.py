"""What continues a thing, and what the scene elsewhere says of it."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.vision.things import Things
from edge_agent.vision.tracks import Blob
from edge_agent.vision.unrest import Unrest
from edge_agent.vision.weather import Weather

SHAPE = (180, 320)
STILL = Unrest(SHAPE)
STILL.rest(4.0)


def blob(x: int, y: int, width: int, height: int, contour: float = 0.8) -> Blob:
    area = float(width * height)
    centre = x + width / 2, y + height / 2
    return Blob(1, x, y, x + width, y + height, area, *centre, True, contour, area, 0.6, 0.0, 0.0, 1.0)


def walked(things: Things) -> float:
    """Someone walks to x = 130; returns the time."""
    for step in range(20):
        things.follow([blob(30 + 5 * step, 60, 40, 100)], step / 10, STILL)
    assert things.moving(1.9)
    return 1.9


def test_the_crumb_that_a_body_leaves_behind_is_not_the_body() -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    at_s = walked(things)
    for step in range(1, 15):
        things.follow([blob(140, 120, 8, 8, contour=-0.5)], at_s + step / 10, STILL)
        assert not things.moving(at_s + step / 10)


def test_what_is_left_to_be_seen_of_a_body_is_the_body() -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    at_s = walked(things)
    things.follow([blob(140, 60, 10, 10)], at_s + 0.1, STILL)
    assert things.moving(at_s + 0.1)


def test_a_time_without_pictures_loses_nobody() -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    at_s = walked(things)
    things.follow([blob(170, 60, 40, 100)], at_s + 1.0, STILL)
    assert things.moving(at_s + 1.0)


def test_who_grows_and_stays_where_they_are_is_coming_nearer_and_goes_on_moving() -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    for step in range(10):
        things.follow([blob(150 + step, 70, 16, 24)], step / 10, STILL)
    assert things.moving(0.9)
    for step in range(10, 70):
        aside = step - 10
        things.follow([blob(159 - aside // 2, 70 - aside // 2, 16 + aside, 24 + aside)], step / 10, STILL)
    assert things.moving(6.9)


@pytest.mark.parametrize(("contour", "moves"), [(0.8, True), (-0.1, False)])
def test_what_it_stirs_itself_is_held_only_against_what_is_rather_gone_than_there(contour: float, moves: bool) -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    for step in range(14):
        stirred = replace(blob(100 + step * 6 // 10, 60, 20, 24, contour), restless=0.6)
        things.follow([stirred], step / 10, STILL)
    assert bool(things.moving(1.3)) is moves


def test_a_large_body_does_not_make_the_rest_of_the_scene_restless_to_itself() -> None:
    unrest, body = Unrest(SHAPE), np.zeros(SHAPE, np.uint8)
    body[16:176, 200:304] = 255
    for _ in range(20):
        unrest.see(body, 0.1)
    assert unrest.beyond(200, 16, 304, 176) == 0.0
    assert unrest.beyond(20, 40, 60, 120) > 0.8


def test_what_stirs_at_many_places_is_told_to_each_of_them() -> None:
    unrest, leaves = Unrest(SHAPE), np.zeros(SHAPE, np.uint8)
    for x in range(8, 300, 40):
        leaves[:, x : x + 16] = 255
    for _ in range(20):
        unrest.see(leaves, 0.1)
    assert unrest.beyond(48, 0, 64, 176) == 1.0
    assert unrest.beyond(0, 0, 320, 180) == 0.0


def test_who_went_on_while_nobody_looked_is_known_again_at_once() -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    at_s = walked(things)
    (before,) = things.moving(at_s)
    things.follow([blob(225, 60, 40, 100)], at_s + 2.0, STILL)
    (after,) = things.moving(at_s + 2.0)
    assert after.number == before.number
    assert not things.coming_back(at_s + 1.0 + 2.0 + 0.1)


def test_who_turned_up_elsewhere_while_nobody_looked_is_another_and_has_to_prove_it() -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    at_s = walked(things)
    things.follow([blob(20, 60, 40, 100)], at_s + 2.0, STILL)
    assert not things.moving(at_s + 2.0)
    assert things.coming_back(at_s + 2.3), "what stirs may be a thing that is not known again yet"
    for step in range(1, 8):
        things.follow([blob(20 + 5 * step, 60, 40, 100)], at_s + 2.0 + step / 10, STILL)
    assert len({track.number for track in things.moving(at_s + 2.7)}) == 1


def test_what_was_lost_from_sight_while_somebody_looked_is_not_known_again_elsewhere() -> None:
    things = Things(SHAPE[1], SHAPE[0], Weather(SHAPE))
    at_s = walked(things)
    for step in range(1, 20):
        things.follow([], at_s + step / 10, STILL)
    things.follow([blob(225, 60, 40, 100)], at_s + 2.0, STILL)
    assert not things.moving(at_s + 2.0)
