"""Incidents: grouping, ringing and life."""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.alerts.incidents import (
    LIFE,
    Action,
    Grouping,
    Grow,
    Heard,
    Incident,
    IncidentState,
    Outcome,
    Ring,
    Silent,
    Word,
    after,
    decide,
    joins,
    lateness_ms,
)
from collector.alerts.rules import SEVERITY_RANK, EpisodeFacts, Rule, Severity

G = Grouping(gap_s=60, longest_s=3600, late_after_s=300)
RULE = Rule(name="r", cool_down_s=60)
NOW = 1_800_000_000_000


def episode(start_s: float, last_s: float | None = None, camera: str = "gate", name: str = "e") -> EpisodeFacts:
    start_ms = NOW + round(start_s * 1000)
    last_ms = start_ms if last_s is None else NOW + round(last_s * 1000)
    return EpisodeFacts(
        id=name, box="hop-1", camera=camera, start_ms=start_ms, last_ms=last_ms, received_ms=last_ms + 50
    )


def incident(first_s: float, last_s: float, state: IncidentState = IncidentState.NEW, name: str = "i") -> Incident:
    return Incident(name, NOW + round(first_s * 1000), NOW + round(last_s * 1000), state)


@pytest.mark.parametrize(
    ("open_ones", "one", "expected"),
    [
        ((), episode(0), None),
        ((incident(0, 10),), episode(70), "i"),
        ((incident(0, 10),), episode(70.001), None),
        ((incident(100, 110),), episode(0, 39.9), None),
        ((incident(100, 110),), episode(0, 40), "i"),
        ((incident(0, 10, IncidentState.ACKNOWLEDGED),), episode(20), "i"),
        ((incident(0, 10, IncidentState.CLOSED),), episode(20), None),
        ((incident(0, 3580),), episode(3600), "i"),
        ((incident(0, 3580),), episode(3601), None),
        ((incident(0, 10, name="a"), incident(60, 80, name="b")), episode(50, 55), "b"),
    ],
)
def test_an_episode_joins_the_incident_that_it_is_near_to(
    open_ones: tuple[Incident, ...], one: EpisodeFacts, expected: str | None
) -> None:
    joined = joins(open_ones, one, G)
    assert (joined and joined.id) == expected


def test_what_was_last_seen_longer_ago_than_the_limit_is_late_and_says_how_late() -> None:
    assert lateness_ms(episode(0), NOW + 300_000, G) == 0
    assert lateness_ms(episode(0), NOW + 300_001, G) == 300_001
    assert lateness_ms(episode(0, 200), NOW + 400_000, G) == 0, "it went on until a moment ago"
    assert lateness_ms(episode(3600), NOW, G) == 0, "a clock that runs ahead"


def test_an_episode_of_a_box_without_a_clock_is_not_taken_for_late() -> None:
    one = replace(episode(-30_000_000), received_ms=NOW, clock_set=False)
    assert lateness_ms(one, NOW + 10, G) == 0


HEARD = Incident("i", NOW, NOW, rung={"screen": "normal"}, told={"screen": "normal"})
TOLD_LATE = Incident("i", NOW, NOW, told={"screen": "normal"})


def rang(severity: Severity, at_ms: int) -> Heard:
    return Heard(Word(severity, at_ms), Word(severity, at_ms))


