"""Putting a body into an envelope: who, when, by which clock, and which number."""

from vonggac.daemon.clock import Clock, new_id
from vonggac.wire.messages import Body, Envelope


def make_envelope(body: Body, box: str, clock: Clock, seq: int | None = None, outbox: str | None = None) -> Envelope:
    """An envelope made now; sequenced bodies need `seq` and `outbox`."""
    return Envelope(
        id=new_id(clock),
        box=box,
        boot_id=clock.boot_id,
        wall_ms=clock.wall_ms(),
        mono_ms=int(clock.mono_ms()),
        clock=clock.state(),
        body=body,
        seq=seq,
        outbox=outbox,
    )
