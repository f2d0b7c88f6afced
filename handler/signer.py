"""Who signs what renditions say of their photos' content credentials: by KMS, or by a key at hand.

Imported for who carries them on. The key stays on this side of the wall, in KMS if it is there.
"""

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from handler.aws.clients import create_client
from handler.errors import SettingsError, SigningError
from handler.release import PRODUCT, VERSION
from handler.settings import SignerSettings
from imaging.certificates import (
    anchor_of,
    check_chain,
    cose_from_der,
    end_of,
    is_signature,
    name_of,
)
from imaging.errors import ConfigError
from imaging.signatures import SIGNATURE_BYTES, Sign, Signer, Signing

__all__ = ["check_signer", "make_signing"]

_CERTIFICATES: Final = "CREDENTIALS_CERTIFICATES"
_KEY: Final = "CREDENTIALS_KEY"
_EXPECTED: Final = {
    _KEY: "the ARN of a KMS key, or a file in PEM,",
    _CERTIFICATES: "certificates in PEM, or a file or s3://bucket/key of them,",
}

_PROBE: Final = b"renditions: is this the certificate's key?"

TextReader = Callable[[str], str]
"""Reads the text of an object, ``s3://bucket/key``; raises SettingsError if it cannot."""


def make_signing(settings: SignerSettings, read_text: TextReader) -> Signing:
    """Return who signs.

    Args:
        settings: By which key, and with which certificates.
        read_text: Reads the certificates where they are an object of S3.

    Raises:
        SettingsError: One is missing or wrong, is not valid now, or they do not belong together.

    *Cost*: one signature, to see that they do; with KMS that is a request. One GetObject where the
    certificates are in S3.
    """
    text, sign = _read(settings, read_text)
    _check_key(settings, text, sign)
    return Signing(
        signer=Signer(certificates=text, release=VERSION),
        sign=_Verified(text, sign),
        ends_s=end_of(text),
    )


def check_signer(settings: SignerSettings, read_text: TextReader) -> str:
    """Return who signs, in words, once all that init would find wrong is known not to be.

    A key in KMS is asked for nothing: who checks a configuration need not have the right to sign.

    Raises:
        SettingsError: As :func:`make_signing` does, but for what KMS would say.

    *Cost*: one GetObject where the certificates are in S3.
    """
    text, sign = _read(settings, read_text)
    end = datetime.fromtimestamp(end_of(text), UTC)
    said = (
        f"signed by {name_of(text)}, until {end:%Y-%m-%d}; trusted only by readers whose list has "
        f"{anchor_of(text)}, which is not checked"
    )
    if isinstance(sign, _ByKms):
        return f"{said}; whether the key in KMS is its own is seen at init"
    _check_key(settings, text, sign)
    return said


def _read(settings: SignerSettings, read_text: TextReader) -> tuple[str, Sign]:
    """Return the certificates, checked, and what signs with the key."""
    given = {_KEY: settings.key, _CERTIFICATES: settings.certificates}
    for variable, expected in _EXPECTED.items():
        if not given[variable]:
            raise SettingsError(
                f"{variable}: expected {expected} for {settings.wanted_by} but received nothing"
            )
    text = _certificates(settings.certificates, read_text)
    try:
        check_chain(text)
    except ConfigError as error:
        raise SettingsError(f"{_CERTIFICATES}: {error}") from error
    return text, _signer(settings)


def _check_key(settings: SignerSettings, text: str, sign: Sign) -> None:
    """Raise SettingsError if the key signs nothing, or is not that of the certificates."""
    try:
        signature = sign(_PROBE)
    except SigningError as error:
        raise SettingsError(f"{_KEY}: expected a key that signs: {error}") from error
    if not is_signature(text, _PROBE, signature):
        raise SettingsError(
            f"{_KEY}: expected the key of the first certificate of {_CERTIFICATES} but received "
            f"another, {settings.key[:200]!r}"
        )


def _certificates(given: str, read_text: TextReader) -> str:
    if given.startswith("s3://"):
        return read_text(given)
    return given if "-----BEGIN" in given else _read_file(_CERTIFICATES, given)


def _read_file(variable: str, name: str) -> str:
    try:
        return Path(name).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM"
        raise SettingsError(
            f"{variable}: expected {_EXPECTED[variable]} but received {name[:200]!r}: {reason}"
        ) from error


def _signer(settings: SignerSettings) -> Sign:
    given, region = settings.key, settings.region
    if not given.startswith("arn:"):
        return _by_file(_read_file(_KEY, given), given)
    parts = given.split(":")
    is_key = len(parts) == 6 and parts[2] == "kms" and parts[5].startswith("key/")
    if not is_key or region not in {None, parts[3]}:
        raise SettingsError(
            f"{_KEY}: expected the ARN of a KMS key in this function's region, {region}, but "
            f"received {given!r}"
        )
    return _ByKms(given)


def _by_file(text: str, place: str) -> Sign:
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The text is a secret.
        raise SettingsError(
            f"{_KEY}: expected a private key in PEM, without a password, at {place[:200]!r}"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise SettingsError(f"{_KEY}: expected a key of P-256 (ES256) at {place[:200]!r}")
    return _ByFile(text)


class _ByFile:
    """Signs with a key that is at hand, for development: who has this process has it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, data: bytes) -> bytes:
        """Return the signature."""
        key = load_pem_private_key(self._text.encode(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - _by_file has looked
        return cose_from_der(key.sign(data, ec.ECDSA(hashes.SHA256())))


class _Verified:
    """Signs, and verifies: with a wrong signature a rendition would be stored without any."""

    def __init__(self, certificates: str, sign: Sign) -> None:
        self._certificates = certificates
        self._sign = sign

    def __call__(self, data: bytes) -> bytes:
        """Return the signature.

        Raises:
            SigningError: There is none, or it is not by the certificate's key.
        """
        signature = self._sign(data)
        if not is_signature(self._certificates, data, signature):
            raise SigningError(
                f"Expected a signature of {SIGNATURE_BYTES} bytes by the key of the first "
                f"certificate but received {len(signature)} bytes that are none"
            )
        return signature


@cache
def _client(_process: int) -> Any:  # noqa: ANN401 - botocore's; each process has its own
    return create_client(
        "kms",
        Config(
            # It knows no deadline: begun at the last moment, it ends before Lambda does.
            connect_timeout=1,
            read_timeout=2,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=8,
            user_agent_extra=PRODUCT,
        ),
    )


class _ByKms:
    """Signs by ``kms:Sign``: nobody has the key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, data: bytes) -> bytes:
        """Return the signature.

        *Cost*: a request.

        Raises:
            SigningError: KMS did not sign; another attempt may succeed.
        """
        try:
            answer = _client(os.getpid()).sign(
                KeyId=self._key,
                Message=hashlib.sha256(data).digest(),
                MessageType="DIGEST",
                SigningAlgorithm="ECDSA_SHA_256",
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise SigningError(f"Expected KMS to sign but it answered {code}") from error
        except (BotoCoreError, OSError) as error:
            raise SigningError(f"Expected KMS to sign: {error}") from error
        try:
            return cose_from_der(answer["Signature"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SigningError(f"Expected a signature of KMS: {error!r}"[:300]) from error
