"""A server and a box as they stand in the field: the packages in two Debians, each under its own running systemd.

Two machines by systemd-nspawn with a wire between them and no other network. The box is set up from a card, is
killed, frozen, updated, unplugged and revoked; the units do the rest. Needs root and about ten minutes: VONGGAC_SLOW=1.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.package.deb import write_tar
from deploy.package.release import list_sums, project_version
from deploy.package.target import Target
from edge_agent.update.layout import OURS
from tests.support.debian import Booted, copy_tree, has_what_boots, wired
from tests.support.system import wait_for
from tests.support.walks import film_walks
from tests.system.conftest import EPOCH

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: machines are booted"),
    pytest.mark.skipif(not has_what_boots(), reason="needs: apt-get install debootstrap systemd-container iproute2"),
]
SERVER, BOX = "10.77.0.1", "10.77.0.2"
ID = "nha-van-hoa-01"
NEXT = "0.99.0"
EXPOSURE = re.compile(r"exposure level for \S+: ([0-9.]+)")


@pytest.fixture(scope="module")
def machines(debs: Path, bare_debian: Path) -> Iterator[tuple[Booted, Booted]]:
    """The server made by `collector init`, the box by its card; the box is accepted."""
    trees = [copy_tree(bare_debian, bare_debian.parent / name) for name in ("server", "box")]
    for tree in trees:
        # No network comes up later, and what cloud-init would do, `set_up` does: install the package.
        (tree / "etc/cloud/cloud-init.disabled").touch()
        shutil.copytree(debs, tree / "root" / "dist")
    film_walks(trees[1] / "srv" / "street.mp4", ((1.0, 3.0),), 20.0)
    server, box = Booted(trees[0], "server", "vg-server"), Booted(trees[1], "box", "vg-box")
    with wired("vg-server", "vg-box", (SERVER, BOX)):
        try:
            set_up(server, box)
            yield server, box
        finally:
            server.cut()
            box.cut()
            for tree in trees:
                shutil.rmtree(tree)


def set_up(server: Booted, box: Booted) -> None:
    """The installers' guide, on such machines as it is written for; then the box starts from its card."""
    server.boot()
    server.run("sh", "-c", "dpkg --install dist/vonggac-collector_*.deb")
    server.run("collector", "init", "/etc/vonggac", "--name", SERVER, "--commune", "Xã Thử")
    server.run("systemctl", "daemon-reload")
    server.run("systemctl", "restart", "mosquitto", "vonggac-revoked.path", "vonggac-collector")
    (server.tree / "root" / "password").write_text("mot-mat-khau-du-dai-cho-khoa-ky\n", encoding="utf-8")
    (server.tree / "root" / "password").chmod(0o600)
    said = server.run("collector", "update", "keygen", "release.key", "--password-file", "password")
    server.run("collector", "update", "trust", said.split()[0])
    camera = "gate=/srv/street.mp4?loop=1"
    server.run("collector", "box", "add", ID, "--site", "Nhà văn hóa", "--camera", camera)
    (server.tree / "root" / "card").mkdir()
    (server.tree / "root" / "card" / "cmdline.txt").touch()
    server.run("collector", "box", "flash", ID, "--boot", "card", "--arch", "amd64")
    box.boot()
    box.run("systemctl", "disable", "--now", "mosquitto")  # of the server's part in the same Debian
    box.run("sh", "-c", "dpkg --install dist/vonggac-agent_*.deb")
    box.cut()
    shutil.copytree(server.tree / "root" / "card", box.tree / "boot" / "firmware", dirs_exist_ok=True)
    box.boot()
    print(server.run("collector", "box", "watch", ID, "--for", "120s"))


def heard_ms(server: Booted) -> int:
    """When the collector last had a heartbeat of the box."""
    return int(json.loads(server.run("collector", "boxes", "--json"))["heartbeat_ms"] or 0)


def is_heard_again(server: Booted, after_ms: int, within_s: float) -> None:
    wait_for(lambda: heard_ms(server) > after_ms, "a heartbeat", within_s)


def restarts(machine: Booted, unit: str) -> int:
    return int(machine.shows(unit, "NRestarts")["NRestarts"])


def test_a_card_s_secrets_are_gone_and_nothing_listens_on_the_box(machines: tuple[Booted, Booted]) -> None:
    _, box = machines
    assert box.shows("vonggac-enrol.service", "ActiveState") == {"ActiveState": "inactive"}
    left = {path.name for path in (box.tree / "boot/firmware/vonggac").rglob("*")}
    assert not left & {"token", "secrets", "gate"}
    assert box.run("ss", "-Hlntu") == ""


def test_every_unit_runs_and_is_exposed_by_as_little_as_its_file_says(machines: tuple[Booted, Booted]) -> None:
    server, box = machines
    for machine, units in (
        (server, ("vonggac-collector", "mosquitto", "vonggac-revoked")),
        (box, ("vonggac-agent", "vonggac-update")),
    ):
        assert machine.run("systemctl", "is-system-running").strip() == "running"
        for unit in units:
            (level,) = EXPOSURE.findall(machine.ask("systemd-analyze", "security", "--no-pager", f"{unit}.service")[1])
            assert float(level) <= 2.0, unit


def test_the_journal_has_fields_of_its_own(machines: tuple[Booted, Booted]) -> None:
    _, box = machines
    lines = box.run("journalctl", "--no-pager", "-u", "vonggac-agent", "VONGGAC_CAMERA=gate", "--output=cat")
    assert "clip" in lines


