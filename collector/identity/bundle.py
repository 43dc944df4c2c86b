"""Writing a bundle (vonggac/wire/bundle.py says what is in it), as a folder or as a zip."""

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from vonggac.daemon.files import make_folder, sync_folder, write_durably
from vonggac.wire import bundle as wire
from vonggac.wire.bundle import Bundle, BundleCamera
from vonggac.wire.ids import is_camera_name


@dataclass(frozen=True)
class Camera:
    """A camera as `--camera NAME=URL` gave it, its password apart."""

    told: BundleCamera
    password: str | None


def camera_of(text: str) -> Camera:
    """`NAME=URL` or `NAME=URL,SUB-URL`. Raises ValueError, which repeats no password."""
    name, equals, sources = text.partition("=")
    if not equals or not is_camera_name(name):
        raise ValueError("must be NAME=URL, NAME being 1–40 of a–z, 0–9, _ and -")
    source, comma, sub = sources.partition(",")
    plain, user, password = _split_login(source)
    plain_sub, sub_user, sub_password = _split_login(sub)
    if not plain or (comma and not plain_sub):
        raise ValueError(f"{name}: a URL is missing")
    if sub_user is not None and (sub_user, sub_password) != (user, password):
        raise ValueError(f"{name}: both streams must have one user and password")
    if user is None and password is not None:
        raise ValueError(f"{name}: a password without a user")
    return Camera(BundleCamera(name=name, source=plain, sub=plain_sub or None, user=user), password)


def _split_login(url: str) -> tuple[str, str | None, str | None]:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, None, None
    login, _, host = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return bare, unquote(user) or None, unquote(password) if colon else None


def needs_password(camera: Camera) -> bool:
    """A user, and no password yet."""
    return camera.told.user is not None and camera.password is None


@dataclass(frozen=True)
class Server:
    """Where boxes find us, by the name that their certificates' check will ask for."""

    host: str
    https_port: int
    broker_port: int
    authority_pem: bytes
    release_keys: tuple[str, ...] = ()


def write_bundle(target: Path, box: str, token: str, cameras: tuple[Camera, ...], server: Server, now_ms: int) -> None:
    """A folder, or a zip when the name ends so; open to nobody else. Raises FileExistsError, OSError."""
    files = {wire.AUTHORITY: server.authority_pem, wire.TOKEN: f"{token}\n".encode()}
    if server.release_keys:
        files[wire.RELEASE_KEYS] = "".join(f"{key}\n" for key in server.release_keys).encode()
    for camera in cameras:
        if camera.password is not None:
            files[f"{wire.SECRETS}/{camera.told.name}"] = f"{camera.password}\n".encode()
    host = f"[{server.host}]" if ":" in server.host else server.host
    facts = Bundle(
        box=box,
        made_ms=now_ms,
        url=f"https://{host}:{server.https_port}",
        broker_host=server.host,
        broker_port=server.broker_port,
        cameras=tuple(camera.told for camera in cameras),
        sums={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    files = {wire.FACTS: wire.encode(facts), **files}
    if target.exists():
        raise FileExistsError(17, "exists; move it away or name another with --bundle", str(target))
    if target.suffix == ".zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        write_durably(target, packed.getvalue())
        return
    make_folder(target.parent)
    os.mkdir(target, 0o700)
    for name, data in files.items():
        make_folder((target / name).parent)
        write_durably(target / name, data)
    sync_folder(target.parent)
