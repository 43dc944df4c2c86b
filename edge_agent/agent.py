"""The agent's composition root: it alone builds the parts, starts them forwards and stops them backwards.

Order of stopping: the cameras, then their open episodes, then the clip writer drains, then the uplink has a moment to
hand over what is new. What stays behind waits in the outbox.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from zoneinfo import ZoneInfo

import cv2

from edge_agent.aim.line import NotMeasured, upload_kbps
from edge_agent.aim.words import Language
from edge_agent.cameras import CameraParts, build_camera
from edge_agent.check import (
    Finding,
    StreamLook,
    check_broker,
    check_clock,
    check_collector,
    check_disk,
    check_identity,
    check_power,
    check_upload,
    judge_stream,
    look_at_cameras,
)
from edge_agent.config import EdgeConfig, config_hash
from edge_agent.handover import Handover
from edge_agent.health import HostHealth
from edge_agent.identity.credentials import Credentials, open_credentials
from edge_agent.identity.renewal import STALL_S as RENEWAL_STALL_S
from edge_agent.identity.renewal import Renewer
from edge_agent.identity.trust import Trust
from edge_agent.outbox.budget import DiskBudget
from edge_agent.outbox.errors import OutboxInUse
from edge_agent.outbox.outbox import Outbox
from edge_agent.recording.clip_thread import ClipThread
from edge_agent.software import Software, own_release
from edge_agent.update.telling import update_health
from edge_agent.uplink.errors import CommandRefused
from edge_agent.uplink.mqtt import Broker, MqttLink, Tls
from edge_agent.uplink.tus import UploadServer
from edge_agent.uplink.uplink import STALL_S as UPLINK_STALL_S
from edge_agent.uplink.uplink import Uplink, last_will
from edge_agent.uplink.upload import STALL_S as UPLOAD_STALL_S
from edge_agent.uplink.upload import Uploader
from vonggac.daemon.clock import Clock, SystemClock, new_id
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import make_folder
from vonggac.daemon.logs import configure_logs, get_logger
from vonggac.daemon.program import stop_on_signals, watch
from vonggac.daemon.systemd import Notifier
from vonggac.daemon.threads import Crew, Pulse, Stop
from vonggac.wire import messages

log = get_logger(__name__)

_FLUSH_S = 8.0
_NO_PROGRESS_S = 3.0
_BUDGET_EVERY_S = 10.0
UPLOAD_S = 4.0


class Agent:
    """All parts of one box."""

    def __init__(self, config: EdgeConfig, clock: Clock, stop: Stop) -> None:
        """Build everything; nothing runs yet. Raises ConfigInvalid for a secret file that cannot be used."""
        who = open_credentials(config, clock)
        self._config = config
        self._clock = clock
        self._stop = stop
        self._stop_sending = Stop()
        self._crew = Crew(stop)
        zone = ZoneInfo(config.time_zone)
        self._outbox = Outbox(config.data, clock, config.box)
        self._software = Software(own_release(), clock, stop)
        self._host = HostHealth(config.data, clock, config.time_zone, changed_files=lambda: self._software.changed)
        self._clip_folder = config.data / "clips"
        self._handover = Handover(self._outbox, clock, config.box)
        self._clips = ClipThread(self._clip_folder, self._handover.clip, self._handover.lost_clip)
        self._cameras = {
            section.name: build_camera(config.box, section, self._outbox, self._clips, clock, stop, zone)
            for section in config.cameras
        }
        self._budget = DiskBudget(self._outbox, config.disk.limits())
        self._uplink = Uplink(
            self._outbox,
            MqttLink(_broker(config, who), will=lambda: last_will(config.box, clock)),
            clock,
            config.box,
            self._stop_sending,
            birth=self._birth,
            heartbeat=self._heartbeat,
            handlers={"snapshot": self._command_snapshot, "restart": self._command_restart},
            heartbeat_s=config.heartbeat,
        )
        self._renewer: Renewer | None = None
        if who.identity is not None and who.trust is not None:
            self._renewer = Renewer(who.identity, who.trust, clock, stop)
        self._uploader = Uploader(
            self._outbox,
            _upload_server(config, who),
            clock,
            self._stop_sending,
            lambda: config.uplink.kbps_at(datetime.fromtimestamp(clock.wall_ms() / 1000, zone)),
            give_way=config.uplink.give_way,
        )

    @property
    def crew(self) -> Crew:
        """All threads, for the watchdog."""
        return self._crew

    def start(self) -> None:
        """Bring back what a power cut left, then start the parts in the order of the data's way, last first."""
        make_folder(self._clip_folder)
        self._handover.bring_back(self._clip_folder)
        self._crew.start("uplink", self._uplink.run, stall_s=UPLINK_STALL_S)
        self._crew.start("upload", self._uploader.run, stall_s=UPLOAD_STALL_S)
        self._crew.start("clip-writer", self._clips.run)
        if self._renewer is not None:
            self._crew.start("identity", self._renewer.run, stall_s=RENEWAL_STALL_S)
        self._crew.start("disk-budget", self._keep_budget)
        self._crew.start("software", self._software.run)
        for camera in self._cameras.values():
            camera.start(self._crew)
        log.info("agent runs", box=self._config.box, cameras=list(self._cameras), version=version("vonggac"))

    def end(self) -> None:
        """Stop the parts backwards; `stop` has been set."""
        camera_threads = [name for camera in self._cameras.values() for name in camera.thread_names()]
        late = self._crew.join(max(section.read_deadline for section in self._config.cameras) + 2, *camera_threads)
        for camera in self._cameras.values():
            if not set(camera.thread_names()) & set(late):
                camera.lookout.look_lost("stopped")
            camera.recorder.close()
        self._clips.close()
        late += self._crew.join(15.0, "clip-writer")
        self._hand_over()
        self._stop_sending.set(self._stop.reason)
        self._uplink.wake()
        self._uploader.wake()
        late += self._crew.join(10.0, "uplink", "upload", "disk-budget")
        self._host.close()
        if late:
            log.warning("threads did not end in time", threads=late)
        else:
            self._outbox.close()

    def _hand_over(self) -> None:
        """Give the uplink a moment while it makes progress; without a link there is nothing to wait for."""
        ends_at = time.monotonic() + _FLUSH_S
        moved_at, before = time.monotonic(), self._outbox.stats()
        while self._uplink.connected and time.monotonic() < min(ends_at, moved_at + _NO_PROGRESS_S):
            waiting = self._outbox.stats()
            if not waiting.events and not waiting.snapshots and waiting.clips <= waiting.parked:
                return
            if waiting != before:
                moved_at, before = time.monotonic(), waiting
            self._stop_sending.wait(0.05)

    def _keep_budget(self, pulse: Pulse) -> None:
        while not self._stop_sending.wait(_BUDGET_EVERY_S):
            pulse.beat()
            self._budget.enforce()
            self._handover.retry()

    # --- what the uplink says ------------------------------------------------------------------------------------

    def _birth(self) -> messages.Birth:
        return messages.Birth(
            agent_version=version("vonggac"),
            cameras=tuple(camera.info() for camera in self._cameras.values()),
            config_hash=config_hash(self._config),
        )

    def _heartbeat(self) -> messages.Heartbeat:
        mono_ms = self._clock.mono_ms()
        return messages.Heartbeat(
            interval_s=self._config.heartbeat,
            cameras=tuple(camera.health(mono_ms) for camera in self._cameras.values()),
            host=self._host.sample(),
            outbox=self._outbox.stats(),
            update=update_health(self._config.update.root),
        )

    def _command_snapshot(self, command: messages.Command) -> Mapping[str, str]:
        camera: CameraParts | None = self._cameras.get(command.camera or "")
        if camera is None:
            raise CommandRefused("no_camera", f"no camera {command.camera!r}; there are: {', '.join(self._cameras)}")
        if camera.state() != "streaming":
            raise CommandRefused("no_picture", f"camera {command.camera} gives no picture now ({camera.state()})")
        request = new_id(self._clock)
        camera.lookout.want_snapshot(request)
        return {"request": request}

    def _command_restart(self, _command: messages.Command) -> Mapping[str, str]:
        self._stop.set("restart by command")  # systemd starts it again
        return {}


