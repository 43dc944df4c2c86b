"""The map in a real browser: a plan is uploaded, pins are placed by pointing and by keyboard, and follow."""

import pytest

from tests.browser.seen import until
from tests.integration.web.test_map import GATE, a_plan

pytestmark = pytest.mark.chromium

PIN_ON_DRAWING = """() => {
  const place = (what) => document.querySelector(what).getBoundingClientRect();
  const [plan, pin] = [place("#drawing"), place("#drawing circle.pin.ok")];
  return [(pin.x + pin.width / 2 - plan.x) / plan.width, (pin.y + pin.height / 2 - plan.y) / plan.height];
}"""
"""Where the pin's middle is, in shares of the plan's sides; both are asked at once, for styles may still come."""


def test_an_administrator_uploads_a_plan_and_points_at_where_a_camera_hangs(open_as, site, tmp_path):
    file = tmp_path / "plan.png"
    file.write_bytes(a_plan())
    page = open_as("thu")
    page.goto(f"{site.address}/map")
    assert page.locator("#drawing").count() == 0
    page.set_input_files("#file", file)
    page.click("#upload button")
    page.wait_for_selector("#drawing image")
    page.wait_for_load_state("load")

    gate = page.locator("#maplist li").nth(1)  # nha-van-hoa-01/cong
    gate.locator("summary").click()
    gate.locator("[data-pick]").click()
    drawing = page.locator("#drawing").bounding_box()
    page.mouse.click(drawing["x"] + drawing["width"] * 0.25, drawing["y"] + drawing["height"] * 0.5)
    page.wait_for_selector("#drawing circle.pin.ok")
    assert page.evaluate(PIN_ON_DRAWING) == pytest.approx([0.25, 0.5], abs=0.005)

    other = page.locator("#maplist li").nth(2)  # by keyboard alone
    other.locator("summary").focus()
    page.keyboard.press("Enter")
    for text in ("40", "30,5"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    until(lambda: page.locator("#drawing circle.pin").count() == 2, "a second pin")

    site.duty.standing("camera", GATE, "blind", site.duty.now_ms)
    page.wait_for_selector("#drawing circle.pin.alarm", timeout=6_000)
    assert "Mất hình" in page.locator("#maplist").inner_text()


def test_a_file_that_is_no_picture_is_refused_in_words(open_as, site, tmp_path):
    file = tmp_path / "plan.png"
    file.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    page = open_as("thu")
    page.goto(f"{site.address}/map")
    page.set_input_files("#file", file)
    with page.expect_console_message(lambda message: "415" in message.text):
        page.click("#upload button")
    page.wait_for_selector("#failed:not([hidden])")
    assert "PNG or JPEG" in page.locator("#failed").inner_text()
    open_as.watches[0].said.clear()  # the browser's own word on the 415
