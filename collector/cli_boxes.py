"""The commands `box …` and `authority …`: who may connect, and the authority that says so."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from collector.cli_audit import note_by_hand
from collector.cli_options import config_option, json_option, load, opened
from collector.config import CollectorConfig
from collector.store import boxes, commands, identities
from collector.store.database import Connection
from vonggac.daemon.clock import SystemClock, new_id
from vonggac.daemon.config import ConfigInvalid, read_secret
from vonggac.daemon.files import hand_over, write_durably
from vonggac.daemon.program import refuse_config
from vonggac.daemon.signatures import signer_of
from vonggac.wire.enrolment import SERVER_NAMES
from vonggac.wire.ids import is_box_id
from vonggac.wire.sheet import MAX_SHEET_BYTES, split, statement

if TYPE_CHECKING:
    from collector.identity.bundle import Camera

_COMMAND_MS = 20_000
_CAMERA_HELP = "NAME=URL or NAME=URL,SUB-URL, such as gate=rtsp://viewer@192.168.1.20/101. Can be given several times."
_FILE_HELP = "A file with the password of the user in that camera's URL. Without it you are asked."
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def box() -> None:
    """Register boxes, replace them and take them out."""


def _bundle_options(command: Command) -> Command:
    command = click.option(
        "--bundle", type=click.Path(path_type=Path), help="Where to write the bundle: a folder, or a .zip."
    )(command)
    command = click.option("--password-file", "password_texts", multiple=True, metavar="NAME=FILE", help=_FILE_HELP)(
        command
    )
    return click.option("--camera", "camera_texts", multiple=True, help=_CAMERA_HELP)(command)


@box.command("add")
@click.argument("box_id", metavar="ID")
@click.option("--site", required=True, help="The place where the box stands: a house, a school, a junction.")
@click.option("--commune", help="Without it: the commune of that site's other boxes, else the configuration's.")
@_bundle_options
@click.option("--secret-file", type=click.Path(path_type=Path, dir_okay=False), help="Without `identity`: its secret.")
@click.option("--show", is_flag=True, help="Without `identity`: print the secret in place of writing it to a file.")
@config_option
def box_add(
    box_id: str,
    site: str,
    commune: str | None,
    camera_texts: tuple[str, ...],
    password_texts: tuple[str, ...],
    bundle: Path | None,
    secret_file: Path | None,
    show: bool,
    config_path: Path,
) -> None:
    """Register the box ID and make the bundle with which it enrols (without `identity`: its secret)."""
    if not is_box_id(box_id) or box_id in SERVER_NAMES:
        raise click.UsageError(f"ID {box_id!r}: must be 3–40 of a–z, 0–9 and -, and none of {', '.join(SERVER_NAMES)}")
    config = load(config_path)

    def register(connection: Connection, secret_hash: str) -> None:
        where = commune or _commune_of(connection, site, config)
        if not boxes.add_box(connection, box_id, site, where, secret_hash, SystemClock().wall_ms()):
            again = "retire it first" if config.identity is None else "Do: collector box replace"
            raise click.ClickException(f"box {box_id} is registered already. For another machine under its id: {again}")
        note_by_hand(connection, "configure", thing="box", ref=box_id, commune=where, detail={"did": "add"})

    if config.identity is not None:
        if show or secret_file is not None:
            raise click.UsageError("--show and --secret-file: with `identity` a box has no secret; see --bundle")
        cameras = _cameras(camera_texts, password_texts)
        _make_bundle(config, box_id, cameras, bundle, lambda connection: register(connection, ""))
        return
    if camera_texts or password_texts or bundle is not None:
        raise click.UsageError("--camera and --bundle: only with `identity` in the configuration")
    _make_secret(config, box_id, secret_file, show, register)


def _commune_of(connection: Connection, site: str, config: CollectorConfig) -> str:
    """Where the site's other boxes are; a site with none of them is where the configuration says."""
    known = sorted({box.commune for box in boxes.list_boxes(connection) if box.site == site})
    if len(known) == 1:
        return known[0]
    if not known and config.commune is not None:
        return config.commune
    why = f"there is a {site!r} in {' and in '.join(known)}" if known else f"nothing says where {site!r} is"
    raise click.UsageError(f"--commune: is needed, as {why}")


