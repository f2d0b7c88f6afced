"""Who signs the manifests of renditions that carry content credentials on: values."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "MAX_SIGNED_BYTES",
    "SIGNATURE_BYTES",
    "SIGNED_PREFIX",
    "Carried",
    "Sign",
    "Signer",
    "Signing",
]

SIGNATURE_BYTES: Final = 64
"""Of ES256: both numbers, as COSE has them (RFC 9053, 2.1)."""

MAX_SIGNED_BYTES: Final = 64 << 10
"""Of what is signed: a claim names each assertion, and each that was redacted."""

SIGNED_PREFIX: Final = b"\x84\x6aSignature1"
"""What is signed begins so: a list of four, the first of which is this text (RFC 9052, 4.4). No
certificate does, nor a JSON Web Token; what else COSE signs in this form does, such as a CWT."""


Sign = Callable[[bytes], bytes]
"""Returns the signature of bytes by ES256, of :data:`SIGNATURE_BYTES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What a manifest says of who signs it.

    Attributes:
        certificates: The chain in PEM, the signer's own first.
        release: Which release of this project made the rendition.
    """

    certificates: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """That content credentials are carried on, and how.

    Attributes:
        signer: Who signs.
        sign: Signs.
        ends_s: When the signer's certificates are valid no more, in seconds since 1970.
    """

    signer: Signer
    sign: Sign = field(repr=False, compare=False)
    ends_s: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """That a rendition carries its photo's content credentials on.

    Attributes:
        faults: What was found wrong with the photo's own, as C2PA's codes; none where they hold.
    """

    faults: tuple[str, ...] = ()
