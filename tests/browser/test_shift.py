"""One shift from its first incident to the auditor's question, in the order in which people live through it."""

import time

import pytest

from collector.store import desk
from tests.browser.arrivals import arrive, outcome_of, sound_of, struck
from tests.browser.seen import until, wait_for

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(180)]

NOTE_ARRIVALS = """
    window.came = {};
    new MutationObserver(() => {
        for (const card of document.querySelectorAll(".card")) window.came[card.id] ??= Date.now();
    }).observe(document.body, {childList: true, subtree: true});
"""
CLIP = "document.getElementById('video')"


def test_a_whole_shift(open_as, site):
    lan, minh = open_as("lan"), open_as("minh")
    three_arrive(site, lan, minh)
    a_clip_is_found_by_its_time_plays_and_seeks(site, lan)
    a_false_alarm_is_muted(site, lan)
    lan_hands_over_and_minh_closes(site, lan, minh)
    the_technician_finds_the_blind_camera(site, open_as("son"))
    the_auditor_finds_who_watched(site, open_as("hoa"))


def three_arrive(site, lan, minh):
    assert lan.title() == "(3) Sự việc — Vọng Gác"
    assert [sound_of(page) for page in (lan, minh)] == ["quiet", "quiet"]
    for page in (lan, minh):
        page.evaluate(NOTE_ARRIVALS)
    made = []
    for seed in range(3):
        before_ms = time.time_ns() // 1_000_000
        made.append(arrive(site, seed=seed))
        card = f"incident-{made[-1]}"
        for page in (lan, minh):
            page.wait_for_selector(f"#{card}", timeout=3_000)
            assert page.evaluate(f"window.came['{card}']") - before_ms <= 1000, (
                "from before it is committed to the card"
            )
            assert page.locator(".card").first.get_attribute("id") == card
    for page in (lan, minh):
        until(lambda page=page: page.title().startswith("(6)"), "the count in the title")
        until(lambda page=page: sound_of(page) == "ringing", "the sound")
        seen = f"document.querySelector('#incident-{made[-1]} img')?.naturalWidth > 0"
        until(lambda page=page, seen=seen: page.evaluate(seen), "the picture")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the bar has room for the bell"
    assert "Sự việc mới: duong-lon" in minh.locator("#news").inner_text()
    before = struck(minh)
    assert before >= 1
    until(lambda: struck(minh) > before, "the sound repeats", within_s=6)

    for keys, incident in (("jja", made[1]), ("ja", made[0]), ("kka", made[2])):
        for key in keys:
            lan.keyboard.press(key)
        for page in (lan, minh):
            page.wait_for_selector(f"#incident-{incident}.acknowledged", timeout=3_000)
            assert "lan, lúc" in page.locator(f"#incident-{incident}").inner_text()
    for page in (lan, minh):
        until(lambda page=page: sound_of(page) == "quiet", "silence")
        until(lambda page=page: page.title().startswith("(3)"), "the count in the title")
    assert lan.url == f"{site.address}/"  # nothing was loaded anew


def a_clip_is_found_by_its_time_plays_and_seeks(site, page):
    with site.duty.database.read() as connection:
        start_ms = desk.find_incident(connection, site.incidents[1]).start_ms
    page.click('.bar nav a[href="/search"]')
    page.fill("#time", time.strftime("%Hh%M", time.gmtime(start_ms / 1000 + 7 * 3600)))
    page.select_option("#camera", "truong-tieu-hoc/cong-truong")
    page.press("#time", "Enter")
    page.click("#nearest a")
    page.wait_for_url(f"**/incidents/{site.incidents[1]}?episode=**")
    wait_for(page, f"{CLIP}.readyState >= 2")
    opened_s = page.evaluate(f"{CLIP}.currentTime")
    page.keyboard.press(" ")
    wait_for(page, f"{CLIP}.currentTime > {opened_s} + 0.3")
    page.keyboard.press(" ")
    wait_for(page, f"{CLIP}.paused")
    paused_s = page.evaluate(f"{CLIP}.currentTime")
    page.keyboard.press("ArrowRight")
    wait_for(page, f"Math.abs({CLIP}.currentTime - {paused_s} - 5) < 0.1 && !{CLIP}.seeking")


def a_false_alarm_is_muted(site, page):
    page.keyboard.press("f")
    page.wait_for_selector("#mute")
    page.select_option("#for", "1d")
    page.click("#mute .button")
    page.wait_for_url("**/mutes")
    assert "truong-tieu-hoc/cong-truong" in page.locator("tbody tr").inner_text()
    assert outcome_of(site, site.incidents[1]) == ("closed", "lan", "false")


def lan_hands_over_and_minh_closes(site, lan, minh):
    incident = site.incidents[3]
    for page in (lan, minh):
        page.goto(f"{site.address}/incidents/{incident}")
    lan.keyboard.press("a")
    lan.wait_for_selector("#to")
    lan.select_option("#to", "minh")
    lan.click("button[value=hand_over]")
    minh.wait_for_selector("#facts :text('minh, lúc')")
    minh.fill("#note", "đã kiểm tra")
    minh.click("#facts button[value=real]")
    minh.click("#facts button[value=close]")
    lan.wait_for_selector("#facts button[value=reopen]")
    assert outcome_of(site, incident) == ("closed", "minh", "real")
    assert "đã kiểm tra" in lan.locator("#facts").inner_text()


def the_technician_finds_the_blind_camera(site, page):
    assert page.url == f"{site.address}/boxes"
    order = page.locator("tr.box th a").all_inner_texts()
    assert order == ["nga-ba-cho", "truong-tieu-hoc", "nha-van-hoa-01", "tram-y-te"]  # worst first
    blind = page.locator("#why-truong-tieu-hoc .troubled li", has_text="nha-xe").inner_text()
    assert "Mất hình" in blind
    page.click("tr.box th a >> text=truong-tieu-hoc")
    page.wait_for_url("**/boxes/truong-tieu-hoc")
    assert "Camera không nhận tên đăng nhập hoặc mật khẩu" in page.locator("main").inner_text(), "why it is blind"


def the_auditor_finds_who_watched(site, page):
    page.goto(f"{site.address}/incidents/{site.incidents[1]}")
    page.click("text=Ai đã xem?")
    page.select_option("#action", "view")
    page.fill("#who", "Lan")
    page.click(".search .button.main")
    rows = page.locator("table.audit tbody tr")
    until(lambda: rows.count() >= 1, "lines")
    told = rows.all_inner_texts()
    assert all("lan" in row for row in told)
    assert any("Đoạn phim" in row for row in told)
    page.click("text=Xem sự việc")
    page.wait_for_url(f"**/incidents/{site.incidents[1]}")