def _make_secret(
    config: CollectorConfig, box_id: str, secret_file: Path | None, show: bool, register: Callable[[Any, str], None]
) -> None:
    if show and secret_file is not None:
        raise click.UsageError("--show and --secret-file: give one of them")
    from collector.ingest.broker import hash_secret  # noqa: PLC0415

    target = secret_file or Path(f"{box_id}.secret")
    if not show and target.exists():
        raise click.ClickException(f"{target}: exists; move it away or name another with --secret-file")
    secret = secrets.token_urlsafe(32)
    with opened(config) as database, database.write() as connection:
        register(connection, hash_secret(secret))
        if not show:
            try:  # inside the transaction: a box whose secret nobody has is not registered
                write_durably(target, f"{secret}\n".encode())
            except OSError as error:
                raise click.ClickException(f"{target}: cannot be written: {error.strerror}") from None
    if show:
        click.echo(secret)
    else:
        click.echo(
            f"{box_id} is registered. Its secret stands in {target}: copy it to the box, mode 600, and delete it"
        )


def _cameras(texts: tuple[str, ...], password_texts: tuple[str, ...]) -> "tuple[Camera, ...]":
    """The cameras, with passwords from files, from the keyboard, or (seen by all on this machine) from the URL."""
    from collector.identity.bundle import camera_of, needs_password  # noqa: PLC0415

    files = dict(text.partition("=")[::2] for text in password_texts)
    try:
        cameras = [camera_of(text) for text in texts]
    except ValueError as error:
        raise click.UsageError(f"--camera: {error}") from None
    if not cameras:
        raise click.UsageError("--camera: give at least one, such as gate=rtsp://192.168.1.20/stream")
    if any(camera.password is not None for camera in cameras):
        click.echo(
            "A password in a URL is seen by everybody on this machine. Better: NAME=rtsp://USER@HOST/…; you are asked",
            err=True,
        )
    strange = sorted(files.keys() - {camera.told.name for camera in cameras if needs_password(camera)})
    if strange:
        raise click.UsageError(f"--password-file {strange[0]}: there is no camera of this name that lacks a password")
    for at, camera in enumerate(cameras):
        name = camera.told.name
        if name in files:
            try:
                cameras[at] = replace(camera, password=read_secret(Path(files[name])))
            except ConfigInvalid as error:
                raise click.ClickException(str(error)) from None
        elif needs_password(camera):
            asked = click.prompt(f"Password of {camera.told.user} at camera {name}", hide_input=True)
            cameras[at] = replace(camera, password=str(asked))
    return tuple(cameras)


def _make_bundle(
    config: CollectorConfig,
    box_id: str,
    cameras: "tuple[Camera, ...]",
    target: Path | None,
    change: Callable[[Connection], None],
) -> None:
    """What `change` does, a new token and the bundle: all of it or nothing."""
    from collector.identity import bundle as bundles  # noqa: PLC0415
    from collector.identity import station, tokens  # noqa: PLC0415
    from collector.identity.certificates import pem  # noqa: PLC0415
    from collector.releases.shelf import ReleaseRefused, Shelf  # noqa: PLC0415

    target = target or Path(f"{box_id}.bundle")
    section, now_ms, token = station.section_of(config), SystemClock().wall_ms(), tokens.make_token()
    try:
        authority = station.open_authority(config)
        release_keys = Shelf(config.data / "releases").trusted_keys()
    except ConfigInvalid as error:
        refuse_config(error)
    except ReleaseRefused as error:
        raise click.ClickException(str(error)) from None
    server = bundles.Server(
        section.names[0], section.listen[1], config.broker_port_of_boxes, pem(authority.certificate), release_keys
    )
    with opened(config) as database, database.write() as connection:
        change(connection)
        identities.add_token(connection, tokens.token_hash(token), box_id, now_ms, now_ms + tokens.LIFE_MS)
        try:
            bundles.write_bundle(target, box_id, token, cameras, server, now_ms)
        except OSError as error:
            raise click.ClickException(f"{target}: cannot be written: {error.strerror}") from None
    click.echo(f"Bundle for {box_id}: {target}. Good once, for 72 hours. On the box: edge-agent enrol {target.name}")
    click.echo(f"Authority, to be compared on the box: {authority.fingerprint}")
    for key in release_keys:
        click.echo(f"Release key, pinned on the box: {key}")


