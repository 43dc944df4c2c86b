"""What the collector makes of messages: once, in any order, and whatever nonsense comes."""

import dataclasses
import itertools
import json
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.ingest.intake import Arrived, Outcome
from collector.store import ledger
from collector.store.missing import completeness_of
from tests.support import messages as sample
from tests.support.collector import JPEG, NOW_MS, Station, arrived, envelope, numbered
from vonggac.wire import codec, topics
from vonggac.wire import messages as m

OTHER = "tram-y-te-02"
EVENTS = [body for body in sample.BODIES if body.sequenced]
UP = [body for body in sample.BODIES if not isinstance(body, m.Receipt | m.Command)]
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path, sample.BOX, OTHER)


@pytest.mark.parametrize("body", UP, ids=lambda body: body.type)
def test_every_message_of_a_box_is_stored(station: Station, body: m.Body) -> None:
    message = arrived(body)
    outcome = station.intake.take([message])[0]
    assert outcome.box == sample.BOX
    if body.sequenced:
        assert outcome == Outcome("stored", sample.BOX, sample.OUTBOX, 412)
    assert station.count("kept_aside") == 0


def test_an_episode_is_what_its_messages_say(station: Station) -> None:
    station.intake.take(list(numbered(EVENTS[:3])))
    [row] = station.rows_of("SELECT camera, start_ms, last_ms, end_ms, reason, score, snapshot_sha256 FROM episodes")
    ended = EVENTS[2]
    assert isinstance(ended, m.EpisodeEnded)
    assert row == (f"{sample.BOX}/gate", ended.start_ms, ended.end_ms, ended.end_ms, "quiet", 0.86, sample.SHA)


def test_the_same_message_again_is_known_and_gets_its_receipt_again(station: Station) -> None:
    first = station.intake.take(list(numbered(EVENTS)))
    again = station.intake.take(list(numbered(EVENTS)))
    assert [outcome.verdict for outcome in first] == ["stored"] * len(EVENTS)
    assert [outcome.verdict for outcome in again] == ["known"] * len(EVENTS)
    assert [outcome.seq for outcome in again] == [outcome.seq for outcome in first]
    assert station.count("events") == len(EVENTS)


TABLES = ("events", "episodes", "clips", "camera_states", "losses", "sequences", "cameras")
UNORDERED = {"events": "id"}


def tables(station: Station) -> dict[str, set[str]]:
    found = {}
    for table in TABLES:
        rows = station.rows_of(f"SELECT * FROM {table}")
        found[table] = {repr(row[1:] if table in UNORDERED else row) for row in rows}
    return found


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    station = Station(tmp_path_factory.mktemp("order"), sample.BOX, OTHER)
    station.intake.take(list(numbered(EVENTS)))
    return tables(station)


@quick
@given(data=st.data())
def test_messages_in_any_order_any_number_of_times_lead_to_the_same_tables(
    tmp_path: Path, in_order: dict[str, set[str]], data: st.DataObject
) -> None:
    messages = list(numbered(EVENTS))
    order = data.draw(st.permutations(messages))
    repeated = order + data.draw(st.lists(st.sampled_from(messages), max_size=6))
    station = Station(Path(tempfile.mkdtemp(dir=tmp_path)), sample.BOX, OTHER)
    position = 0
    while position < len(repeated):
        size = data.draw(st.integers(1, 4))
        station.intake.take(repeated[position : position + size])
        position += size
    assert tables(station) == in_order
    station.database.close()


def test_an_episode_that_goes_on_grows_in_any_order(tmp_path: Path) -> None:
    updates: list[m.Body] = [
        m.EpisodeUpdated(
            episode=sample.EPISODE, camera="gate", last_ms=1_790_000_000_000 + at, box=box, zones=zones, score=score
        )
        for at, box, zones, score in (
            (1000, (0.1, 0.1, 0.2, 0.2), ("b",), 0.4),
            (2000, (0.3, 0.1, 0.4, 0.2), ("a",), 0.9),
            (3000, (0.1, 0.3, 0.2, 0.5), (), 0.2),
        )
    ]
    found = []
    for number, order in enumerate(([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1])):
        station = Station(tmp_path / str(number))
        messages = list(numbered([EVENTS[0], *updates]))
        for index in order:
            station.intake.take([messages[index]])
        found.append(tables(station)["episodes"])
    assert found[0] == found[1] == found[2]
    assert "[0.1, 0.1, 0.4, 0.75]" in next(iter(found[0]))


# --- refusals ----------------------------------------------------------------------------------------------------


