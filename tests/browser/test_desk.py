"""What stands on a desk in a real browser: clips, search, boxes, and what happens without scripts or a session."""

import time

import pytest

from collector.store import desk
from tests.browser.seen import until, wait_for
from tests.support.duty import a_clip, a_heartbeat

pytestmark = pytest.mark.chromium


def test_the_clip_opens_before_the_trigger_plays_and_seeks(open_as, site):
    page = open_as("lan")
    page.click(f"#incident-{site.incidents[1]} h3 a")
    wait_for(page, "document.getElementById('video').readyState >= 2")
    opened_s = page.evaluate("document.getElementById('video').currentTime")
    assert 2.0 <= 5.0 - opened_s <= 3.0  # the motion begins at second 5 of the clip
    assert page.evaluate("document.getElementById('video').duration") == pytest.approx(12.0, abs=0.2)
    page.evaluate("document.getElementById('video').play()")
    wait_for(page, f"document.getElementById('video').currentTime > {opened_s} + 0.5")
    page.evaluate("document.getElementById('video').pause()")
    page.evaluate("document.getElementById('video').currentTime = 9.3")
    wait_for(page, "!document.getElementById('video').seeking")
    assert page.evaluate("document.getElementById('video').currentTime") == pytest.approx(9.3, abs=0.1)
    strip = page.locator("#strip").bounding_box()
    page.mouse.click(strip["x"] + strip["width"] / 4, strip["y"] + 5)
    wait_for(page, "Math.abs(document.getElementById('video').currentTime - 3) < 0.3")
    assert page.locator("#cannot").is_hidden()
    why = page.locator(".reason").inner_text()
    assert "Chuyển động trong vùng: sân trước" in why
    assert "0,86" in why


def test_a_clip_that_arrives_while_one_waits_opens_by_itself(open_as, site, clip):
    page = open_as("lan")
    page.goto(f"{site.address}/incidents/{site.incidents[3]}")
    page.wait_for_selector("text=đang được gửi về")
    with site.duty.database.read() as connection:
        incident = desk.find_incident(connection, site.incidents[3])
    waiting = incident.episodes[0].clips[0]
    site.duty.stored(waiting.box, waiting.id, clip)
    wait_for(page, "document.getElementById('video')?.readyState >= 2")


def test_a_clip_in_h265_is_said_to_be_one_and_offered_as_a_copy_and_for_download(open_as, site, tmp_path):
    with site.duty.database.read() as connection:
        incident = desk.find_incident(connection, site.incidents[0])
    episode, now_ms = incident.episodes[0], site.duty.now_ms
    data = a_clip(tmp_path / "hevc.mp4", seconds=2, encoder="libx265")
    site.duty.ended("nha-van-hoa-01", "cong", episode.id, episode.start_ms, now_ms)
    name = site.duty.announced("nha-van-hoa-01", "cong", episode.id, now_ms - 9_000, data, codec="hevc")
    site.duty.stored("nha-van-hoa-01", name, data)
    page = open_as("lan")
    page.goto(f"{site.address}/incidents/{site.incidents[0]}")
    page.wait_for_selector("#cannot:not([hidden])")
    assert "H.265" in page.locator("#cannot").inner_text()
    with page.expect_download() as download:
        page.click("#cannot a")
    assert download.value.suggested_filename.endswith(".mp4")

    page.click("text=Tạo bản xem được")
    page.wait_for_selector("#copied:not([hidden])", timeout=30_000)
    wait_for(
        page, "document.getElementById('video').readyState >= 2 && document.getElementById('video').videoWidth === 640"
    )
    assert page.evaluate("document.getElementById('video').duration") == pytest.approx(2.0, abs=0.2)
    assert page.locator("#cannot").is_hidden()
    clip_file = site.duty.folder / "clips" / f"{name}.mp4"
    assert clip_file.read_bytes() == data  # the original is as it was
    page.reload()
    page.wait_for_selector("#copied:not([hidden])")


def test_previous_and_next_walk_through_the_feed(open_as, site):
    page = open_as("lan")
    page.goto(f"{site.address}/incidents/{site.incidents[0]}")
    for incident in site.incidents[1:]:
        page.click("#between a[rel=next]")
        page.wait_for_url(f"**/incidents/{incident}")
    assert page.locator("#between a[rel=next]").count() == 0
    page.click("#between a[rel=prev]")
    page.wait_for_url(f"**/incidents/{site.incidents[-2]}")


