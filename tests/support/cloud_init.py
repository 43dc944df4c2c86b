"""Debian's cloud-init as a judge of the files for a card: unpacked beside the tests, never installed here."""

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

PYTHON = "/usr/bin/python3"


@functools.cache
def unpacked() -> Path | None:
    """The package's files; None where Debian's package or what it needs cannot be had."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    needs = [PYTHON, "-c", "import yaml, jsonschema, configobj, jinja2, jsonpatch, oauthlib, requests"]
    if subprocess.run(needs, capture_output=True, check=False).returncode != 0:
        return None
    folder = Path(tempfile.mkdtemp(prefix="vonggac-cloud-init-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    got = subprocess.run(["apt-get", "download", "-q", "cloud-init"], cwd=folder, capture_output=True, check=False)
    debs = list(folder.glob("cloud-init_*.deb"))
    if got.returncode != 0 or not debs:
        return None
    subprocess.run(["dpkg-deb", "-x", debs[0], folder / "files"], check=True)
    return folder / "files"


def complaints(file: Path, within: Path) -> str:
    """What `cloud-init schema` has to say against a user-data file; empty: nothing."""
    done = subprocess.run(
        [PYTHON, within / "usr/bin/cloud-init", "schema", "--config-file", file],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(within / "usr/lib/python3/dist-packages"), "PATH": "/usr/bin:/bin"},
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
