"""The JSON API over a whole shift: shapes, paging, ranges, and hostile askers."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.web.conftest import CLIP
from tests.support.databases import sqlite_only
from tests.support.duty import NOW_MS, a_picture

EPISODE_FIELDS = {
    "id", "box", "camera", "start", "last", "end", "zones", "rectangle", "score", "kind", "reason", "clock", "late_ms",
    "received", "snapshot", "clips", "incident", "dated", "earliest", "latest", "box_start", "box_last",
}  # fmt: skip


@pytest.fixture
def api(client, shift, duty):
    """A program with an administrator's token."""
    client.headers["authorization"] = f"Bearer {duty.token('administrator')}"
    return client


def all_of(api, path, limit):
    found, after = [], ""
    while True:
        page = api.get(path, params={"limit": limit} | ({"after": after} if after else {})).json()
        found += page["items"]
        after = page["next"]
        if not after:
            return found


def test_an_episode_says_everything_about_itself(api, shift):
    incident = api.get(f"/api/v1/incidents/{shift[1]}").json()
    episode = api.get(f"/api/v1/episodes/{incident['episodes'][0]['id']}").json()
    assert set(episode) == EPISODE_FIELDS
    assert episode["box"] == "truong-tieu-hoc"
    assert episode["camera"] == "truong-tieu-hoc/cong-truong"
    assert episode["start"] == "2026-09-21T14:09:10.000Z"
    assert episode["end"] == "2026-09-21T14:09:19.400Z"
    assert episode["rectangle"] == [0.42, 0.35, 0.58, 0.86]
    assert episode["late_ms"] == 310
    assert episode["incident"] == shift[1]
    clip = episode["clips"][0]
    assert clip["state"] == "stored"
    assert clip["duration_ms"] == 12_000
    assert api.get(clip["url"]).content == CLIP
    assert api.get(episode["snapshot"]).headers["content-type"] == "image/jpeg"


def test_an_episode_that_goes_on_has_no_end(api, shift):
    episode = api.get(f"/api/v1/incidents/{shift[0]}").json()["episodes"][0]
    assert episode["end"] is None
    assert episode["reason"] is None
    assert episode["clips"] == []


@pytest.mark.parametrize("path", ["/api/v1/episodes", "/api/v1/incidents"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 500])
def test_pages_put_together_are_the_whole_list_once(api, path, limit):
    found = all_of(api, path, limit)
    whole = api.get(path, params={"limit": 500}).json()["items"]
    assert found == whole
    assert [item["start"] for item in found] == sorted((item["start"] for item in found), reverse=True)


def test_episodes_that_begin_in_the_same_millisecond_are_paged_too(api, duty):
    made = {duty.started("nga-ba-cho", "duong-lon", NOW_MS) for _ in range(5)}
    found = [item["id"] for item in all_of(api, "/api/v1/episodes", 2)]
    assert len(found) == len(set(found))
    assert made <= set(found)


def test_lists_are_cut_by_camera_time_and_state(api, shift):
    def starts(**asked):
        return [item["start"] for item in api.get("/api/v1/episodes", params=asked).json()["items"]]

    everything = starts()
    at = everything[2]
    assert starts(since=at) == everything[:3]
    assert starts(until=at) == everything[3:]
    cameras = {item["camera"] for item in api.get("/api/v1/episodes", params={"camera": "cong"}).json()["items"]}
    assert cameras == {"nha-van-hoa-01/cong"}
    assert starts(camera="nha-van-hoa-01/cong") == starts(camera="cong")
    assert starts(camera="nobody") == []
    new = api.get("/api/v1/incidents", params={"state": "new"}).json()
    assert [item["id"] for item in new["items"]] == [shift[0], shift[1], shift[3]]
    assert new["waiting"] == 3


def test_boxes_and_cameras_say_what_is_known_and_null_where_nothing_is(api):
    boxes = {box["id"]: box for box in api.get("/api/v1/boxes").json()["items"]}
    assert boxes["truong-tieu-hoc"]["state"] == "degraded"
    assert boxes["truong-tieu-hoc"]["reasons"] == ["cameras_blind", "outbox_old"]
    assert boxes["truong-tieu-hoc"]["heartbeat"]["outbox"]["events"] == 3
    assert boxes["tram-y-te"]["heartbeat"] is None
    cameras = {camera["id"]: camera for camera in api.get("/api/v1/cameras").json()["items"]}
    assert cameras["truong-tieu-hoc/nha-xe"]["last_frame"] is None
    assert cameras["truong-tieu-hoc/nha-xe"]["health"]["main"]["fps"] is None
    assert cameras["tram-y-te/loi-vao"]["state"] == "unknown"


