"""Mutes at the desk: always with an end, for one place, noted, lifted again."""

import pytest

from collector.store import audit, mutes
from collector.store.audit import Sought
from tests.integration.web.conftest import csrf_of

CAMERA = "truong-tieu-hoc/cong-truong"


@pytest.fixture
def mute(sign_in, shift):
    browser = sign_in("lan")
    token = csrf_of(browser)

    def ask(**fields):
        return browser.post("/mutes", data={"camera": CAMERA, "for": "7d", "csrf": token} | fields)

    return ask


def kept(duty):
    with duty.database.read() as connection:
        return mutes.list_mutes(connection, 0)


def test_a_mute_keeps_who_what_until_when_and_of_which_false_alarm(mute, shift, duty):
    answer = mute(zone="sân trước", **{"from": "21:00", "to": "05h30"}, reason=" cành  cây ", incident=shift[1])
    assert (answer.status_code, answer.headers["location"]) == (303, "/mutes")
    [one] = kept(duty)
    assert (one.camera, one.zone, one.from_minute, one.to_minute) == (CAMERA, "sân trước", 21 * 60, 5 * 60 + 30)
    assert (one.start_ms, one.until_ms - one.start_ms) == (duty.now_ms, 7 * 86_400_000)
    assert (one.who, one.reason, one.incident) == ("lan", "cành cây", shift[1])
    with duty.database.read() as connection:
        [line] = audit.list_lines(connection, Sought(action="mute"))
    assert (line.who, line.camera, line.incident) == ("lan", CAMERA, shift[1])
    assert line.detail == {
        "zone": "sân trước",
        "until": "28/09/2026 21:13:20",
        "hours": "21:00–05:30",
        "reason": "cành cây",
    }


@pytest.mark.parametrize(
    ("fields", "status", "where"),
    [
        ({"for": ""}, 400, "for"),
        ({"for": "forever"}, 400, "for"),
        ({"from": "21:00"}, 400, "from"),
        ({"from": "25:00", "to": "05:00"}, 400, "from"),
        ({"from": "24:00", "to": "05:00"}, 400, "from"),
        ({"from": "05:00", "to": "05:00"}, 400, "from"),
        ({"camera": "nha-khac/san"}, 404, "camera"),
        ({"camera": ""}, 404, "camera"),
    ],
)
def test_a_mute_without_an_end_or_of_nothing_is_refused(mute, duty, fields, status, where):
    answer = mute(**fields)
    assert (answer.status_code, answer.json()["where"]) == (status, where)
    assert kept(duty) == []


def test_all_hours_win_over_the_times_that_stand_beside_them(mute, duty):
    mute(**{"hours": "all", "from": "21:00", "to": "22:00"})
    assert (kept(duty)[0].from_minute, kept(duty)[0].zone) == (None, None)


def test_a_mute_names_only_an_incident_of_its_own_camera(mute, duty, shift):
    mute(incident=shift[0])
    mute(incident="nonsense")
    assert [one.incident for one in kept(duty)] == [None, None]


def test_a_mute_is_lifted_once_and_shown_as_over(mute, sign_in, duty, clock):
    mute()
    [one] = kept(duty)
    browser = sign_in("minh")
    for _ in range(2):
        clock.advance(60_000)
        answer = browser.post(f"/mutes/{one.id}/lift", data={"csrf": csrf_of(browser)})
        assert answer.status_code == 303
    [one] = kept(duty)
    assert (one.lifted_by, one.until_ms) == ("minh", duty.now_ms + 60_000)
    with duty.database.read() as connection:
        assert [line.who for line in audit.list_lines(connection, Sought(action="lift_mute"))] == ["minh"]
    page = browser.get("/mutes").text
    assert "minh đã bỏ sớm" in page
    assert "/lift" not in page
    assert browser.post("/mutes/x/lift", data={"csrf": csrf_of(browser)}).status_code == 404


def test_a_mute_that_has_ended_leaves_the_page_after_a_week(mute, sign_in, clock):
    mute(**{"for": "8h"})
    browser = sign_in("hoa")
    assert CAMERA in browser.get("/mutes").text
    assert "/lift" not in browser.get("/mutes").text  # auditors change nothing
    clock.advance(8 * 3_600_000 + 7 * 86_400_000 + 1)
    assert CAMERA not in sign_in("hoa").get("/mutes").text
