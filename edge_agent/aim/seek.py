"""Finding a camera again whose address has changed: by the serial number that the configuration remembers.

Only on a person's word: whoever is in the household's network can claim a serial, and would be shown the camera's user.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from edge_agent.aim.onvif import Device
from edge_agent.config import CameraSection, EdgeConfig, load_edge_config
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import write_durably


@dataclass(frozen=True)
class Moved:
    """A camera of the configuration that now answers at another address."""

    camera: str
    serial: str
    old: str
    new: str


class CannotMend(Exception):
    """The configuration is left as it is: the text says why."""


def moved(config: EdgeConfig, devices: Iterable[Device]) -> list[Moved]:
    """Cameras with a serial in the configuration, found under it elsewhere than their `source` says."""
    by_serial = {device.serial: device for device in devices if device.serial}
    found = []
    for camera in config.cameras:
        device = by_serial.get(camera.serial or "")
        old = urlsplit(camera.source).hostname
        if device is not None and camera.serial and old is not None and old != device.host:
            found.append(Moved(camera.name, camera.serial, old, device.host))
    return found


def lost(config: EdgeConfig, devices: Iterable[Device]) -> list[str]:
    """Cameras with a serial under which nobody answered."""
    known = {device.serial for device in devices}
    return [camera.name for camera in config.cameras if camera.serial and camera.serial not in known]


def mend(path: Path, changes: Iterable[Moved]) -> None:
    """Write the new addresses into the configuration; all else stays as it was typed. Raises CannotMend, OSError.

    The text is changed where a camera's address stands exactly once; what came out is read again before it counts.
    """
    text = path.read_text(encoding="utf-8")
    before = load_edge_config(path)
    expected = {camera.name: (camera.source, camera.sub) for camera in before.cameras}
    for change in changes:
        (camera,) = [each for each in before.cameras if each.name == change.camera]
        expected[camera.name] = _streams_at(camera, change.new)
        for old, new in zip((camera.source, camera.sub), expected[camera.name], strict=True):
            if old is None or new is None:
                continue
            if text.count(old) != 1:
                raise CannotMend(f"{path}: {old} stands there {text.count(old)} times. Write {change.new} by hand")
            text = text.replace(old, new)
    trial = path.with_name(f".{path.name}.trial")
    write_durably(trial, text.encode(), mode=path.stat().st_mode & 0o777)
    try:
        after = load_edge_config(trial)
        if {camera.name: (camera.source, camera.sub) for camera in after.cameras} != expected:
            raise CannotMend(f"{path}: could not be changed safely. Write the new address by hand")
    except ConfigInvalid as error:
        raise CannotMend(str(error)) from None
    finally:
        trial.unlink(missing_ok=True)
    write_durably(path, text.encode(), mode=path.stat().st_mode & 0o777)


def _streams_at(camera: CameraSection, host: str) -> tuple[str, str | None]:
    return _at(camera.source, host), None if camera.sub is None else _at(camera.sub, host)


def _at(url: str, host: str) -> str:
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{login}{at}{host}{port}"))
