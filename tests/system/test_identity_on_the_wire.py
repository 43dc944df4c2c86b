"""Box and server in network namespaces of their own: a household's line on which somebody listens to every byte."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.certified import Certified
from tests.support.system import Program, wait_for
from tests.support.walks import film_walks
from tests.system.test_identity import KINDS, talks

SERVER, BOX = "10.79.0.1", "10.79.0.2"
SNIFF = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0))
with open(sys.argv[2], "ab", buffering=0) as file:
    print("listening", flush=True)
    while True:
        file.write(wire.recv(65536))
"""


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=False, capture_output=True)


class Line:
    """Two namespaces and a cable between them, tapped at the box's end."""

    def __init__(self, folder: Path) -> None:
        name = f"vgid{os.getpid()}"
        self._spaces = (f"{name}-server", f"{name}-box")
        self.server, self.box = (("ip", "netns", "exec", space) for space in self._spaces)
        self.heard = folder / "wire"
        self._tap: subprocess.Popen[str] | None = None
        devices = (f"{name[:11]}s", f"{name[:11]}b")
        for space in self._spaces:
            _run("ip", "netns", "add", space)
        made = _run("ip", "link", "add", devices[0], "type", "veth", "peer", "name", devices[1])
        if made.returncode:
            self.remove()
            pytest.skip(f"no network namespaces or no veth here: {made.stderr.decode().strip()}")
        for space, device, address in zip(self._spaces, devices, (SERVER, BOX), strict=True):
            for command in (
                ("ip", "link", "set", device, "netns", space),
                ("ip", "-n", space, "link", "set", "lo", "up"),
                ("ip", "-n", space, "address", "add", f"{address}/24", "dev", device),
                ("ip", "-n", space, "link", "set", device, "up"),
            ):
                done = _run(*command)
                assert done.returncode == 0, done.stderr
        self._tap = subprocess.Popen(
            [*self.box, sys.executable, "-c", SNIFF, devices[1], str(self.heard)], stdout=subprocess.PIPE, text=True
        )
        assert self._tap.stdout is not None
        assert self._tap.stdout.readline() == "listening\n"

    def remove(self) -> None:
        if self._tap is not None:
            self._tap.kill()
            self._tap.wait(5)
        for space in self._spaces:
            _run("ip", "netns", "delete", space)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made = Line(tmp_path)
    yield made
    made.remove()


@pytest.fixture(params=KINDS)
def post(request: pytest.FixtureRequest, line: Line, tmp_path: Path) -> Iterator[Certified]:
    film_walks(tmp_path / "street.mp4", ((4.0, 7.0),), 14.0)
    made = Certified(tmp_path, request.param, host=SERVER, within=line.server)
    yield made
    made.kill()


def rows(post: Certified, what: str) -> list[dict[str, object]]:
    return [json.loads(text) for text in post.run(what, "--json").splitlines()]


def listening_ports(agent: Program) -> list[str]:
    """Local ends of the sockets that listen in the box's namespace."""
    found = []
    for kind in ("tcp", "tcp6"):
        lines = Path(f"/proc/{agent.process.pid}/net/{kind}").read_text().splitlines()[1:]
        found += [line.split()[1] for line in lines if line.split()[3] == "0A"]
    return found


@pytest.mark.timeout(180)
def test_whoever_taps_the_line_reads_nothing_and_nothing_listens_on_the_box(
    post: Certified, line: Line, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    about = ("--site", "Ngo 12", "--commune", "Xa Thu")
    post.run("box", "add", "hop-nha-van-hoa", *about, "--camera", "cong-chinh=street.mp4", "--bundle", str(bundle))
    token = (bundle / "token").read_text().strip()
    post.serve_within(line.server)
    config = post.enrol("hop-nha-van-hoa", bundle, within=line.box)
    agent = post.start_enrolled(config, line.box)
    wait_for(lambda: [clip for clip in rows(post, "clips") if clip["state"] == "stored"], "a stored clip", 60)
    assert listening_ports(agent) == []

    began = time.time()
    post.run("box", "revoke", "hop-nha-van-hoa")
    wait_for(lambda: not talks(agent)[-1][0], "the end of the open session", 60)
    cut_s = datetime.fromisoformat(talks(agent)[-1][1]).timestamp() - began
    print(f"from `collector box revoke` to the end of the open session, over the line: {cut_s:.1f} s")
    assert cut_s < 60

    tapped = line.heard.read_bytes()
    clip_bytes = sum(int(str(clip["size_bytes"])) for clip in rows(post, "clips"))
    assert len(tapped) > clip_bytes  # the tap did hear: all of the clip went by
    for word in (token, "hop-nha-van-hoa", "cong-chinh", "vg/1/", "episode_started", "HTTP/1.1", "ftypiso", "Basic "):
        assert word.encode() not in tapped, word
