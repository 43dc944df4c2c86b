"""The technician's pages: commands, maintenance, notes, outages, availability, timelines."""

import csv
import dataclasses
import io
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from collector.store import audit, commands, fleet, upkeep, users
from collector.store.audit import Sought
from collector.store.identities import shut_out
from collector.store.reach import Reach, Spot
from collector.store.schema import heartbeat_history
from collector.store.users import Standing
from collector.web.box import lines_of
from collector.web.spark import HEIGHT, spark
from tests.integration.web.conftest import csrf_of
from tests.support.duty import a_heartbeat, a_picture
from vonggac.wire import messages as m

SCHOOL, COMMUNE = "truong-tieu-hoc", "Xã Hòa Bình"
SITE = f"{COMMUNE}/Trường tiểu học Hòa Bình"
HOUR_MS = 3_600_000


@pytest.fixture
def son(sign_in, shift):
    """The technician's browser; `son.post_form(path, **fields)` posts a form as the page would."""
    browser = sign_in("son")
    token = csrf_of(browser)
    browser.post_form = lambda path, **fields: browser.post(path, data=fields, headers={"x-csrf-token": token})
    return browser


def lines(duty, action):
    with duty.database.read() as connection:
        return audit.list_lines(connection, Sought(action=action))


def answer(duty, command, **more):
    reply = m.Reply(to=command, ok=more.pop("ok", True), **more)
    with duty.database.write() as connection:
        commands.mark_sent(connection, command, duty.now_ms)
        assert commands.record_reply(connection, duty.envelope(SCHOOL, reply), reply, duty.now_ms + 300)


# --- commands ----------------------------------------------------------------------------------------------------


def test_a_command_is_written_down_for_ingest_answered_and_noted(son, duty):
    sent = son.post_form(f"/boxes/{SCHOOL}/command", command="snapshot", camera="hanh-lang")
    assert sent.headers["location"] == f"/boxes/{SCHOOL}#commands"
    with duty.database.read() as connection:
        [waiting] = commands.waiting_commands(connection, duty.now_ms)
    assert (waiting.box, waiting.command, waiting.camera) == (SCHOOL, "snapshot", "hanh-lang")
    assert "Chờ gửi" in son.get(f"/boxes/{SCHOOL}").text
    request = duty.new_id()
    answer(duty, waiting.id, detail={"request": request})
    [told] = son.get(f"/api/v1/boxes/{SCHOOL}/commands").json()["items"]
    assert (told["state"], told["who"], told["snapshot"]) == ("done", "son", f"/api/v1/snapshots/{request}")
    [line] = lines(duty, "command")
    assert (line.who, line.ref, line.camera, line.detail) == (
        "son", SCHOOL, f"{SCHOOL}/hanh-lang", {"command": "snapshot"},
    )  # fmt: skip


def test_the_picture_is_for_those_who_may_see_pictures(son, sign_in, duty):
    son.post_form(f"/boxes/{SCHOOL}/command", command="snapshot", camera="hanh-lang")
    with duty.database.read() as connection:
        [waiting] = commands.waiting_commands(connection, duty.now_ms)
    request = duty.new_id()
    answer(duty, waiting.id, detail={"request": request})
    officer = sign_in("lan")
    assert "ảnh đang gửi về" in officer.get(f"/boxes/{SCHOOL}").text
    duty.snapshot(SCHOOL, request, a_picture(5))
    assert f'src="/api/v1/snapshots/{request}"' in officer.get(f"/boxes/{SCHOOL}").text
    assert officer.get(f"/api/v1/snapshots/{request}").status_code == 200
    page = son.get(f"/boxes/{SCHOOL}").text
    assert "/api/v1/snapshots/" not in page
    assert "ảnh chỉ cán bộ được xem" in page


