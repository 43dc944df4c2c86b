"""`collector init`: from an empty folder to a server that can be started. Each step keeps what is there.

For /etc/vonggac, given by root, things go where the packages' units look for them (Places.of_the_system); for any other
folder all of it stays inside, for a trial or for a server without the package.
"""

import platform
import pwd
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from collector.config import CollectorConfig, load_collector_config
from collector.identity import station
from collector.identity.authority import AUTHORITY, Authority, make_authority
from collector.identity.mosquitto import write_files
from collector.store import audit, users
from collector.store.database import Database, open_database
from collector.web.passwords import Passwords
from vonggac.daemon.clock import Clock
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import hand_over, make_folder, write_durably

SYSTEM = Path("/etc/vonggac")
CREDENTIAL = "vonggac.authority"
HTTPS_PORT, BROKER_PORT = 8443, 8883
PLUGIN = "mosquitto_dynamic_security.so"
UNITS = ("vonggac-collector.service", "vonggac-collector@.service", "vonggac-revoked.path", "vonggac-revoked.service")
SANDBOX = "mosquitto.service.d/vonggac.conf"


@dataclass(frozen=True)
class Places:
    """Where things go. `password_name` is the password's file as collector.yaml names it; `owner` runs the service."""

    folder: Path
    data: Path
    password: Path
    password_name: str
    mosquitto: Path
    units: Path
    owner: str | None = None

    @classmethod
    def of_the_system(cls, root: Path = Path("/")) -> "Places":
        """As the package's units expect it; `root` is where the machine's file system begins."""
        return cls(
            folder=root / "etc/vonggac",
            data=root / "var/lib/vonggac-collector",
            password=root / "etc/credstore" / CREDENTIAL,
            password_name=f"$CREDENTIALS_DIRECTORY/{CREDENTIAL}",
            mosquitto=root / "etc/mosquitto",
            units=root / "etc/systemd/system",
            owner="vonggac-collector",
        )

    @classmethod
    def within(cls, folder: Path) -> "Places":
        """All in one folder."""
        return cls(
            folder=folder,
            data=folder / "data",
            password=folder / "authority.secret",
            password_name="authority.secret",  # noqa: S106 - a file's name
            mosquitto=folder / "mosquitto",
            units=folder / "systemd",
        )

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "collector.yaml"

    @property
    def is_system(self) -> bool:
        """Do the package's units serve here?"""
        return self.owner is not None


@dataclass(frozen=True)
class Wishes:
    """What the options of `collector init` say; used where nothing is there yet."""

    names: tuple[str, ...]
    district: str
    commune: str | None
    administrator: str
    password: str | None
    embedded: bool
    public_url: str | None


@dataclass(frozen=True)
class Step:
    """One thing that was `made`, or was there and is kept."""

    made: bool
    what: str


def deploy_files() -> Path:
    """The folder with Mosquitto's settings and the units: of this clone, or of the package. Raises ConfigInvalid."""
    for folder in (Path(__file__).resolve().parents[1] / "deploy", Path("/usr/share/vonggac")):
        if (folder / "mosquitto" / "identity.conf").exists():
            return folder
    raise ConfigInvalid(["Mosquitto's settings and the units are missing: install the package vonggac-collector"])


def set_up(places: Places, wishes: Wishes, clock: Clock) -> Iterator[Step]:
    """Each step as it is done. Raises ConfigInvalid, OSError, StoreUnavailable, StoreUnusable, ValueError."""
    if places.owner is not None:
        _expect_user(places.owner)
    make_folder(places.folder)
    yield _password(places)
    yield _configuration(places, wishes)
    config = load_collector_config(places.config)
    config = _with_the_password_where_it_is(config, places)
    section = station.section_of(config)
    make_folder(config.data)
    _give(config.data, places)
    made = not (station.identity_folder(config) / AUTHORITY).exists()
    if made:
        folder, key = station.identity_folder(config), station.key_file(config)
        authority = make_authority(folder, key, section.district, section.names, clock.wall_ms())
    else:
        authority = station.open_authority(config)
    yield Step(made, f"authority {section.district}: {authority.fingerprint}")
    is_new = config.database is None and not (config.data / "collector.sqlite").exists()
    database = open_database(config.database_url)
    try:
        yield Step(is_new, f"database: {config.database_url.partition('@')[2] or config.database_url}")
        yield _administrator(database, wishes, clock)
    finally:
        database.close()
    if not config.broker.embedded:
        yield from _mosquitto(places, authority)
    yield from _units(places, with_mosquitto=not config.broker.embedded)
    _give(config.data, places)


def _expect_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        raise ConfigInvalid([f"there is no user {name}: install the package vonggac-collector first"]) from None


def _give(path: Path, places: Places) -> None:
    """What root made belongs to whom the service runs as."""
    if places.owner is not None:
        shutil.chown(path, places.owner, places.owner)
        path.chmod(0o700)
        hand_over(path, path)


def _password(places: Places) -> Step:
    made = not places.password.exists()
    if made:
        make_folder(places.password.parent)
        if places.is_system:
            places.password.parent.chmod(0o700)
        write_durably(places.password, f"{secrets.token_urlsafe(32)}\n".encode())
    return Step(made, f"password of the authority's key: {places.password}")


