"""Events of a box whose clock was wrong: dated anew once the truth is known, its own times kept, nobody rung again."""

import dataclasses
import uuid
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.alerts.bell import Bell
from collector.alerts.incidents import Grouping
from collector.alerts.loop import RulesLoop
from collector.alerts.rules import Hours, Rule
from collector.ingest.intake import Arrived, Intake
from collector.store import fleet
from tests.support import messages as sample
from tests.support.collector import NOW_MS, Station, envelope, topic_of
from vonggac.wire import codec
from vonggac.wire import messages as m

HOUR_MS = 3_600_000
BEGAN_MS = NOW_MS - 10 * HOUR_MS
"""When the boot truly began."""
WRONG_MS = BEGAN_MS - 400 * 24 * HOUR_MS
"""What its clock said then."""
Kind = TypeVar("Kind", bound=m.Body)


def of_kind(kind: type[Kind]) -> Kind:
    return next(body for body in sample.BODIES if isinstance(body, kind))


BEAT = of_kind(m.Heartbeat)
EPISODES = "SELECT start_ms, last_ms, end_ms, dated, box_start_ms, box_last_ms FROM episodes ORDER BY id"


class Life:
    """One boot of a box: true time is `began_ms` + mono; its clock says `clock_ms` + mono until it is set."""

    def __init__(self, boot: str, began_ms: int = BEGAN_MS, clock_ms: int = WRONG_MS, clock: m.Clock = "unset") -> None:
        self.boot = str(uuid.uuid5(uuid.NAMESPACE_OID, boot))
        self.began_ms, self.clock_ms, self.clock = began_ms, clock_ms, clock

    def set(self, clock_ms: int, clock: m.Clock) -> "Life":
        """The same boot, with the clock as it stands from now on."""
        later = Life("", self.began_ms, clock_ms, clock)
        later.boot = self.boot
        return later

    def says(self, body: m.Body, mono_ms: int, seq: int | None = None, late_ms: int = 40) -> Arrived:
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.boot}/{mono_ms}/{seq}"))
        made = dataclasses.replace(
            envelope(body, seq), id=name, boot_id=self.boot, mono_ms=mono_ms, wall_ms=self.clock_ms + mono_ms,
            clock=self.clock,
        )  # fmt: skip
        return Arrived(topic_of(body), codec.encode(made), False, self.began_ms + mono_ms + late_ms)

    def beats(self, mono_ms: int) -> Arrived:
        outbox = dataclasses.replace(BEAT.outbox, clips=1)
        return self.says(dataclasses.replace(BEAT, outbox=outbox), mono_ms)

    def started(self, at_ms: int, seq: int, episode: str = sample.EPISODE, late_ms: int = 40) -> Arrived:
        body = dataclasses.replace(of_kind(m.EpisodeStarted), episode=episode, start_ms=self.clock_ms + at_ms)
        return self.says(body, at_ms + 300, seq, late_ms)

    def updated(self, at_ms: int, seq: int) -> Arrived:
        return self.says(
            dataclasses.replace(of_kind(m.EpisodeUpdated), last_ms=self.clock_ms + at_ms), at_ms + 300, seq
        )

    def ended(self, at_ms: int, until_ms: int, seq: int, late_ms: int = 40) -> Arrived:
        times = {"start_ms": self.clock_ms + at_ms, "end_ms": self.clock_ms + until_ms}
        return self.says(dataclasses.replace(of_kind(m.EpisodeEnded), **times), until_ms + 1500, seq, late_ms)

    def clip(self, at_ms: int, seq: int) -> Arrived:
        times = {"first_frame_ms": self.clock_ms + at_ms, "first_frame_mono_ms": at_ms, "boot_id": self.boot}
        return self.says(dataclasses.replace(of_kind(m.ClipReady), **times), at_ms + 20_000, seq)


UNSET = Life("first")
SYNCED = UNSET.set(BEGAN_MS, "synced")
A_NIGHT = [UNSET.started(60_000, 1), UNSET.updated(64_000, 2), UNSET.ended(60_000, 69_000, 3), UNSET.clip(55_000, 4)]
CORRECTED = (
    BEGAN_MS + 60_000, BEGAN_MS + 69_000, BEGAN_MS + 69_000, "corrected", WRONG_MS + 60_000, WRONG_MS + 69_000,
)  # fmt: skip


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path)


def test_a_sync_that_comes_after_the_events_corrects_them_and_keeps_what_the_box_said(station: Station) -> None:
    station.intake.take(A_NIGHT)
    [(start_ms, _, _, dated, box_start_ms, _)] = station.rows_of(EPISODES)
    assert (start_ms, dated, box_start_ms) == (BEGAN_MS + 60_040, "uncertain", WRONG_MS + 60_000)
    before = station.rows("events", "seq", "wall_ms", "mono_ms")
    station.intake.take([SYNCED.beats(3_600_000)])
    assert station.rows_of(EPISODES) == [CORRECTED]
    clip = station.rows_of("SELECT first_frame_ms, box_first_frame_ms, dated FROM clips")
    assert clip == [(BEGAN_MS + 55_000, WRONG_MS + 55_000, "corrected")]
    assert station.rows("events", "seq", "wall_ms", "mono_ms") == before
    told = station.rows_of("SELECT kind, ref FROM changes ORDER BY id DESC LIMIT 2")
    assert set(told) == {("episode", sample.EPISODE), ("clip", sample.CLIP)}


