"""The collector's own disk: technicians are told once when it fills up, before clips have to wait, and once when it has
room again.

An outage of kind `disk` is open meanwhile, so that a restart repeats nothing. It ends with a tenth more than the limit
free, so that a disk at the limit does not tell again and again.
"""

from collections.abc import Callable
from dataclasses import replace

from collector.alerts.texts import AlertFacts, DiskFacts
from collector.fleet.telling import Telling, begin_told, tell
from collector.store import fleet as store
from collector.store.database import Database
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)
KIND, REF = "disk", "collector"


class DiskWatch:
    """`free_bytes` asks the disk; below `tell_below_bytes` people are told that clips wait below `clips_wait_bytes`."""

    def __init__(
        self,
        database: Database,
        telling: Telling,
        free_bytes: Callable[[], int],
        tell_below_bytes: int,
        clips_wait_bytes: int,
    ) -> None:
        self._database = database
        self._telling = telling
        self._free_bytes = free_bytes
        self._tell_below_bytes = tell_below_bytes
        self._clips_wait_bytes = clips_wait_bytes

    def step(self, now_ms: int) -> int:
        """Look once; returns how many alerts are new. Raises StoreUnavailable: look again."""
        free_bytes = self._free_bytes()
        with self._database.read() as connection:
            outage = store.open_outages(connection).get((KIND, REF))
        if outage is None and free_bytes < self._tell_below_bytes:
            log.warning("the disk fills up", free_bytes=free_bytes, clips_wait_below_bytes=self._clips_wait_bytes)
            with self._database.write() as connection:
                facts = self._facts(free_bytes, now_ms, low=True)
                return begin_told(connection, self._telling, (KIND, REF), "low", facts, now_ms)
        if outage is not None and free_bytes >= self._tell_below_bytes * 1.1:
            log.info("the disk has room again", free_bytes=free_bytes)
            with self._database.write() as connection:
                store.change_outage(connection, replace(outage, end_ms=now_ms), now_ms)
                return tell(connection, self._telling, outage.id, self._facts(free_bytes, now_ms, low=False), now_ms)
        return 0

    def _facts(self, free_bytes: int, now_ms: int, *, low: bool) -> AlertFacts:
        return AlertFacts(
            subject="disk_low" if low else "disk_roomy",
            box="",
            at_ms=now_ms,
            rings=low,
            disk=DiskFacts(free_bytes, self._clips_wait_bytes),
        )
