"""Boxes that are updated: releases as small trees whose bin/edge-agent is really started, somebody in systemd's place,
and power that can be cut.

The light box's agent says every 100 ms which version it is and what it sees; a thread brings that to the collector as a
heartbeat. The updater is the real program, over the real HTTPS door.
"""

import json
import os
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.releases.choice import Ring
from collector.releases.making import MACHINE_OF, make_release
from collector.store import boxes
from collector.store import releases as store
from edge_agent.cli_update import this_target
from edge_agent.identity.enrol import enrol
from edge_agent.outbox.envelopes import make_envelope
from tests.support.office import NOW_MS, Office
from tests.support.system import program
from vonggac.daemon.bundles import read_bundle
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.crash_points import VARIABLE
from vonggac.daemon.signatures import public_hex
from vonggac.wire import messages as m
from vonggac.wire.release import Manifest

BOX = "box-one"
CAMERA = "gate"
KEY = Ed25519PrivateKey.generate()
RUNS = {
    "good": f'while :; do echo "$version {CAMERA}" > "$VONGGAC_SAYS.new"; mv "$VONGGAC_SAYS.new" "$VONGGAC_SAYS"; '
    "sleep 0.1; done",
    "blind": 'while :; do echo "$version" > "$VONGGAC_SAYS.new"; mv "$VONGGAC_SAYS.new" "$VONGGAC_SAYS"; '
    "sleep 0.1; done",
    "silent": "exec sleep 600",
    "crash": "exit 1",
}


def a_tree(folder: Path, version: str, kind: str = "good") -> Path:
    """A light release. `kind`: good, blind (no picture), silent (no heartbeat), crash (on start), dead (whole)."""
    (folder / "bin").mkdir(parents=True)
    update = "exit 1" if kind == "dead" else f'exec {program("edge-agent")} "$@"'
    text = f"""#!/bin/sh
version={version}
case $1 in
--version) {"exit 1" if kind == "dead" else 'echo "edge-agent, version $version"'} ;;
run) {RUNS.get(kind, "exit 1")} ;;
*) {"exit 1" if kind == "crash" else update} ;;
esac
"""
    (folder / "bin" / "edge-agent").write_text(text, encoding="utf-8")
    (folder / "bin" / "edge-agent").chmod(0o755)
    (folder / "lib").mkdir()
    for number in range(6):
        (folder / "lib" / f"part{number}.py").write_text(f"# {version} {number}\n" * 200, encoding="utf-8")
    (folder / "bin" / "python3").symlink_to("/usr/bin/python3.11")
    return folder


def a_release(folder: Path, version: str, kind: str = "good", key: Ed25519PrivateKey = KEY, outbox: int = 2) -> Path:
    """Signed, as `collector update sign` makes it."""
    made = folder / f"release-{version}-{time.monotonic_ns()}"
    tree = a_tree(folder / f"tree-{made.name}", version, kind)
    make_release(made, [packed(tree, version)], outbox, "", NOW_MS, key)
    return made


def packed(tree: Path, version: str, spoil: Callable[[tarfile.TarFile], None] = lambda _archive: None) -> Path:
    """The tree as deploy/package/build --tar packs it; `spoil` may add what does not belong there."""
    machine, _, python = this_target().partition("-cp")
    architecture = next(name for name, called in MACHINE_OF.items() if called == machine)
    facts = {"v": 1, "program": "agent", "version": version, "debian": "12"}
    facts |= {"python": f"3.{python[1:]}", "architecture": architecture}
    (tree / "release.json").write_text(json.dumps(facts), encoding="utf-8")
    target = tree.with_name(f"vonggac-agent_{version}~deb12_{architecture}.tar.gz")
    with tarfile.open(target, "w:gz") as archive:
        for path in sorted(tree.iterdir()):
            archive.add(path, path.name)
        spoil(archive)
    return target


def offer(office: Office, release: Path, ring: Ring = "all") -> Manifest:
    """Take it in and offer it."""
    signed = office.shelf.take_in(release)
    version = signed.manifest.version
    with office.database.write() as connection:
        store.add_release(connection, version, signed.text, signed.signature, office.clock.wall_ms())
        store.offer(connection, version, ring)
    return signed.manifest


