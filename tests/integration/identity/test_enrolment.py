"""Enrolment and renewal over real TLS: the box's program against the collector's door."""

import base64
import json
import socket
import ssl
import stat
import threading
import time
import zipfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from collector.identity.authority import AUTHORITY_KEY, REVOKED, SERVER, Authority, KeyFile
from collector.store import boxes, identities
from edge_agent.identity import exchange, folder
from edge_agent.identity.enrol import enrol
from edge_agent.identity.folder import Identity
from edge_agent.identity.renewal import Renewer
from edge_agent.identity.trust import Trust
from tests.support.clock import FakeClock
from tests.support.office import NOW_MS, PASSWORD, Office, enrolment, renewal
from vonggac.daemon.bundles import BundleUnusable, read_bundle, scrub
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.threads import Stop

YEAR_MS = 365 * 86_400_000


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def enrol_box(office: Office, folder: Path, clock: FakeClock | None = None) -> Identity:
    bundle = office.bundle(
        folder / "bundle", "box-one", "gate=rtsp://xem:mat%20khau@10.0.0.9/1,rtsp://xem:mat%20khau@10.0.0.9/2"
    )
    return enrol(read_bundle(bundle), folder / "data", folder / "edge.yaml", clock or FakeClock(NOW_MS))


def test_a_box_makes_its_own_keys_and_gets_a_certificate_for_its_id(office: Office, tmp_path: Path) -> None:
    identity = enrol_box(office, tmp_path)
    certificate = identity.certificate()
    serial = f"{certificate.serial_number:032x}"
    assert [(each.oid, each.value) for each in certificate.subject] == [
        (NameOID.COMMON_NAME, "box-one"),
        (NameOID.SERIAL_NUMBER, serial),
    ]
    for name in ("tls.pem", "sign.key"):
        assert stat.S_IMODE((identity.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(identity.folder.stat().st_mode) == 0o700
    signing = identity.signing_key().public_key()
    raw = signing.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
    with office.database.read() as connection:
        assert [key for key, _since, _until in identities.signing_keys_of(connection, "box-one")] == [raw]
        assert identities.find_certificate(connection, serial) is not None


def test_the_configuration_holds_no_password_and_the_bundle_none_afterwards(office: Office, tmp_path: Path) -> None:
    enrol_box(office, tmp_path)
    config = (tmp_path / "edge.yaml").read_text()
    assert "mat khau" not in config
    assert "password_file" in config
    secret = tmp_path / "data" / "secrets" / "gate"
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("mat khau\n", 0o600)
    scrub(tmp_path / "bundle")
    assert sorted(path.name for path in (tmp_path / "bundle").rglob("*")) == ["authority.pem", "box.json"]


def test_a_scrubbed_bundle_says_that_it_was_used(office: Office, tmp_path: Path) -> None:
    enrol_box(office, tmp_path)
    scrub(tmp_path / "bundle")
    with pytest.raises(BundleUnusable, match="was used before"):
        read_bundle(tmp_path / "bundle")


def test_a_bundle_may_be_a_zip_which_is_gone_afterwards(office: Office, tmp_path: Path) -> None:
    bundle = office.bundle(tmp_path / "box-one.zip", "box-one")
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    enrol(read_bundle(bundle), tmp_path / "data", tmp_path / "edge.yaml", FakeClock(NOW_MS))
    scrub(bundle)
    assert not bundle.exists()


@pytest.mark.parametrize("name", ["authority.pem", "token", "secrets/gate"])
def test_a_damaged_bundle_is_not_used(office: Office, tmp_path: Path, name: str) -> None:
    bundle = office.bundle(tmp_path / "bundle", "box-one", "gate=rtsp://xem:bi-mat@10.0.0.9/1")
    (bundle / name).write_bytes((bundle / name).read_bytes()[:-2] + b"x\n")
    with pytest.raises(BundleUnusable, match="damaged or was changed"):
        read_bundle(bundle)


def test_a_bundle_does_not_reach_outside_itself(office: Office, tmp_path: Path) -> None:
    bundle = office.bundle(tmp_path / "b.zip", "box-one")
    with zipfile.ZipFile(bundle) as archive:
        facts = json.loads(archive.read("box.json"))
    facts["sums"]["secrets/../../../etc/x"] = "0" * 64
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("box.json", json.dumps(facts))
    with pytest.raises(BundleUnusable, match="does not belong in a bundle"):
        read_bundle(tmp_path / "evil.zip")


def test_an_answer_that_was_lost_can_be_asked_for_again_by_the_same_key_alone(office: Office) -> None:
    token, key = office.register("box-one"), new_key()
    first = office.ask("/enrol", enrolment("box-one", token, key))
    again = office.ask("/enrol", enrolment("box-one", token, key))
    assert (first.status, again.status) == (200, 200)
    assert first.json == again.json
    thief = office.ask("/enrol", enrolment("box-one", token, new_key()))
    assert (thief.status, "used before, with another key" in thief.text) == (403, True)


def test_two_at_once_with_one_token_get_one_certificate(office: Office) -> None:
    token, answers = office.register("box-one"), []
    start = threading.Barrier(4)

    def try_it() -> None:
        start.wait()
        answers.append(office.ask("/enrol", enrolment("box-one", token, new_key())).status)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == [200, 403, 403, 403]


def test_a_broken_off_enrolment_is_begun_again_with_the_same_bundle(office: Office, tmp_path: Path) -> None:
    bundle = read_bundle(office.bundle(tmp_path / "bundle", "box-one"))
    first = enrol(bundle, tmp_path / "data", tmp_path / "edge.yaml", FakeClock(NOW_MS))
    key = first.tls_file.read_bytes().split(b"-----BEGIN CERTIFICATE")[0]
    # a power cut before the certificate was written: the key of the first try stands in next.key
    (first.folder / "next.key").write_bytes(key)
    first.tls_file.unlink()
    again = enrol(bundle, tmp_path / "data", tmp_path / "edge.yaml", FakeClock(NOW_MS))
    assert again.certificate().public_bytes(serialization.Encoding.PEM) in first.tls_file.read_bytes()


def test_an_enrolled_box_is_not_enrolled_over(office: Office, tmp_path: Path) -> None:
    enrol_box(office, tmp_path)
    other = read_bundle(office.bundle(tmp_path / "other", "box-two"))
    with pytest.raises(BundleUnusable, match="enrolled already"):
        enrol(other, tmp_path / "data", tmp_path / "edge.yaml", FakeClock(NOW_MS))


@pytest.mark.parametrize(
    ("wrong_by_ms", "state"),
    [(-NOW_MS, "unset"), (-5 * YEAR_MS, "unset"), (-5 * YEAR_MS, "holdover"), (6 * YEAR_MS, "unset")],
)
def test_a_clock_that_is_wrong_at_first_boot_locks_no_box_out(
    office: Office, tmp_path: Path, wrong_by_ms: int, state: str
) -> None:
    clock = FakeClock(NOW_MS + wrong_by_ms, state=state)  # type: ignore[arg-type]
    identity = enrol_box(office, tmp_path, clock)
    trust = Trust(identity.authority_file, identity.tls_file, clock, identity.not_before_ms)
    assert exchange.whoami(trust.context(), office.url) == "box-one"


def test_a_server_whose_certificate_has_ended_is_refused_when_the_clock_is_set(office: Office, tmp_path: Path) -> None:
    identity = enrol_box(office, tmp_path)
    late = FakeClock(NOW_MS + 6 * YEAR_MS, state="synced")
    trust = Trust(identity.authority_file, identity.tls_file, late, identity.not_before_ms)
    with pytest.raises(exchange.AnswerRefused, match="certificate has expired"):
        exchange.whoami(trust.context(), office.url)


def test_an_impostor_with_another_authority_hears_no_token(office: Office, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    impostor = Office(tmp_path / "other")
    try:
        bundle = office.bundle(tmp_path / "bundle", "box-one")
        facts = json.loads((bundle / "box.json").read_text()) | {"url": impostor.url}
        (bundle / "box.json").write_text(json.dumps(facts))
        with pytest.raises(exchange.AnswerRefused, match=r"self.signed|local issuer|signature failure"):
            enrol(read_bundle(bundle), tmp_path / "data", tmp_path / "edge.yaml", FakeClock(NOW_MS))
    finally:
        impostor.close()


def test_a_server_under_another_name_is_refused(office: Office, tmp_path: Path) -> None:
    identity = enrol_box(office, tmp_path)
    trust = Trust(identity.authority_file, identity.tls_file, FakeClock(NOW_MS), identity.not_before_ms)
    with (
        socket.create_connection(("127.0.0.1", office.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        trust.context().wrap_socket(plain, server_hostname="vonggac.xa.example")


def test_a_certificate_is_renewed_with_a_new_key_and_the_old_one_ends_when_the_new_one_is_used(
    office: Office, tmp_path: Path
) -> None:
    identity = enrol_box(office, tmp_path)
    clock = FakeClock(NOW_MS + 200 * 86_400_000)
    trust = Trust(identity.authority_file, identity.tls_file, clock, identity.not_before_ms)
    renewer = Renewer(identity, trust, clock, Stop())
    old = identity.certificate()
    assert renewer.advance() == 3600.0
    assert identity.certificate() == old  # not due: more than a third is left
    old_file = tmp_path / "old.pem"
    old_file.write_bytes(identity.tls_file.read_bytes())
    for at in (clock, office.clock):
        at.step_wall(NOW_MS + 250 * 86_400_000 - at.wall_ms())
    renewer.advance()
    new = identity.certificate()
    assert new.public_key() != old.public_key()
    assert trust.generation == 1
    was = Trust(identity.authority_file, old_file, clock, identity.not_before_ms)
    with pytest.raises(exchange.AnswerRefused, match="this certificate is superseded"):
        exchange.whoami(was.context(), office.url)
    assert exchange.whoami(trust.context(), office.url) == "box-one"


def test_a_clock_that_was_never_set_is_asked_when_a_renewal_is_due(office: Office, tmp_path: Path) -> None:
    clock = FakeClock(NOW_MS, state="unset")
    identity = enrol_box(office, tmp_path, clock)
    trust = Trust(identity.authority_file, identity.tls_file, clock, identity.not_before_ms)
    for at in (clock, office.clock):
        at.step_wall(300 * 86_400_000)
    Renewer(identity, trust, clock, Stop()).advance()
    assert identity.not_after_ms() > NOW_MS + YEAR_MS


@pytest.mark.parametrize("step", ["before the answer", "after the answer", "before the greeting"])
def test_a_power_cut_in_a_renewal_leaves_a_box_that_gets_in(office: Office, tmp_path: Path, step: str) -> None:
    clock = FakeClock(NOW_MS)
    identity = enrol_box(office, tmp_path, clock)
    trust = Trust(identity.authority_file, identity.tls_file, clock, identity.not_before_ms)
    for at in (clock, office.clock):
        at.step_wall(300 * 86_400_000)
    key = folder.next_key(identity.folder)  # what the renewer had done when the power went
    if step != "before the answer":
        answer = exchange.ask(trust.context(), f"{office.url}/renew", renewal("box-one", key))
        if step == "before the greeting":
            identity.take(key, answer.certificate)
    after = Identity(identity.folder)
    again = Trust(after.authority_file, after.tls_file, clock, after.not_before_ms)
    assert exchange.whoami(again.context(), office.url) == "box-one"
    Renewer(after, again, clock, Stop()).advance()
    assert after.certificate().public_key() == key.public_key()
    assert not (identity.folder / "next.key").exists()
    assert exchange.whoami(again.context(), office.url) == "box-one"


def test_an_upload_is_cut_in_the_middle_when_its_box_is_revoked(office: Office) -> None:
    holder, clip = office.enrol("box-one"), "01890a5d-ac96-774b-bcce-b302099a8057"
    told = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in (("clip", clip), ("sha256", "0" * 64))
    )
    made = office.ask("/upload/", b"", holder, Upload_Length="900000", Upload_Metadata=told, Tus_Resumable="1.0.0")
    assert made.status == 201, made.text
    with office.connection(holder) as sending:
        sending.sendall(
            f"PATCH /upload/{clip} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            "Content-Type: application/offset+octet-stream\r\nContent-Length: 900000\r\n\r\n".encode()
        )
        sending.sendall(bytes(100_000))
        office.end("box-one", "revoked")
        office.keeper.step()
        sending.settimeout(5)
        assert _is_cut(sending)
    assert "revoked" in office.ask("/upload/", b"", holder, Tus_Resumable="1.0.0").text


def test_a_renewal_whose_answer_was_lost_leaves_the_old_certificate_good(office: Office) -> None:
    holder, key = office.enrol("box-one"), new_key()
    first = office.ask("/renew", renewal("box-one", key), holder)
    assert office.ask("/whoami", None, holder).status == 200
    again = office.ask("/renew", renewal("box-one", key), holder)
    assert (first.status, again.json) == (200, first.json)


def test_a_revoked_box_is_refused_at_its_next_request_and_cut_where_it_stands(office: Office) -> None:
    holder = office.enrol("box-one")
    other = office.enrol("box-two")
    with office.connection(holder) as open_one, office.connection(other) as stays:
        for each in (open_one, stays):
            assert "200 OK" in said(each)
        office.end("box-one", "revoked")
        began = time.monotonic()
        office.keeper.step()
        open_one.settimeout(5)
        assert _is_cut(open_one)
        assert time.monotonic() - began < 5
        assert "200 OK" in said(stays)
    assert "revoked" in office.ask("/whoami", None, holder).text
    listed = x509.load_pem_x509_crl(office.authority.file(REVOKED).read_bytes())
    assert [each.serial_number for each in listed] == [holder.certificate.serial_number]


def said(connection: ssl.SSLSocket) -> str:
    """What the door answers on a connection that stays open."""
    connection.sendall(b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n")
    heard = b""
    while b"}" not in heard:
        heard += connection.recv(4096)
    return heard.decode()


def _is_cut(connection: object) -> bool:
    try:
        while data := connection.recv(4096):  # type: ignore[attr-defined]
            assert b"200" not in data
    except (ConnectionError, OSError):
        return True
    return True


def test_a_replaced_box_keeps_its_history_under_a_new_certificate(office: Office) -> None:
    old = office.enrol("box-one")
    with office.database.write() as connection:
        boxes.ensure_camera(connection, "box-one", "gate", NOW_MS)
    office.end("box-one", "replaced")
    new = office.enrol("box-one", "new")
    assert office.ask("/whoami", None, new).json["box"] == "box-one"
    assert "this certificate is replaced" in office.ask("/whoami", None, old).text
    with office.database.read() as connection:
        assert [camera.id for camera in boxes.list_cameras(connection, box="box-one")] == ["box-one/gate"]
        assert boxes.is_registered(connection, "box-one")


def test_the_authority_s_key_is_encrypted_and_wants_its_password(office: Office) -> None:
    folder = office.folder / "identity"
    text = (folder / AUTHORITY_KEY).read_text()
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    for path in folder.iterdir():
        wanted = 0o644 if path.suffix == ".pem" else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    with pytest.raises(ConfigInvalid, match="cannot be opened with the password"):
        Authority(folder, KeyFile(folder / AUTHORITY_KEY, PASSWORD + "x"))


def test_a_server_s_certificate_names_where_boxes_reach_it(office: Office) -> None:
    made = x509.load_pem_x509_certificate(office.authority.file(SERVER).read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["127.0.0.1", "localhost"]


def test_technicians_see_what_there_is_to_know_of_certificates(office: Office) -> None:
    office.register("box-new")
    old = office.enrol("box-one")
    office.enrol("box-two")
    office.end("box-two", "revoked")
    office.renew(old, "box-one", "unused")
    assert words(office) == {"box-new": ["not_enrolled"], "box-two": ["revoked"]}
    office.clock.advance(336 * 86_400_000)
    assert words(office) == {"box-new": ["not_enrolled"], "box-two": ["revoked"], "box-one": ["ends"]}
    office.clock.advance(30 * 86_400_000)
    assert words(office)["box-one"] == ["ended"]


def test_an_ended_certificate_that_is_used_is_seen(office: Office) -> None:
    stolen = office.enrol("box-one")
    office.end("box-one", "revoked")
    for _ in range(3):
        assert office.ask("/whoami", None, stolen).status == 403
    assert words(office) == {"box-one": ["revoked", "old_used"]}


def words(office: Office) -> dict[str, list[str]]:
    with office.database.read() as connection:
        found = identities.papers(connection, office.clock.wall_ms())
    return {box: [paper.word for paper in papers] for box, papers in found.items()}
