"""The command `tune`: what would alarm, and what would help."""

import json
import os
from pathlib import Path

import click

from edge_agent.aim.words import Language
from edge_agent.cli_options import Failed, config_option, language_option, load, section_of
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.program import refuse_config
from vonggac.daemon.quantities import parse_duration_s

_LONGEST_S = 7200


@click.command()
@click.argument("camera")
@config_option()
@click.option("--for", "span", default="10m", show_default=True, help="How long to watch; two hours at most.")
@click.option("--source", help="Watch this recording in place of the camera, with the camera's settings.")
@click.option("--night", is_flag=True, help="With the settings of the night.")
@language_option()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw alarms and proposals: a .jpg.")
def tune(
    camera: str,
    config_path: Path,
    span: str,
    source: str | None,
    night: bool,
    language: Language,
    as_json: bool,
    picture: Path | None,
) -> None:
    """Watch a camera for a while; say what would alarm, and which mask, zone or sensitivity would help."""
    config = load(config_path)
    section = section_of(config, camera, language)
    try:
        seconds = parse_duration_s(span)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from None
    if not 1 <= seconds <= _LONGEST_S:
        raise click.UsageError(f"--for {span}: {'từ 1s đến 2h' if language == 'vi' else 'from 1s to 2h'}")
    from edge_agent import trouble_words as trouble  # noqa: PLC0415 - OpenCV and PyAV take a second to load
    from edge_agent.camera.source import SourceAddress  # noqa: PLC0415
    from edge_agent.camera.unavailable import CameraUnavailable  # noqa: PLC0415
    from edge_agent.tune import draw_findings  # noqa: PLC0415
    from edge_agent.tune import tune as watch_and_tune  # noqa: PLC0415
    from edge_agent.tune_words import as_json as told_as_json  # noqa: PLC0415
    from edge_agent.tune_words import legend, tell  # noqa: PLC0415

    if picture is not None and picture.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise click.UsageError(trouble.tell("suffix", language, where=picture))
    settings = section.motion.settings(at_night=night)
    try:
        if picture is not None:
            _try_to_write(picture)  # to be told after ten minutes of watching would be late
        address = SourceAddress.parse(source) if source else section.address(section.sub or section.source)
    except ConfigInvalid as error:
        refuse_config(error)
    except ValueError as error:
        raise Failed(trouble.tell("source", language, text=error), language) from None
    except OSError as error:
        raise Failed(trouble.tell_unwritable(error, language), language) from None
    try:
        findings = watch_and_tune(address, settings, seconds)
    except CameraUnavailable as error:
        raise Failed(trouble.tell_unavailable(error, address, language), language) from None
    said = told_as_json(findings, language)
    click.echo(json.dumps(said, ensure_ascii=False) if as_json else tell(findings, address, language))
    try:
        if picture is not None:
            draw_findings(findings, settings, picture, legend(language))
    except OSError as error:
        raise Failed(trouble.tell_unwritable(error, language), language) from None


def _try_to_write(path: Path) -> None:
    """Leaves what is there. Raises OSError."""
    existed = path.exists()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
    if not existed:
        path.unlink()
