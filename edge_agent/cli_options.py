"""What every command of the agent begins with: its configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_agent.config import EdgeConfig, load_edge_config
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.program import refuse_config

DEFAULT_CONFIG = Path("/etc/vonggac/edge.yaml")
DEFAULT_DATA = Path("/var/lib/vonggac-agent")
Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(*, required_file: bool = True) -> Callable[[Command], Command]:
    """`--config`."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_CONFIG if required_file else None,
        show_default=required_file,
        help="The agent's configuration file.",
    )


def load(path: Path) -> EdgeConfig:
    """The configuration; a wrong one ends the program with 78."""
    try:
        return load_edge_config(path)
    except ConfigInvalid as error:
        refuse_config(error)
