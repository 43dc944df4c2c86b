"""The district's small certificate authority: its folder, its key encrypted at rest, and what it signs.

Rules: the key is decrypted for one signature and not kept; whoever holds the key sits behind `KeyKeeper`, so that a
PKCS#11 token or an offline root can take the place of the file; files appear whole or not at all, keys with mode 600.
"""

import ssl
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from collector.identity import certificates
from collector.identity.certificates import COLLECTOR_NAME, BoxKey, pem
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.files import make_folder, write_durably

AUTHORITY, AUTHORITY_KEY = "authority.pem", "authority.key"
SERVER, SERVER_KEY = "server.pem", "server.key"
COLLECTOR, COLLECTOR_KEY = "collector.pem", "collector.key"
REVOKED = "revoked.pem"
_LEAST_PASSWORD = 16


class KeyKeeper(Protocol):
    """Whoever holds the authority's private key."""

    def key(self) -> CertificateIssuerPrivateKeyTypes:
        """A key that can sign, for one use. Raises ConfigInvalid when it cannot be had."""
        ...


class KeyFile:
    """The key in a PKCS#8 file, encrypted with a password (PBES2: AES-256-CBC, key derived by cryptography's best)."""

    def __init__(self, path: Path, password: str) -> None:
        if len(password) < _LEAST_PASSWORD:
            raise ConfigInvalid(
                [f"identity.key_password_file: the password must have at least {_LEAST_PASSWORD} characters. "
                 "Do: openssl rand -base64 32"]
            )  # fmt: skip
        self._path = path
        self._password = password.encode()

    def make(self) -> CertificateIssuerPrivateKeyTypes:
        """A new key, written encrypted."""
        key = ec.generate_private_key(ec.SECP256R1())
        write_durably(
            self._path,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(self._password),
            ),
        )
        return key

    def key(self) -> CertificateIssuerPrivateKeyTypes:
        try:
            key = serialization.load_pem_private_key(self._path.read_bytes(), self._password)
        except OSError as error:
            raise ConfigInvalid([f"{self._path}: cannot be read: {error.strerror}"]) from None
        except (ValueError, TypeError):
            raise ConfigInvalid(
                [f"{self._path}: cannot be opened with the password of identity.key_password_file"]
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigInvalid([f"{self._path}: holds no EC key"])
        return key


class Authority:
    """An authority that was made; signs for boxes and for this server."""

    def __init__(self, folder: Path, keeper: KeyKeeper) -> None:
        """Raises ConfigInvalid when there is none in `folder`, or its key does not belong to its certificate."""
        self.folder = folder
        self._keeper = keeper
        try:
            self.certificate = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
        except OSError:
            raise ConfigInvalid([f"{folder}: there is no authority yet. Do: collector authority init"]) from None
        except ValueError:
            raise ConfigInvalid([f"{folder / AUTHORITY}: is no certificate. Restore it from the backup"]) from None
        if keeper.key().public_key() != self.certificate.public_key():
            raise ConfigInvalid([f"{folder / AUTHORITY_KEY}: is not the key of {AUTHORITY}. Restore both"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hexadecimal."""
        return certificates.fingerprint(self.certificate)

    def sign_box(self, public: BoxKey, box: str, now_ms: int, life: timedelta) -> x509.Certificate:
        """A box's client certificate."""
        return certificates.make_client(self.certificate, self._keeper.key(), public, box, now_ms, life)

    def equip_server(self, names: Iterable[str], now_ms: int) -> None:
        """New keys and certificates for this server's listeners and for the collector as a client of the broker."""
        server_key, client_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer_key = self._keeper.key()
        try:
            server = certificates.make_server(self.certificate, issuer_key, server_key.public_key(), names, now_ms)
        except ValueError as error:
            raise ConfigInvalid([f"identity.names: {error}"]) from None
        client = certificates.make_client(
            self.certificate, issuer_key, client_key.public_key(), COLLECTOR_NAME, now_ms, certificates.SERVER_LIFE
        )
        for name, key in ((SERVER_KEY, server_key), (COLLECTOR_KEY, client_key)):
            write_durably(self.folder / name, plain_pem(key))
        write_durably(self.folder / SERVER, pem(server), mode=0o644)
        write_durably(self.folder / COLLECTOR, pem(client), mode=0o644)

    def refuse_half_equipped(self) -> None:
        """Raises ConfigInvalid where a certificate and its key are not a pair: a power cut fell between the two."""
        for name, key in ((SERVER, SERVER_KEY), (COLLECTOR, COLLECTOR_KEY)):
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(self.folder / name, self.folder / key)
            except OSError as error:  # ssl.SSLError is one
                raise ConfigInvalid(
                    [f"{self.folder / name} and {key}: {error.strerror}. Do: collector authority equip"]
                ) from None

    def write_revoked(self, revoked: Iterable[tuple[str, int]], now_ms: int) -> None:
        """The list of revoked certificates, for brokers that read one."""
        made = certificates.make_revocation_list(self.certificate, self._keeper.key(), revoked, now_ms)
        write_durably(self.folder / REVOKED, made, mode=0o644)

    def ends_ms(self, name: str) -> int:
        """When the certificate in one of its files ends. Raises OSError, ValueError."""
        made = x509.load_pem_x509_certificate((self.folder / name).read_bytes())
        return certificates.to_ms(made.not_valid_after_utc)

    def file(self, name: str) -> Path:
        """One of its files."""
        return self.folder / name


def make_authority(folder: Path, keeper: KeyFile, name: str, names: Iterable[str], now_ms: int) -> Authority:
    """A new one. The certificate is written last: without it there is no authority. Raises ConfigInvalid, OSError."""
    if (folder / AUTHORITY).exists():
        raise ConfigInvalid([f"{folder}: there is an authority already; every box would have to be enrolled anew"])
    make_folder(folder)
    folder.chmod(0o700)
    made = certificates.make_authority(keeper.make(), name, now_ms)
    write_durably(folder / AUTHORITY, pem(made), mode=0o644)
    authority = Authority(folder, keeper)
    authority.equip_server(names, now_ms)
    authority.write_revoked((), now_ms)
    return authority


def plain_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as a server reads it: guarded by its file's mode alone."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
