"""What a box's card, or a PC's installer, holds: package, bundle, checksums, and for a card cloud-init's three files.

cloud-init (NoCloud, as in Raspberry Pi OS) reads `user-data`, `network-config` and `meta-data` on the boot partition.
All it is told is to run vonggac/install.sh. Nothing here says where the box stands: no site, no commune, no name.
"""

import hashlib
import io
import re
import tarfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vonggac.daemon.bundles import Read
from vonggac.wire import bundle as wire

FOLDER = "vonggac"
INSTALLER = "install.sh"
SUMS = "SHA256SUMS"
BOOT = "/boot/firmware"
"""Where Raspberry Pi OS and Debian's images mount the boot partition."""
_PACKAGE = re.compile(r"vonggac-agent_([0-9.]+)[^_]*~deb([0-9]+)_(amd64|arm64)\.deb")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{64}")

_INSTALL = f"""#!/bin/sh
# Puts in the agent, without a network, and enrols this box. After a failure: the same command again.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
cd -- "$here"
sha256sum --check --quiet {SUMS}
. /etc/os-release
architecture=$(dpkg --print-architecture)
package=$(find . -maxdepth 1 -name "vonggac-agent_*~deb${{VERSION_ID:-}}_$architecture.deb" | sort -V | tail -n 1)
if [ -z "$package" ]; then
    echo "There is no package here for Debian ${{VERSION_ID:-?}} on $architecture: flash again with the right one." >&2
    exit 1
fi
dpkg --install "$package"
case $here in
{BOOT}/*) systemctl --no-block restart vonggac-enrol.service ;;
*)
    edge-agent enrol "$here"
    if [ -d /run/systemd/system ]; then systemctl restart vonggac-agent.service; fi
    ;;
esac
"""

# Raspberry Pi OS keeps the radio blocked until somebody has named the country.
_RADIO_ON = (
    "rfkill unblock wifi; if command -v raspi-config >/dev/null; then raspi-config nonint do_wifi_country {country}; fi"
)

_RUN = """#!/bin/sh
# Installer for the box {box}. On the PC, with Debian on it:  sudo sh {name}
set -eu
if [ "$(id -u)" != 0 ]; then
    echo "sudo sh $0" >&2
    exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tail -c +{begin} -- "$0" | tar -x -C "$folder"
sh "$folder/install.sh"
# What is secret stands in this file too.
shred -u -- "$0"
exit 0
"""


@dataclass(frozen=True)
class Package:
    """An agent's package file."""

    path: Path
    version: tuple[int, ...]
    debian: str
    architecture: str


@dataclass(frozen=True)
class Wifi:
    """The household's network; `key` is the pre-shared key, not the passphrase that somebody chose."""

    name: str
    key: str = field(repr=False)
    country: str = "VN"


def wifi_key(name: str, passphrase: str) -> str:
    """IEEE 802.11i's key of a WPA2 passphrase, so that the phrase itself is nowhere. Raises ValueError."""
    if not 1 <= len(name.encode()) <= 32:
        raise ValueError("--wifi: a network's name has 1 to 32 bytes")
    if _HEXADECIMAL.fullmatch(passphrase):
        return passphrase.lower()
    if not 8 <= len(passphrase) <= 63 or not passphrase.isascii() or not passphrase.isprintable():
        raise ValueError("the Wi-Fi password must have 8 to 63 letters, digits and signs, without accents")
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), name.encode(), 4096, 32).hex()


def packages_in(places: tuple[Path, ...], architecture: str) -> list[Package]:
    """The newest package for each Debian. Raises ValueError with what is missing or no package, OSError."""
    files = [each for place in places for each in (sorted(place.glob("*.deb")) if place.is_dir() else [place])]
    newest: dict[str, Package] = {}
    for file in files:
        named = _PACKAGE.fullmatch(file.name)
        if named is None or named[3] != architecture:
            continue
        with file.open("rb") as opened:
            if opened.read(8) != b"!<arch>\n":
                raise ValueError(f"{file}: is no Debian package")
        version = tuple(int(part) for part in named[1].strip(".").split("."))
        found = Package(file, version, named[2], named[3])
        if found.debian not in newest or newest[found.debian].version < version:
            newest[found.debian] = found
    if not newest:
        where, how = ", ".join(map(str, places)), f"deploy/package/build agent --arch {architecture}"
        raise ValueError(f"no package vonggac-agent_…_{architecture}.deb in {where}. Do: {how}")
    return [newest[debian] for debian in sorted(newest)]


