"""Certificate requests (PKCS#10) of boxes, looked at strictly: nothing of them is taken over but the public key."""

import binascii

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from collector.identity.certificates import BoxKey
from vonggac.wire.enrolment import MAX_CSR_BYTES, EnrolRequest, statement


class RequestRefused(Exception):
    """A request that gets no certificate; the text says why, to the installer and to the log, and holds no secret."""

    def __init__(self, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.status = status


def check_csr(text: str, box: str) -> tuple[x509.CertificateSigningRequest, BoxKey]:
    """The request and its key: EC P-256 or Ed25519, signed by itself, for this box alone. Raises RequestRefused."""
    if len(text) > MAX_CSR_BYTES:
        raise RequestRefused(f"the certificate request is longer than {MAX_CSR_BYTES} bytes", 413)
    if text.count("-----BEGIN") != 1:
        raise RequestRefused("csr: must be one certificate request in PEM", 400)
    try:
        request = x509.load_pem_x509_csr(text.encode("ascii"))
        attributes = list(request.subject)
        key = request.public_key()
        is_signed = request.is_signature_valid
        extensions = len(request.extensions)
    except (ValueError, TypeError, UnicodeEncodeError, UnsupportedAlgorithm, InvalidSignature, binascii.Error):
        raise RequestRefused("csr: cannot be read as a certificate request", 400) from None
    if not isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)) or (
        isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1)
    ):
        raise RequestRefused("csr: the key must be EC P-256 or Ed25519")
    if not is_signed:
        raise RequestRefused("csr: is not signed by its own key")
    if [(each.oid, each.value) for each in attributes] != [(NameOID.COMMON_NAME, box)]:
        raise RequestRefused(f"csr: the subject must be CN={box} and nothing else")
    if extensions:
        raise RequestRefused("csr: asks for extensions; none are granted")
    return request, key


def check_signing_key(request: EnrolRequest, csr: x509.CertificateSigningRequest) -> None:
    """The box holds the signing key that it registers. Raises RequestRefused."""
    signed = statement(request.box, csr.public_bytes(serialization.Encoding.DER))
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(request.signing_key))
        key.verify(bytes.fromhex(request.signature), signed)
    except (InvalidSignature, ValueError):
        raise RequestRefused("signature: is not of this signing key over this request") from None
