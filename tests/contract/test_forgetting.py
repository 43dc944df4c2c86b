"""Rows of what was seen are forgotten when they are old: whole incidents, after their files, and without a hole."""

import dataclasses
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from collector.store import forgetting, ledger
from collector.store.forgetting import Forgotten
from collector.store.integrity import check_engine, check_ranges
from collector.store.schema import (
    alerts,
    clips,
    episodes,
    incident_episodes,
    incident_history,
    incidents,
    muted_episodes,
    mutes,
    outages,
)
from tests.support import messages as sample
from tests.support.collector import JPEG, NOW_MS, Station, arrived
from vonggac.wire import messages as m
from vonggac.wire import topics

YEAR_MS = 365 * 86_400_000
LATER_MS = NOW_MS + 1


def body_of(kind: type[m.Body], **changes: object) -> m.Body:
    body = next(body for body in sample.BODIES if isinstance(body, kind))
    return dataclasses.replace(body, **changes)  # type: ignore[arg-type]


class Old:
    """A station with one episode, ended and looked at, in one incident that somebody has taken."""

    def __init__(self, folder: Path) -> None:
        self.station = Station(folder)
        self.episode = sample.EPISODE
        self.incident = str(uuid.uuid5(uuid.NAMESPACE_OID, "incident"))
        self.station.intake.take(
            [arrived(body_of(kind), seq) for seq, kind in enumerate((m.EpisodeStarted, m.EpisodeEnded), 1)]
        )
        self.change(episodes, rules_ms=NOW_MS)
        camera = f"{sample.BOX}/gate"
        self.insert(
            incidents, id=self.incident, rule="r", camera=camera, severity="normal", start_ms=1, last_ms=2,
            created_ms=NOW_MS, state="acknowledged", late_ms=0,
        )  # fmt: skip
        self.insert(incident_episodes, incident=self.incident, episode=self.episode, added_ms=NOW_MS)
        self.insert(incident_history, incident=self.incident, wall_ms=NOW_MS, action="acknowledge", who="lan")
        self.insert(
            alerts, id="a", key="k", kind="incident", incident=self.incident, channel="screen", severity="normal",
            rings=True, state="sent", attempts=1, created_ms=NOW_MS, next_ms=NOW_MS, late_ms=0,
        )  # fmt: skip

    def insert(self, table: sa.Table, **values: object) -> None:
        with self.station.database.write() as connection:
            connection.execute(sa.insert(table).values(**values))

    def change(self, table: sa.Table, **values: object) -> None:
        with self.station.database.write() as connection:
            connection.execute(sa.update(table).values(**values))

    def clip(self, state: str, **values: object) -> None:
        self.station.intake.take([arrived(body_of(m.ClipReady), 3)])
        self.change(clips, state=state, **values)

    def forget(self, before_ms: int = LATER_MS) -> Forgotten:
        with self.station.database.write() as connection:
            return forgetting.forget(connection, before_ms)


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path)


NOTHING = Forgotten()


def test_an_old_incident_goes_with_its_episodes_alerts_history_and_clips_of_deleted_files(old: Old) -> None:
    old.clip("deleted", deleted_ms=NOW_MS)
    assert old.forget() == Forgotten(episodes=1, incidents=1, alerts=1, clips=1)
    for table in ("episodes", "incidents", "incident_episodes", "incident_history", "alerts", "clips", "boots"):
        assert old.station.count(table) == 0
    assert old.forget() == NOTHING
    with old.station.database.read() as connection:
        assert [*check_engine(connection, deep=True), *check_ranges(connection)] == []


def test_the_numbers_of_what_was_forgotten_are_no_holes_and_its_messages_stay_known(old: Old) -> None:
    old.forget()
    with old.station.database.write() as connection:
        ledger.prune_events(connection, LATER_MS)
    with old.station.database.read() as connection:
        assert ledger.ranges_of(connection, sample.BOX) == {sample.OUTBOX: [(1, 2)]}
        assert list(check_ranges(connection)) == []
    assert old.station.intake.take([arrived(body_of(m.EpisodeStarted), 1)])[0].verdict == "known"
    assert old.station.count("episodes") == 0