def refused(station: Station, topic: str, payload: bytes) -> tuple[str, str]:
    outcome = station.intake.handle(topic, payload, False, NOW_MS)
    assert outcome == Outcome("kept_aside")
    return last_kept_aside(station)


def last_kept_aside(station: Station) -> tuple[str, str]:
    kind, reason = station.rows_of("SELECT kind, reason FROM kept_aside ORDER BY id DESC LIMIT 1")[0]
    return str(kind), str(reason)


def test_a_box_cannot_speak_for_another(station: Station) -> None:
    payload = codec.encode(envelope(EVENTS[0], 1, box=OTHER))
    assert refused(station, topics.up(sample.BOX, "event"), payload) == (
        "malformed",
        f"the envelope says box {OTHER}, the topic {sample.BOX}",
    )
    assert station.count("events") == 0


def test_a_box_cannot_change_anothers_episode_or_clip(station: Station) -> None:
    station.intake.take(list(numbered(EVENTS)))
    before = tables(station)["episodes"], tables(station)["clips"]
    for seq, body in enumerate((EVENTS[2], EVENTS[3]), 1):
        assert station.intake.take([arrived(body, seq, box=OTHER)]) == [
            Outcome("kept_aside", OTHER, sample.OUTBOX, seq)
        ]
        kind, reason = last_kept_aside(station)
        assert (kind, "belongs to" in reason) == ("foreign", True)
    assert (tables(station)["episodes"], tables(station)["clips"]) == before


def test_what_is_refused_in_a_batch_takes_no_other_with_it(station: Station) -> None:
    station.intake.take(list(numbered(EVENTS[:1])))
    news = dataclasses.replace(EVENTS[0], episode="01890a5d-ac96-774b-bcce-b302099a8058")
    foreign = arrived(EVENTS[0], 1, box=OTHER)  # the episode is the first box's
    outcomes = station.intake.take([arrived(news, 2), foreign, arrived(news, 2, box=OTHER), arrived(EVENTS[5], 3)])
    assert [outcome.verdict for outcome in outcomes] == ["stored", "kept_aside", "kept_aside", "stored"]
    assert [outcome.seq for outcome in outcomes] == [2, 1, 2, 3]  # each has its receipt
    assert station.count("episodes") == 2
    assert station.rows("sequences", "box", "first_seq", "last_seq") == [(sample.BOX, 1, 3), (OTHER, 1, 2)]


def test_a_batch_costs_the_database_the_same_however_many_events_it_holds(station: Station) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    def batch(first: int, count: int) -> int:
        asked.clear()
        bodies = [
            dataclasses.replace(EVENTS[0], episode=f"01890a5d-ac96-774b-bcce-{number:012d}")
            for number in range(first, first + count)
        ]
        station.intake.take([arrived(body, number) for number, body in enumerate(bodies, first)])
        return len(asked)

    batch(1, 1)
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert batch(2, 2) == batch(4, 100)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert station.count("episodes") == 103


def test_a_box_that_is_not_registered_gets_no_receipt_until_it_is(station: Station) -> None:
    message = arrived(EVENTS[0], 1, box="nha-moi-03")
    assert station.intake.take([message]) == [Outcome("kept_aside")]
    station.add("nha-moi-03")
    assert station.intake.take([message])[0].verdict == "stored"


def spoilt(seq: object = 7, **changes: object) -> bytes:
    """A sound event but for what is changed, at the envelope's top."""
    fields = json.loads(codec.encode(envelope(EVENTS[0], 7))) | {"seq": seq} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


EVENT_TOPIC = topics.up(sample.BOX, "event")
ODD_BODY = {"episode": "no uuid", "camera": "../gate"}


@pytest.mark.parametrize(
    "changes",
    [
        {"body": ODD_BODY},
        {"body": None},
        {"body": {"episode": "\0 \ud800"}},
        {"type": 5},
        {"v": None},
        {"id": "x", "boot_id": None, "wall_ms": -1, "mono_ms": "1", "clock": "stopped"},
        {"type": "heartbeat"},
    ],
    ids=["body", "no body", "no text", "type", "version", "envelope", "another topic's"],
)
def test_an_event_that_cannot_be_read_keeps_its_number_and_gets_its_receipt(
    station: Station, changes: dict[str, object]
) -> None:
    payload = spoilt(**changes)
    told = [station.intake.handle(EVENT_TOPIC, payload, False, NOW_MS + again) for again in range(2)]
    owed = Outcome("kept_aside", sample.BOX, sample.OUTBOX, 7)
    assert told == [owed, dataclasses.replace(owed, verdict="known")]
    [(kind, body)] = station.rows_of("SELECT type, CAST(body AS TEXT) FROM events")
    assert kind == "malformed"
    assert json.loads(str(body))["message"] == payload.decode()
    assert station.rows_of("SELECT first_seq, last_seq FROM sequences") == [(7, 7)]
    assert station.count("kept_aside") == 1
    assert station.counters() == {"kept_aside_malformed": 1}
    assert station.count("episodes") == 0


