"""The command `box watch`: follows a new box until it is accepted, and takes the bundle's secrets away on the way."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click

from collector.cli_options import config_option, load, opened
from collector.config import CollectorConfig
from collector.fleet.arrival import BEARABLE, Arrived, Step, steps_done, steps_of
from collector.store import boxes, fleet, identities
from collector.store.database import Connection, Database
from vonggac.daemon.bundles import BundleUnusable, facts_of, read_bundle, scrub
from vonggac.daemon.quantities import parse_duration_s

Language = Literal["vi", "en"]
LOOK_EVERY_S = 1.0
language_option = click.option("--lang", "language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)
bundle_option = click.option("--bundle", type=click.Path(path_type=Path), help="Without it: ID.bundle in this folder.")

WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "enrolled": "hộp đã đăng ký, có chứng chỉ",
        "heartbeat": "nhịp báo đầu tiên",
        "picture": "hình đầu tiên của camera {camera}",
        "accepted": "đạt: hộp và mọi camera hoạt động tốt",
        "waiting": "Đang chờ: {steps}",
        "over": "Chưa xong sau {time}. Còn thiếu: {steps}",
        "enrolled?": "hộp có điện, có mạng, tới được máy chủ cổng {port} không?",
        "heartbeat?": "hộp có tới được cổng {broker_port} của máy chủ không?",
        "picture?": "camera có điện không, địa chỉ và mật khẩu đúng không? Trên hộp: edge-agent check",
        "accepted?": "xem: {ails}",
        "remark": "lưu ý: {remarks}",
        "scrubbed": "Đã xóa mã và mật khẩu trong {bundle}",
    },
    "en": {
        "enrolled": "the box is enrolled and has its certificate",
        "heartbeat": "first heartbeat",
        "picture": "first picture of camera {camera}",
        "accepted": "accepted: the box and all its cameras work",
        "waiting": "Waiting for: {steps}",
        "over": "Not done after {time}. Missing: {steps}",
        "enrolled?": "has the box power and a network, and does it reach the server's port {port}?",
        "heartbeat?": "does the box reach the server's port {broker_port}?",
        "picture?": "has the camera power, are its address and password right? On the box: edge-agent check",
        "accepted?": "see: {ails}",
        "remark": "but: {remarks}",
        "scrubbed": "Token and passwords were removed from {bundle}",
    },
}


@click.command("watch")
@click.argument("box_id", metavar="ID")
@bundle_option
@click.option("--for", "span", help="Give up after this long: 30m. Without it, wait until it is accepted.")
@language_option
@config_option
def watch(box_id: str, bundle: Path | None, span: str | None, language: Language, config_path: Path) -> None:
    """Follow a new box: enrolled, first heartbeat, first picture of each camera, accepted. Exit 0 once it is."""
    try:
        longest_s = None if span is None else parse_duration_s(span)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from None
    follow(load(config_path), box_id, bundle or Path(f"{box_id}.bundle"), language, longest_s)


def follow(config: CollectorConfig, box_id: str, bundle: Path, language: Language, longest_s: float | None) -> None:
    words, began = WORDS[language], time.monotonic()
    with opened(config) as database:
        since_ms, cameras = _expected(database, box_id, bundle)
        steps = steps_of(cameras)
        told: list[Step] = []

        def tell(text: str) -> None:
            click.echo(f"{time.strftime('%H:%M:%S')}  {text}")

        tell(words["waiting"].format(steps=", ".join(_named(step, words) for step in steps)))
        while len(told) < len(steps):
            with database.read() as connection:
                heard = hear(connection, box_id, since_ms)
            for step in steps_done(steps, heard):
                if step not in told:
                    told.append(step)
                    tell(_named(step, words))
                    if step.kind == "accepted" and heard.remarks:
                        tell(words["remark"].format(remarks=", ".join(heard.remarks)))
                    if step.kind == "enrolled":
                        _forget_secrets(bundle, lambda: tell(words["scrubbed"].format(bundle=bundle)))
            if longest_s is not None and time.monotonic() - began > longest_s and len(told) < len(steps):
                missing = [step for step in steps if step not in told]
                tell(
                    words["over"].format(time=f"{longest_s:.0f} s", steps=", ".join(_named(s, words) for s in missing))
                )
                port = 0 if config.identity is None else config.identity.listen[1]
                told_of = {"port": port, "broker_port": config.broker_port_of_boxes, "ails": ", ".join(heard.ails)}
                raise click.ClickException(words[f"{missing[0].kind}?"].format(**told_of))
            if len(told) < len(steps):
                time.sleep(LOOK_EVERY_S)


def _named(step: Step, words: dict[str, str]) -> str:
    return words[step.kind].format(camera=step.camera)


def _expected(database: Database, box_id: str, bundle: Path) -> tuple[int, list[str]]:
    """Since when the box is awaited, and the cameras it was given; without its bundle, those it has told."""
    with database.read() as connection:
        if not boxes.is_registered(connection, box_id):
            raise click.ClickException(f"box {box_id} is not registered. See: collector box list")
        known = [each.name for each in fleet.cameras_heard(connection) if each.box == box_id and each.configured]
    if not bundle.exists():
        return 0, known
    try:
        facts = facts_of(bundle)
    except BundleUnusable as error:
        raise click.ClickException(str(error)) from None
    return facts.made_ms, [camera.name for camera in facts.cameras]


def hear(connection: Connection, box_id: str, since_ms: int) -> Arrived:
    """What the database says of the box."""
    (box,) = [each for each in fleet.boxes_heard(connection) if each.id == box_id]
    told = (box.heartbeat or {}).get("cameras", ())
    standings = fleet.standings(connection)
    refs = [("box", box_id), *(("camera", f"{box_id}/{camera['name']}") for camera in told)]
    ails: list[str] = []
    remarks: list[str] = []
    for kind, ref in refs:
        standing = standings.get((kind, ref))
        if standing is None or standing.state != "up":
            state = "new" if standing is None else " ".join([standing.state, *standing.reasons])
            is_bearable = (
                standing is not None and standing.state == "degraded" and BEARABLE.issuperset(standing.reasons)
            )
            (remarks if is_bearable else ails).append(f"{ref} {state}")
    return Arrived(
        enrolled_ms=identities.enrolled_ms(connection, box_id, since_ms),
        heartbeat_ms=box.heartbeat_ms,
        pictures=frozenset(camera["name"] for camera in told if camera.get("last_frame_age_ms") is not None),
        ails=tuple(ails),
        remarks=tuple(remarks),
    )


def _forget_secrets(bundle: Path, tell: Callable[[], None]) -> None:
    """The token is burnt; what the bundle still holds are passwords that nobody needs any more."""
    try:
        read_bundle(bundle)
    except BundleUnusable:
        return
    try:
        scrub(bundle)
    except OSError:
        return
    tell()
