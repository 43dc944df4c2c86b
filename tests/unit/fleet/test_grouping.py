"""Which boxes fell silent together, as tables."""

from dataclasses import replace

import pytest

from collector.fleet.grouping import EASE_MS, EVERYTHING, HOLD_MS, Judged, group, is_over, site_scope
from collector.fleet.outages import place_of
from collector.fleet.state import State

UP, LATE, DOWN = State.UP, State.LATE, State.DOWN
SCHOOL, MARKET, WARD = site_scope("A", "school"), site_scope("A", "market"), ("commune", "A")


def fleet(**places: str) -> list[Judged]:
    """`A_school="DDU"`: three boxes there, two of them DOWN. D, L (late), N (new), M (maintenance), U."""
    letters = {"D": DOWN, "L": LATE, "N": State.NEW, "M": State.MAINTENANCE, "U": UP}
    return [
        Judged(f"{place}-{number}", *place.split("_"), letters[letter])
        for place, states in places.items()
        for number, letter in enumerate(states)
    ]


REST = {"B_hall": "UUUUUUUU"}  # so that a commune is not everything


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({"A_school": "UUU"}, {}),
        ({"A_school": "DUU"}, {}),
        ({"A_school": "DU"}, {}),  # one box is no group, though it is half of them
        ({"A_school": "DDUU"}, {SCHOOL: 2}),
        ({"A_school": "DDUUU"}, {}),
        ({"A_school": "DDNNNN"}, {SCHOOL: 2}),  # what was never heard does not count
        ({"A_school": "DDMMMM"}, {SCHOOL: 2}),  # nor what somebody works on
        ({"A_school": "DDD", "A_market": "UU"}, {SCHOOL: 3}),  # half the commune, but all at one site
        ({"A_school": "DDU", "A_market": "DU"}, {WARD: 3}),
        ({"A_school": "DU", "A_market": "DU"}, {WARD: 2}),
        ({"A_school": "DUU", "A_market": "UUU", "A_post": "D"}, {}),
        ({"A_school": "DD", "A_market": "UUUU"}, {SCHOOL: 2}),
    ],
)
def test_half_a_site_or_commune_is_one_outage(places: dict[str, str], expected: dict[tuple[str, str], int]) -> None:
    found = group(fleet(**places, **REST))
    assert {scope: len(each.gone) for scope, each in found.groups.items()} == expected
    gone = {box.box for box in fleet(**places) if box.state is DOWN}
    assert set(found.parent) == (gone if expected else set())


@pytest.mark.parametrize(
    ("places", "is_everything"),
    [
        ({"A_school": "DDDD", "B_hall": "U"}, True),
        ({"A_school": "DDD", "B_hall": "U"}, False),
        ({"A_school": "DD"}, False),  # two boxes are too few to suspect the collector
        ({"A_school": "DDD"}, True),
    ],
)
def test_four_fifths_of_everything_is_the_collectors_own_trouble(places: dict[str, str], is_everything: bool) -> None:
    assert (EVERYTHING in group(fleet(**places)).groups) is is_everything


def test_larger_outages_take_the_boxes_of_smaller_ones_that_go_on() -> None:
    boxes = fleet(A_school="DDU", A_market="DD", **REST)
    found = group(boxes, standing=(SCHOOL,))
    assert set(found.groups) == {SCHOOL, WARD}
    assert set(found.parent.values()) == {WARD}


def test_an_outage_that_goes_on_stays_though_fewer_than_half_are_gone() -> None:
    found = group(fleet(A_school="DUUU", **REST), standing=(SCHOOL,))
    assert found.groups[SCHOOL].gone == ("A_school-0",)
    assert found.parent == {"A_school-0": SCHOOL}


@pytest.mark.parametrize(
    ("places", "held"),
    [
        ({"A_school": "DUU"}, 0),
        ({"A_school": "DLU"}, 1),  # with the late one it would be two of three
        ({"A_school": "DLUUU"}, 0),
        ({"A_school": "DD", "A_market": "LL"}, 2),  # the whole commune may follow
        ({"A_school": "DD", "A_market": "UU"}, 0),
        ({"A_school": "D", "A_market": "L"}, 1),
        ({"A_school": "DDL"}, 2),  # so that one word says it all
        ({"A_school": "LL"}, 0),
    ],
)
def test_nothing_begins_while_the_whole_may_follow(places: dict[str, str], held: int) -> None:
    found = group(fleet(**places, **REST))
    assert len(found.held) == held
    assert held == 0 or found.groups == {}


def test_nobody_waits_for_ever_for_boxes_that_are_late() -> None:
    boxes = [replace(box, down_ms=HOLD_MS if box.state is DOWN else 0) for box in fleet(A_school="DDL", **REST)]
    found = group(boxes)
    assert (set(found.groups), found.held) == ({SCHOOL}, frozenset())


@pytest.mark.parametrize(
    ("away", "of", "eased_ms", "expected"),
    [
        (0, 9, None, True),
        (1, 9, None, False),
        (1, 9, 1000 + EASE_MS, False),
        (1, 9, 1000, True),
        (5, 10, 1000, False),
        (4, 10, 1000, True),
    ],
)
def test_an_outage_is_over_when_all_are_back_or_most_for_a_while(
    away: int, of: int, eased_ms: int | None, expected: bool
) -> None:
    assert is_over(away, of, eased_ms, 1000 + EASE_MS) is expected


def test_places_are_called_as_people_call_them() -> None:
    assert [place_of(scope) for scope in (SCHOOL, WARD)] == ["school, A", "A"]
