"""The commands `user` and `token`: people who may sign in, and keys for programs. Each change is noted for auditors."""

import functools
import getpass
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from collector.cli_audit import note_by_hand
from collector.cli_options import Command, config_option, load, opened
from collector.store import users
from collector.store.database import Connection
from collector.store.reach import EVERYWHERE, Reach, Spot
from collector.web.rights import GIVEN
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.quantities import parse_duration_s

ROLES = ("administrator", "officer", "technician", "auditor")


def _standing_options(command: Command) -> Command:
    """`--commune`, `--site`, `--everywhere`, `--also`, `--without`, `--as-role`: given to the command as `wish`."""

    @functools.wraps(command)
    def with_wish(
        *, commune: tuple[str, ...], site: tuple[str, ...], everywhere: bool, also: tuple[str, ...],
        without: tuple[str, ...], as_role: bool, **rest: Any,
    ) -> Any:  # fmt: skip
        if everywhere and (commune or site):
            raise click.UsageError("--everywhere and --commune or --site: give one of them")
        if as_role and (also or without):
            raise click.UsageError("--as-role and --also or --without: give one of them")
        spots = (*(Spot(name) for name in commune), *(_site(text) for text in site))
        reach = Reach(spots) if spots else (EVERYWHERE if everywhere else None)
        rights = (frozenset(also), frozenset(without)) if also or without or as_role else None
        return command(wish=_Wish(reach, rights), **rest)

    rights = click.Choice(GIVEN)
    for option in (
        click.option("--as-role", is_flag=True, help="Exactly the role's rights."),
        click.option("--without", type=rights, multiple=True, help="A right of the role that this user does not have."),
        click.option("--also", type=rights, multiple=True, help="A right beyond the role's."),
        click.option("--everywhere", is_flag=True, help="In every commune."),
        click.option("--site", multiple=True, metavar="COMMUNE/SITE", help="Only there; may be given again."),
        click.option("--commune", multiple=True, help="Only there; may be given again."),
    ):
        with_wish = option(with_wish)
    return with_wish  # type: ignore[return-value]


@dataclass(frozen=True)
class _Wish:
    """What the options say; None leaves things as they are. `rights` is (also, without)."""

    reach: Reach | None
    rights: tuple[frozenset[str], frozenset[str]] | None

    def over(self, standing: users.Standing) -> users.Standing:
        also, without = self.rights or (standing.also, standing.without)
        return users.Standing(self.reach or standing.reach, also, without)


def _site(text: str) -> Spot:
    commune, _, site = (part.strip() for part in text.partition("/"))
    if not (commune and site):
        raise click.UsageError(f"--site {text!r}: write COMMUNE/SITE")
    return Spot(commune, site)


def _in_words(standing: users.Standing) -> dict[str, str]:
    spots = standing.reach.spots
    words = {"where": "everywhere" if spots is None else "only in " + ", ".join(str(spot) for spot in spots)}
    words |= {"also": ", ".join(sorted(standing.also))} if standing.also else {}
    return words | ({"without": ", ".join(sorted(standing.without))} if standing.without else {})


@click.group()
def user() -> None:
    """People who may sign in."""


_password_option = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Its first line is the password. Without it you are asked, or one is made and printed once.",
)


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@_password_option
@_standing_options
@config_option
def user_add(name: str, role: str, password_file: Path | None, config_path: Path, wish: "_Wish") -> None:
    """Add somebody. Without --commune and --site they see and act everywhere."""
    if not 1 <= len(name) <= 60 or any(char.isspace() for char in name):
        raise click.UsageError("NAME: must be 1–60 characters without spaces")
    config = load(config_path)
    password, password_hash, is_made = _password(password_file)
    with opened(config) as database, database.write() as connection:
        standing = wish.over(users.Standing())
        added = users.add_user(connection, name, password_hash, role, SystemClock().wall_ms(), standing)
        if added:
            _note(connection, "user", users.plain_name(name), did="add", role=role, **_in_words(standing))
    if not added:
        raise click.ClickException(f"user {name}: there is one of this name already")
    where = _in_words(standing)["where"]
    click.echo(f"{name} may sign in as {role}, {where}" + (f", with the password {password}" if is_made else ""))


