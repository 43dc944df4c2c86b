"""Dating what a box told by a wrong clock: against worlds in which the true time is known."""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.dating import AGREES_MS, POSSIBLE_MS, Anchor, Boot, Bounds, Dated, Told, adds, bounds_of, date

HOUR_MS = 3_600_000
TRUE_MS = 1_790_000_000_000
NOTHING = Bounds(None, 0)


@dataclass(frozen=True)
class Said:
    """A message: when in its boot, what the box's clock said and was worth, when it truly was, when it arrived."""

    mono_ms: int
    wall_ms: int
    clock: str
    true_ms: int
    received_ms: int


@st.composite
def lives(draw: st.DrawFn) -> list[list[Said]]:
    """Boots one after another; in each the clock is wrong until it is synced, if it ever is, and read a little late."""
    now_ms = TRUE_MS
    boots = []
    for _ in range(draw(st.integers(1, 4))):
        now_ms += draw(st.integers(0, 48 * HOUR_MS))
        began_ms = now_ms
        wrong_ms = draw(st.integers(-60 * 365 * 24, 24)) * HOUR_MS
        synced_from = draw(st.none() | st.integers(0, 6))
        said = []
        for number in range(draw(st.integers(1, 6))):
            now_ms += draw(st.integers(1, 6 * HOUR_MS))
            synced = synced_from is not None and number >= synced_from
            wall_ms = now_ms + draw(st.integers(-100, 100)) + (0 if synced else wrong_ms)
            received_ms = now_ms + draw(st.integers(0, 72 * HOUR_MS))
            said.append(Said(now_ms - began_ms, wall_ms, "synced" if synced else "unset", now_ms, received_ms))
        boots.append(said)
    return boots


def learnt(boots: list[list[Said]], order: list[int] | None = None) -> list[Boot]:
    found = []
    for number, messages in enumerate(boots):
        anchors: list[Anchor] = []
        for said in [messages[i % len(messages)] for i in order] + messages if order else messages:
            new = Anchor(said.mono_ms, said.wall_ms - said.mono_ms)
            if said.clock == "synced" and adds(anchors, new):
                anchors = sorted([*anchors, new])
        found.append(
            Boot(
                boot_id=f"boot {number}",
                latest_offset_ms=min(said.received_ms - said.mono_ms for said in messages),
                last_mono_ms=max(said.mono_ms for said in messages),
                outbox="o",
                first_seq=1 + 10 * number,
                anchors=tuple(anchors),
            )
        )
    return found


@given(lives(), st.lists(st.integers(0, 5), max_size=12))
def test_what_a_boot_told_before_it_was_synced_is_dated_right_in_whatever_order_it_came(
    boots: list[list[Said]], order: list[int]
) -> None:
    known = learnt(boots, order)
    bounds = bounds_of(known)
    for boot, messages in zip(known, boots, strict=True):
        for said in messages:
            found = date(Told(said.mono_ms, said.wall_ms, said.clock), boot.anchors, bounds[boot.boot_id])
            if said.clock == "synced":
                assert found == Dated(said.wall_ms, "told")
            elif boot.anchors:
                assert abs(found.wall_ms - said.true_ms) < 2 * AGREES_MS


@given(lives())
def test_the_truth_lies_between_the_bounds(boots: list[list[Said]]) -> None:
    known = learnt(boots)
    bounds = bounds_of(known)
    slack_ms = 200  # how late the two clocks of a synced message were read
    for boot, messages in zip(known, boots, strict=True):
        for said in messages:
            if boot.anchors or said.clock == "synced":
                continue
            found = date(Told(said.mono_ms, said.wall_ms, said.clock), boot.anchors, bounds[boot.boot_id])
            assert found.how == "uncertain"
            assert found.latest_ms is not None
            assert (found.earliest_ms or said.true_ms) - slack_ms <= said.true_ms <= found.latest_ms + slack_ms
            assert found.wall_ms == found.latest_ms