@box.command("replace")
@click.argument("box_id", metavar="ID")
@_bundle_options
@config_option
def box_replace(
    box_id: str,
    camera_texts: tuple[str, ...],
    password_texts: tuple[str, ...],
    bundle: Path | None,
    config_path: Path,
) -> None:
    """Let another machine, or a new card, take the box's id: the old one is cut off now, the history stays."""
    config = load(config_path)

    def change(connection: Connection) -> None:
        _end(connection, box_id, "replaced")
        note_by_hand(connection, "configure", thing="box", ref=box_id, detail={"did": "replace"})

    _make_bundle(config, box_id, _cameras(camera_texts, password_texts), bundle, change)


@box.command("revoke")
@click.argument("box_id", metavar="ID")
@config_option
def box_revoke(box_id: str, config_path: Path) -> None:
    """The box ID was stolen or copied: cut it off now. It stays in the lists; `replace` lets another one in."""
    with opened(load(config_path)) as database, database.write() as connection:
        _end(connection, box_id, "revoked")
        note_by_hand(connection, "configure", thing="box", ref=box_id, detail={"did": "revoke"})
    click.echo(f"{box_id} may no longer connect; what it has open is cut within seconds")


@box.command("retire")
@click.argument("box_id", metavar="ID")
@config_option
def box_retire(box_id: str, config_path: Path) -> None:
    """Take the box ID out of the lists: it is cut off within seconds; its history stays."""
    with opened(load(config_path)) as database, database.write() as connection:
        _end(connection, box_id, "retired")
        boxes.remove_box(connection, box_id, SystemClock().wall_ms())
        note_by_hand(connection, "configure", thing="box", ref=box_id, detail={"did": "retire"})
    click.echo(f"{box_id} may no longer connect")


def _end(connection: Connection, box_id: str, reason: identities.Reason) -> None:
    now_ms = SystemClock().wall_ms()
    if not identities.shut_out(connection, box_id, now_ms):
        raise click.ClickException(f"box {box_id} is not registered. See: collector box list")
    identities.end_certificates(connection, box_id, reason, now_ms)
    identities.end_signing_keys(connection, box_id, now_ms)
    identities.void_tokens(connection, box_id, now_ms)


@box.command("verify-sheet")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
def box_verify_sheet(file: Path, config_path: Path) -> None:
    """Was the hand-over sheet FILE signed by the box that it names, and not changed since? Exit 1 when not."""
    with file.open("rb") as opened_file:
        data = opened_file.read(MAX_SHEET_BYTES + 1)
    try:
        page, seal = split(data)
    except ValueError as error:
        raise click.ClickException(f"{file} {error}") from None
    with opened(load(config_path)) as database, database.read() as connection:
        keys = {key: ended_ms for key, _since_ms, ended_ms in identities.signing_keys_of(connection, seal.box)}
    if seal.key not in keys:
        raise click.ClickException(f"{file}: its key was never registered for box {seal.box}")
    if signer_of(statement(seal.box, page), bytes.fromhex(seal.signature), [seal.key]) is None:
        raise click.ClickException(f"{file}: was changed after box {seal.box} had signed it")
    click.echo(f"{file}: signed by box {seal.box}, unchanged")
    if keys[seal.key] is not None:
        click.echo("Its key has ended since (replaced, revoked or retired): who holds it may have signed later.")


