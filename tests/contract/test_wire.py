"""The contract: golden messages decode for ever, the reference is true, nothing hostile gets through or crashes."""

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.messages import BODIES, BOX, envelope
from vonggac.wire import codec, topics
from vonggac.wire.errors import MalformedMessage, UnknownType
from vonggac.wire.messages import BODIES as BODY_CLASSES
from vonggac.wire.messages import DemotedPlace, Heartbeat
from vonggac.wire.reference import reference

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_FILES = sorted(GOLDEN.glob("*/*.json"))
REFERENCE = Path(__file__).parents[2] / "docs" / "ref" / "wire.md"


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.type)
def test_a_message_is_the_same_after_its_way_over_the_wire(body):
    assert codec.decode(codec.encode(envelope(body))) == envelope(body)


def test_every_message_has_a_golden_file():
    assert {file.stem for file in (GOLDEN / "v1").glob("*.json")} == {cls.type for cls in BODY_CLASSES}


@pytest.mark.parametrize("file", GOLDEN_FILES, ids=lambda file: file.stem)
def test_golden_messages_of_every_release_decode(file):
    decoded = codec.decode(file.read_bytes())
    assert decoded == next(envelope(body) for body in BODIES if body.type == file.stem)


def test_the_reference_in_docs_is_what_the_code_says():
    assert REFERENCE.read_text(encoding="utf-8") == reference()


def _golden(name: str) -> dict:
    return json.loads((GOLDEN / "v1" / f"{name}.json").read_bytes())


MISTAKES = [
    (("v",), "1", "v: is missing or no positive whole number"),
    (("type",), None, "type: is missing or no text"),
    (("body",), [], "body: is missing or no object"),
    (("box",), "../etc", "box: must be 3–40 of a–z, 0–9 and -"),
    (("id",), "7", "id: is no UUID"),
    (("seq",), None, "seq, outbox: episode_started is sequenced and must carry both"),
    (("seq",), 0, "seq: counts from 1"),
    (("seq",), 2**70, "seq: must be a whole number of 64 bits"),
    (("wall_ms",), True, "wall_ms: must be a number"),
    (("wall_ms",), 1.5, "wall_ms: must be a whole number of 64 bits"),
    (("wall_ms",), -5, "wall_ms: must not be negative"),
    (("clock",), "maybe", "clock: must be one of synced, holdover, unset"),
    (("body", "camera"), "../../x", "body.camera: is no camera name"),
    (("body", "episode"), "x", "body.episode: is no UUID"),
    (("body", "score"), "0.3", "body.score: must be a number"),
    (("body", "score"), 10**400, "body.score: is out of range"),
    (("body", "box"), [0, 0, 1], "body.box: must have 4 items"),
    (("body", "box"), [0.5, 0, 0.1, 1], "body.box: must be [x0, y0, x1, y1] in 0..1"),
    (("body", "zones"), "door", "body.zones: must be a list of at most 4096"),
    (("body", "zones"), ["a\0b"], "body.zones[0]: holds a character that no text has"),
    (("body", "snapshot_sha256"), "00", "body.snapshot_sha256: is no SHA-256 in 64 hexadecimal digits"),
]


@pytest.mark.parametrize(("path", "value", "message"), MISTAKES, ids=[message[:40] for *_, message in MISTAKES])
def test_a_wrong_field_is_named(path, value, message):
    fields = _golden("episode_started")
    place = fields
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(MalformedMessage) as caught:
        codec.decode(json.dumps(fields).encode())
    assert str(caught.value) == message


def test_a_missing_field_is_named_and_an_unknown_one_ignored():
    fields = _golden("episode_started")
    fields["body"]["from_the_future"] = {"deep": [1]}
    fields["more"] = 1
    assert codec.decode(json.dumps(fields).encode()).body.camera == "gate"
    del fields["body"]["camera"]
    with pytest.raises(MalformedMessage, match=r"^body\.camera: is missing$"):
        codec.decode(json.dumps(fields).encode())


