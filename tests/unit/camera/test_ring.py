import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.ring import PacketRing
from tests.support.video import packet


def _filled(ring: PacketRing, until_ms: int, gop_ms: int, step_ms: int = 40, size: int = 100) -> PacketRing:
    for at in range(0, until_ms, step_ms):
        ring.append(packet(at, is_key=at % gop_ms == 0, size=size))
    return ring


@pytest.mark.parametrize("gop_ms", [240, 1000, 2000, 10_000, 30_000])
def test_the_key_frame_before_the_preroll_is_kept_whatever_the_gop(gop_ms: int) -> None:
    ring = _filled(PacketRing(seconds=5, max_bytes=1 << 20), 95_000, gop_ms)
    newest_ms = ring.newest_ms
    assert newest_ms is not None
    asked_ms = newest_ms - 5000
    packets = ring.since(asked_ms)
    assert packets[0].is_key
    assert packets[0].mono_ms <= asked_ms
    assert packets[-1].mono_ms == newest_ms
    assert asked_ms - packets[0].mono_ms <= gop_ms


def test_what_is_older_than_needed_goes_in_whole_gops() -> None:
    ring = _filled(PacketRing(seconds=2, max_bytes=1 << 20), 60_000, 1000)
    assert ring.oldest_ms == 57_000
    assert len(ring) == 75
    assert ring.bytes == 75 * 100
    assert ring.dropped_gops == 0


def test_nothing_is_kept_before_the_first_key_frame() -> None:
    ring = PacketRing(5, 1000)
    assert not ring.append(packet(0))
    assert ring.since(0) == []
    assert (ring.oldest_ms, ring.newest_ms, len(ring), ring.dropped_packets) == (None, None, 0, 1)


def test_over_budget_the_oldest_gop_goes_and_is_counted() -> None:
    ring = _filled(PacketRing(seconds=10, max_bytes=5_500), 10_000, 1000)  # a GOP is 25 packets of 100 bytes
    assert ring.bytes <= 5_500
    assert ring.dropped_gops == 8
    assert ring.oldest_ms == 8000
    assert not ring.starved


def test_a_gop_larger_than_the_budget_keeps_its_beginning_and_says_so() -> None:
    ring = _filled(PacketRing(seconds=10, max_bytes=1_000), 2_000, 30_000)
    assert [kept.mono_ms for kept in ring.since(0)] == [at * 40.0 for at in range(10)]
    assert ring.starved
    assert ring.newest_ms == 360.0
    assert ring.append(packet(2000, is_key=True))
    assert not ring.starved
    assert ring.oldest_ms == 2000.0


def test_a_key_frame_larger_than_the_budget_is_refused_and_empties_the_ring() -> None:
    ring = PacketRing(5, 1_000)
    ring.append(packet(0, is_key=True))
    assert not ring.append(packet(1000, is_key=True, size=1_001))
    assert (ring.bytes, len(ring), ring.dropped_gops) == (0, 0, 1)
    assert not ring.append(packet(1040))


def test_since_begins_at_the_earliest_key_frame_where_the_asked_moment_is_older() -> None:
    ring = _filled(PacketRing(5, 1 << 20), 3_000, 1000)
    assert ring.since(-10_000)[0].mono_ms == 0.0
    assert ring.since(2_999)[0].mono_ms == 2000.0
    assert ring.since(99_999)[0].mono_ms == 2000.0


def test_a_ring_that_was_cleared_begins_anew() -> None:
    ring = _filled(PacketRing(5, 1 << 20), 3_000, 1000)
    ring.clear()
    assert (ring.bytes, len(ring), ring.oldest_ms) == (0, 0, None)
    assert not ring.append(packet(3000))


@pytest.mark.parametrize(("seconds", "max_bytes"), [(-1, 100), (1, 0)])
def test_a_ring_without_room_is_a_mistake(seconds: float, max_bytes: int) -> None:
    with pytest.raises(ValueError, match="packet ring needs"):
        PacketRing(seconds, max_bytes)


@given(
    st.lists(st.tuples(st.integers(1, 3000), st.booleans(), st.integers(1, 3000)), max_size=60),
    st.floats(0, 8),
    st.integers(1000, 20_000),
)
def test_the_budget_is_hard_and_the_beginning_is_always_a_key_frame(
    steps: list[tuple[int, bool, int]], seconds: float, max_bytes: int
) -> None:
    ring = PacketRing(seconds, max_bytes)
    now = 0.0
    for step, is_key, size in steps:
        now += step
        ring.append(packet(now, is_key, size))
        kept = ring.since(-1)
        assert ring.bytes == sum(len(one.data) for one in kept) <= max_bytes
        assert not kept or kept[0].is_key
        assert len(kept) == len(ring)
        needed = (ring.newest_ms or 0.0) - seconds * 1000
        keys_before = [one.mono_ms for one in kept if one.is_key and one.mono_ms <= needed]
        assert len(keys_before) <= 1
