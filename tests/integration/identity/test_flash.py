"""`collector box flash`: what is on the card, what its scripts do, and what is left of it after the first start."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import segno
import yaml
from click.testing import CliRunner, Result

from collector.cli import main
from collector.identity.card import packages_in, wifi_key
from collector.setting_up import Places, Wishes, set_up
from edge_agent.identity.card import end_first_boot, scrub_card
from tests.support import cloud_init
from vonggac.daemon.bundles import scrub
from vonggac.daemon.clock import SystemClock

BOX, RETIRED = "box-1", "box-2"
SITE, COMMUNE = "Nhà văn hóa Ngõ 12", "Xã Thử Nghiệm"
CAMERA_PASSWORD, WIFI, PHRASE = "mat-khau-camera", "Quán Cà Phê", "mat khau wifi"
DEB = b"!<arch>\n" + bytes(range(256)) * 40
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA thu@may"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server with two boxes and their bundles; the second box is retired."""
    folder = tmp_path_factory.mktemp("server")
    wishes = Wishes(("127.0.0.1",), "Huyện", COMMUNE, "quan-tri", None, True, "https://vonggac.xa.example")
    list(set_up(Places.within(folder), wishes, SystemClock()))
    for box in (BOX, RETIRED):
        camera = f"gate=rtsp://xem:{CAMERA_PASSWORD}@192.0.2.1/101"
        arguments = ("box", "add", box, "--site", SITE, "--camera", camera, "--bundle", str(folder / f"{box}.bundle"))
        command(folder, *arguments)
    command(folder, "box", "retire", RETIRED)
    return folder


def command(server: Path, *arguments: str) -> Result:
    """A command of the collector on this server."""
    return CliRunner().invoke(main, [*arguments, "--config", str(server / "collector.yaml")])


class Desk:
    """A bundle, packages, and a written card that was just put in."""

    def __init__(self, folder: Path, server: Path, box: str) -> None:
        self.folder, self.box, self._server = folder, box, server
        self.bundle = folder / f"{box}.bundle"
        shutil.copytree(server / f"{box}.bundle", self.bundle)
        self.packages = folder / "dist"
        self.packages.mkdir()
        for name in ("0.9.0~deb13_arm64", "0.10.0~deb13_arm64", "0.10.0~deb12_arm64", "0.10.0~deb13_amd64"):
            (self.packages / f"vonggac-agent_{name}.deb").write_bytes(DEB + name.encode())
        self.boot = folder / "bootfs"
        self.boot.mkdir()
        (self.boot / "config.txt").touch()
        self.wifi = folder / "wifi.secret"
        self.wifi.write_text(f"{PHRASE}\n", encoding="utf-8")
        self.wifi.chmod(0o600)

    def flash(self, *arguments: str) -> Result:
        """`box flash` with this desk's bundle and packages."""
        about = ("--bundle", str(self.bundle), "--package", str(self.packages))
        return command(self._server, "box", "flash", self.box, *about, *arguments)

    def to_card(self, *arguments: str) -> Result:
        """Onto the card, with Wi-Fi."""
        return self.flash("--boot", str(self.boot), "--wifi", WIFI, "--wifi-password-file", str(self.wifi), *arguments)


@pytest.fixture
def desk(tmp_path: Path, server: Path) -> Desk:
    return Desk(tmp_path, server, BOX)


def everything_in(folder: Path) -> bytes:
    return b"\n".join(
        str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def test_a_card_holds_bundle_package_and_cloud_init_s_files(desk: Desk) -> None:
    done = desk.to_card()
    assert done.exit_code == 0, done.output
    assert sorted(str(path.relative_to(desk.boot)) for path in desk.boot.rglob("*") if path.is_file()) == [
        "config.txt",
        "meta-data",
        "network-config",
        "user-data",
        "vonggac/SHA256SUMS",
        "vonggac/authority.pem",
        "vonggac/box.json",
        "vonggac/install.sh",
        "vonggac/secrets/gate",
        "vonggac/token",
        "vonggac/vonggac-agent_0.10.0~deb12_arm64.deb",
        "vonggac/vonggac-agent_0.10.0~deb13_arm64.deb",
    ]
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=desk.boot / "vonggac", capture_output=True, check=False
    )
    assert checked.returncode == 0
    runs = yaml.safe_load((desk.boot / "user-data").read_text())["runcmd"]
    assert runs[-1] == ["sh", "/boot/firmware/vonggac/install.sh"]
    assert runs[0][2].startswith("rfkill unblock wifi")


def test_the_zip_holds_the_same_as_the_card(desk: Desk, tmp_path: Path) -> None:
    desk.to_card()
    assert desk.flash("--zip", str(tmp_path / "card.zip")).exit_code == 0
    with zipfile.ZipFile(tmp_path / "card.zip") as archive:
        names = set(archive.namelist())
    on_card = {str(path.relative_to(desk.boot)) for path in desk.boot.rglob("*") if path.is_file()}
    assert names == on_card - {"config.txt"}
    assert (tmp_path / "card.zip").stat().st_mode & 0o077 == 0


