"""Which release of this project runs: said here, and nowhere else."""

from typing import Final

__all__ = ["PRODUCT", "VERSION"]

VERSION: Final = "1.0.0"
"""Of package and image, and in ``renditions --version``, log lines, manifests and requests."""

PRODUCT: Final = f"renditions/{VERSION}"
"""As a user agent names it."""
