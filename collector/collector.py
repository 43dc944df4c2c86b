"""The composition root of the collector: it alone builds the parts, starts them forwards and stops them backwards.

`serve` runs all parts, or those asked for: `ingest` (MQTT, broker, uploads, retention), `alerts`, `fleet`, `web`.
Parts meet in the database, so each may be a process of its own; each part runs once in an installation.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from collector.alerts.bell import Bell
from collector.alerts.channels.lending import Lender
from collector.alerts.channels.protocol import Channel
from collector.alerts.delivery import Delivery
from collector.alerts.loop import RulesLoop
from collector.backup import CannotCopy
from collector.config import CollectorConfig
from collector.fleet.clones import CloneWatch
from collector.fleet.disk import DiskWatch
from collector.fleet.telling import Telling
from collector.fleet.watch import FleetWatch
from collector.http import HttpServer
from collector.identity.authority import AUTHORITY, COLLECTOR, COLLECTOR_KEY, SERVER, SERVER_KEY
from collector.identity.gate import Gate
from collector.identity.peers import Peers
from collector.identity.station import Keeper, enrolments, identity_folder, open_authority, section_of
from collector.ingest.broker import COLLECTOR_USER, READY_WITHIN_S, BrokerMissing, BrokerTls, EmbeddedBroker
from collector.ingest.clip_store import ClipStore
from collector.ingest.intake import Intake
from collector.ingest.mqtt import CLIENT_ID, BrokerAddress, MqttIngest
from collector.ingest.permissions import Permissions
from collector.ingest.proof import by_certificate, by_secret
from collector.ingest.receipts import Receipts
from collector.ingest.upload import Uploads
from collector.locks import PARTS, take_part
from collector.releases.door import ReleaseDoor
from collector.releases.shelf import Shelf
from collector.restore import refuse_half_restored
from collector.retention import Retention
from collector.store import audit
from collector.store.audit import Act, Sought
from collector.store.database import Database, open_database
from collector.store.desk import find_snapshot
from collector.store.errors import StoreUnavailable, StoreUnusable
from collector.store.lending import lending_key, make_lending_key
from collector.store.listening import ingest_listens
from collector.web.app import build_app
from collector.web.desk import WebSettings
from vonggac.daemon.clock import Clock, SystemClock
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import make_folder
from vonggac.daemon.logs import configure_logs, get_logger
from vonggac.daemon.program import EXIT_CONFIG, stop_on_signals, watch
from vonggac.daemon.systemd import Notifier
from vonggac.daemon.threads import Crew, Pulse, Stop

log = get_logger(__name__)

END_WITHIN_S = 15.0
ROOM_TO_START_BYTES = 1 << 20
"""With less free, a start that fails for want of the database fails for want of room."""
LOOK_FOR_ROOM_S = 5.0
DELIVERY_STALL_S = 300.0
RETENTION_STALL_S = 600.0


class CannotStart(Exception):
    """Something that a person must mend stands in the way: the text says what and how."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Foundation:
    """What every part stands on. `broker_stop` ends the broker after those who speak with it."""

    config: CollectorConfig
    database: Database
    clock: Clock
    stop: Stop
    broker_stop: Stop
    crew: Crew
    committed: Bell
    alerted: Bell


def serve(config: CollectorConfig, parts: tuple[str, ...] = PARTS) -> int:
    """Run until told to stop; returns the exit code."""
    configure_logs(config.log_level)
    stop, notifier = Stop(), Notifier()
    stop_on_signals(stop)
    with ExitStack() as locks:
        try:
            base = _lay_when_there_is_room(config, parts, stop, locks, notifier)
            if base is None:
                return stop.exit_code
            addresses = _start(base, parts)
        except (CannotStart, ConfigInvalid, StoreUnusable, StoreUnavailable, BrokerMissing) as error:
            log.critical("cannot start", reason=str(error))
            return EXIT_CONFIG if isinstance(error, ConfigInvalid) else getattr(error, "exit_code", 1)
        log.info("collector is ready", parts=list(parts), **addresses)
        notifier.ready(f"serving {', '.join(parts)}")
        watch(stop, base.crew, notifier)
        left = base.crew.join(END_WITHIN_S)
        if left:
            log.error("threads did not end in time", threads=left)
        base.database.close()
    log.info("stopped", exit_code=stop.exit_code)
    return stop.exit_code


