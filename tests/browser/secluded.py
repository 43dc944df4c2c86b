"""A network namespace with nothing but loopback, the web in it and a browser in it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ARGUMENTS, CHROMIUM
from tests.support.duty import Duty

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def namespace() -> Iterator[list[str]]:
    """The command that runs another command within; skips where this user may make none."""
    make, enter = ["unshare", "--net"], ["--net"]
    if os.geteuid() != 0:
        make, enter = [*make, "--user", "--map-root-user"], [*enter, "--user", "--preserve-credentials"]
    hold = "ip link set lo up && echo made && exec sleep infinity"
    with subprocess.Popen([*make, "sh", "-c", hold], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != b"made\n":
            pytest.skip(f"no network namespace can be made here: {holder.stderr.read().decode().strip()}")
        try:
            yield ["nsenter", f"--target={holder.pid}", *enter]
        finally:
            holder.kill()


@contextmanager
def serving_within(within: list[str], duty: Duty) -> Iterator[str]:
    """The address of the web over this commune, in a process of its own in that namespace."""
    command = [*within, sys.executable, "-m", "tests.support.web_server", str(duty.folder), duty.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), "the web server ended while it started"
        yield address
        server.stdin.close()  # it ends then


@contextmanager
def browser_within(within: list[str], chromium, folder: Path) -> Iterator[object]:
    """Another Chromium of the same Playwright, started by a script that enters the namespace first."""
    script = folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec {" ".join(within)} {CHROMIUM} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    browser = chromium.browser_type.launch(executable_path=script, args=ARGUMENTS)
    yield browser
    browser.close()
