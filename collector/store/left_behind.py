"""What an outbox that is no longer in its box still owed: the ends of its episodes, the bytes of its clips.

A box whose card was changed, wiped or torn out counts anew under another outbox; its heartbeat says under which. What
the earlier one had begun and not finished can then no longer come, and must not look as if it were still going on or on
its way: it is closed with a reason of its own. Should that card come back, its own words replace ours. A box that read
a damaged outbox into a new one still has its clips: while any wait on it, no clip is left behind.
"""

from sqlalchemy import Connection, text, update

from collector.store.schema import clips, episodes

REASON = "left_behind"
"""Why an episode ended, and the state of a clip; the box never says it."""

# As text, so that the partial indexes of the schema are seen to fit.
_GOES_ON, _CLOSED = text("end_ms IS NULL"), text(f"reason = '{REASON}'")
_ON_ITS_WAY, _LEFT = text("state = 'announced'"), text(f"state = '{REASON}'")


def settle(connection: Connection, box: str, outbox: str, *, has_clips: bool) -> tuple[list[str], list[str]]:
    """`outbox` is in the box now: what others left open is closed, what was closed of its own is open again.

    `has_clips`: clips wait on the box, of this outbox or taken over from a damaged one. Returns the ids of the
    episodes and of the clips that changed. An episode ends where it was last heard of.
    """
    of_box = episodes.c.box == box
    changed = [
        connection.execute(statement.returning(episodes.c.id)).scalars().all()
        for statement in (
            update(episodes)
            .where(of_box, episodes.c.outbox != outbox, _GOES_ON)
            .values(end_ms=episodes.c.last_ms, reason=REASON),
            update(episodes).where(of_box, episodes.c.outbox == outbox, _CLOSED).values(end_ms=None, reason=None),
        )
    ]
    moves = [update(clips).where(clips.c.box == box, clips.c.outbox == outbox, _LEFT).values(state="announced")]
    if not has_clips:
        others = update(clips).where(clips.c.box == box, clips.c.outbox != outbox, _ON_ITS_WAY)
        moves.append(others.values(state=REASON))
    moved = [connection.execute(statement.returning(clips.c.id)).scalars().all() for statement in moves]
    return [*changed[0], *changed[1]], [clip for each in moved for clip in each]
