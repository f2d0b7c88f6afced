"""What malloc keeps of freed memory, given back."""

import ctypes

__all__ = ["give_back"]


def give_back() -> None:
    """Give the kernel the memory that malloc keeps freed; nothing where it cannot: musl, macOS.

    An encoder's threads take turns at two arenas. What one has freed does not serve the next one in
    another arena, so a picture that is encoded several times takes more each time.

    Source: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