def _configuration(places: Places, wishes: Wishes) -> Step:
    made = not places.config.exists()
    if made:
        if not wishes.names:
            raise ConfigInvalid(["--name: give the address by which boxes reach this server, such as 10.20.0.5"])
        head = "# Written by `collector init`; configs/collector.yaml shows every option.\n"
        text = yaml.safe_dump(configuration(places, wishes), allow_unicode=True, sort_keys=False)
        write_durably(places.config, (head + text).encode(), mode=0o644)
    return Step(made, f"configuration: {places.config}")


def configuration(places: Places, wishes: Wishes) -> dict[str, Any]:
    """As it stands in collector.yaml."""
    broker: dict[str, Any] = {"host": "127.0.0.1", "port": BROKER_PORT}
    if wishes.embedded:
        broker = {"embedded": True, "listen": f"0.0.0.0:{BROKER_PORT}"}
    http: dict[str, Any] = {"listen": "127.0.0.1:8080"}
    if wishes.public_url:
        http["public_url"] = wishes.public_url
    return {
        "data": str(places.data),
        **({"commune": wishes.commune} if wishes.commune else {}),
        "broker": broker,
        "http": http,
        "identity": {
            "names": list(wishes.names),
            "listen": f"0.0.0.0:{HTTPS_PORT}",
            "broker_port": BROKER_PORT,
            "district": wishes.district,
            "key_password_file": places.password_name,
        },
    }


def _with_the_password_where_it_is(config: CollectorConfig, places: Places) -> CollectorConfig:
    """The credential that systemd would give is read where it stands."""
    section = station.section_of(config)
    if section.key_password_file.name != places.password.name:
        return config
    return config.model_copy(update={"identity": section.model_copy(update={"key_password_file": places.password})})


def _administrator(database: Database, wishes: Wishes, clock: Clock) -> Step:
    with database.write() as connection:
        there = [each.name for each in users.all_users(connection) if each.role == "administrator"]
        if there:
            return Step(False, f"administrator: {', '.join(there)}")
        password = wishes.password or secrets.token_urlsafe(12)
        hashed, now_ms = Passwords().hash(password), clock.wall_ms()
        if not users.add_user(connection, wishes.administrator, hashed, "administrator", now_ms, users.Standing()):
            raise ConfigInvalid([f"--administrator {wishes.administrator}: somebody else has this name; give another"])
        act = audit.Act(
            action="configure", who=wishes.administrator, by="console", thing="user", ref=wishes.administrator,
            detail={"did": "init", "role": "administrator"},
        )  # fmt: skip
        audit.append(connection, act, now_ms)
    told = "" if wishes.password else f", with the password {password} (shown this once)"
    return Step(True, f"administrator: {wishes.administrator}{told}")


def _mosquitto(places: Places, authority: Authority) -> Iterator[Step]:
    folder = places.mosquitto / "vonggac"
    before = sorted(path.name for path in folder.glob("*"))
    write_files(authority, folder)
    if places.is_system:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "mosquitto", "mosquitto")
    yield Step(not before, f"Mosquitto's certificates: {folder}")
    text = (deploy_files() / "mosquitto" / "identity.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/mosquitto/vonggac", str(folder))
    lines = [f"plugin {plugin()}" if line.startswith("plugin /") else line for line in text.splitlines()]
    yield _written(places.mosquitto / "conf.d" / "vonggac.conf", "\n".join(lines) + "\n")


def plugin() -> Path:
    """Mosquitto's plugin on this machine, or where it will be once Mosquitto is installed."""
    found = sorted(Path("/usr/lib").glob(f"*/{PLUGIN}"))
    return found[0] if found else Path(f"/usr/lib/{platform.machine()}-linux-gnu/{PLUGIN}")


def _units(places: Places, *, with_mosquitto: bool) -> Iterator[Step]:
    source = deploy_files() / "systemd"
    if with_mosquitto:
        text = (source / SANDBOX).read_text(encoding="utf-8")
        path = str(places.mosquitto / "vonggac")
        yield _written(places.units / SANDBOX, text.replace("/etc/mosquitto/vonggac", path))
    if places.is_system:
        return  # the package brings the others
    for name in UNITS:
        if with_mosquitto or "revoked" not in name:
            text = (source / name).read_text(encoding="utf-8")
            yield _written(places.units / name, _at_home(text, places))


def _at_home(text: str, places: Places) -> str:
    """A unit of the package for a server that is set up in a folder of its own."""
    told = {
        "/opt/vonggac/current/bin/collector": str(Path(sys.executable).with_name("collector")),
        "/etc/vonggac/collector.yaml": str(places.config),
        "/var/lib/vonggac-collector": str(places.data),
        "/etc/mosquitto/vonggac": str(places.mosquitto / "vonggac"),
        f"LoadCredential={CREDENTIAL}\n": "",
        "StateDirectory=vonggac-collector\nStateDirectoryMode=0700\n": f"ReadWritePaths={places.data}\n",
        "ProtectHome=yes\n": f"ProtectHome=tmpfs\nBindPaths={places.folder}\n",
    }
    for old, new in told.items():
        text = text.replace(old, new)
    return text


def _written(path: Path, text: str) -> Step:
    """A file of ours is brought up to date; one that somebody changed by hand is too: it says where it comes from."""
    made = not path.exists() or path.read_text(encoding="utf-8") != text
    if made:
        make_folder(path.parent)
        write_durably(path, text.encode(), mode=0o644)
    return Step(made, str(path))