@pytest.mark.parametrize(
    ("rule", "known", "heard", "late_ms", "expected"),
    [
        (RULE, None, Heard(), 0, Ring()),
        (RULE, None, Heard(), 400_000, Silent("late", 400_000)),
        (RULE, HEARD, Heard(), 0, Grow()),
        (RULE, HEARD, Heard(), 400_000, Grow()),
        (replace(RULE, severity="high"), HEARD, rang("normal", NOW - 1), 0, Ring()),
        (replace(RULE, severity="low"), HEARD, Heard(), 0, Grow()),
        (RULE, None, rang("normal", NOW - 59_999), 0, Silent("cool_down")),
        (RULE, None, rang("normal", NOW - 60_000), 0, Ring()),
        (RULE, None, rang("low", NOW - 10), 0, Ring()),
        (RULE, None, rang("high", NOW - 10), 0, Silent("cool_down")),
        (RULE, None, Heard(None, Word("normal", NOW - 10)), 0, Ring()),
        (RULE, None, Heard(None, Word("normal", NOW - 10)), 400_000, Silent("cool_down")),
        (RULE, None, rang("normal", NOW + 99_000), 0, Ring()),
        (RULE, TOLD_LATE, Heard(), 0, Ring()),
        (RULE, TOLD_LATE, Heard(), 400_000, Grow()),
    ],
)
def test_a_channel_rings_once_an_incident_and_once_a_cool_down_and_never_late(
    rule: Rule, known: Incident | None, heard: Heard, late_ms: int, expected: object
) -> None:
    assert decide(rule, "screen", incident=known, heard=heard, late_ms=late_ms, now_ms=NOW) == expected


def test_another_channel_has_a_cool_down_of_its_own() -> None:
    assert decide(RULE, "zalo", incident=HEARD, heard=Heard(), late_ms=0, now_ms=NOW) == Ring()


def test_only_the_listed_steps_of_an_incidents_life_exist() -> None:
    assert after(IncidentState.NEW, Action.ACKNOWLEDGE) is IncidentState.ACKNOWLEDGED
    assert after(IncidentState.ACKNOWLEDGED, Action.ACKNOWLEDGE) is None, "the first to press owns it"
    assert after(IncidentState.NEW, Action.CLOSE) is None
    assert after(IncidentState.ACKNOWLEDGED, Action.CLOSE) is None, "not without an outcome"
    assert after(IncidentState.ACKNOWLEDGED, Action.CLOSE, Outcome.REAL) is IncidentState.CLOSED
    assert after(IncidentState.NEW, Action.DECIDE, Outcome.REAL) is IncidentState.ACKNOWLEDGED
    assert after(IncidentState.NEW, Action.DECIDE, Outcome.FALSE) is IncidentState.CLOSED
    assert after(IncidentState.CLOSED, Action.DECIDE, Outcome.FALSE) is None
    assert after(IncidentState.CLOSED, Action.REOPEN) is IncidentState.ACKNOWLEDGED
    reachable = {IncidentState.NEW} | set(LIFE.values())
    assert reachable == set(IncidentState)
    assert {state for state, _ in LIFE} == set(IncidentState), "no state is a dead end"


# --- the rules of grouping over any stream of episodes -----------------------------------------------------------


@dataclass
class Desk:
    """The pure parts put together as the loop does it, with lists for a database."""

    grouping: Grouping = G
    incidents: dict[str, list[Incident]] = field(default_factory=lambda: defaultdict(list))
    members: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    rings: list[tuple[str, str, int, Severity]] = field(default_factory=list)
    quiet: list[tuple[str, str, int, Severity]] = field(default_factory=list)

    def take(self, one: EpisodeFacts, rule: Rule, now_ms: int) -> None:
        camera = one.camera
        known = joins(tuple(self.incidents[camera]), one, self.grouping)
        late_ms = lateness_ms(one, now_ms, self.grouping)
        base = known or Incident(f"i{len(self.members)}", one.moment_ms, one.moment_last_ms)
        rung, told = dict(base.rung), dict(base.told)
        for channel in rule.channels:
            word = decide(
                rule, channel, incident=known, heard=self.heard(camera, channel), late_ms=late_ms, now_ms=now_ms
            )
            if isinstance(word, Ring):
                rung[channel] = told[channel] = rule.severity
                self.rings.append((camera, channel, now_ms, rule.severity))
            elif isinstance(word, Silent) and word.tells:
                told[channel] = rule.severity
                self.quiet.append((camera, channel, now_ms, rule.severity))
        grown = replace(
            base,
            first_ms=min(base.first_ms, one.moment_ms),
            last_ms=max(base.last_ms, one.moment_last_ms),
            rung=rung,
            told=told,
        )
        self.incidents[camera] = [i for i in self.incidents[camera] if i.id != grown.id] + [grown]
        self.members[grown.id].append(one.id)

    def heard(self, camera: str, channel: str) -> Heard:
        def newest(words: list[tuple[str, str, int, Severity]]) -> Word | None:
            mine = [Word(severity, at) for c, ch, at, severity in words if (c, ch) == (camera, channel)]
            return max(mine, key=lambda word: word.at_ms, default=None)

        return Heard(newest(self.rings), newest(self.rings + self.quiet))


