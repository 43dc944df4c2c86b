"""Who may do what: the one table of roles and rights. Pure.

A route names the right it needs when it is built, so a route without one cannot exist; `PUBLIC` is said, never assumed.
"""

from dataclasses import dataclass
from typing import Literal

Right = Literal[
    "public", "signed_in", "see_incidents", "see_media", "acknowledge", "see_fleet", "see_metrics", "see_audit"
]
Role = Literal["administrator", "officer", "technician", "auditor"]

ROLES: tuple[Role, ...] = ("administrator", "officer", "technician", "auditor")

RIGHTS_OF_ROLE: dict[str, frozenset[Right]] = {
    "administrator": frozenset(
        {"signed_in", "see_incidents", "see_media", "acknowledge", "see_fleet", "see_metrics", "see_audit"}
    ),
    "officer": frozenset({"signed_in", "see_incidents", "see_media", "acknowledge", "see_fleet"}),
    "technician": frozenset({"signed_in", "see_fleet", "see_metrics"}),
    "auditor": frozenset({"signed_in", "see_incidents", "see_media", "see_fleet", "see_audit"}),
}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Somebody who proved who they are, by a session (`csrf` is what their forms must carry) or by a token."""

    name: str
    role: str
    by: Literal["session", "token"]
    csrf: str | None = None
    session: str | None = None

    def may(self, right: Right) -> bool:
        """True when this role holds the right; a role that is not in the table holds none."""
        return right == "public" or right in RIGHTS_OF_ROLE.get(self.role, frozenset())
