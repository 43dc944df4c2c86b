"""Commands to boxes: a page or a person writes one down, ingest sends it, the box answers."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from collector.store.schema import commands
from vonggac.wire.messages import Envelope, Reply


@dataclass(frozen=True)
class WaitingCommand:
    """A command that has not been sent yet; `id` becomes the message's id."""

    id: str
    box: str
    command: str
    camera: str | None
    expires_ms: int


def add_command(
    connection: Connection,
    command_id: str,
    box: str,
    command: str,
    *,
    now_ms: int,
    expires_ms: int,
    camera: str | None = None,
    who: str | None = None,
) -> None:
    """Write a command down; ingest sends it within half a second."""
    connection.execute(
        insert(commands).values(
            id=command_id,
            box=box,
            command=command,
            camera=camera,
            who=who,
            created_ms=now_ms,
            expires_ms=expires_ms,
        )
    )


def waiting_commands(connection: Connection, now_ms: int, limit: int = 50) -> list[WaitingCommand]:
    """Commands to send now, oldest first; those that have expired are never sent."""
    query = (
        select(commands.c.id, commands.c.box, commands.c.command, commands.c.camera, commands.c.expires_ms)
        .where(commands.c.sent_ms.is_(None), commands.c.expires_ms > now_ms)
        .order_by(commands.c.created_ms)
        .limit(limit)
    )
    return [WaitingCommand(*row) for row in connection.execute(query)]


def mark_sent(connection: Connection, command_id: str, now_ms: int) -> None:
    """It has been handed to the broker."""
    connection.execute(update(commands).where(commands.c.id == command_id).values(sent_ms=now_ms))


def record_reply(connection: Connection, envelope: Envelope, body: Reply, received_ms: int) -> bool:
    """The box's answer; False when it answers nothing that was asked of that box, or for a second time."""
    done = connection.execute(
        update(commands)
        .where(commands.c.id == body.to, commands.c.box == envelope.box, commands.c.replied_ms.is_(None))
        .values(replied_ms=received_ms, ok=body.ok, error=body.error, code=body.code, detail=body.detail)
    )
    return done.rowcount == 1


@dataclass(frozen=True, kw_only=True)
class CommandRow:
    """A command and how it stands: not sent yet, sent, answered, or over without an answer (`expires_ms`)."""

    id: str
    box: str
    command: str
    camera: str | None
    who: str | None
    created_ms: int
    expires_ms: int
    sent_ms: int | None
    replied_ms: int | None
    ok: bool | None
    error: str | None
    code: str | None
    detail: dict[str, str] | None

    def state(self, now_ms: int) -> str:
        """waiting | sent | done | refused | unanswered"""
        if self.replied_ms is not None:
            return "done" if self.ok else "refused"
        if now_ms >= self.expires_ms:
            return "unanswered"
        return "waiting" if self.sent_ms is None else "sent"

    @property
    def picture(self) -> str | None:
        """Under which a picture that was asked for comes, like an episode's."""
        return (self.detail or {}).get("request") if self.command == "snapshot" and self.ok else None


def commands_of(connection: Connection, box: str, limit: int = 10) -> list[CommandRow]:
    """A box's commands, the newest first."""
    columns = [commands.c[name] for name in CommandRow.__dataclass_fields__]
    query = select(*columns).where(commands.c.box == box).order_by(commands.c.created_ms.desc(), commands.c.id)
    return [CommandRow(**row) for row in connection.execute(query.limit(limit)).mappings()]


@dataclass(frozen=True)
class Answer:
    """What a box said to a command."""

    ok: bool
    error: str | None
    detail: dict[str, str]


def answer_of(connection: Connection, command_id: str) -> Answer | None:
    """The box's answer; None until there is one."""
    row = connection.execute(
        select(commands.c.ok, commands.c.error, commands.c.detail).where(
            commands.c.id == command_id, commands.c.replied_ms.is_not(None)
        )
    ).one_or_none()
    return None if row is None else Answer(row.ok, row.error, row.detail or {})
