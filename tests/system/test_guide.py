"""The installers' guide, taken literally: its commands, one after the other, until the box is accepted.

What needs hardware or changes this machine is stood in for, and each stand-in is named: packages are not built
(tests/system/test_package.py does, and installs them), apt-get and systemctl are not called, the first start of the box
is what its unit runs, and addresses and paths of the guide are replaced (`Newcomer.replaced`).
"""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.package.__main__ import options
from deploy.package.release import project_version
from deploy.package.target import Target
from tests.support.brokers import free_port
from tests.support.system import Program, program, wait_for
from tests.support.walks import film_walks

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
BOX = "nha-van-hoa-01"


def commands_of(language: str) -> list[str]:
    """The commands of the first block of the guide."""
    text = (ROOT / "docs" / "guide" / f"installer.{language}.md").read_text(encoding="utf-8")
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].strip().splitlines()


def test_both_languages_give_the_same_commands_ten_at_most() -> None:
    english = [command.replace(" --lang en", "") for command in commands_of("en")]
    assert english == commands_of("vi")
    assert len(english) <= 10


class Newcomer:
    """Somebody with an empty folder and the guide."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server, self.card = folder / "server", folder / "bootfs"
        self.card.mkdir()
        (self.card / "cmdline.txt").touch()
        (folder / "id.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAA thu@may\n")
        film_walks(folder / "street.mp4", ((1.0, 3.0),), 6.0)
        self.replaced = {
            "/etc/vonggac": str(self.server),
            "10.20.0.5": "127.0.0.1",
            "rtsp://viewer@192.168.1.20/101": "street.mp4?loop=1",
            "/media/bootfs": str(self.card),
            "~/.ssh/id_ed25519.pub": str(folder / "id.pub"),
        }
        self.running: list[Program] = []
        self.said = ""

    def follow(self, command: str) -> None:
        """Do what the guide says."""
        for old, new in self.replaced.items():
            command = command.replace(old, new)
        words = [word for word in shlex.split(command) if word != "sudo"]
        {
            "deploy/package/build": self._build,
            "apt-get": self._install,
            "systemctl": self._start,
            "collector": self._collector,
        }[words[0]](words)

    def _build(self, words: list[str]) -> None:
        given = options(words[1:])
        target = Target(given.program, project_version(), given.debian, given.arch)
        (self.folder / "dist").mkdir(exist_ok=True)
        (self.folder / "dist" / f"{target.stem}.deb").write_bytes(b"!<arch>\n")

    def _install(self, words: list[str]) -> None:
        assert words[1] == "install"
        assert len(list(self.folder.glob(words[2].removeprefix("./")))) == 1

    def _start(self, words: list[str]) -> None:
        if words[1] == "daemon-reload":
            return
        for unit in words[2:]:
            assert unit == "mosquitto" or (UNITS / (unit if "." in unit else f"{unit}.service")).exists()
        log = self.folder / "collector.log"
        self.running.append(Program("collector", ["serve", "--config", str(self.server / "collector.yaml")], log))
        wait_for(lambda: "collector is ready" in log.read_text(), "the collector", 60)

    def _collector(self, words: list[str]) -> None:
        config = [] if words[1] == "init" else ["--config", str(self.server / "collector.yaml")]
        process = subprocess.Popen(
            [program("collector"), *words[1:], *config], cwd=self.folder, start_new_session=True, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write("mat-khau-wifi\n")
        process.stdin.close()
        process.stdin = None
        if "--watch" in words:
            wait_for((self.card / "user-data").exists, "the card", 60)
            self._switch_on()
        try:
            self.said = process.communicate(timeout=120)[0]
        finally:
            process.kill()
        assert process.returncode == 0, self.said
        if words[1] == "init":
            self._other_ports()

    def _other_ports(self) -> None:
        """This machine may have a collector already."""
        config = self.server / "collector.yaml"
        text = config.read_text(encoding="utf-8").replace("0.0.0.0", "127.0.0.1")
        for port in ("8443", "8883", "8080"):
            text = text.replace(port, str(free_port()))
        config.write_text(text, encoding="utf-8")

    def _switch_on(self) -> None:
        """What vonggac-enrol.service and vonggac-agent.service run on the box."""
        config = self.folder / "edge.yaml"
        places = ["--config", str(config), "--data", str(self.folder / "box")]
        command = [program("edge-agent"), "enrol", str(self.card / "vonggac"), "--card", str(self.card), *places]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        config.write_text(config.read_text(encoding="utf-8") + "heartbeat: 2s\n", encoding="utf-8")
        self.running.append(Program("edge-agent", ["run", "--config", str(config)], self.folder / "agent.log"))


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    made = Newcomer(tmp_path)
    yield made
    for each in reversed(made.running):
        each.process.send_signal(signal.SIGKILL)
        each.process.wait(10)


@pytest.mark.timeout(240)
def test_the_guide_leads_from_an_empty_folder_to_an_accepted_box(newcomer: Newcomer) -> None:
    commands = commands_of("en")
    assert [old for old in newcomer.replaced if not any(old in command for command in commands)] == []
    for command in commands:
        newcomer.follow(command)
    assert "accepted: the box and all its cameras work" in newcomer.said
    assert not (newcomer.card / "vonggac" / "token").exists()
    assert not (newcomer.card / "network-config").exists()