@pytest.mark.parametrize(
    ("fields", "status", "where"),
    [
        ({"command": "format"}, 400, "command"),
        ({}, 400, "command"),
        ({"command": "snapshot"}, 400, "camera"),
        ({"command": "snapshot", "camera": "cong"}, 400, "camera"),
    ],
)
def test_what_a_box_does_not_know_is_not_sent(son, duty, fields, status, where):
    answer = son.post_form(f"/api/v1/boxes/{SCHOOL}/command", **fields)
    assert (answer.status_code, answer.json()["where"]) == (status, where)
    with duty.database.read() as connection:
        assert commands.commands_of(connection, SCHOOL) == []


def test_a_refusal_and_silence_are_shown_as_what_they_are(son, duty, clock):
    for command in ("restart", "retry"):
        assert son.post_form(f"/api/v1/boxes/{SCHOOL}/command", command=command).status_code == 202
    with duty.database.read() as connection:
        first = commands.waiting_commands(connection, duty.now_ms)[0]
    answer(duty, first.id, ok=False, error="not <now>")
    clock.advance(61_000)
    states = {each["command"]: each["state"] for each in son.get(f"/api/v1/boxes/{SCHOOL}/commands").json()["items"]}
    assert states == {first.command: "refused", "retry" if first.command == "restart" else "restart": "unanswered"}
    page = son.get(f"/boxes/{SCHOOL}").text
    assert "not &lt;now&gt;" in page
    assert "Không trả lời" in page


def test_a_box_that_may_not_connect_is_told_nothing(son, duty):
    with duty.database.write() as connection:
        shut_out(connection, SCHOOL, duty.now_ms)
    assert son.post_form(f"/api/v1/boxes/{SCHOOL}/command", command="ping").status_code == 409


# --- maintenance and visits --------------------------------------------------------------------------------------


def test_maintenance_always_ends_and_can_end_before(son, duty, clock):
    assert son.post_form("/maintenance", kind=f"site:{SITE}").json()["where"] == "for"
    assert son.post_form("/maintenance", kind=f"site:{SITE}", **{"for": "99y"}).json()["where"] == "for"
    assert (
        son.post_form("/maintenance", kind=f"site:{SITE}", note="  thay   nguồn ", **{"for": "4h"}).status_code == 303
    )
    with duty.database.read() as connection:
        [window] = upkeep.list_windows(connection, duty.now_ms)
        assert fleet.under_maintenance(connection, duty.now_ms + 4 * HOUR_MS - 1) == {("site", SITE)}
        assert fleet.under_maintenance(connection, duty.now_ms + 4 * HOUR_MS) == set()
    assert (window.who, window.note) == ("son", "thay nguồn")
    assert "thay nguồn" in son.get("/maintenance").text
    assert "thay nguồn" in son.get(f"/boxes/{SCHOOL}").text
    clock.advance(60_000)
    son.post_form(f"/maintenance/{window.id}/lift")
    with duty.database.read() as connection:
        assert fleet.under_maintenance(connection, duty.now_ms + 60_000) == set()
        assert upkeep.find_window(connection, window.id).lifted_by == "son"
    assert "son đã kết thúc sớm" in son.get("/maintenance").text
    assert [line.detail["what"] for line in (*lines(duty, "maintain"), *lines(duty, "lift_maintenance"))] == [
        f"site {SITE}"
    ] * 2


@pytest.mark.parametrize(
    "kind", ["site:Xã Hòa Bình/Không có", "commune:Xã Khác", "camera:x/y", "box:x", "planet:earth", "", "site:"]
)
def test_what_is_not_there_is_not_maintained(son, duty, kind):
    assert son.post_form("/maintenance", kind=kind, **{"for": "1h"}).status_code in (400, 404)
    with duty.database.read() as connection:
        assert upkeep.list_windows(connection, 0) == []


