"""Updates with the real programs: keys and signatures by the collector's own commands, a real agent with a camera over
mutual TLS, and somebody in systemd's place who starts `current` again for ever. Says how long each return took.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certified import Certified
from tests.support.releases import packed
from tests.support.system import program, wait_for
from tests.support.systemd import Service
from tests.support.walks import film_walks
from vonggac.daemon.crash_points import VARIABLE

BOX = "nha-van-hoa-01"
WITHIN_S = 60.0
FAULTS = {
    "good": "",
    "crash": "[ $1 = run ] && exit 1",
    # the program is as it was, but its camera shows nothing
    "blind": '[ $1 = run ] && { sed "s/street.mp4/gone.mp4/" "$3" > "$3.blind"; set -- run --config "$3.blind"; }',
}


def a_real_tree(folder: Path, version: str, kind: str = "good") -> Path:
    """The program of this working tree under another version."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / f"vonggac-{version}.dist-info").mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: vonggac\nVersion: {version}\n"
    (folder / "lib" / f"vonggac-{version}.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")
    script = folder / "bin" / "edge-agent"
    script.write_text(
        f'#!/bin/sh\nhome=$(dirname "$(dirname "$(readlink -f "$0")")")\n{FAULTS[kind]}\n'
        f'PYTHONPATH="$home/lib" exec {sys.executable} -m edge_agent.cli "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return folder


class Post:
    """A collector, a box with release 1.0.0, and the offline computer with the signing key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "opt"
        film_walks(folder / "street.mp4", ((4.0, 7.0),), 240.0)  # a camera that never ends within a step
        self.system = Certified(folder, "nats")
        (folder / "key.password").write_text("mot-mat-khau-du-dai-cho-khoa-ky\n", encoding="utf-8")
        (folder / "key.password").chmod(0o600)
        self.password = ["--password-file", str(folder / "key.password")]
        public = self.offline("keygen", str(folder / "release.key"), *self.password).split()[0]
        self.system.run("update", "trust", public)
        self.system.serve()
        self.system.run(
            "box", "add", BOX, "--site", "Nhà văn hóa", "--commune", "Xã Thử",
            "--camera", f"gate={folder / 'street.mp4'}", "--bundle", str(folder / "bundle"),
        )  # fmt: skip
        self.config = self.system.enrol(BOX, folder / "bundle")
        text = self.config.read_text(encoding="utf-8").replace(
            "update:\n", f"heartbeat: 1s\nupdate:\n  root: {self.root}\n  probation: 20s\n  steady: 3s\n  poll: 500ms\n"
        )
        self.config.write_text(text, encoding="utf-8")
        a_real_tree(self.root / "releases" / "1.0.0", "1.0.0")
        (self.root / "current").symlink_to("releases/1.0.0")
        self._log = (folder / "agent.log").open("ab")
        self.service = Service(
            self.root, folder / "restart", ["--config", self.config], stdout=self._log, stderr=self._log, cwd=folder
        )
        self.service.boot()

    def close(self) -> None:
        self.service.close()
        self._log.close()
        self.system.kill()

    def offline(self, *arguments: str) -> str:
        """A command that needs neither server nor configuration."""
        command = [program("collector"), "update", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def offer(self, version: str, kind: str = "good") -> None:
        tree = a_real_tree(self.folder / f"tree-{version}", version, kind)
        release = self.folder / f"release-{version}"
        key = ["--key", str(self.folder / "release.key"), *self.password]
        self.offline("sign", str(release), str(packed(tree, version)), *key)
        self.system.run("update", "add", str(release))
        self.system.run("update", "offer", version, "--ring", "all")

    def update(self, crash_at: str = "", expect: int = 0) -> float:
        """A pass, as the unit starts it; returns how long it took, in seconds."""
        began = time.monotonic()
        name = "proven" if (self.root / "proven").exists() else "current"
        command = [str(self.root / name / "bin" / "edge-agent"), "update", "--config", str(self.config)]
        command += ["--restart", f"touch {self.service.flag}"]
        environment = {**os.environ, VARIABLE: crash_at}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, env=environment, cwd=self.folder
        )
        assert done.returncode == expect, done.stderr + done.stdout
        return time.monotonic() - began

    def progress(self) -> dict[str, object]:
        (line,) = self.system.run("update", "progress", "--json").splitlines()
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def works(self, version: str, step: str) -> bool:
        """Does the collector hear this version, with a picture, and of this end of an update?"""
        said = self.progress()
        (camera,) = [json.loads(line) for line in self.system.run("cameras", "--json").splitlines()] or [{}]
        return (said["version"], said["step"], camera.get("stream")) == (version, step, "streaming")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_box_is_updated_goes_back_by_itself_and_survives_a_power_cut(post: Post) -> None:
    wait_for(lambda: post.works("1.0.0", "idle"), "the box with 1.0.0", WITHIN_S)
    post.offer("1.1.0")
    print(f"taken in {post.update():.1f} s")
    wait_for(lambda: post.works("1.1.0", "done"), "1.1.0 to stay", WITHIN_S)

    post.offer("1.2.0", "blind")
    took_s = post.update()
    wait_for(lambda: post.works("1.1.0", "returned"), "1.1.0 to be back", WITHIN_S)
    assert post.progress()["reason"] == "did not prove itself: no picture of gate"
    print(f"no picture: back in {took_s:.1f} s, of which 20 s are the probation")

    post.offer("1.3.0", "crash")
    took_s = post.update()
    wait_for(lambda: post.works("1.1.0", "returned"), "1.1.0 to be back", WITHIN_S)
    assert post.progress()["reason"] == "did not prove itself: no heartbeat of 1.3.0 has arrived"
    print(f"crash on start: back in {took_s:.1f} s")

    post.offer("1.4.0")
    post.update(crash_at="update.switched", expect=-9)
    post.service.cut_power()
    post.service.boot()
    print(f"power cut after the switch: on the new release in {post.update():.1f} s")
    wait_for(lambda: post.works("1.4.0", "done"), "1.4.0 to stay", WITHIN_S)
