"""The command `sheet`: the hand-over sheet for the installer's folder."""

from pathlib import Path

import click

from edge_agent.aim.words import Language
from edge_agent.cli_options import config_option, language_option, load
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import write_durably


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.html")
@config_option()
@language_option()
def sheet(target: Path, config_path: Path, language: Language) -> None:
    """Check everything and write the hand-over sheet FILE.html, signed by this box: pictures, zones, speed. Exit 0, 1.

    Whoever has the file sees into the household: keep it as the contract says. A browser prints it or makes a PDF.
    """
    config = load(config_path)
    from edge_agent.agent import check_agent  # noqa: PLC0415
    from edge_agent.aim.sheet import Facts, local_now, make_sheet  # noqa: PLC0415
    from edge_agent.check import Finding, StreamLook  # noqa: PLC0415
    from edge_agent.identity.credentials import open_credentials  # noqa: PLC0415
    from vonggac.daemon.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    try:
        identity = open_credentials(config, clock).identity
        if identity is None:
            raise click.ClickException("this box has no `identity`, so no key to sign with. See edge-agent enrol")
        key = identity.signing_key()
    except ConfigInvalid as error:
        raise click.ClickException(str(error)) from None
    told = list(check_agent(config, language))
    findings = [each for each in told if isinstance(each, Finding)]
    looks = [each for each in told if isinstance(each, StreamLook)]
    facts = Facts(config, findings, looks, local_now(config.time_zone, clock.wall_ms()))
    try:
        write_durably(target, make_sheet(facts, key, language))
    except OSError as error:
        raise click.ClickException(f"{target}: {error.strerror}") from None
    for finding in findings:
        if not finding.ok:
            click.echo(f"{finding.part}: {finding.say(language)}", err=True)
    click.echo(f"{target}")
    raise SystemExit(0 if all(finding.ok for finding in findings) else 1)
