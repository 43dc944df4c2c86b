"""Monthly availability: the definition in docs/ref/availability.md, as a table and against a count of minutes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.fleet.availability import Availability, availability
from collector.fleet.gaps import Gap

DAY = (0, 1000)


@pytest.mark.parametrize(
    ("first_seen", "gaps", "maintenance", "outages", "expected"),
    [
        (0, [], [], [], Availability(1000, 0, 0, 0, 0, 0, 0)),
        (400, [], [], [], Availability(600, 0, 0, 0, 0, 0, 0)),
        (2000, [Gap(0, 1000, "not_yet")], [], [], Availability(0, 0, 0, 0, 0, 0, 0)),
        (0, [Gap(100, 300, "off"), Gap(300, 350, "no_picture")], [], [], Availability(1000, 0, 250, 0, 0, 0, 0)),
        (0, [Gap(800, 1000, "unheard"), Gap(0, 10, "unknown")], [], [], Availability(1000, 0, 0, 210, 0, 0, 0)),
        # maintenance is nobody's fault, and nothing in it counts
        (0, [Gap(100, 300, "off")], [(50, 200), (150, 250)], [(100, 300)], Availability(800, 200, 50, 0, 50, 1, 50)),
        (0, [], [(-50, 20), (990, 2000)], [], Availability(970, 30, 0, 0, 0, 0, 0)),
        # outages, cut to the window; two that overlap are away once
        (0, [], [], [(-100, 100), (500, 600), (550, 700)], Availability(1000, 0, 0, 0, 300, 3, 150)),
        (0, [], [(500, 700)], [(550, 600)], Availability(800, 200, 0, 0, 0, 0, 0)),
        # the link was down, and the box watched
        (0, [], [], [(200, 900)], Availability(1000, 0, 0, 0, 700, 1, 700)),
    ],
)
def test_availability_is_what_the_document_says(first_seen, gaps, maintenance, outages, expected):
    assert availability(DAY, first_seen, gaps, maintenance, outages) == expected


def test_shares_are_of_what_is_counted_and_unknown_is_not_nought():
    half = availability(DAY, 0, [Gap(0, 500, "off")], [], [(0, 250)])
    assert (half.watched_share, half.reached_share) == (0.5, 0.75)
    nothing = availability(DAY, 0, [], [(0, 1000)], [])
    assert (nothing.watched_share, nothing.reached_share) == (None, None)


SPANS = st.lists(st.tuples(st.integers(-5, 65), st.integers(0, 30)).map(lambda at: (at[0], at[0] + at[1])), max_size=5)
KINDS = st.sampled_from(["off", "no_picture", "unheard", "unknown"])


@settings(max_examples=300, deadline=None)
@given(st.integers(-5, 65), st.lists(st.tuples(SPANS.filter(bool), KINDS), max_size=3), SPANS, SPANS)
def test_it_agrees_with_a_count_of_every_minute(first_seen, told, maintenance, outages):
    gaps = [Gap(begin, until, kind) for spans, kind in told for begin, until in spans]
    counts = dict.fromkeys(("counted", "maintenance", "unwatched", "unknown", "away"), 0)
    for minute in range(max(0, first_seen), 60):

        def covers(spans, minute=minute):
            return any(begin <= minute < until for begin, until in spans)

        if covers(maintenance):
            counts["maintenance"] += 1
            continue
        counts["counted"] += 1
        if covers([(gap.from_ms, gap.until_ms) for gap in gaps if gap.kind in ("off", "no_picture")]):
            counts["unwatched"] += 1
        elif covers([(gap.from_ms, gap.until_ms) for gap in gaps]):
            counts["unknown"] += 1
        counts["away"] += covers(outages)
    found = availability((0, 60), first_seen, gaps, maintenance, outages)
    assert counts == {
        "counted": found.counted_ms, "maintenance": found.maintenance_ms, "unwatched": found.unwatched_ms,
        "unknown": found.unknown_ms, "away": found.away_ms,
    }  # fmt: skip