def test_a_collector_that_was_restarted_in_between_corrects_all_the_same(station: Station) -> None:
    for message in [*A_NIGHT, SYNCED.beats(3_600_000)]:
        Intake(station.database, station.data).take([message])
    assert station.rows_of(EPISODES) == [CORRECTED]


TABLES = {
    "episodes": "id, start_ms, last_ms, end_ms, dated, earliest_ms, latest_ms, boot_id, box_start_ms, clock",
    "clips": "id, first_frame_ms, dated, box_first_frame_ms, clock",
    "boots": "box, boot_id, latest_offset_ms, last_mono_ms, outbox, first_seq",
    "camera_states": "camera, aspect, since_ms, box_since_ms",
}
EVERYTHING = [
    *A_NIGHT,
    UNSET.says(dataclasses.replace(of_kind(m.CameraState), since_ms=WRONG_MS + 90_000), 91_000, 5),
    SYNCED.started(4_000_000, 6, sample.CLIP),
    SYNCED.beats(3_600_000),
]


def tables(station: Station) -> dict[str, list[tuple[object, ...]]]:
    return {table: station.rows_of(f"SELECT {columns} FROM {table} ORDER BY 1, 2") for table, columns in TABLES.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(EVERYTHING), st.lists(st.sampled_from(EVERYTHING), max_size=4))
def test_in_any_order_and_any_number_of_times_the_dates_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[Arrived], again: list[Arrived]
) -> None:
    found = []
    for messages in (EVERYTHING, [*order, *again]):
        station = Station(tmp_path_factory.mktemp("order"))
        for message in messages:
            station.intake.take([message])
        found.append(tables(station))
        station.database.close()
    assert found[0] == found[1]
    assert found[0]["camera_states"][0][2] == BEGAN_MS + 90_000


@pytest.mark.parametrize("step_ms", [-5 * HOUR_MS, 7 * HOUR_MS], ids=["backwards", "forwards"])
def test_after_a_step_away_from_the_truth_the_offset_in_force_counts(station: Station, step_ms: int) -> None:
    stepped = SYNCED.set(BEGAN_MS + step_ms, "holdover")
    start = SYNCED.started(60_000, 1)
    station.intake.take([start, stepped.updated(64_000, 2), stepped.ended(60_000, 69_000, 3), stepped.clip(55_000, 4)])
    assert station.rows_of(EPISODES)[0][:4] == (BEGAN_MS + 60_000, BEGAN_MS + 69_000, BEGAN_MS + 69_000, "corrected")
    assert station.rows_of(EPISODES)[0][4] == BEGAN_MS + step_ms + 60_000
    assert station.rows_of("SELECT first_frame_ms FROM clips") == [(BEGAN_MS + 55_000,)]


def test_a_sync_in_the_middle_of_an_episode_does_not_tear_it_apart(station: Station) -> None:
    station.intake.take([UNSET.started(60_000, 1), SYNCED.updated(64_000, 2)])
    [(start_ms, last_ms, end_ms, dated, box_start_ms, _)] = station.rows_of(EPISODES)
    assert (start_ms, last_ms, end_ms) == (BEGAN_MS + 60_000, BEGAN_MS + 64_000, None)
    assert (dated, box_start_ms) == ("corrected", WRONG_MS + 60_000)
    station.intake.take([SYNCED.ended(60_000, 69_000, 3)])
    assert station.rows_of(EPISODES)[0][:4] == (BEGAN_MS + 60_000, BEGAN_MS + 69_000, BEGAN_MS + 69_000, "told")


def test_an_end_that_the_next_boot_told_is_dated_by_the_boot_that_it_was_in(station: Station) -> None:
    after = Life("second", BEGAN_MS + 5 * HOUR_MS, WRONG_MS)
    cut = dataclasses.replace(
        of_kind(m.EpisodeEnded), start_ms=WRONG_MS + 60_000, end_ms=WRONG_MS + 64_000, reason="cut",
        boot_id=UNSET.boot, start_mono_ms=60_000,
    )  # fmt: skip
    station.intake.take([UNSET.started(60_000, 1), SYNCED.beats(600_000), after.says(cut, 9_000, 2)])
    assert station.rows_of(EPISODES)[0][:4] == (BEGAN_MS + 60_000, BEGAN_MS + 64_000, BEGAN_MS + 64_000, "corrected")


