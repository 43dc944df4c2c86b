"""Working an incident in a real browser: sound, keys, outcome, hand-over."""

import time

import pytest

from collector.store import desk
from collector.store.alerts import NewAlert, enqueue
from tests.browser.test_shift import judge, until, wait_for
from tests.support.duty import a_picture

pytestmark = pytest.mark.chromium


def rings(site, incident):
    """What the rules would have enqueued for the post's screen."""
    duty = site.duty
    with duty.database.write() as connection:
        now_ms = time.time_ns() // 1_000_000
        alert = NewAlert(
            id=duty.new_id(), key=f"ring {incident}", kind="incident", channel="screen", severity="normal", rings=True,
            created_ms=now_ms, incident=incident,
        )  # fmt: skip
        enqueue(connection, alert)
        duty.tell(connection, "incident", incident)


def arrive(site, camera="nga-ba-cho/duong-lon", seed=7):
    duty, at_ms = site.duty, time.time_ns() // 1_000_000
    box, _, name = camera.partition("/")
    episode = duty.started(box, name, at_ms, zones=("làn xe",), picture=a_picture(seed))
    incident = duty.incident(camera, episode, start_ms=at_ms, last_ms=at_ms)
    rings(site, incident)
    return incident


def sound_of(page):
    return page.locator("#sound").get_attribute("data-state")


def struck(page):
    return int(page.locator("#sound").get_attribute("data-struck") or 0)


def outcome_of(site, incident):
    with site.duty.database.read() as connection:
        found = desk.find_incident(connection, incident)
    return found.state, found.owner, found.outcome


def test_three_incidents_ring_in_two_browsers_until_keys_have_taken_them_all(open_as, site):
    lan, minh = open_as("lan"), open_as("minh")
    assert [sound_of(page) for page in (lan, minh)] == ["quiet", "quiet"]
    made = [arrive(site, seed=number) for number in range(3)]
    for page in (lan, minh):
        page.wait_for_selector(f"#incident-{made[-1]}", timeout=3_000)
        until(lambda page=page: sound_of(page) == "ringing", "the sound")
    before = struck(minh)
    assert before >= 1
    until(lambda: struck(minh) > before, "the sound repeats", within_s=6)
    assert minh.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the bar has room for the bell"

    for _ in range(3):
        lan.keyboard.press("k")  # to the newest
    for incident in reversed(made):
        until(lambda: lan.evaluate("document.activeElement.closest('.card') !== null"), "a chosen card")
        chosen = lan.evaluate("document.activeElement.closest('.card').id")
        assert chosen == f"incident-{incident}"
        lan.keyboard.press("a")
        for page in (lan, minh):
            page.wait_for_selector(f"#incident-{incident}.acknowledged", timeout=3_000)
        lan.keyboard.press("j")
    for page in (lan, minh):
        until(lambda page=page: sound_of(page) == "quiet", "silence")


def test_the_sound_is_switched_off_here_alone_and_stays_off(open_as, site):
    lan, minh = open_as("lan"), open_as("minh")
    lan.click("#sound")
    arrive(site)
    until(lambda: sound_of(minh) == "ringing", "the other sound")
    assert (sound_of(lan), struck(lan)) == ("off", 0)
    lan.reload()
    assert sound_of(lan) == "off"


def test_a_false_alarm_is_one_key_in_the_feed_and_one_in_the_incident(open_as, site):
    page = open_as("lan")
    page.keyboard.press("j")
    page.keyboard.press("f")
    page.wait_for_selector(f"#incident-{site.incidents[0]}.closed")
    assert outcome_of(site, site.incidents[0]) == ("closed", "lan", "false")
    page.goto(f"{site.address}/incidents/{site.incidents[1]}")
    page.keyboard.press("f")
    page.wait_for_selector("#facts button[value=reopen]")
    assert outcome_of(site, site.incidents[1]) == ("closed", "lan", "false")


