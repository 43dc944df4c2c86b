"""What the store may raise, named by what the caller should do."""


class StoreUnavailable(Exception):
    """The database cannot be read or written now (locked, disk full, server gone): nothing was stored; try again."""


class StoreUnusable(Exception):
    """The database is damaged, of a newer version, or not ours: a person must look. The text says what to do."""


class Conflict(Exception):
    """What came contradicts what is here (an episode or clip of another box): keep it aside, count, go on."""
