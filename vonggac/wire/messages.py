"""Every message between box and collector, as frozen values; docs/ref/wire.md is generated from this file.

Rules: fields are only ever added, with a default; types are strict; a box (rectangle) is `[x0, y0, x1, y1]` in 0..1 of
the picture; `_ms` without another word is UTC milliseconds; `None` means unknown, never zero.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

Clock = Literal["synced", "holdover", "unset"]
Rectangle = tuple[float, float, float, float]
NoPicture = Literal[
    "unreachable",  # no route, no such host, no such device or file
    "refused",  # something answered and said no: closed port, 404, busy device
    "unauthorised",  # user name or password
    "timeout",  # a deadline passed: it accepted and then sent nothing
    "not_video",  # it sent something, but no video that can be understood
    "ended",  # the stream closed, or the file came to its end
    "changed",  # the stream became another one (size, codec) and has to be opened anew
    "decode",  # packets come, pictures do not
]
"""Why a camera gives no picture, in a word that stays. On the wire it is text: newer boxes may have further words."""
NotDone = Literal[
    "expired",  # it came too late
    "unknown_command",  # to this box
    "no_camera",  # of that name
    "no_picture",  # the camera gives none just now
    "outbox_full",  # the box's disk has no room
]
"""Why a box did not do what it was told, likewise."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """What a message says; `type` names it on the wire."""

    type: ClassVar[str]
    sequenced: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """One message. `seq` counts the sequenced messages of one outbox (`outbox`), from 1, without a hole.

    `outbox` is the id of the box's outbox database: numbers begin anew when a card is replaced, so a number is unique
    only within its outbox. `mono_ms` is milliseconds since the boot that `boot_id` names.
    """

    id: str
    box: str
    boot_id: str
    wall_ms: int
    mono_ms: int
    clock: Clock
    body: Body
    seq: int | None = None
    outbox: str | None = None
    v: int = 1


# --- status ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CameraInfo:
    """A camera as its box is configured to see it."""

    name: str
    has_sub: bool


@dataclass(frozen=True, kw_only=True)
class Birth(Body):
    """The agent is connected. Retained."""

    type: ClassVar[str] = "birth"
    agent_version: str
    cameras: tuple[CameraInfo, ...]
    config_hash: str


@dataclass(frozen=True, kw_only=True)
class Offline(Body):
    """The agent has left (`reason` "stopped") or the broker lost it ("lost": the last will). Retained."""

    type: ClassVar[str] = "offline"
    reason: Literal["lost", "stopped"]


# --- heartbeat ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StreamHealth:
    """One stream of a camera. Counters run since the agent started, so that a lost heartbeat loses none of them.

    `reason` is "unreachable", "refused", "unauthorised", "timeout", "not_video", "ended", "changed" or "decode".
    """

    state: Literal["connecting", "streaming", "unavailable"]
    reason: str | None = None
    fps: float | None = None
    bitrate_kbps: float | None = None
    drops: int = 0
    reconnects: int = 0


@dataclass(frozen=True, kw_only=True)
class DemotedPlace:
    """A part of a camera's picture in which something stirs for long: recorded and no longer told, since `age_ms`."""

    box: Rectangle
    age_ms: int