def test_a_heartbeat_of_an_older_or_newer_agent_is_shown_as_far_as_it_goes(api, duty):
    from collector.store.boxes import record_heartbeat
    from tests.support.duty import a_heartbeat

    body = {
        "interval_s": 30.0, "cameras": [{"name": "loi-vao", "main": {"state": "streaming", "new": 1}}],
        "host": {"uptime_ms": 5, "moon_phase": 0.5},
        "outbox": {"outbox": "x", "last_seq": 1, "events": 0, "snapshots": 0, "clips": 0, "clip_bytes": 0},
    }  # fmt: skip
    with duty.database.write() as connection:
        record_heartbeat(connection, duty.envelope("tram-y-te", a_heartbeat(("loi-vao",))), body, NOW_MS)
    box = next(item for item in api.get("/api/v1/boxes").json()["items"] if item["id"] == "tram-y-te")
    assert box["heartbeat"]["host"]["temperature_c"] is None
    assert "moon_phase" not in box["heartbeat"]["host"]
    assert api.get("/boxes").status_code == 200


# --- clips and snapshots -----------------------------------------------------------------------------------------


@pytest.fixture
def clip_url(api, shift):
    return api.get(f"/api/v1/incidents/{shift[1]}").json()["episodes"][0]["clips"][0]["url"]


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [
        (None, 200, 0, 10_239), ("bytes=0-0", 206, 0, 0), ("bytes=100-199", 206, 100, 199),
        ("bytes=10000-", 206, 10_000, 10_239), ("bytes=-5", 206, 10_235, 10_239), ("bytes=0-999999", 206, 0, 10_239),
    ],
)  # fmt: skip
def test_a_clip_is_given_whole_or_by_range(api, clip_url, wanted, status, first, last):
    answer = api.get(clip_url, headers={} if wanted is None else {"range": wanted})
    assert answer.status_code == status
    assert answer.content == CLIP[first : last + 1]
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(CLIP)}"


