"""The folder of a box's identity: its keys never leave it, every file appears whole or not at all, mode 600.

identity.json   who and where (Facts)
authority.pem   the pinned authority
tls.pem         private key and certificate in one file, so that a renewal replaces both at once
next.key        a key whose certificate is asked for; kept until the answer is there
sign.key        the Ed25519 key with which the box signs what it records; it never changes with renewals
"""

import json
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import make_folder, remove_durably, write_durably

FACTS, AUTHORITY, TLS, NEXT, SIGN = "identity.json", "authority.pem", "tls.pem", "next.key", "sign.key"


@dataclass(frozen=True)
class Facts:
    """`made_ms` is when the bundle was made: the time is not before that, whatever the clock says."""

    box: str
    url: str
    made_ms: int


class Identity:
    """A folder with an identity in it."""

    def __init__(self, folder: Path) -> None:
        """Raises ConfigInvalid when the box is not enrolled or somebody else can read its keys."""
        self.folder = folder
        for name in (TLS, SIGN):
            _guarded(folder / name)
        try:
            self.facts = Facts(**json.loads((folder / FACTS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise ConfigInvalid([f"{folder / FACTS}: cannot be read. Do: edge-agent enrol BUNDLE"]) from None
        self.certificate()

    @property
    def authority_file(self) -> Path:
        """Whom the server must be signed by."""
        return self.folder / AUTHORITY

    @property
    def tls_file(self) -> Path:
        """Key and certificate."""
        return self.folder / TLS

    def certificate(self) -> x509.Certificate:
        """As it stands in the folder now. Raises ConfigInvalid."""
        try:
            return x509.load_pem_x509_certificate(self.tls_file.read_bytes())
        except (OSError, ValueError):
            raise ConfigInvalid([f"{self.tls_file}: holds no certificate. Do: edge-agent enrol BUNDLE"]) from None

    def not_before_ms(self) -> int:
        """The latest moment of which we know that it is past: the bundle was made, the certificate given."""
        return max(self.facts.made_ms, round(self.certificate().not_valid_before_utc.timestamp() * 1000))

    def not_after_ms(self) -> int:
        """When the certificate ends."""
        return round(self.certificate().not_valid_after_utc.timestamp() * 1000)

    def signing_key(self) -> ed25519.Ed25519PrivateKey:
        """With which the box signs what it records."""
        return load_signing_key(self.folder)

    def take(self, key: ec.EllipticCurvePrivateKey, certificate_pem: str) -> None:
        """A new certificate for `key`, the one of `next.key`."""
        write_durably(self.tls_file, key_pem(key) + certificate_pem.encode("ascii"))
        remove_durably(self.folder / NEXT)


def is_enrolled(folder: Path) -> bool:
    """Has it a certificate?"""
    return (folder / TLS).exists()


def begin(folder: Path) -> None:
    """Make the folder."""
    make_folder(folder)
    folder.chmod(0o700)


def next_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """The key whose certificate is asked for: the one of an earlier try whose answer was lost, or a new one."""
    path = folder / NEXT
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
    made = ec.generate_private_key(ec.SECP256R1())
    write_durably(path, key_pem(made))
    return made


def signing_key(folder: Path) -> ed25519.Ed25519PrivateKey:
    """The box's signing key, made when there is none."""
    if not (folder / SIGN).exists():
        made = ed25519.Ed25519PrivateKey.generate()
        write_durably(
            folder / SIGN,
            made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
    return load_signing_key(folder)


def load_signing_key(folder: Path) -> ed25519.Ed25519PrivateKey:
    """Raises ConfigInvalid."""
    try:
        key = serialization.load_pem_private_key((folder / SIGN).read_bytes(), None)
    except (OSError, ValueError):
        raise ConfigInvalid([f"{folder / SIGN}: holds no key"]) from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigInvalid([f"{folder / SIGN}: holds no Ed25519 key"])
    return key


def make_csr(key: ec.EllipticCurvePrivateKey, box: str) -> x509.CertificateSigningRequest:
    """A request for CN=<box>."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, box)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())


def csr_pem(request: x509.CertificateSigningRequest) -> str:
    """As it travels."""
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Not encrypted: a box starts with nobody there to type a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def fits(certificate_pem: str, key: ec.EllipticCurvePrivateKey, box: str) -> bool:
    """Is this certificate for this key and this box?"""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        return False
    names = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names == [box] and certificate.public_key() == key.public_key()


def write_facts(folder: Path, facts: Facts) -> None:
    """Who and where."""
    write_durably(folder / FACTS, json.dumps(asdict(facts), indent=1).encode())


def _guarded(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        raise ConfigInvalid([f"{path}: is missing; this box is not enrolled. Do: edge-agent enrol BUNDLE"]) from None
    if mode & 0o077:
        raise ConfigInvalid([f"{path}: is open to others (mode {mode:04o}). Do: chmod 600 {path}"])