@pytest.mark.parametrize(("field", "value"), [("type", "episode_dreamt"), ("v", 2)])
def test_what_a_later_version_sends_is_unknown_but_not_broken(field, value):
    with pytest.raises(UnknownType):
        codec.decode(json.dumps(_golden("episode_started") | {field: value}).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"\xff\xfe", b"{", b'{"v":NaN}', b"[" * 60_000, b'{"v":1}' + b" " * 70_000, b"1" * 60_000],
    ids=["empty", "null", "list", "not UTF-8", "cut", "NaN", "deep", "long", "huge number"],
)
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(MalformedMessage):
        codec.decode(data)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda fields: fields.update(wall_ms=codec.LATEST_MS + 1), "wall_ms: lies too far ahead"),
        (lambda fields: fields["body"].update(start_ms=codec.MAX_INT), "body.start_ms: lies too far ahead"),
        (lambda fields: fields.update(type="\ud800"), "type: holds a character that no text has"),
        (lambda fields: fields["body"].update(later=float("inf")), "not JSON: Infinity is no JSON number"),
    ],
)
def test_what_nobody_could_reckon_with_or_keep_is_refused(change, why):
    (started,) = (body for body in BODIES if body.type == "episode_started")
    fields = json.loads(codec.encode(envelope(started)))
    change(fields)
    with pytest.raises(MalformedMessage, match=rf"^{why}$"):
        codec.decode(json.dumps(fields).encode())


def test_a_number_too_large_for_any_reader_is_refused_in_a_field_that_nobody_knows():
    (started,) = (body for body in BODIES if body.type == "episode_started")
    data = codec.encode(envelope(started)).replace(b'"body":{', b'"body":{"later":[1e999],')
    with pytest.raises(MalformedMessage, match="1e999 is too large for a number"):
        codec.decode(data)


def test_a_message_longer_than_the_wire_takes_is_never_made():
    (started,) = (body for body in BODIES if body.type == "episode_started")
    too_long = type(started)(**{**started.__dict__, "zones": ("x" * 4000,) * 20})
    with pytest.raises(ValueError, match="the wire takes 65536"):
        codec.encode(envelope(too_long))


@given(st.sampled_from(GOLDEN_FILES), st.data())
def test_mutated_golden_messages_decode_or_are_refused_but_never_crash(file, data):
    raw = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not raw:
            break
    try:
        decoded = codec.decode(bytes(raw))
    except MalformedMessage:
        return
    assert codec.decode(codec.encode(decoded)) == decoded


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(GOLDEN_FILES),
    st.data(),
)
def test_any_json_in_any_field_decodes_or_is_refused(value, file, data):
    fields = json.loads(file.read_bytes())
    place = data.draw(st.sampled_from([fields, fields["body"]]))
    if place:
        place[data.draw(st.sampled_from(sorted(place)))] = value
    with contextlib.suppress(MalformedMessage):
        codec.decode(json.dumps(fields).encode())


TOPICS = [
    (topics.up(BOX, "event"), topics.UpTopic(BOX, "event")),
    (topics.up(BOX, "heartbeat"), topics.UpTopic(BOX, "heartbeat")),
    (
        topics.snapshot(BOX, "01890a5d-ac96-774b-bcce-b302099a8057"),
        topics.UpTopic(BOX, "snapshot", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
]


@pytest.mark.parametrize(("topic", "parsed"), TOPICS)
def test_topics_read_back(topic, parsed):
    assert topics.parse_up(topic) == parsed


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "vg",
        "vg/1/a/up/event",
        "vg/2/box-1/up/event",
        "vg/1/box-1/down/receipt",
        "vg/1/box-1/up/event/x",
        "vg/1/box-1/up/snapshot",
        "vg/1/box-1/up/snapshot/../x",
        "vg/1/BOX/up/event",
        "vg/1/box-1/up/else",
        "vg/1/+/up/event",
        "$SYS/x",
    ],
)
def test_foreign_topics_are_refused(topic):
    with pytest.raises(MalformedMessage):
        topics.parse_up(topic)


def test_demoted_places_travel_with_a_camera():
    place = DemotedPlace(box=(0.0, 0.25, 0.5, 1.0), age_ms=4_000)
    [beat] = [body for body in BODIES if isinstance(body, Heartbeat)]
    camera = dataclasses.replace(beat.cameras[0], demoted=(place,))
    body = dataclasses.replace(beat, cameras=(camera,))
    assert codec.decode(codec.encode(envelope(body))).body == body
