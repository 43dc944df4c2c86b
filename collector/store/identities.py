"""Enrolment tokens, certificates and signing keys of boxes: what was given to whom, and what of it still holds.

Rules: a token burns in the transaction that stores its certificate; a certificate's row is never deleted, so that a
revoked one stays revoked; a newer certificate ends the older ones of its box when it is first used, not when it is
made: a box that lost the answer still has the old one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, and_, func, insert, select, update

from collector.store.schema import boxes, heartbeat_history
from collector.store.schema_identity import certificates, enrolment_tokens, signing_keys

WARN_MS = 30 * 86_400_000
"""So long before a certificate ends technicians see it: boxes renew when a third of a year is left."""
MISUSE_SHOWN_MS = 86_400_000
Reason = Literal["revoked", "replaced", "retired", "superseded"]


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as it was made; times in UTC milliseconds."""

    box: str
    made_ms: int
    expires_ms: int
    used_ms: int | None
    key_hash: str | None
    void_ms: int | None


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate as it was given."""

    serial: str
    box: str
    key_hash: str
    issued_ms: int
    not_after_ms: int
    first_used_ms: int | None
    revoked_ms: int | None
    reason: str | None
    pem: str
    misused_ms: int | None = None


_TOKEN = [enrolment_tokens.c[name] for name in Token.__dataclass_fields__]
_CERTIFICATE = [certificates.c[name] for name in Certificate.__dataclass_fields__]
_HOLDS = and_(certificates.c.revoked_ms.is_(None), boxes.c.revoked_ms.is_(None), boxes.c.removed_ms.is_(None))


# --- tokens ------------------------------------------------------------------------------------------------------


def add_token(connection: Connection, token_hash: str, box: str, now_ms: int, expires_ms: int) -> None:
    """A new one; older ones of the box that nobody used are void from now on."""
    void_tokens(connection, box, now_ms)
    connection.execute(
        insert(enrolment_tokens).values(token_hash=token_hash, box=box, made_ms=now_ms, expires_ms=expires_ms)
    )


def void_tokens(connection: Connection, box: str, now_ms: int) -> None:
    """No bundle of this box can be used any more."""
    connection.execute(
        update(enrolment_tokens)
        .where(enrolment_tokens.c.box == box, enrolment_tokens.c.void_ms.is_(None))
        .values(void_ms=now_ms)
    )


def find_token(connection: Connection, token_hash: str) -> Token | None:
    """Whatever became of it."""
    row = connection.execute(select(*_TOKEN).where(enrolment_tokens.c.token_hash == token_hash)).mappings().first()
    return None if row is None else Token(**row)


def burn_token(connection: Connection, token_hash: str, key_hash: str, now_ms: int) -> bool:
    """Only this key may ask with it again. False when somebody was faster."""
    done = connection.execute(
        update(enrolment_tokens)
        .where(
            enrolment_tokens.c.token_hash == token_hash,
            enrolment_tokens.c.used_ms.is_(None),
            enrolment_tokens.c.void_ms.is_(None),
        )
        .values(used_ms=now_ms, key_hash=key_hash)
    )
    return done.rowcount == 1


# --- certificates ------------------------------------------------------------------------------------------------


def add_certificate(connection: Connection, given: Certificate) -> None:
    """Given to a box now."""
    connection.execute(insert(certificates).values(**vars(given)))


def find_certificate(connection: Connection, serial: str) -> Certificate | None:
    """The certificate of this serial."""
    row = connection.execute(select(*_CERTIFICATE).where(certificates.c.serial == serial)).mappings().first()
    return None if row is None else Certificate(**row)


def certificate_of_key(connection: Connection, box: str, key_hash: str) -> Certificate | None:
    """The newest that a box was given for this key."""
    row = (
        connection.execute(
            select(*_CERTIFICATE)
            .where(certificates.c.box == box, certificates.c.key_hash == key_hash)
            .order_by(certificates.c.issued_ms.desc(), certificates.c.serial)
        )
        .mappings()
        .first()
    )
    return None if row is None else Certificate(**row)


def enrolled_ms(connection: Connection, box: str, since_ms: int) -> int | None:
    """When the box got its first certificate since then, if that one or a later one holds."""
    given = select(func.min(certificates.c.issued_ms)).where(
        certificates.c.box == box, certificates.c.issued_ms >= since_ms
    )
    holds = select(func.count()).where(certificates.c.box == box, certificates.c.revoked_ms.is_(None))
    return connection.scalar(given) if connection.scalar(holds) else None


def is_key_known(connection: Connection, key_hash: str) -> bool:
    """Did any box ever have a certificate for this key?"""
    return (
        connection.scalar(select(certificates.c.serial).where(certificates.c.key_hash == key_hash).limit(1)) is not None
    )


def count_unused(connection: Connection, box: str) -> int:
    """Certificates of the box that hold and that it has not used yet."""
    unused = and_(certificates.c.first_used_ms.is_(None), certificates.c.revoked_ms.is_(None))
    return connection.scalar(select(func.count()).where(certificates.c.box == box, unused)) or 0


def count_given(connection: Connection, box: str, since_ms: int) -> int:
    """Certificates that the box was given since then."""
    lately = and_(certificates.c.box == box, certificates.c.issued_ms > since_ms)
    return connection.scalar(select(func.count()).where(lately)) or 0


def note_use(connection: Connection, serial: str, box: str, now_ms: int) -> None:
    """A certificate is used for the first time: what its box had before ends."""
    done = connection.execute(
        update(certificates)
        .where(certificates.c.serial == serial, certificates.c.first_used_ms.is_(None))
        .values(first_used_ms=now_ms)
    )
    if done.rowcount == 1:
        issued_ms = connection.scalar(select(certificates.c.issued_ms).where(certificates.c.serial == serial))
        _revoke(connection, box, "superseded", now_ms, certificates.c.serial != serial, until_ms=issued_ms)


def note_misuse(connection: Connection, serial: str, now_ms: int) -> None:
    """A certificate that has ended was used."""
    connection.execute(update(certificates).where(certificates.c.serial == serial).values(misused_ms=now_ms))


def renewed_but_used(connection: Connection, since_ms: int, grace_ms: int) -> list[str]:
    """Boxes of which a certificate was used since then, more than `grace_ms` after it had been renewed."""
    query = select(certificates.c.box).where(
        certificates.c.reason == "superseded",
        certificates.c.misused_ms >= since_ms,
        certificates.c.misused_ms > certificates.c.revoked_ms + grace_ms,
    )
    return sorted(set(connection.scalars(query)))


def boots_of_many(connection: Connection, since_ms: int) -> dict[str, list[str]]:
    """Of boxes that were heard under several boots since then: the boot of each heartbeat, in the order of arrival."""
    beats = heartbeat_history
    several = (
        select(boxes.c.id)
        .join(beats, and_(beats.c.box == boxes.c.id, beats.c.received_ms >= since_ms))
        .group_by(boxes.c.id)
        .having(func.count(beats.c.boot_id.distinct()) > 1)
    )
    found: dict[str, list[str]] = {}
    for box in connection.scalars(several).all():
        heard = select(beats.c.boot_id).where(beats.c.box == box, beats.c.received_ms >= since_ms)
        found[box] = list(connection.scalars(heard.order_by(beats.c.received_ms, beats.c.id)))
    return found


def end_certificates(connection: Connection, box: str, reason: Reason, now_ms: int) -> int:
    """None of the box's certificates holds any more; returns how many did."""
    return _revoke(connection, box, reason, now_ms)


