"""Who gets in, how long, and to what: sessions, tokens, forms, throttling, and every route for every role."""

import pytest

from collector.store import users
from collector.web.app import ROUTES
from tests.integration.web.conftest import csrf_of, try_login
from tests.support.databases import sqlite_only
from tests.support.duty import PASSWORD, PEOPLE, QUICK_PASSWORDS

USER_OF_ROLE = {role: name for name, role in reversed(PEOPLE.items())}
HOUR_MS = 3_600_000


def test_healthz_alone_answers_a_stranger(client, shift):
    assert client.get("/healthz").text == "ok\n"
    for entry in ROUTES:
        if entry.right == "public":
            continue
        answer = client.request(entry.method, entry.path.replace("{id}", shift[0]))
        if entry.style == "api":
            assert answer.status_code == 401, entry
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")
        else:
            assert answer.status_code == 303, entry
            assert answer.headers["location"].startswith("/login")
    assert client.get("/api/v1/live").status_code == 401


def test_the_technicians_first_page_is_the_boxes(sign_in, shift):
    assert sign_in("son").get("/").headers["location"] == "/boxes"


def test_a_session_cookie_is_strict_and_out_of_scripts_reach(client, shift):
    answer = try_login(client, "lan")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = next(text for text in answer.headers.get_list("set-cookie") if text.startswith("vg_session="))
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/" in cookie
    secret = cookie.split("=")[1].split(";")[0]
    assert len(secret) >= 43


@sqlite_only
def test_what_is_stored_of_a_session_lets_nobody_in(client, shift, duty):
    try_login(client, "lan")
    secret = client.cookies["vg_session"]
    stored = (duty.folder / "collector.sqlite").read_bytes() + (duty.folder / "collector.sqlite-wal").read_bytes()
    assert secret.encode() not in stored
    assert PASSWORD.encode() not in stored


def test_every_login_makes_a_new_session_and_ends_the_old_one(client, shift):
    try_login(client, "lan")
    first = client.cookies["vg_session"]
    client.get("/boxes")
    client.cookies.set("vg_form", "x" * 20, domain="desk.test", path="/login")
    client.post("/login", data={"name": "minh", "password": PASSWORD, "form": "x" * 20})
    second = client.cookies["vg_session"]
    assert second != first
    client.cookies.clear()
    client.cookies.set("vg_session", first)
    assert client.get("/boxes").status_code == 303


def test_a_session_ends_after_twelve_idle_hours_and_not_before(sign_in, shift, clock):
    browser = sign_in("lan")
    for _ in range(3):
        clock.advance(11 * HOUR_MS)
        assert browser.get("/boxes").status_code == 200
    clock.advance(12 * HOUR_MS)
    assert browser.get("/boxes").status_code == 303


def test_a_session_ends_after_a_week_whatever_happens(sign_in, shift, clock):
    browser = sign_in("lan")
    for _ in range(7 * 24 // 6):
        assert browser.get("/boxes").status_code == 200
        clock.advance(6 * HOUR_MS)
    assert browser.get("/boxes").status_code == 303


def test_signing_out_ends_the_session_on_the_server(sign_in, shift):
    browser = sign_in("lan")
    secret = browser.cookies["vg_session"]
    assert browser.post("/logout", data={"csrf": csrf_of(browser)}).status_code == 303
    browser.cookies.clear()
    browser.cookies.set("vg_session", secret)
    assert browser.get("/boxes").status_code == 303


def test_a_user_who_is_disabled_is_out_at_once_and_cannot_come_back(sign_in, client, shift, duty):
    browser = sign_in("lan")
    with duty.database.write() as connection:
        assert users.disable_user(connection, "lan", duty.now_ms)
    assert browser.get("/boxes").status_code == 303
    assert try_login(client, "lan").status_code == 401


def test_a_new_password_ends_every_session(sign_in, shift, duty):
    browser = sign_in("lan")
    with duty.database.write() as connection:
        assert users.set_password(connection, "lan", "another hash")
    assert browser.get("/boxes").status_code == 303


def test_a_wrong_name_and_a_wrong_password_get_the_same_words(client, shift):
    wrong_password = try_login(client, "lan", "not the password")
    wrong_name = try_login(client, "nobody", "not the password")
    assert wrong_password.status_code == wrong_name.status_code == 401
    said = "Tên đăng nhập hoặc mật khẩu không đúng."
    assert said in wrong_password.text
    assert said in wrong_name.text


def test_a_name_is_one_person_however_it_is_spelt(client, duty):
    with duty.database.write() as connection:
        assert users.add_user(connection, "Thọ", QUICK_PASSWORDS.hash(PASSWORD), "officer", duty.now_ms)
        assert not users.add_user(connection, "THO\u0323", "another hash", "officer", duty.now_ms)
    for spelling in ("Thọ", "thọ", " THO\u0323 "):
        client.cookies.clear()
        assert try_login(client, spelling).status_code == 303


def test_guessing_is_slowed_by_name_and_the_right_password_waits_too(client, shift, clock):
    for _ in range(5):
        assert try_login(client, "lan", "wrong guess").status_code == 401
    answer = try_login(client, "lan")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "2"
    assert "Sai quá nhiều lần. Hãy thử lại sau 2 giây." in answer.text
    assert try_login(client, "minh").status_code == 303
    clock.advance(2_000)
    client.cookies.clear()
    assert try_login(client, "lan").status_code == 303


def test_guessing_is_slowed_by_address_over_all_names(client, shift):
    statuses = [try_login(client, f"name{number}", "wrong guess").status_code for number in range(22)]
    assert statuses[:20] == [401] * 20
    assert statuses[20:] == [429, 429]


def test_the_count_of_failures_outlives_a_restart(client, sign_in, shift):
    for _ in range(5):
        try_login(client, "lan", "wrong guess")
    with pytest.raises(AssertionError):
        sign_in("lan")  # another application over the same database


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [("/boxes", "/boxes"), ("//evil.example", "/"), ("https://evil.example/", "/"), ("/\\evil.example", "/")],
)
def test_after_the_login_the_browser_stays_here(client, shift, target, goes_to):
    assert try_login(client, "lan", next=target).headers["location"] == goes_to


