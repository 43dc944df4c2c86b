"""The page of updates: what a technician sees of releases and boxes, and the button that stops."""

from dataclasses import replace

import pytest

from collector.store import audit, releases
from collector.store.audit import Sought
from collector.web.updates import worded
from edge_agent.update.verdict import Trial, missing
from tests.integration.web.conftest import csrf_of
from tests.support.duty import a_heartbeat
from vonggac.wire.messages import UpdateHealth
from vonggac.wire.release import Heard

TRIAL = Trial("1.1.0", ("gate", "yard"), 0, 60_000)
BLIND = Heard(version="1.1.0", received_ms=1, ran_ms=70_000, cameras={"gate": False})


def a_fleet(duty):
    """A release that is offered to a few, and a box in each step of it."""
    duty.people()
    with duty.database.write() as connection:
        releases.add_release(connection, "1.1.0", "{}", "", duty.now_ms)
        releases.offer(connection, "1.1.0", "first")
        releases.set_ring(connection, "tram-mot", "first")
    for number, (box, health) in enumerate(
        {
            "tram-mot": UpdateHealth(version="1.1.0", step="done", target="1.1.0"),
            "tram-hai": UpdateHealth(version="1.0.0", step="fetching", target="1.1.0", percent=40),
            "tram-ba": UpdateHealth(
                version="1.0.0", step="returned", target="1.1.0", reason="did not prove itself: no picture of gate"
            ),
        }.items()
    ):
        if box != "tram-mot":
            duty.box(box, f"Ngõ {number}", ("gate",))
        duty.heartbeat(box, replace(a_heartbeat(("gate",)), update=health))


def test_a_technician_sees_how_far_boxes_are_and_stops_a_release(duty, sign_in):
    duty.box("tram-mot", "Ngõ 0", ("gate",))
    a_fleet(duty)
    browser = sign_in("son")
    page = browser.get("/updates").text
    assert page.index("tram-ba") < page.index("tram-hai") < page.index("tram-mot"), "what went wrong comes first"
    for text in ("đầu tiên: vài hộp chạy thử", "đang tải · 1.1.0 · 40 %", "không có hình của gate", "xong · 1.1.0"):
        assert text in page
    answer = browser.post("/updates/1.1.0/stop", headers={"x-csrf-token": csrf_of(browser)}, follow_redirects=False)
    assert answer.status_code == 303
    assert "son đã dừng" in browser.get("/updates").text
    with duty.database.read() as connection:
        (line,) = audit.list_lines(connection, Sought(action="configure", who="son"))
        (found,) = releases.list_releases(connection)
    assert (line.thing, line.ref, line.detail) == ("release", "1.1.0", {"did": "stop"})
    assert not found.offer.is_open


@pytest.mark.parametrize(
    ("reason", "key", "places"),
    [
        (missing(TRIAL, None), "update_reason.no_heartbeat", {}),
        (missing(TRIAL, BLIND), "update_reason.no_picture", {"names": "gate, yard"}),
        (missing(TRIAL, replace(BLIND, ran_ms=10)), "update_reason.restarts", {}),
    ],
)
def test_what_boxes_say_is_known_to_the_page(reason, key, places):
    """Said by the box's own code: where that changes its words, the page must learn them."""
    assert worded(f"did not prove itself: {reason}") == (key, places)


def test_a_release_that_two_boxes_took_back_stops_by_itself(duty, sign_in):
    duty.box("tram-mot", "Ngõ 0", ("gate",))
    a_fleet(duty)
    back = UpdateHealth(version="1.0.0", step="returned", target="1.1.0", reason="did not prove itself")
    duty.heartbeat("tram-hai", replace(a_heartbeat(("gate",)), update=back), duty.now_ms + 1)
    assert "tự dừng: 2 hộp đã quay về bản cũ" in sign_in("son").get("/updates").text
