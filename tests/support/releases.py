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
from tests.support.system import program, wait_for
from tests.support.systemd import Service
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


class LightBox(Service):
    """An enrolled box of an office."""

    def __init__(self, office: Office, folder: Path, version: str = "1.0.0") -> None:
        self.office, self.folder = office, folder
        root = folder / "opt"
        self.config = folder / "etc" / "edge.yaml"
        self._says = folder / "says"
        office.shelf.trust(public_hex(KEY))
        bundle = office.bundle(folder / "bundle", BOX, f"{CAMERA}=rtsp://127.0.0.1/1")
        enrol(read_bundle(bundle), folder / "data", self.config, SystemClock())
        keys = folder / "etc" / "release.keys"
        keys.write_text(public_hex(KEY) + "\n", encoding="ascii")
        text = self.config.read_text(encoding="utf-8").replace(f"update:\n  keys: {keys}\n", "")
        self.config.write_text(
            f"{text}update: {{root: {root}, keys: {keys}, probation: 2.5s, steady: 0.2s, poll: 0.1s}}\n",
            encoding="utf-8",
        )
        a_tree(root / "releases" / version, version)
        (root / "current").symlink_to(f"releases/{version}")
        self._made = 0
        self._began, self._mono_ms = 0.0, 0
        says = {**os.environ, "VONGGAC_SAYS": str(self._says)}
        super().__init__(root, folder / "restart", turn_s=0.03, env=says)

    # --- the agent's word ----------------------------------------------------------------------------------------

    def turned(self) -> None:
        self.office.clock.advance(30)
        self._mono_ms += 30
        if self._agent is not None:
            self._bring()

    def _start(self) -> None:
        self._says.unlink(missing_ok=True)
        self._began = time.monotonic()
        super()._start()

    def _end(self, *, at_once: bool) -> None:
        super()._end(at_once=at_once)
        self._says.unlink(missing_ok=True)

    def _bring(self) -> None:
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
        mono_ms = self._mono_ms
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

        def is_heard() -> bool:
            with self.office.database.read() as connection:
                return store.heard(connection, BOX) is not None

        wait_for(is_heard, "the first heartbeat", 10, every_s=0.02)

    # --- the updater ---------------------------------------------------------------------------------------------

    def update(self, *arguments: str, crash_at: str = "", expect: int | None = 0) -> str:
        """One pass, from where systemd starts it; returns what it printed."""
        name = "proven" if (self.root / "proven").exists() else "current"
        done = subprocess.run(
            [
                self.root / name / "bin" / "edge-agent", "update", "--config", self.config,
                "--restart", f"touch {self.flag}", *arguments,
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