STREAMS = st.lists(
    st.tuples(
        st.sampled_from(["gate", "hall"]),
        st.integers(0, 400),  # seconds since the one before was handled
        st.integers(0, 900),  # how late it is handled
        st.integers(0, 120),  # how long it lasts
        st.sampled_from(["low", "normal", "high"]),
        st.sampled_from([("screen",), ("screen", "zalo")]),
    ),
    max_size=40,
)


def play(stream: list[tuple[str, int, int, int, Severity, tuple[str, ...]]]) -> tuple[Desk, list[EpisodeFacts]]:
    desk, now_ms, seen = Desk(), NOW, []
    for index, (camera, step_s, late_s, length_s, severity, channels) in enumerate(stream):
        now_ms += step_s * 1000
        last_s = (now_ms - NOW) / 1000 - late_s
        one = episode(last_s - length_s, last_s, camera, f"e{index}")
        seen.append(one)
        desk.take(one, Rule(name="r", severity=severity, channels=channels), now_ms)
    return desk, seen


@settings(max_examples=150, deadline=None)
@given(STREAMS)
def test_every_matching_episode_is_in_exactly_one_incident(
    stream: list[tuple[str, int, int, int, Severity, tuple[str, ...]]],
) -> None:
    desk, seen = play(stream)
    assert sorted(name for names in desk.members.values() for name in names) == sorted(one.id for one in seen)
    spans = {i.id: i for incidents in desk.incidents.values() for i in incidents}
    by_id = {one.id: one for one in seen}
    for incident_id, names in desk.members.items():
        for name in names:
            assert spans[incident_id].first_ms <= by_id[name].moment_ms
            assert by_id[name].moment_last_ms <= spans[incident_id].last_ms


@settings(max_examples=150, deadline=None)
@given(STREAMS)
def test_no_channel_rings_twice_for_a_camera_within_the_cool_down_unless_it_grows_more_severe(
    stream: list[tuple[str, int, int, int, Severity, tuple[str, ...]]],
) -> None:
    desk, _ = play(stream)
    for key in {(camera, channel) for camera, channel, _, _ in desk.rings}:
        rings = [(at, severity) for camera, channel, at, severity in desk.rings if (camera, channel) == key]
        for (at_a, severity_a), (at_b, severity_b) in itertools.pairwise(rings):
            assert at_b - at_a >= 60_000 or SEVERITY_RANK[severity_b] > SEVERITY_RANK[severity_a]


@settings(max_examples=150, deadline=None)
@given(STREAMS)
def test_late_episodes_never_ring(stream: list[tuple[str, int, int, int, Severity, tuple[str, ...]]]) -> None:
    late = [(camera, step, max(late, 301), *rest) for camera, step, late, *rest in stream]
    desk, _ = play(late)  # type: ignore[arg-type]
    assert desk.rings == []


def test_one_camera_that_rang_does_not_silence_another() -> None:
    desk = Desk()
    desk.take(episode(0, camera="gate", name="a"), RULE, NOW + 100)
    desk.take(episode(0, camera="hall", name="b"), RULE, NOW + 101)
    assert [(camera, at - NOW) for camera, _, at, _ in desk.rings] == [("gate", 100), ("hall", 101)]


def test_a_day_of_backlog_from_one_camera_is_told_once_a_cool_down_and_never_rings() -> None:
    desk = Desk()
    for index in range(200):
        desk.take(episode(-86_400 + index * 400, name=f"e{index}"), RULE, NOW + index * 10)
    assert desk.rings == []
    assert len(desk.quiet) == 1
    assert len(desk.members) == 200