def test_nothing_on_a_card_says_where_the_box_stands(desk: Desk) -> None:
    desk.to_card("--ssh-key", str(key_file(desk.folder)))
    told = everything_in(desk.boot)
    for word in (SITE, COMMUNE, "quan-tri", "Huyện"):
        assert word.encode() not in told


def key_file(folder: Path) -> Path:
    path = folder / "id.pub"
    path.write_text(PUBLIC_KEY + "\n", encoding="ascii")
    return path


def test_the_wifi_password_is_nowhere_but_its_key_is_on_the_card(desk: Desk) -> None:
    done = desk.to_card()
    told = everything_in(desk.boot)
    assert PHRASE.encode() not in told
    key = wifi_key(WIFI, PHRASE)
    assert told.count(key.encode()) == 1
    assert key not in done.output
    assert PHRASE not in done.output


def test_a_wifi_key_is_the_standard_s() -> None:
    """IEEE 802.11i, annex H.4.3, first test vector."""
    assert wifi_key("IEEE", "password") == "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"


@pytest.mark.parametrize("phrase", ["short", "x" * 65, "mật khẩu có dấu"])
def test_a_password_that_no_network_can_have_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match="8 to 63"):
        wifi_key(WIFI, phrase)


@pytest.mark.parametrize("with_key", [False, True])
def test_debian_s_cloud_init_takes_the_user_data(desk: Desk, with_key: bool) -> None:
    within = cloud_init.unpacked()
    if within is None:
        pytest.skip(
            "needs Debian's cloud-init and python3-jsonschema, python3-configobj, python3-jsonpatch, python3-oauthlib"
        )
    desk.to_card(*(("--ssh-key", str(key_file(desk.folder))) if with_key else ()))
    assert cloud_init.complaints(desk.boot / "user-data", within) == ""
    bad = desk.folder / "bad"
    bad.write_text("#cloud-config\nruncmd: 5\n")
    assert "runcmd" in cloud_init.complaints(bad, within)


def test_without_a_key_nobody_can_log_in(desk: Desk) -> None:
    desk.to_card()
    told = yaml.safe_load((desk.boot / "user-data").read_text())
    assert told["users"] == [{"name": "technician", "lock_passwd": True, "shell": "/usr/sbin/nologin"}]
    assert (told["ssh_pwauth"], told["disable_root"]) == (False, True)


def test_each_flash_is_another_instance_and_leaves_nothing_of_the_last(desk: Desk) -> None:
    desk.to_card()
    first = (desk.boot / "meta-data").read_text()
    (desk.boot / "vonggac" / "secrets" / "yard").write_text("old")
    desk.to_card()
    assert (desk.boot / "meta-data").read_text() != first
    assert [path.name for path in (desk.boot / "vonggac" / "secrets").iterdir()] == ["gate"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda desk: (desk.boot / "config.txt").unlink(), "is no boot partition of a written card"),
        (lambda desk: scrub(desk.bundle), "the bundle was used before"),
        (lambda desk: (desk.bundle / "token").write_text("x"), "is damaged or was changed"),
        (lambda desk: [path.unlink() for path in desk.packages.iterdir()], "deploy/package/build agent --arch arm64"),
        (
            lambda desk: (desk.packages / "vonggac-agent_0.10.0~deb13_arm64.deb").write_bytes(b"<html>"),
            "is no Debian package",
        ),
        (lambda desk: desk.wifi.chmod(0o644), "is open to others"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_on_the_card(desk: Desk, spoil: object, said: str) -> None:
    spoil(desk)  # type: ignore[operator]
    done = desk.to_card()
    assert done.exit_code == 1
    assert said in done.output
    assert [path.name for path in desk.boot.iterdir() if path.name != "config.txt"] == []


def test_no_card_is_made_for_a_box_that_is_not_registered(tmp_path: Path, server: Path) -> None:
    desk = Desk(tmp_path, server, RETIRED)
    assert "is not registered" in desk.to_card().output
    assert not (desk.boot / "vonggac").exists()


def test_a_country_is_two_letters_and_nothing_for_a_shell(desk: Desk) -> None:
    assert "two letters" in desk.to_card("--wifi-country", "V;").output


def test_the_newest_package_for_each_debian_is_taken(desk: Desk) -> None:
    found = packages_in((desk.packages,), "arm64")
    assert [(each.debian, each.version) for each in found] == [("12", (0, 10, 0)), ("13", (0, 10, 0))]


# --- the scripts, run for real with stand-ins for what would change this machine -----------------------------------


def stand_ins(folder: Path, **scripts: str) -> dict[str, str]:
    """Programs that note how they were called; an environment in which they are found first."""
    bin_folder = folder / "stand-ins"
    bin_folder.mkdir(exist_ok=True)
    for name, body in scripts.items():
        file = bin_folder / name.replace("_", "-")
        file.write_text(f'#!/bin/sh\necho "{file.name} $*" >> {folder}/calls\n{body}\n')
        file.chmod(0o755)
    return {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


def system_version() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line.split("=")[1].strip('"') for line in lines if line.startswith("VERSION_ID=")), "")


