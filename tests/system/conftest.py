"""What the slow tests of packages share: packages that were built, and a Debian to install them in."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.package.__main__ import build
from deploy.package.release import project_version
from deploy.package.target import Target
from tests.support.debian import make_debian

EPOCH = 1_700_000_000


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Agent and collector for the Debian that is made below."""
    folder = tmp_path_factory.mktemp("debs")
    for name in ("agent", "collector"):
        build(Target(name, project_version(), "13", "amd64"), folder, EPOCH, tar=False)  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="session")
def bare_debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Debian 13 with what a card's has; copied, not changed."""
    tree = tmp_path_factory.mktemp("debian") / "tree"
    make_debian(
        tree, "python3", "python3-systemd", "systemd", "systemd-sysv", "dbus", "iproute2",
        "cloud-init", "netplan.io", "python3-netplan", "mosquitto",
    )  # fmt: skip
    yield tree
    shutil.rmtree(tree)