def _revoke(
    connection: Connection, box: str, reason: Reason, now_ms: int, *which: object, until_ms: int | None = None
) -> int:
    query = update(certificates).where(certificates.c.box == box, certificates.c.revoked_ms.is_(None), *which)  # type: ignore[arg-type]
    if until_ms is not None:
        query = query.where(certificates.c.issued_ms <= until_ms)
    return connection.execute(query.values(revoked_ms=now_ms, reason=reason)).rowcount


def holding(connection: Connection, now_ms: int) -> list[tuple[str, str]]:
    """(box, serial) of every certificate with which a box may connect now, in a fixed order."""
    query = (
        select(certificates.c.box, certificates.c.serial)
        .join(boxes, boxes.c.id == certificates.c.box)
        .where(_HOLDS, certificates.c.not_after_ms > now_ms)
        .order_by(certificates.c.box, certificates.c.serial)
    )
    return [(row.box, row.serial) for row in connection.execute(query)]


def may_connect(connection: Connection, now_ms: int) -> dict[str, int]:
    """Boxes that may connect, each with the moment (ms) before which whatever connected may not; 0 without one.

    A renewal is no such moment: box and session stay the same.
    """
    boxes_now = {box for box, _serial in holding(connection, now_ms)}
    cuts = (
        select(certificates.c.box, func.max(certificates.c.revoked_ms).label("cut_ms"))
        .where(certificates.c.reason != "superseded")
        .group_by(certificates.c.box)
    )
    moments = {row.box: row.cut_ms for row in connection.execute(cuts)}
    return {box: moments.get(box) or 0 for box in sorted(boxes_now)}