def _lay_when_there_is_room(
    config: CollectorConfig, parts: tuple[str, ...], stop: Stop, locks: ExitStack, notifier: Notifier
) -> Foundation | None:
    """Nothing can be opened on a disk without any room: say so and wait for it. None when told to stop meanwhile."""
    told = False
    while not stop.is_set():
        with ExitStack() as attempt:
            try:
                base = _lay(config, parts, stop, attempt)
            except StoreUnavailable as error:
                if _free_bytes(config.data) >= ROOM_TO_START_BYTES:
                    raise
                if not told:
                    log.error("the disk is full: waiting for room to start", data=str(config.data), reason=str(error))
                    told = True
                notifier.waiting("the disk is full: waiting for room to start", LOOK_FOR_ROOM_S * 6)
            else:
                locks.push(attempt.pop_all())
                return base
        stop.wait(LOOK_FOR_ROOM_S)
    return None


def _free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _lay(config: CollectorConfig, parts: tuple[str, ...], stop: Stop, locks: ExitStack) -> Foundation:
    try:
        make_folder(config.data)
        refuse_half_restored(config.data)
        for part in parts:
            _lock(config, part, locks)
    except CannotCopy as error:
        raise CannotStart(str(error)) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreUnavailable(f"{config.data}: {error.strerror}") from None
        raise CannotStart(f"data: {config.data} cannot be used: {error.strerror}") from None
    base = Foundation(
        config=config,
        database=open_database(config.database_url),
        clock=SystemClock(),
        stop=stop,
        broker_stop=Stop(),
        crew=Crew(stop),
        committed=Bell(),
        alerted=Bell(),
    )
    try:
        _note_configuration(base)
    except StoreUnavailable:
        base.database.close()
        raise
    return base


def _note_configuration(base: Foundation) -> None:
    """Another configuration than at the last start stands in the audit log, by its hash."""
    sha256 = hashlib.sha256(base.config.model_dump_json().encode()).hexdigest()
    about = Sought(action="configure", by="collector", limit=1)
    with base.database.write() as connection:
        if any(line.ref == sha256 for line in audit.list_lines(connection, about)):
            return
        act = Act(action="configure", who="collector", by="collector", thing="file", ref=sha256)
        audit.append(connection, act, base.clock.wall_ms())


def _lock(config: CollectorConfig, part: str, locks: ExitStack) -> None:
    """Two of a part would take each other's connection, and alert twice."""
    if not take_part(config.data, part, locks):
        raise CannotStart(f"{config.data}: another collector runs the part {part} here. Stop it first")


def _start(base: Foundation, parts: tuple[str, ...]) -> dict[str, str]:
    """Start forwards: who listens before who speaks. Returns the addresses to tell."""
    addresses: dict[str, str] = {}
    upload_app: Starlette | None = None
    ingest: MqttIngest | None = None
    channels = (
        base.config.alerts.all_channels(_lender(base), base.config.zone, base.clock.wall_ms)
        if {"alerts", "fleet"} & {*parts}
        else ()
    )
    if "alerts" in parts:
        _start_alerts(base, channels)
    if "ingest" in parts:
        ingest, upload_app = _start_ingest(base, addresses)
    if "fleet" in parts:
        _start_fleet(base, channels, ingest)
    own_listen = base.config.uploads.listen
    if upload_app is not None and base.config.identity is not None:
        addresses["boxes"] = _start_gate(base, upload_app)
        upload_app = None
    elif upload_app is not None and own_listen is not None:
        of_uploads = upload_app
        addresses["uploads"] = _start_http(
            base, "http-uploads", own_listen, lambda: Starlette(routes=[Mount("/upload", of_uploads)])
        )
    elif upload_app is not None and "web" not in parts:
        raise ConfigInvalid(["uploads.listen: is missing; the part ingest without web needs a port of its own"])
    if "web" in parts:
        mounted = upload_app if own_listen is None else None
        addresses["web"] = _start_http(base, "http", base.config.http.listen, lambda: _web(base, mounted))
    return addresses


