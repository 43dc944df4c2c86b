"""Enrolment: a bundle becomes an identity, a configuration and the cameras' secrets; then the bundle's secrets go.

Steps: (1) the bundle is read whole and compared with its sums, (2) keys are made here, (3) the server is asked, over
HTTPS against the bundle's authority, (4) secrets, configuration and identity are written, the certificate last, (5) the
token and the passwords are overwritten and removed from the bundle. A run that broke off is begun again the same way:
the key of the first try is kept, and the server gives the same key the same certificate.
"""

from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization

from edge_agent.config import PINNED_KEYS
from edge_agent.identity import exchange
from edge_agent.identity import folder as files
from edge_agent.identity.folder import Facts
from edge_agent.identity.trust import Trust
from vonggac.daemon.bundles import BundleUnusable, Read
from vonggac.daemon.clock import Clock
from vonggac.daemon.files import hand_over, make_folder, write_durably
from vonggac.wire import bundle as wire
from vonggac.wire.bundle import Bundle
from vonggac.wire.enrolment import ENROL_PATH, EnrolRequest, encode, statement


def enrol(read: Read, data: Path, config: Path, clock: Clock) -> files.Identity:
    """Steps 2 to 4. Raises BundleUnusable, exchange.AnswerRefused, exchange.NoAnswer, OSError."""
    facts, folder, pinned = read.facts, data / "identity", read.release_keys
    if files.is_enrolled(folder):
        raise BundleUnusable(f"{folder}: this box is enrolled already. To enrol it anew, remove that folder first")
    make_folder(data)
    files.begin(folder)
    write_durably(folder / files.AUTHORITY, read.files[wire.AUTHORITY], mode=0o644)
    key, signing = files.next_key(folder), files.signing_key(folder)
    csr = files.make_csr(key, facts.box)
    signed = signing.sign(statement(facts.box, csr.public_bytes(serialization.Encoding.DER)))
    raw = signing.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    request = EnrolRequest(
        box=facts.box,
        token=read.token,
        csr=files.csr_pem(csr),
        signing_key=raw.hex(),
        signature=signed.hex(),
    )
    trust = Trust(folder / files.AUTHORITY, None, clock, lambda: facts.made_ms)
    issued = exchange.ask(trust.context(), f"{facts.url}{ENROL_PATH}", encode(request))
    if not files.fits(issued.certificate, key, facts.box):
        raise exchange.AnswerRefused("the server's certificate is not for this box and key")
    for camera in facts.cameras:
        secret = read.files.get(f"{wire.SECRETS}/{camera.name}")
        if secret is not None:
            make_folder(data / wire.SECRETS)
            (data / wire.SECRETS).chmod(0o700)
            write_durably(data / wire.SECRETS / camera.name, secret)
    make_folder(config.parent)
    keys = config.parent / wire.RELEASE_KEYS
    if pinned:  # root's, beside the configuration: the agent could else choose its own
        write_durably(keys, read.files[wire.RELEASE_KEYS], mode=0o644)
    if not config.exists():
        write_durably(config, configuration(facts, data, frozenset(read.files), keys), mode=0o644)
    files.write_facts(folder, Facts(facts.box, facts.url, facts.made_ms))
    write_durably(folder / files.TLS, files.key_pem(key) + issued.certificate.encode("ascii"))
    (folder / files.NEXT).unlink(missing_ok=True)
    hand_over(folder, data)
    if (data / wire.SECRETS).exists():
        hand_over(data / wire.SECRETS, data)
    return files.Identity(folder)


def was_enrolled_with(facts: Bundle, data: Path) -> bool:
    """Did this very bundle enrol this box, in a run that was cut off before step 5?"""
    folder = data / "identity"
    if not files.is_enrolled(folder):
        return False
    known = files.Identity(folder).facts
    return (known.box, known.made_ms) == (facts.box, facts.made_ms)


def configuration(facts: Bundle, data: Path, given: frozenset[str], keys: Path) -> bytes:
    """The agent's configuration, as the bundle describes it."""
    cameras = []
    for camera in facts.cameras:
        one: dict[str, Any] = {"name": camera.name, "source": camera.source}
        if camera.sub is not None:
            one["sub"] = camera.sub
        if camera.user is not None and f"{wire.SECRETS}/{camera.name}" in given:
            one |= {"user": camera.user, "password_file": str(data / wire.SECRETS / camera.name)}
        cameras.append(one)
    content = {
        "box": facts.box,
        "data": str(data),
        "identity": str(data / "identity"),
        "broker": {"host": facts.broker_host, "port": facts.broker_port},
        "collector": {"url": facts.url},
        "cameras": cameras,
    }
    if keys != PINNED_KEYS:
        content["update"] = {"keys": str(keys)}
    head = "# Written by `edge-agent enrol`; configs/edge.yaml shows every option.\n"
    return (head + yaml.safe_dump(content, allow_unicode=True, sort_keys=False)).encode()
