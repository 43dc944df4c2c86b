"""The command `edge-agent`. `--help` is the reference; errors say what, where and what to do; `--json` for scripts.

Exit codes: 0 well, 1 something failed, 78 the configuration is wrong.
"""

import json
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from edge_agent.aim.words import Language
from edge_agent.cli_detect import detect
from edge_agent.cli_discover import discover
from edge_agent.cli_erase import erase
from edge_agent.cli_options import DEFAULT_DATA, config_option, language_option, load
from edge_agent.cli_sheet import sheet
from edge_agent.cli_tune import tune
from edge_agent.cli_update import update
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.logs import configure_logs
from vonggac.daemon.program import refuse_config


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
@language_option()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def check(config_path: Path, language: Language, as_json: bool) -> None:
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


main.add_command(detect)
main.add_command(tune)
main.add_command(update)
main.add_command(discover)
main.add_command(sheet)
main.add_command(erase)


if __name__ == "__main__":
    sys.exit(main())
