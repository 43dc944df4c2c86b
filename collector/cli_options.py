"""What every command of the collector begins with: its options, its configuration, its database, its plain errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from collector.backup import CannotCopy
from collector.config import CollectorConfig, load_collector_config
from collector.restore import refuse_half_restored
from collector.store.database import Database, open_database
from collector.store.errors import StoreUnavailable, StoreUnusable
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.program import refuse_config

DEFAULT_CONFIG = Path("/etc/vonggac/collector.yaml")
Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """`--config`."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_CONFIG,
        show_default=True,
        help="The collector's configuration file.",
    )(command)


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")(command)


def load(path: Path) -> CollectorConfig:
    """The configuration; a wrong one ends the program with 78."""
    try:
        return load_collector_config(path)
    except ConfigInvalid as error:
        refuse_config(error)


@contextmanager
def plainly() -> Iterator[None]:
    """What a person has to mend, in one line."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    except CannotCopy as error:
        raise click.ClickException(str(error)) from None
    except (StoreUnavailable, StoreUnusable) as error:
        raise click.ClickException(f"database: {error}") from None


@contextmanager
def opened(config: CollectorConfig) -> Iterator[Database]:
    """The database, for as long as the command works."""
    with plainly():
        config.data.mkdir(parents=True, exist_ok=True)
        refuse_half_restored(config.data)
        database = open_database(config.database_url)
        try:
            yield database
        finally:
            database.close()
