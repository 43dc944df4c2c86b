"""The page of alert rules, and what a rule made there does; the first steps of an empty server."""

import html
import re
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from collector.alerts.bell import Bell
from collector.alerts.calendar import Calendar
from collector.alerts.incidents import Grouping
from collector.alerts.loop import RulesLoop
from collector.alerts.rules import Hours, Rule, SunTime
from collector.alerts.sky import Sky
from collector.alerts.stored_rules import from_json
from collector.store import audit, desk, rules, users
from collector.store.audit import Sought
from collector.store.reach import Reach, Spot
from collector.store.users import Standing
from collector.web.app import build_app
from collector.web.desk import WebSettings
from tests.integration.web.conftest import csrf_of, try_login
from tests.support.duty import QUICK_PASSWORDS, a_heartbeat

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SCHOOL = "truong-tieu-hoc"
CALENDAR = Calendar(frozenset({date(2027, 2, 5)}), Sky(21.0, 105.8, ZONE))
CONFIGURED = Rule(name="ban đêm ở trường", cameras=("truong-*/*",), hours=(Hours(1260, 300),), channels=("điện thoại",))
GOOD = {"name": "cổng chợ", "cameras": "nga-ba-cho/*", "zones": "làn xe, vỉa hè", "severity": "high", "from": "21:00",
        "to": "5:00", "sat": "on", "sun": "on", "kind": "motion", "tell:điện thoại": "on", "escalate": "duty-next",
        "after": "5", "escalate2": "điện thoại", "after2": "9", "size": "3", "dwell": "4"}  # fmt: skip
NIGHT = {"name": "đêm", "from_sun": "sunset", "from": "-30", "to_sun": "sunrise", "holiday": "on", "from2": "12:00",
         "to2": "13:30", "mon2": "on", "kind": "tamper:covered", "tell:duty": "on", "score": "0,5", "calm": "0",
         "rings": "100"}  # fmt: skip


@pytest.fixture
def browse(duty, shift, clock):
    """Browsers of a server whose configuration has a rule and a channel."""
    channels = ("screen", "điện thoại", "duty", "duty-next")
    settings = WebSettings(zone=ZONE, rules=(CONFIGURED,), channels=channels, calendar=CALENDAR)
    app = build_app(duty.database, duty.folder, settings, None, clock, passwords=QUICK_PASSWORDS)

    def sign(name):
        browser = TestClient(app, base_url="http://desk.test", follow_redirects=False, raise_server_exceptions=False)
        assert try_login(browser, name).status_code == 303
        browser.headers["x-csrf-token"] = csrf_of(browser)
        return browser

    return sign


def kept(duty):
    with duty.database.read() as connection:
        return rules.list_rules(connection)


def test_the_configured_rules_are_there_to_read_and_only_administrators_get_a_form(browse):
    page = html.unescape(browse("lan").get("/rules").text)
    assert "ban đêm ở trường" in page
    assert "21:00–05:00" in page
    assert f"{SCHOOL}/cong-truong" in page
    assert 'action="/rules"' not in page
    assert 'action="/rules"' in browse("thu").get("/rules").text


def test_a_rule_is_made_changed_and_removed_and_each_is_noted(browse, duty):
    browser = browse("thu")
    assert browser.post("/rules", data=GOOD).status_code == 303
    [row] = kept(duty)
    assert row.body == {
        "cameras": ["nga-ba-cho/*"], "zones": ["làn xe", "vỉa hè"], "kinds": ["motion"],
        "hours": [[1260, 300, [5, 6], False]], "min_score": None, "min_size": 0.03, "min_dwell_s": 4.0,
        "cool_down_s": 60.0, "rings_an_hour": 12, "severity": "high", "channels": ["screen", "điện thoại"],
        "escalate": [[300.0, ["duty-next"]], [540.0, ["điện thoại"]]],
    }  # fmt: skip
    form = html.unescape(browser.get(f"/rules?edit={row.id}").text)
    fields = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', form.split('id="form"')[1]))
    assert fields.items() >= {"id": row.id, "name": "cổng chợ", "from": "21:00", "to": "05:00", "after": "5"}.items()
    assert browser.post("/rules", data=GOOD | {"id": row.id, "name": "chợ"}).status_code == 303
    assert [(each.id, each.name) for each in kept(duty)] == [(row.id, "chợ")]
    assert browser.post(f"/rules/{row.id}/remove").status_code == 303
    assert kept(duty) == []
    with duty.database.read() as connection:
        lines = audit.list_lines(connection, Sought(action="configure"))
    assert [line.detail["rule"] for line in lines] == ["removed", "changed", "made"]


