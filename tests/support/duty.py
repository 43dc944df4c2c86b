"""A small commune to look at: boxes, cameras, episodes with pictures and clips, incidents and people.

Written through the store's own functions, as ingest would; incidents as the rules would.
"""

import dataclasses
import hashlib
from pathlib import Path

import av
import cv2
import numpy as np
from argon2 import PasswordHasher
from sqlalchemy import Connection, select

from collector.store import boxes, clips, desk, episodes, incidents, ledger, missing, snapshots, users
from collector.store.database import open_database, upsert
from collector.store.episodes import Told
from collector.store.live import note_change
from collector.store.schema import camera_states, fleet_states, silences
from collector.store.schema import episodes as episode_rows
from collector.web.passwords import Passwords
from tests.support.databases import fresh_url
from vonggac.wire import messages as m
from vonggac.wire.ids import uuid7

OUTBOX = "01890a5d-0000-7000-8000-00000000000a"

NOW_MS = 1_790_000_000_000  # 21/09/2026 21:13:20 in Viet Nam
BOOT = "5f0c6a7e-3a53-4ab8-9e5d-1b9be1a2c3d4"
PASSWORD = "mat-khau-thu-nghiem"
QUICK_PASSWORDS = Passwords(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
PEOPLE = {"thu": "administrator", "lan": "officer", "minh": "officer", "son": "technician", "hoa": "auditor"}


class Duty:
    """A database and data folder with figures in it; every call commits."""

    def __init__(self, folder: Path, now_ms: int = NOW_MS, url: str | None = None, made_before: int = 0) -> None:
        self.folder = folder
        self.now_ms = now_ms
        self.url = url or fresh_url(folder)
        self.database = open_database(self.url)
        self._made = made_before

    def new_id(self) -> str:
        """A fresh UUIDv7, the same in every run."""
        self._made += 1
        return uuid7(self.now_ms, hashlib.sha256(str(self._made).encode()).digest()[:10])

    def tell(self, connection: Connection, kind: str, ref: str) -> None:
        """What the live feed tails."""
        note_change(connection, kind, ref, self.now_ms)

    def envelope(self, box: str, body: m.Body) -> m.Envelope:
        """A message of this box."""
        return m.Envelope(
            id=self.new_id(), box=box, boot_id=BOOT, wall_ms=self.now_ms, mono_ms=60_000 + self._made, clock="synced",
            body=body,
        )  # fmt: skip

    def people(self) -> None:
        """One of every role (two officers), all with PASSWORD."""
        encoded = QUICK_PASSWORDS.hash(PASSWORD)
        with self.database.write() as connection:
            for name, role in PEOPLE.items():
                users.add_user(connection, name, encoded, role, self.now_ms)

    def token(self, role: str, secret: str | None = None) -> str:
        """An API token of this role."""
        secret = secret or f"token-of-{role}"
        with self.database.write() as connection:
            users.add_token(connection, secret, f"test {role}", "thu", role, self.now_ms)
        return secret

    def box(self, box: str, site: str, cameras: tuple[str, ...], commune: str = "Xã Hòa Bình") -> None:
        """A registered box that has been connected once."""
        with self.database.write() as connection:
            boxes.add_box(connection, box, site, commune, "no hash", self.now_ms)
            birth = m.Birth(
                agent_version="0.1.0", cameras=tuple(m.CameraInfo(name=name, has_sub=True) for name in cameras),
                config_hash="0" * 64,
            )  # fmt: skip
            boxes.record_birth(connection, self.envelope(box, birth), birth, self.now_ms)
            self.tell(connection, "box", box)

    def heartbeat(self, box: str, beat: m.Heartbeat, at_ms: int | None = None) -> None:
        """Its last heartbeat."""
        with self.database.write() as connection:
            body = dataclasses.asdict(beat)
            boxes.record_heartbeat(connection, self.envelope(box, beat), body, at_ms or self.now_ms)
            self.tell(connection, "box", box)

    def missing(self, box: str, now: int) -> None:
        """A bad day of a box: numbers in every place, a silence of each kind, a camera that lost its picture."""
        with self.database.write() as connection:
            for number in (*range(1, 405), 408, 409):
                ledger.add_number(connection, box, OUTBOX, number)
            word = m.OutboxHealth(
                outbox=OUTBOX, last_seq=412, events=3, snapshots=0, clips=2, clip_bytes=1, waiting=((410, 412),)
            )
            missing.note_outbox(connection, box, word, now)
            for from_ms, until_ms, kind in (
                (50_000, 41_000, "off"),
                (41_000, 39_000, "link"),
                (20_000, 19_400, "link"),
            ):
                connection.execute(
                    silences.insert().values(
                        box=box, from_ms=now - from_ms * 1000, until_ms=now - until_ms * 1000, kind=kind
                    )
                )
            said = "main: The camera rtsp://192.168.1.22/101 refuses the user name or password: check both."
            for bad, before_s, reason, code in (
                (True, 1_500, said, "unauthorised"),
                (True, 9_000, "main: an older box's own words", None),
                (False, 8_200, None, None),
            ):
                connection.execute(
                    camera_states.insert().values(
                        message_id=f"state-{before_s}", camera=f"{box}/nha-xe", aspect="picture", bad=bad,
                        since_ms=now - before_s * 1000, reason=reason, code=code, received_ms=now,
                    )
                )  # fmt: skip

    def standing(self, kind: str, ref: str, state: str, since_ms: int, reasons: tuple[str, ...] = ()) -> None:
        """What the fleet loop would have derived."""
        with self.database.write() as connection:
            upsert(
                connection, fleet_states, kind=kind, ref=ref, state=state, since_ms=since_ms, reasons=list(reasons),
                checked_ms=self.now_ms,
            )  # fmt: skip
            self.tell(connection, kind, ref if kind == "box" else ref.partition("/")[0])

    def started(
        self,
        box: str,
        camera: str,
        start_ms: int,
        *,
        zones: tuple[str, ...] = ("cổng",),
        score: float = 0.82,
        received_ms: int | None = None,
        picture: bytes | None = None,
    ) -> str:
        """An episode that goes on; its id."""
        episode = self.new_id()
        body = m.EpisodeStarted(
            episode=episode, camera=camera, start_ms=start_ms, box=(0.42, 0.35, 0.58, 0.86), zones=zones, score=score,
            snapshot_sha256=None if picture is None else hashlib.sha256(picture).hexdigest(),
        )  # fmt: skip
        with self.database.write() as connection:
            episodes.project(connection, [Told(self.envelope(box, body), body, received_ms or start_ms + 240)])
            self.tell(connection, "episode", episode)
        if picture is not None:
            self.snapshot(box, episode, picture)
        return episode

    def ended(self, box: str, camera: str, episode: str, start_ms: int, end_ms: int, reason: str = "quiet") -> None:
        """Its end."""
        with self.database.write() as connection:
            row = connection.execute(select(episode_rows).where(episode_rows.c.id == episode)).one()
            body = m.EpisodeEnded(
                episode=episode, camera=camera, start_ms=start_ms, end_ms=end_ms, box=tuple(row.rectangle),
                zones=tuple(row.zones), score=row.score, reason=reason,  # type: ignore[arg-type]
            )  # fmt: skip
            at_ms = max(end_ms + 200, row.first_received_ms)
            episodes.project(connection, [Told(self.envelope(box, body), body, at_ms)])
            self.tell(connection, "episode", episode)

    def snapshot(self, box: str, episode: str, picture: bytes) -> str:
        """A picture, stored; its hash."""
        sha256 = hashlib.sha256(picture).hexdigest()
        path = self.folder / "snapshots" / f"{sha256}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)
        relative = str(path.relative_to(self.folder))
        with self.database.write() as connection:
            snapshots.record_snapshot(connection, box, episode, sha256, relative, len(picture), self.now_ms)
            self.tell(connection, "snapshot", episode)
        return sha256

    def announced(self, box: str, camera: str, episode: str, first_ms: int, data: bytes, **more: object) -> str:
        """A clip that is still on the box; its id."""
        clip = self.new_id()
        told = {"duration_ms": 12_000, "codec": "h264", "width": 640, "height": 360} | more
        body = m.ClipReady(
            clip=clip, episode=episode, camera=camera, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data),
            first_frame_ms=first_ms, **told,  # type: ignore[arg-type]
        )  # fmt: skip
        with self.database.write() as connection:
            clips.announce(connection, self.envelope(box, body), body, self.now_ms)
            self.tell(connection, "clip", clip)
        return clip

    def stored(self, box: str, clip: str, data: bytes) -> None:
        """Its bytes have come."""
        path = self.folder / "clips" / f"{clip}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        upload = clips.Upload(
            id=self.new_id(), box=box, clip=clip, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data),
            path=str(path.relative_to(self.folder)), created_ms=self.now_ms,
        )  # fmt: skip
        with self.database.write() as connection:
            clips.finish_upload(connection, upload, self.now_ms)
            self.tell(connection, "clip", clip)

    def incident(self, camera: str, *members: str, start_ms: int, last_ms: int, late_ms: int = 0) -> str:
        """What the rules would make of these episodes."""
        incident = self.new_id()
        with self.database.write() as connection:
            span = incidents.IncidentSpan(
                id=incident, start_ms=start_ms, last_ms=last_ms, state="new", severity="normal", rule="cổng ban đêm"
            )
            incidents.open_incident(connection, span, camera, late_ms, self.now_ms)
            for episode in members:
                incidents.add_member(connection, incident, episode, self.now_ms)
        return incident


