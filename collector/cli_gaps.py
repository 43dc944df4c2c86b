"""The command `gaps`: what is missing of each box, and when its cameras were not watched."""

import json
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click

from collector.cli_options import config_option, json_option, load, opened
from collector.fleet.completeness import Where
from collector.fleet.gaps import HOUR_MS
from collector.fleet.report import BoxReport, report_of
from collector.store.boxes import list_boxes
from collector.web.shapes import report_json
from vonggac.daemon.clock import SystemClock


@click.command()
@click.option("--box", "wanted", help="Only this box.")
@click.option("--hours", type=click.IntRange(1, 744), default=24, show_default=True, help="How far back.")
@json_option
@config_option
def gaps(wanted: str | None, hours: int, as_json: bool, config_path: Path) -> None:
    """Numbers and clips that are not here, and when boxes were silent or cameras not watched."""
    config, until_ms = load(config_path), SystemClock().wall_ms()
    with opened(config) as database, database.read() as connection:
        ids = [box.id for box in list_boxes(connection) if wanted in (None, box.id)]
        if wanted is not None and not ids:
            raise click.ClickException(f"box {wanted}: not registered. See: collector box list")
        reports = [report_of(connection, box, until_ms - hours * HOUR_MS, until_ms) for box in ids]
    for report in reports:
        if as_json:
            click.echo(json.dumps(report_json(report), ensure_ascii=False))
        else:
            _say(report, config.zone)


def _say(report: BoxReport, zone: tzinfo) -> None:
    known = report.completeness
    counts = ", ".join(
        f"{where.value.replace('_', ' ')}: {known.events(where)} events, {known.clips.get(where, 0)} clips"
        for where in Where
    )
    click.echo(f"{report.id}: {counts}")
    for each in known.missing:
        click.echo(f"  events {each.first_seq}-{each.last_seq} of {each.outbox}: {each.where.value.replace('_', ' ')}")
    for silence in report.silences:
        click.echo(f"  silent {_span(silence.from_ms, silence.until_ms, zone)}: {silence.kind}")
    for camera in report.cameras:
        for gap in camera.gaps:
            why = f" ({gap.reason})" if gap.reason else ""
            click.echo(f"  {camera.id} not watched {_span(gap.from_ms, gap.until_ms, zone)}: {gap.kind}{why}")


def _span(from_ms: int, until_ms: int, zone: tzinfo) -> str:
    began, ended = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone) for ms in (from_ms, until_ms))
    return f"{began:%d/%m/%Y %H:%M:%S} to {ended:%d/%m/%Y %H:%M:%S}"
