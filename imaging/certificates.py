"""Certificates of who signs content credentials: which chain may, and whether a key is its own."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID

from imaging.errors import ConfigError
from imaging.signatures import SIGNATURE_BYTES

__all__ = ["anchor_of", "check_chain", "cose_from_der", "end_of", "is_signature", "name_of"]

_MAX_BYTES: Final = 16 << 10
"""All of them go into each rendition."""

_MAX_CERTIFICATES: Final = 8
_NUMBER_BYTES: Final = SIGNATURE_BYTES // 2

# Source: C2PA 2.2, 14.5.1, what a certificate is for: C2PA's own, e-mail, documents.
_PURPOSES: Final = (
    x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1"),
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
)


def cose_from_der(signature: bytes) -> bytes:
    """Return a signature as COSE has it, both numbers of 32 bytes, from one in DER."""
    numbers = utils.decode_dss_signature(signature)
    return b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in numbers)


def check_chain(text: str) -> None:
    """Check that certificates, in PEM, may sign manifests now, by ES256.

    Raises:
        ConfigError: They may not; the message says what was expected and what was received.
    """
    if len(text) > _MAX_BYTES:
        raise ConfigError(f"expected certificates of at most {_MAX_BYTES} bytes")
    chain = _chain(text)
    if len(chain) > _MAX_CERTIFICATES:
        raise ConfigError(f"expected at most {_MAX_CERTIFICATES} certificates, not {len(chain)}")
    _check_own(chain[0])
    for below, above in pairwise(chain):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise ConfigError(
                "expected each certificate to be issued by the next but received "
                f"{_name(below)} before {_name(above)}"
            ) from error
    now = datetime.now(UTC)
    for one in chain:
        if not one.not_valid_before_utc <= now <= one.not_valid_after_utc:
            raise ConfigError(
                f"expected certificates that are valid today but received {_name(one)}, valid from "
                f"{one.not_valid_before_utc:%Y-%m-%d} to {one.not_valid_after_utc:%Y-%m-%d}"
            )


def anchor_of(text: str) -> str:
    """Return, quoted, who issued the last certificate of a checked chain: whom a reader must trust.

    In a chain with its root that is the root itself.
    """
    return _quoted(_chain(text)[-1].issuer)


def end_of(text: str) -> float:
    """Return when the first certificate of a checked chain ends, in seconds since 1970."""
    return min(one.not_valid_after_utc for one in _chain(text)).timestamp()


def name_of(text: str) -> str:
    """Return whose the first certificate of a checked chain is, quoted."""
    return _name(_chain(text)[0])


def is_signature(text: str, data: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is of ``data``, by the key of a checked chain's first."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    public = _chain(text)[0].public_key()
    numbers = (signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:])
    first, second = (int.from_bytes(number, "big") for number in numbers)
    assert isinstance(public, ec.EllipticCurvePublicKey)  # noqa: S101 - check_chain has looked
    try:
        public.verify(utils.encode_dss_signature(first, second), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _chain(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise ConfigError(
            "expected certificates in PEM, the signer's own first, but received none"
        ) from error


def _name(certificate: x509.Certificate) -> str:
    return _quoted(certificate.subject)


def _quoted(name: x509.Name) -> str:
    return repr(name.rfc4514_string()[:200])


def _check_own(own: x509.Certificate) -> None:
    """Raise ConfigError for a certificate that C2PA does not let sign, or not by ES256."""
    public = own.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise ConfigError(
            f"expected a certificate of a P-256 key (ES256) but received {_name(own)}"
        )
    if own.issuer == own.subject:
        raise ConfigError(
            f"expected a certificate that another one issued but received {_name(own)}, which "
            "issued itself: no reader takes it"
        )
    try:
        usage = own.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
        purposes = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usage, purposes = False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    if not usage or not set(_PURPOSES) & set(purposes):
        raise ConfigError(
            "expected a certificate that is for signing content (digital signature, for C2PA, "
            f"e-mail protection or documents) but received {_name(own)}, which is not"
        )
