"""Mutes as they are kept: who muted what until when and why, and which episodes were muted by them."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from collector.store.database import insert_ignoring
from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import cameras, muted_episodes, mutes


@dataclass(frozen=True, kw_only=True)
class MuteRow:
    """A mute. `from_minute` and `to_minute` are local minutes of every day, both None: all hours."""

    id: str
    camera: str
    zone: str | None
    from_minute: int | None
    to_minute: int | None
    start_ms: int
    until_ms: int
    who: str
    reason: str | None
    incident: str | None
    lifted_ms: int | None = None
    lifted_by: str | None = None
    episodes: int = 0

    def is_on(self, now_ms: int) -> bool:
        """True while it runs."""
        return self.start_ms <= now_ms < self.until_ms


_COLUMNS = [mutes.c[name] for name in MuteRow.__dataclass_fields__ if name != "episodes"]


def add_mute(connection: Connection, mute: MuteRow) -> None:
    """Begin one."""
    values = {name: getattr(mute, name) for name in MuteRow.__dataclass_fields__ if name != "episodes"}
    connection.execute(insert(mutes).values(**values))


def lift_mute(connection: Connection, mute: str, who: str, now_ms: int) -> bool:
    """End one before its time; False when it has ended."""
    ends = update(mutes).where(mutes.c.id == mute, mutes.c.until_ms > now_ms)
    return connection.execute(ends.values(until_ms=now_ms, lifted_ms=now_ms, lifted_by=who)).rowcount == 1


def find_mute(connection: Connection, mute: str) -> MuteRow | None:
    """One mute."""
    row = connection.execute(select(*_COLUMNS).where(mutes.c.id == mute)).mappings().one_or_none()
    return None if row is None else MuteRow(**row)


def box_of_camera(connection: Connection, camera: str) -> str | None:
    """The box of a camera that is known, BOX/NAME; None for any other."""
    box: str | None = connection.scalar(select(cameras.c.box).where(cameras.c.id == camera))
    return box


def running_mutes(connection: Connection, camera: str, now_ms: int) -> list[MuteRow]:
    """What is muted of a camera now."""
    query = select(*_COLUMNS).where(mutes.c.camera == camera, mutes.c.until_ms > now_ms, mutes.c.start_ms <= now_ms)
    return [MuteRow(**row) for row in connection.execute(query).mappings()]


def list_mutes(connection: Connection, since_ms: int, reach: Reach = EVERYWHERE, limit: int = 200) -> list[MuteRow]:
    """Mutes that run, or ended since then, the last to end first, with how many episodes each has muted."""
    count = (
        select(func.count())
        .select_from(muted_episodes)
        .where(muted_episodes.c.mute == mutes.c.id)
        .correlate(mutes)
        .scalar_subquery()
    )
    mine = mutes.c.camera.in_(select(cameras.c.id).where(reach.holds(cameras.c.box)))
    query = (
        select(*_COLUMNS, count.label("episodes"))
        .where(mutes.c.until_ms > since_ms, mine)
        .order_by(mutes.c.until_ms.desc(), mutes.c.id)
        .limit(limit)
    )
    return [MuteRow(**row) for row in connection.execute(query).mappings()]


def note_muted(connection: Connection, episode: str, mute: str, now_ms: int) -> None:
    """The episode is told to nobody because of this mute; it stays in every list."""
    insert_ignoring(connection, muted_episodes, episode=episode, mute=mute, wall_ms=now_ms)


def forget_muted(connection: Connection, episode: str) -> None:
    """The episode went on to where nothing is muted: it is told after all."""
    connection.execute(delete(muted_episodes).where(muted_episodes.c.episode == episode))