def test_an_agent_that_is_killed_is_started_again(machines: tuple[Booted, Booted]) -> None:
    server, box = machines
    before, at_ms = restarts(box, "vonggac-agent"), heard_ms(server)
    box.run("systemctl", "kill", "--signal=KILL", "vonggac-agent")
    wait_for(lambda: restarts(box, "vonggac-agent") == before + 1, "a restart", 20)
    is_heard_again(server, at_ms, 60)


def test_a_frozen_agent_is_found_by_its_watchdog(machines: tuple[Booted, Booted]) -> None:
    server, box = machines
    before = restarts(box, "vonggac-agent")
    box.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", "vonggac-agent")
    at_ms = heard_ms(server)
    wait_for(lambda: restarts(box, "vonggac-agent") == before + 1, "the watchdog", 60)
    assert "Watchdog timeout" in box.journal("vonggac-agent")
    is_heard_again(server, at_ms, 60)


def test_a_collector_that_is_killed_is_started_again_and_has_all(machines: tuple[Booted, Booted]) -> None:
    server, _ = machines
    before = restarts(server, "vonggac-collector")
    server.run("systemctl", "kill", "--signal=KILL", "vonggac-collector")
    wait_for(lambda: restarts(server, "vonggac-collector") == before + 1, "a restart", 30)
    at_ms = heard_ms(server)
    is_heard_again(server, at_ms, 90)
    assert json.loads(server.run("collector", "boxes", "--json"))["missing_events"] == 0


def test_an_unplugged_box_comes_back_by_itself(machines: tuple[Booted, Booted]) -> None:
    server, box = machines
    box.cut()
    at_ms = heard_ms(server)
    box.boot()
    is_heard_again(server, at_ms, 90)
    assert box.run("systemctl", "is-system-running").strip() == "running"
    assert json.loads(server.run("collector", "boxes", "--json"))["missing_events"] == 0


def a_next_release(box: Booted, folder: Path) -> Path:
    """The installed release under a later number, packed as the build packs it."""
    tree = folder / "release"
    shutil.copytree(box.tree / "opt/vonggac/releases" / project_version(), tree, symlinks=True)
    for cache in tree.rglob("__pycache__"):
        shutil.rmtree(cache)
    (site,) = tree.glob("lib/python3*/site-packages")
    facts = site / f"vonggac-{project_version()}.dist-info"
    named = facts.rename(site / f"vonggac-{NEXT}.dist-info") / "METADATA"
    for file in (named, tree / "release.json", tree / "bin" / "edge-agent"):
        file.write_text(file.read_text(encoding="utf-8").replace(project_version(), NEXT), encoding="utf-8")
    list_sums(tree)
    return write_tar(folder, tree, Target("agent", NEXT, "13", "amd64"), EPOCH)


def test_a_box_updates_itself_under_systemd(machines: tuple[Booted, Booted], tmp_path: Path) -> None:
    server, box = machines
    packed = a_next_release(box, tmp_path)
    shutil.copy(packed, server.tree / "root")
    signing = ["--key", "release.key", "--password-file", "password"]
    server.run("collector", "update", "sign", NEXT, packed.name, *signing)
    server.run("collector", "update", "add", NEXT)
    server.run("collector", "update", "offer", NEXT, "--ring", "all")
    began = time.monotonic()
    box.run("systemctl", "start", "vonggac-update.service")  # as its timer does every 15 minutes
    print(f"updated in {time.monotonic() - began:.0f} s")
    for link in ("current", "proven"):
        assert (box.tree / "opt/vonggac" / link).readlink() == Path(f"releases/{NEXT}")
    told = json.loads(server.run("collector", "update", "progress", "--json"))
    assert told["version"] == NEXT


def test_a_program_that_somebody_changed_is_told(machines: tuple[Booted, Booted]) -> None:
    server, box = machines
    (part,) = (box.tree / "opt/vonggac/current").resolve().glob("lib/python3*/site-packages/edge_agent/health.py")
    part.write_text(part.read_text(encoding="utf-8") + "\n# a word\n", encoding="utf-8")
    box.run("systemctl", "restart", "vonggac-agent")  # it looks a minute after each start, and once a day
    complained = lambda: "software_changed" in server.run("collector", "boxes", "--json")  # noqa: E731
    wait_for(complained, "the technician's word", 240)
    said = box.run("journalctl", "--no-pager", "--output=json", "--unit", "vonggac-agent")
    assert "edge_agent/health.py" in said
    assert OURS not in said, "the box was updated before, which is no change"


def test_a_box_that_is_revoked_is_out_within_a_minute(machines: tuple[Booted, Booted]) -> None:
    """Last: nothing brings it back. The list of the revoked goes to Mosquitto by a unit."""
    server, box = machines
    server.run("collector", "box", "revoke", ID)
    out = lambda: json.loads(server.run("collector", "boxes", "--json"))["connected"] is False  # noqa: E731
    wait_for(out, "the end of its session", 60)
    wait_for(lambda: "no connection to the broker" in box.journal("vonggac-agent"), "a refusal", 60)
    assert server.shows("vonggac-revoked.service", "Result") == {"Result": "success"}
    revoked = server.tree / "etc/mosquitto/vonggac/revoked.pem"
    assert revoked.read_bytes() == (server.tree / "var/lib/vonggac-collector/identity/revoked.pem").read_bytes()
