"""The commands `update …`: sign offline, take in, offer to a ring, stop, follow."""

from pathlib import Path

import click

from collector.cli_audit import note_by_hand
from collector.cli_options import config_option, json_option, load, opened
from collector.config import CollectorConfig
from collector.releases.choice import RINGS, Ring
from collector.releases.shelf import ReleaseRefused, Shelf
from collector.store import releases as store
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.config import ConfigInvalid, read_secret

_FILE_HELP = "A file with the password of the signing key, mode 600. Without it you are asked."
_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group()
def update() -> None:
    """Releases of the program on the boxes: sign them, offer them to more and more boxes, stop them."""


def _shelf(config: CollectorConfig) -> Shelf:
    return Shelf(config.data / "releases")


# --- away from the server: these need no configuration -----------------------------------------------------------


@update.command("keygen")
@click.argument("key", type=_FILE)
@click.option("--password-file", type=_FILE, help=_FILE_HELP)
def keygen(key: Path, password_file: Path | None) -> None:
    """Make a signing key in the file KEY, encrypted. On a computer that is no server; keep it offline."""
    from collector.releases.making import make_key  # noqa: PLC0415

    try:
        public = make_key(key, _password(password_file, confirm=True))
    except ConfigInvalid as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    click.echo(public)
    click.echo(f"That is its public half: on the server, collector update trust {public}", err=True)


@update.command("sign")
@click.argument("target", type=click.Path(path_type=Path), metavar="RELEASE")
@click.argument("packed", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True)
@click.option("--key", required=True, type=_FILE, help="The signing key.")
@click.option("--outbox", type=click.IntRange(1), default=2, show_default=True, help="Version of the outbox it writes.")
@click.option("--notes", default="", help="A word for technicians.")
@click.option("--password-file", type=_FILE, help=_FILE_HELP)
def sign(
    target: Path, packed: tuple[Path, ...], key: Path, outbox: int, notes: str, password_file: Path | None
) -> None:
    """Sign archives (deploy/package/build agent --tar) as the folder RELEASE. Away from the server, the key at hand."""
    from collector.releases.making import make_release, read_key  # noqa: PLC0415

    try:
        signing = read_key(key, _password(password_file))
        manifest = make_release(target, packed, outbox, notes, SystemClock().wall_ms(), signing)
    except (ConfigInvalid, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    for archive in manifest.archives:
        click.echo(f"{archive.target}  {archive.size_bytes / 2**20:.1f} MiB  {archive.members} members  {archive.file}")
    click.echo(f"{target}: release {manifest.version}. On the server: collector update add {target.name}")


def _password(file: Path | None, *, confirm: bool = False) -> str:
    if file is not None:
        return read_secret(file)
    return str(click.prompt("Password of the signing key", hide_input=True, confirmation_prompt=confirm))


# --- on the server -----------------------------------------------------------------------------------------------


@update.command("trust")
@click.argument("key")
@click.option("--no-more", is_flag=True, help="Take the key out again.")
@config_option
def trust(key: str, no_more: bool, config_path: Path) -> None:
    """Take in the public half KEY of a signing key. Bundles made from now on pin it on their boxes."""
    config, shelf = load(config_path), _shelf(load(config_path))
    with opened(config) as database, database.write() as connection:
        try:
            did = shelf.distrust(key) if no_more else shelf.trust(key)
        except (ValueError, ReleaseRefused) as error:
            raise click.ClickException(f"KEY {error}") from None
        if did:
            note_by_hand(
                connection,
                "configure",
                thing="release_key",
                ref=key,
                detail={"did": "distrust" if no_more else "trust"},
            )
    for each in shelf.trusted_keys():
        click.echo(each)


@update.command("add")
@click.argument("source", type=_FOLDER, metavar="RELEASE")
@config_option
def add(source: Path, config_path: Path) -> None:
    """Take in a signed release, as `collector update sign` made it. It is offered to nobody yet."""
    config = load(config_path)
    with opened(config) as database, database.write() as connection:
        try:
            signed = _shelf(config).take_in(source)
        except ReleaseRefused as error:
            raise click.ClickException(str(error)) from None
        version = signed.manifest.version
        store.add_release(connection, version, signed.text, signed.signature, SystemClock().wall_ms())
        note_by_hand(connection, "configure", thing="release", ref=version, detail={"did": "add"})
    click.echo(f"{version} is here. Offer it to a few boxes first: collector update offer {version} --ring first")


@update.command("offer")
@click.argument("version_text", metavar="VERSION")
@click.option("--ring", required=True, type=click.Choice(RINGS), help="first, then some, then all boxes.")
@config_option
def offer(version_text: str, ring: Ring, config_path: Path) -> None:
    """Let the boxes of a ring, and of those before it, take VERSION at their next look (15 minutes)."""
    with opened(load(config_path)) as database, database.write() as connection:
        if not store.offer(connection, version_text, ring):
            raise click.ClickException(f"there is no release {version_text}. See: collector update list")
        note_by_hand(connection, "configure", thing="release", ref=version_text, detail={"did": "offer", "ring": ring})
        found = store.find_release(connection, version_text)
    if found is not None and not found.offer.is_open:
        raise click.ClickException(f"{found.returns} boxes took {version_text} back: nobody gets it. Make a newer one")
    click.echo(f"{version_text} is offered to ring {ring}. See: collector update progress")


@update.command("stop")
@click.argument("version_text", metavar="VERSION")
@config_option
def stop(version_text: str, config_path: Path) -> None:
    """Let no further box begin with VERSION. Boxes that have it keep it; `offer` lifts the stop."""
    with opened(load(config_path)) as database, database.write() as connection:
        if not store.stop(connection, version_text, "console", SystemClock().wall_ms()):
            raise click.ClickException(f"{version_text} is not here, or is stopped already")
        note_by_hand(connection, "configure", thing="release", ref=version_text, detail={"did": "stop"})
    click.echo(f"{version_text} is stopped")


@update.command("ring")
@click.argument("box_id", metavar="BOX")
@click.argument("ring", type=click.Choice(RINGS))
@config_option
def set_ring(box_id: str, ring: Ring, config_path: Path) -> None:
    """Put BOX into a ring: first, some or all (where every box is at the beginning)."""
    with opened(load(config_path)) as database, database.write() as connection:
        if not store.set_ring(connection, box_id, ring):
            raise click.ClickException(f"box {box_id} is not registered. See: collector box list")
        note_by_hand(connection, "configure", thing="box", ref=box_id, detail={"did": "ring", "ring": ring})
    click.echo(f"{box_id} is of ring {ring}")


@update.command("list")
@json_option
@config_option
def list_command(as_json: bool, config_path: Path) -> None:
    """Releases that are here, the newest first."""
    from collector.listing import print_releases  # noqa: PLC0415

    config = load(config_path)
    with opened(config) as database, database.read() as connection:
        print_releases(connection, config.zone, as_json)


@update.command("progress")
@json_option
@config_option
def progress(as_json: bool, config_path: Path) -> None:
    """How far each box has come, by its own heartbeats."""
    from collector.listing import print_progress  # noqa: PLC0415

    config = load(config_path)
    with opened(config) as database, database.read() as connection:
        print_progress(connection, config.zone, as_json)
