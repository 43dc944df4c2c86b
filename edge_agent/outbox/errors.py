"""What an outbox may raise, named by what the caller should do."""


class OutboxInUse(Exception):
    """Another process holds this outbox: stop that one first."""


class OutboxFull(Exception):
    """The disk took no more, not even with the reserve: nothing was stored; free space, then try again."""