def test_keys_play_seek_step_and_walk(open_as, site):
    page = open_as("lan")
    page.goto(f"{site.address}/incidents/{site.incidents[1]}")
    wait_for(page, "document.getElementById('video').readyState >= 2")

    def at_s():
        return page.evaluate("document.getElementById('video').currentTime")

    opened_s = at_s()
    page.keyboard.press("ArrowRight")
    until(lambda: abs(at_s() - opened_s - 5) < 0.05, "five seconds on")
    page.keyboard.press(".")
    until(lambda: abs(at_s() - opened_s - 5.1) < 0.05, "a step on")
    page.keyboard.press(",")
    page.keyboard.press("ArrowLeft")
    until(lambda: abs(at_s() - opened_s) < 0.05, "back")
    page.keyboard.press(" ")
    wait_for(page, "!document.getElementById('video').paused")
    page.keyboard.press(" ")
    wait_for(page, "document.getElementById('video').paused")
    with page.expect_download() as download:
        page.keyboard.press("e")
    assert download.value.suggested_filename.endswith(".mp4")

    page.keyboard.press("j")
    page.wait_for_url(f"**/incidents/{site.incidents[2]}")
    page.keyboard.press("]")
    page.wait_for_url("**episode=*")
    assert page.locator("#episodes > a").nth(1).get_attribute("aria-current") == "true"
    page.keyboard.press("[")
    page.wait_for_selector("#episodes > a[aria-current]:first-of-type")
    page.wait_for_selector("#link[data-link=live]")  # its scripts run
    page.keyboard.press("k")
    page.wait_for_url(f"**/incidents/{site.incidents[1]}")


def test_keys_say_what_they_do_leave_fields_alone_and_can_be_switched_off(open_as, site):
    page = open_as("lan")
    page.goto(f"{site.address}/incidents/{site.incidents[1]}")
    page.fill("#note", "")
    page.locator("#note").press_sequentially("f a j")
    assert page.input_value("#note") == "f a j"
    assert outcome_of(site, site.incidents[1])[0] == "new"
    page.locator("#main h1").click()
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.uncheck("#keys-on")
    page.click("#keys .button.main")
    page.keyboard.press("f")
    page.keyboard.press("j")
    assert page.url.endswith(site.incidents[1])
    assert outcome_of(site, site.incidents[1])[0] == "new"


def test_an_incident_is_handed_over_with_a_note_and_closed_by_the_other(open_as, site):
    lan, minh = open_as("lan"), open_as("minh")
    for page in (lan, minh):
        page.goto(f"{site.address}/incidents/{site.incidents[1]}")
    lan.keyboard.press("a")
    lan.wait_for_selector("#to")
    lan.select_option("#to", "minh")
    lan.click("button[value=hand_over]")
    minh.wait_for_selector("#facts :text('minh, lúc')")
    minh.fill("#note", "đã kiểm tra")
    minh.click("#facts button[value=real]")
    minh.click("#facts button[value=close]")
    lan.wait_for_selector("#facts button[value=reopen]")
    assert outcome_of(site, site.incidents[1]) == ("closed", "minh", "real")
    assert "đã kiểm tra" in lan.locator("#facts").inner_text()


def test_a_false_alarm_offers_the_mute_of_its_zone_and_hours_which_is_seen_and_lifted(open_as, site):
    page = open_as("lan")
    page.goto(f"{site.address}/incidents/{site.incidents[1]}")
    page.keyboard.press("f")
    page.wait_for_selector("#mute")
    assert page.locator("#zone").input_value() == "sân trước"
    begins = page.input_value("#from")
    assert begins.endswith(":00")
    judge(page, "the offer", "vi")
    page.select_option("#for", "1d")
    page.click("#mute .button")
    page.wait_for_url("**/mutes")
    row = page.locator("tbody tr").inner_text()
    assert "truong-tieu-hoc/cong-truong" in row
    assert "vùng sân trước" in row
    assert begins in row
    judge(page, "/mutes", "vi")
    page.click("tbody button")
    page.wait_for_selector("text=lan đã bỏ sớm")
    assert page.locator("text=Không có gì đang bị tắt báo").is_visible()
