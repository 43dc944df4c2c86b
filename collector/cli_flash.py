"""The command `box flash`: a card, or an installer for a PC, with all that a registered box needs to set itself up."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from collector.cli_audit import note_by_hand
from collector.cli_options import config_option, load, opened
from collector.cli_watch import Language, bundle_option, follow, language_option
from collector.config import CollectorConfig
from collector.identity import card
from collector.store import boxes
from vonggac.daemon.bundles import BundleUnusable, Read, read_bundle, scrub
from vonggac.daemon.config import ConfigInvalid, read_secret
from vonggac.daemon.files import make_folder, write_durably

_SPARE_BYTES = 8 * 2**20


class _Country(click.ParamType):  # type: ignore[type-arg]
    """ISO 3166-1, two letters; it ends up in a shell's line on the box."""

    name = "country"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).upper()
        if len(text) != 2 or not text.isascii() or not text.isalpha():
            self.fail("two letters, such as VN", param, ctx)
        return text


_COUNTRY = _Country()
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False)
_GIVEN = click.Path(path_type=Path, dir_okay=False, exists=True)
_PLACE = click.Path(path_type=Path, exists=True)


@click.command("flash")
@click.argument("box_id", metavar="ID")
@click.option("--boot", type=_FOLDER, help="A written card's boot partition.")
@click.option("--zip", "zip_file", type=_FILE, help="The same, to be unpacked onto the card on another computer.")
@click.option("--pc", type=_FILE, help="For a PC: one file that installs and enrols.")
@click.option("--image", type=_GIVEN, help="With --device: write this image first.")
@click.option("--device", type=click.Path(path_type=Path), help="The card, as /dev/sdb. What is on it is lost.")
@bundle_option
@click.option(
    "--package", "package_places", type=_PLACE, multiple=True, help="The agent's, or a folder. Without it: dist."
)
@click.option("--arch", type=click.Choice(["amd64", "arm64"]), help="Without it: arm64 for a card, amd64 for a PC.")
@click.option("--wifi", help="Name of the network that the box joins. Its password is asked for.")
@click.option("--wifi-password-file", type=_GIVEN, help="Its one line is the password.")
@click.option("--wifi-country", type=_COUNTRY, default="VN", show_default=True)
@click.option(
    "--ssh-key", type=_GIVEN, help="A public key: its owner may log in as `technician`. Without it nobody may."
)
@click.option("--qr", type=_FILE, help="Write the box's QR code: a .svg or .png.")
@click.option("--watch", is_flag=True, help="Then follow the box, as `collector box watch` does.")
@language_option
@config_option
def flash(
    box_id: str,
    boot: Path | None,
    zip_file: Path | None,
    pc: Path | None,
    image: Path | None,
    device: Path | None,
    bundle: Path | None,
    package_places: tuple[Path, ...],
    arch: str | None,
    wifi: str | None,
    wifi_password_file: Path | None,
    wifi_country: str,
    ssh_key: Path | None,
    qr: Path | None,
    watch: bool,
    language: Language,
    config_path: Path,
) -> None:
    """Fill the card of the box ID with all that it needs to set itself up; it then reaches for this server alone."""
    if sum(each is not None for each in (boot, zip_file, pc, device)) != 1:
        raise click.UsageError("give one of --boot, --zip, --pc and --device")
    if (image is None) != (device is None):
        raise click.UsageError("--image and --device go together")
    if pc is not None and (wifi or ssh_key):
        raise click.UsageError("--wifi and --ssh-key: a PC has its network and its logins already")
    config = load(config_path)
    source = bundle or Path(f"{box_id}.bundle")
    try:
        read = read_bundle(source)
        if read.facts.box != box_id:
            raise click.ClickException(f"{source}: is the bundle of {read.facts.box}")
        architecture = arch or ("amd64" if pc is not None else "arm64")
        packages = card.packages_in(package_places or (Path("dist"),), architecture)
        network = None if wifi is None else _wifi(wifi, wifi_password_file, wifi_country)
        key = None if ssh_key is None else _public_key(ssh_key)
    except (BundleUnusable, ConfigInvalid, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    with opened(config) as database, database.write() as connection:
        found = [each for each in boxes.list_boxes(connection) if each.id == box_id]
        if not found:
            raise click.ClickException(f"box {box_id} is not registered. See: collector box list")
        note_by_hand(
            connection, "configure", thing="box", ref=box_id, commune=found[0].commune, detail={"did": "flash"}
        )
    inner = card.box_folder(read, packages)
    outer = card.cloud_files(box_id, network, key)
    try:
        if pc is not None:
            card.write_run_file(pc, box_id, inner, packages)
            click.echo(f"Installer for {box_id}: {pc}. On the PC: sudo sh {pc.name}. It is good once, for 72 hours")
        elif zip_file is not None:
            _write_zip(zip_file, inner, outer, packages)
            click.echo(f"Card of {box_id}: unpack {zip_file} onto the card's boot partition, then delete it")
        elif boot is not None:
            _fill(boot, inner, outer, packages)
            click.echo(f"{boot}: holds all that {box_id} needs. Eject the card, put it into the box, switch on")
        elif image is not None and device is not None:
            with _written_card(image, device) as mounted:
                _fill(mounted, inner, outer, packages)
            click.echo(f"{device}: written. Put the card into {box_id}, switch on")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    _show_qr(_hand_over_text(config, read, found[0].site), qr)
    if watch:
        follow(config, box_id, source, language, None)


def _wifi(name: str, password_file: Path | None, country: str) -> card.Wifi:
    if password_file is not None:
        phrase = read_secret(password_file)
    else:
        phrase = str(click.prompt(f"Password of the Wi-Fi {name}", hide_input=True))
    return card.Wifi(name, card.wifi_key(name, phrase), country)


def _public_key(path: Path) -> str:
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not text.startswith(("ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")) or "\n" in text:
        raise ValueError(f"{path}: is no public key; give the file whose name ends in .pub")
    return text


# --- writing -----------------------------------------------------------------------------------------------------


def _fill(boot: Path, inner: dict[str, bytes], outer: dict[str, bytes], packages: list[card.Package]) -> None:
    """The small files that cloud-init reads come last: a card that was pulled out too early does nothing."""
    if not any((boot / name).exists() for name in ("config.txt", "cmdline.txt", "meta-data")):
        raise click.ClickException(f"{boot}: is no boot partition of a written card (no config.txt, no cmdline.txt)")
    folder = boot / card.FOLDER
    if folder.exists():
        scrub(folder)
        shutil.rmtree(folder)
    needed = sum(package.path.stat().st_size for package in packages) + _SPARE_BYTES
    if shutil.disk_usage(boot).free < needed:
        raise click.ClickException(f"{boot}: has too little room, {needed >> 20} MiB are needed")
    make_folder(folder)
    for package in packages:
        with package.path.open("rb") as source, (folder / package.path.name).open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)
            target.flush()
            os.fsync(target.fileno())
    for name, data in inner.items():
        make_folder((folder / name).parent)
        write_durably(folder / name, data)
    for package in packages:
        if card.sha256_of(folder / package.path.name) != card.sha256_of(package.path):
            raise click.ClickException(f"{boot}: reads back other bytes than were written: take another card")
    for name, data in outer.items():
        write_durably(boot / name, data)


