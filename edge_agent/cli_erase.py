"""The command `erase`: a box that leaves its place takes nothing with it that it recorded or knew."""

import os
import shutil
from pathlib import Path

import click

from edge_agent.cli_options import config_option, load


@click.command()
@config_option()
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(config_path: Path, yes: bool) -> None:
    """Remove all that this box recorded, its keys, its passwords and its configuration. There is no way back."""
    config = load(config_path)
    from edge_agent.outbox.database import take_lock  # noqa: PLC0415
    from edge_agent.outbox.errors import OutboxInUse  # noqa: PLC0415
    from vonggac.daemon.bundles import shred  # noqa: PLC0415
    from vonggac.daemon.files import sync_folder  # noqa: PLC0415

    if not yes:
        what = f"all recordings, keys and passwords of {config.box} in {config.data}"
        click.confirm(f"Erase {what}? What the collector has not received yet is lost", abort=True)
    secrets = [config.broker.password_file, *(camera.password_file for camera in config.cameras)]
    try:
        lock = take_lock(config.data)
    except OutboxInUse:
        raise click.ClickException("the agent runs. Do: systemctl stop vonggac-agent") from None
    try:
        for file in (*(each for each in secrets if each is not None), *config.data.glob("identity/*")):
            shred(file)
        for path in config.data.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        sync_folder(config.data)
        shred(config_path)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    finally:
        os.close(lock)
    click.echo(f"{config.box}: nothing is left here. On the server: collector box retire {config.box}")