def test_a_typed_time_leads_to_the_clip_and_the_strip_to_the_hour(open_as, site):
    page = open_as("lan")
    with site.duty.database.read() as connection:
        incident = desk.find_incident(connection, site.incidents[1])
    at = time.strftime("%H:%M", time.gmtime(incident.start_ms / 1000 + 7 * 3600))
    page.click('.bar nav a[href="/search"]')
    page.fill("#time", at.replace(":", "h"))
    page.select_option("#camera", "truong-tieu-hoc/cong-truong")
    page.press("#time", "Enter")
    nearest = page.wait_for_selector("#nearest")
    assert "time=" + at.replace(":", "%3A") in page.url
    assert page.url.endswith("#nearest")  # shareable, and the browser has gone there
    assert "Gần giờ này nhất" in nearest.inner_text()
    page.click(".dayhours li:not(.ahead) a >> nth=0")  # the day's first hour, by its link
    page.wait_for_url("**time=00:00**")
    page.go_back()
    page.click("#nearest a")
    page.wait_for_url(f"**/incidents/{site.incidents[1]}?episode=**")
    wait_for(page, "document.getElementById('video').readyState >= 2")


def test_the_moving_box_lies_over_the_clip_while_something_moves(open_as, site):
    from sqlalchemy import update

    from collector.store.schema import episodes

    with site.duty.database.write() as connection:
        episode = desk.find_incident(connection, site.incidents[1]).episodes[0].id
        track = [[0, 0.3, 0.62], [2000, 0.5, 0.62], [4000, 0.7, 0.62]]
        connection.execute(update(episodes).where(episodes.c.id == episode).values(path=track))
    page = open_as("lan")
    page.goto(f"{site.address}/incidents/{site.incidents[1]}")
    wait_for(page, "document.getElementById('video').readyState >= 2")
    assert page.locator("#track .now").is_hidden()  # it opens before anything moves
    page.evaluate("document.getElementById('video').currentTime = 7")  # the motion began at second 5
    now = page.wait_for_selector("#track .now:not([hidden])", state="attached")
    video = page.locator("#video").bounding_box()
    until(lambda: now.bounding_box()["width"] > 0, "a box")
    box = now.bounding_box()
    middle = (box["x"] + box["width"] / 2 - video["x"]) / video["width"]
    assert middle == pytest.approx(0.5, abs=0.02)


def test_the_boxes_page_follows_the_boxes(open_as, site):
    page = open_as("son")
    assert page.url == f"{site.address}/boxes"
    order = page.locator("tr.box th a").all_inner_texts()
    assert order == ["nga-ba-cho", "truong-tieu-hoc", "nha-van-hoa-01", "tram-y-te"]  # worst first
    assert "Mất kết nối đột ngột" in page.locator("#why-nga-ba-cho").inner_text()
    blind = page.locator("#why-truong-tieu-hoc .troubled li", has_text="nha-xe").inner_text()
    assert "Mất hình" in blind
    site.duty.heartbeat("tram-y-te", a_heartbeat(("loi-vao",)))
    site.duty.standing("box", "tram-y-te", "up", site.duty.now_ms)
    page.wait_for_selector("#box-tram-y-te.ok")
    assert page.locator(".bar nav a").all_inner_texts() == ["Bản đồ", "Hộp máy"]


def test_a_session_that_ends_leads_to_the_login_instead_of_a_dead_page(open_as, site, monkeypatch):
    monkeypatch.setattr("collector.web.live.BEAT_S", 0.5)
    page = open_as("lan")
    with site.duty.database.write() as connection:
        from collector.store import users

        users.end_sessions_of(connection, "lan")
    page.wait_for_url("**/login", timeout=15_000)


def test_without_scripts_the_desk_still_shows_and_acknowledges(chromium, site):
    from tests.support.duty import PASSWORD

    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.address)
    page.fill("#name", "lan")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.click(f"#incident-{site.incidents[0]} button")
    assert page.locator(f"#incident-{site.incidents[0]}").get_attribute("data-state") == "acknowledged"
    context.close()
