"""The commands `audit verify` and `audit list`, and how every other command puts what it does into the audit log."""

import getpass
import json
import os
from pathlib import Path
from typing import Any

import click

from collector.cli_options import config_option, json_option, load, opened
from collector.store import audit as store
from collector.store.audit import Act, Action, Seal, Sought
from collector.store.database import Connection
from vonggac.daemon.clock import SystemClock


def note_by_hand(connection: Connection, action: Action, **about: Any) -> None:
    """A line about what was just done on the command line, in the transaction that did it."""
    store.append(connection, Act(action=action, who=_login(), by="console", **about), SystemClock().wall_ms())


def _login() -> str:
    """The login at this machine; with sudo the one who called it. Root can pretend to be anybody here."""
    try:
        login = getpass.getuser()
    except (OSError, KeyError):
        login = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{behind} ({login})" if behind and behind != login else login


class _Seal(click.ParamType):  # type: ignore[type-arg]
    name = "number:hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Seal:
        number, colon, hash_text = str(value).strip().lower().partition(":")
        if not (colon and number.isdecimal() and len(hash_text) == 64 and set(hash_text) <= set("0123456789abcdef")):
            self.fail("write NUMBER:HASH as `collector audit verify` and the page print it", param, ctx)
        return Seal(int(number), hash_text)


@click.group()
def audit() -> None:
    """The log of who did and saw what."""


@audit.command("verify")
@click.option("--seal", "kept", type=_Seal(), help="A seal that was written down before: NUMBER:HASH.")
@config_option
def audit_verify(kept: Seal | None, config_path: Path) -> None:
    """Recompute every hash of the log. Prints its seal; exit 1 when a line was changed, taken out or put in."""
    with opened(load(config_path)) as database, database.read() as connection:
        wrong = list(store.verify(connection, kept))
        seal = store.newest(connection)
    for complaint in wrong:
        click.echo(f"WRONG {complaint}")
    click.echo(f"{seal.number} lines. Seal: {seal.number}:{seal.hash}")
    if not wrong and kept is None:
        click.echo("Every line follows from the one before. Keep the seal elsewhere: with it a log written anew shows.")
    raise SystemExit(1 if wrong else 0)


@audit.command("list")
@click.option("--who", help="Only what this user did.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@config_option
def audit_list(who: str | None, limit: int, as_json: bool, config_path: Path) -> None:
    """The newest lines, the newest first."""
    config = load(config_path)
    with opened(config) as database, database.read() as connection:
        lines = store.list_lines(connection, Sought(who=who, limit=limit))
    from collector.alerts.texts import local_stamp  # noqa: PLC0415

    for line in lines:
        if as_json:
            click.echo(json.dumps(vars(line), ensure_ascii=False))
            continue
        thing = " ".join(text for text in (line.thing, line.ref, line.camera) if text)
        click.echo(
            f"{line.number}  {local_stamp(line.wall_ms, config.zone)}  {line.who}  {line.action}  {thing}".rstrip()
        )