def test_a_boot_that_was_never_synced_lies_between_its_neighbours(station: Station) -> None:
    """The box was offline all the time: everything arrives a day later, when only the third boot knows the time."""
    first = Life("one", BEGAN_MS - 30 * HOUR_MS, BEGAN_MS - 30 * HOUR_MS, "synced")
    second = Life("two", BEGAN_MS - 20 * HOUR_MS, WRONG_MS)
    third = Life("three", BEGAN_MS, BEGAN_MS, "synced")
    late = 24 * HOUR_MS
    station.intake.take(
        [
            first.started(HOUR_MS, 1, sample.CLIP, late_ms=40 * HOUR_MS),
            second.started(60_000, 2, late_ms=late),
            second.ended(60_000, 2 * HOUR_MS, 3, late_ms=late),
        ]
    )
    span = "SELECT earliest_ms, latest_ms, start_ms, dated FROM episodes WHERE dated <> 'told'"
    [(earliest_ms, latest_ms, start_ms, dated)] = station.rows_of(span)
    assert (earliest_ms, dated) == (first.began_ms + HOUR_MS + 300 + 60_000, "uncertain")
    assert latest_ms == start_ms == second.began_ms + 60_000 + late
    station.intake.take([third.beats(1_000), third.started(2_000, 4, sample.OUTBOX)])
    [(earliest_ms, latest_ms, start_ms, _)] = station.rows_of(span)
    assert earliest_ms == first.began_ms + HOUR_MS + 300 + 60_000
    assert latest_ms == start_ms == third.began_ms - (2 * HOUR_MS + 1500) + 60_000
    assert int(str(earliest_ms)) < second.began_ms + 60_000 < int(str(latest_ms))


def test_a_battery_backed_clock_is_believed_and_put_right_when_it_was_wrong(station: Station) -> None:
    held = UNSET.set(BEGAN_MS - HOUR_MS, "holdover")
    station.intake.take([held.started(60_000, 1)])
    assert station.rows_of(EPISODES)[0][:4] == (BEGAN_MS - HOUR_MS + 60_000, BEGAN_MS - HOUR_MS + 60_000, None, "told")
    station.intake.take([SYNCED.beats(90_000)])
    assert station.rows_of(EPISODES)[0][:4] == (BEGAN_MS + 60_000, BEGAN_MS + 60_000, None, "corrected")


def test_the_newest_word_on_a_camera_counts_though_its_clock_said_otherwise(station: Station) -> None:
    future = UNSET.set(BEGAN_MS + 900 * HOUR_MS, "unset")
    down = dataclasses.replace(of_kind(m.CameraState), since_ms=future.clock_ms + 5_000)
    up = dataclasses.replace(down, state="up", since_ms=BEGAN_MS + 60_000, reason=None)
    station.intake.take([future.says(down, 6_000, 1), SYNCED.says(up, 61_000, 2)])
    with station.database.read() as connection:
        [camera] = fleet.cameras_heard(connection)
    assert (camera.picture_bad, camera.picture_since_ms) == (False, BEGAN_MS + 60_000)


NIGHT = Rule(name="night", hours=(Hours(22 * 60, 5 * 60),))


def loop_of(station: Station, *rules: Rule) -> RulesLoop:
    return RulesLoop(station.database, rules, Grouping(), ZoneInfo("Asia/Ho_Chi_Minh"), Bell())


def test_a_correction_moves_the_incident_and_rings_nobody_again(station: Station) -> None:
    loop = loop_of(station)
    station.intake.take([UNSET.started(60_000, 1, late_ms=HOUR_MS)])
    loop.step(BEGAN_MS + HOUR_MS + 61_000)
    assert station.rows_of("SELECT rings, late_ms FROM alerts") == [(True, 0)]
    station.intake.take([SYNCED.beats(2 * HOUR_MS)])
    loop.step(BEGAN_MS + 2 * HOUR_MS + 1_000)
    assert station.rows_of("SELECT start_ms, last_ms FROM incidents") == [(BEGAN_MS + 60_000, BEGAN_MS + 60_000)]
    assert station.count("alerts") == 1
    station.intake.take([SYNCED.ended(60_000, 69_000, 2)])
    loop.step(BEGAN_MS + 2 * HOUR_MS + 2_000)
    assert station.count("alerts") == station.count("incidents") == 1


def test_what_turns_out_to_have_been_at_night_is_told_late_and_without_a_sound(station: Station) -> None:
    night = Life("night", NOW_MS + 5 * HOUR_MS, WRONG_MS)  # 02:13 in Viet Nam
    loop = loop_of(station, NIGHT)
    station.intake.take([night.started(60_000, 1, late_ms=10 * HOUR_MS)])
    loop.step(night.began_ms + 10 * HOUR_MS + 61_000)
    assert station.count("incidents") == 0
    station.intake.take([night.set(night.began_ms, "synced").beats(10 * HOUR_MS + 90_000)])
    loop.step(night.began_ms + 10 * HOUR_MS + 91_000)
    assert station.rows_of("SELECT start_ms FROM incidents") == [(night.began_ms + 60_000,)]
    assert station.rows_of("SELECT rings FROM alerts") == [(False,)]