@pytest.mark.parametrize(
    "payload",
    [
        spoilt(None),
        spoilt(0),
        spoilt(True),
        spoilt(2**63),
        spoilt("7"),
        spoilt(body=ODD_BODY, outbox="x"),
        spoilt(box=OTHER),
        codec.encode(envelope(EVENTS[0], 7))[:-2],
        b"[" * 100_000,
        b"7",
    ],
    ids=["none", "zero", "true", "too large", "text", "outbox", "another box", "cut", "deep", "no object"],
)
def test_an_event_whose_number_cannot_be_read_gets_no_receipt(station: Station, payload: bytes) -> None:
    assert refused(station, EVENT_TOPIC, payload)[0] == "malformed"
    assert station.count("events") == 0


def test_an_unreadable_event_of_an_unregistered_box_waits_with_it(station: Station) -> None:
    payload = spoilt(body=ODD_BODY, box="nha-moi-03")
    assert refused(station, topics.up("nha-moi-03", "event"), payload)[0] == "malformed"
    station.add("nha-moi-03")
    told = station.intake.handle(topics.up("nha-moi-03", "event"), payload, False, NOW_MS)
    assert told == Outcome("kept_aside", "nha-moi-03", sample.OUTBOX, 7)


def test_the_sound_event_of_a_number_that_came_spoilt_is_taken_too(station: Station) -> None:
    station.intake.handle(EVENT_TOPIC, spoilt(body=ODD_BODY, id="x"), False, NOW_MS)
    assert station.intake.take([arrived(EVENTS[0], 7)])[0].verdict == "stored"
    assert station.count("episodes") == 1


def test_a_message_that_comes_again_from_a_new_outbox_is_one_row_of_what_it_tells(station: Station) -> None:
    """As a box sends it that read a corrupt outbox into a new one."""
    other_outbox = "01890a5d-0000-7000-8000-00000000000b"
    for body in EVENTS:
        first = envelope(body, 3)
        for each in (first, dataclasses.replace(first, outbox=other_outbox, seq=1)):
            [outcome] = station.intake.take([Arrived(EVENT_TOPIC, codec.encode(each), False, NOW_MS)])
            assert outcome.seq == each.seq
    assert station.count("kept_aside") == 0
    assert station.count("camera_states") == 2
    assert station.count("losses") == 1


def test_a_type_on_the_wrong_topic_is_malformed(station: Station) -> None:
    heartbeat = next(body for body in sample.BODIES if isinstance(body, m.Heartbeat))
    assert refused(station, topics.up(sample.BOX, "event"), codec.encode(envelope(heartbeat)))[0] == "malformed"


def test_an_event_of_a_later_version_keeps_its_place_and_its_body(station: Station) -> None:
    fields = json.loads(codec.encode(envelope(EVENTS[0], 7)))
    fields |= {"type": "drone_seen", "body": {"height_m": 30}}
    outcome = station.intake.handle(topics.up(sample.BOX, "event"), json.dumps(fields).encode(), False, NOW_MS)
    assert outcome == Outcome("stored", sample.BOX, sample.OUTBOX, 7)
    assert station.rows_of("SELECT type, CAST(body AS TEXT) FROM events") == [("drone_seen", '{"height_m": 30}')]
    assert station.counters() == {"unknown_type_events": 1}


def test_an_unknown_type_without_a_number_is_kept_aside(station: Station) -> None:
    payload = json.dumps({"v": 1, "type": "song", "body": {}}).encode()
    assert refused(station, topics.up(sample.BOX, "status"), payload)[0] == "unknown_type"
    assert refused(station, topics.up(sample.BOX, "event"), payload)[0] == "malformed"


def test_fields_of_a_later_version_are_kept(station: Station) -> None:
    fields = json.loads(codec.encode(envelope(EVENTS[0], 1)))
    fields["body"]["weather"] = "mưa"
    station.intake.handle(topics.up(sample.BOX, "event"), json.dumps(fields).encode(), False, NOW_MS)
    assert json.loads(str(station.rows_of("SELECT CAST(body AS TEXT) FROM events")[0][0]))["weather"] == "mưa"