def test_a_range_outside_the_clip_is_said_to_be_so(api, clip_url):
    answer = api.get(clip_url, headers={"range": "bytes=20000-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CLIP)}"


def test_a_clip_is_offered_as_a_file_with_a_telling_name(api, clip_url):
    answer = api.get(clip_url, params={"download": "1"})
    assert answer.headers["content-disposition"] == (
        'attachment; filename="truong-tieu-hoc_cong-truong_2026-09-21_21-09-05.mp4"'
    )
    assert "no-store" not in answer.headers["cache-control"]


def test_a_clip_that_is_not_here_says_why(api, shift, duty):
    announced = api.get(f"/api/v1/incidents/{shift[3]}").json()["episodes"][0]["clips"][0]
    assert announced["url"] is None
    answer = api.get(f"/api/v1/clips/{announced['id']}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "The clip is not here yet."


def test_a_path_in_the_database_that_leads_out_of_the_folder_is_not_followed(api, duty, clip_url):
    from sqlalchemy import update

    from collector.store.schema import clips

    with duty.database.write() as connection:
        connection.execute(update(clips).values(path="../../../../../../etc/passwd"))
    assert api.get(clip_url).status_code == 404


def test_a_snapshot_is_found_by_its_hash_and_by_its_episode(api, shift, duty):
    episode = api.get(f"/api/v1/incidents/{shift[0]}").json()["episodes"][0]
    picture = a_picture(0)
    assert episode["snapshot"] == f"/api/v1/snapshots/{hashlib.sha256(picture).hexdigest()}"
    assert api.get(episode["snapshot"]).content == picture
    assert api.get(f"/api/v1/snapshots/{episode['id']}").content == picture
    better = a_picture(99)
    duty.snapshot("nha-van-hoa-01", episode["id"], better)
    assert api.get(f"/api/v1/snapshots/{episode['id']}").content == picture  # the named one, though another came later


# --- acknowledging -----------------------------------------------------------------------------------------------


def test_the_first_to_acknowledge_owns_it_and_the_second_is_told_who(api, shift, duty):
    first = {"authorization": f"Bearer {duty.token('officer', 'one')}"}
    answer = api.post(f"/api/v1/incidents/{shift[0]}/ack", headers=first)
    assert answer.status_code == 200
    assert answer.json()["state"] == "acknowledged"
    assert answer.json()["acknowledged"] == "2026-09-21T14:13:20.000Z"
    assert api.post(f"/api/v1/incidents/{shift[0]}/ack", headers=first).status_code == 200
    second = api.post(f"/api/v1/incidents/{shift[0]}/ack")
    assert second.status_code == 409
    assert "thu/test officer acknowledged it already" in second.json()["detail"]


# --- hostile askers ----------------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["", "0", "-1", "1e9", "NaN", "../..", "' OR 1=1 --", "%00", "2026-09-21T14:13:20Z", "new", "é" * 50]
    ),
)
QUIETLY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sound(answer):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["detail"]
        assert problem["hint"]


@QUIETLY
@given(
    path=st.sampled_from(
        ["/api/v1/episodes", "/api/v1/incidents", "/api/v1/boxes", "/api/v1/cameras", "/metrics", "/"]
    ),
    asked=st.dictionaries(
        st.sampled_from(["camera", "since", "until", "limit", "after", "state", "episode", "x"]), WORDS, max_size=4
    ),
)
def test_no_parameter_makes_the_server_stumble(api, path, asked):
    sound(api.get(path, params=asked))


@QUIETLY
@given(
    noun=st.sampled_from(["episodes", "incidents", "clips", "snapshots"]),
    name=WORDS.filter(lambda text: text.strip("./") != ""),
)
def test_no_name_makes_the_server_stumble(api, noun, name):
    from urllib.parse import quote

    sound(api.get(f"/api/v1/{noun}/{quote(name, safe='')}"))


@QUIETLY
@given(headers=st.dictionaries(st.sampled_from(["range", "if-range", "if-none-match", "last-event-id"]), WORDS))
def test_no_header_makes_the_server_stumble(api, clip_url, headers):
    answer = api.get(clip_url, headers={name: text.encode() for name, text in headers.items()})
    assert answer.status_code in (200, 206, 400, 416)


@QUIETLY
@given(fields=st.dictionaries(st.sampled_from(["name", "password", "form", "next", "language", "csrf", "x"]), WORDS))
def test_no_form_makes_the_server_stumble(client, fields):
    for path in ("/login", "/language", "/logout"):
        assert client.post(path, data=fields).status_code < 500


# --- metrics and pages -------------------------------------------------------------------------------------------


def test_metrics_are_figures_of_this_moment(api):
    text = api.get("/metrics").text
    assert 'vonggac_incidents{state="new"} 3.0' in text
    assert 'vonggac_boxes{state="down"} 1.0' in text
    assert 'vonggac_box_outbox_events{box="truong-tieu-hoc"} 3.0' in text
    assert 'vonggac_camera_frame_age_seconds{camera="truong-tieu-hoc/nha-xe"}' not in text  # unknown is left out


def test_every_page_speaks_both_languages(sign_in, shift):
    browser = sign_in("lan")
    pages = ("/", "/?state=new", "/boxes", *(f"/incidents/{incident}" for incident in shift))
    for language, word in (("vi", "Đăng xuất"), ("en", "Sign out")):
        assert browser.post("/language", data={"language": language, "next": "/boxes"}).headers["location"] == "/boxes"
        for page in pages:
            answer = browser.get(page)
            assert answer.status_code == 200, answer.text
            assert word in answer.text
            assert f'<html lang="{language}">' in answer.text


def test_pages_are_there_when_nothing_is(sign_in, duty):
    duty.people()
    browser = sign_in("lan")
    assert "Chưa có sự việc nào" in browser.get("/").text
    assert "Chưa có hộp máy nào" in browser.get("/boxes").text


def test_names_from_outside_are_text_and_never_markup(sign_in, shift, duty):
    episode = duty.started("nga-ba-cho", "duong-lon", NOW_MS, zones=("<script>alert(1)</script>", '"><img src=x>'))
    incident = duty.incident("nga-ba-cho/duong-lon", episode, start_ms=NOW_MS, last_ms=NOW_MS)
    browser = sign_in("lan")
    for page in ("/", f"/incidents/{incident}"):
        assert "<script>alert" not in browser.get(page).text
        assert "<img src=x>" not in browser.get(page).text


def test_people_get_a_page_and_programs_get_a_problem(client):
    assert "Không tìm thấy" in client.get("/nothing", headers={"accept": "text/html"}).text
    answer = client.get("/api/v1/nothing", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.json()["status"] == 404
    assert client.post("/api/v1/boxes").json()["status"] == 405


@sqlite_only
def test_a_store_that_cannot_answer_is_said_to_be_busy(api, duty):
    duty.database.close()
    for path in duty.folder.glob("collector.sqlite*"):
        path.unlink()
    (duty.folder / "collector.sqlite").mkdir()
    answer = api.get("/api/v1/boxes")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "hint" in answer.json()