def test_whose_reach_is_a_site_does_not_put_its_commune_to_rest(son, duty):
    with duty.database.write() as connection:
        reach = Reach((Spot(COMMUNE, "Trường tiểu học Hòa Bình"),))
        users.change_user(connection, "son", "technician", Standing(reach))
        window = upkeep.Window(
            id=duty.new_id(),
            kind="commune",
            ref=COMMUNE,
            start_ms=duty.now_ms,
            until_ms=duty.now_ms + HOUR_MS,
            who="thu",
        )
        upkeep.add_window(connection, window)
    assert son.post_form("/maintenance", kind=f"commune:{COMMUNE}", **{"for": "1h"}).status_code == 404
    assert son.post_form(f"/maintenance/{window.id}/lift").status_code == 404
    assert [line.commune for line in lines(duty, "refused")] == [COMMUNE, COMMUNE]
    page = son.get("/maintenance").text
    assert "Toàn bộ Xã Hòa Bình" in page, "it is about the site too"
    assert "/lift" not in page
    assert f"commune:{COMMUNE}" not in page
    assert son.post_form("/maintenance", kind=f"site:{SITE}", **{"for": "1h"}).status_code == 303


def test_a_note_of_a_visit_stays_with_its_box(son, duty):
    assert son.post_form(f"/boxes/{SCHOOL}/visits", text=" \n ").status_code == 400
    son.post_form(f"/boxes/{SCHOOL}/visits", text="Thay <b>nguồn</b>")
    assert "Thay &lt;b&gt;nguồn&lt;/b&gt;" in son.get(f"/boxes/{SCHOOL}").text
    assert "nguồn" not in son.get("/boxes/nga-ba-cho").text
    assert [line.who for line in lines(duty, "visit")] == ["son"]


# --- outages and availability ------------------------------------------------------------------------------------


def an_outage(duty, kind, ref, start_ms, end_ms=None, **more):
    outage = fleet.Outage(
        id=duty.new_id(), kind=kind, ref=ref, state=more.pop("state", "down"), reason="silent", start_ms=start_ms,
        end_ms=end_ms, told_ms=start_ms, **more,
    )  # fmt: skip
    with duty.database.write() as connection:
        fleet.begin_outage(connection, outage, start_ms)
    return outage.id


def test_the_parts_of_an_outage_stand_inside_it(son, duty):
    now = duty.now_ms
    whole = an_outage(duty, "commune", COMMUNE, now - 9_000, members=(SCHOOL, "nga-ba-cho"), hint="power")
    an_outage(duty, "box", SCHOOL, now - 9_000, parent=whole)
    an_outage(duty, "camera", f"{SCHOOL}/nha-xe", now - 9_000, state="unreachable", parent=whole)
    alone = an_outage(duty, "box", "nga-ba-cho", now - 99_000, now - 50_000)
    items = son.get("/api/v1/outages").json()["items"]
    assert [each["id"] for each in items] == [whole, alone]
    assert items[0]["members"] == [SCHOOL, "nga-ba-cho"]
    assert len(son.get("/api/v1/outages?parts=1").json()["items"]) == 4
    assert [each["id"] for each in son.get("/api/v1/outages?open=1").json()["items"]] == [whole]
    first = son.get("/api/v1/outages?limit=1").json()
    assert [each["id"] for each in son.get(f"/api/v1/outages?after={first['next']}").json()["items"]] == [alone]
    page = son.get("/outages").text
    assert page.count("Không còn tín hiệu") == 2
    assert "Hộp đã khởi động lại: mất điện." in page
    assert "2 hộp cùng mất liên lạc" in son.get("/boxes").text


def test_outages_are_shown_within_reach_alone(son, duty):
    now = duty.now_ms
    for kind, ref in (
        ("all", "all"), ("disk", "collector"), ("commune", COMMUNE), ("site", SITE), ("site", f"{COMMUNE}/Ngã ba chợ"),
        ("box", SCHOOL), ("box", "nga-ba-cho"), ("clone", SCHOOL), ("camera", f"{SCHOOL}/nha-xe"),
    ):  # fmt: skip
        an_outage(duty, kind, ref, now - 1000)
    assert len(son.get("/api/v1/outages").json()["items"]) == 9

    def seen(*spots):
        with duty.database.write() as connection:
            users.change_user(connection, "son", "technician", Standing(Reach(spots)))
        return {(each["kind"], each["ref"]) for each in son.get("/api/v1/outages").json()["items"]}

    of_site = {("site", SITE), ("box", SCHOOL), ("clone", SCHOOL), ("camera", f"{SCHOOL}/nha-xe")}
    assert seen(Spot(COMMUNE, "Trường tiểu học Hòa Bình")) == of_site
    assert seen(Spot(COMMUNE)) == of_site | {
        ("commune", COMMUNE), ("site", f"{COMMUNE}/Ngã ba chợ"), ("box", "nga-ba-cho"),
    }  # fmt: skip
    assert seen() == set()


