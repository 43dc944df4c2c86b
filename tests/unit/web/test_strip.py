"""A camera's day in buckets: a gap never looks like quiet, and nothing is said of what has not come yet."""

import pytest

from collector.fleet.gaps import Gap
from collector.web.strip import BUCKET_MS, Seen, buckets_of, hours_of

DAY = 86_400_000
BEGIN = 1_790_000_000_000 - 1_790_000_000_000 % DAY
MINUTE = 60_000


def strip(episodes=(), gaps=(), now=BEGIN + DAY):
    return buckets_of(BEGIN, BEGIN + DAY, now, episodes, gaps)


def seen(start_min, last_min, kind="motion", score=0.5):
    return Seen(f"{start_min}", BEGIN + start_min * MINUTE, BEGIN + last_min * MINUTE, score, kind)


def test_a_day_has_288_buckets_and_quiet_is_watched():
    buckets = strip()
    assert len(buckets) == 288
    assert {(each.watch, each.episodes, each.missing_ms) for each in buckets} == {("seen", 0, 0)}


def test_an_episode_stands_in_every_bucket_that_it_touches_and_counts_where_it_began():
    buckets = strip([seen(4, 11, score=0.8), seen(6, 6, "tamper:covered")])
    assert [each.episodes for each in buckets[:4]] == [1, 2, 1, 0]
    assert [each.tampered for each in buckets[:4]] == [False, True, False, False]
    assert buckets[1].first_ms == buckets[1].from_ms
    assert buckets[1].score == 0.8
    assert hours_of(buckets)[0].episodes == 2


def test_an_episode_from_before_midnight_is_in_the_first_bucket():
    buckets = strip([seen(-3, 1)])
    assert (buckets[0].episodes, buckets[1].episodes) == (1, 0)
    assert buckets[0].first_ms == BEGIN


@pytest.mark.parametrize("kind", ["off", "no_picture", "unheard", "unknown", "not_yet"])
def test_a_bucket_that_a_gap_touches_says_so_even_where_something_moved(kind):
    gap = Gap(BEGIN + 7 * MINUTE, BEGIN + 12 * MINUTE, kind)
    buckets = strip([seen(5, 6)], [gap])
    assert [each.watch for each in buckets[:4]] == ["seen", kind, kind, "seen"]
    assert [each.missing_ms for each in buckets[:4]] == [0, 3 * MINUTE, 2 * MINUTE, 0]
    assert hours_of(buckets)[0].missing_ms == 5 * MINUTE


def test_of_two_gaps_in_a_bucket_the_longer_gives_the_word():
    gaps = [Gap(BEGIN, BEGIN + MINUTE, "off"), Gap(BEGIN + MINUTE, BEGIN + 4 * MINUTE, "no_picture")]
    first = strip(gaps=gaps)[0]
    assert (first.watch, first.missing_ms) == ("no_picture", 4 * MINUTE)


def test_what_has_not_come_yet_is_neither_quiet_nor_a_gap():
    now = BEGIN + 10 * BUCKET_MS + 1
    buckets = strip(gaps=[Gap(BEGIN, now, "off")], now=now)
    assert [each.watch for each in buckets[9:12]] == ["off", "seen", "ahead"]
    assert hours_of(buckets)[1].is_ahead
