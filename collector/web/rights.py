"""Who may do what: the one table of roles and rights, as docs/ref/rights.md says it to people. Pure.

A route names the right it needs when it is built, so a route without one cannot exist; `public` is said, never assumed.
Where a right holds is the user's reach: communes and sites.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from collector.store.reach import EVERYWHERE, Reach

Right = Literal[
    "public", "signed_in", "see_incidents", "see_media", "export", "acknowledge", "mute", "delete", "see_fleet",
    "command", "maintain", "see_metrics", "see_audit", "stop_updates", "configure",
]  # fmt: skip
Role = Literal["administrator", "officer", "technician", "auditor"]

ROLES: tuple[Role, ...] = ("administrator", "officer", "technician", "auditor")
GIVEN: tuple[Right, ...] = (
    "see_incidents", "see_media", "export", "acknowledge", "mute", "delete", "see_fleet", "command",
    "maintain", "see_metrics", "see_audit", "stop_updates", "configure",
)  # fmt: skip
"""The rights that a user can have beside their role's, or not have in spite of it."""

RIGHTS_OF_ROLE: dict[str, frozenset[Right]] = {
    "administrator": frozenset({"signed_in", *GIVEN}),
    "officer": frozenset({"signed_in", "see_incidents", "see_media", "export", "acknowledge", "mute", "see_fleet"}),
    "technician": frozenset({"signed_in", "see_fleet", "command", "maintain", "see_metrics", "stop_updates"}),
    "auditor": frozenset({"signed_in", "see_incidents", "see_media", "see_fleet", "see_audit"}),
}


def rights_of(role: str, also: Iterable[str] = (), without: Iterable[str] = ()) -> frozenset[str]:
    """The rights of a user; a role that is not in the table holds none."""
    more = set(also) & set(GIVEN)
    return frozenset((RIGHTS_OF_ROLE.get(role, frozenset()) | more) - set(without))


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Somebody who proved who they are, by a session (`csrf` is what their forms must carry) or by a token."""

    name: str
    role: str
    by: Literal["session", "token"]
    rights: frozenset[str] = frozenset()
    reach: Reach = EVERYWHERE
    csrf: str | None = None
    session: str | None = None

    def may(self, right: Right) -> bool:
        """True when this person or program holds the right."""
        return right == "public" or right in self.rights