def _broker(config: EdgeConfig, who: Credentials) -> Broker:
    section = config.broker
    tls: Tls | Trust | None = who.trust
    if section.tls is not None:
        tls = Tls(section.tls.ca_file, section.tls.cert_file, section.tls.key_file)
    name = who.client_id(config.box)
    return Broker(section.host, section.port, config.box, who.secret, section.protocol, tls, name)


def _upload_server(config: EdgeConfig, who: Credentials) -> UploadServer:
    return UploadServer(f"{config.collector.url}/upload/", config.box, who.secret, config.collector.ca_file, who.trust)


def run_agent(config: EdgeConfig) -> int:
    """The daemon: returns the exit code. Raises ConfigInvalid before anything runs."""
    configure_logs(config.log_level)
    cv2.setNumThreads(1)  # a box has more cameras than cores: each thread does its own work
    stop, notifier = Stop(), Notifier()
    stop_on_signals(stop)
    try:
        agent = Agent(config, SystemClock(), stop)
    except (OutboxInUse, RuntimeError, OSError) as error:
        log.error("agent cannot start", what=str(error))
        return 1
    agent.start()
    notifier.ready(f"{len(config.cameras)} cameras")
    watch(stop, agent.crew, notifier)
    agent.end()
    return stop.exit_code


def check_agent(config: EdgeConfig, language: Language = "en") -> Iterator[Finding | StreamLook]:
    """Everything that `edge-agent check` tries, in the order in which an installer would mend it.

    Each stream's look comes before what is said of it.
    """
    clock = SystemClock()
    yield check_disk(config)
    yield check_clock(clock)
    yield from check_power(HostHealth(config.data, clock, config.time_zone).throttled())
    who: Credentials | None = None
    reaches = False
    try:
        who = open_credentials(config, clock)
    except ConfigInvalid as error:
        yield Finding("secret", False, "plain", {"text": str(error)})
    else:
        if who.identity is not None:
            yield check_identity(who.identity, clock)
        link = MqttLink(_broker(config, who), will=lambda: last_will(config.box, clock))
        yield check_broker(link, f"{config.broker.host}:{config.broker.port}")
        found = check_collector(config, who)
        reaches = found.ok
        yield found
    looks: list[StreamLook] = []
    for seen in look_at_cameras(config, clock):
        looks.append(seen)
        yield seen
        yield from judge_stream(seen, language)
    if who is not None and reaches:
        try:
            yield check_upload(upload_kbps(_upload_server(config, who), clock, UPLOAD_S), looks)
        except NotMeasured as error:
            yield Finding("upload", False, "upload_none", {"reason": str(error)})
