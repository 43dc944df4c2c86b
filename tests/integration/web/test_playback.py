"""Playback copies: made once by a process of its own, kept for a while, gone with their clip, which stays as it is."""

import os
import time

import av
import pytest

from collector.playback.copies import Copies
from collector.playback.folder import copy_path, sweep_copies
from collector.store import audit
from collector.store.audit import Sought
from tests.integration.web.conftest import csrf_of
from tests.support.duty import a_clip
from tests.support.system import wait_for

SCHOOL = "truong-tieu-hoc"


@pytest.fixture(scope="module")
def hevc(tmp_path_factory):
    return a_clip(tmp_path_factory.mktemp("hevc") / "clip.mp4", seconds=2, encoder="libx265")


@pytest.fixture
def clip(duty, shift, hevc):
    """The id of a stored clip in H.265."""
    episode = duty.started(SCHOOL, "cong-truong", duty.now_ms - 9_000)
    name = duty.announced(SCHOOL, "cong-truong", episode, duty.now_ms - 10_000, hevc, codec="hevc")
    duty.stored(SCHOOL, name, hevc)
    return name


@pytest.fixture
def officer(sign_in, shift):
    browser = sign_in("lan")
    browser.headers["x-csrf-token"] = csrf_of(browser)
    return browser


def read(file):
    """Codec and the times of all pictures, in seconds."""
    with av.open(str(file)) as film:
        return film.streams.video[0].codec_context.name, [frame.time for frame in film.decode(video=0)]


def wait_until(browser, path, word):
    def asked():
        told = browser.get(path).json()
        assert told["state"] in ("making", word), told
        return told if told["state"] == word else None

    return wait_for(asked, f"the copy to be {word}")


def test_a_copy_is_made_once_and_plays_with_the_times_of_the_clip(officer, duty, clip, hevc, tmp_path):
    path = f"/api/v1/clips/{clip}/playback"
    assert officer.get(path).json() == {"clip": clip, "state": "none", "url": None}
    assert officer.get(f"/api/v1/clips/{clip}?copy=1").status_code == 404
    assert officer.post(path).json()["state"] == "making"
    url = wait_until(officer, path, "ready")["url"]
    answer = officer.get(url, headers={"range": "bytes=0-"})
    assert answer.status_code == 206
    file = tmp_path / "copy.mp4"
    file.write_bytes(answer.content)
    codec, times = read(file)
    assert codec == "h264"
    assert times == pytest.approx(read(duty.folder / "clips" / f"{clip}.mp4")[1], abs=0.002)
    assert officer.get(f"/api/v1/clips/{clip}").content == hevc
    assert officer.get(f"{url}&download=1").status_code == 400
    with duty.database.read() as connection:
        [line] = audit.list_lines(connection, Sought(action="view"))
    assert (line.who, line.thing, line.ref) == ("lan", "clip", clip)


def test_a_clip_that_is_none_makes_no_copy_and_says_so(officer, duty, clip):
    (duty.folder / "clips" / f"{clip}.mp4").write_bytes(b"no clip at all" * 99)
    path = f"/api/v1/clips/{clip}/playback"
    assert officer.post(path).json()["state"] == "making"
    wait_until(officer, path, "failed")
    assert not list((duty.folder / "playback").iterdir())


def test_few_are_made_at_once_and_one_that_takes_too_long_is_ended(tmp_path, hevc):
    source = tmp_path / "clip.mp4"
    source.write_bytes(hevc)
    copies = Copies(tmp_path, at_once=1, longest_s=0.0)
    assert copies.make("a" * 64, source) == "making"
    assert copies.make("b" * 64, source) == "making"  # the first took longer than 0 s
    assert copies.state("a" * 64) == "failed"
    patient = Copies(tmp_path, at_once=1)
    assert patient.make("c" * 64, source) == "making"
    assert patient.make("c" * 64, source) == "making"
    assert patient.make("d" * 64, source) == "busy"
    wait_for(lambda: patient.state("c" * 64) != "making", "the copy")
    assert patient.state("c" * 64) == "ready"
    assert copies.state("b" * 64) in ("failed", "ready")


def test_a_copy_goes_with_its_clip(sign_in, duty, clip, officer):
    path = f"/api/v1/clips/{clip}/playback"
    officer.post(path)
    wait_until(officer, path, "ready")
    assert len(list((duty.folder / "playback").iterdir())) == 1
    browser = sign_in("thu")
    data = {"reason": "chủ nhà yêu cầu", "csrf": csrf_of(browser)}
    assert browser.post(f"/clips/{clip}/delete", data=data).status_code == 303
    assert list((duty.folder / "playback").iterdir()) == []


def test_what_nobody_watched_for_a_day_goes_and_the_oldest_when_there_are_too_many(tmp_path):
    now_s = time.time()
    (tmp_path / "playback").mkdir()
    for number, age_s in enumerate((10, 20, 30, 100_000)):
        path = copy_path(tmp_path, str(number) * 64)
        path.write_bytes(b"x" * 100)
        os.utime(path, (now_s - age_s, now_s - age_s))
    assert sweep_copies(tmp_path, now_s) == 1
    assert sweep_copies(tmp_path, now_s, max_bytes=250) == 1
    assert sorted(path.name[0] for path in (tmp_path / "playback").iterdir()) == ["0", "1"]
