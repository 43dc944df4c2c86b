"""An incident's life at the desk: outcome, hand-over, close, reopen; who was first; what it leaves behind."""

import pytest

from collector.store import audit, desk, users
from collector.store.alerts import NewAlert, enqueue
from collector.store.audit import Sought
from collector.store.reach import Reach, Spot
from tests.integration.web.conftest import csrf_of


@pytest.fixture
def step(sign_in, shift):
    """A function: somebody takes a step with an incident of the shift; the answer."""
    browsers = {}

    def take(name, do, number=0, **more):
        browser = browsers.setdefault(name, sign_in(name))
        path = f"/api/v1/incidents/{shift[number]}/step"
        return browser.post(path, data={"do": do, **more}, headers={"x-csrf-token": csrf_of(browser)})

    return take


def standing(answer):
    told = answer.json()
    return told["state"], told["owner"], told["outcome"]


@pytest.mark.parametrize("outcome", ["false", "known"])
def test_one_press_on_a_new_incident_says_what_it_was_and_ends_it(step, outcome):
    answer = step("lan", outcome)
    assert standing(answer) == ("closed", "lan", outcome)
    assert answer.json()["closed"] == answer.json()["acknowledged"] == "2026-09-21T14:13:20.000Z"


@pytest.mark.parametrize("outcome", ["real", "forwarded"])
def test_what_is_real_stays_open_until_somebody_closes_it(step, outcome):
    assert standing(step("lan", outcome)) == ("acknowledged", "lan", outcome)
    assert standing(step("minh", "close", note="đã xong")) == ("closed", "lan", outcome)


def test_nothing_is_closed_without_an_outcome(step):
    assert step("lan", "close", 2).status_code == 409
    assert step("lan", "reopen", 2).status_code == 409


def test_who_reopens_an_incident_owns_it_and_it_needs_an_outcome_again(step):
    step("lan", "false")
    assert step("minh", "real").status_code == 409
    assert standing(step("minh", "reopen")) == ("acknowledged", "minh", None)
    assert step("minh", "close").status_code == 409


def test_a_hand_over_gives_it_to_somebody_who_may_have_it(step, duty):
    with duty.database.write() as connection:
        far = users.Standing(Reach((Spot("Xã khác"),)))
        users.add_user(connection, "y-moan", "no hash", "officer", duty.now_ms, far)
    assert standing(step("lan", "hand_over", 2, to="Minh")) == ("acknowledged", "minh", None)
    for nobody in ("son", "hoa", "y-moan", "nobody", ""):
        answer = step("lan", "hand_over", 2, to=nobody)
        assert (answer.status_code, answer.json()["where"]) == (400, "to")


def test_a_step_that_is_none_is_refused(step):
    assert step("lan", "dance").json()["where"] == "do"
    assert step("lan", "").status_code == 400


def test_every_step_stands_in_the_history_and_in_the_audit_log(step, shift, duty):
    step("lan", "forwarded", note="  công an   huyện ")
    step("lan", "hand_over", to="minh")
    step("minh", "close")
    step("lan", "reopen", note="nhầm")
    with duty.database.read() as connection:
        history = desk.incident_history_of(connection, shift[0])
        lines = audit.list_lines(connection, Sought(incident=shift[0]))[::-1]
    assert [(each["action"], each["who"], each["note"]) for each in history][1:] == [
        ("decide", "lan", "forwarded: công an huyện"),
        ("hand_over", "lan", "minh"),
        ("close", "minh", None),
        ("reopen", "lan", "nhầm"),
    ]
    acts = [(line.action, line.who) for line in lines]
    assert acts == [("decide", "lan"), ("hand_over", "lan"), ("close", "minh"), ("reopen", "lan")]


def test_the_form_without_scripts_does_the_same(sign_in, shift):
    browser = sign_in("lan")
    fields = {"do": "known", "csrf": csrf_of(browser), "next": "/?state=new"}
    answer = browser.post(f"/incidents/{shift[0]}/step", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?state=new")
    page = browser.get(f"/incidents/{shift[0]}").text
    assert "Người quen" in page
    assert 'value="reopen"' in page
    assert "Kết luận · <b>lan</b> · Người quen" in page


def test_an_incident_rings_on_the_screen_until_it_is_taken_unless_it_came_late(sign_in, step, shift, duty):
    def ringing():
        page = sign_in("lan").get("/").text
        return int(page.split('data-ringing="')[1].split('"')[0])

    assert ringing() == 0
    with duty.database.write() as connection:
        for number, rings in ((0, True), (1, True), (3, False)):
            alert = NewAlert(
                id=duty.new_id(), key=f"k{number}", kind="incident", channel="screen", severity="normal", rings=rings,
                created_ms=duty.now_ms, incident=shift[number],
            )  # fmt: skip
            enqueue(connection, alert)
    assert ringing() == 2
    step("lan", "false")
    assert ringing() == 1
    step("lan", "real", 1)
    assert ringing() == 0
