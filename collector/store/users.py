"""People, their sessions, tokens for programs, and failed logins. Secrets are stored only as hashes.

A session's or token's row is found by the SHA-256 of the secret: 256 random bits need no slow hash.
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import login_failures, sessions, tokens, users

TOUCH_EVERY_MS = 60_000
FAILURES_KEPT_MS = 3_600_000


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who may sign in. `disabled_ms` is when they no longer might."""

    name: str
    password_hash: str
    role: str
    language: str | None
    created_ms: int
    disabled_ms: int | None
    standing: "Standing"


@dataclass(frozen=True)
class Standing:
    """What makes a user's rights other than their role's, and where they hold."""

    reach: Reach = EVERYWHERE
    also: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session that is still good, with its user's role and standing of this moment."""

    token_hash: str
    user: str
    role: str
    csrf: str
    seen_ms: int
    standing: Standing


@dataclass(frozen=True, kw_only=True)
class Token:
    """A program's token that is still good; its role is its own, it reaches as far as its user and never has more."""

    name: str
    user: str
    role: str
    standing: Standing


@dataclass(frozen=True)
class Failures:
    """Failed logins of one name or address within the last hour."""

    count: int = 0
    last_ms: int = 0


def digest(secret: str) -> str:
    """What is stored of a session's or token's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def plain_name(name: str) -> str:
    """One spelling of a user's name: `Lan`, `LAN ` and the two ways to write `ọ` are one person."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


# --- people ------------------------------------------------------------------------------------------------------


def add_user(
    connection: Connection, name: str, password_hash: str, role: str, now_ms: int, standing: Standing = Standing()
) -> bool:
    """Add somebody; False when the name is taken."""
    if find_user(connection, name) is not None:
        return False
    values = {"name": plain_name(name), "password_hash": password_hash, "role": role, "created_ms": now_ms}
    connection.execute(insert(users).values(**values, **_stored(standing)))
    return True


def change_user(connection: Connection, name: str, role: str, standing: Standing) -> bool:
    """Another role, reach or rights, from the next request on. False when there is no such user."""
    changed = update(users).where(users.c.name == plain_name(name)).values(role=role, **_stored(standing))
    return connection.execute(changed).rowcount == 1


def find_user(connection: Connection, name: str) -> User | None:
    """The user of this name, disabled or not."""
    row = connection.execute(select(users).where(users.c.name == plain_name(name))).mappings().one_or_none()
    return None if row is None else _user(row)


def all_users(connection: Connection) -> list[User]:
    """Everybody, by name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name)).mappings()]


_STANDING = (users.c.reach, users.c.also, users.c.without)


def _stored(standing: Standing) -> dict[str, Any]:
    rights = {"also": sorted(standing.also) or None, "without": sorted(standing.without) or None}
    return {"reach": standing.reach.stored(), **rights}


def _with_standing(row: RowMapping) -> dict[str, Any]:
    """The row's values with reach, also and without folded into `standing`."""
    values = dict(row)
    standing = Standing(
        reach=Reach.read(values.pop("reach")),
        also=frozenset(values.pop("also") or ()),
        without=frozenset(values.pop("without") or ()),
    )
    return {**values, "standing": standing}


def _user(row: RowMapping) -> User:
    return User(**_with_standing(row))


def set_password(connection: Connection, name: str, password_hash: str) -> bool:
    """A new password ends every session of that user. False when there is no such user."""
    changed = connection.execute(
        update(users).where(users.c.name == plain_name(name)).values(password_hash=password_hash)
    )
    end_sessions_of(connection, name)
    return changed.rowcount == 1


def disable_user(connection: Connection, name: str, now_ms: int) -> bool:
    """They may no longer sign in; sessions end at once, tokens die with them. False when there is no such user."""
    changed = connection.execute(
        update(users)
        .where(users.c.name == plain_name(name))
        .values(disabled_ms=func.coalesce(users.c.disabled_ms, now_ms))
    )
    end_sessions_of(connection, name)
    return changed.rowcount == 1


# --- sessions ----------------------------------------------------------------------------------------------------


