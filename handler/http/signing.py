"""Signed URLs: who may ask for which rendition, and until when; pure."""

import base64
import hmac
from collections.abc import Iterable

__all__ = ["is_signed", "signature"]


def signature(secret: bytes, rendition: str, key: str, expires: str = "") -> str:
    """Return the signature of a rendition of a photo: HMAC-SHA256 in base64url, without padding.

    Args:
        secret: One of ``URL_SIGNING_KEYS``.
        rendition: Its name.
        key: The photo's key, not URL-encoded.
        expires: Seconds since 1970 as in the URL; empty for a URL that is good for ever.
    """
    text = f"{rendition}/{key}\n{expires}"
    digest = hmac.digest(secret, text.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_signed(
    secrets: Iterable[bytes], given: str, rendition: str, key: str, expires: str = ""
) -> bool:
    """Tell whether one of ``secrets`` made the signature ``given``, in constant time."""
    return any(
        hmac.compare_digest(signature(secret, rendition, key, expires).encode(), given.encode())
        for secret in secrets
    )