class LightBox:
    """An enrolled box of an office; `boot` is its power."""

    def __init__(self, office: Office, folder: Path, version: str = "1.0.0") -> None:
        self.office, self.folder = office, folder
        self.root = folder / "opt"
        self.config = folder / "etc" / "edge.yaml"
        self._says, self._flag = folder / "says", folder / "restart"
        office.shelf.trust(public_hex(KEY))
        bundle = office.bundle(folder / "bundle", BOX, f"{CAMERA}=rtsp://127.0.0.1/1")
        enrol(read_bundle(bundle), folder / "data", self.config, SystemClock())
        keys = folder / "etc" / "release.keys"
        keys.write_text(public_hex(KEY) + "\n", encoding="ascii")
        text = self.config.read_text(encoding="utf-8").replace(f"update:\n  keys: {keys}\n", "")
        self.config.write_text(
            f"{text}update: {{root: {self.root}, keys: {keys}, probation: 2.5s, steady: 0.2s, poll: 0.1s}}\n",
            encoding="utf-8",
        )
        a_tree(self.root / "releases" / version, version)
        (self.root / "current").symlink_to(f"releases/{version}")
        self._made = 0
        self._agent: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._is_on = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()

    # --- power and systemd ---------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Power: the agent is started from `current`, for ever."""
        self._is_on.set()

    def cut_power(self) -> None:
        """Everything is gone at once."""
        self._is_on.clear()
        while self._agent is not None:
            time.sleep(0.01)

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _live(self) -> None:
        mono_ms = 0
        while not self._over.wait(0.03):
            mono_ms += 30
            self.office.clock.advance(30)
            if not self._is_on.is_set():
                self._end_agent()
                continue
            if self._flag.exists():
                self._flag.unlink()
                self._end_agent()
            if self._agent is None or self._agent.poll() is not None:
                self._says.unlink(missing_ok=True)
                self._agent = self._start_agent()
                self._began = time.monotonic()
            self._bring(mono_ms)
        self._end_agent()

    def _start_agent(self) -> subprocess.Popen[bytes] | None:
        try:
            return subprocess.Popen(
                [self.root / "current" / "bin" / "edge-agent", "run"],
                env={**os.environ, "VONGGAC_SAYS": str(self._says)},
            )
        except OSError:
            return None

    def _end_agent(self) -> None:
        if self._agent is not None:
            self._agent.kill()
            self._agent.wait(5)
            self._says.unlink(missing_ok=True)
        self._agent = None

    def _bring(self, mono_ms: int) -> None:
        """The agent's word becomes a heartbeat."""
        try:
            version, *seen = self._says.read_text(encoding="utf-8").split()
        except (OSError, ValueError):
            return
        camera = m.CameraHealth(
            name=CAMERA,
            main=m.StreamHealth(state="streaming"),
            last_frame_age_ms=100 if CAMERA in seen else None,
        )
        ran_ms = round((time.monotonic() - self._began) * 1000)
        beat = m.Heartbeat(
            interval_s=1.0,
            cameras=(camera,),
            host=m.BoxHealth(uptime_ms=mono_ms, run_began_mono_ms=max(0, mono_ms - ran_ms)),
            outbox=m.OutboxHealth(outbox=BOX, last_seq=0, events=0, snapshots=0, clips=0, clip_bytes=0),
            update=m.UpdateHealth(version=version, step=self.state["step"], target=self.state.get("target")),
        )
        clock = self.office.clock
        clock._mono_ms = float(mono_ms)
        with self.office.database.write() as connection:
            envelope = make_envelope(beat, BOX, clock)
            boxes.record_heartbeat(connection, envelope, asdict(beat), clock.wall_ms())

    # --- what there is -------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """state.json as it stands."""
        try:
            found = json.loads((self.root / "update" / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {"step": "idle"}
        assert isinstance(found, dict)
        return found

    def links(self) -> tuple[str, str]:
        """What current and proven name."""
        return os.readlink(self.root / "current"), os.readlink(self.root / "proven")

    def works(self, version: str) -> bool:
        """Does the agent of this version run, with its camera, and is it proven?"""
        try:
            said = self._says.read_text(encoding="utf-8").split()
        except OSError:
            return False
        return said == [version, CAMERA] and self.links() == (f"releases/{version}",) * 2

    def next_version(self) -> str:
        """One that nobody has seen."""
        self._made += 1
        return f"1.{self._made}.0"

    @property
    def proven(self) -> str:
        """The release to which the box comes back."""
        link = self.root / "proven"
        return Path(os.readlink(link if link.is_symlink() else self.root / "current")).name

    def heard_once(self) -> None:
        """Wait for the first heartbeat."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with self.office.database.read() as connection:
                if store.heard(connection, BOX) is not None:
                    return
            time.sleep(0.02)
        raise AssertionError("no heartbeat came")

    # --- the updater ---------------------------------------------------------------------------------------------

    def update(self, *arguments: str, crash_at: str = "", expect: int | None = 0) -> str:
        """One pass, from where systemd starts it; returns what it printed."""
        name = "proven" if (self.root / "proven").exists() else "current"
        done = subprocess.run(
            [
                self.root / name / "bin" / "edge-agent", "update", "--config", self.config,
                "--restart", f"touch {self._flag}", *arguments,
            ],
            env={**os.environ, VARIABLE: crash_at},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )  # fmt: skip
        if expect is not None:
            assert done.returncode == expect, done.stderr + done.stdout
        return done.stdout + done.stderr

    def tear(self) -> None:
        """What was never synced is not there whole after a power cut: downloads and half-made trees are torn."""
        torn = [*(self.root / "update").iterdir(), *(self.root / "releases").glob(".*.part/**/*")]
        for path in torn:
            if path.is_file() and not path.is_symlink() and path.name not in ("state.json", "lock"):
                size = path.stat().st_size
                with path.open("r+b") as file:
                    file.seek(size // 2)
                    file.write(bytes(size - size // 2))

    def forget(self) -> None:
        """Even the updater's memory is torn."""
        state = self.root / "update" / "state.json"
        if state.exists():
            state.write_bytes(state.read_bytes()[:17])


def copy_of(release: Path) -> Path:
    """To be tampered with."""
    target = release.with_name(f"{release.name}-copy")
    shutil.copytree(release, target)
    return target
