"""Where a missing number is: on the box, on its way, or nowhere."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.fleet.completeness import Completeness, Missing, Range, Where, Word, missing_of

OUTBOX = "o"


def numbers(found: list[Missing], where: Where) -> set[int]:
    return {number for each in found if each.where is where for number in range(each.first_seq, each.last_seq + 1)}


@pytest.mark.parametrize(
    ("word", "connected", "where"),
    [
        (Word(20, ((5, 6),), True), True, Where.ON_ITS_WAY),
        (Word(20, ((5, 6),), True), False, Where.ON_BOX),
        (Word(20, (), True), True, Where.HOLE),
        (Word(20, (), True), False, Where.HOLE),
        (Word(20, None, True), True, Where.ON_ITS_WAY),
        (Word(20, None, True), False, Where.ON_BOX),
        (Word(20, ((5, 6),), False), True, Where.HOLE),
        (Word(4, (), True), False, Where.ON_ITS_WAY),
        (None, True, Where.ON_ITS_WAY),
    ],
    ids=[
        "waits",
        "waits offline",
        "gone",
        "gone offline",
        "old agent",
        "old agent offline",
        "card",
        "newer",
        "no word",
    ],
)
def test_the_table(word: Word | None, connected: bool, where: Where) -> None:
    assert missing_of(OUTBOX, [(1, 4), (7, 20)], word, connected) == [Missing(OUTBOX, 5, 6, where)]


def test_what_the_box_has_numbered_and_nobody_has_heard_of_is_missing_too() -> None:
    found = missing_of(OUTBOX, [(1, 3)], Word(9, ((6, 9),), True), connected=False)
    assert found == [Missing(OUTBOX, 4, 5, Where.HOLE), Missing(OUTBOX, 6, 9, Where.ON_BOX)]


def test_nothing_is_missing_where_all_is_here() -> None:
    assert missing_of(OUTBOX, [(1, 9)], Word(9, (), True), connected=True) == []
    assert missing_of(OUTBOX, [], None, connected=True) == []


def ranges(members: set[int]) -> list[Range]:
    groups = itertools.groupby(enumerate(sorted(members)), lambda pair: pair[1] - pair[0])
    return [(group[0][1], group[-1][1]) for group in ([*each] for _, each in groups)]


@given(
    here=st.sets(st.integers(1, 40)),
    waiting=st.sets(st.integers(1, 30)),
    last_seq=st.integers(0, 30),
    connected=st.booleans(),
)
def test_every_number_stands_in_one_place(here: set[int], waiting: set[int], last_seq: int, connected: bool) -> None:
    waiting = {number for number in waiting if number <= last_seq}
    found = missing_of(OUTBOX, ranges(here), Word(last_seq, tuple(ranges(waiting)), True), connected)
    newest = max([last_seq, *here])
    placed = [number for where in Where for number in numbers(found, where)]
    assert sorted(placed) == sorted(set(range(1, newest + 1)) - here)
    assert numbers(found, Where.HOLE) == {n for n in range(1, last_seq + 1) if n not in here and n not in waiting}
    assert numbers(found, Where.ON_BOX) == (set() if connected else waiting - here)


def test_counts() -> None:
    known = Completeness((Missing("a", 1, 3, Where.HOLE), Missing("b", 9, 9, Where.HOLE)))
    assert (known.events(Where.HOLE), known.events(Where.ON_BOX)) == (4, 0)