@user.command("change")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="Another role; as it is without this.")
@_standing_options
@config_option
def user_change(name: str, role: str | None, config_path: Path, wish: "_Wish") -> None:
    """Give NAME another role, reach or rights, from their next click on; what is not named stays."""
    with opened(load(config_path)) as database, database.write() as connection:
        found = users.find_user(connection, name)
        if found is None:
            raise click.ClickException(f"user {name}: there is none of this name. See: collector user list")
        role, standing = role or found.role, wish.over(found.standing)
        users.change_user(connection, name, role, standing)
        _note(connection, "user", found.name, did="change", role=role, **_in_words(standing))
    click.echo(f"{found.name} is {role}, {_in_words(standing)['where']}")


@user.command("password")
@click.argument("name")
@_password_option
@config_option
def user_password(name: str, password_file: Path | None, config_path: Path) -> None:
    """Give NAME another password; every open session of theirs ends at once. Their tokens go on."""
    config = load(config_path)
    password, password_hash, is_made = _password(password_file)
    with opened(config) as database, database.write() as connection:
        if not users.set_password(connection, name, password_hash):
            raise click.ClickException(f"user {name}: there is none of this name. See: collector user list")
        _note(connection, "user", users.plain_name(name), did="password")
    click.echo(f"{name} has another password" + (f": {password}" if is_made else ""))


def _note(connection: Connection, thing: str, ref: str, **detail: str) -> None:
    note_by_hand(connection, "configure", thing=thing, ref=ref, detail=detail)


def _password(file: Path | None) -> tuple[str, str, bool]:
    """The password, its hash, and whether it was made here."""
    from collector.web.passwords import Passwords  # noqa: PLC0415

    password, is_made = _chosen_password(file)
    try:
        return password, Passwords().hash(password), is_made
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _chosen_password(file: Path | None) -> tuple[str, bool]:
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        return (lines[0] if lines else ""), False
    if sys.stdin.isatty():
        typed = getpass.getpass("Password (empty: make one): ")
        if typed:
            return typed, False
    return secrets.token_urlsafe(12), True


@user.command("list")
@config_option
def user_list(config_path: Path) -> None:
    """Everybody who may sign in."""
    with opened(load(config_path)) as database, database.read() as connection:
        people = users.all_users(connection)
    table = Table("name", "role", "where", "also", "without", "may sign in")
    for person in people:
        words = _in_words(person.standing)
        may = "yes" if person.disabled_ms is None else "no"
        table.add_row(person.name, person.role, words["where"], words.get("also"), words.get("without"), may)
    Console().print(table)


@user.command("disable")
@click.argument("name")
@config_option
def user_disable(name: str, config_path: Path) -> None:
    """NAME may no longer sign in; open sessions end at once."""
    with opened(load(config_path)) as database, database.write() as connection:
        if not users.disable_user(connection, name, SystemClock().wall_ms()):
            raise click.ClickException(f"user {name}: there is none of this name. See: collector user list")
        _note(connection, "user", users.plain_name(name), did="disable")
    click.echo(f"{name} may no longer sign in")


@click.group()
def token() -> None:
    """Keys by which programs use the API, each answered for by a user."""


@token.command("add")
@click.argument("name")
@click.option("--user", "owner", required=True, help="Who answers for it; disabling them ends it.")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--expires", help="For how long it holds: 90d. Without it, until it is removed.")
@config_option
def token_add(name: str, owner: str, role: str, expires: str | None, config_path: Path) -> None:
    """Make a token and print it, this once, for `Authorization: Bearer …`."""
    try:
        longest_ms = None if expires is None else round(parse_duration_s(expires) * 1000)
    except ValueError as error:
        raise click.UsageError(f"--expires: {error}") from None
    secret, now_ms = secrets.token_urlsafe(32), SystemClock().wall_ms()
    ends_ms = None if longest_ms is None else now_ms + longest_ms
    with opened(load(config_path)) as database, database.write() as connection:
        found = users.find_user(connection, owner)
        if found is None or found.disabled_ms is not None:
            raise click.ClickException(f"user {owner}: there is none who may sign in. See: collector user list")
        users.add_token(connection, secret, name, found.name, role, now_ms, ends_ms)
        _note(connection, "token", name, did="add", user=found.name, role=role)
    click.echo(secret)


@token.command("remove")
@click.argument("name")
@config_option
def token_remove(name: str, config_path: Path) -> None:
    """End every token of this name at once."""
    with opened(load(config_path)) as database, database.write() as connection:
        if not users.remove_token(connection, name):
            raise click.ClickException(f"token {name}: there is none of this name")
        _note(connection, "token", name, did="remove")
    click.echo(f"{name} is no longer taken")