def a_heartbeat(
    cameras: tuple[str, ...], *, events: int = 0, clips_left: int = 0, oldest_ms: int | None = None
) -> m.Heartbeat:
    """A sound heartbeat; the last camera has never shown a frame."""
    seen = [
        m.CameraHealth(
            name=name,
            main=m.StreamHealth(state="streaming", fps=25.0, bitrate_kbps=2048.5, drops=0, reconnects=index),
            sub=m.StreamHealth(state="streaming", fps=10.0, bitrate_kbps=312.0),
            last_frame_age_ms=120 + 30 * index,
            decoded=300,
        )
        for index, name in enumerate(cameras[:-1] or cameras)
    ]
    if len(cameras) > 1:
        gone = m.StreamHealth(state="unavailable", reason="unauthorised", reconnects=14)
        seen.append(m.CameraHealth(name=cameras[-1], main=gone))
    return m.Heartbeat(
        interval_s=30.0,
        cameras=tuple(seen),
        host=m.BoxHealth(
            uptime_ms=86_400_000 * 9, load_1m=0.41, temperature_c=58.2, memory_total_bytes=4_000_000_000,
            memory_available_bytes=2_900_000_000, disk_total_bytes=64_000_000_000, disk_free_bytes=41_000_000_000,
        ),
        outbox=m.OutboxHealth(
            outbox=OUTBOX, last_seq=412, events=events, snapshots=0, clips=clips_left,
            clip_bytes=7_340_032 * clips_left, oldest_ms=oldest_ms,
        ),
    )  # fmt: skip


