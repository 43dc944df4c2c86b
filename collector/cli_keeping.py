"""The commands `fsck`, `prune`, `hold`, `release`, `backup` and `restore`: what is kept is whole, not too much, not too
short, and there twice."""

import json
from pathlib import Path

import click

from collector.backup import back_up
from collector.cli_audit import note_by_hand
from collector.cli_options import config_option, json_option, load, opened, plainly
from collector.locks import running_parts
from collector.restore import restore
from collector.store import clips
from collector.store.copying import database_file
from collector.store.live import note_change
from vonggac.daemon.clock import SystemClock


@click.command()
@json_option
@click.option("--deep", is_flag=True, help="Read every clip and snapshot and compare its SHA-256.")
@click.option("--repair", is_flag=True, help="Mend what can be mended without losing anything.")
@config_option
def fsck(as_json: bool, deep: bool, repair: bool, config_path: Path) -> None:
    """Check database and files against each other, also while the collector runs. Exit 1 when something is wrong."""
    from collector.fsck import check  # noqa: PLC0415

    config = load(config_path)
    wrong = 0
    with opened(config) as database:
        running, now_ms = running_parts(config.data), SystemClock().wall_ms()
        for finding in check(database, config.data, now_ms, deep=deep, repair=repair, running=running):
            wrong += finding.is_wrong
            if as_json:
                click.echo(json.dumps(vars(finding), ensure_ascii=False))
            else:
                click.echo(f"{'WRONG' if finding.is_wrong else 'note '} {finding.kind}: {finding.text}")
    if not as_json:
        click.echo("all is well" if not wrong else f"{wrong} things are wrong")
    raise SystemExit(1 if wrong else 0)


@click.command()
@config_option
def prune(config_path: Path) -> None:
    """Delete now what is over the limits of `retention`."""
    from collector.ingest.clip_store import ClipStore  # noqa: PLC0415
    from collector.retention import Retention  # noqa: PLC0415

    config = load(config_path)
    clock = SystemClock()
    with opened(config) as database:
        clip_store = ClipStore(database, config.data, clock, lambda _box, _sha256: None)
        pruned = Retention(database, clip_store, config.data, config.retention.limits(), clock).prune()
        deleted = {name: count for name, count in vars(pruned).items() if count}
        if deleted:
            with database.write() as connection:
                note_by_hand(connection, "delete", thing="retention", detail=deleted)
    click.echo(json.dumps(vars(pruned)))


@click.command()
@click.argument("ref")
@click.option("--reason", required=True, help="Who wants it kept, and what for; it stands in the audit log.")
@config_option
def hold(ref: str, reason: str, config_path: Path) -> None:
    """Put REF under legal hold: a clip, or all clips of an episode or incident. Nothing deletes them until released."""
    _hold(ref, reason, config_path, held=True)


@click.command()
@click.argument("ref")
@click.option("--reason", required=True, help="Why it need not be kept any more; it stands in the audit log.")
@config_option
def release(ref: str, reason: str, config_path: Path) -> None:
    """End the legal hold of REF: a clip, or all clips of an episode or incident. Retention may delete them then."""
    _hold(ref, reason, config_path, held=False)


def _hold(ref: str, reason: str, config_path: Path, *, held: bool) -> None:
    with opened(load(config_path)) as database, database.write() as connection:
        changed = clips.set_held(connection, ref, held)
        for clip in changed:
            detail = {"reason": reason, "did": "hold" if held else "release"}
            note_by_hand(connection, "hold", thing="clip", ref=clip, detail=detail)
            note_change(connection, "clip", clip, SystemClock().wall_ms())
    if not changed:
        free = "free" if held else "held"
        raise click.ClickException(f"{ref}: no clip, episode or incident with a {free} clip. See: collector clips")
    for clip in changed:
        click.echo(f"clip {clip} is {'under legal hold' if held else 'released'}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
@config_option
def backup(folder: Path, as_json: bool, config_path: Path) -> None:
    """Bring a backup in FOLDER up to now, also while the collector runs. Exit 1 when files are not what they were."""
    config = load(config_path)
    with opened(config) as database:
        done = back_up(database, database_file(config.database_url), config.data, folder, SystemClock())
    if as_json:
        click.echo(json.dumps(vars(done), ensure_ascii=False))
    else:
        for path in done.broken:
            click.echo(f"WRONG {path} is gone or not what it was: it is not in the backup")
        click.echo(
            f"{folder}: {done.files} files of {done.bytes} bytes; {done.linked} linked and {done.copied} copied now, "
            f"{done.kept} were there, {done.removed} are no longer needed"
        )
    raise SystemExit(1 if done.broken else 0)


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@json_option
@config_option
def restore_command(folder: Path, as_json: bool, config_path: Path) -> None:
    """Fill the empty data folder from the backup in FOLDER. Exit 1 when the backup does not have every file whole."""
    config = load(config_path)
    with plainly():
        done = restore(folder, database_file(config.database_url), config.data)
    if as_json:
        click.echo(json.dumps(vars(done), ensure_ascii=False))
    else:
        for path in done.lost:
            click.echo(f"WRONG {path} is not whole in the backup: its row is given up")
        click.echo(
            f"{config.data}: {done.files} files of {done.bytes} bytes, as of {done.made}. What boxes sent after that "
            "is not here: it will show as missing. Do: collector fsck"
        )
    raise SystemExit(1 if done.lost else 0)