def test_the_months_availability_as_page_json_and_csv(son, duty, clock):
    clock.advance(600_000)
    an_outage(duty, "camera", f"{SCHOOL}/hanh-lang", duty.now_ms + 60_000, duty.now_ms + 180_000)
    with duty.database.write() as connection:
        box = "nga-ba-cho"
        connection.exec_driver_sql(f"UPDATE boxes SET site = '=1+1' WHERE id = '{box}'")
        window = upkeep.Window(
            id=duty.new_id(), kind="camera", ref=f"{SCHOOL}/hanh-lang", start_ms=duty.now_ms + 120_000,
            until_ms=duty.now_ms + 240_000, who="son",
        )  # fmt: skip
        upkeep.add_window(connection, window)
    duty.heartbeat(SCHOOL, a_heartbeat(("cong-truong", "hanh-lang", "nha-xe")), duty.now_ms + 599_000)
    told = son.get("/api/v1/availability").json()
    assert told["month"] == "2026-09"
    row = next(each for each in told["items"] if each["camera"] == f"{SCHOOL}/hanh-lang")
    assert (row["maintenance_s"], row["away_s"], row["outages"], row["longest_outage_s"]) == (120, 60, 1, 60)
    assert row["counted_s"] == row["watched_s"] + row["unwatched_s"] + row["unknown_s"]
    text = son.get("/api/v1/availability.csv?month=2026-09").text
    assert text.startswith("\ufeffmonth,commune,site,camera,")
    rows = {each["camera"]: each for each in csv.DictReader(io.StringIO(text[1:]))}
    assert rows[f"{SCHOOL}/hanh-lang"]["away_s"] == "60"
    assert rows["nga-ba-cho/duong-lon"]["site"] == "'=1+1"
    assert rows["tram-y-te/loi-vao"]["watched_percent"] == ""
    assert f"{SCHOOL}/hanh-lang" in son.get("/availability").text
    assert [line.ref for line in lines(duty, "export")] == ["2026-09"]


def row_of(browser, box=SCHOOL):
    """The box's row on the page of the fleet, and why it stands where it does."""
    [row] = re.findall(rf'<tr id="box-{box}".*?</tr>(?:\s*<tr class="why.*?</tr>)?', browser.get("/boxes").text, re.S)
    return row


def test_a_row_of_the_fleet_is_kept_but_its_ages_grow_and_what_changes_is_drawn_anew(son, duty, clock):
    duty.heartbeat(SCHOOL, a_heartbeat(("cong-truong", "hanh-lang", "nha-xe"), events=3, oldest_ms=duty.now_ms))
    clock.step_wall(15_000)
    first = row_of(son)
    assert "<hole>" not in first
    clock.step_wall(20_000)
    older = row_of(son)
    assert older != first
    age = re.compile(r"\d+ giây")
    assert age.sub("", older) == age.sub("", first)
    duty.standing("box", SCHOOL, "down", clock.wall_ms(), "silent")
    with duty.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE boxes SET site = '<hole>' WHERE id = '{SCHOOL}'")
    changed = row_of(son)
    assert "Mất" in changed or "down" in changed
    assert "&lt;hole&gt;" in changed
    assert "<hole>" not in changed
    son.cookies.set("vg_language", "en")
    assert "ago" in row_of(son)


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-1", "26-09", "2026-10", "9999-99", "2019-01", "２０２６-09", "x" * 50]
)
def test_a_month_that_is_none_or_has_not_begun_is_refused(son, month):
    assert son.get("/api/v1/availability", params={"month": month}).status_code == 400