def test_only_the_newest_thousand_are_kept_aside_and_only_their_beginning(station: Station) -> None:
    for start in range(0, 1200, 100):
        station.intake.take([Arrived("x", b"y" * 5000, False, start + n) for n in range(100)])
    assert station.count("kept_aside") == ledger.KEPT_ASIDE_ROWS
    assert station.counters() == {"kept_aside_malformed": 1200}
    assert station.rows_of("SELECT max(length(payload)), max(size_bytes) FROM kept_aside") == [(4096, 5000)]


GOLDEN = [codec.encode(envelope(body, 5 if body.sequenced else None)) for body in sample.BODIES]
TOPICS = [
    *(topics.up(sample.BOX, kind) for kind in ("status", "heartbeat", "event", "reply")),
    topics.snapshot(sample.BOX, sample.EPISODE),
    topics.snapshot(sample.BOX, "../../etc/passwd"),
    "vg/1/../up/event",
    "vg/2/x",
    "",
    "vg/1/nha-van-hoa-01/up/\0",
]


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """Random bytes, or a sound message with some bytes changed, cut out or put in."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=300))
    data = bytearray(draw(st.sampled_from(GOLDEN)))
    for _change in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=6))
    return bytes(data)


@st.composite
def oddly_typed(draw: st.DrawFn) -> bytes:
    """A sound message with one field, at any depth, made something else."""
    fields = json.loads(draw(st.sampled_from(GOLDEN)))
    where = draw(st.sampled_from([fields, fields["body"]]))
    if where:
        odd = st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just([]), st.just({}),
            st.just(10**40), st.just("\ud800"), st.just("\0"), st.just("../../x"), st.just([[]] * 50),
        )  # fmt: skip
        where[draw(st.sampled_from(sorted(where)))] = draw(odd)
    return json.dumps(fields).encode()


def kept_aside(station: Station) -> int:
    return sum(value for name, value in station.counters().items() if name.startswith("kept_aside_"))


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(topic=st.sampled_from(TOPICS), payload=st.one_of(hostile(), oddly_typed()), retained=st.booleans())
def test_nonsense_on_any_topic_is_counted_and_never_fatal(
    module_station: Station, topic: str, payload: bytes, retained: bool
) -> None:
    before = kept_aside(module_station)
    outcome = module_station.intake.handle(topic, payload, retained, NOW_MS)
    if outcome.verdict == "kept_aside":
        assert kept_aside(module_station) == before + 1
    assert {path.parts[-6] for path in module_station.data.rglob("*.jpg")} <= {"snapshots"}


@pytest.fixture(scope="module")
def module_station(tmp_path_factory: pytest.TempPathFactory) -> Station:
    return Station(tmp_path_factory.mktemp("hostile"), sample.BOX)


# --- pictures, status, heartbeats, numbers -----------------------------------------------------------------------


def test_a_snapshot_becomes_one_file_however_often_it_comes(station: Station) -> None:
    topic = topics.snapshot(sample.BOX, sample.EPISODE)
    first = station.intake.handle(topic, JPEG, False, NOW_MS)
    again = station.intake.handle(topic, JPEG, False, NOW_MS + 86_400_000)
    assert (first.verdict, again.verdict) == ("stored", "known")
    assert first.snapshot_sha256 == again.snapshot_sha256
    [path] = [path for path in station.data.rglob("*") if path.is_file()]
    assert path.read_bytes() == JPEG
    assert station.rows_of("SELECT path, size_bytes FROM snapshots") == [
        (str(path.relative_to(station.data)), len(JPEG))
    ]


@pytest.mark.parametrize("payload", [b"", b"GIF89a", JPEG + bytes(70_000)], ids=["empty", "no JPEG", "too large"])
def test_what_is_no_small_jpeg_is_no_snapshot(station: Station, payload: bytes) -> None:
    refused(station, topics.snapshot(sample.BOX, sample.EPISODE), payload)
    assert not list(station.data.rglob("*.jpg"))


def test_a_picture_of_an_unregistered_box_leaves_no_file(station: Station) -> None:
    refused(station, topics.snapshot("nha-moi-03", sample.EPISODE), JPEG)
    assert not list(station.data.rglob("*.jpg"))


def test_a_disk_that_refuses_pictures_does_not_hold_up_events(station: Station) -> None:
    (station.data / "snapshots").write_text("a file where the folder should be")
    outcomes = station.intake.take(
        [Arrived(topics.snapshot(sample.BOX, sample.EPISODE), JPEG, False, NOW_MS), arrived(EVENTS[0], 1)]
    )
    assert [outcome.verdict for outcome in outcomes] == ["refused", "stored"]
    assert outcomes[0].snapshot_sha256 is None


def test_birth_and_last_will_tell_whether_a_box_is_connected(station: Station) -> None:
    station.intake.take([arrived(UP[0])])
    assert station.rows_of("SELECT connected, agent_version FROM boxes WHERE id = 'nha-van-hoa-01'") == [(1, "0.1.0")]
    station.intake.take([arrived(UP[1])])
    assert station.rows_of("SELECT connected, offline_reason FROM boxes WHERE id = 'nha-van-hoa-01'") == [(0, "lost")]


def test_a_retained_birth_that_is_known_does_not_look_fresh(station: Station) -> None:
    birth = arrived(UP[0])
    station.intake.take([birth])
    station.intake.handle(birth.topic, birth.payload, True, NOW_MS + 999_000)
    assert station.rows_of("SELECT status_ms FROM boxes WHERE id = 'nha-van-hoa-01'") == [(NOW_MS,)]


def test_an_old_heartbeat_never_replaces_a_newer_one(station: Station) -> None:
    body = UP[2]
    for mono_ms, received_ms in ((2000, NOW_MS), (1000, NOW_MS + 5), (2000, NOW_MS + 6)):
        payload = codec.encode(envelope(body, mono_ms=mono_ms))
        station.intake.handle(topics.up(sample.BOX, "heartbeat"), payload, False, received_ms)
    assert station.rows_of("SELECT mono_ms, received_ms FROM heartbeats") == [(2000, NOW_MS)]
    assert station.count("heartbeat_history") == 1


@quick
@given(numbers=st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_the_ranges_of_numbers_are_exactly_those_that_came(tmp_path: Path, numbers: list[int]) -> None:
    station = Station(Path(tempfile.mkdtemp(dir=tmp_path)))
    station.intake.take([arrived(EVENTS[5], number) for number in numbers])
    with station.database.read() as connection:
        ranges = ledger.ranges_of(connection, sample.BOX)[sample.OUTBOX]
        known = completeness_of(connection, sample.BOX)[sample.BOX]
    here = {number for first, last in ranges for number in range(first, last + 1)}
    missing = {number for hole in known.missing for number in range(hole.first_seq, hole.last_seq + 1)}
    assert here == set(numbers)
    assert missing == set(range(1, max(numbers))) - here
    assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(ranges))
    station.database.close()


def test_a_number_that_is_used_twice_loses_no_event(station: Station) -> None:
    """A card restored from an image counts some numbers again: other events, other ids."""
    station.intake.take([arrived(EVENTS[0], 3)])
    restored = codec.encode(envelope(EVENTS[4], 3, id="01890a5d-d000-7000-8000-000000000fff"))
    outcome = station.intake.handle(topics.up(sample.BOX, "event"), restored, False, NOW_MS)
    assert (outcome.verdict, outcome.seq) == ("stored", 3)
    assert station.count("events") == 2
    assert station.counters() == {"numbers_used_twice": 1}


def test_an_event_pruned_from_the_ledger_is_still_known(station: Station) -> None:
    station.intake.take([arrived(EVENTS[0], 1)])
    with station.database.write() as connection:
        assert ledger.prune_events(connection, NOW_MS + 1) == 1
    assert station.intake.take([arrived(EVENTS[0], 1)])[0] == Outcome("known", sample.BOX, sample.OUTBOX, 1)
    assert station.count("events") == 0


def test_a_demoted_episode_is_kept_as_one_with_its_clip_in_whatever_order_its_messages_come(tmp_path: Path) -> None:
    told = EVENTS[:3]
    for turn, order in enumerate(itertools.permutations(range(3))):
        (folder := tmp_path / str(turn)).mkdir()
        station = Station(folder, sample.BOX, OTHER)
        demoted = [dataclasses.replace(body, kind="motion:demoted") for body in told]
        messages = list(numbered([*demoted, *EVENTS[3:4]]))
        for index in order:
            station.intake.take([messages[index]])
            assert station.rows_of("SELECT kind FROM episodes") == [("motion:demoted",)]  # at no moment one that rings
        station.intake.take([messages[3]])
        assert station.rows_of("SELECT episode FROM clips") == [(sample.EPISODE,)]


def test_an_update_of_an_older_box_that_comes_first_is_of_motion(station: Station) -> None:
    station.intake.take(list(numbered(EVENTS[1:2])))
    assert station.rows_of("SELECT kind FROM episodes") == [("motion",)]
