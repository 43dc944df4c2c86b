"""What the database's rows say of themselves and of each other, for fsck. Complaints are (kind, text) pairs.

Each query looks for a broken promise of docs/design/durability.md, not for what is merely unusual.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select

from collector.store import ledger
from collector.store.schema import alerts, clips, events, meta, sequences, uploads

Complaint = tuple[str, str]
_SHOWN = 20
STUCK_MS = 3_600_000
RESTORED_FROM = "restored_from"


def check_engine(connection: Connection, *, deep: bool) -> Iterator[Complaint]:
    """What SQLite itself finds wrong. PostgreSQL checks its own pages and keys."""
    if connection.dialect.name != "sqlite":
        return
    check = "integrity_check" if deep else "quick_check"
    for complaint in connection.exec_driver_sql(f"PRAGMA {check}({_SHOWN})").scalars():
        if complaint != "ok":
            yield "database", complaint
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(_SHOWN):
        yield "database", f"a row of {row[0]} names a row of {row[2]} that is not there"


def check_ranges(connection: Connection) -> Iterator[Complaint]:
    """Ranges of numbers are disjoint, never touch and count from 1; each number has or had an event."""
    last: Any = None
    for row in connection.execute(
        select(sequences).order_by(sequences.c.box, sequences.c.outbox, sequences.c.first_seq)
    ):
        if not 1 <= row.first_seq <= row.last_seq:
            yield "ledger", f"box {row.box}: {row.first_seq}–{row.last_seq} is no range of numbers"
        same = last is not None and (last.box, last.outbox) == (row.box, row.outbox)
        if same and row.first_seq <= last.last_seq + 1:
            yield "ledger", f"box {row.box}: the ranges {last.first_seq}–{last.last_seq} and {row.first_seq}–… touch"
        last = row
    numbers = connection.scalar(select(func.sum(sequences.c.last_seq - sequences.c.first_seq + 1))) or 0
    rows = connection.scalar(select(func.count()).select_from(events)) or 0
    counted = ledger.all_counters(connection)
    gone, twice = counted.get(ledger.EVENTS_PRUNED, 0), counted.get(ledger.USED_TWICE, 0)
    unknown = len(uncounted_events(connection))
    missing = int(numbers) - (rows - twice - unknown + gone)
    if missing > 0:
        yield "ledger", f"{missing} numbers are said to be here, and no event ever came with them"
    elif missing < 0:
        yield "ledger", f"{-missing} events are here more than numbers"


def uncounted_events(connection: Connection) -> list[tuple[str, str, int]]:
    """Box, outbox and number of events whose number no range knows: it would be called a hole."""
    covered = exists().where(
        sequences.c.box == events.c.box,
        sequences.c.outbox == events.c.outbox,
        sequences.c.first_seq <= events.c.seq,
        sequences.c.last_seq >= events.c.seq,
    )
    query = select(events.c.box, events.c.outbox, events.c.seq).where(~covered).distinct()
    return [(row.box, row.outbox, row.seq) for row in connection.execute(query.order_by(events.c.box, events.c.seq))]


def count_event(connection: Connection, box: str, outbox: str, seq: int) -> None:
    """Have the ranges know the number of an event that is here."""
    ledger.add_number(connection, box, outbox, seq)


def check_clips(connection: Connection) -> Iterator[Complaint]:
    """A clip has a place exactly while it is stored; what is held is here; two never share a place."""
    is_stored, has_place = clips.c.state == "stored", and_(clips.c.path.is_not(None), clips.c.stored_ms.is_not(None))
    odd = or_(and_(is_stored, ~has_place), and_(~is_stored, clips.c.path.is_not(None)))
    for row in connection.execute(select(clips.c.id, clips.c.state, clips.c.path).where(odd).limit(_SHOWN)):
        yield "clip", f"clip {row.id} is {row.state}, and its place is {row.path or 'none'}"
    for row in connection.execute(select(clips.c.id).where(clips.c.held, clips.c.state == "deleted").limit(_SHOWN)):
        yield "hold", f"clip {row.id} is under legal hold and was deleted"
    twice = select(clips.c.path).where(is_stored).group_by(clips.c.path).having(func.count() > 1).limit(_SHOWN)
    for path in connection.scalars(twice):
        yield "duplicate", f"several clips are said to stand at {path}"


def check_events(connection: Connection) -> Iterator[Complaint]:
    """No message stands twice in the ledger of one outbox."""
    key = (events.c.box, events.c.outbox, events.c.message_id)
    twice = select(*key, func.min(events.c.seq).label("seq")).group_by(*key).having(func.count() > 1).limit(_SHOWN)
    for row in connection.execute(twice):
        yield "duplicate", f"box {row.box}: message {row.message_id} has several numbers, {row.seq} is the first"


def finished_uploads(connection: Connection) -> list[str]:
    """Uploads that are noted as unfinished though their clip is stored with these bytes: nothing waits for them."""
    query = select(uploads.c.id).join(clips, and_(clips.c.id == uploads.c.clip, clips.c.box == uploads.c.box))
    return list(connection.scalars(query.where(clips.c.state == "stored", clips.c.sha256 == uploads.c.sha256)))


def forget_upload(connection: Connection, upload: str) -> None:
    """Take an upload's row out."""
    connection.execute(delete(uploads).where(uploads.c.id == upload))


def check_alerts(connection: Connection, now_ms: int) -> Iterator[Complaint]:
    """Alerts that were to be sent long ago, claimed or not; while nobody delivers they wait, which is no fault."""
    query = select(alerts.c.channel, alerts.c.state, func.count().label("n"), func.min(alerts.c.created_ms).label("ms"))
    stuck = or_(
        and_(alerts.c.state == "claimed", alerts.c.claimed_ms < now_ms - STUCK_MS),
        and_(alerts.c.state == "due", alerts.c.next_ms < now_ms - STUCK_MS),
    )
    for row in connection.execute(query.where(stuck).group_by(alerts.c.channel, alerts.c.state)):
        hours = (now_ms - row.ms) // 3_600_000
        yield "alert", f"{row.n} alerts to {row.channel} are {row.state} and not sent, the oldest for {hours} h"


def restored(connection: Connection) -> str | None:
    """Of when the backup is that this collector was restored from, if it was."""
    made: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == RESTORED_FROM))
    return made


def note_restored(connection: Connection, made: str) -> None:
    """Keep in mind that this database comes from a backup that was made then."""
    connection.execute(delete(meta).where(meta.c.key == RESTORED_FROM))
    connection.execute(insert(meta).values(key=RESTORED_FROM, value=made))
