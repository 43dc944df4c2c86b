"""The command `collector`. `--help` is the reference; errors say what, where and what to do; `--json` for scripts.

Exit codes: 0 well, 1 something failed or was found wrong, 78 the configuration is wrong.
"""

from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from collector.cli_audit import audit
from collector.cli_boxes import authority, box
from collector.cli_channels import channel
from collector.cli_flash import flash
from collector.cli_gaps import gaps
from collector.cli_init import init
from collector.cli_keeping import backup, fsck, hold, prune, release, restore_command
from collector.cli_options import Command, config_option, json_option, load, opened
from collector.cli_people import token, user
from collector.cli_releases import update
from collector.cli_watch import watch
from collector.locks import PARTS
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.logs import configure_logs
from vonggac.daemon.quantities import parse_duration_s


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


@main.command()
@click.option("--watch", is_flag=True, help="Draw them anew every two seconds, the worst first, until Ctrl+C.")
@_list_options
def boxes(watch: bool, since: int | None, limit: int, as_json: bool, config_path: Path) -> None:
    """Boxes with their state, last heartbeat and outbox."""
    from collector import listing, watching  # noqa: PLC0415

    if watch and as_json:
        raise click.UsageError("--watch is for people: leave --json out")
    config = load(config_path)
    with opened(config) as database:
        if watch:
            with suppress(KeyboardInterrupt):
                watching.watch(database, config.zone, SystemClock().wall_ms, Console())
            return
        with database.read() as connection:
            listing.print_boxes(connection, config.zone, as_json, since, limit)


_listing("cameras", "Cameras with their state and last decoded frame.")
_listing("events", "Events as they came in.")
_listing("episodes", "Episodes, the newest first.")
_listing("clips", "Clips, the newest first.")
_listing("incidents", "Incidents, the newest first.")


for _command in (flash, watch):
    box.add_command(_command)
for _command in (
    init,
    box,
    authority,
    update,
    channel,
    user,
    token,
    audit,
    gaps,
    fsck,
    prune,
    hold,
    release,
    backup,
    restore_command,
):
    main.add_command(_command)