@box.command("list")
@json_option
@config_option
def box_list(as_json: bool, config_path: Path) -> None:
    """All registered boxes."""
    from collector.listing import print_registered  # noqa: PLC0415

    config = load(config_path)
    with opened(config) as database, database.read() as connection:
        print_registered(connection, config.zone, as_json)


@box.command("tell")
@click.argument("box_id", metavar="ID")
@click.argument("command")
@click.option("--camera", help="For `snapshot`: the camera's name on its box.")
@config_option
def box_tell(box_id: str, command: str, camera: str | None, config_path: Path) -> None:
    """Have a box do something: ping, snapshot, retry or restart; waits for its answer."""
    clock = SystemClock()
    command_id, now_ms = new_id(clock), clock.wall_ms()
    with opened(load(config_path)) as database:
        with database.write() as connection:
            if not boxes.is_registered(connection, box_id):
                raise click.ClickException(f"box {box_id}: not registered. See: collector box list")
            commands.add_command(
                connection, command_id, box_id, command, now_ms=now_ms, expires_ms=now_ms + _COMMAND_MS, camera=camera
            )
            where = None if camera is None else f"{box_id}/{camera}"
            note_by_hand(connection, "command", thing="box", ref=box_id, camera=where, detail={"command": command})
        while clock.wall_ms() < now_ms + _COMMAND_MS:
            with database.read() as connection:
                answer = commands.answer_of(connection, command_id)
            if answer is not None:
                break
            time.sleep(0.1)
        else:
            raise click.ClickException(
                f"box {box_id} did not answer within {_COMMAND_MS // 1000} s: is it up, and `collector serve` running?"
            )
    if not answer.ok:
        raise click.ClickException(f"box {box_id} refused: {answer.error}")
    click.echo(" ".join(["done", *(f"{name}={value}" for name, value in answer.detail.items())]))


# --- the authority -----------------------------------------------------------------------------------------------


@click.group()
def authority() -> None:
    """The authority whose certificates boxes and this server prove themselves by."""


@authority.command("init")
@config_option
def authority_init(config_path: Path) -> None:
    """Make the authority, and the certificates of this server, under DATA/identity."""
    from collector.identity import station  # noqa: PLC0415
    from collector.identity.authority import make_authority  # noqa: PLC0415

    config, clock = load(config_path), SystemClock()
    try:
        section = station.section_of(config)
        folder = station.identity_folder(config)
        made = make_authority(folder, station.key_file(config), section.district, section.names, clock.wall_ms())
    except ConfigInvalid as error:
        refuse_config(error)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: cannot be written: {error.strerror}") from None
    hand_over(folder, config.data)
    click.echo(f"Authority {section.district}: {made.fingerprint}")
    click.echo(f"Keep a copy of {folder} and of the password in two places: without them every box is enrolled anew")


@authority.command("broker")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@config_option
def authority_broker(folder: Path, config_path: Path) -> None:
    """Put what Mosquitto needs into FOLDER: certificates, the list of revoked ones, and who the collector is to it."""
    from collector.identity import station  # noqa: PLC0415
    from collector.identity.mosquitto import write_files  # noqa: PLC0415

    config = load(config_path)
    try:
        written = write_files(station.open_authority(config), folder)
    except ConfigInvalid as error:
        refuse_config(error)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: cannot be written: {error.strerror}") from None
    click.echo(f"Written: {', '.join(written)}. Do: chown -R mosquitto: {folder} && systemctl restart mosquitto")


@authority.command("equip")
@config_option
def authority_equip(config_path: Path) -> None:
    """New certificates for this server: after its names changed, or before five years are over."""
    from collector.identity import station  # noqa: PLC0415

    config = load(config_path)
    try:
        station.open_authority(config).equip_server(station.section_of(config).names, SystemClock().wall_ms())
        hand_over(station.identity_folder(config), config.data)
    except ConfigInvalid as error:
        refuse_config(error)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: cannot be written: {error.strerror}") from None
    click.echo("Written. Restart the collector and the broker")
