"""The map: a plan is drawn anew from what came, pins show state and incidents."""

import cv2
import numpy as np
import pytest

from collector.playback.pictures import NoPicture, draw_anew
from collector.store import audit
from collector.store.audit import Sought
from tests.integration.web.conftest import csrf_of

COMMUNE = "Xã Hòa Bình"
GATE = "nha-van-hoa-01/cong"


def a_plan(kind="png", width=640, height=400):
    picture = np.full((height, width, 3), 235, np.uint8)
    cv2.line(picture, (0, height // 2), (width, height // 3), (120, 140, 150), 14)
    return bytes(cv2.imencode(f".{kind}", picture)[1])


@pytest.fixture
def administrator(sign_in, shift):
    browser = sign_in("thu")
    browser.headers["x-csrf-token"] = csrf_of(browser)
    return browser


def test_a_plan_is_drawn_anew_and_nothing_else_of_the_file_is_kept(administrator, duty, sign_in):
    data = a_plan() + b"<script>alert(1)</script>"
    answer = administrator.post(f"/map/{COMMUNE}/plan", content=data)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["width"], told["height"]) == (640, 400)
    kept = sign_in("son").get(told["url"])
    assert kept.headers["content-type"] == "image/png"
    assert b"script" not in kept.content
    seen = cv2.imdecode(np.frombuffer(kept.content, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(seen, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    with duty.database.read() as connection:
        [line] = audit.list_lines(connection, Sought(action="configure"))
    assert (line.who, line.thing, line.commune) == ("thu", "plan", COMMUNE)
    assert administrator.get(told["url"], headers={"if-none-match": kept.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", a_plan()[:60], b"\x89PNG\r\n\x1a\n" + b"\0" * 90,
        b"\xff\xd8\xff\xe0" + b"\0" * 90,
    ],
    ids=["nothing", "svg", "gif", "half", "zeroes", "jpeg of zeroes"],
)  # fmt: skip
def test_what_is_no_picture_is_refused_and_the_old_plan_stays(administrator, body):
    assert administrator.post(f"/map/{COMMUNE}/plan", content=a_plan("jpeg")).status_code == 200
    before = administrator.get("/map").text
    answer = administrator.post(f"/map/{COMMUNE}/plan", content=body)
    assert answer.status_code == 415
    assert "PNG or JPEG" in answer.json()["hint"]
    assert administrator.get("/map").text == before


def test_a_picture_with_too_many_pixels_or_bytes_is_refused(administrator):
    wide = bytearray(a_plan())
    wide[16:24] = (100_000).to_bytes(4, "big") * 2  # 10 gigapixels, says its head
    with pytest.raises(NoPicture, match="too large"):
        draw_anew(bytes(wide))
    large = administrator.post(f"/map/{COMMUNE}/plan", content=a_plan() + b"\0" * 13 * 2**20)
    assert large.status_code == 413


def test_a_large_plan_is_made_smaller():
    drawn = draw_anew(a_plan("jpeg", 4_000, 3_000))
    assert (drawn.kind, drawn.width, drawn.height) == ("jpeg", 3_000, 2_250)


def test_a_pin_shows_how_its_camera_is_and_what_waits_there(administrator, sign_in, shift):
    administrator.post(f"/map/{COMMUNE}/plan", content=a_plan())
    place = {"camera": GATE, "x": "25", "y": "50,0"}
    assert administrator.post("/map/pins", data=place).status_code == 303
    page = sign_in("lan").get("/map").text
    drawn = page.split('id="drawing"')[1].split("</svg>\n    </div>")[0]
    assert '<circle class="pin ok" cx="160.0" cy="200.0"' in drawn
    assert '<text class="number"' in drawn
    assert f"{GATE}: Hoạt động, 1 sự việc chưa tiếp nhận" in drawn
    assert 'name="x"' not in page  # officers place nothing
    technician = sign_in("son").get("/map").text
    assert '<circle class="pin ok"' in technician
    assert '<text class="number"' not in technician
    assert administrator.post("/map/pins", data={"camera": GATE, "do": "remove"}).status_code == 303
    assert "<circle" not in administrator.get("/map").text


@pytest.mark.parametrize("x", ["", "-1", "101", "nan", "1e999", "hai"])
def test_a_pin_lies_on_the_plan(administrator, x):
    assert administrator.post("/map/pins", data={"camera": GATE, "x": x, "y": "1"}).status_code == 400
