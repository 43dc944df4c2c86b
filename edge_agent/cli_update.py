"""The command `update`: what the timer of vonggac-update runs, and a person with a stick."""

import json
import platform
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_agent.cli_options import config_option, load
from edge_agent.config import EdgeConfig
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.logs import configure_logs
from vonggac.daemon.program import refuse_config

if TYPE_CHECKING:
    from edge_agent.update.door import Door
    from edge_agent.update.layout import Layout
    from edge_agent.update.state import State

_RESTART = "systemctl --no-block restart vonggac-agent.service"


def this_target() -> str:
    """What archives for this machine are called: its processor and its Python."""
    return f"{platform.machine().lower()}-cp{sys.version_info.major}{sys.version_info.minor}"


@click.command()
@config_option()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A release on a stick.")
@click.option("--again", is_flag=True, help="Also take a release that was refused or taken back before.")
@click.option("--status", is_flag=True, help="Only tell what runs and how far an update has come.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--restart", default=_RESTART, show_default=True, help="The command that starts the agent anew.")
def update(config_path: Path, bundle: Path | None, again: bool, status: bool, as_json: bool, restart: str) -> None:
    """Take the release that the collector wants on this box, watch it, keep it or take it back. One pass; as root.

    Exit 0 whenever the box is in order afterwards, also when a release was refused or taken back; 1 to be called again.
    """
    config = load(config_path)
    from edge_agent.update.door import DoorClosed, NoAnswer  # noqa: PLC0415
    from edge_agent.update.layout import Layout  # noqa: PLC0415
    from edge_agent.update.state import read_state  # noqa: PLC0415
    from edge_agent.update.updater import CannotUpdate  # noqa: PLC0415

    layout = Layout(config.update.root)
    if status:
        _tell(layout, read_state(layout.work), as_json)
        return
    configure_logs(config.log_level)
    try:
        state = _pass(config, layout, bundle, again, restart)
    except ConfigInvalid as error:
        refuse_config(error)
    except (NoAnswer, DoorClosed) as error:  # nothing is unfinished: systemd need not call again before its time
        click.echo(f"Nothing done: {error}", err=True)
        raise SystemExit(0 if bundle is None else 1) from None
    except CannotUpdate as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'disk'}: {error.strerror}") from None
    _tell(layout, state, as_json)


def _pass(config: EdgeConfig, layout: "Layout", bundle: Path | None, again: bool, restart: str) -> "State":
    import ssl  # noqa: PLC0415

    from edge_agent.identity.credentials import open_credentials  # noqa: PLC0415
    from edge_agent.outbox.database import VERSION as OUTBOX_VERSION  # noqa: PLC0415
    from edge_agent.update.door import CollectorDoor, DoorClosed, StickDoor  # noqa: PLC0415
    from edge_agent.update.updater import Limits, Updater  # noqa: PLC0415
    from vonggac.daemon.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()

    def context() -> ssl.SSLContext:
        """Opened only when it is asked: taking a release back must not need an identity."""
        try:
            trust = open_credentials(config, clock).trust
        except ConfigInvalid as error:
            raise DoorClosed(str(error)) from None
        if trust is None:
            raise DoorClosed("updates come over mutual TLS alone: this box has no `identity`. See edge-agent enrol")
        return trust.context()

    section = config.update
    door: Door = CollectorDoor(config.collector.url, context)
    if bundle is not None:
        door = StickDoor(bundle, door)
    updater = Updater(
        layout,
        door,
        read_keys(section.keys),
        clock,
        shlex.split(restart),
        this_target(),
        OUTBOX_VERSION,
        Limits(section.probation, section.steady, section.poll),
        again=again or bundle is not None,
    )
    return updater.run()


def read_keys(path: Path) -> tuple[str, ...]:
    """The pinned keys; none where there is no file. Raises ConfigInvalid for one that makes no sense or is open."""
    from vonggac.wire.release import parse_keys  # noqa: PLC0415

    try:
        if path.stat().st_mode & 0o022:
            raise ConfigInvalid([f"{path}: can be written by others. Do: chmod 644 {path}"])
        return parse_keys(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigInvalid([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigInvalid([f"{path}: {error}"]) from None


def _tell(layout: "Layout", state: "State", as_json: bool) -> None:
    current, proven = layout.version_of("current"), layout.version_of("proven")
    if as_json:
        click.echo(json.dumps({"current": current, "proven": proven, **asdict(state)}, ensure_ascii=False))
        return
    click.echo(f"runs {current or '-'}, proven {proven or '-'}; {state.step} {state.target or ''}".rstrip())
    if state.reason:
        click.echo(f"  {state.reason}")