def _lender(base: Foundation) -> Lender | None:
    """What gives links to pictures, where a channel needs them."""
    if not base.config.alerts.lends_pictures:
        return None
    with base.database.write() as connection:
        make_lending_key(connection)
        key = lending_key(connection)
    assert key is not None  # noqa: S101 - it was just made
    return Lender(key, base.config.http.public_url or "", base.clock.wall_ms)


def _start_ingest(base: Foundation, addresses: dict[str, str]) -> tuple[MqttIngest, Starlette]:
    config, receipts = base.config, Receipts()
    clip_store = ClipStore(
        base.database,
        config.data,
        base.clock,
        lambda box, sha256: receipts.add_clip(box, sha256, base.clock.mono_ms()),
        config.uploads.keep_free,
    )
    clip_store.recover()
    if config.broker.embedded:
        address, client_id = _start_broker(base)
    else:
        folder = None if config.identity is None else identity_folder(config)
        address, client_id = config.broker.address(folder), CLIENT_ID
    addresses["broker"] = f"{address.host}:{address.port}"
    ingest = MqttIngest(
        address,
        Intake(base.database, config.data, config.disk_keep_free),
        receipts,
        base.database,
        base.clock,
        base.stop,
        committed=base.committed.ring,
        client_id=client_id,
        permissions=Permissions() if config.identity is not None and not config.broker.embedded else None,
    )
    base.crew.start("mqtt", _then(ingest.run, base.broker_stop))
    retention = Retention(base.database, clip_store, config.data, config.retention.limits(), base.clock)
    base.crew.start("retention", lambda pulse: retention.run(pulse, base.stop), RETENTION_STALL_S)
    peers = Peers(base.database)
    prove = by_secret(base.database) if config.identity is None else by_certificate(peers, base.clock.wall_ms)
    return ingest, Uploads(clip_store, prove, config.uploads.max_clip).app()


def _start_gate(base: Foundation, upload_app: Starlette) -> str:
    config, section = base.config, section_of(base.config)
    authority = open_authority(config)
    authority.refuse_half_equipped()
    giving = enrolments(config, authority, base.database, base.clock)
    releases = ReleaseDoor(base.database, Shelf(config.data / "releases"), base.clock)
    gate = Gate(authority, giving, Peers(base.database), upload_app, base.clock, releases=releases)
    try:
        server = HttpServer(section.listen, base.stop)
    except OSError as error:
        raise CannotStart(f"{section.listen[0]}:{section.listen[1]} cannot be listened on: {error.strerror}") from None
    base.crew.start("boxes", lambda pulse: server.serve(gate.app, pulse, gate))
    keeper = Keeper(authority, gate, base.database, base.clock)
    base.crew.start("identity", lambda pulse: keeper.run(pulse, base.stop))
    return f"https://{server.address[0]}:{server.address[1]}"


def _then(run: Callable[[Pulse], None], after: Stop) -> Callable[[Pulse], None]:
    """Let `after` go once `run` has ended, in whatever way."""

    def both(pulse: Pulse) -> None:
        try:
            run(pulse)
        finally:
            after.set("nobody speaks with it any more")

    return both


