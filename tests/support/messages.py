"""One sound example of every message: the golden files' source, and the seed of mutations."""

from vonggac.wire import messages as m

BOX = "nha-van-hoa-01"
EPISODE = "01890a5d-ac96-774b-bcce-b302099a8057"
CLIP = "01890a5d-b000-7000-8000-000000000001"
OUTBOX = "01890a5d-0000-7000-8000-00000000000a"
BOOT = "5f0c6a7e-3a53-4ab8-9e5d-1b9be1a2c3d4"
SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

_MAIN = m.StreamHealth(state="streaming", fps=25.0, bitrate_kbps=2048.5, drops=1, reconnects=2)

BODIES: tuple[m.Body, ...] = (
    m.Birth(agent_version="0.1.0", cameras=(m.CameraInfo(name="gate", has_sub=True),), config_hash=SHA),
    m.Offline(reason="lost"),
    m.Heartbeat(
        interval_s=30.0,
        cameras=(
            m.CameraHealth(
                name="gate",
                main=_MAIN,
                sub=m.StreamHealth(state="unavailable", reason="timeout"),
                last_frame_age_ms=140,
                decoded=300,
                recording=True,
                pre_roll_ms=5200,
            ),
        ),
        host=m.BoxHealth(uptime_ms=86_400_000, load_1m=0.31, temperature_c=51.5, throttled=0),
        outbox=m.OutboxHealth(
            outbox=OUTBOX,
            last_seq=412,
            events=3,
            snapshots=1,
            clips=2,
            clip_bytes=7_340_032,
            oldest_ms=1_790_000_000_000,
        ),
    ),
    m.EpisodeStarted(
        episode=EPISODE,
        camera="gate",
        start_ms=1_790_000_000_000,
        box=(0.1, 0.25, 0.3, 0.75),
        zones=("cửa chính",),
        score=0.81,
        snapshot_sha256=SHA,
    ),
    m.EpisodeUpdated(
        episode=EPISODE,
        camera="gate",
        last_ms=1_790_000_005_000,
        box=(0.1, 0.25, 0.5, 0.75),
        zones=("cửa chính",),
        score=0.86,
    ),
    m.EpisodeEnded(
        episode=EPISODE,
        camera="gate",
        start_ms=1_790_000_000_000,
        end_ms=1_790_000_009_120,
        box=(0.1, 0.25, 0.7, 0.75),
        zones=("cửa chính",),
        score=0.86,
        reason="quiet",
        path=(m.PathPoint(t_ms=0, x=0.2, y=0.5), m.PathPoint(t_ms=9120, x=0.6, y=0.5)),
        snapshot_sha256=SHA,
    ),
    m.ClipReady(
        clip=CLIP,
        episode=EPISODE,
        camera="gate",
        sha256=SHA,
        size_bytes=3_670_016,
        first_frame_ms=1_789_999_994_960,
        duration_ms=17_200,
        codec="h264",
        width=1920,
        height=1080,
    ),
    m.CameraState(camera="gate", state="down", since_ms=1_790_000_100_000, reason="timeout"),
    m.Tamper(camera="gate", kind="covered", active=True, since_ms=1_790_000_200_000),
    m.DataLost(what="clip", reason="disk budget", camera="gate", episode=EPISODE, clip=CLIP, size_bytes=3_670_016),
    m.SnapshotTaken(request=CLIP, camera="gate", taken_ms=1_790_000_250_000, snapshot_sha256=SHA),
    m.Receipt(outbox=OUTBOX, ranges=((1, 400), (402, 412)), clips=(SHA,), snapshots=(SHA,)),
    m.Command(command="snapshot", expires_ms=1_790_000_300_000, camera="gate"),
    m.Reply(
        to="01890a5d-c000-7000-8000-000000000009",
        ok=False,
        error="camera gate gives no picture",
        detail={"camera": "gate"},
    ),
)


def envelope(body: m.Body, seq: int | None = None) -> m.Envelope:
    """The body in an envelope with fixed ids; sequenced bodies get number 412."""
    number = seq if seq is not None else (412 if body.sequenced else None)
    return m.Envelope(
        id="01890a5d-d000-7000-8000-000000000abc",
        box=BOX,
        boot_id=BOOT,
        wall_ms=1_790_000_010_000,
        mono_ms=86_400_123,
        clock="synced",
        body=body,
        seq=number,
        outbox=OUTBOX if number is not None else None,
    )