def test_old_words_of_cameras_losses_and_ended_outages_go_and_the_newest_word_stays(old: Old) -> None:
    words = [body_of(m.CameraState, state=state, since_ms=NOW_MS - age) for state, age in (("down", 9), ("up", 5))]
    old.station.intake.take([arrived(word, seq) for seq, word in enumerate([*words, body_of(m.DataLost)], 3)])
    told = {"kind": "box", "ref": sample.BOX, "state": "DOWN", "members": []}
    old.insert(outages, id="over", start_ms=1, end_ms=NOW_MS, **told)
    old.insert(outages, id="open", start_ms=1, **told)
    assert old.forget(NOW_MS).words == 0
    assert old.forget().words == 3
    assert old.station.rows_of("SELECT bad FROM camera_states") == [(False,)]
    assert old.station.rows_of("SELECT id FROM outages") == [("open",)]
    assert old.station.count("losses") == 0


def test_what_is_not_old_enough_stays(old: Old) -> None:
    assert old.forget(NOW_MS) == NOTHING


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (incidents, {"state": "new"}),
        (incident_history, {"wall_ms": LATER_MS}),
        (alerts, {"state": "due"}),
        (alerts, {"state": "claimed"}),
        (episodes, {"end_ms": None}),
        (episodes, {"rules_ms": None}),
        (episodes, {"received_ms": LATER_MS}),
    ],
    ids=["nobody took it", "something was done lately", "to be told", "being told", "goes on", "rules due", "heard of"],
)
def test_an_incident_with_something_left_to_do_stays_whole(
    old: Old, table: sa.Table, values: dict[str, object]
) -> None:
    old.change(table, **values)
    assert old.forget() == NOTHING
    assert old.station.count("incident_episodes") == 1


@pytest.mark.parametrize(
    ("state", "values"), [("stored", {"path": "x", "stored_ms": 1}), ("announced", {}), ("lost", {"held": True})]
)
def test_an_episode_stays_while_its_clip_is_here_or_may_come_or_is_held(
    old: Old, state: str, values: dict[str, object]
) -> None:
    old.clip(state, **values)
    assert old.forget() == NOTHING


def test_an_episode_stays_while_a_picture_of_it_is_here(old: Old) -> None:
    topic = topics.snapshot(sample.BOX, sample.EPISODE)
    assert old.station.intake.handle(topic, JPEG, False, NOW_MS).verdict == "stored"
    assert old.forget() == NOTHING


def test_an_episode_that_no_rule_wanted_goes_alone_and_one_that_goes_on_stays(old: Old) -> None:
    other = str(uuid.uuid4())
    old.station.intake.take(
        [
            arrived(body_of(m.EpisodeStarted, episode=other), 3),
            arrived(body_of(m.EpisodeEnded, episode=other), 4),
            arrived(body_of(m.EpisodeStarted, episode=str(uuid.uuid4())), 5),
        ]
    )
    old.change(episodes, rules_ms=NOW_MS)
    old.change(incidents, state="new")
    assert old.forget() == Forgotten(episodes=1)
    assert old.station.rows_of("SELECT count(*) FROM episodes WHERE end_ms IS NULL") == [(1,)]


def test_what_was_muted_goes_too_and_the_mute_outlives_the_false_alarm_it_came_from(old: Old) -> None:
    old.insert(
        mutes, id="m", camera=f"{sample.BOX}/gate", start_ms=NOW_MS, until_ms=NOW_MS + 1, who="lan",
        incident=old.incident,
    )  # fmt: skip
    old.insert(muted_episodes, episode=old.episode, mute="m", wall_ms=NOW_MS)
    assert old.forget() == Forgotten(episodes=1, incidents=1, alerts=1)
    assert old.station.rows_of("SELECT incident FROM mutes") == [(None,)]
    assert old.station.count("muted_episodes") == 0


def test_word_to_technicians_goes_once_it_was_sent(old: Old) -> None:
    old.change(incidents, state="new")
    common = {"kind": "fleet", "channel": "phone", "severity": "normal", "rings": False, "attempts": 1, "next_ms": 1}
    old.insert(alerts, id="s", key="s", state="sent", created_ms=NOW_MS, late_ms=0, **common)
    old.insert(alerts, id="d", key="d", state="due", created_ms=NOW_MS, late_ms=0, **common)
    assert old.forget() == Forgotten(alerts=1)
    assert {row[0] for row in old.station.rows("alerts", "id", "key", "state")} == {"a", "d"}


def test_the_clock_of_a_boot_stays_known_while_something_that_it_told_is_here(old: Old) -> None:
    old.change(incidents, state="new")
    old.forget()
    assert old.station.count("boots") == 1
    old.change(incidents, state="closed")
    old.forget()
    assert old.station.count("boots") == old.station.count("clock_anchors") == 0
