"""The command `edge-agent`. `--help` is the reference; errors say what, where and what to do; `--json` for scripts.

Exit codes: 0 well, 1 something failed, 78 the configuration is wrong.
"""

import json
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.table import Table

from edge_agent.cli_discover import discover
from edge_agent.cli_erase import erase
from edge_agent.cli_options import DEFAULT_DATA, config_option, load
from edge_agent.cli_sheet import sheet
from edge_agent.cli_update import update
from edge_agent.config import CameraSection, EdgeConfig
from edge_agent.vision.settings import MotionSettings
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.logs import configure_logs
from vonggac.daemon.program import refuse_config
from vonggac.daemon.quantities import parse_duration_s

_LONGEST_TUNE_S = 7200


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("vonggac"), prog_name="edge-agent")
def main() -> None:
    """The agent on the box beside the camera: sees motion, keeps clips, hands them to the collector."""
    configure_logs("error")


@main.command()
@config_option()
def run(config_path: Path) -> None:
    """Run the agent until it is told to stop."""
    config = load(config_path)
    from edge_agent.agent import run_agent  # noqa: PLC0415 - OpenCV and PyAV take a second to load

    try:
        code = run_agent(config)
    except ConfigInvalid as error:
        refuse_config(error)
    raise SystemExit(code)