# --- timelines ---------------------------------------------------------------------------------------------------


def test_a_line_is_broken_where_nothing_was_heard():
    points = [(0, 10.0), (10, 20.0), (20, None), (60, 15.0), (70, 10.0), (100, 12.0)]
    drawn = spark(points, 0, 120, 10)
    assert (drawn.low, drawn.high, drawn.last) == (10.0, 20.0, 12.0)
    assert drawn.path == f"M0.0 {HEIGHT - 3} L50.0 3.0 M300.0 24.0 L350.0 45.0"
    assert drawn.dots == ((500.0, 36.6),)
    assert spark([(5, None)], 0, 10, 1).last is None


def test_the_timelines_of_a_day_come_from_the_heartbeats_one_a_step(son, duty):
    beat = a_heartbeat(("cong-truong", "hanh-lang", "nha-xe"), events=7)
    with duty.database.write() as connection:
        for minute in range(0, 120, 2):
            host = dataclasses.replace(beat.host, temperature_c=40.0 + minute)
            body = dataclasses.asdict(dataclasses.replace(beat, host=host))
            connection.execute(
                heartbeat_history.insert().values(
                    box=SCHOOL, received_ms=duty.now_ms - (125 - minute) * 60_000, boot_id="b", body=body
                )
            )
        from collector.store.overview import list_boxes
        from collector.store.timelines import past_beats

        beats = past_beats(connection, SCHOOL, duty.now_ms - 24 * HOUR_MS, duty.now_ms - 60_000, 600_000)
        [box] = list_boxes(connection, SCHOOL)
    assert 11 <= len(beats) <= 14
    lines = {(each.name, each.camera): each.spark for each in lines_of(box, beats, 0, duty.now_ms, 600_000)}
    assert lines["temperature", None].high == 158.0
    assert lines["outbox", None].last == 7.0
    assert set(lines) == {
        ("temperature", None), ("disk", None), ("memory", None), ("load", None), ("outbox", None),
        ("fps", "cong-truong"), ("fps", "hanh-lang"),
    }  # fmt: skip
    page = son.get(f"/boxes/{SCHOOL}").text
    assert 'class="spark"' in page
    assert "Nhiệt độ: từ" in page
    assert son.get(f"/boxes/{SCHOOL}?days=7").status_code == 200
    assert son.get(f"/boxes/{SCHOOL}?days=2").status_code == 400


# --- demoted places ----------------------------------------------------------------------------------------------


def test_a_place_that_is_no_longer_told_stands_on_the_pages_with_where_and_since_when(son, sign_in, duty):
    heard = a_heartbeat(("cong-truong", "hanh-lang"))
    place = m.DemotedPlace(box=(0.0, 0.05, 0.25, 0.3), age_ms=2 * HOUR_MS)
    flagged = dataclasses.replace(heard.cameras[0], demoted=(place,))
    duty.heartbeat(SCHOOL, dataclasses.replace(heard, cameras=(flagged, *heard.cameras[1:])))
    duty.standing("camera", f"{SCHOOL}/cong-truong", "degraded", duty.now_ms - HOUR_MS, ("demoted",))
    since = datetime.fromtimestamp((duty.now_ms - 2 * HOUR_MS) / 1000, ZoneInfo("Asia/Ho_Chi_Minh")).strftime("%H:%M")
    for page in (f"/boxes/{SCHOOL}", "/boxes"):
        text = son.get(page).text
        assert "Một chỗ trong hình động suốt: vẫn ghi, không báo." in text
        assert re.search(f"Vẫn ghi, không báo: phía trên, bên trái, từ [^<]*{since}", text)
    [box] = [each for each in son.get("/api/v1/boxes").json()["items"] if each["id"] == SCHOOL]
    [camera] = [each for each in box["cameras"] if each["name"] == "cong-truong"]
    assert camera["health"]["demoted"] == [{"box": [0.0, 0.05, 0.25, 0.3], "age_ms": 2 * HOUR_MS}]
