"""docs/ref/rights.md against the collector: every route, every role, the own commune and another one."""

import hashlib
import re
from pathlib import Path

import pytest

from collector.alerts.rules import Rule
from collector.alerts.stored_rules import as_json
from collector.store import audit, desk, maps, mutes, releases, rules, upkeep, users
from collector.store.audit import Sought
from collector.store.reach import EVERYWHERE, Place, Reach, Spot
from collector.store.users import Standing
from collector.web.app import ROUTES
from collector.web.rights import GIVEN, RIGHTS_OF_ROLE, ROLES
from tests.integration.web.conftest import CLIP, csrf_of
from tests.support.duty import PASSWORD, QUICK_PASSWORDS, a_picture

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "ref" / "rights.md"
OWN, FOREIGN = "Xã Hòa Bình", "Xã Tân Lập"
FOREIGN_BOX = "nha-rong-09"


def table(first_heading):
    """The rows of the table that begins with this heading, as dictionaries of plain text."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in [lines[start], *lines[start + 2 :]]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


RIGHTS, MATRIX = table("right"), table("route")


def test_the_document_names_every_right_of_every_role_as_the_program_has_it():
    assert [row["right"] for row in RIGHTS] == ["signed_in", *GIVEN]
    for row in RIGHTS:
        for role in ROLES:
            assert row[role] == ("yes" if row["right"] in RIGHTS_OF_ROLE[role] else "no"), row


def test_the_document_names_every_route_and_no_other():
    routes = {f"{entry.method} {entry.path}": entry.right for entry in ROUTES}
    told = {row["route"]: row["right"] for row in MATRIX if "?" not in row["route"]}
    assert told == routes


@pytest.fixture
def commune(duty, shift):
    """The shift in one commune and an incident in another, and users of every role who reach only the first."""
    encoded = QUICK_PASSWORDS.hash(PASSWORD)
    duty.box(FOREIGN_BOX, "Nhà rông", ("san",), commune=FOREIGN)
    now = duty.now_ms
    episode = duty.started(FOREIGN_BOX, "san", now - 50_000, picture=a_picture(77))
    duty.ended(FOREIGN_BOX, "san", episode, now - 50_000, now - 40_000)
    clip = duty.announced(FOREIGN_BOX, "san", episode, now - 55_000, CLIP)
    duty.stored(FOREIGN_BOX, clip, CLIP)
    incident = duty.incident(f"{FOREIGN_BOX}/san", episode, start_ms=now - 50_000, last_ms=now - 40_000)
    with duty.database.write() as connection:
        for role in ROLES:
            reach = Reach((Spot(OWN),))
            users.add_user(connection, f"own-{role}", encoded, role, now, Standing(reach))
        act = audit.Act(action="view", who="thu", by="session", commune=FOREIGN, thing="clip", ref=clip)
        audit.append(connection, act, now)
    return {
        "incidents": incident, "episodes": episode, "clips": clip, "snapshots": episode, "boxes": FOREIGN_BOX,
        "mutes": a_mute(duty, f"{FOREIGN_BOX}/san"), "updates": "9.9.9", "camera": f"{FOREIGN_BOX}/san",
        "maintenance": a_window(duty, "box", FOREIGN_BOX),
        "rules": a_rule(duty, f"{FOREIGN_BOX}/san"), "plans": a_plan(duty, FOREIGN), "map": FOREIGN,
    }  # fmt: skip


def a_window(duty, kind, ref):
    window = upkeep.Window(
        id=duty.new_id(), kind=kind, ref=ref, start_ms=duty.now_ms, until_ms=duty.now_ms + 3_600_000, who="son"
    )
    with duty.database.write() as connection:
        upkeep.add_window(connection, window)
    return window.id


def a_release(duty):
    with duty.database.write() as connection:
        releases.add_release(connection, "1.1.0", "{}", "", duty.now_ms)
    return "1.1.0"


def a_mute(duty, camera):
    mute = mutes.MuteRow(
        id=duty.new_id(), camera=camera, zone="cổng", from_minute=None, to_minute=None, start_ms=duty.now_ms,
        until_ms=duty.now_ms + 3_600_000, who="thu", reason=None, incident=None,
    )  # fmt: skip
    with duty.database.write() as connection:
        mutes.add_mute(connection, mute)
    return mute.id


def a_rule(duty, camera):
    body = as_json(Rule(name="", cameras=(camera,)))
    rule = rules.RuleRow(id=duty.new_id(), name=f"quy tắc {duty.new_id()}", body=body, changed_ms=0, who="thu")
    with duty.database.write() as connection:
        assert rules.keep_rule(connection, rule)
    return rule.id


def a_plan(duty, commune):
    sha256 = hashlib.sha256(commune.encode()).hexdigest()
    plan = maps.Plan(
        commune=commune, sha256=sha256, kind="png", width=64, height=36, uploaded_ms=duty.now_ms, who="thu"
    )  # fmt: skip
    with duty.database.write() as connection:
        maps.keep_plan(connection, plan, b"a picture")
    return sha256


@pytest.fixture
def own(duty, shift):
    """Something of each kind in the own commune."""
    with duty.database.read() as connection:
        incident = desk.find_incident(connection, shift[1])
    episode = incident.episodes[0]
    return {
        "incidents": incident.id, "episodes": episode.id, "clips": episode.clips[0].id, "snapshots": episode.id,
        "boxes": episode.box, "updates": a_release(duty), "mutes": a_mute(duty, incident.camera),
        "camera": incident.camera,
        "maintenance": a_window(duty, "camera", incident.camera),
        "rules": a_rule(duty, incident.camera), "plans": a_plan(duty, OWN), "map": OWN,
    }  # fmt: skip


PAST_ONE_VIEW_MS = 301_000
"""After so long the same refusal is a line of its own: each request is judged by what it wrote itself."""


def refusals_since(duty, number):
    """What was refused after that line of the log, newest first."""
    with duty.database.read() as connection:
        return [
            line for line in audit.list_lines(connection, Sought(action="refused", limit=500)) if line.number > number
        ]


def newest_line(duty):
    with duty.database.read() as connection:
        return audit.newest(connection).number


def ask_anew(duty, clock, browser, row, things):
    """The answer, and the refusals that it wrote."""
    clock.advance(PAST_ONE_VIEW_MS)
    before = newest_line(duty)
    answer = ask(browser, row, things)
    return answer, refusals_since(duty, before)


def ask(browser, row, things):
    method, path = row["route"].split(" ")
    path = path.replace("{box}/{name}", things["camera"])
    noun = re.search(r"(\w+)/\{id\}", path)
    path = path.replace("{id}", things.get(noun[1], "there-is-none")) if noun else path
    fields = {
        "language": "vi",
        "reason": "thử nghiệm",
        "do": "false",
        "camera": things["camera"],
        "for": "8h",
        "kind": "camera",
        "ref": things["camera"],
        "command": "ping",
        "text": "thay thẻ nhớ",
    }
    fields |= {"x": "50", "y": "12,5", "name": "cổng", "cameras": things["camera"], "id": things["rules"]}
    if "x-csrf-token" not in browser.headers:
        browser.headers["x-csrf-token"] = csrf_of(browser)
    headers = {}
    if path.endswith("/plan"):
        return browser.request(method, path, content=a_picture(3), headers=headers)
    form = fields if method == "POST" else None
    return browser.request(method, path, data=form, headers=headers)


def for_every_role(rows):
    """Each role with rows to try: what it may change alone (it is another commune afterwards), all else together."""
    tried = []
    for role in ROLES:
        changes = [row for row in rows if row["route"].startswith("POST") and row[role] != "403"]
        together = [row for row in rows if row not in changes]
        tried += [pytest.param(role, together, id=f"{role}-reads and refusals")]
        tried += [pytest.param(role, [row], id=f"{role}-{row['route']}") for row in changes]
    return pytest.mark.parametrize(("role", "rows"), tried)


@for_every_role(MATRIX)
def test_every_route_gives_every_role_what_the_document_says(role, rows, sign_in, commune, own, duty, clock):
    browser = sign_in(f"own-{role}")
    for row in rows:
        answer, refused = ask_anew(duty, clock, browser, row, own)
        assert answer.status_code == int(row[role]), (row["route"], answer.text)
        said = [(line.thing, line.who, line.detail.get("right")) for line in refused]
        if answer.status_code == 403 and row["right"] != "public":
            assert said == [("route", f"own-{role}", missing_right(row, role))], row["route"]
        else:
            assert said == [], row["route"]


@for_every_role([row for row in MATRIX if row["foreign"]])
def test_what_is_of_another_commune_does_not_exist_and_asking_is_noted(role, rows, sign_in, commune, duty, clock):
    browser = sign_in(f"own-{role}")
    for row in rows:
        look_abroad(browser, row, role, commune, duty, clock)


def look_abroad(browser, row, role, commune, duty, clock):
    route = row["route"]
    answer, refused = ask_anew(duty, clock, browser, row, commune)
    gave_the_name = "/boxes/{id}" in route or "{box}/{name}" in route
    gave_the_name = gave_the_name or route in ("POST /mutes", "POST /maintenance", "POST /map/pins")
    asked_for = FOREIGN_BOX if gave_the_name else ""
    asked_for = FOREIGN if route == "POST /map/{id}/plan" else asked_for
    for secret in (FOREIGN_BOX, FOREIGN):
        assert secret == asked_for or secret not in answer.text, route
    assert {line.who for line in refused} <= {f"own-{role}"}, route
    if row["foreign"] == "left out" and row[role] != "403":
        assert answer.status_code in (200, 303), route
        assert refused == [], route
        assert not any(name in answer.text for name in commune.values()), route
        return
    [line] = refused
    if row[role] == "403" and (answer.status_code, row["right"]) != (404, "export"):
        assert (answer.status_code, line.thing, line.detail["right"]) == (403, "route", missing_right(row, role)), route
        return
    assert answer.status_code == int(row["foreign"]), route
    assert (line.commune, line.ref in commune.values()) == (FOREIGN, True), (route, line)
    nothing = dict.fromkeys(commune, "01890a5d-0000-7000-8000-00000000abcd") | {"camera": "nha-khac/san"}
    never, _ = ask_anew(duty, clock, browser, row, nothing)
    assert never.status_code == answer.status_code, route
    assert never.json()["hint"] == answer.json()["hint"], route


def missing_right(row, role):
    """Whoever may not even look is refused for that, not for the download."""
    return "see_media" if row["right"] == "export" and role == "technician" else row["right"]


def test_a_foreign_incident_stays_new_and_a_foreign_clip_stays(sign_in, commune, duty):
    browser = sign_in("own-administrator")
    headers = {"x-csrf-token": csrf_of(browser)}
    for path in (f"/incidents/{commune['incidents']}/ack", f"/api/v1/incidents/{commune['incidents']}/ack"):
        assert browser.post(path, headers=headers).status_code == 404
    browser.post(f"/clips/{commune['clips']}/delete", data={"reason": "không phải của tôi"}, headers=headers)
    with duty.database.read() as connection:
        incident = desk.find_incident(connection, commune["incidents"])
    assert incident.state == "new"
    assert incident.episodes[0].clips[0].state == "stored"


def test_counts_and_neighbours_leave_another_commune_out(sign_in, commune, shift):
    near, far = sign_in("own-officer"), sign_in("lan")
    assert near.get("/api/v1/incidents").json()["waiting"] + 1 == far.get("/api/v1/incidents").json()["waiting"]
    ids = [item["id"] for item in far.get("/api/v1/incidents").json()["items"]]
    assert ids[1] == commune["incidents"]
    assert f'rel="next" href="/incidents/{commune["incidents"]}"' in far.get(f"/incidents/{ids[0]}").text
    assert f'rel="next" href="/incidents/{ids[2]}"' in near.get(f"/incidents/{ids[0]}").text


def test_a_reach_of_one_site_sees_that_site_alone(sign_in, commune, duty, shift):
    with duty.database.write() as connection:
        reach = Reach((Spot(OWN, "Trường tiểu học Hòa Bình"),))
        users.change_user(connection, "own-officer", "officer", Standing(reach))
    browser = sign_in("own-officer")
    assert [item["id"] for item in browser.get("/api/v1/boxes").json()["items"]] == ["truong-tieu-hoc"]
    items = browser.get("/api/v1/incidents").json()["items"]
    assert {item["box"] for item in items} == {"truong-tieu-hoc"}
    assert browser.get(f"/incidents/{shift[0]}").status_code == 404


def test_single_rights_are_given_and_taken_and_hold_at_once(sign_in, own, duty, shift):
    browser = sign_in("lan")
    clip = f"/api/v1/clips/{own['clips']}"
    assert browser.get(clip, params={"download": "1"}).status_code == 200
    assert "download=1" in browser.get(f"/incidents/{shift[1]}").text
    with duty.database.write() as connection:
        standing = Standing(EVERYWHERE, frozenset({"see_audit"}), frozenset({"export"}))
        users.change_user(connection, "lan", "officer", standing)
    assert browser.get(clip, params={"download": "1"}).status_code == 403
    assert browser.get(clip).status_code == 200
    assert "download=1" not in browser.get(f"/incidents/{shift[1]}").text
    assert browser.get("/audit").status_code == 200


def test_a_token_reaches_as_far_as_its_user_and_never_has_what_its_user_is_without(client, commune, own, duty):
    with duty.database.write() as connection:
        standing = Standing(Reach((Spot(OWN),)), without=frozenset({"export"}))
        users.change_user(connection, "own-administrator", "administrator", standing)
        users.add_token(connection, "secret", "map", "own-administrator", "administrator", duty.now_ms)
    headers = {"authorization": "Bearer secret"}
    assert client.get(f"/api/v1/incidents/{commune['incidents']}", headers=headers).status_code == 404
    assert client.get(f"/api/v1/clips/{own['clips']}", headers=headers).status_code == 200
    assert client.get(f"/api/v1/clips/{own['clips']}?download=1", headers=headers).status_code == 403


def test_the_same_picture_from_two_communes_is_the_own_one(sign_in, commune, duty, own):
    with duty.database.read() as connection:
        foreign = desk.find_snapshot(connection, episode=commune["episodes"])
    path = f"/api/v1/snapshots/{foreign.sha256}"
    assert sign_in("own-officer").get(path).status_code == 404
    duty.snapshot("truong-tieu-hoc", own["episodes"], a_picture(77))
    duty.snapshot(FOREIGN_BOX, commune["episodes"], a_picture(77))
    assert sign_in("own-officer").get(path).status_code == 200


def test_a_deleted_clip_is_gone_from_disk_and_the_log_says_why(sign_in, own, duty, shift):
    browser = sign_in("thu")
    path, headers = f"/clips/{own['clips']}/delete", {"x-csrf-token": csrf_of(browser)}
    assert browser.post(path, headers=headers).status_code == 400
    with duty.database.read() as connection:
        file = duty.folder / desk.find_incident(connection, shift[1]).episodes[0].clips[0].path
    assert file.is_file()
    answer = browser.post(path, data={"reason": "chủ nhà yêu cầu", "next": f"/incidents/{shift[1]}"}, headers=headers)
    assert answer.headers["location"] == f"/incidents/{shift[1]}"
    assert not file.exists()
    assert browser.get(f"/api/v1/clips/{own['clips']}").status_code == 404
    assert browser.post(path, data={"reason": "lần nữa"}, headers=headers).status_code == 409
    with duty.database.read() as connection:
        [line] = audit.list_lines(connection, Sought(action="delete"))
    assert (line.who, line.ref, line.detail["reason"]) == ("thu", own["clips"], "chủ nhà yêu cầu")


def test_a_clip_under_legal_hold_is_not_deleted_by_anybody(sign_in, own, duty):
    from sqlalchemy import update

    from collector.store.schema import clips

    with duty.database.write() as connection:
        connection.execute(update(clips).where(clips.c.id == own["clips"]).values(held=True))
    browser = sign_in("thu")
    headers = {"x-csrf-token": csrf_of(browser)}
    answer = browser.post(f"/clips/{own['clips']}/delete", data={"reason": "thử xóa"}, headers=headers)
    assert answer.status_code == 409
    assert browser.get(f"/api/v1/clips/{own['clips']}").status_code == 200


def test_metrics_are_for_a_reach_everywhere(client, commune, duty):
    assert client.get("/metrics", headers={"authorization": f"Bearer {duty.token('technician')}"}).status_code == 200


@pytest.mark.parametrize(
    ("reach", "place", "is_within"),
    [
        (EVERYWHERE, Place("A", "1"), True),
        (EVERYWHERE, None, True),
        (Reach(()), Place("A", "1"), False),
        (Reach((Spot("A"),)), Place("A", "1"), True),
        (Reach((Spot("A"),)), Place("B", "1"), False),
        (Reach((Spot("A"),)), None, False),
        (Reach((Spot("A", "1"), Spot("B"))), Place("A", "1"), True),
        (Reach((Spot("A", "1"), Spot("B"))), Place("A", "2"), False),
        (Reach((Spot("A", "1"), Spot("B"))), Place("B", "9"), True),
    ],
)
def test_reach_covers_communes_and_sites_and_is_stored_as_it_is(reach, place, is_within):
    assert reach.covers(place) is is_within
    assert Reach.read(reach.stored()) == reach