def revoked(connection: Connection, now_ms: int) -> list[tuple[str, int]]:
    """(serial, revoked at) of every revoked certificate that has not ended by itself, in a fixed order."""
    query = (
        select(certificates.c.serial, certificates.c.revoked_ms)
        .where(certificates.c.revoked_ms.is_not(None), certificates.c.not_after_ms > now_ms)
        .order_by(certificates.c.serial)
    )
    return [(row.serial, row.revoked_ms) for row in connection.execute(query)]


def ends(connection: Connection) -> dict[str, int]:
    """When the last certificate of each box ends; boxes that were never enrolled are not in it."""
    query = (
        select(certificates.c.box, func.max(certificates.c.not_after_ms).label("ends_ms"))
        .join(boxes, boxes.c.id == certificates.c.box)
        .where(_HOLDS)
        .group_by(certificates.c.box)
    )
    return {row.box: row.ends_ms for row in connection.execute(query)}


@dataclass(frozen=True, kw_only=True)
class Papers:
    """What a technician should know of a box's certificate. `word`: revoked, not_enrolled, ended, ends or old_used."""

    word: str
    at_ms: int | None = None


def papers(connection: Connection, now_ms: int) -> dict[str, list[Papers]]:
    """What there is to know, by box; a box of which there is nothing to say is not in it."""
    last = ends(connection)
    waiting = set(
        connection.scalars(
            select(enrolment_tokens.c.box).where(
                enrolment_tokens.c.used_ms.is_(None),
                enrolment_tokens.c.void_ms.is_(None),
                enrolment_tokens.c.expires_ms > now_ms,
            )
        )
    )
    found: dict[str, list[Papers]] = {}
    query = select(boxes.c.id, boxes.c.secret_hash, boxes.c.revoked_ms).where(boxes.c.removed_ms.is_(None))
    for box, secret_hash, revoked_ms in connection.execute(query):
        ends_ms = last.get(box)
        if revoked_ms is not None and box in waiting:
            found.setdefault(box, []).append(Papers(word="not_enrolled"))
        elif revoked_ms is not None:
            found.setdefault(box, []).append(Papers(word="revoked", at_ms=revoked_ms))
        elif secret_hash == "" and ends_ms is None:
            found.setdefault(box, []).append(Papers(word="not_enrolled"))
        elif ends_ms is not None and ends_ms <= now_ms + WARN_MS:
            found.setdefault(box, []).append(Papers(word="ended" if ends_ms <= now_ms else "ends", at_ms=ends_ms))
    used = (
        select(certificates.c.box, func.max(certificates.c.misused_ms).label("used_ms"))
        .where(certificates.c.misused_ms >= now_ms - MISUSE_SHOWN_MS)
        .group_by(certificates.c.box)
    )
    for box, used_ms in connection.execute(used):
        found.setdefault(box, []).append(Papers(word="old_used", at_ms=used_ms))
    return found


# --- signing keys ------------------------------------------------------------------------------------------------


def register_signing_key(connection: Connection, box: str, public_key: str, now_ms: int) -> bool:
    """The box signs with it from now on, and with none of its earlier ones. False when another box has it."""
    owner = connection.scalar(select(signing_keys.c.box).where(signing_keys.c.public_key == public_key))
    if owner is not None:
        return bool(owner == box)
    end_signing_keys(connection, box, now_ms)
    connection.execute(insert(signing_keys).values(public_key=public_key, box=box, registered_ms=now_ms))
    return True


def end_signing_keys(connection: Connection, box: str, now_ms: int) -> None:
    """What is signed later than this with the box's keys is not the box's."""
    connection.execute(
        update(signing_keys).where(signing_keys.c.box == box, signing_keys.c.ended_ms.is_(None)).values(ended_ms=now_ms)
    )


def signing_keys_of(connection: Connection, box: str) -> Iterator[tuple[str, int, int | None]]:
    """(public key, registered at, ended at), the oldest first."""
    query = (
        select(signing_keys.c.public_key, signing_keys.c.registered_ms, signing_keys.c.ended_ms)
        .where(signing_keys.c.box == box)
        .order_by(signing_keys.c.registered_ms, signing_keys.c.public_key)
    )
    for row in connection.execute(query):
        yield row.public_key, row.registered_ms, row.ended_ms


# --- boxes -------------------------------------------------------------------------------------------------------


def let_in(connection: Connection, box: str) -> None:
    """It is enrolled: it may connect."""
    connection.execute(update(boxes).where(boxes.c.id == box).values(revoked_ms=None))


def shut_out(connection: Connection, box: str, now_ms: int) -> bool:
    """It may not connect until it is enrolled anew. False when there is no such box."""
    done = connection.execute(
        update(boxes)
        .where(boxes.c.id == box, boxes.c.removed_ms.is_(None))
        .values(revoked_ms=func.coalesce(boxes.c.revoked_ms, now_ms), connected=False)
    )
    return done.rowcount == 1