@dataclass(frozen=True, kw_only=True)
class CameraHealth:
    """One camera. `last_frame_age_ms` is the age of the last *decoded* frame; `None` when none was ever decoded.

    `demoted` are the places that do not alert now; episodes in them are of kind "motion:demoted".
    """

    name: str
    main: StreamHealth
    sub: StreamHealth | None = None
    last_frame_age_ms: int | None = None
    decoded: int = 0
    recording: bool = False
    pre_roll_ms: int | None = None
    demoted: tuple[DemotedPlace, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BoxHealth:
    """The computer. Temperatures in °C, memory and disk in bytes; `throttled` are a Pi's `get_throttled` flags.

    `run_began_mono_ms` is when this run of the agent began, by the clock of `mono_ms`. `changed_files` counts the files
    of the program that are not as released; null where nobody looked yet, or the program is no release.
    """

    uptime_ms: int
    load_1m: float | None = None
    temperature_c: float | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    agent_rss_bytes: int | None = None
    agent_cpu_s: float | None = None
    disk_total_bytes: int | None = None
    disk_free_bytes: int | None = None
    written_today_bytes: int | None = None
    throttled: int | None = None
    run_began_mono_ms: int | None = None
    changed_files: int | None = None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Something that the server refused and the box keeps: `kind` is "event", "snapshot" or "clip".

    `key` is its number, SHA-256 or clip id; `reason` the server's word, at most 160 characters.
    """

    kind: str
    key: str
    reason: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class OutboxHealth:
    """What is on the box and not yet here. `last_seq` is the newest number given; 0 when none ever was.

    `waiting` are inclusive ranges of the numbers that are still on the box. Where there are too many ranges the last
    one reaches over the rest, so that it may name numbers that have gone, never miss one that has not. `parked` counts
    what the server refused, `refused` names up to eight of it.
    """

    outbox: str
    last_seq: int
    events: int
    snapshots: int
    clips: int
    clip_bytes: int
    oldest_ms: int | None = None
    parked: int = 0
    waiting: tuple[tuple[int, int], ...] | None = None
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, kw_only=True)
class UpdateHealth:
    """The release that runs (`version`), and how far the last update has come.

    `step` is "idle", "fetching" (`percent`), "unpacking", "probation", "returning", "returned", "refused" or "done";
    `target` the release that it is about, `reason` why it was refused or taken back, `since_ms` when it got there.
    """

    version: str
    step: str = "idle"
    target: str | None = None
    reason: str | None = None
    percent: int | None = None
    since_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Heartbeat(Body):
    """Every 30 s, and once right after birth: true figures only."""

    type: ClassVar[str] = "heartbeat"
    interval_s: float
    cameras: tuple[CameraHealth, ...]
    host: BoxHealth
    outbox: OutboxHealth
    update: UpdateHealth | None = None


# --- sequenced events --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class EpisodeStarted(Body):
    """Something began: `start_ms` is the arrival of the first frame that shows it, not of the confirmation.

    `kind` is "motion"; "motion:demoted" where something has stirred for long: kept, and told to nobody; or "tamper:"
    and the kind of a `tamper` that began with it. It stays the same until the end.
    """

    type: ClassVar[str] = "episode_started"
    sequenced: ClassVar[bool] = True
    episode: str
    camera: str
    start_ms: int
    box: Rectangle
    zones: tuple[str, ...] = ()
    score: float = 0.0
    kind: str = "motion"
    snapshot_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class EpisodeUpdated(Body):
    """The episode goes on; `box` is the union so far. `kind` as it began; None: older boxes do not say."""

    type: ClassVar[str] = "episode_updated"
    sequenced: ClassVar[bool] = True
    episode: str
    camera: str
    last_ms: int
    box: Rectangle
    zones: tuple[str, ...] = ()
    score: float = 0.0
    kind: str | None = None


@dataclass(frozen=True, kw_only=True)
class PathPoint:
    """Where the thing was: `t_ms` after `start_ms`, centre (x, y) in 0..1."""

    t_ms: int
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class EpisodeEnded(Body):
    """The episode is over; `end_ms` is its last motion. It stands alone: nothing of the start is needed to read it.

    `reason` "cut": the box's power or program failed meanwhile; told after the next start, `end_ms` is the last motion
    that had been told. Its times are then by the clock of boot `boot_id`, in which it began `start_mono_ms` after boot;
    otherwise both are None, and the times are by the envelope's clock.
    """

    type: ClassVar[str] = "episode_ended"
    sequenced: ClassVar[bool] = True
    episode: str
    camera: str
    start_ms: int
    end_ms: int
    box: Rectangle
    zones: tuple[str, ...] = ()
    score: float = 0.0
    kind: str = "motion"
    reason: Literal["quiet", "split", "lost", "stopped", "cut"] = "quiet"
    path: tuple[PathPoint, ...] = ()
    snapshot_sha256: str | None = None
    boot_id: str | None = None
    start_mono_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class ClipReady(Body):
    """A clip is whole on the box's disk. Its bytes follow by HTTP under this `clip` id.

    Its first picture came `first_frame_mono_ms` after the boot `boot_id`; `first_frame_ms` is the same moment by the
    wall clock as it stood when this message was made, or, for a clip of an earlier boot, when the clip was begun.
    """

    type: ClassVar[str] = "clip_ready"
    sequenced: ClassVar[bool] = True
    clip: str
    episode: str
    camera: str
    sha256: str
    size_bytes: int
    first_frame_ms: int
    duration_ms: int
    codec: str
    width: int
    height: int
    truncated: bool = False
    note: str | None = None
    boot_id: str | None = None
    first_frame_mono_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class CameraState(Body):
    """A camera's picture came or went. `since_ms` is when.

    `reason` says why in the box's own words, `code` in one as a `StreamHealth` does; None: older boxes do not say.
    """

    type: ClassVar[str] = "camera_state"
    sequenced: ClassVar[bool] = True
    camera: str
    state: Literal["up", "down"]
    since_ms: int
    reason: str | None = None
    code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tamper(Body):
    """The picture is covered, turned, defocused, black, white or frozen (`kind`, `active`), or no longer so.

    An episode of kind "tamper:<kind>" tells the same with a snapshot, and has the clip of how it came about.
    """

    type: ClassVar[str] = "tamper"
    sequenced: ClassVar[bool] = True
    camera: str
    kind: str
    active: bool
    since_ms: int


@dataclass(frozen=True, kw_only=True)
class DataLost(Body):
    """Something that was promised will not come, and why. `what` is "clip", "snapshot", "video" or "event"."""

    type: ClassVar[str] = "data_lost"
    sequenced: ClassVar[bool] = True
    what: str
    reason: str
    camera: str | None = None
    episode: str | None = None
    clip: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class SnapshotTaken(Body):
    """A picture that a person asked for: the reply to the command named `request`; it follows as a snapshot."""

    type: ClassVar[str] = "snapshot_taken"
    sequenced: ClassVar[bool] = True
    request: str
    camera: str
    taken_ms: int
    snapshot_sha256: str


# --- down, and its answer ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Receipt(Body):
    """What the collector has committed: inclusive ranges of `seq` in `outbox`, SHA-256 of clips and of snapshots."""

    type: ClassVar[str] = "receipt"
    outbox: str | None = None
    ranges: tuple[tuple[int, int], ...] = ()
    clips: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Command(Body):
    """Do something, unless it is later than `expires_ms`. `command` is "ping", "snapshot", "retry" or "restart"."""

    type: ClassVar[str] = "command"
    command: str
    expires_ms: int
    camera: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reply(Body):
    """The answer to the command whose message id is `to`.

    `error` says why not in the box's own words, `code` in one: "expired", "unknown_command", "no_camera",
    "no_picture" or "outbox_full"; None: older boxes do not say.
    """

    type: ClassVar[str] = "reply"
    to: str
    ok: bool
    error: str | None = None
    detail: dict[str, str] = field(default_factory=dict)
    code: str | None = None


BODIES: tuple[type[Body], ...] = (
    Birth,
    Offline,
    Heartbeat,
    EpisodeStarted,
    EpisodeUpdated,
    EpisodeEnded,
    ClipReady,
    CameraState,
    Tamper,
    DataLost,
    SnapshotTaken,
    Receipt,
    Command,
    Reply,
)
BODY_OF_TYPE: dict[str, type[Body]] = {body.type: body for body in BODIES}