@pytest.mark.parametrize(
    ("field", "text", "word"),
    [
        ("name", " ", "đặt tên"),
        ("name", "ban đêm ở trường", "Đã có quy tắc tên này"),
        ("cameras", "khong-co/*", "tên camera không đúng"),
        ("cameras", "nga-ba-cho", "tên camera không đúng"),
        ("cameras", "[a]/*", "tên camera không đúng"),
        ("from", "25:00", "Giờ không đúng"),
        ("to", "21:00", "Giờ không đúng"),
        ("from_sun", "sunset", "số phút, nhiều nhất 720"),
        ("tell:đài phát thanh", "on", "Không có kênh"),
        ("escalate", "đài phát thanh", "Không có kênh"),
        ("score", "2", "từ 0 đến 1"),
        ("calm", "mãi", "số giây từ 0"),
        ("after", "mãi", "số phút"),
        ("size", "101", "phần trăm"),
        ("dwell", "²", "số giây"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_and_nothing_typed_is_lost(browse, duty, field, text, word):
    answer = browse("thu").post("/rules", data=GOOD | {field: text})
    page = html.unescape(answer.text)
    assert answer.status_code == 400
    assert word in page
    assert 'value="làn xe, vỉa hè"' in page
    assert kept(duty) == []


def test_a_rule_made_on_the_page_says_all_that_one_of_the_configuration_can(browse, duty):
    browser = browse("thu")
    assert browser.post("/rules", data=NIGHT).status_code == 303
    [row] = kept(duty)
    [night, noon] = from_json(row.name, row.body, None, CALENDAR).hours
    sky, nothing = CALENDAR.sky, frozenset()
    by_the_sun = {"start_sun": SunTime("sunset", sky, -30), "end_sun": SunTime("sunrise", sky)}
    assert night == Hours(1080, 360, nothing, CALENDAR.holidays, **by_the_sun)
    assert noon == Hours(720, 810, frozenset({0}))
    assert (row.body["kinds"], row.body["channels"]) == (["tamper:covered"], ["screen", "duty"])
    assert (row.body["min_score"], row.body["cool_down_s"], row.body["rings_an_hour"]) == (0.5, 0.0, 100)
    page = html.unescape(browser.get(f"/rules?edit={row.id}").text)
    assert "mặt trời lặn -30 phút–mặt trời mọc" in page
    assert "người đang trực" in page
    form = page.split('id="form"')[1].split("</form>")[0]
    fields = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', form))
    fields |= dict.fromkeys(re.findall(r'<input type="checkbox" name="([^"]+)" checked', form), "on")
    chosen = r'<select[^>]* name="(\w+)"(?:(?!</select>).)*?value="([^"]+)" selected'
    fields |= dict(re.findall(chosen, form))
    fields.pop("csrf")
    assert browser.post("/rules", data=fields).status_code == 303, "what the form shows is what was kept"
    assert [each.body for each in kept(duty)] == [row.body]


@pytest.mark.parametrize(
    ("field", "text", "word"), [("from_sun", "sunset", "vị trí của xã"), ("holiday", "on", "ngày lễ")]
)
def test_without_a_place_and_holidays_neither_is_offered_nor_taken(sign_in, duty, shift, field, text, word):
    browser = sign_in("thu")
    assert f'name="{field}"' not in browser.get("/rules").text
    browser.headers["x-csrf-token"] = csrf_of(browser)
    answer = browser.post("/rules", data={"name": "đêm", field: text})
    assert answer.status_code == 400
    assert word in html.unescape(answer.text)


def test_rules_of_an_earlier_version_are_read():
    body = {
        "cameras": [], "zones": [], "kinds": [], "hours": [[1260, 300, [5, 6]]], "min_size": None, "min_dwell_s": None,
        "severity": "high", "channels": ["screen"], "escalate": [],
    }  # fmt: skip
    assert from_json("chợ", body) == Rule(name="chợ", hours=(Hours(1260, 300, frozenset({5, 6})),), severity="high")


def test_a_reach_of_some_communes_makes_rules_for_their_boxes_alone(browse, duty):
    duty.box("nha-rong-09", "Nhà rông", ("san",), commune="Xã Tân Lập")
    with duty.database.write() as connection:
        users.change_user(connection, "thu", "administrator", Standing(Reach((Spot("Xã Hòa Bình"),))))
    browser = browse("thu")
    for cameras in ("", "*/san", "nha-*/san", "nha-rong-09/san", "nha-van-hoa-01/san nha-rong-09/san"):
        assert browser.post("/rules", data=GOOD | {"cameras": cameras}).status_code == 400, cameras
    assert browser.post("/rules", data=GOOD | {"cameras": "nha-van-hoa-01/*"}).status_code == 303
    assert len(kept(duty)) == 1


def test_a_rule_made_on_the_page_holds_from_the_next_episode_on(browse, duty):
    loop = RulesLoop(duty.database, (Rule(name="không bao giờ", cameras=("x/y",)),), Grouping(), ZONE, Bell())
    while loop.step(duty.now_ms):
        pass
    before = duty.started("nga-ba-cho", "duong-lon", duty.now_ms)
    loop.step(duty.now_ms)
    assert browse("thu").post("/rules", data={"name": "chợ", "cameras": "nga-ba-cho/*"}).status_code == 303
    after = duty.started("nga-ba-cho", "duong-lon", duty.now_ms + 500_000)
    loop.step(duty.now_ms + 500_000)
    with duty.database.read() as connection:
        assert desk.incident_of_episode(connection, before) is None
        incident = desk.find_incident(connection, desk.incident_of_episode(connection, after))
    assert incident.rule == "chợ"


def steps(page):
    return re.findall(r'<li class="panel( done| next|)"', page)


def test_an_empty_server_leads_from_its_first_page_to_a_first_camera(sign_in, duty):
    duty.people()
    with duty.database.write() as connection:
        for name in ("lan", "minh"):
            users.disable_user(connection, name, duty.now_ms)
    browser = sign_in("thu")
    assert 'href="/start"' in browser.get("/").text
    page = browser.get("/start").text
    assert steps(page) == [" next", "", "", "", ""]
    assert "collector box add" in page
    duty.box("hop-1", "Nhà văn hóa", ("cong",))
    assert steps(browser.get("/start").text) == [" done", " next", "", "", ""]
    duty.heartbeat("hop-1", a_heartbeat(("cong",)))
    assert steps(browser.get("/start").text) == [" done", " done", " done", " next", ""]
    duty.started("hop-1", "cong", duty.now_ms)
    assert steps(browser.get("/start").text) == [" done", " done", " done", " done", " next"]
    assert 'href="/start"' not in browser.get("/").text