def _start_broker(base: Foundation) -> tuple[BrokerAddress, str]:
    host, port = base.config.broker.listen
    folder, reserve_bytes = base.config.data / "broker", base.config.disk_keep_free
    tls: BrokerTls | None = None
    of = identity_folder(base.config)
    if base.config.identity is not None:
        tls = BrokerTls(of / AUTHORITY, of / SERVER, of / SERVER_KEY)
    broker = EmbeddedBroker(folder, host, port, base.database, base.broker_stop, reserve_bytes, tls)
    base.crew.start("broker", broker.run)
    broker.wait_ready(READY_WITHIN_S)
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    if tls is not None:
        files = (of / AUTHORITY, of / COLLECTOR, of / COLLECTOR_KEY)
        return BrokerAddress(near, broker.port, None, None, *files, protocol="3.1.1"), broker.client_id()
    return BrokerAddress(near, broker.port, COLLECTOR_USER, broker.password, protocol="3.1.1"), broker.client_id()


def _start_alerts(base: Foundation, channels: tuple[Channel, ...]) -> None:
    config = base.config
    rules = RulesLoop(
        base.database,
        config.rules(),
        config.alerts.grouping(),
        config.zone,
        base.alerted,
        channels=config.alerts.channel_names(),
        calendar=config.calendar,
    )
    committed = base.committed.listen()
    for channel in channels:
        delivery = Delivery(
            base.database, channel, lambda episode: _picture_of(base, episode), config.zone, config.http.public_url
        )
        ear = base.alerted.listen()
        base.crew.start(
            f"alerts-{channel.name}",
            lambda pulse, delivery=delivery, ear=ear: delivery.run(pulse, base.stop, base.clock, ear),  # type: ignore[misc]
            DELIVERY_STALL_S,
        )
    base.crew.start("rules", lambda pulse: rules.run(pulse, base.stop, base.clock, committed))


def _picture_of(base: Foundation, episode: str) -> bytes | None:
    with base.database.read() as connection:
        picture = find_snapshot(connection, episode=episode)
    if picture is None:
        return None
    try:
        return (base.config.data / picture.path).read_bytes()
    except OSError:
        return None


def _start_fleet(base: Foundation, channels: tuple[Channel, ...], ingest: MqttIngest | None) -> None:
    def listening() -> bool:
        return ingest.is_connected() if ingest else ingest_listens(base.database, base.clock.wall_ms())

    outages = base.config.alerts.outages
    telling = Telling(
        tuple(channel for channel in channels if channel.name in outages.channels),
        base.config.zone,
        base.config.http.public_url,
        outages.box_after,
        outages.camera_after,
    )
    disk = DiskWatch(
        base.database,
        telling,
        lambda: shutil.disk_usage(base.config.data).free,
        base.config.disk_tell_below,
        base.config.uploads.keep_free,
    )
    clones = CloneWatch(base.database, telling)
    watch = FleetWatch(base.database, telling, base.alerted, listening, disk=disk, clones=clones)
    base.crew.start("fleet", lambda pulse: watch.run(pulse, base.stop, base.clock))


def _web(base: Foundation, upload_app: Starlette | None) -> Starlette:
    public_url = base.config.http.public_url or ""
    return build_app(
        base.database,
        base.config.data,
        WebSettings(
            zone=base.config.zone,
            secure=public_url.startswith("https://"),
            rules=base.config.rules(),
            channels=base.config.alerts.channel_names(),
            calendar=base.config.calendar,
        ),
        upload_app,
        base.clock,
        stopping=base.stop.is_set,
    )


def _start_http(base: Foundation, name: str, listen: tuple[str, int], build: Callable[[], Starlette]) -> str:
    try:
        server = HttpServer(listen, base.stop)
    except OSError as error:
        raise CannotStart(f"{listen[0]}:{listen[1]} cannot be listened on: {error.strerror}") from None
    app = build()
    base.crew.start(name, lambda pulse: server.serve(app, pulse))
    return f"http://{server.address[0]}:{server.address[1]}"