def add_session(connection: Connection, secret: str, user: str, csrf: str, now_ms: int, expires_ms: int) -> None:
    """Begin a session; `expires_ms` is its absolute end."""
    connection.execute(delete(sessions).where(sessions.c.expires_ms <= now_ms))
    connection.execute(
        insert(sessions).values(
            token_hash=digest(secret),
            user=user,
            csrf=csrf,
            created_ms=now_ms,
            seen_ms=now_ms,
            expires_ms=expires_ms,
        )
    )


def find_session(connection: Connection, token_hash: str, now_ms: int, idle_ms: int) -> Session | None:
    """The session, unless it is over: expired, idle for longer than `idle_ms`, or its user disabled."""
    row = (
        connection.execute(
            select(
                sessions.c.token_hash, sessions.c.user, users.c.role, sessions.c.csrf, sessions.c.seen_ms, *_STANDING
            )
            .join(users, users.c.name == sessions.c.user)
            .where(
                sessions.c.token_hash == token_hash,
                sessions.c.expires_ms > now_ms,
                sessions.c.seen_ms > now_ms - idle_ms,
                users.c.disabled_ms.is_(None),
            )
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else Session(**_with_standing(row))


def touch_session(connection: Connection, token_hash: str, now_ms: int) -> None:
    """Somebody is there: the idle time begins anew."""
    connection.execute(
        update(sessions).where(sessions.c.token_hash == token_hash, sessions.c.seen_ms < now_ms).values(seen_ms=now_ms)
    )


def end_session(connection: Connection, token_hash: str) -> None:
    """Sign out."""
    connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


def end_sessions_of(connection: Connection, user: str) -> None:
    """Sign a user out everywhere."""
    connection.execute(delete(sessions).where(sessions.c.user == plain_name(user)))


# --- tokens for programs -----------------------------------------------------------------------------------------


def add_token(
    connection: Connection, secret: str, name: str, user: str, role: str, now_ms: int, expires_ms: int | None = None
) -> None:
    """A token named `name`, answered for by `user`."""
    connection.execute(
        insert(tokens).values(
            token_hash=digest(secret), name=name, user=user, role=role, created_ms=now_ms, expires_ms=expires_ms
        )
    )


def find_token(connection: Connection, secret: str, now_ms: int) -> Token | None:
    """The token, unless it has expired or its user was disabled."""
    row = (
        connection.execute(
            select(tokens.c.name, tokens.c.user, tokens.c.role, *_STANDING)
            .join(users, users.c.name == tokens.c.user)
            .where(
                tokens.c.token_hash == digest(secret),
                or_(tokens.c.expires_ms.is_(None), tokens.c.expires_ms > now_ms),
                users.c.disabled_ms.is_(None),
            )
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else Token(**_with_standing(row))


def remove_token(connection: Connection, name: str) -> bool:
    """End every token of this name; False when there was none."""
    return connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount > 0


# --- failed logins -----------------------------------------------------------------------------------------------


def failures_of(
    connection: Connection, now_ms: int, *, name: str | None = None, address: str | None = None
) -> Failures:
    """Failed logins of a name or of an address within the last hour."""
    which = login_failures.c.name == name if name is not None else login_failures.c.address == address
    count, last_ms = connection.execute(
        select(func.count(), func.max(login_failures.c.wall_ms)).where(
            which, login_failures.c.wall_ms > now_ms - FAILURES_KEPT_MS, login_failures.c.wall_ms <= now_ms
        )
    ).one()
    return Failures(count, last_ms or 0)


def add_failure(connection: Connection, name: str, address: str, now_ms: int) -> None:
    """Count a try before its password is looked at, so that a hundred at once count as a hundred."""
    connection.execute(delete(login_failures).where(login_failures.c.wall_ms <= now_ms - FAILURES_KEPT_MS))
    connection.execute(insert(login_failures).values(name=name, address=address, wall_ms=now_ms))


def forget_failures(connection: Connection, name: str) -> None:
    """The right password came: that name starts anew."""
    connection.execute(delete(login_failures).where(login_failures.c.name == name))
