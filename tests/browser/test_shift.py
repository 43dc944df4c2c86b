"""A shift at the desk in a real browser: incidents arrive, are acknowledged and watched."""

import time

import pytest

from collector.alerts.rules import Rule
from collector.alerts.stored_rules import as_json
from collector.store import desk, maps, rules
from tests.browser.conftest import DESKTOP, PHONE
from tests.support.duty import a_clip, a_heartbeat, a_picture

pytestmark = pytest.mark.chromium


def until(holds, what, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"{what} within {within_s} s"
        time.sleep(0.02)


def wait_for(page, condition):
    """Playwright's own waiting evaluates strings in the page, which its policy rightly forbids."""
    until(lambda: page.evaluate(condition), condition)


def test_an_incident_arrives_in_two_browsers_within_a_second_and_one_acknowledges_for_both(open_as, site):
    lan, minh = open_as("lan"), open_as("minh")
    assert lan.title() == "(3) Sự việc — Vọng Gác"
    duty = site.duty
    at_ms = time.time_ns() // 1_000_000
    started = time.monotonic()
    episode = duty.started("nga-ba-cho", "duong-lon", at_ms, zones=("làn xe",), picture=a_picture(7))
    incident = duty.incident("nga-ba-cho/duong-lon", episode, start_ms=at_ms, last_ms=at_ms)
    for page in (lan, minh):
        card = page.wait_for_selector(f"#incident-{incident}", timeout=3_000)
        assert time.monotonic() - started < 1.5  # committing took part of it
        assert "duong-lon" in card.inner_text()
        assert "Ngã ba chợ" in card.inner_text()
        until(lambda page=page: page.title().startswith("(4)"), "the count in the title")
        assert page.locator(".card").first.get_attribute("id") == f"incident-{incident}"
        seen = f"document.querySelector('#incident-{incident} img')?.naturalWidth > 0"
        until(lambda page=page, seen=seen: page.evaluate(seen), "the picture")
    assert "Sự việc mới: duong-lon" in minh.locator("#news").inner_text()

    lan.click(f"#incident-{incident} button")
    for page in (lan, minh):
        page.wait_for_selector(f"#incident-{incident}.acknowledged", timeout=3_000)
        assert "lan, lúc" in page.locator(f"#incident-{incident}").inner_text()
        until(lambda page=page: page.title().startswith("(3)"), "the count in the title")
    assert lan.url == f"{site.address}/"  # nothing was loaded anew


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


def test_a_session_that_ends_leads_to_the_login_instead_of_a_dead_page(open_as, site):
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


def test_the_auditor_finds_who_watched_a_clip(open_as, site):
    officer = open_as("minh")
    officer.goto(f"{site.address}/incidents/{site.incidents[1]}")
    wait_for(officer, "document.getElementById('video').readyState >= 2")
    auditor = open_as("hoa")
    auditor.goto(f"{site.address}/incidents/{site.incidents[1]}")
    auditor.click("text=Ai đã xem?")
    auditor.select_option("#action", "view")
    auditor.fill("#who", "Minh")
    auditor.click(".search .button.main")
    rows = auditor.locator("table.audit tbody tr")
    until(lambda: rows.count() >= 1, "lines")
    told = rows.all_inner_texts()
    assert all("minh" in row for row in told)
    assert any("Đoạn phim" in row for row in told)
    auditor.click("text=Xem sự việc")
    auditor.wait_for_url(f"**/incidents/{site.incidents[1]}")


def drawn_map(duty):
    """A plan of the commune with some pins on it, and a rule made on the page."""
    from tests.integration.web.test_map import COMMUNE, a_plan

    body = a_plan()
    plan = maps.Plan(
        commune=COMMUNE, sha256="a" * 64, kind="png", width=640, height=400, uploaded_ms=duty.now_ms, who="thu"
    )  # fmt: skip
    rule = rules.RuleRow(id=duty.new_id(), name="chợ", body=as_json(Rule(name="")), changed_ms=duty.now_ms, who="thu")
    with duty.database.write() as connection:
        maps.keep_plan(connection, plan, body)
        for number, camera in enumerate(("nha-van-hoa-01/cong", "truong-tieu-hoc/nha-xe", "nga-ba-cho/duong-lon")):
            maps.place_pin(connection, maps.Pin(camera, 0.2 + 0.3 * number, 0.4), "thu", duty.now_ms)
        rules.keep_rule(connection, rule)


PAGES = (
    "/",
    "/?state=new",
    "/search",
    "/search?camera=truong-tieu-hoc/nha-xe",
    "/search?time=lúc nào",
    "/search?camera=truong-tieu-hoc/hanh-lang&time=hôm qua 14:35",
    "/cameras",
    "/map",
    "/rules",
    "/start",
    "/mutes",
    "/boxes",
    "/boxes/truong-tieu-hoc",
    "/boxes/tram-y-te",
    "/outages",
    "/availability",
    "/maintenance",
    "/incidents/0",
    "/incidents/1",
    "/incidents/2",
    "/incidents/3",
    "/nothing",
    "/login",
)


ON_EVERY_SCREEN = pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"]
)


@pytest.mark.parametrize("language", ["vi", "en"])
@ON_EVERY_SCREEN
def test_every_page_is_accessible_and_fits_its_screen(open_as, site, language, size, scheme):
    drawn_map(site.duty)
    page = open_as("thu", size=size, scheme=scheme, language=language)  # an administrator sees every button
    for path in PAGES:
        name = path.replace("/incidents/", "")
        where = f"/incidents/{site.incidents[int(name)]}" if name.isdigit() else path
        if path == "/login":
            page.context.clear_cookies(name="vg_session")
        page.goto(site.address + where)
        judge(page, path, language)


@pytest.mark.parametrize("language", ["vi", "en"])
@ON_EVERY_SCREEN
def test_the_auditors_page_is_accessible_and_fits_its_screen(open_as, site, language, size, scheme):
    page = open_as("hoa", size=size, scheme=scheme, language=language)
    for path in ("/audit", f"/audit?incident={site.incidents[0]}", "/audit?who=nobody"):
        page.goto(site.address + path)
        judge(page, path, language)


def judge(page, path, language):
    """No finding of axe, nothing wider than the screen, the right language."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    told = [(rule["id"], node["target"], node["failureSummary"]) for rule in found for node in rule["nodes"]]
    assert told == [], path
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"
    assert page.evaluate("document.documentElement.lang") == language
