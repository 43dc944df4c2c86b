"""Working an incident in a real browser: sound, keys, outcome, mute."""

import pytest

from tests.browser.arrivals import arrive, outcome_of, sound_of, struck
from tests.browser.seen import judge, until, wait_for

pytestmark = pytest.mark.chromium


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
