"""Prepares libvips for this process, once."""

import pyvips

__all__ = ["configure_libvips"]


def configure_libvips(*, concurrency: int | None = None) -> None:
    """Turn off what a resizer does not need, and what a stranger's photo must not reach.

    Args:
        concurrency: libvips worker threads per operation; None for one per processor.
    """
    # The same operation on the same image never comes twice; a cache would only hold memory.
    pyvips.cache_set_max(0)
    # Loaders that libvips itself calls unsafe for untrusted data (SVG, PDF, magick, ...).
    pyvips.block_untrusted_set(True)  # noqa: FBT003 - pyvips takes it by position
    if concurrency is not None:
        pyvips.vips_lib.vips_concurrency_set(concurrency)
