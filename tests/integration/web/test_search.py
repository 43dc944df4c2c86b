"""Search by time, camera, zone, kind and outcome; calendar, the strip of a day, the wall, an episode's own page."""

import html
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.store import audit, desk
from collector.store.audit import Sought
from tests.integration.web.conftest import csrf_of
from tests.support.duty import NOW_MS

SCHOOL = "truong-tieu-hoc"
TIMES = re.compile(r'<time datetime="[^"]+">([^<]+)</time>')


@pytest.fixture
def look(sign_in, shift):
    """A search by an officer: the final page, and the address that it stood at."""
    browser = sign_in("lan")

    def search(**fields):
        answer = browser.get("/search", params=fields)
        address = "/search"
        if answer.status_code == 303:
            address = answer.headers["location"]
            answer = browser.get(address.partition("#")[0])
        assert answer.status_code == 200, answer.text
        return html.unescape(answer.text), address

    return search


def test_without_a_question_the_newest_stand_first(look):
    page, _ = look()
    times = TIMES.findall(page)
    assert len(times) == 9
    assert times[0] == "21/09/2026 21:13:14"


def test_a_typed_time_becomes_a_moment_in_the_address_and_the_nearest_is_marked(look):
    page, address = look(time="9h9 tối")
    assert address == "/search?day=2026-09-21&time=21%3A09#nearest"
    nearest = page.split('id="nearest"')[1].split("</li>")[0]
    assert TIMES.findall(nearest) == ["21/09/2026 21:09:10"]
    assert page.count('id="nearest"') == 1
    assert "Gần giờ này nhất" in nearest


def test_yesterday_is_a_day_in_the_address(look):
    page, address = look(time="hôm qua 14:35", camera=f"{SCHOOL}/hanh-lang")
    assert "day=2026-09-20" in address
    assert "time=14%3A35" in address
    assert "đợt gần nhất cách" in page


def test_a_time_that_is_not_understood_is_said_beside_the_form(look):
    page, _ = look(time="lúc chiều tà")
    assert "Không hiểu giờ đã gõ" in page
    assert 'aria-invalid="true"' in page
    assert 'value="lúc chiều tà"' in page
    assert TIMES.findall(page) == []


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"camera": f"{SCHOOL}/hanh-lang"}, 2),
        ({"camera": "cong"}, 2),
        ({"zone": "lối đi"}, 3),
        ({"zone": "lối"}, 0),
        ({"kind": "motion"}, 9),
        ({"kind": "tamper:covered"}, 0),
        ({"day": "2026-09-20"}, 2),
        ({"day": "20/09/2026"}, 2),
        ({"day": "hôm qua"}, 2),
        ({"camera": "nha-van-hoa-01/san", "zone": "sân trước"}, 1),
        ({"camera": "khong-co/camera"}, 0),
    ],
)
def test_what_is_asked_for_is_found_and_nothing_else(look, fields, count):
    page, _ = look(**fields)
    assert len(TIMES.findall(page)) == count


def test_an_outcome_finds_the_episodes_of_its_incidents(look, sign_in, shift):
    browser = sign_in("minh")
    headers = {"x-csrf-token": csrf_of(browser)}
    assert browser.post(f"/incidents/{shift[2]}/step", data={"do": "false"}, headers=headers).status_code == 303
    assert len(TIMES.findall(look(outcome="false")[0])) == 3
    assert len(TIMES.findall(look(outcome="false", camera="nha-van-hoa-01/san")[0])) == 3
    assert TIMES.findall(look(outcome="real")[0]) == []
    assert browser.post(f"/incidents/{shift[2]}/step", data={"do": "reopen"}, headers=headers).status_code == 303
    assert TIMES.findall(look(outcome="false")[0]) == []


def test_pages_follow_each_other_without_a_hole_in_both_directions(look, duty, shift):
    for number in range(100):
        duty.started(SCHOOL, "cong-truong", NOW_MS - 3_000_000 - number * 1_000, zones=("cổng",))
    fields, seen = {"camera": f"{SCHOOL}/cong-truong"}, []
    page, _ = look(**fields)
    while True:
        seen += TIMES.findall(page)
        older = re.search(r'href="/search[^"]*[?&]after=([\w-]+)"', page)
        assert len(seen) <= 101, older
        if older is None:
            break
        page, _ = look(after=older[1], **fields)
    assert len(seen) == len(set(seen)) == 101
    back = re.search(r'href="/search[^"]*[?&]before=([\w-]+)"', page)
    page, _ = look(before=back[1], **fields)
    times = TIMES.findall(page)
    assert times == seen[seen.index(times[0]) :][:40]


def test_the_calendar_tells_footage_from_word_alone(look):
    page, _ = look()
    days = dict(re.findall(r'<a href="[^"]*day=2026-09-(\d\d)[^"]*" class="(film|word)"', page))
    assert days == {"19": "word", "20": "film", "21": "film"}
    page, _ = look(camera="nga-ba-cho/duong-lon")
    assert dict(re.findall(r'day=2026-09-(\d\d)[^"]*" class="(film|word)"', page)) == {"21": "word"}
    assert "Tháng 08/2026" in look(month="2026-08")[0]
    assert "Tháng 09/2026" in look(month="2031-08")[0]


