"""The states of boxes and cameras, as tables."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.fleet.state import BoxFacts, CameraFacts, State, Verdict, box_state, camera_state

T = 1_800_000_000_000
UP, NEW, LATE, DOWN = (Verdict(state) for state in (State.UP, State.NEW, State.LATE, State.DOWN))
HEALTHY = BoxFacts(
    heartbeat_ms=T, interval_s=30, status="online", status_ms=T - 600_000, listening_since_ms=T - 3_600_000
)
LOST = replace(HEALTHY, status="lost", status_ms=T + 10_000)
STOPPED = replace(HEALTHY, status="stopped", status_ms=T + 10_000)
UNKNOWN = BoxFacts(heartbeat_ms=None, interval_s=30, status=None, status_ms=None, listening_since_ms=T - 3_600_000)
RESTARTED = replace(HEALTHY, listening_since_ms=T + 7_200_000)


@pytest.mark.parametrize(
    ("facts", "before", "after_s", "expected"),
    [
        (UNKNOWN, NEW, 9999, NEW),
        (replace(UNKNOWN, status="online", status_ms=T), NEW, 20, NEW),
        (replace(UNKNOWN, status="online", status_ms=T), NEW, 181, Verdict(State.DOWN, ("silent",))),
        (HEALTHY, NEW, 0, UP),
        (HEALTHY, UP, 64, UP),
        (HEALTHY, UP, 66, Verdict(State.LATE, ("silent",))),
        (HEALTHY, LATE, 180, Verdict(State.LATE, ("silent",))),
        (HEALTHY, LATE, 181, Verdict(State.DOWN, ("silent",))),
        (HEALTHY, DOWN, 5, UP),
        (replace(HEALTHY, interval_s=60), UP, 181, Verdict(State.LATE, ("silent",))),
        (replace(HEALTHY, interval_s=60), UP, 246, Verdict(State.DOWN, ("silent",))),
        (LOST, UP, 10, Verdict(State.LATE, ("lost",))),
        (LOST, LATE, 100, Verdict(State.LATE, ("lost",))),
        (LOST, LATE, 101, Verdict(State.DOWN, ("lost",))),
        (LOST, DOWN, 20, DOWN),
        (STOPPED, UP, 10, Verdict(State.LATE, ("stopped",))),
        (STOPPED, LATE, 181, Verdict(State.DOWN, ("stopped",))),
        (replace(LOST, heartbeat_ms=T + 20_000), DOWN, 21, UP),
        # the collector was away for two hours and listens again: nobody was silent meanwhile
        (RESTARTED, UP, 7200, UP),
        (RESTARTED, UP, 7260, UP),
        (RESTARTED, UP, 7266, Verdict(State.LATE, ("silent",))),
        (RESTARTED, LATE, 7381, Verdict(State.DOWN, ("silent",))),
        (RESTARTED, DOWN, 7201, DOWN),
        (RESTARTED, LATE, 7201, LATE),
        (replace(RESTARTED, heartbeat_ms=T + 7_205_000), DOWN, 7206, UP),
        # what is wrong with a box that is there
        (replace(HEALTHY, disk_free_share=0.04), UP, 1, Verdict(State.DEGRADED, ("disk_low",))),
        (replace(HEALTHY, disk_free_share=0.05), UP, 1, UP),
        (replace(HEALTHY, temperature_c=80.0), UP, 1, Verdict(State.DEGRADED, ("hot",))),
        (replace(HEALTHY, throttled=0x1), UP, 1, Verdict(State.DEGRADED, ("under_voltage",))),
        (replace(HEALTHY, throttled=0x50000), UP, 1, UP),
        (replace(HEALTHY, changed_files=2), UP, 1, Verdict(State.DEGRADED, ("software_changed",))),
        (replace(HEALTHY, throttled=0x5), UP, 1, Verdict(State.DEGRADED, ("under_voltage", "slowed"))),
        (replace(HEALTHY, clock="unset"), UP, 1, Verdict(State.DEGRADED, ("clock_unset",))),
        (replace(HEALTHY, clock="holdover"), UP, 1, UP),
        (replace(HEALTHY, outbox_parked=1), UP, 1, Verdict(State.DEGRADED, ("outbox_parked",))),
        (replace(HEALTHY, outbox_oldest_age_ms=600_001), UP, 1, Verdict(State.DEGRADED, ("outbox_old",))),
        (replace(HEALTHY, memory_free_share=0.01), UP, 1, Verdict(State.DEGRADED, ("memory_low",))),
        (replace(HEALTHY, blind_cameras=2), UP, 1, Verdict(State.DEGRADED, ("cameras_blind",))),
        (replace(HEALTHY, disk_free_share=0.01), LATE, 100, Verdict(State.LATE, ("silent",))),
        # what people set stays until people unset it
        (HEALTHY, Verdict(State.MAINTENANCE), 9999, Verdict(State.MAINTENANCE)),
        (HEALTHY, Verdict(State.RETIRED), 1, Verdict(State.RETIRED)),
    ],
)
def test_the_state_of_a_box(facts: BoxFacts, before: Verdict, after_s: int, expected: Verdict) -> None:
    assert box_state(facts, before, T + after_s * 1000) == expected


SEEN = CameraFacts(heartbeat_ms=T, online_since_ms=T - 600_000, last_frame_age_ms=40, main="streaming", sub="streaming")
UNREACHABLE = Verdict(State.UNREACHABLE, ("box_down",))
BLIND = Verdict(State.BLIND, ("no_frames",))


@pytest.mark.parametrize(
    ("facts", "before", "box", "expected"),
    [
        (SEEN, NEW, UP, UP),
        (replace(SEEN, sub=None), UP, UP, UP),
        (replace(SEEN, last_frame_age_ms=30_000), UP, UP, UP),
        (replace(SEEN, last_frame_age_ms=30_001), UP, UP, BLIND),
        (replace(SEEN, last_frame_age_ms=None), UP, UP, BLIND),
        (replace(SEEN, main="unavailable"), UP, UP, Verdict(State.BLIND, ("stream_unavailable",))),
        (replace(SEEN, main="connecting", last_frame_age_ms=9000), UP, UP, UP),
        (replace(SEEN, main="connecting", last_frame_age_ms=9000), BLIND, UP, BLIND),
        (replace(SEEN, sub="unavailable"), UP, UP, Verdict(State.DEGRADED, ("sub_unavailable",))),
        (replace(SEEN, tampers=frozenset({"covered"})), UP, UP, Verdict(State.DEGRADED, ("tamper:covered",))),
        (replace(SEEN, demoted=True), UP, UP, Verdict(State.DEGRADED, ("demoted",))),
        # the agent has only just started
        (replace(SEEN, online_since_ms=T - 100, last_frame_age_ms=None, main="connecting"), UP, UP, UP),
        (replace(SEEN, online_since_ms=T - 100, last_frame_age_ms=None, main="connecting"), NEW, UP, NEW),
        (replace(SEEN, online_since_ms=T - 30_100, last_frame_age_ms=None, main="connecting"), NEW, UP, BLIND),
        # never heard of
        (replace(SEEN, heartbeat_ms=None, last_frame_age_ms=None, main=None), NEW, NEW, NEW),
        # events between heartbeats
        (
            replace(SEEN, event="down", event_since_ms=T + 900, event_received_ms=T + 1000),
            UP,
            UP,
            Verdict(State.BLIND, ("camera_down",)),
        ),
        (replace(SEEN, event="down", event_since_ms=T - 2000, event_received_ms=T - 1000), UP, UP, UP),
        (replace(SEEN, event="down", event_since_ms=T - 900_000, event_received_ms=T + 1000), UP, UP, UP),
        (
            replace(SEEN, last_frame_age_ms=60_000, event="up", event_since_ms=T + 900, event_received_ms=T + 1000),
            BLIND,
            UP,
            UP,
        ),
        # behind its box
        (SEEN, UP, DOWN, UNREACHABLE),
        (SEEN, BLIND, DOWN, UNREACHABLE),
        (SEEN, BLIND, LATE, BLIND),
        (SEEN, UNREACHABLE, UP, UP),
        (SEEN, UP, Verdict(State.MAINTENANCE), Verdict(State.MAINTENANCE)),
        (SEEN, Verdict(State.RETIRED), DOWN, Verdict(State.RETIRED)),
    ],
)
def test_the_state_of_a_camera(facts: CameraFacts, before: Verdict, box: Verdict, expected: Verdict) -> None:
    assert camera_state(facts, before, box, T - 3_600_000) == expected


def test_after_the_collectors_own_downtime_a_camera_keeps_its_state_until_it_is_heard_of() -> None:
    stale = replace(SEEN, last_frame_age_ms=99_000)
    assert camera_state(stale, UP, UP, T + 1) == UP
    assert camera_state(SEEN, BLIND, UP, T + 1) == BLIND


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.sampled_from(["online", "lost", "stopped"]), st.integers(-300, 300))
def test_a_silent_box_only_ever_gets_worse(silent_s: int, status: str, status_s: int) -> None:
    rank = {State.UP: 0, State.LATE: 1, State.DOWN: 2}
    facts = replace(HEALTHY, status=status, status_ms=T + status_s * 1000)
    first = box_state(facts, UP, T + silent_s * 1000)
    later = box_state(facts, first, T + silent_s * 1000 + 30_000)
    assert rank[later.state] >= rank[first.state]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 10_000_000),
    st.sampled_from([UP, LATE, Verdict(State.DEGRADED, ("hot",))]),
    st.integers(0, 64),
)
def test_no_downtime_of_the_collector_makes_a_box_late(away_ms: int, before: Verdict, after_s: int) -> None:
    facts = replace(HEALTHY, listening_since_ms=T + away_ms)
    verdict = box_state(facts, before, T + away_ms + after_s * 1000)
    assert verdict in (before, UP)