needs_debian = pytest.mark.skipif(
    system_version() not in ("12", "13"), reason="needs Debian 12 or 13: the script takes this system's package"
)


@needs_debian
def test_a_pc_s_one_file_installs_enrols_and_destroys_itself(desk: Desk, tmp_path: Path) -> None:
    """Not started as root, it changes nothing; the stand-ins note what it would do."""
    run = tmp_path / f"{BOX}.run"
    assert desk.flash("--pc", str(run), "--arch", "arm64").exit_code == 0
    assert run.stat().st_mode & 0o077 == 0
    env = stand_ins(
        tmp_path,
        id='[ "${NOT_ROOT:-}" ] && echo 1000 || echo 0',
        dpkg='[ "$1" != --print-architecture ] || echo arm64',
        edge_agent='test -f "$2/token" && test -f "$2/secrets/gate"',
        systemctl="true",
    )
    refused = subprocess.run(["sh", run], env={**env, "NOT_ROOT": "1"}, capture_output=True, check=False)
    assert (refused.returncode, run.exists()) == (1, True)
    (tmp_path / "calls").unlink()
    done = subprocess.run(["sh", run], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = [line for line in calls(tmp_path) if line.startswith(("dpkg --install", "edge-agent enrol"))]
    assert made[0] == f"dpkg --install ./vonggac-agent_0.10.0~deb{system_version()}_arm64.deb"
    folder = Path(made[1].removeprefix("edge-agent enrol "))
    assert not folder.exists()
    assert not run.exists()


@needs_debian
def test_a_package_that_was_changed_on_the_card_is_not_installed(desk: Desk, tmp_path: Path) -> None:
    desk.to_card()
    package = desk.boot / "vonggac" / f"vonggac-agent_0.10.0~deb{system_version()}_arm64.deb"
    package.write_bytes(package.read_bytes()[:-1] + b"!")
    env = stand_ins(tmp_path, dpkg="echo arm64", edge_agent="true", systemctl="true")
    done = subprocess.run(["sh", desk.boot / "vonggac" / "install.sh"], env=env, capture_output=True, check=False)
    assert done.returncode != 0
    assert calls(tmp_path) == []


def test_raspberry_pi_imager_writes_the_card_that_is_then_filled(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "raspios.img"
    image.touch()
    env = stand_ins(
        tmp_path, rpi_imager="true", mount='touch "$2/config.txt"', umount='cp -r "$1" ' + str(tmp_path / "out")
    )
    monkeypatch.setenv("PATH", env["PATH"])
    done = desk.flash("--image", str(image), "--device", "/dev/mmcblk7")
    assert done.exit_code == 0, done.output
    mounted = calls(tmp_path)[2].removeprefix("umount ")
    assert calls(tmp_path) == [
        f"rpi-imager --cli {image} /dev/mmcblk7",
        f"mount /dev/mmcblk7p1 {mounted}",
        f"umount {mounted}",
    ]
    assert (tmp_path / "out" / "vonggac" / "token").exists()


def test_an_imager_that_fails_ends_it(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "raspios.img"
    image.touch()
    monkeypatch.setenv("PATH", stand_ins(tmp_path, rpi_imager="exit 3", mount="true")["PATH"])
    done = desk.flash("--image", str(image), "--device", "/dev/sdz")
    assert (done.exit_code, len(calls(tmp_path))) == (1, 1)


# --- afterwards ----------------------------------------------------------------------------------------------------


def test_after_the_first_start_the_card_holds_no_secret_and_cloud_init_is_over(desk: Desk, tmp_path: Path) -> None:
    desk.to_card()
    token = (desk.boot / "vonggac" / "token").read_bytes().strip()
    etc, state = tmp_path / "etc-cloud", tmp_path / "var-cloud"
    (state / "instances" / "one").mkdir(parents=True)
    etc.mkdir()
    for name in ("user-data.txt", "network-config.json", "obj.pkl"):
        (state / "instances" / "one" / name).write_text(wifi_key(WIFI, PHRASE))
    scrub(desk.boot / "vonggac")
    scrub_card(desk.boot)
    end_first_boot(etc, state)
    left = everything_in(desk.boot) + everything_in(state)
    for secret in (token, CAMERA_PASSWORD.encode(), wifi_key(WIFI, PHRASE).encode()):
        assert secret not in left
    assert (etc / "cloud-init.disabled").exists()
    assert not (desk.boot / "network-config").exists()


def test_the_qr_code_says_box_site_and_link(desk: Desk, tmp_path: Path) -> None:
    done = desk.to_card("--qr", str(tmp_path / "box.svg"))
    assert done.exit_code == 0
    text = f"Vọng Gác\n{BOX}\n{SITE}\nhttps://vonggac.xa.example/boxes/{BOX}"
    segno.make(text, error="m").save(str(tmp_path / "expected.svg"), scale=8)
    assert (tmp_path / "box.svg").read_bytes() == (tmp_path / "expected.svg").read_bytes()
