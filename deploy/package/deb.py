"""A Debian package around a release: units, user, commands, and the scripts that switch `current`."""

import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from deploy.package.release import ROOT, same_everywhere
from deploy.package.target import COMMAND_OF, Target

_MAINTAINER = "Vong Gac maintainers <maintainers@vonggac.example>"
_DEBIAN = Path(__file__).parent / "debian"
_UNITS = ROOT / "deploy" / "systemd"
_STARTED_BY_OTHERS = ("vonggac-revoked.service", "vonggac-update.service")
UNITS_OF = {
    "agent": ("vonggac-agent.service", "vonggac-enrol.service", "vonggac-update.service", "vonggac-update.timer"),
    "collector": (
        "vonggac-collector.service",
        "vonggac-collector@.service",
        "vonggac-revoked.path",
        "vonggac-revoked.service",
    ),
}
_RECOMMENDS = {"agent": "python3-systemd", "collector": "python3-systemd, mosquitto"}
_OTHER = {"agent": "vonggac-collector", "collector": "vonggac-agent"}
_SUMMARY = {
    "agent": "camera box that sees motion and loses nothing",
    "collector": "server that takes what camera boxes see and alerts officers",
}
_ABOUT = {
    "agent": "The agent of Vong Gac on the box beside the cameras.",
    "collector": "The collector of Vong Gac on the commune's server.",
}


def write_deb(folder: Path, tree: Path, target: Target, epoch: int, work: Path) -> Path:
    """The package in `folder`, from the release `tree`, which is moved away. Same input, same bytes."""
    stage = work / "stage"
    home = stage / target.home.lstrip("/")
    home.parent.mkdir(parents=True)
    shutil.move(tree, home)
    _lay_around(stage, target, epoch)
    same_everywhere(stage, epoch)
    for path in (home / "bin").iterdir():
        if not path.is_symlink():
            path.chmod(0o755)
    _control(stage, target, epoch)
    out = folder / f"{target.stem}.deb"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--threads-max=2", "--build", str(stage), str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})
    return out


def write_tar(folder: Path, tree: Path, target: Target, epoch: int) -> Path:
    """The release as one file, its members relative to the release's own folder."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = epoch
        return member

    out = folder / f"{target.stem}.tar.gz"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        out.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(tree.rglob("*")):
            archive.add(path, str(path.relative_to(tree)), recursive=False, filter=plain)
    return out


def _lay_around(stage: Path, target: Target, epoch: int) -> None:
    """All that is not the release itself."""
    command = COMMAND_OF[target.program]
    (stage / "usr/bin").mkdir(parents=True)
    (stage / "usr/bin" / command).symlink_to(f"/opt/vonggac/current/bin/{command}")
    units = stage / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name in UNITS_OF[target.program]:
        shutil.copy(_UNITS / name, units / name)
    if target.debian != "12":  # its systemd (252) does not know RestartSteps=
        for name in UNITS_OF[target.program]:
            if name in ("vonggac-agent.service", "vonggac-collector.service", "vonggac-enrol.service"):
                (units / f"{name}.d").mkdir()
                shutil.copy(_UNITS / "systemd-254/restart-steps.conf", units / f"{name}.d/restart-steps.conf")
    (stage / "usr/lib/sysusers.d").mkdir(parents=True)
    lines = (_UNITS / "vonggac.sysusers").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.startswith("#") or _OTHER[target.program] not in line]
    users = stage / "usr/lib/sysusers.d" / f"{target.package}.conf"
    users.write_text("\n".join(kept) + "\n", encoding="utf-8")
    docs = stage / "usr/share/doc" / target.package
    (docs / "examples").mkdir(parents=True)
    example = {"agent": "edge.yaml", "collector": "collector.yaml"}[target.program]
    shutil.copy(ROOT / "configs" / example, docs / "examples" / example)
    if target.program == "collector":
        for name in ("mosquitto", "systemd"):  # `collector init` takes them from there
            shutil.copytree(ROOT / "deploy" / name, stage / "usr/share/vonggac" / name)
    (docs / "copyright").write_text((_DEBIAN / "copyright").read_text(encoding="utf-8"), encoding="utf-8")
    when = format_datetime(datetime.fromtimestamp(epoch, UTC))
    news = f"{target.package} ({target.package_version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n"
    _gzip(docs / "changelog.gz", f"{news} -- {_MAINTAINER}  {when}\n".encode())
    _gzip(docs / "CHANGELOG.md.gz", (ROOT / "CHANGELOG.md").read_bytes())
    overrides = stage / "usr/share/lintian/overrides"
    overrides.mkdir(parents=True)
    text = (_DEBIAN / "lintian-overrides").read_text(encoding="utf-8")
    (overrides / target.package).write_text(text.replace("@PACKAGE@", target.package), encoding="utf-8")


def _control(stage: Path, target: Target, epoch: int) -> None:
    control = stage / "DEBIAN"
    control.mkdir(mode=0o755)
    files = [path for path in sorted(stage.rglob("*")) if path.is_file() and not path.is_symlink()]
    size_kib = sum(-(-path.stat().st_size // 1024) for path in files)
    fields = {
        "Package": target.package,
        "Version": target.package_version,
        "Architecture": target.architecture,
        "Maintainer": _MAINTAINER,
        "Installed-Size": str(size_kib),
        "Depends": f"python{target.python}, libc6, systemd",
        "Recommends": _RECOMMENDS[target.program],
        "Conflicts": _OTHER[target.program],
        "Section": "video" if target.program == "agent" else "net",
        "Priority": "optional",
        "Description": (
            f"{_SUMMARY[target.program]}\n {_ABOUT[target.program]}\n"
            " Everything it needs beside Python itself stands in a virtual environment\n"
            " of its own below /opt/vonggac; nothing is fetched while it is installed."
        ),
    }
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    (control / "control").write_text(lines, encoding="utf-8")
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(stage)}\n"
        for path in files
    )
    (control / "md5sums").write_text(sums, encoding="utf-8")
    for name in ("postinst", "prerm", "postrm"):
        text = (_DEBIAN / name).read_text(encoding="utf-8")
        units = " ".join(
            name for name in UNITS_OF[target.program] if "@" not in name and name not in _STARTED_BY_OTHERS
        )
        for word, value in (("@VERSION@", target.version), ("@PACKAGE@", target.package), ("@UNITS@", units)):
            text = text.replace(word, value)
        (control / name).write_text(text, encoding="utf-8")
        (control / name).chmod(0o755)
    for path in (control, *control.iterdir()):
        os.utime(path, (epoch, epoch))


def _gzip(path: Path, data: bytes) -> None:
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(data)
