"""How much of a stream is decoded and looked at, as the moments pass."""

import random
from itertools import pairwise

import pytest

from edge_agent.camera.attention import COPYING_GATHER_S, DOZING_GATHER_S, Attention, RestPolicy
from edge_agent.camera.frames import Interest


class Stream:
    """A stream with its reader in one: a packet every `step_ms`, all of them decoded unless at rest."""

    def __init__(self, attention: Attention, gop_s: float = 2.0, step_ms: float = 100.0) -> None:
        self.attention = attention
        self.step_ms = step_ms
        self.gop = round(gop_s * 1000 / step_ms)
        self.number = 0
        self.looks: list[float] = []
        self._random = random.Random(4)

    @property
    def now_ms(self) -> float:
        return self.number * self.step_ms

    def play(
        self, seconds: float, interest: Interest = "none", *, bytes_: int = 400, noticed: bool = False
    ) -> list[bool]:
        """Packets of that size while whoever looks finds that; returns for each packet whether its size told."""
        told = []
        for _ in range(round(seconds * 1000 / self.step_ms)):
            self.number += 1
            if noticed:
                self.attention.noticed(self.now_ms)
            is_key = self.number % self.gop == 0
            size = 20_000 if is_key else round(bytes_ * self._random.uniform(0.9, 1.1))
            told.append(self.attention.packet(self.now_ms, size, is_key))
            if self.attention.resting and not is_key:
                continue
            if self.attention.resting or self.attention.due(self.now_ms):
                self.attention.looked(self.now_ms, interest)
                self.looks.append(self.now_ms)
            if is_key:
                self.attention.rest(self.now_ms)
        return told


def a_thing_passes(stream: Stream, *, noticed: bool) -> None:
    stream.play(3, "known", noticed=noticed)
    stream.play(12)


def test_a_fresh_stream_is_watched_closely_and_then_dozed_over() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(1.0, "some")
    assert attention.level(stream.now_ms) == "awake"
    stream.play(3.0)
    assert attention.level(stream.now_ms) == "dozing"


@pytest.mark.parametrize(("gop_s", "rests"), [(0.5, True), (1.0, True), (2.0, True), (4.0, False), (10.0, False)])
def test_a_calm_stream_is_rested_only_where_its_key_frames_lie_close(gop_s: float, rests: bool) -> None:
    attention = Attention(RestPolicy())
    Stream(attention, gop_s).play(60)
    assert attention.resting is rests


def test_packets_gather_unless_something_is_waited_to_be_told() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention, gop_s=10.0)
    stream.play(1.0, "some")
    assert attention.gather_s(stream.now_ms) == 0.0
    stream.play(1.0, "known")
    told = attention.gather_s(stream.now_ms)
    stream.play(5.0)
    assert 0.0 < attention.gather_s(stream.now_ms) < told
    attention.stir(stream.now_ms)
    assert attention.gather_s(stream.now_ms) == 0.0


def test_nothing_is_rested_before_a_stream_has_been_watched_for_a_while() -> None:
    attention = Attention(RestPolicy())
    Stream(attention, 1.0).play(9)
    assert not attention.resting


def what_rest_notices_late(stream: Stream, late_ms: float) -> None:
    """Something stirs at rest; followed back, it began `late_ms` before."""
    stream.attention.wake(stream.now_ms)
    stream.attention.looked(stream.now_ms - late_ms, "some")
    stream.play(3, "known")
    stream.play(12)


@pytest.mark.parametrize(("late_ms", "rests"), [(100, True), (300, False), (1100, False), (1900, False)])
def test_one_late_word_and_the_stream_is_rested_no_more(late_ms: float, rests: bool) -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(30)
    assert attention.resting
    what_rest_notices_late(stream, late_ms)
    assert attention.resting is rests


def test_a_little_late_is_borne_once_in_five_things_of_a_stream_that_proved_itself() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(30)
    for _ in range(4):
        assert attention.resting
        a_thing_passes(stream, noticed=True)
    what_rest_notices_late(stream, 400)
    assert attention.resting
    what_rest_notices_late(stream, 400)
    assert not attention.resting


def test_what_comes_before_the_stream_is_known_says_nothing_of_its_sizes() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(5)
    a_thing_passes(stream, noticed=False)
    stream.play(10)
    assert attention.resting


def test_after_a_late_word_so_many_things_in_a_row_have_to_be_noticed_at_once_and_more_the_next_time() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(30)
    for proofs in (4, 8):
        what_rest_notices_late(stream, 1900)
        a_thing_passes(stream, noticed=True)
        a_thing_passes(stream, noticed=False)
        for _ in range(proofs):
            assert not attention.resting
            a_thing_passes(stream, noticed=True)
        assert attention.resting


def test_what_is_noticed_at_once_does_not_suspend_rest() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(5)
    a_thing_passes(stream, noticed=True)
    stream.play(10)
    assert attention.resting


def test_far_key_frames_are_rested_between_once_things_have_been_noticed_four_times() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention, 4.0)
    stream.play(20)
    for _ in range(4):
        assert not attention.resting
        stream.play(8, "known", noticed=True)
        stream.play(20)
    assert attention.resting


def test_rest_is_broken_for_an_audit_now_and_then() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(60)
    assert attention.resting
    rested = [attention.resting for _ in range(1000) if stream.play(1) or True]
    assert 25 <= rested.count(False) <= 60
    assert attention.resting


