"""What stands in a PNG beside its pixels."""

import struct

import numpy as np
import pytest

from imaging.errors import UnsupportedFormatError
from imaging.files.png import LateOrientation
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import exif, png
from tests.photos.pngs import chunk, png_of, with_chunks
from tests.rendering import rendered

SPEC = RenditionSpec(name="a", width=40, formats=(OutputFormat.PNG,))


def exif_chunk(orientation: int) -> bytes:
    """Return ``eXIf`` with an orientation."""
    return chunk(b"eXIf", exif(orientation=orientation).removeprefix(b"Exif\0\0"))


def test_an_orientation_before_the_pixels_counts() -> None:
    """And one behind them does not, then."""
    data = with_chunks(png(80, 60), exif_chunk(6))
    for each in (data, with_chunks(data, exif_chunk(8), behind=True)):
        image = rendered(each, SPEC).images["a"]
        assert (image.width, image.height) == (40, 53)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_an_orientation_behind_the_pixels_is_refused_by_its_name(
    orientation: int, *, interlaced: bool
) -> None:
    """It is known once the photo was read and planned: better nothing than one on its side."""
    data = with_chunks(png(80, 60, interlaced=interlaced), exif_chunk(orientation), behind=True)
    with pytest.raises(UnsupportedFormatError, match=f"orientation {orientation} behind"):
        rendered(data, SPEC)


def test_a_pass_of_its_own_notices_it_too() -> None:
    """A rendition that is written while the photo is read is not committed."""
    samples = np.zeros((4200, 4200), np.uint8)
    data = with_chunks(png_of(samples), exif_chunk(6), behind=True)
    spec = RenditionSpec(name="a", formats=(OutputFormat.JPEG,))
    with pytest.raises(UnsupportedFormatError, match="behind"):
        rendered(data, spec)


def test_exif_behind_the_pixels_of_an_upright_photo_does_no_harm() -> None:
    """Neither a block that says 1, nor one that is no block, nor a text beside it."""
    for late in (
        exif_chunk(1),
        chunk(b"eXIf", b"no TIFF"),
        chunk(b"eXIf", b""),
        chunk(b"tEXt", b"a\0b"),
    ):
        image = rendered(with_chunks(png(80, 60), late, behind=True), SPEC).images["a"]
        assert (image.width, image.height) == (40, 30)


def test_it_is_found_however_the_bytes_are_cut() -> None:
    """Heads and blocks may lie across reads of any length."""
    data = with_chunks(
        png_of(np.zeros((9, 9), np.uint8), idat=7), exif_chunk(6), chunk(b"tEXt", b"x"), behind=True
    )
    for length in (1, 2, 3, 7, 64, len(data)):
        found = LateOrientation()
        for at in range(0, len(data), length):
            found.feed(memoryview(data)[at : at + length])
        with pytest.raises(UnsupportedFormatError):
            found.check()
    found = LateOrientation()
    # A length beyond the file's end holds nothing.
    found.feed(memoryview(data[:41] + struct.pack(">I4s", 0xFFFFFFFF, b"IDAT")))
    found.check()
