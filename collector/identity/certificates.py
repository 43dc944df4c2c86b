"""The certificates that the authority signs, and its list of revoked ones. Time and keys come in as arguments.

A box's subject is CN=<box> and SERIALNUMBER=<the certificate's own serial>: Mosquitto takes the CN as user name, NATS
the whole subject, so that there each certificate is a user that can be taken away alone.
"""

import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificateIssuerPublicKeyTypes,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=20 * 365)
SERVER_LIFE = timedelta(days=5 * 365)
CRL_LIFE = timedelta(days=10 * 365)
"""So long, because a broker that meets an outdated list turns every box away."""
COLLECTOR_NAME = "vonggac.collector"
"""The collector's own CN: with a dot, so that no box can be called so."""
_BACKDATED = timedelta(days=1)

BoxKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


def at(wall_ms: int) -> datetime:
    """As certificates want it: UTC, whole seconds."""
    return datetime.fromtimestamp(wall_ms // 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Back."""
    return round(moment.timestamp() * 1000)


def pem(certificate: x509.Certificate) -> bytes:
    """As it stands in files."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def serial_text(serial: int) -> str:
    """A serial as it stands in the database, in subjects and in lists: hexadecimal, 32 digits."""
    return f"{serial:032x}"


def new_serial() -> int:
    """RFC 5280 §4.1.2.2: positive, at most 20 octets, of which more than 64 bits random."""
    return x509.random_serial_number() >> 32 or 1


def make_authority(key: CertificateIssuerPrivateKeyTypes, name: str, now_ms: int) -> x509.Certificate:
    """Self-signed, for certificates and lists alone, with none below it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public = key.public_key()
    return (
        _dated(now_ms, AUTHORITY_LIFE)
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(new_serial())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, _hash_for(key))
    )


def make_server(
    issuer: x509.Certificate,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    public: CertificateIssuerPublicKeyTypes,
    names: Iterable[str],
    now_ms: int,
) -> x509.Certificate:
    """For broker and HTTPS under all of `names` (host names or addresses). Raises ValueError for what is neither."""
    known = list(dict.fromkeys([*names, "localhost", "127.0.0.1"]))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vonggac.server")])
    return (
        _signed_by(issuer, subject, public, new_serial(), now_ms, SERVER_LIFE)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in known]), critical=False)
        .sign(issuer_key, _hash_for(issuer_key))
    )


def make_client(
    issuer: x509.Certificate,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    public: CertificateIssuerPublicKeyTypes,
    name: str,
    now_ms: int,
    life: timedelta,
) -> x509.Certificate:
    """For a box, or the collector itself."""
    serial = new_serial()
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if name != COLLECTOR_NAME:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_text(serial)))
    return (
        _signed_by(issuer, x509.Name(attributes), public, serial, now_ms, life)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(issuer_key, _hash_for(issuer_key))
    )


def make_revocation_list(
    issuer: x509.Certificate,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    revoked: Iterable[tuple[str, int]],
    now_ms: int,
) -> bytes:
    """PEM of the list of (serial, revoked at, milliseconds)."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at(now_ms) - _BACKDATED)
        .next_update(at(now_ms) + CRL_LIFE)
    )
    for serial, when_ms in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(at(when_ms)).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer_key, _hash_for(issuer_key)).public_bytes(serialization.Encoding.PEM)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 in hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def key_hash(public: CertificateIssuerPublicKeyTypes) -> str:
    """SHA-256 of a public key: says whether two certificates are of one key."""
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return digest.finalize().hex()


def _dated(now_ms: int, life: timedelta) -> x509.CertificateBuilder:
    now = at(now_ms)
    return x509.CertificateBuilder().not_valid_before(now - _BACKDATED).not_valid_after(now + life)


def _signed_by(
    issuer: x509.Certificate,
    subject: x509.Name,
    public: CertificateIssuerPublicKeyTypes,
    serial: int,
    now_ms: int,
    life: timedelta,
) -> x509.CertificateBuilder:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _dated(now_ms, life)
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .public_key(public)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


def is_host(name: str) -> bool:
    """A host name or an address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return _HOST.fullmatch(name) is not None
    return True


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _hash_for(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