def test_a_login_from_another_sites_form_is_refused(client, shift):
    client.get("/login")
    fields = {"name": "lan", "password": PASSWORD}
    assert client.post("/login", data=fields | {"form": "guessed"}).status_code == 403
    foreign = {"sec-fetch-site": "cross-site"}
    assert client.post("/login", data=fields, headers=foreign).status_code == 403
    assert client.post("/login", data=fields, headers={"origin": "https://evil.example"}).status_code == 403


def test_a_change_without_the_sessions_token_is_refused(sign_in, shift):
    browser = sign_in("lan")
    for path in (f"/api/v1/incidents/{shift[0]}/ack", f"/incidents/{shift[0]}/ack", "/logout"):
        assert browser.post(path).status_code == 403
        assert browser.post(path, data={"csrf": "wrong"}).status_code == 403
        assert browser.post(path, headers={"x-csrf-token": "é".encode()}).status_code == 403
        good = {"x-csrf-token": csrf_of(browser), "sec-fetch-site": "cross-site"}
        assert browser.post(path, headers=good).status_code == 403
    assert browser.get(f"/api/v1/incidents/{shift[0]}").json()["state"] == "new"


def test_a_token_opens_what_its_role_may_and_needs_no_csrf(client, shift, duty):
    headers = {"authorization": f"Bearer {duty.token('officer')}"}
    assert client.get("/api/v1/incidents", headers=headers).status_code == 200
    assert client.get("/metrics", headers=headers).status_code == 403
    answer = client.post(f"/api/v1/incidents/{shift[0]}/ack", headers=headers)
    assert answer.json()["owner"] == "thu/test officer"


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer wrong", "Basic dGh1OnRodQ==", "bearer \xff", "é"])
def test_what_is_no_token_is_nobody(client, shift, header):
    assert client.get("/api/v1/boxes", headers={"authorization": header.encode("latin-1")}).status_code == 401


def test_a_token_ends_with_its_time_and_with_its_user(client, shift, duty, clock):
    with duty.database.write() as connection:
        users.add_token(connection, "short", "short", "lan", "officer", duty.now_ms, duty.now_ms + 1_000)
    headers = {"authorization": "Bearer short"}
    assert client.get("/api/v1/boxes", headers=headers).status_code == 200
    clock.advance(1_000)
    assert client.get("/api/v1/boxes", headers=headers).status_code == 401


def test_a_link_from_a_mail_is_asked_again_so_that_the_strict_cookie_comes_along(client, shift):
    answer = client.get(f"/incidents/{shift[0]}", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text


def test_every_answer_carries_the_headers(client, sign_in, shift):
    browser = sign_in("lan")
    answers = [
        client.get("/login"), client.get("/healthz"), client.get("/nothing"), client.get("/static/desk.css"),
        client.get("/api/v1/boxes"), browser.get("/"), browser.get("/api/v1/boxes"),
    ]  # fmt: skip
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert browser.get("/").headers["cache-control"] == "no-store"


def test_a_form_that_is_too_large_is_refused_before_it_is_held_in_memory(client, shift):
    assert client.post("/login", data={"name": "x" * 20_000}).status_code == 413


def test_a_session_of_https_is_bound_to_the_host(duty, shift, clock):
    import dataclasses

    from starlette.testclient import TestClient

    from collector.web.app import build_app
    from tests.support.web_server import VIETNAM

    settings = dataclasses.replace(VIETNAM, secure=True)
    app = build_app(duty.database, duty.folder, settings, None, clock, passwords=QUICK_PASSWORDS)
    browser = TestClient(app, base_url="https://desk.test", follow_redirects=False)
    answer = try_login(browser, "lan")
    cookie = next(text for text in answer.headers.get_list("set-cookie") if "session" in text)
    assert cookie.startswith("__Host-vg_session=")
    assert "Secure" in cookie
    assert answer.headers["strict-transport-security"]
