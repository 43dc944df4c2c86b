"""The life of a box's identity with the real programs and real brokers: bundle, enrolment, event and clip over mutual
TLS, renewal, revocation, replacement.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.brokers import mosquitto_path
from tests.support.certified import Certified, plugin_path
from tests.support.system import Program, wait_for
from tests.support.walks import film_walks

WALKS = ((4.0, 7.0),)
KINDS = [
    "nats",
    pytest.param(
        "mosquitto",
        marks=[
            pytest.mark.mosquitto,
            pytest.mark.skipif(
                mosquitto_path() is None or plugin_path() is None, reason="needs Mosquitto: apt-get install mosquitto"
            ),
        ],
    ),
]
WITHIN_S = 60


@pytest.fixture(params=KINDS)
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Certified]:
    film_walks(tmp_path / "street.mp4", WALKS, 14.0)
    # so short that, with the day that certificates are dated back, less than a third is left at the start: it renews
    made = Certified(tmp_path, request.param, life="11h")
    yield made
    made.kill()


def say(agent: Program, event: str) -> list[dict[str, object]]:
    return [line for line in agent.lines("info", "warning", "error") if line.get("event") == event]


def stored(post: Certified) -> list[dict[str, object]]:
    return [e for e in post.api("episodes") if e["end"] and any(clip["state"] == "stored" for clip in e["clips"])]


def heartbeat_of(post: Certified, box: str) -> str | None:
    (found,) = [each for each in post.api("boxes") if each["id"] == box]
    received = found["heartbeat_received"]
    return None if received is None else str(received)


def talks(agent: Program) -> list[tuple[bool, str]]:
    """Each beginning and end of its talk with the broker, and when."""
    words = {"connected to the broker": True, "no connection to the broker": False, "broker refuses this box": False}
    lines = agent.lines("info", "warning", "error")
    return [(words[line["event"]], line["timestamp"]) for line in lines if line.get("event") in words]


def age_s(timestamp: str) -> float:
    """Seconds since a log line."""
    return time.time() - datetime.fromisoformat(timestamp).timestamp()


@pytest.mark.timeout(240)
def test_a_box_is_enrolled_heard_renewed_revoked_and_replaced(post: Certified, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    about = ("--site", "Ngõ 12", "--commune", "Xã Thử")
    post.run("box", "add", "box-1", *about, "--camera", "gate=street.mp4", "--bundle", str(bundle))
    post.serve()
    post.sign_in()
    config = post.enrol("box-1", bundle)
    assert sorted(path.name for path in bundle.rglob("*")) == ["authority.pem", "box.json"]

    agent = post.start_enrolled(config)
    (episode,) = wait_for(lambda: stored(post), "an episode with its clip", WITHIN_S)
    assert episode["camera"] == "box-1/gate"

    wait_for(lambda: say(agent, "certificate renewed"), "a renewal")
    before = heartbeat_of(post, "box-1")
    wait_for(lambda: heartbeat_of(post, "box-1") != before, "a heartbeat with the new certificate")
    wait_for(lambda: talks(agent)[-1][0] and age_s(talks(agent)[-1][1]) > 3, "a session that lasts")

    began = time.time()
    post.run("box", "revoke", "box-1")
    wait_for(lambda: not talks(agent)[-1][0], "the end of the open session", WITHIN_S)
    cut_s = datetime.fromisoformat(talks(agent)[-1][1]).timestamp() - began
    print(f"from `collector box revoke` to the end of the open MQTT session: {cut_s:.1f} s")
    assert cut_s < WITHIN_S
    last, connections = heartbeat_of(post, "box-1"), sum(begins for begins, _at in talks(agent))

    again = tmp_path / "again"
    post.run("box", "replace", "box-1", "--camera", "gate=street.mp4", "--bundle", str(again))
    new = post.start_enrolled(post.enrol("box-1", again, "box-1-new"))
    wait_for(lambda: heartbeat_of(post, "box-1") != last, "the new box's heartbeat", WITHIN_S)
    assert len(post.api("episodes")) >= 1
    assert episode["id"] in {each["id"] for each in post.api("episodes")}
    assert not talks(agent)[-1][0]
    assert sum(begins for begins, _at in talks(agent)) == connections  # the old one never came back
    assert new.process.poll() is None
    post.stop()