def a_picture(seed: int = 0, size: tuple[int, int] = (640, 360)) -> bytes:
    """A street at night with somebody in it, and the moving region drawn: JPEG."""
    width, height = size
    return bytes(cv2.imencode(".jpg", _street(seed, 0.5, width, height, drawn=True), [cv2.IMWRITE_JPEG_QUALITY, 78])[1])


def a_clip(path: Path, seconds: float = 12.0, fps: int = 10, gop_s: float = 1.0, encoder: str = "libx264") -> bytes:
    """The street with somebody who walks through it from second 5 to 9, fragmented MP4 as the agent writes."""
    flags = "frag_keyframe+empty_moov+default_base_moof"
    with av.open(str(path), "w", format="mp4", options={"movflags": flags}) as out:
        stream = out.add_stream(encoder, rate=fps, options={"preset": "ultrafast", "g": str(int(fps * gop_s))})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for index in range(int(seconds * fps)):
            at_s = index / fps
            place = (at_s - 5) / 4 if 5 <= at_s <= 9 else None
            picture = _street(0, place, 640, 360, drawn=False)
            cv2.putText(picture, f"{at_s:5.1f}", (520, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (235, 235, 235), 2)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode(None))
    return path.read_bytes()


def _street(seed: int, place: float | None, width: int, height: int, *, drawn: bool) -> np.ndarray:
    chance = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:] = np.linspace(58, 24, height, dtype=np.uint8)[:, None, None] + np.array([14, 6, 0], np.uint8)
    horizon = int(height * 0.46)
    for left in range(0, width, width // 7):
        top = horizon - int(chance.integers(40, 140))
        shade = int(chance.integers(30, 70))
        cv2.rectangle(picture, (left, top), (left + width // 8, horizon), (shade + 10, shade, shade), -1)
        for y in range(top + 12, horizon - 14, 26):
            if chance.random() < 0.4:
                cv2.rectangle(picture, (left + 14, y), (left + 28, y + 12), (90, 190, 235), -1)
    road = np.array([[0, height], [width, height], [int(width * 0.68), horizon], [int(width * 0.32), horizon]])
    cv2.fillPoly(picture, [road], (62, 60, 58))
    for step in range(6):
        y = int(horizon + (height - horizon) * (step + 0.3) / 6)
        cv2.line(picture, (width // 2, y), (width // 2, y + 6 + 3 * step), (150, 160, 165), 2)
    if place is not None:
        x, y = int(width * (0.25 + 0.5 * place)), int(height * 0.62)
        tall = int(height * 0.3)
        cv2.ellipse(picture, (x, y), (tall // 7, tall // 2), 0, 0, 360, (70, 84, 150), -1)
        cv2.circle(picture, (x, y - tall // 2 - 8), tall // 9, (150, 170, 205), -1)
        if drawn:
            cv2.rectangle(picture, (x - tall // 3, y - tall), (x + tall // 3, y + tall // 2 + 10), (60, 200, 255), 2)
    noise = chance.integers(-5, 6, picture.shape, dtype=np.int16)
    return np.clip(picture.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def a_whole_shift(duty: Duty, clip: bytes) -> list[str]:
    """Boxes in several states and a feed of six incidents, newest first; their ids."""
    now = duty.now_ms
    duty.people()
    duty.box("nha-van-hoa-01", "Nhà văn hóa thôn Đông", ("cong", "san"))
    duty.box("truong-tieu-hoc", "Trường tiểu học Hòa Bình", ("cong-truong", "hanh-lang", "nha-xe"))
    duty.box("nga-ba-cho", "Ngã ba chợ", ("duong-lon",))
    duty.box("tram-y-te", "Trạm y tế xã", ("loi-vao",))
    duty.heartbeat("nha-van-hoa-01", a_heartbeat(("cong",)), now - 9_000)
    duty.heartbeat(
        "truong-tieu-hoc",
        a_heartbeat(("cong-truong", "hanh-lang", "nha-xe"), events=3, clips_left=2, oldest_ms=now - 1_260_000),
        now - 21_000,
    )
    duty.heartbeat("nga-ba-cho", a_heartbeat(("duong-lon",), events=1, oldest_ms=now - 700_000), now - 640_000)
    duty.missing("truong-tieu-hoc", now)
    duty.standing("box", "nha-van-hoa-01", "up", now - 864_000_000)
    duty.standing("box", "truong-tieu-hoc", "degraded", now - 1_500_000, ("cameras_blind", "outbox_old"))
    duty.standing("box", "nga-ba-cho", "down", now - 460_000, ("lost",))
    duty.standing("box", "tram-y-te", "new", now - 3_600_000)
    duty.standing("camera", "nha-van-hoa-01/cong", "up", now - 864_000_000)
    duty.standing("camera", "nha-van-hoa-01/san", "degraded", now - 200_000, ("tamper:covered",))
    duty.standing("camera", "truong-tieu-hoc/cong-truong", "up", now - 864_000_000)
    duty.standing("camera", "truong-tieu-hoc/hanh-lang", "up", now - 864_000_000)
    duty.standing("camera", "truong-tieu-hoc/nha-xe", "blind", now - 1_500_000, ("stream_unavailable",))
    duty.standing("camera", "nga-ba-cho/duong-lon", "unreachable", now - 460_000, ("box_down",))

    made = []
    plan = (
        ("nha-van-hoa-01", "cong", 6_000, None, 1, 0, "going on"),
        ("truong-tieu-hoc", "cong-truong", 250_000, 9_400, 1, 0, "stored"),
        ("nha-van-hoa-01", "san", 1_900_000, 22_000, 3, 0, "stored"),
        ("nga-ba-cho", "duong-lon", 5_400_000, 4_100, 1, 2_520_000, "announced"),
        ("truong-tieu-hoc", "hanh-lang", 80_000_000, 61_000, 2, 0, "stored"),
        ("nha-van-hoa-01", "cong", 170_000_000, 7_300, 1, 0, "lost"),
    )
    for number, (box, camera, before_ms, length_ms, times, late_ms, state) in enumerate(plan):
        first_ms = now - before_ms
        members = []
        for index in range(times):
            start_ms = first_ms + index * 24_000
            picture = None if number == 3 else a_picture(number * 10 + index)
            members.append(
                duty.started(
                    box,
                    camera,
                    start_ms,
                    zones=((), ("cổng", "lối đi"), ("sân trước",))[(number + index + 1) % 3],
                    score=0.93 - 0.07 * number,
                    received_ms=start_ms + (late_ms or 310),
                    picture=picture,
                )
            )
            if length_ms is None:
                continue
            duty.ended(box, camera, members[-1], start_ms, start_ms + length_ms // times)
            if state in ("stored", "announced"):
                name = duty.announced(box, camera, members[-1], start_ms - 5_000, clip)
                if state == "stored":
                    duty.stored(box, name, clip)
        last_ms = first_ms + (length_ms or 6_000) + 24_000 * (times - 1)
        made.append(duty.incident(f"{box}/{camera}", *members, start_ms=first_ms, last_ms=last_ms, late_ms=late_ms))
    with duty.database.write() as connection:
        for incident, who in ((made[2], "lan"), (made[4], "minh"), (made[5], "lan")):
            desk.acknowledge(connection, incident, who, now - 60_000)
    return made
