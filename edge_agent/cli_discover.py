"""The command `discover`: which cameras are here, their streams, and where one went whose address has changed."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from edge_agent.cli_options import DEFAULT_CONFIG, load
from vonggac.daemon.config import read_secret

if TYPE_CHECKING:
    from edge_agent.aim.onvif import Device

Language = Literal["vi", "en"]
_WORDS = {
    "vi": {
        "nobody": "Không có camera nào trả lời. Kiểm tra dây mạng, nguồn, và bật ONVIF trong cài đặt camera.",
        "login": "cần tên và mật khẩu ONVIF: thêm --user TÊN",
        "serial": "số máy",
        "key": "khung khóa mỗi {n} hình",
        "moved": "Camera {camera} (số máy {serial}) đã đổi địa chỉ: {old} → {new}",
        "mend": "Ghi địa chỉ mới vào cấu hình: thêm --mend",
        "mended": "Đã ghi địa chỉ mới vào {path}. Khởi động lại agent: systemctl restart vonggac-agent",
        "lost": "Camera {camera}: không thấy số máy của nó trong mạng này",
        "paste": "Chép vào mục cameras của cấu hình:",
    },
    "en": {
        "nobody": "No camera answers. Check cable and power, and switch ONVIF on in the camera's settings.",
        "login": "asks for its ONVIF user and password: add --user NAME",
        "serial": "serial",
        "key": "a key frame every {n} frames",
        "moved": "Camera {camera} (serial {serial}) has another address: {old} → {new}",
        "mend": "To write the new address into the configuration: add --mend",
        "mended": "The new address stands in {path}. Restart the agent: systemctl restart vonggac-agent",
        "lost": "Camera {camera}: its serial does not answer in this network",
        "paste": "For the cameras in the configuration:",
    },
}


@click.command()
@click.option("--user", help="ONVIF user of the cameras; the password is asked for. It goes out hashed.")
@click.option("--password-file", type=click.Path(path_type=Path, dir_okay=False), help="In place of asking; mode 600.")
@click.option("--only", help="Ask only the camera at this address for more.")
@click.option("--interface", "interfaces", multiple=True, help="Own IPv4 address to look from; else from all.")
@click.option("--for", "seconds", type=click.FloatRange(0.5, 60), default=4.0, show_default=True, help="Seconds.")
@click.option("--config", "config_path", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_CONFIG)
@click.option("--mend", is_flag=True, help="Write the new addresses of cameras that moved into the configuration.")
@click.option("--lang", "language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a camera.")
def discover(
    user: str | None,
    password_file: Path | None,
    only: str | None,
    interfaces: tuple[str, ...],
    seconds: float,
    config_path: Path,
    mend: bool,
    language: Language,
    as_json: bool,
) -> None:
    """Look for ONVIF cameras in this network; find again by their serial those whose address has changed."""
    from edge_agent.aim import seek  # noqa: PLC0415
    from edge_agent.aim.onvif import ask, look  # noqa: PLC0415

    config = load(config_path) if config_path.exists() else None
    words = _WORDS[language]
    password = ""
    if user is not None:
        password = read_secret(password_file) if password_file else click.prompt(f"ONVIF {user}", hide_input=True)
    devices = [
        ask(device, user or "", password) if only in (None, device.host) else device
        for device in look(seconds, interfaces)
    ]
    for device in devices:
        click.echo(json.dumps(asdict(device), ensure_ascii=False) if as_json else _lines(device, words))
    if not devices:
        click.echo(words["nobody"], err=True)
    if config is None:
        raise SystemExit(0 if devices else 1)
    changes = seek.moved(config, devices)
    for change in changes:
        click.echo(words["moved"].format(**vars(change)), err=as_json)
    if any(device.serial for device in devices):
        for name in seek.lost(config, devices):
            click.echo(words["lost"].format(camera=name), err=True)
    if changes and not mend:
        click.echo(words["mend"], err=True)
    if changes and mend:
        try:
            seek.mend(config_path, changes)
        except seek.CannotMend as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(f"{error.filename}: {error.strerror}") from None
        click.echo(words["mended"].format(path=config_path), err=True)
    raise SystemExit(0 if devices else 1)


def _lines(device: "Device", words: dict[str, str]) -> str:
    """A camera for people, with what to paste."""
    about = " ".join(text for text in (device.maker, device.model) if text) or device.name
    lines = [f"{device.host}  {about}" + (f"  {words['serial']} {device.serial}" if device.serial else "")]
    if device.problem is not None:
        lines.append(f"  {words['login'] if device.problem == 'login' else device.problem}")
    for stream in device.streams:
        facts = [stream.codec, f"{stream.width}x{stream.height}" if stream.width and stream.height else ""]
        facts += [f"{stream.fps}/s" if stream.fps else "", f"{stream.kbps} kbit/s" if stream.kbps else ""]
        facts += [words["key"].format(n=stream.key_frame_every) if stream.key_frame_every else ""]
        lines.append(f"  {stream.name}: {stream.url}  {' '.join(fact for fact in facts if fact)}")
    if device.streams:
        by_size = sorted(device.streams, key=lambda stream: -(stream.width or 0) * (stream.height or 0))
        lines += [f"  {words['paste']}", "    - name: TEN", f"      source: {by_size[0].url}"]
        lines += [f"      sub: {by_size[-1].url}"] if len(by_size) > 1 else []
        lines += [f"      serial: {json.dumps(device.serial, ensure_ascii=False)}"] if device.serial else []
    return "\n".join(lines)