def _write_zip(target: Path, inner: dict[str, bytes], outer: dict[str, bytes], packages: list[card.Package]) -> None:
    if target.exists():
        raise FileExistsError(17, "exists; move it away or name another with --zip", str(target))
    target.touch(mode=0o600)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for package in packages:
            archive.write(package.path, f"{card.FOLDER}/{package.path.name}")
        for name, data in inner.items():
            archive.writestr(f"{card.FOLDER}/{name}", data)
        for name, data in outer.items():
            archive.writestr(name, data)


@contextmanager
def _written_card(image: Path, device: Path) -> Iterator[Path]:
    """Raspberry Pi Imager writes the card; its first partition is mounted for as long as it is filled."""
    if shutil.which("rpi-imager") is None:
        raise click.ClickException(
            "rpi-imager is not installed: write the card with Raspberry Pi Imager on any computer, then give --boot"
        )
    _do("rpi-imager", "--cli", str(image), str(device))
    first = Path(f"{device}p1" if device.name[-1].isdigit() else f"{device}1")
    with tempfile.TemporaryDirectory(prefix="vonggac-card-") as name:
        _do("mount", str(first), name)
        try:
            yield Path(name)
        finally:
            _do("umount", name)


def _do(*command: str) -> None:
    try:
        done = subprocess.run(command, check=False)
    except OSError as error:
        raise click.ClickException(f"{command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        raise click.ClickException(f"{' '.join(command)}: failed (exit {done.returncode})")


# --- the QR code -------------------------------------------------------------------------------------------------


def _hand_over_text(config: CollectorConfig, read: Read, site: str) -> str:
    """For the label on the box; it holds nothing secret. The link is to the box's page, where pages can be reached."""
    link = [] if config.http.public_url is None else [f"{config.http.public_url}/boxes/{read.facts.box}"]
    return "\n".join(["Vọng Gác", read.facts.box, site, *link])


def _show_qr(text: str, file: Path | None) -> None:
    import segno  # noqa: PLC0415

    code = segno.make(text, error="m")
    if sys.stdout.isatty():
        code.terminal(compact=True)
    if file is None:
        return
    if file.suffix not in (".svg", ".png"):
        raise click.UsageError("--qr: the name must end in .svg or .png")
    code.save(str(file), scale=8)
    click.echo(f"QR code: {file}")
