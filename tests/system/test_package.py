"""The packages for real: built, judged by lintian, installed in a Debian of their own, their agent run there.

Needs root, a Debian mirror and several minutes: VONGGAC_SLOW=1.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.package.release import build_project, foreign_parts, make_release, project_version, wheel_tags
from deploy.package.target import Target
from tests.support.certified import Certified
from tests.support.debian import copy_tree
from tests.support.system import program
from tests.support.walks import film_walks
from tests.system.conftest import EPOCH

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a Debian is made and entered"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="needs debootstrap: apt-get install debootstrap"),
]


def digest_of(tree: Path) -> str:
    """Of names, modes, links and bytes of a whole tree."""
    sums = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        sums.update(f"{path.relative_to(tree)} {path.lstat().st_mode:o} {path.lstat().st_mtime_ns}\n".encode())
        if path.is_symlink():
            sums.update(str(path.readlink()).encode())
        elif path.is_file():
            sums.update(path.read_bytes())
    return sums.hexdigest()


@pytest.mark.parametrize("program_name", ["agent", "collector"])
def test_every_wheel_of_an_arm64_build_is_for_arm64_and_the_build_repeats(program_name: str, tmp_path: Path) -> None:
    target = Target(program_name, project_version(), "13", "arm64")  # type: ignore[arg-type]
    digests = []
    for name in ("one", "two"):
        work = tmp_path / name
        make_release(work / "release", target, build_project(work, EPOCH), EPOCH)
        digests.append(digest_of(work / "release"))
    tree = tmp_path / "one" / "release"
    tags = wheel_tags(tree)
    assert "vonggac" in {name.split("-")[0] for name in tags}
    wrong = {name: found for name, found in tags.items() if not all(t == "any" or t.endswith("aarch64") for t in found)}
    assert wrong == {}
    assert foreign_parts(tree, "arm64") == []
    assert len(foreign_parts(tree, "amd64")) > 5  # there is machine code, and the check sees it
    parts = {each["name"] for each in json.loads((tree / "sbom.cdx.json").read_text())["components"]}
    assert {re.split(r"-\d", name)[0].lower().replace("_", "-") for name in tags} == parts
    assert digests[0] == digests[1]


@pytest.mark.skipif(shutil.which("lintian") is None, reason="needs lintian: apt-get install lintian")
def test_lintian_finds_no_error(debs: Path) -> None:
    for deb in debs.iterdir():
        done = subprocess.run(["lintian", "--fail-on", "error", deb], capture_output=True, text=True, check=False)
        assert done.returncode == 0, [line for line in done.stdout.splitlines() if line.startswith("E:")]


@pytest.fixture(scope="module")
def debian(bare_debian: Path) -> Iterator[Path]:
    tree = copy_tree(bare_debian, bare_debian.parent / "entered")
    yield tree
    shutil.rmtree(tree)


def inside(tree: Path, *command: str, user: str = "root") -> list[str]:
    """The command that runs in the tree, with /proc and /dev that go with it."""
    mounts = f"mount -t proc proc {tree}/proc && mount --rbind /dev {tree}/dev && "
    return ["unshare", "--mount", "sh", "-c", f'{mounts}exec chroot --userspec={user} {tree} "$@"', "sh", *command]


def run_inside(tree: Path, *command: str) -> str:
    done = subprocess.run(inside(tree, *command), capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    return done.stdout + done.stderr


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Certified]:
    made = Certified(tmp_path, "nats")
    yield made
    made.kill()


def test_cloud_init_of_debian_13_takes_the_card(post: Certified, debs: Path, debian: Path, tmp_path: Path) -> None:
    """With python3-netplan beside it, which judges Wi-Fi too."""
    card = debian / "boot" / "firmware"
    card.mkdir(parents=True, exist_ok=True)
    (card / "config.txt").touch()
    (tmp_path / "wifi").write_text("mat-khau-wifi")
    (tmp_path / "wifi").chmod(0o600)
    bundle = str(tmp_path / "box-1.bundle")
    post.run("box", "add", "box-1", "--site", "S", "--commune", "C", "--camera", "gate=a.mp4", "--bundle", bundle)
    post.run(
        "box", "flash", "box-1", "--boot", str(card), "--bundle", bundle, "--package", str(debs), "--arch", "amd64",
        "--wifi", "Quán Cà Phê", "--wifi-password-file", str(tmp_path / "wifi"),
    )  # fmt: skip
    run_inside(debian, "cloud-init", "schema", "--config-file", "/boot/firmware/user-data")
    network = ["cloud-init", "schema", "-t", "network-config", "--config-file"]
    run_inside(debian, *network, "/boot/firmware/network-config")
    text = (card / "network-config").read_text(encoding="utf-8")
    (card / "bad").write_text(text.replace("access-points", "access-point"), encoding="utf-8")
    assert (
        subprocess.run(inside(debian, *network, "/boot/firmware/bad"), capture_output=True, check=False).returncode != 0
    )


def test_a_pc_s_installer_makes_a_debian_a_box_that_is_accepted(
    post: Certified, debs: Path, debian: Path, tmp_path: Path
) -> None:
    film_walks(debian / "srv" / "street.mp4", ((1.0, 3.0),), 6.0)
    bundle = tmp_path / "box-1.bundle"
    post.run(
        "box", "add", "box-1", "--site", "Ngõ 12", "--commune", "Xã Thử", "--bundle", str(bundle),
        "--camera", "gate=/srv/street.mp4?loop=1",
    )  # fmt: skip
    run = debian / "root" / "box-1.run"
    post.run("box", "flash", "box-1", "--pc", str(run), "--bundle", str(bundle), "--package", str(debs))
    post.serve()
    said = run_inside(debian, "sh", "/root/box-1.run")
    assert "box-1 is enrolled with" in said
    assert not run.exists()
    config = debian / "etc" / "vonggac" / "edge.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "heartbeat: 2s\n", encoding="utf-8")
    user = "vonggac-agent:vonggac-agent"
    log = (tmp_path / "agent.log").open("w")
    agent = subprocess.Popen(inside(debian, "edge-agent", "run", user=user), stdout=log, stderr=log)
    try:
        watch = [program("collector"), "box", "watch", "box-1", "--bundle", str(bundle), "--for", "90s"]
        followed = subprocess.run(
            [*watch, "--config", str(tmp_path / "collector.yaml")], capture_output=True, text=True, check=False
        )
        assert followed.returncode == 0, followed.stdout + followed.stderr + (tmp_path / "agent.log").read_text()
    finally:
        agent.terminate()
        assert agent.wait(40) == 0
    print(followed.stdout)
    assert (debian / "opt/vonggac/current").readlink() == Path(f"releases/{project_version()}")
    assert {path.lstat().st_uid for path in (debian / "opt/vonggac").rglob("*")} == {0}
    run_inside(debian, "dpkg", "--purge", "vonggac-agent")
    assert not (debian / "opt/vonggac").exists()
    assert (debian / "var/lib/vonggac-agent/identity/tls.pem").exists()


def test_an_empty_debian_becomes_a_server(debs: Path, debian: Path) -> None:
    (deb,) = debs.glob("vonggac-collector_*.deb")
    shutil.copy(deb, debian / "root")
    run_inside(debian, "dpkg", "--install", f"/root/{deb.name}")
    said = run_inside(debian, "collector", "init", "/etc/vonggac", "--name", "10.20.0.5", "--commune", "Xã A")
    assert "made  Mosquitto's certificates: /etc/mosquitto/vonggac" in said
    again = run_inside(debian, "collector", "init", "/etc/vonggac")
    assert [line for line in again.splitlines() if line.startswith("made")] == []
    added = run_inside(debian, "collector", "box", "add", "box-9", "--site", "S", "--camera", "gate=rtsp://10.0.0.9/1")
    assert "Bundle for box-9" in added
    listed = subprocess.run(
        inside(debian, "collector", "box", "list", user="vonggac-collector:vonggac-collector"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (listed.returncode, "box-9" in listed.stdout, "Xã A" in listed.stdout) == (0, True, True), listed.stderr
    refused = subprocess.run(
        inside(
            debian, "collector", "box", "add", "box-8", "--site", "S", "--camera", "gate=rtsp://10.0.0.9/1",
            "--bundle", "/tmp/box-8.bundle", user="vonggac-collector:vonggac-collector",
        ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (refused.returncode, "Give this command with sudo" in refused.stderr) == (78, True), refused.stderr
