"""Alert rules that were made on the page."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from collector.store.database import upsert
from collector.store.schema_desk import desk_rules


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """A rule as it is kept; `body` is of alerts/stored_rules.py."""

    id: str
    name: str
    body: dict[str, Any]
    changed_ms: int
    who: str


_RULE = [desk_rules.c[name] for name in RuleRow.__dataclass_fields__]


def list_rules(connection: Connection) -> list[RuleRow]:
    """All of them by name."""
    return [RuleRow(**row._mapping) for row in connection.execute(select(*_RULE).order_by(desk_rules.c.name))]


def keep_rule(connection: Connection, rule: RuleRow) -> bool:
    """A new rule, or a known one as it is from now on; False when another one has its name."""
    same_name = select(desk_rules.c.id).where(desk_rules.c.name == rule.name, desk_rules.c.id != rule.id)
    if connection.scalar(same_name) is not None:
        return False
    upsert(connection, desk_rules, **{name: getattr(rule, name) for name in RuleRow.__dataclass_fields__})
    return True


def remove_rule(connection: Connection, rule: str) -> bool:
    """It holds no more; what it opened stays. False when it was gone."""
    return connection.execute(delete(desk_rules).where(desk_rules.c.id == rule)).rowcount == 1
