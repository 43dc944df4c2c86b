"""What the desk leaves in the audit log, and the page on which an auditor reads it."""

import pytest

from collector.store import audit
from collector.store.audit import Sought
from collector.web.auditing import ONE_VIEW_MS
from tests.integration.web.conftest import CLIP, csrf_of, try_login


@pytest.fixture
def lines(duty):
    """A function: the log's lines, oldest first, that fit."""

    def read(**sought):
        with duty.database.read() as connection:
            assert list(audit.verify(connection)) == []
            return audit.list_lines(connection, Sought(**sought))[::-1]

    return read


def parts_of(browser, incident):
    episode = browser.get(f"/api/v1/incidents/{incident}").json()["episodes"][0]
    return episode["clips"][0]["url"], episode["snapshot"]


def test_signing_in_failing_and_signing_out_are_lines(client, shift, lines):
    try_login(client, "lan", "not the password")
    try_login(client, "Lan")
    client.post("/logout", data={"csrf": csrf_of(client)})
    assert [(line.action, line.who, line.by, line.role) for line in lines()] == [
        ("sign_in_failed", "lan", "nobody", None),
        ("sign_in", "lan", "session", "officer"),
        ("sign_out", "lan", "session", "officer"),
    ]
    assert lines()[0].address == "testclient"


def test_a_flood_of_guesses_is_one_line_of_being_held_off(client, shift, lines):
    for _ in range(12):
        try_login(client, "lan", "wrong guess")
    assert len(lines(action="sign_in_failed")) == 5
    assert [line.ref for line in lines(action="sign_in_slowed")] == ["testclient"]


def test_a_flood_of_guesses_under_ever_new_names_is_one_line_too(client, shift, lines):
    for number in range(26):
        try_login(client, f"name{number}", "wrong guess")
    assert len(lines(action="sign_in_failed")) == 20
    assert [(line.who, line.ref) for line in lines(action="sign_in_slowed")] == [("?", "testclient")]


def test_every_view_of_a_clip_or_picture_is_a_line_that_names_camera_and_incident(sign_in, shift, lines, clock):
    browser = sign_in("lan")
    clip, picture = parts_of(browser, shift[1])
    assert browser.get(clip, headers={"range": "bytes=0-99"}).status_code == 206
    assert browser.get(clip, headers={"range": "bytes=100-"}).status_code == 206
    assert browser.get(picture).status_code == 200
    views = lines(action="view")
    assert [(line.thing, line.ref) for line in views] == [
        ("clip", clip.rpartition("/")[2]),
        ("snapshot", picture.rpartition("/")[2]),
    ]
    assert {(line.who, line.camera, line.incident) for line in views} == {
        ("lan", "truong-tieu-hoc/cong-truong", shift[1])
    }
    sign_in("minh").get(clip)  # another person is another view
    clock.advance(ONE_VIEW_MS + 1)
    browser.get(clip)  # and so is later
    assert [line.who for line in lines(action="view") if line.thing == "clip"] == ["lan", "minh", "lan"]


def test_a_picture_that_the_browser_still_has_is_asked_for_and_noted(sign_in, shift, lines, clock):
    browser = sign_in("lan")
    for url in parts_of(browser, shift[1]):
        answer = browser.get(url)
        assert answer.headers["cache-control"] == "private, no-cache"
        clock.advance(ONE_VIEW_MS + 1)
        again = browser.get(url, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
        assert browser.get(url, headers={"if-none-match": '"other"'}).content == answer.content
    assert len(lines(action="view")) == 4


def test_a_download_is_an_export_and_asking_for_headers_is_nothing(sign_in, shift, lines):
    browser = sign_in("lan")
    clip, _ = parts_of(browser, shift[1])
    assert browser.head(clip).status_code == 200
    assert browser.get(clip, params={"download": "1"}).content == CLIP
    assert [(line.action, line.thing) for line in lines()][1:] == [("export", "clip")]


def test_what_cannot_be_had_is_no_view(sign_in, shift, lines, duty):
    browser = sign_in("lan")
    clip, picture = parts_of(browser, shift[1])
    for file in [*(duty.folder / "clips").rglob("*.mp4"), *(duty.folder / "snapshots").rglob("*.jpg")]:
        file.unlink()
    assert browser.get(clip).status_code == 404
    assert browser.get(picture).status_code == 404
    assert lines(action="view") == []


def test_what_cannot_be_noted_is_not_shown(sign_in, shift, duty, monkeypatch):
    browser = sign_in("lan")
    clip, picture = parts_of(browser, shift[1])
    blocker = duty.database
    with blocker.write() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO audit_gone")
    for url in (clip, picture):
        answer = browser.get(url)
        assert answer.status_code >= 500
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_acknowledgement_is_one_line_for_the_one_who_got_it(sign_in, shift, lines):
    for name in ("lan", "minh"):
        browser = sign_in(name)
        browser.post(f"/api/v1/incidents/{shift[0]}/ack", headers={"x-csrf-token": csrf_of(browser)})
    acted = lines(action="acknowledge")
    assert [(line.who, line.incident, line.camera) for line in acted] == [("lan", shift[0], "nha-van-hoa-01/cong")]


def test_the_auditor_finds_who_watched_an_incident_on_the_page_and_in_json(sign_in, shift, duty):
    officer = sign_in("lan")
    clip, _ = parts_of(officer, shift[1])
    officer.get(clip)
    auditor = sign_in("hoa")
    page = auditor.get("/audit", params={"incident": shift[1]})
    assert page.status_code == 200
    rows = page.text.split("<tbody>")[1].split("</tbody>")[0]
    assert rows.count("<tr>") == 1
    assert "lan" in rows
    assert "Xem" in rows
    found = auditor.get("/api/v1/audit", params={"incident": shift[1]}).json()
    assert [(item["who"], item["action"], item["thing"]) for item in found["items"]] == [("lan", "view", "clip")]
    with duty.database.read() as connection:
        seal = audit.newest(connection)
    assert found["seal"] == {"number": seal.number, "hash": seal.hash}


def test_reading_the_log_is_an_act_too(sign_in, shift, lines):
    auditor = sign_in("hoa")
    auditor.get("/audit")
    auditor.get("/audit")
    assert [line.who for line in lines(action="read_audit")] == ["hoa"]


def test_the_page_is_searched_by_day_and_refuses_what_is_none(sign_in, shift):
    auditor = sign_in("hoa")
    for day, count in (("21/09/2026", 1), ("2026-09-21", 1), ("20/09/2026", 0)):
        page = auditor.get("/audit", params={"day": day, "action": "sign_in"}).text
        assert page.count('<th scope="row">') == count
    assert auditor.get("/audit", params={"day": "31/02/2026"}).status_code == 400
    assert auditor.get("/audit", params={"action": "juggle"}).status_code == 400
    assert auditor.get("/audit", params={"incident": "x"}).status_code == 404


def test_pages_of_the_log_put_together_are_the_whole_log(sign_in, shift, clock):
    auditor = sign_in("hoa")
    for _ in range(4):
        clock.advance(ONE_VIEW_MS + 1)
        auditor.get("/audit")
    numbers, after = [], None
    while True:
        asked = {"limit": 2} | ({"after": after} if after else {})
        answer = auditor.get("/api/v1/audit", params=asked).json()
        numbers += [item["number"] for item in answer["items"]]
        after = answer["next"]
        if after is None:
            break
    assert numbers == [5, 4, 3, 2, 1]
