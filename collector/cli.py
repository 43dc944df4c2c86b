"""The command `collector`. `--help` is the reference; errors say what, where and what to do; `--json` for scripts.

Exit codes: 0 well, 1 something failed or was found wrong, 78 the configuration is wrong.
"""

import secrets
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from collector.cli_audit import audit, note_by_hand
from collector.cli_gaps import gaps
from collector.cli_keeping import backup, fsck, prune, restore_command
from collector.cli_options import Command, config_option, json_option, load, opened
from collector.cli_people import token, user
from collector.locks import PARTS
from collector.store import boxes, commands
from vonggac.daemon.clock import SystemClock, new_id
from vonggac.daemon.files import write_durably
from vonggac.daemon.logs import configure_logs
from vonggac.daemon.quantities import parse_duration_s
from vonggac.wire.ids import is_box_id

_COMMAND_MS = 20_000


class _Since(click.ParamType):  # type: ignore[type-arg]
    """`2h`, `3d`: milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return round(parse_duration_s(str(value)) * 1000)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _list_options(command: Command) -> Command:
    command = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)(command)
    command = click.option("--since", type=_Since(), help="Only what began within so long: 2h, 3d.")(command)
    return config_option(json_option(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("vonggac"), prog_name="collector")
def main() -> None:
    """The collector on the commune's server: takes what the boxes see, tells officers, keeps the clips."""
    configure_logs("error")


@main.command()
@config_option
@click.option("--only", help="Run only these parts, with commas between: ingest, alerts, fleet, web.")
def serve(config_path: Path, only: str | None) -> None:
    """Run the collector until it is told to stop."""
    config = load(config_path)
    from collector import collector  # noqa: PLC0415 - the web takes a while to load

    parts = PARTS if only is None else tuple(dict.fromkeys(part.strip() for part in only.split(",")))
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise click.UsageError(f"--only: there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    raise SystemExit(collector.serve(config, parts))


# --- boxes -------------------------------------------------------------------------------------------------------


@main.group()
def box() -> None:
    """Register boxes and take them out."""


@box.command("add")
@click.argument("box_id", metavar="ID")
@click.option("--site", required=True, help="The place where the box stands: a house, a school, a junction.")
@click.option("--commune", required=True)
@click.option("--secret-file", type=click.Path(path_type=Path, dir_okay=False), help="Where to write its secret.")
@click.option("--show", is_flag=True, help="Print the secret in place of writing it to a file.")
@config_option
def box_add(box_id: str, site: str, commune: str, secret_file: Path | None, show: bool, config_path: Path) -> None:
    """Register the box ID and make its secret, which is stored here only as a hash."""
    if not is_box_id(box_id):
        raise click.UsageError(f"ID {box_id!r}: must be 3–40 of a–z, 0–9 and -")
    if show and secret_file is not None:
        raise click.UsageError("--show and --secret-file: give one of them")
    from collector.ingest.broker import hash_secret  # noqa: PLC0415

    target = secret_file or Path(f"{box_id}.secret")
    if not show and target.exists():
        raise click.ClickException(f"{target}: exists; move it away or name another with --secret-file")
    secret = secrets.token_urlsafe(32)
    with opened(load(config_path)) as database, database.write() as connection:
        added = boxes.add_box(connection, box_id, site, commune, hash_secret(secret), SystemClock().wall_ms())
        if added:
            note_by_hand(connection, "configure", thing="box", ref=box_id, commune=commune, detail={"did": "add"})
        if added and not show:
            try:  # inside the transaction: a box whose secret nobody has is not registered
                write_durably(target, f"{secret}\n".encode())
            except OSError as error:
                raise click.ClickException(f"{target}: cannot be written: {error.strerror}") from None
    if not added:
        raise click.ClickException(f"box {box_id} is registered already. To give it a new secret, remove it first")
    if show:
        click.echo(secret)
    else:
        click.echo(
            f"{box_id} is registered. Its secret stands in {target}: copy it to the box, mode 600, and delete it"
        )


@box.command("remove")
@click.argument("box_id", metavar="ID")
@config_option
def box_remove(box_id: str, config_path: Path) -> None:
    """Take the box ID out: it is cut off within two seconds; its history stays."""
    with opened(load(config_path)) as database, database.write() as connection:
        removed = boxes.remove_box(connection, box_id, SystemClock().wall_ms())
        if removed:
            note_by_hand(connection, "configure", thing="box", ref=box_id, detail={"did": "remove"})
    if not removed:
        raise click.ClickException(f"box {box_id} is not registered. See: collector box list")
    click.echo(f"{box_id} may no longer connect")


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


# --- what is here ------------------------------------------------------------------------------------------------


def _listing(name: str, doc: str) -> None:
    """Each listing is the same command over another function of collector.listing."""

    def run(since: int | None, limit: int, as_json: bool, config_path: Path) -> None:
        from collector import listing  # noqa: PLC0415

        config = load(config_path)
        since_ms = None if since is None else SystemClock().wall_ms() - since
        with opened(config) as database, database.read() as connection:
            getattr(listing, f"print_{name}")(connection, config.zone, as_json, since_ms, limit)

    run.__doc__ = doc
    main.command(name)(_list_options(run))


_listing("boxes", "Boxes with their state, last heartbeat and outbox.")
_listing("cameras", "Cameras with their state and last decoded frame.")
_listing("events", "Events as they came in.")
_listing("episodes", "Episodes, the newest first.")
_listing("clips", "Clips, the newest first.")
_listing("incidents", "Incidents, the newest first.")


for _command in (user, token, audit, gaps, fsck, prune, backup, restore_command):
    main.add_command(_command)
