"""When a box was silent, and when its cameras were not watched: never mistaken for one another."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from collector.fleet.gaps import HOUR_MS, Beat, Gap, Silence, Word, by_hour, made_ms, silences_between, video_gaps

BOOT, OTHER = "boot-1", "boot-2"
T = 1_790_000_000_000


def beat(at_s: float, *, mono_s: float | None = None, boot: str = BOOT, began_s: float | None = 0) -> Beat:
    mono_s = at_s if mono_s is None else mono_s
    began_ms = None if began_s is None else round(began_s * 1000)
    return Beat(T + round(at_s * 1000), round(mono_s * 1000), boot, 30_000, began_ms)


def silence(from_s: float, until_s: float, kind: str) -> Silence:
    return Silence(T + round(from_s * 1000), T + round(until_s * 1000), kind)  # type: ignore[arg-type]


def test_heartbeats_in_time_are_no_silence() -> None:
    assert silences_between(beat(0), beat(30)) == []
    assert silences_between(beat(0), beat(74)) == []


def test_the_same_run_was_there_all_the_time() -> None:
    assert silences_between(beat(0), beat(3600)) == [silence(0, 3600, "link")]


def test_a_clock_that_was_set_meanwhile_does_not_make_a_silence() -> None:
    assert silences_between(beat(0), beat(7200, mono_s=30)) == []
    assert silences_between(beat(7200, mono_s=0), beat(600, mono_s=600)) == [silence(0, 600, "link")]


def test_a_new_run_was_not_there_before_it_began() -> None:
    assert silences_between(beat(0), beat(40, began_s=35)) == [silence(0, 35, "off")]


def test_a_new_run_behind_a_broken_link_is_told_apart() -> None:
    found = silences_between(beat(0), beat(1000, began_s=200))
    assert found == [silence(0, 200, "unknown"), silence(200, 1000, "link")]
    soon = silences_between(beat(0), beat(1000, began_s=60))
    assert soon == [silence(0, 60, "off"), silence(60, 1000, "link")]


def test_another_boot_is_another_run() -> None:
    found = silences_between(beat(0, mono_s=5000), beat(600, mono_s=60, boot=OTHER, began_s=20))
    assert found == [silence(0, 540, "unknown"), silence(540, 560, "off")]
    soon = silences_between(beat(0, mono_s=5000), beat(90, mono_s=60, boot=OTHER, began_s=20))
    assert soon == [silence(0, 50, "off")]


def test_what_is_sure_counts_before_what_is_not() -> None:
    words = [Word(T + 300_000, True, "timeout"), Word(T + 400_000, False)]
    assert gaps(words, [silence(200, 500, "unknown")]) == [
        Gap(T + 200_000, T + 300_000, "unknown"),
        Gap(T + 300_000, T + 400_000, "no_picture", "timeout"),
        Gap(T + 400_000, T + 500_000, "unknown"),
    ]


def test_a_camera_that_speaks_much_later_was_watched_meanwhile() -> None:
    words = [Word(T + 800_000, True), Word(T + 810_000, False)]
    assert gaps(words, [silence(0, 60, "off")]) == [
        Gap(T, T + 60_000, "off"),
        Gap(T + 800_000, T + 810_000, "no_picture"),
    ]


def test_an_agent_that_does_not_say_is_unknown() -> None:
    assert silences_between(beat(0), beat(600, began_s=None)) == [silence(0, 600, "unknown")]
    assert silences_between(beat(0), beat(60, began_s=None)) == []


def test_a_heartbeat_that_a_broker_kept_counts_from_when_it_was_made() -> None:
    assert made_ms(T, T + 3_600_000, "synced") == T
    assert made_ms(T, T + 3_600_000, "unset") == T + 3_600_000
    assert made_ms(T + 3_600_000, T, "synced") == T


def gaps(words: list[Word], silences: list[Silence], heard_s: float = 1000, until_s: float = 1000) -> list[Gap]:
    return video_gaps(words, silences, T + round(heard_s * 1000), 75_000, T, T + round(until_s * 1000))


def test_a_silence_of_the_link_is_no_gap_of_the_video() -> None:
    assert gaps([], [silence(100, 900, "link")]) == []


def test_off_and_no_picture_are_gaps_and_do_not_count_twice() -> None:
    words = [Word(T + 50_000, True, "timeout"), Word(T + 300_000, False)]
    found = gaps(words, [silence(200, 400, "off")])
    assert found == [
        Gap(T + 50_000, T + 300_000, "no_picture", "timeout"),
        Gap(T + 300_000, T + 400_000, "off"),
    ]


def test_a_camera_that_never_came_back_is_not_watched_until_now() -> None:
    assert gaps([Word(T + 50_000, True)], []) == [Gap(T + 50_000, T + 1_000_000, "no_picture")]


def test_a_box_that_is_silent_now_is_neither_watched_nor_lost() -> None:
    assert gaps([], [], heard_s=500) == [Gap(T + 500_000, T + 1_000_000, "unheard")]
    assert gaps([], [], heard_s=950) == []


def test_before_it_was_heard_of_a_camera_was_not_watched() -> None:
    seen = {"heard_ms": T + 1_000_000, "patience_ms": 75_000, "since_ms": T, "until_ms": T + 1_000_000}
    found = video_gaps([], [], first_seen_ms=T + 300_000, **seen)  # type: ignore[arg-type]
    assert found == [Gap(T, T + 300_000, "not_yet")]
    late = [Word(T + 100_000, False)]
    assert video_gaps(late, [], first_seen_ms=T + 300_000, **seen) == [  # type: ignore[arg-type]
        Gap(T, T + 100_000, "not_yet")
    ]


def test_hours_hold_what_falls_into_them() -> None:
    start = T - T % HOUR_MS
    found = by_hour([Gap(start + HOUR_MS - 60_000, start + HOUR_MS + 30_000, "off")], start, start + 3 * HOUR_MS)
    assert found == [(start, 60_000), (start + HOUR_MS, 30_000), (start + 2 * HOUR_MS, 0)]


SPANS = st.tuples(st.integers(-500, 1500), st.integers(1, 800)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(SPANS, max_size=6), st.lists(st.tuples(st.integers(-500, 1500), st.booleans()), max_size=8))
def test_gaps_stay_in_the_window_in_order_and_apart(spans: list[tuple[int, int]], said: list[tuple[int, bool]]) -> None:
    words = [Word(T + at * 1000, bad) for at, bad in said]
    found = gaps(words, [silence(first, last, "off") for first, last in spans])
    assert all(T <= gap.from_ms < gap.until_ms <= T + 1_000_000 for gap in found)
    assert all(one.until_ms <= other.from_ms for one, other in itertools.pairwise(found))
    covered = sum(gap.until_ms - gap.from_ms for gap in found)
    assert sum(missing for _, missing in by_hour(found, T, T + 1_000_000)) == covered
    for first, last in spans:
        for at in (max(first, 0), min(last, 1000) - 1):
            if first <= at < last and 0 <= at < 1000:
                assert any(gap.from_ms <= T + at * 1000 < gap.until_ms for gap in found)


def test_after_a_restart_nothing_is_watched_until_the_camera_speaks() -> None:
    off, came = Silence(40_000, 60_000, "off"), Word(64_000, bad=False)
    assert video_gaps([Word(0, bad=False), came], [off], 99_000, 75_000, 0, 100_000) == [Gap(40_000, 64_000, "off")]
    unheard_yet = video_gaps([Word(0, bad=False)], [off], 99_000, 75_000, 0, 100_000)
    assert unheard_yet == [Gap(40_000, 60_000, "off")]