def box_folder(bundle: Read, packages: list[Package]) -> dict[str, bytes]:
    """Small files of the folder `vonggac`, by name; the packages themselves are copied beside them."""
    files = {wire.FACTS: bundle.facts_file, **bundle.files, INSTALLER: _INSTALL.encode()}
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in (wire.FACTS, wire.AUTHORITY, INSTALLER)}
    sums |= {package.path.name: sha256_of(package.path) for package in packages}
    files[SUMS] = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
    return files


def sha256_of(path: Path) -> str:
    """Of a file of any size, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cloud_files(box: str, wifi: Wifi | None, ssh_key: str | None) -> dict[str, bytes]:
    """cloud-init's files. Each call makes another instance: a card that is flashed again is set up again."""
    return {
        "meta-data": _yaml({"instance-id": f"{box}-{uuid.uuid4()}", "local-hostname": box}),
        "network-config": _yaml(_network(wifi)),
        "user-data": b"#cloud-config\n" + _yaml(_user_data(box, ssh_key, wifi)),
    }


def _yaml(content: dict[str, Any]) -> bytes:
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()


def _network(wifi: Wifi | None) -> dict[str, Any]:
    network: dict[str, Any] = {
        "version": 2,
        "ethernets": {"eth0": {"dhcp4": True, "optional": True}},
    }
    if wifi is not None:
        network["wifis"] = {
            "wlan0": {
                "dhcp4": True,
                "optional": True,
                "regulatory-domain": wifi.country,
                "access-points": {wifi.name: {"password": wifi.key}},
            }
        }
    return {"network": network}


def _user_data(box: str, ssh_key: str | None, wifi: Wifi | None) -> dict[str, Any]:
    """Nobody can log in, but with `ssh_key`: no password works anywhere (ETSI EN 303 645 5.1-1).

    The user is named even where he may not log in: without one, cloud-init would make the image's default user.
    """
    technician: dict[str, Any] = {"name": "technician", "lock_passwd": True}
    if ssh_key is None:
        technician["shell"] = "/usr/sbin/nologin"
    else:
        technician |= {
            "shell": "/bin/bash",
            "groups": "systemd-journal",
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "ssh_authorized_keys": [ssh_key],
        }
    return {
        "hostname": box,
        "manage_etc_hosts": True,
        "users": [technician],
        "ssh_pwauth": False,
        "disable_root": True,
        "timezone": "Asia/Ho_Chi_Minh",
        "write_files": [
            {
                "path": "/etc/systemd/system.conf.d/vonggac-watchdog.conf",
                "content": "# The hardware restarts a kernel that hangs.\n[Manager]\nRuntimeWatchdogSec=15s\n",
            },
            {
                "path": "/etc/systemd/journald.conf.d/vonggac-volatile.conf",
                "content": "# Small writes wear a card out.\n[Journal]\nStorage=volatile\nRuntimeMaxUse=64M\n",
            },
        ],
        "runcmd": [
            *([["systemctl", "enable", "--now", "ssh"]] if ssh_key is not None else []),
            *([["sh", "-c", _RADIO_ON.format(country=wifi.country)]] if wifi is not None else []),
            ["sh", f"{BOOT}/{FOLDER}/{INSTALLER}"],
        ],
    }


def write_run_file(target: Path, box: str, files: dict[str, bytes], packages: list[Package]) -> None:
    """A shell script with a tar behind it: one file for a PC. Mode 600, as the token is in it. Raises OSError."""
    begin = 0
    for _ in range(4):  # the header names its own length
        header = _RUN.format(box=box, name=target.name, begin=begin).encode()
        begin = len(header) + 1
    target.touch(mode=0o600)
    target.chmod(0o600)
    with target.open("wb") as out:
        out.write(header)
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), 0o600
                archive.addfile(member, io.BytesIO(data))
            for package in packages:
                archive.add(package.path, package.path.name)