@given(lives(), st.data())
def test_more_that_is_known_never_widens_the_bounds(boots: list[list[Said]], data: st.DataObject) -> None:
    fewer = [messages[: data.draw(st.integers(1, len(messages)))] for messages in boots]
    # Only where nothing is synced: an anchor replaces bounds that were measured against another anchor's reading.
    fewer, more = (
        [[Said(s.mono_ms, s.wall_ms, "unset", s.true_ms, s.received_ms) for s in messages] for messages in each]
        for each in (fewer, boots)
    )
    before, after = bounds_of(learnt(fewer)), bounds_of(learnt(more))
    for boot_id, bound in before.items():
        assert after[boot_id].latest_ms <= bound.latest_ms


STEPS = (Anchor(100_000, TRUE_MS), Anchor(500_000, TRUE_MS - 3 * HOUR_MS))


@pytest.mark.parametrize(
    ("mono_ms", "offset_ms", "clock", "anchors", "expected"),
    [
        (50_000, 0, "unset", STEPS, Dated(50_000 + TRUE_MS, "corrected")),
        (300_000, 0, "unset", STEPS, Dated(300_000 + TRUE_MS, "corrected")),
        (600_000, 5, "unset", STEPS, Dated(600_000 + TRUE_MS - 3 * HOUR_MS, "corrected")),
        (300_000, TRUE_MS + 7 * HOUR_MS, "holdover", STEPS, Dated(300_000 + TRUE_MS, "corrected")),
        (300_000, TRUE_MS + AGREES_MS - 1, "holdover", STEPS, Dated(300_000 + TRUE_MS + AGREES_MS - 1, "told")),
        (300_000, TRUE_MS - 3 * HOUR_MS, "synced", STEPS, Dated(300_000 + TRUE_MS - 3 * HOUR_MS, "told")),
    ],
    ids=["before the first", "between", "after the step back", "a battery's clock", "a little off", "synced"],
)
def test_the_offset_in_force_dates_what_was_not_synced(
    mono_ms: int, offset_ms: int, clock: str, anchors: tuple[Anchor, ...], expected: Dated
) -> None:
    assert date(Told(mono_ms, mono_ms + offset_ms, clock), anchors, NOTHING) == expected


@pytest.mark.parametrize(
    ("ahead_ms", "how"), [(-HOUR_MS, "uncertain"), (0, "told"), (POSSIBLE_MS, "told"), (POSSIBLE_MS + 1, "uncertain")]
)
def test_a_clock_that_runs_on_is_believed_as_far_as_it_is_possible(ahead_ms: int, how: str) -> None:
    bounds = Bounds(TRUE_MS - 1000, TRUE_MS)
    assert date(Told(7, 7 + TRUE_MS + ahead_ms, "holdover"), (), bounds).how == how


def test_a_boot_that_numbered_nothing_is_bounded_by_its_own_messages_alone() -> None:
    beats = Boot(boot_id="beats", latest_offset_ms=TRUE_MS, last_mono_ms=5)
    other = Boot(boot_id="b", latest_offset_ms=1, last_mono_ms=1, outbox="o", first_seq=1)
    assert bounds_of([beats, other])["beats"] == Bounds(None, TRUE_MS)


def test_bounds_that_contradict_each_other_keep_the_collectors_word() -> None:
    def boot(number: int, anchor_ms: int | None) -> Boot:
        anchors = () if anchor_ms is None else (Anchor(0, anchor_ms),)
        return Boot(
            boot_id=str(number),
            latest_offset_ms=TRUE_MS,
            last_mono_ms=10,
            outbox="o",
            first_seq=number,
            anchors=anchors,
        )

    assert bounds_of([boot(1, TRUE_MS + HOUR_MS), boot(2, None)])["2"] == Bounds(None, TRUE_MS)


def test_one_anchor_a_stretch_is_kept() -> None:
    anchors: list[Anchor] = []
    for mono_ms, offset_ms in itertools.chain(
        ((n, 100 + n % 3) for n in range(50)), ((60 + n, 9000) for n in range(9))
    ):
        new = Anchor(mono_ms, offset_ms)
        if adds(anchors, new):
            anchors.append(new)
    assert anchors == [Anchor(0, 100), Anchor(60, 9000)]
