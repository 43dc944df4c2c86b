"""Why a box did not, or a camera cannot, in the reader's language; what the box itself said stands beneath it."""

import dataclasses
import html
from typing import get_args

import pytest

from collector.store import commands, episodes
from collector.web.wording import load_texts
from tests.integration.web.conftest import csrf_of
from tests.support.duty import a_heartbeat
from vonggac.wire import messages as m

SCHOOL = "truong-tieu-hoc"
LANGUAGES = ("vi", "en")


@pytest.fixture
def son(sign_in, shift):
    """The technician's browser."""
    return sign_in("son")


def read(browser, path, language):
    browser.cookies.set("vg_language", language)
    return html.unescape(browser.get(path).text)


def refuse(browser, duty, **more):
    token = {"x-csrf-token": csrf_of(browser)}
    browser.post(f"/boxes/{SCHOOL}/command", data={"command": "restart"}, headers=token)
    with duty.database.write() as connection:
        [waiting] = commands.waiting_commands(connection, duty.now_ms)
        commands.mark_sent(connection, waiting.id, duty.now_ms)
        reply = m.Reply(to=waiting.id, ok=False, **more)
        assert commands.record_reply(connection, duty.envelope(SCHOOL, reply), reply, duty.now_ms + 300)


def go_blind(duty, **more):
    body = m.CameraState(camera="hanh-lang", state="down", since_ms=duty.now_ms - 600_000, **more)
    with duty.database.write() as connection:
        episodes.record_camera_state(connection, duty.envelope(SCHOOL, body), body, duty.now_ms)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", get_args(m.NotDone))
def test_every_refusal_of_a_command_is_told_in_both_languages(son, duty, code, language):
    refuse(son, duty, error="the box's own words", code=code)
    page = read(son, f"/boxes/{SCHOOL}", language)
    assert load_texts(language)[f"not_done.{code}"] in page
    assert "the box's own words" in page
    [told] = son.get(f"/api/v1/boxes/{SCHOOL}/commands").json()["items"]
    assert (told["error"], told["code"]) == ("the box's own words", code)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", get_args(m.NoPicture))
def test_every_reason_for_no_picture_is_told_in_both_languages(son, duty, code, language):
    heard = a_heartbeat(("cong-truong", "hanh-lang"))
    gone = dataclasses.replace(heard.cameras[1], main=m.StreamHealth(state="unavailable", reason=code))
    duty.heartbeat(SCHOOL, dataclasses.replace(heard, cameras=(heard.cameras[0], gone)))
    go_blind(duty, reason="main: the box's own words", code=code)
    text = load_texts(language)[f"no_picture.{code}"]
    page = read(son, f"/boxes/{SCHOOL}", language)
    assert page.count(text) >= 2, "at the camera and at the gap"
    assert "main: the box's own words" in page
    [told] = son.get(f"/api/v1/gaps?box={SCHOOL}").json()["items"]
    assert ("main: the box's own words", code) in {
        (gap["reason"], gap["code"]) for camera in told["cameras"] for gap in camera["gaps"]
    }


@pytest.mark.parametrize("code", [None, "made_of_cheese"])
def test_what_an_older_or_a_newer_box_says_is_shown_as_it_is(son, duty, code):
    refuse(son, duty, error="no way", code=code)
    go_blind(duty, reason="main: gone", code=code)
    page = read(son, f"/boxes/{SCHOOL}", "vi")
    assert "no way" in page
    assert "main: gone" in page
    assert "cheese" not in page


@pytest.mark.parametrize(("group", "codes"), [("not_done", get_args(m.NotDone)), ("no_picture", get_args(m.NoPicture))])
def test_every_code_of_the_contract_has_its_own_words_and_no_more(group, codes):
    vietnamese, english = load_texts("vi"), load_texts("en")
    assert {key for key in vietnamese if key.startswith(f"{group}.")} == {f"{group}.{code}" for code in codes}
    assert all(vietnamese[f"{group}.{code}"] != english[f"{group}.{code}"] for code in codes)