@main.command()
@config_option()
@click.option("--lang", "language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def check(config_path: Path, language: Literal["vi", "en"], as_json: bool) -> None:
    """Try configuration, disk, clock, power, broker, collector, cameras, line: a line each. Exit 0, 1 or 78."""
    config = load(config_path)
    from edge_agent.agent import check_agent  # noqa: PLC0415
    from edge_agent.aim.words import part_of  # noqa: PLC0415
    from edge_agent.check import Finding  # noqa: PLC0415

    well = True
    marks = {"vi": ("được ", "SAI  ", "nên  "), "en": ("ok   ", "WRONG", "note ")}[language]
    if not as_json:
        click.echo(f"{marks[0]} {'cấu hình' if language == 'vi' else 'configuration'}: {config_path}")
    for finding in check_agent(config, language):
        if not isinstance(finding, Finding):
            continue
        well = well and finding.ok
        text = finding.say(language)
        if as_json:
            line = {"part": finding.part, "ok": finding.ok, "advice": finding.is_advice, "text": text}
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            mark = marks[2] if finding.is_advice else marks[0] if finding.ok else marks[1]
            click.echo(f"{mark} {part_of(finding.part, language)}: {text}")
    raise SystemExit(0 if well else 1)


@main.command()
@click.argument("source")
@config_option(required_file=False)
@click.option("--camera", help="Take zones and sensitivity of this camera in the configuration.")
@click.option("--json", "as_json", is_flag=True, help="A line for each episode, and a summary.")
@click.option("--overlay", type=click.Path(path_type=Path), help="Write an MP4 with what was seen drawn into it.")
@click.option("--masks", type=click.Path(path_type=Path, file_okay=False), help="Write a PNG for each frame here.")
@click.option("--all-frames", is_flag=True, help="Look at every frame, not only at those that the agent would.")
def detect(
    source: str,
    config_path: Path | None,
    camera: str | None,
    as_json: bool,
    overlay: Path | None,
    masks: Path | None,
    all_frames: bool,
) -> None:
    """Look at a recording with the agent's own reader and detector, as fast as it goes: for tuning.

    An overlay or masks show every frame, so every frame is looked at.
    """
    if (config_path is None) != (camera is None):
        raise click.UsageError("--config and --camera go together")
    settings = MotionSettings() if config_path is None else _settings_of(load(config_path), str(camera))
    from edge_agent.camera.source import SourceAddress  # noqa: PLC0415
    from edge_agent.camera.unavailable import CameraUnavailable  # noqa: PLC0415
    from edge_agent.detect import detect as look_through  # noqa: PLC0415
    from edge_agent.recording.overlay import OverlayWriter  # noqa: PLC0415
    from edge_agent.vision.episodes import DEMOTED, EpisodeEnded  # noqa: PLC0415
    from edge_agent.vision.tamper import TamperEvent, TamperStarted  # noqa: PLC0415

    table = Table("start", "end", "score", "zones", "box")

    def tell(episode: EpisodeEnded) -> None:
        if as_json:
            click.echo(json.dumps(_episode_line(episode), ensure_ascii=False))
        else:
            line = _episode_line(episode)
            box = " ".join(f"{share:.2f}" for share in line["box"])
            zones = ", ".join(line["zones"]) or "-"
            if episode.kind == DEMOTED:
                zones += " (recorded, not told)"
            table.add_row(f"{line['start_s']:.1f} s", f"{line['end_s']:.1f} s", f"{line['score']:.2f}", zones, box)

    def tell_tamper(event: TamperEvent) -> None:
        begins = isinstance(event, TamperStarted)
        at_s = round((event.since_ms if isinstance(event, TamperStarted) else event.end_ms) / 1000, 3)
        if as_json:
            click.echo(json.dumps({"tamper": {"kind": event.kind, "active": begins, "since_s": at_s}}))
        else:
            click.echo(f"{at_s:.1f} s: picture {event.kind}{'' if begins else ' no more'}")

    writer = OverlayWriter(overlay, [(z.name, z.polygon) for z in settings.zones], settings.masks) if overlay else None
    try:
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
        summary = look_through(
            SourceAddress.parse(source),
            settings,
            tell,
            writer,
            masks,
            all_frames or bool(overlay or masks),
            tell_tamper,
        )
    except (ValueError, CameraUnavailable, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        if writer is not None:
            writer.close()
    if as_json:
        figures = {
            "duration_s": round(summary.duration_s, 3),
            "frames": summary.frames,
            "decoded": summary.decoded,
            "looked": summary.looked,
            "cpu_s": round(summary.cpu_s, 3),
            "episodes": summary.episodes,
        }
        click.echo(json.dumps({"summary": figures}))
        return
    if summary.episodes:
        Console().print(table)
    click.echo(
        f"{summary.episodes} episodes in {summary.duration_s:.1f} s of video; "
        f"{summary.looked} of {summary.frames} frames looked at ({summary.decoded} decoded), {summary.cpu_s:.1f} s CPU"
    )


@main.command()
@click.argument("camera")
@config_option()
@click.option("--for", "span", default="10m", show_default=True, help="How long to watch; two hours at most.")
@click.option("--source", help="Watch this recording in place of the camera, with the camera's settings.")
@click.option("--night", is_flag=True, help="With the settings of the night.")
@click.option("--lang", "language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Draw alarms and proposals: a .jpg.")
def tune(
    camera: str,
    config_path: Path,
    span: str,
    source: str | None,
    night: bool,
    language: Literal["vi", "en"],
    as_json: bool,
    picture: Path | None,
) -> None:
    """Watch a camera for a while; say what would alarm, and which mask, zone or sensitivity would help."""
    config = load(config_path)
    section = _section_of(config, camera)
    try:
        seconds = parse_duration_s(span)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from None
    if not 1 <= seconds <= _LONGEST_TUNE_S:
        raise click.UsageError(f"--for {span}: from 1s to 2h")
    from edge_agent.camera.source import SourceAddress  # noqa: PLC0415
    from edge_agent.camera.unavailable import CameraUnavailable  # noqa: PLC0415
    from edge_agent.tune import draw_findings  # noqa: PLC0415
    from edge_agent.tune import tune as watch_and_tune  # noqa: PLC0415
    from edge_agent.tune_words import as_json as told_as_json  # noqa: PLC0415
    from edge_agent.tune_words import tell  # noqa: PLC0415

    settings = section.motion.settings(at_night=night)
    try:
        address = SourceAddress.parse(source) if source else section.address(section.sub or section.source)
        findings = watch_and_tune(address, settings, seconds)
        if picture is not None:
            draw_findings(findings, settings, picture)
    except ConfigInvalid as error:
        refuse_config(error)
    except (ValueError, CameraUnavailable, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(json.dumps(told_as_json(findings), ensure_ascii=False) if as_json else tell(findings, language))


def _settings_of(config: EdgeConfig, name: str) -> MotionSettings:
    return _section_of(config, name).motion.settings()


def _section_of(config: EdgeConfig, name: str) -> CameraSection:
    for camera in config.cameras:
        if camera.name == name:
            return camera
    known = ", ".join(camera.name for camera in config.cameras)
    raise click.UsageError(f"no camera {name!r} in the configuration; there are: {known}")


def _episode_line(episode: Any) -> dict[str, Any]:
    return {
        "start_s": round(episode.start_ms / 1000, 3),
        "end_s": round(episode.end_ms / 1000, 3),
        "box": [round(share, 4) for share in episode.box],
        "zones": list(episode.zones),
        "score": round(episode.score, 3),
        "kind": episode.kind,
    }


@main.command()
@config_option()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def outbox(config_path: Path, as_json: bool) -> None:
    """What waits on this box for the collector's receipt."""
    config = load(config_path)
    from edge_agent.outbox.inspect import read_parked, read_stats  # noqa: PLC0415

    try:
        stats, parked = read_stats(config.data), read_parked(config.data)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps({**vars(stats), "parked_items": [asdict(item) for item in parked]}, ensure_ascii=False))
        return
    table = Table("waiting", "count", title=f"outbox {stats.outbox}, newest number {stats.last_seq}")
    for name in ("events", "snapshots", "clips", "clip_bytes", "parked"):
        table.add_row(name.replace("_", " "), str(getattr(stats, name)))
    Console().print(table)
    for item in parked:
        click.echo(f"parked {item.kind} {item.key}, {item.size_bytes} bytes: {item.reason}")
    if parked:
        click.echo(f"Once the reason is mended, on the server: collector box tell {config.box} retry")


@main.command()
@config_option()
@click.option("--deep", is_flag=True, help="Read every clip and compare its hash.")
@click.option("--repair", is_flag=True, help="Mend what is provably safe. The agent must not run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")
def fsck(config_path: Path, deep: bool, repair: bool, as_json: bool) -> None:
    """Check that everything on this box is as promised. Exit 1 when something is not."""
    config = load(config_path)
    from edge_agent.outbox.errors import OutboxInUse  # noqa: PLC0415
    from edge_agent.outbox.fsck import check_outbox  # noqa: PLC0415

    try:
        findings = check_outbox(config.data, deep=deep, repair=repair)
    except OutboxInUse as error:
        raise click.ClickException(str(error)) from None
    for finding in findings:
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
            continue
        word = "note" if finding.note else "mended" if finding.repaired else "WRONG"
        advice = "" if finding.repaired else f": {finding.advice}"
        click.echo(f"{word:<6} invariant {finding.invariant}: {finding.what}: {finding.where}{advice}")
    still_open = sum(finding.is_open for finding in findings)
    if not as_json:
        click.echo(f"{len(findings)} findings, {still_open} open, in {config.data}")
    raise SystemExit(1 if still_open else 0)


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@config_option()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    show_default=True,
    help="The agent's data folder; keys and passwords go there.",
)
@click.option("--authority", help="The authority's SHA-256 as `collector box add` printed it; another one is refused.")
@click.option(
    "--card",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The boot partition of a flashed card: its first-boot files and the Wi-Fi password on it go as well.",
)
def enrol(bundle: Path, config_path: Path, data: Path, authority: str | None, card: Path | None) -> None:
    """Make this box's keys, get its certificate with the BUNDLE's token, write its configuration. Once for each box."""
    from edge_agent.identity import exchange  # noqa: PLC0415
    from edge_agent.identity.card import scrub_card  # noqa: PLC0415
    from edge_agent.identity.enrol import enrol as enrol_box  # noqa: PLC0415
    from edge_agent.identity.enrol import was_enrolled_with  # noqa: PLC0415
    from vonggac.daemon.bundles import BundleUnusable, facts_of, read_bundle, scrub  # noqa: PLC0415
    from vonggac.daemon.clock import SystemClock  # noqa: PLC0415

    try:
        if was_enrolled_with(facts_of(bundle), data):
            click.echo(f"{data}: enrolled with this bundle already; what is secret in it goes now")
        else:
            read = read_bundle(bundle)
            read.expect_authority(authority)
            existed = config_path.exists()
            identity = enrol_box(read, data.resolve(), config_path, SystemClock())
            click.echo(
                f"{identity.facts.box} is enrolled with {identity.facts.url}; its keys stand in {identity.folder}"
            )
            click.echo(f"Authority: {read.fingerprint}")
            for key in read.release_keys:
                click.echo(f"Release key, pinned: {key}")
            click.echo(f"{config_path}: {'was there and is left as it is' if existed else 'written'}")
    except (BundleUnusable, exchange.AnswerRefused, exchange.NoAnswer, ConfigInvalid) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    try:
        scrub(bundle)
        if card is not None:
            scrub_card(card)
        click.echo(f"Token and passwords were removed from {card or bundle}")
    except OSError as error:
        click.echo(
            f"{card or bundle}: secrets could not be removed ({error.strerror}): destroy it. The token is burnt",
            err=True,
        )


main.add_command(update)
main.add_command(discover)
main.add_command(sheet)
main.add_command(erase)


if __name__ == "__main__":
    sys.exit(main())
