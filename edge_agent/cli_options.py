"""What the commands of the agent begin with: configuration, camera, language."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from edge_agent.aim.words import Language
from edge_agent.config import CameraSection, EdgeConfig, load_edge_config
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


def language_option() -> Callable[[Command], Command]:
    """`--lang`: Vietnamese unless asked otherwise."""
    return click.option("--lang", "language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)


def section_of(config: EdgeConfig, name: str, language: Language) -> CameraSection:
    """The camera of that name; another one ends the program with 2."""
    for camera in config.cameras:
        if camera.name == name:
            return camera
    known = ", ".join(camera.name for camera in config.cameras)
    if language == "vi":
        raise click.UsageError(f"trong cấu hình không có camera {name!r}; có: {known}")
    raise click.UsageError(f"no camera {name!r} in the configuration; there are: {known}")


class Failed(click.ClickException):
    """Ends the command with 1 and a sentence in the language that was chosen."""

    def __init__(self, message: str, language: Language) -> None:
        super().__init__(message)
        self._language = language

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to standard error."""
        click.echo(f"{'Lỗi' if self._language == 'vi' else 'Error'}: {self.message}", file=file, err=file is None)


def load(path: Path) -> EdgeConfig:
    """The configuration; a wrong one ends the program with 78."""
    try:
        return load_edge_config(path)
    except ConfigInvalid as error:
        refuse_config(error)
