"""Whatever is sent, nothing answers with a mistake of ours: Schemathesis on the API, Hypothesis on pages and forms."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from collector.store import desk
from collector.web.app import ROUTES, build_app
from tests.integration.web.conftest import CLIP, csrf_of, try_login
from tests.support.clock import FakeClock
from tests.support.duty import NOW_MS, QUICK_PASSWORDS, Duty, a_whole_shift
from tests.support.web_server import VIETNAM

DOCUMENT = yaml.safe_load((Path(__file__).resolve().parents[3] / "docs/ref/openapi.yaml").read_text(encoding="utf-8"))
FEW = settings(
    max_examples=30, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


class Post:
    """A shift that is written to by every example, an application over it, and an administrator's browser."""

    def __init__(self, folder: Path) -> None:
        self.duty = Duty(folder)
        incidents = a_whole_shift(self.duty, CLIP)
        self.token = self.duty.token("administrator")
        self.app = build_app(self.duty.database, folder, VIETNAM, None, FakeClock(NOW_MS), passwords=QUICK_PASSWORDS)
        self.browser = self.client()
        assert try_login(self.browser, "thu").status_code == 303
        self.csrf = csrf_of(self.browser)
        with self.duty.database.read() as connection:
            found = desk.find_incident(connection, incidents[1])
        episode = found.episodes[0]
        self.things = [found.id, episode.id, episode.clips[0].id, episode.snapshot, episode.box, found.camera]

    def client(self) -> TestClient:
        return TestClient(self.app, base_url="http://desk.test", follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory):
    made = Post(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.duty.database.close()


def test_the_description_names_every_route_of_the_api_and_no_other():
    told = {(method.upper(), path) for path, ways in DOCUMENT["paths"].items() for method in ways}
    assert told == {(entry.method, entry.path) for entry in ROUTES if entry.path.startswith("/api/")}


def test_schemathesis_finds_no_mistake_of_ours(post):
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.checks import not_a_server_error

    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.app = post.app
    headers = {"authorization": f"Bearer {post.token}"}
    tried = 0
    for each in schema.get_all_operations():
        operation = each.ok()
        modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
        for mode in modes:
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except ValueError:
                continue  # nothing about it can be wrong

            @FEW
            @given(case=strategy)
            def try_it(case):
                nonlocal tried
                tried += 1
                case.call_and_validate(headers=headers, checks=[not_a_server_error])

            try_it()
    assert tried > 300


NAMES = st.sampled_from(
    [
        "camera",
        "zone",
        "for",
        "from",
        "to",
        "hours",
        "reason",
        "incident",
        "next",
        "do",
        "note",
        "kind",
        "ref",
        "command",
        "text",
        "name",
        "password",
        "form",
        "language",
        "month",
        "day",
        "days",
        "time",
        "after",
        "before",
        "state",
        "box",
        "who",
        "action",
        "outcome",
        "episode",
        "x",
        "y",
        "commune",
        "severity",
        "channels",
        "id",
        "cameras",
    ]
)
ODD = st.sampled_from(
    ["", "1", "-1", "all", "8h", "24:00", "9" * 30, "false", "hand_over", "site:/", "commune:", "camera:a/b", "box:",
     "site:Xã Hòa Bình/Trường tiểu học Hòa Bình", "/", "//evil", "2026-02-30", "hôm qua 25:61", "0001-01-01", "\u202e",
     "%00", "../../etc/passwd", "a" * 5000, "=1+1", "{}", "[]", "W10", "WzEsMl0", "WyJhIiwxXQ", "vi", "1e309", "nan"]
)  # fmt: skip


def values(post):
    return st.one_of(ODD, st.sampled_from(post.things), st.text(max_size=40))


def address(data, post, path):
    """The path with an id that is there, one that is not, or none at all."""

    def filled(_found):
        text = data.draw(st.one_of(st.sampled_from(post.things), st.text(min_size=1, max_size=20)))
        return re.sub(r"[^A-Za-z0-9._-]", lambda odd: "".join(f"%{byte:02X}" for byte in odd[0].encode()), text)

    return re.sub(r"\{\w+\}", filled, path)


SITE = "Xã Hòa Bình/Trường tiểu học Hòa Bình"
CAMERA = "truong-tieu-hoc/nha-xe"
SOUND = {  # what each form takes: one field at a time is made wrong, or left out
    "/incidents/{id}/step": {"do": ["real", "false", "close", "reopen", "hand_over"], "note": ["mưa"], "to": ["minh"]},
    "/mutes": {
        "camera": [CAMERA], "zone": ["cổng", ""], "for": ["8h", "30d"], "from": ["21:00"], "to": ["05:00"],
        "hours": ["all", "some"], "reason": ["mưa"],
    },
    "/maintenance": {
        "kind": [f"site:{SITE}", "box:truong-tieu-hoc", "commune:Xã Hòa Bình"], "for": ["1h", "7d"], "note": [""],
    },
    "/boxes/{id}/command": {"command": ["snapshot", "ping", "restart"], "camera": ["nha-xe", "cong-truong"]},
    "/boxes/{id}/visits": {"text": ["thay nguồn"]},
    "/clips/{id}/delete": {"reason": ["chủ nhà yêu cầu"]},
    "/language": {"language": ["vi", "en"], "next": ["/boxes"]},
    "/rules": {
        "name": ["đêm"], "cameras": [CAMERA, ""], "zones": ["cổng"], "from": ["21:00"], "from_sun": ["", "sunset"],
        "to": ["05:00"], "mon": ["on"], "holiday2": ["", "on"], "to2": ["", "8:00"], "size": ["2", ""],
        "dwell": ["5", ""], "score": ["", "0,5"], "calm": ["", "0"], "rings": ["12"], "tell:screen": ["on"],
        "escalate": ["", "screen"], "after": ["3", ""],
        "kind": ["", "motion"], "severity": ["normal"],
    },
    "/map/pins": {"camera": [CAMERA], "x": ["0,5"], "y": ["0.5"], "do": ["place", "remove"]},
}  # fmt: skip
PAGES = [entry for entry in ROUTES if entry.path not in ("/logout", "/login")]


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: f"{entry.method} {entry.path}")
def test_no_form_and_no_query_finds_a_mistake_of_ours(post, entry):
    sound = SOUND.get(entry.path.removeprefix("/api/v1"), {}) if entry.method == "POST" else {}

    @FEW
    @given(st.data())
    def try_it(data):
        fields = {name: data.draw(st.sampled_from(told)) for name, told in sound.items()}
        if sound:
            wrong = data.draw(st.sampled_from(sorted(sound)))
            fields[wrong] = data.draw(values(post))
            fields = {name: text for name, text in fields.items() if name != data.draw(st.sampled_from([None, *sound]))}
        else:
            fields = data.draw(st.dictionaries(NAMES, values(post), max_size=6))
        path = address(data, post, entry.path)
        if entry.method == "GET":
            answer = post.browser.get(path, params=fields)
        else:
            answer = post.browser.post(path, data=fields, headers={"x-csrf-token": post.csrf})
        assert answer.status_code < 500, (path, fields, answer.text[:500])

    try_it()


@FEW
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from(["application/x-www-form-urlencoded", "application/json", "multipart/form-data", ""]),
    headers=st.dictionaries(
        st.sampled_from(["origin", "sec-fetch-site", "cookie", "authorization", "last-event-id", "range", "accept"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    ),
)
def test_no_body_and_no_header_finds_a_mistake_of_ours(post, body, kind, headers):
    client = post.client()
    for path in ("/login", "/mutes", "/language", "/logout", f"/incidents/{post.things[0]}/step"):
        answer = client.post(path, content=body, headers={**headers, "content-type": kind})
        assert answer.status_code < 500, (path, answer.text[:500])
