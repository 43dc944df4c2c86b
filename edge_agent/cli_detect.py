"""The command `detect`: the agent's eyes over a recording."""

import json
from contextlib import ExitStack
from pathlib import Path

import click

from edge_agent.aim.words import Language
from edge_agent.cli_options import Failed, config_option, language_option, load, section_of
from edge_agent.vision.settings import MotionSettings


@click.command()
@click.argument("source")
@config_option(required_file=False)
@click.option("--camera", help="Take zones, masks and sensitivity of this camera in the configuration.")
@click.option("--night", is_flag=True, help="With the camera's settings of the night.")
@language_option()
@click.option("--json", "as_json", is_flag=True, help="A line for each episode, and a summary.")
@click.option(
    "--overlay",
    type=click.Path(path_type=Path),
    help="Write an MP4 with zones, masks, what moves and the detector's state drawn into it.",
)
@click.option(
    "--masks",
    type=click.Path(path_type=Path),
    help="Write a PNG for each picture into this folder, white where something moves; the time is in its name.",
)
@click.option("--all-frames", is_flag=True, help="Look at every frame, not only at those that the agent would.")
def detect(
    source: str,
    config_path: Path | None,
    camera: str | None,
    night: bool,
    language: Language,
    as_json: bool,
    overlay: Path | None,
    masks: Path | None,
    all_frames: bool,
) -> None:
    """Look at a recording with the agent's own reader and detector, as fast as it goes; say what alarms, and why.

    An overlay or masks show every frame, so every frame is looked at.
    """
    from edge_agent import detect_words as words  # noqa: PLC0415 - OpenCV and PyAV take a second to load
    from edge_agent import trouble_words as trouble  # noqa: PLC0415
    from edge_agent.camera.source import SourceAddress  # noqa: PLC0415
    from edge_agent.camera.unavailable import CameraUnavailable  # noqa: PLC0415
    from edge_agent.detect import Judged  # noqa: PLC0415
    from edge_agent.detect import detect as look_through  # noqa: PLC0415
    from edge_agent.detect_pictures import OverlayOfJudged, write_mask  # noqa: PLC0415
    from edge_agent.vision.episodes import EpisodeEnded  # noqa: PLC0415
    from edge_agent.vision.tamper import TamperEvent  # noqa: PLC0415

    if (config_path is None) != (camera is None):
        raise click.UsageError(trouble.tell("pair", language))
    settings = MotionSettings()
    if config_path is not None:
        settings = section_of(load(config_path), str(camera), language).motion.settings(at_night=night)
    try:
        address = SourceAddress.parse(source)
    except ValueError as error:
        raise Failed(trouble.tell("source", language, text=error), language) from None
    if overlay is not None and overlay.exists() and overlay.samefile(address.target):
        raise click.UsageError(trouble.tell("itself", language, where=overlay))

    told = 0

    def on_episode(episode: EpisodeEnded) -> None:
        nonlocal told
        told += 1
        if as_json:
            click.echo(json.dumps(words.episode_json(episode), ensure_ascii=False))
        else:
            click.echo(words.tell_episode(told, episode, language))

    def on_tamper(event: TamperEvent) -> None:
        click.echo(json.dumps(words.tamper_json(event)) if as_json else words.tell_tamper(event, language))

    drawing = OverlayOfJudged(overlay, settings, language) if overlay is not None else None

    def on_picture(judged: Judged) -> None:
        if judged.number == 0 and not as_json:
            click.echo(words.tell_settings(settings, language))
        if drawing is not None:
            drawing.show(judged)
        if masks is not None:
            write_mask(masks, judged)

    try:
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            if drawing is not None:
                stack.callback(drawing.close)
            summary = look_through(
                address, settings, on_episode, on_tamper, on_picture, all_frames=all_frames or bool(overlay or masks)
            )
    except CameraUnavailable as error:
        raise Failed(trouble.tell_unavailable(error, address, language), language) from None
    except OSError as error:
        raise Failed(trouble.tell_unwritable(error, language), language) from None
    if as_json:
        click.echo(json.dumps(words.summary_json(summary), ensure_ascii=False))
    else:
        click.echo(words.tell_summary(summary, address, language))