def test_a_new_connection_is_watched_before_it_is_rested_again() -> None:
    attention = Attention(RestPolicy())
    stream = Stream(attention)
    stream.play(60)
    attention.opened()
    assert not attention.resting
    stream.play(8)
    assert not attention.resting
    stream.play(20)
    assert attention.resting


@pytest.mark.parametrize(
    ("interest", "at_least", "at_most"), [("some", 12, 15.5), ("known", 2.3, 2.7), ("none", 1.3, 1.6)]
)
def test_looks_a_second(interest: Interest, at_least: float, at_most: float) -> None:
    attention = Attention(RestPolicy(allowed=False))
    stream = Stream(attention, step_ms=1000 / 30)
    stream.play(4, interest)
    before = len(stream.looks)
    stream.play(10, interest)
    assert at_least <= (len(stream.looks) - before) / 10 <= at_most


def followed(stream: Stream, seconds: float) -> list[float]:
    """Something known and told moves all the time; returns when it was looked at."""
    attention, looks = stream.attention, []
    for _ in range(round(seconds * 1000 / stream.step_ms)):
        stream.number += 1
        is_key = stream.number % stream.gop == 0
        attention.packet(stream.now_ms, 20_000 if is_key else 400, is_key)
        if attention.following and not attention.looks_again(stream.now_ms, is_key):
            assert attention.level(stream.now_ms) == "following"
            continue
        if attention.due(stream.now_ms):
            attention.looked(stream.now_ms, "settled")
            looks.append(stream.now_ms / 1000)
        attention.follow(stream.now_ms)
    return looks


@pytest.mark.parametrize(("gop_s", "apart_s"), [(0.5, 2.0), (1.0, 2.0), (2.0, 2.0)])
def test_what_is_settled_is_followed_from_key_frame_to_key_frame(gop_s: float, apart_s: float) -> None:
    stream = Stream(Attention(RestPolicy()), gop_s)
    stream.play(4 * gop_s, "some")
    first, second, *others = followed(stream, 30)
    assert second - first <= apart_s, "the next key frame may come soon"
    assert [round(later - sooner, 1) for sooner, later in pairwise([second, *others])] == [apart_s] * len(others)


@pytest.mark.parametrize(("gop_s", "apart_s"), [(0.2, 2.2), (0.5, 2.0), (1.0, 2.0), (2.0, 2.0)])
def test_what_is_followed_gathers_up_to_the_next_key_frame_that_is_looked_at(gop_s: float, apart_s: float) -> None:
    stream = Stream(Attention(RestPolicy()), gop_s)
    stream.play(8, "some")
    looked_s = followed(stream, 10)[-1]
    assert stream.attention.following
    next_s = looked_s + apart_s
    while next_s - stream.now_ms / 1000 > 0.15:
        stream.number += 1
        is_key = stream.number % stream.gop == 0
        stream.attention.packet(stream.now_ms, 400, is_key)
        left_s = next_s - stream.now_ms / 1000
        assert not stream.attention.looks_again(stream.now_ms, is_key)
        gathers_s = stream.attention.gather_s(stream.now_ms)
        assert gathers_s == pytest.approx(min(COPYING_GATHER_S, left_s + 0.06), abs=0.02)
    assert stream.attention.gather_s(stream.now_ms + 500) == DOZING_GATHER_S, "it is late: it may come any moment"


@pytest.mark.parametrize("policy", [RestPolicy(), RestPolicy(allowed=False)])
def test_nothing_is_passed_over_where_key_frames_lie_far_apart_or_all_is_to_be_decoded(policy: RestPolicy) -> None:
    stream = Stream(Attention(policy), 2.0 if not policy.allowed else 4.0)
    stream.play(16, "some")
    looks = followed(stream, 20)
    assert max(later - sooner for sooner, later in pairwise(looks)) <= 0.5


def test_what_is_known_but_not_settled_is_looked_at_all_the_while() -> None:
    stream = Stream(Attention(RestPolicy()))
    stream.play(10, "known")
    stream.attention.follow(stream.now_ms)
    assert not stream.attention.following


def test_whoever_was_followed_and_is_gone_is_waited_for_closely() -> None:
    stream = Stream(Attention(RestPolicy()))
    stream.play(8, "some")
    followed(stream, 4)
    while not stream.attention.looks_again(stream.now_ms, stream.number % stream.gop == 0):
        stream.number += 1
        stream.attention.packet(stream.now_ms, 400, stream.number % stream.gop == 0)
    looks_before = len(stream.looks)
    stream.play(1.0, "none")
    assert stream.attention.level(stream.now_ms) == "awake"
    assert len(stream.looks) - looks_before >= 5


def known_again_late(stream: Stream) -> float:
    """What is followed is only found again a while after a key frame; returns for how long it is watched then."""
    attention = stream.attention
    while not attention.following:
        followed(stream, stream.step_ms / 1000)
    attention.looks_again(stream.now_ms + 3_000, is_key=False)
    stream.number += round(3_000 / stream.step_ms)
    stream.play(1.0, "none")
    began_ms = stream.now_ms
    while not attention.following:
        followed(stream, stream.step_ms / 1000)
    return (stream.now_ms - began_ms) / 1000


def test_what_is_not_known_again_at_once_is_watched_for_a_while_and_twice_as_long_the_next_time() -> None:
    stream = Stream(Attention(RestPolicy()))
    stream.play(8, "some")
    assert known_again_late(stream) == pytest.approx(10, abs=2.1)
    assert known_again_late(stream) == pytest.approx(20, abs=2.1)
    followed(stream, 60)
    assert known_again_late(stream) == pytest.approx(10, abs=2.1), "found at once many times since"
