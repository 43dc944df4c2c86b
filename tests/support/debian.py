"""Debian trees made here: entered with chroot, or booted with their own systemd (systemd-nspawn)."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.system import wait_for

# A systemd that is new is told to bear with control groups of the first version, where the machine below has these.
_OLD_GROUPS = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"


def make_debian(tree: Path, *packages: str) -> None:
    """A Debian 13 with these packages, from the mirror that this machine's apt uses."""
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", "trixie", str(tree), _mirror()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _mirror() -> str:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return next(line.split()[0] for line in lines if line.endswith(" Debian"))


class Booted:
    """A machine of its own: `tree` under its own systemd, with one network device that leads to the other machines."""

    def __init__(self, tree: Path, name: str, space: str) -> None:
        self.tree, self.name, self._space = tree, name, space
        self._log = tree.parent / f"{name}.boot.log"
        self._nspawn: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Switch it on; returns when systemd says that it is up."""
        options = ["--quiet", "--register=no", "--keep-unit", f"--network-namespace-path=/run/netns/{self._space}"]
        if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
            options.append(f"--setenv=SYSTEMD_PROC_CMDLINE={_OLD_GROUPS}")
        command = ["systemd-nspawn", "-D", str(self.tree), f"--machine={self.name}", *options, "--boot"]
        with self._log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self._is_up, f"{self.name} to boot, see {self._log}", 120)

    def _is_up(self) -> bool:
        return self._leader() is not None and self.ask("systemctl", "is-system-running")[1].strip() in (
            "running",
            "degraded",
        )

    def _leader(self) -> int | None:
        """The process that is number one inside."""
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self._log.read_text(errors="replace")[-2000:]
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def ask(self, *command: str) -> tuple[int, str]:
        """Run it inside; its exit code and all that it said."""
        leader = self._leader()
        done = subprocess.run(
            ["nsenter", "-t", str(leader), "-a", "--", "sh", "-c", 'cd /root && exec "$@"', "sh", *command],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def run(self, *command: str) -> str:
        """As `ask`, for what must succeed."""
        code, said = self.ask(*command)
        assert code == 0, f"{self.name}: {' '.join(command)}: {code}\n{said[-3000:]}"
        return said

    def shows(self, unit: str, *properties: str) -> dict[str, str]:
        """What systemd says of a unit."""
        lines = self.run("systemctl", "show", unit, *(f"--property={name}" for name in properties)).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit)

    def cut(self) -> None:
        """Every process ends at once, and nobody is asked: as when the plug is pulled."""
        if self._nspawn is None:
            return
        leader = self._leader()
        if leader is not None:
            os.kill(leader, signal.SIGKILL)
        self._nspawn.wait(30)
        self._nspawn = None


@contextmanager
def wired(first: str, second: str, addresses: Sequence[str]) -> Iterator[None]:
    """Two network namespaces with a wire between them, and nothing else."""
    spaces, devices = (first, second), (f"{first}0"[-15:], f"{second}0"[-15:])
    made = []
    try:
        for space in spaces:
            _ip("netns", "add", space)
            made.append(space)
        _ip("link", "add", devices[0], "netns", first, "type", "veth", "peer", "name", devices[1], "netns", second)
        for space, device, address in zip(spaces, devices, addresses, strict=True):
            _ip("-n", space, "address", "add", f"{address}/24", "dev", device)
            _ip("-n", space, "link", "set", device, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        yield
    finally:
        for space in made:
            _ip("netns", "delete", space)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def copy_tree(tree: Path, target: Path) -> Path:
    subprocess.run(["cp", "--archive", "--reflink=auto", str(tree), str(target)], check=True)
    return target


def has_what_boots() -> bool:
    return all(shutil.which(name) for name in ("systemd-nspawn", "debootstrap", "nsenter", "ip"))