def test_the_strip_of_a_camera_shows_motion_and_gaps_in_words_too(look):
    page, _ = look(camera=f"{SCHOOL}/nha-xe", day="2026-09-21")
    assert page.count('data-watch="no_picture"') >= 5
    assert "Hộp không nhận được hình từ camera." in page
    assert "Camera không nhận tên đăng nhập hoặc mật khẩu" in page
    assert "refuses the user name or password: check both." in page
    hours = re.findall(r'class="unseen">(\d\d:00): ([^<]+)<', page)
    assert len(hours) == 24
    assert dict(hours)["22:00"] == "chưa đến"
    assert "không theo dõi" in dict(hours)["21:00"]


def test_programs_read_the_strip_as_288_buckets(sign_in, shift):
    browser = sign_in("hoa")
    told = browser.get(f"/api/v1/cameras/{SCHOOL}/nha-xe/day?day=2026-09-21").json()
    assert len(told["items"]) == 288
    assert told["judged"] is True
    watches = {item["watch"] for item in told["items"]}
    assert {"no_picture", "ahead"} <= watches
    assert browser.get(f"/api/v1/cameras/{SCHOOL}/nha-xe/day?day=21.9").status_code == 400
    assert browser.get(f"/api/v1/cameras/{SCHOOL}/khong-co/day").status_code == 404
    silent = browser.get("/api/v1/cameras/tram-y-te/loi-vao/day").json()
    assert silent["judged"] is False
    assert {item["watch"] for item in silent["items"]} == {"unknown", "ahead"}


def test_programs_search_by_zone_kind_and_outcome(sign_in, shift):
    browser = sign_in("lan")
    assert len(browser.get("/api/v1/episodes", params={"zone": "lối đi"}).json()["items"]) == 3
    assert browser.get("/api/v1/episodes", params={"kind": "tamper:black"}).json() == {"items": [], "next": None}
    assert browser.get("/api/v1/episodes", params={"outcome": "perhaps"}).status_code == 400


def test_an_episode_that_nobody_was_told_of_has_a_page_of_its_own(sign_in, duty, shift):
    episode = duty.started(SCHOOL, "cong-truong", NOW_MS - 9_000)
    browser = sign_in("lan")
    page = browser.get(f"/episodes/{episode}")
    assert page.status_code == 200
    assert "Không ai được báo về đợt này" in page.text
    assert f'href="/episodes/{episode}"' in browser.get("/search").text
    with duty.database.read() as connection:
        member = desk.find_incident(connection, shift[1]).episodes[0].id
    led = browser.get(f"/episodes/{member}")
    assert (led.status_code, led.headers["location"]) == (303, f"/incidents/{shift[1]}?episode={member}")


def test_the_wall_shows_each_camera_with_its_latest_picture_and_state(sign_in, duty, shift):
    page = sign_in("lan").get("/cameras").text
    with duty.database.read() as connection:
        newest = desk.find_incident(connection, shift[0]).episodes[0]
    of_gate = page.split('id="camera-nha-van-hoa-01-cong"')[1].split("</li>")[0]
    assert newest.snapshot in of_gate
    assert "Hoạt động" in of_gate
    dead = page.split('id="camera-nga-ba-cho-duong-lon"')[1].split("</li>")[0]
    assert "Không kết nối được" in dead
    assert "Chưa có ảnh nào" in dead


def test_an_incident_shows_what_the_other_cameras_of_the_site_saw(sign_in, duty, shift):
    with duty.database.read() as connection:
        at_ms = desk.find_incident(connection, shift[1]).start_ms
    duty.started(SCHOOL, "hanh-lang", at_ms + 3_000)
    page = sign_in("lan").get(f"/incidents/{shift[1]}").text.split('id="beside"')[1].split("</section>")[0]
    assert re.findall(r"<b>([\w-]+)</b>\s*<small>([^<]+)</small>", page) == [
        ("hanh-lang", "sau đó 3 giây"), ("nha-xe", "mất hình"),
    ]  # fmt: skip


@given(fields=st.dictionaries(st.sampled_from(["time", "day", "camera", "zone", "month"]), st.text(max_size=30)))
@settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_no_search_is_too_strange(sign_in, shift, duty, fields):
    if "strange" not in BROWSER:
        BROWSER["strange"] = (duty, sign_in("lan"))
    browser = BROWSER["strange"][1] if BROWSER["strange"][0] is duty else sign_in("lan")
    answer = browser.get("/search", params=fields)
    assert answer.status_code in (200, 303, 400)
    if answer.status_code == 303:
        assert browser.get(answer.headers["location"].partition("#")[0]).status_code == 200


BROWSER = {}


def test_searching_leaves_no_line_in_the_log_but_looking_at_pictures_does(sign_in, duty, shift):
    sign_in("lan").get("/search", params={"camera": f"{SCHOOL}/nha-xe"})
    with duty.database.read() as connection:
        assert audit.list_lines(connection, Sought(action="view", limit=9)) == []
