"""From a camera to an officer's screen with the real programs as processes: collector, broker, agent."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from edge_agent.outbox.inspect import read_stats
from tests.support.brokers import COLLECTOR, COLLECTOR_SECRET, Mosquitto, free_port, mosquitto_path
from tests.support.system import System, wait_for
from tests.support.walks import film_walks, packets_of

WALKS = ((6.0, 9.0), (17.0, 20.0))
DURATION_S = 26.0
PRE_ROLL_S = 3.0
CAMERAS = f"""
  - {{name: gate, source: main.mp4, sub: sub.mp4, pre_roll: {PRE_ROLL_S}s, post_roll: 2s}}
  - {{name: dead, source: 'rtsp://127.0.0.1:9/none'}}
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    film_walks(folder / "main.mp4", WALKS, DURATION_S, (640, 480), fps=20)
    film_walks(folder / "sub.mp4", WALKS, DURATION_S)
    return folder


@pytest.fixture
def folder(tmp_path, films):
    for film in ("main.mp4", "sub.mp4"):
        (tmp_path / film).symlink_to(films / film)
    return tmp_path


def _ms(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp() * 1000


def _ended_with_clips(system: System, count: int) -> list[dict]:
    episodes = [
        episode
        for episode in system.api("episodes")
        if episode["end"] and any(clip["state"] == "stored" for clip in episode["clips"])
    ]
    return sorted(episodes, key=lambda episode: episode["start"]) if len(episodes) >= count else []


def _is_copied(clip: bytes, source: Path, scratch: Path) -> bool:
    file = scratch / "clip.mp4"
    file.write_bytes(clip)
    copied, original = packets_of(file), packets_of(source)
    starts = (at for at, packet in enumerate(original) if packet == copied[0])
    return any(copied == original[at : at + len(copied)] for at in starts)


def test_two_walks_become_episodes_alerts_and_clips_that_are_the_cameras_own_packets(folder):
    system = System(folder)
    try:
        system.add_box("box-1")
        system.serve()
        system.sign_in()
        agent = system.start_box("box-1", CAMERAS)
        episodes = wait_for(lambda: _ended_with_clips(system, 2), "two episodes with clips", 60)
        assert [episode["camera"] for episode in episodes] == ["box-1/gate"] * 2
        began_ms = _ms(episodes[0]["start"]) - WALKS[0][0] * 1000
        for episode, (start_s, end_s) in zip(episodes, WALKS, strict=True):
            assert abs(_ms(episode["start"]) - (began_ms + start_s * 1000)) < 1500
            assert _ms(episode["end"]) > began_ms + end_s * 1000 - 1500
            (clip,) = episode["clips"]
            assert not clip["truncated"]
            assert _ms(clip["first_frame"]) <= _ms(episode["start"]) - PRE_ROLL_S * 1000
            assert _ms(clip["first_frame"]) + clip["duration_ms"] >= _ms(episode["end"])
            answer = system.session.get(system.url + clip["url"], timeout=10)
            assert len(answer.content) == clip["size_bytes"]
            assert _is_copied(answer.content, folder / "main.mp4", folder)
            part = system.session.get(system.url + clip["url"], headers={"Range": "bytes=100-199"}, timeout=10)
            assert (part.status_code, part.content) == (206, answer.content[100:200])
            picture = system.session.get(system.url + episode["snapshot"], timeout=10)
            assert picture.content.startswith(b"\xff\xd8")
            assert len(picture.content) <= 40 * 1024
        incidents = wait_for(lambda: system.api("incidents"), "an incident")
        assert {episode["id"] for incident in incidents for episode in incident["episodes"]} == {
            episode["id"] for episode in episodes
        }
        (box,) = wait_for(lambda: [box for box in system.api("boxes") if box["heartbeat"]], "a heartbeat")
        cameras = {camera["name"]: camera["health"] for camera in box["cameras"]}
        assert cameras["dead"]["main"]["state"] != "streaming"
        assert cameras["dead"]["last_frame_age_ms"] is None
        assert cameras["gate"]["decoded"] >= 100  # both walks; between them only key frames
        assert agent.stop() == 0
        assert wait_for(lambda: system.run("fsck") or "well", "fsck")
        assert system.stop() == {"box-1": 0, "collector": 0}
        assert system.collector is not None
        assert system.collector.lines("error", "critical") == []
        assert agent.lines("error", "critical") == []
    finally:
        system.kill()


def test_nothing_is_lost_when_the_collector_is_killed_in_between(folder):
    system = System(folder)
    try:
        system.add_box("box-1")
        system.serve()
        system.sign_in()
        system.start_box("box-1", CAMERAS)
        wait_for(lambda: system.api("episodes"), "the first episode")
        assert system.collector is not None
        system.collector.kill()
        wait_for(lambda: _waiting_on(folder) >= 3, "events that wait on the box")
        system.serve()
        episodes = wait_for(lambda: _ended_with_clips(system, 2), "both episodes with clips", 60)
        assert len(episodes) == 2
        wait_for(lambda: _waiting_on(folder) == 0, "receipts for everything", 60)
        numbers = sorted(event["seq"] for event in _events(system))
        assert numbers == list(range(1, len(numbers) + 1))
    finally:
        system.kill()


def test_a_box_does_what_it_is_told_and_answers(folder):
    system = System(folder)
    try:
        system.add_box("box-1")
        system.serve()
        agent = system.start_box("box-1", CAMERAS)
        wait_for(lambda: "connected" in agent.log.read_text(), "the box's connection")
        assert system.run("box", "tell", "box-1", "ping") == "done\n"
        wait_for(lambda: "camera streams" in agent.log.read_text(), "the camera's first packets")
        request = (
            system.run("box", "tell", "box-1", "snapshot", "--camera", "gate").strip().removeprefix("done request=")
        )
        taken = wait_for(lambda: [event for event in _events(system) if event["type"] == "snapshot_taken"], "a picture")
        assert taken[0]["body"]["request"] == request
        assert wait_for(lambda: list((folder / "server" / "snapshots").rglob("*.jpg")), "the picture's file")
        with pytest.raises(AssertionError, match="unknown command 'dance'"):
            system.run("box", "tell", "box-1", "dance")
        with pytest.raises(AssertionError, match="camera dead gives no picture"):
            system.run("box", "tell", "box-1", "snapshot", "--camera", "dead")
        assert system.run("box", "tell", "box-1", "restart") == "done\n"
        assert agent.process.wait(30) == 0
    finally:
        system.kill()


@pytest.mark.mosquitto
@pytest.mark.skipif(mosquitto_path() is None, reason="needs Mosquitto: apt-get install mosquitto")
@pytest.mark.parametrize("protocol", Mosquitto.protocols)
def test_the_whole_way_goes_over_mosquitto_too(folder, protocol):
    password = folder / "broker.secret"
    password.write_text(COLLECTOR_SECRET, encoding="utf-8")
    password.chmod(0o600)
    port = free_port()
    signing_in = f"host: 127.0.0.1, port: {port}, protocol: '{protocol}', user: {COLLECTOR}"
    system = System(folder, broker=f"{{{signing_in}, password_file: broker.secret}}")
    system.add_box("box-1")
    secret = (folder / "box-1.secret").read_text(encoding="utf-8").strip()
    broker = Mosquitto(folder / "broker", ["box-1"], {"box-1": secret}, port=port)
    system.broker_port = port
    try:
        broker.start()
        system.serve()
        system.sign_in()
        agent = system.start_box("box-1", CAMERAS, broker_options=f"protocol: '{protocol}', ")
        wait_for(lambda: _ended_with_clips(system, 1), "an episode with its clip", 60)
        assert wait_for(lambda: system.api("incidents"), "an incident")
        assert agent.stop() == 0
        assert _waiting_on(folder) == 0
        connected = [line for line in agent.lines("info") if line["event"] == "connected to the broker"]
        assert [line["protocol"] for line in connected] == [protocol]
    finally:
        system.kill()
        broker.kill()


def _waiting_on(folder: Path) -> int:
    return read_stats(folder / "box-1").events


def _events(system: System) -> list[dict]:
    return [json.loads(line) for line in system.run("events", "--json").splitlines()]
