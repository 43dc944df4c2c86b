"""The command `init`: prepares a server, says what it did, and what is next."""

import getpass
import os
from pathlib import Path

import click

from collector.cli_options import plainly
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.program import refuse_config

MOSQUITTO = Path("/usr/sbin/mosquitto")


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--name", "names", multiple=True, help="By which boxes reach this server: an address or a host name.")
@click.option("--district", default="Vọng Gác", show_default=True, help="The authority's name.")
@click.option("--commune", help="Where boxes stand when `box add` is not told.")
@click.option("--administrator", help="The first one who may sign in. Without it, your own login.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Its first line is the administrator's password. Without it one is made and shown once.",
)
@click.option(
    "--broker",
    type=click.Choice(["mosquitto", "embedded"]),
    help="Without it: Mosquitto for /etc/vonggac where it is installed, else our own.",
)
@click.option("--public-url", help="What links to the pages begin with, such as https://vonggac.xa.example.")
def init(
    folder: Path,
    names: tuple[str, ...],
    district: str,
    commune: str | None,
    administrator: str | None,
    password_file: Path | None,
    broker: str | None,
    public_url: str | None,
) -> None:
    """Prepare a server in DIR: authority, database, broker, units, first administrator. What is there is kept.

    Given by root for /etc/vonggac, everything goes where the package's units look for it.
    """
    from collector.setting_up import SYSTEM, Places, Wishes, set_up  # noqa: PLC0415 - the web takes a while to load

    folder = folder.resolve()
    is_system = folder == SYSTEM
    if is_system and os.geteuid() != 0:
        raise click.UsageError(f"{folder}: only root writes there. Give this command with sudo")
    places = Places.of_the_system() if is_system else Places.within(folder)
    embedded = broker == "embedded" or (broker is None and not (is_system and MOSQUITTO.exists()))
    password = password_file.read_text(encoding="utf-8").splitlines()[:1] if password_file else []
    wishes = Wishes(
        names=names,
        district=district,
        commune=commune,
        administrator=administrator or os.environ.get("SUDO_USER") or getpass.getuser(),
        password=password[0] if password else None,
        embedded=embedded,
        public_url=public_url,
    )
    with plainly():
        try:
            for step in set_up(places, wishes, SystemClock()):
                click.echo(f"{'made' if step.made else 'kept'}  {step.what}")
        except ConfigInvalid as error:
            refuse_config(error)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    click.echo("\nNext:")
    for line in _next(places.config, is_system=is_system, with_mosquitto=(places.mosquitto / "vonggac").exists()):
        click.echo(f"  {line}")


def _next(config: Path, *, is_system: bool, with_mosquitto: bool) -> list[str]:
    keep = "Keep a copy of the authority's folder and of its password in two places: without them every box enrols anew"
    if is_system:
        broker = "mosquitto vonggac-revoked.path " if with_mosquitto else ""
        return [
            f"systemctl daemon-reload && systemctl restart {broker}vonggac-collector",
            "collector box add ID --site SITE --camera NAME=URL",
            keep,
        ]
    start = f"collector serve --config {config}"
    units = f"or link the units in {config.parent / 'systemd'} into /etc/systemd/system"
    include = [f"include {config.parent / 'mosquitto/conf.d'} in mosquitto.conf and start Mosquitto"]
    return [*(include if with_mosquitto else []), f"{start}    ({units})", keep]
