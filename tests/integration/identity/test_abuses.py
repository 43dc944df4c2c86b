"""The table of abuses at the door for boxes: each is refused for the stated reason, told in the log without a secret,
and leaves nothing half-done.

An abuse prepares what it needs by the book, calls `ready`, attacks, and returns what the attacker sees.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from collector.identity.gate import LOGS_A_MINUTE
from tests.integration.identity.abuses_of_boxes import (
    certificate_expired,
    certificate_never_given,
    certificate_of_a_replaced_box,
    certificate_of_another_authority,
    certificate_of_the_collector_as_a_box,
    certificate_of_the_server_as_a_box,
    certificate_revoked,
    certificate_signed_by_itself,
    certificate_superseded,
    no_certificate_at_all,
    plaintext,
    renewal_for_another_box,
    renewal_with_the_old_key,
    renewal_without_a_certificate,
    renewals_that_are_used_at_once,
    renewals_without_end,
    tls_1_1,
    upload_of_a_revoked_box,
    upload_that_belongs_to_another_box,
    upload_with_a_password_alone,
    upload_without_a_certificate,
)
from tests.integration.identity.abuses_of_enrolment import (
    body_in_drops,
    body_nested_without_end,
    body_of_another_version,
    body_that_is_a_list,
    body_that_is_no_utf8,
    body_too_large,
    body_too_large_in_pieces,
    box_id_that_climbs,
    box_id_that_is_a_wildcard,
    box_id_with_a_dollar,
    csr_for_another_box,
    csr_for_the_collector,
    csr_over_another_box_s_key,
    csr_signed_by_another_key,
    csr_that_is_none,
    csr_too_long,
    csr_twice,
    csr_with_a_host_name,
    csr_with_an_rsa_key,
    csr_with_another_curve,
    csr_with_more_than_a_name,
    csr_with_two_names,
    handshake_in_drops,
    handshake_that_never_comes,
    head_in_drops,
    head_that_never_comes,
    many_connections_at_once,
    proof_replayed_for_another_box,
    server_clock_five_years_back,
    server_clock_five_years_on,
    signing_key_not_proven,
    signing_key_of_another_box,
    token_of_a_retired_box,
    token_of_a_revoked_box,
    token_of_an_older_bundle,
    token_of_another_box,
    token_replayed_with_its_key_after_revocation,
    token_that_expired,
    token_that_nobody_made,
    token_too_short,
    token_used_before,
)
from tests.integration.identity.abusing import (
    CUT,
    Ready,
)
from tests.support.office import (
    NOW_MS,
    Office,
)
from tests.support.system import wait_for
from vonggac.daemon.config import ConfigInvalid


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, patience_s=1.5)
    yield made
    made.close()


@dataclass(frozen=True)
class Abuse:
    """`seen` by the attacker, `told` in the log (None: the same words)."""

    do: Callable[[Office, Ready], str]
    seen: str
    told: str | None = None


SILENT = ""
TABLE = [
    Abuse(token_that_nobody_made, "403 the token is not known here"),
    Abuse(token_of_another_box, "403 the token is another box's"),
    Abuse(token_that_expired, "403 the token has expired"),
    Abuse(token_used_before, "403 the token was used before, with another key"),
    Abuse(token_replayed_with_its_key_after_revocation, "403 the token is void"),
    Abuse(token_of_an_older_bundle, "403 the token is void"),
    Abuse(token_of_a_revoked_box, "403 the token is void"),
    Abuse(token_of_a_retired_box, "403 box box-one was taken out of this collector"),
    Abuse(token_too_short, "400 token: is none"),
    Abuse(server_clock_five_years_back, "403 the token is from the future"),
    Abuse(server_clock_five_years_on, "403 the token has expired"),
    Abuse(box_id_that_climbs, "400 box: is no box id"),
    Abuse(box_id_that_is_a_wildcard, "400 box: is no box id"),
    Abuse(box_id_with_a_dollar, "400 box: is no box id"),
    Abuse(csr_for_another_box, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_for_the_collector, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_with_two_names, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_with_more_than_a_name, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_with_a_host_name, "403 csr: asks for extensions"),
    Abuse(csr_with_an_rsa_key, "403 csr: the key must be EC P-256 or Ed25519"),
    Abuse(csr_with_another_curve, "403 csr: the key must be EC P-256 or Ed25519"),
    Abuse(csr_signed_by_another_key, "403 csr: is not signed by its own key"),
    Abuse(csr_that_is_none, "400 csr: cannot be read"),
    Abuse(csr_twice, "400 csr: must be one certificate request"),
    Abuse(csr_too_long, "400 csr: is longer than"),
    Abuse(csr_over_another_box_s_key, "403 csr: this key had a certificate before"),
    Abuse(signing_key_not_proven, "403 signature: is not of this signing key"),
    Abuse(signing_key_of_another_box, "403 signing_key: another box has it"),
    Abuse(proof_replayed_for_another_box, "403 signature: is not of this signing key"),
    Abuse(body_too_large, "413 a request is at most 8192 bytes"),
    Abuse(body_too_large_in_pieces, "413", "a request is at most 8192 bytes"),
    Abuse(body_that_is_a_list, "400 is no JSON object"),
    Abuse(body_nested_without_end, "400 is no JSON"),
    Abuse(body_that_is_no_utf8, "400 is no JSON in UTF-8"),
    Abuse(body_of_another_version, "400 v: must be 1"),
    Abuse(body_in_drops, "408", "did not come whole"),
    Abuse(head_in_drops, CUT, "no whole request head in time"),
    Abuse(head_that_never_comes, CUT, "no whole request head in time"),
    Abuse(handshake_that_never_comes, CUT, SILENT),
    Abuse(handshake_in_drops, CUT, SILENT),
    Abuse(many_connections_at_once, CUT, "too many"),
    Abuse(plaintext, CUT, "http request"),
    Abuse(tls_1_1, "TLSV1_ALERT_PROTOCOL_VERSION", "unsupported protocol"),
    Abuse(certificate_signed_by_itself, "ALERT", "self-signed certificate"),
    Abuse(certificate_of_another_authority, "ALERT", "local issuer"),
    Abuse(certificate_of_the_server_as_a_box, "ALERT", "unsuitable certificate purpose"),
    Abuse(certificate_of_the_collector_as_a_box, "401 a box's certificate is needed here"),
    Abuse(certificate_never_given, "403 this certificate was never given here"),
    Abuse(certificate_expired, "403 this certificate has expired"),
    Abuse(certificate_revoked, "403 this certificate is revoked"),
    Abuse(certificate_of_a_replaced_box, "403 this certificate is replaced"),
    Abuse(certificate_superseded, "403 this certificate is superseded"),
    Abuse(no_certificate_at_all, "401 a box's certificate is needed here"),
    Abuse(renewal_without_a_certificate, "401 a box's certificate is needed here"),
    Abuse(renewal_for_another_box, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(renewal_with_the_old_key, "403 csr: this key had a certificate before"),
    Abuse(renewals_without_end, "429 3 certificates were given and none was used"),
    Abuse(renewals_that_are_used_at_once, "429 6 certificates were given within a day"),
    Abuse(upload_without_a_certificate, "401 a box's certificate is needed here"),
    Abuse(upload_with_a_password_alone, "401 a box's certificate is needed here"),
    Abuse(upload_of_a_revoked_box, "403 this certificate is revoked"),
    Abuse(upload_that_belongs_to_another_box, "404", SILENT),
]


@pytest.mark.parametrize("abuse", TABLE, ids=[each.do.__name__ for each in TABLE])
def test_an_abuse_is_refused_for_its_reason(office: Office, abuse: Abuse) -> None:
    before: list[tuple[int, ...]] = []
    with structlog.testing.capture_logs() as lines:
        seen = abuse.do(office, lambda: before.append(office.given()))
        told = abuse.seen.partition(" ")[2] if abuse.told is None else abuse.told
        assert abuse.seen in seen
        wait_for(lambda: not told or told in json.dumps(lines, default=str), f"{told!r} to be told", 5)
    assert office.given() == before[0]
    text = json.dumps(lines, default=str)
    assert not any(token in text for token in office.tokens)
    assert "PRIVATE KEY" not in text


def test_refusals_cannot_fill_the_log(office: Office) -> None:
    began = int(time.monotonic() // 60)
    with structlog.testing.capture_logs() as lines:
        for _ in range(100):
            office.ask("/whoami")
    minutes = int(time.monotonic() // 60) - began + 1
    assert len([line for line in lines if line["event"] == "refused"]) <= LOGS_A_MINUTE * minutes < 100


def test_a_key_without_its_certificate_is_told_at_the_start(office: Office) -> None:
    office.authority.refuse_half_equipped()
    before = office.authority.file("server.key").read_bytes()
    office.ask("/whoami")
    office.authority.equip_server(["127.0.0.1"], NOW_MS)
    office.authority.file("server.key").write_bytes(before)
    with pytest.raises(ConfigInvalid, match="collector authority equip"):
        office.authority.refuse_half_equipped()
