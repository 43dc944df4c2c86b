"""Two machines that say they are one box: a copied card, or keys that somebody took.

Two signs, both looked for every LOOK_EVERY_MS: heartbeats that go back to an earlier boot and on again (a box that
starts anew never returns to a boot it has left; once may be a message that came late, twice is not), and a certificate
that its box has long renewed and that still comes. An outage of kind `clone` is open meanwhile, so that technicians are
told once; it ends when neither sign was seen for QUIET_MS, and nobody is told of that.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from collector.alerts.texts import AlertFacts
from collector.fleet.telling import Telling, begin_told
from collector.store import fleet as store
from collector.store import identities
from collector.store.database import Database
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)
KIND = "clone"
LOOK_EVERY_MS = 15_000
QUIET_MS = 1_800_000
RENEWED_FOR_MS = 600_000
"""So long after a renewal connections of the old certificate may still end."""
_RETURNS = 2

Sign = Literal["alternates", "old_certificate"]


def returns(boots: Iterable[str]) -> int:
    """How often a boot comes again after another one.

    >>> returns(["a", "a", "b", "b"])
    0
    >>> returns(["a", "b", "a", "b"])
    2
    """
    seen: set[str] = set()
    last, count = None, 0
    for boot in boots:
        if boot != last and boot in seen:
            count += 1
        seen.add(boot)
        last = boot
    return count


class CloneWatch:
    """Over one database; `telling` says who hears of it."""

    def __init__(self, database: Database, telling: Telling) -> None:
        self._database = database
        self._telling = telling
        self._looked_ms: int | None = None

    def step(self, now_ms: int) -> int:
        """Look, when it is time; returns how many alerts are new. Raises StoreUnavailable: look again."""
        if self._looked_ms is not None and 0 <= now_ms - self._looked_ms < LOOK_EVERY_MS:
            return 0
        since_ms = now_ms - QUIET_MS
        with self._database.read() as connection:
            signs: dict[str, Sign] = {
                box: "alternates"
                for box, boots in identities.boots_of_many(connection, since_ms).items()
                if returns(boots) >= _RETURNS
            }
            for box in identities.renewed_but_used(connection, since_ms, RENEWED_FOR_MS):
                signs.setdefault(box, "old_certificate")
            outages = {ref: one for (kind, ref), one in store.open_outages(connection).items() if kind == KIND}
            sites = {each.id: each.site for each in store.boxes_heard(connection)} if signs else {}
        told = 0
        for box in sorted(signs.keys() - outages.keys()):
            told += self._begin(box, sites.get(box), signs[box], now_ms)
        for box in sorted(outages.keys() - signs.keys()):
            with self._database.write() as connection:
                store.change_outage(connection, replace(outages[box], end_ms=now_ms), now_ms)
        self._looked_ms = now_ms
        return told

    def _begin(self, box: str, site: str | None, sign: Sign, now_ms: int) -> int:
        log.error("two machines say they are one box", box=box, sign=sign)
        facts = AlertFacts(subject="box_cloned", box=box, at_ms=now_ms, rings=True, site=site, reason=sign)
        with self._database.write() as connection:
            return begin_told(connection, self._telling, (KIND, box), "cloned", facts, now_ms)
