"""TIFF's directories are read within bounds, and a picture of a TIFF is the photo or is refused."""

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.errors import (
    CorruptPhotoError,
    RejectedPhotoError,
    TruncatedPhotoError,
    UnsupportedFormatError,
)
from imaging.files.tiff import Tiff, open_tiff
from imaging.files.tiff_picture import Space, TiffPhoto, find_picture
from tests.photos.directories import Layout, Value, long, short, write_directories
from tests.photos.tiffs import Stored, directory, tiff_of

SAMPLES = (np.arange(48 * 40 * 3) % 251).astype(np.uint8).reshape(40, 48, 3)
LAYOUTS = [
    Layout(order=order, big=big, front=front)  # type: ignore[arg-type]  # one of the two
    for order in "<>"
    for big in (False, True)
    for front in (False, True)
]


def opened(data: bytes) -> Tiff:
    """Open the TIFF in ``data``."""
    tiff = open_tiff(lambda at, length: data[at : at + length], len(data))
    assert tiff is not None
    return tiff


def found(data: bytes) -> TiffPhoto:
    """Find the photo in ``data``."""
    return find_picture(opened(data), 2000)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_byte_order_and_size_of_places_is_read(layout: Layout) -> None:
    """Both byte orders, classic and BigTIFF, the directory in front and behind."""
    photo = found(tiff_of(SAMPLES, Stored(extra=()), layout))
    assert (photo.picture.width, photo.picture.height) == (48, 40)
    assert photo.picture.space is Space.RGB
    assert (photo.n_pages, photo.levels) == (1, ())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("percent", [10, 30, 50, 70, 90, 99])
def test_a_tiff_that_breaks_off_is_truncated(
    layout: Layout, tile: int | None, percent: int
) -> None:
    """Wherever it is truncated, and wherever the directory is."""
    data = tiff_of(SAMPLES, Stored(tile=tile), layout)
    with pytest.raises(TruncatedPhotoError):
        found(data[: len(data) * percent // 100])


def test_a_chain_that_returns_to_itself_ends() -> None:
    """A directory that names itself as the next one is one page."""
    data = bytearray(write_directories([directory(SAMPLES, Stored())]))
    tiff = opened(bytes(data))
    first = tiff.directory(tiff.first)
    entries = len(first.entries)
    end = first.at + 2 + 12 * entries
    data[end : end + 4] = first.at.to_bytes(4, "little")
    assert found(bytes(data)).n_pages == 1


def test_a_reduced_picture_in_front_is_not_the_photo() -> None:
    """NewSubfileType 1 marks a preview: the photo is the first that is not marked, chain or below.

    Beside the photo it is a level if it has its shape, and nothing otherwise.
    """
    small = directory(SAMPLES[::4, ::4], Stored(others=((254, long(1)),)))
    whole = directory(SAMPLES, Stored())
    for chain in ([small, whole], [small | {330: long(whole)}]):
        photo = found(write_directories(chain))
        assert photo.picture.width == 48
    assert [level.width for level in found(write_directories([small, whole])).levels] == [12]
    other = directory(SAMPLES[:, ::4], Stored(others=((254, long(1)),)))
    assert found(write_directories([whole, other])).levels == ()


def test_a_second_page_is_no_level() -> None:
    """Half as large as the first is not enough: a pyramid's levels say that they are reduced."""
    pages = [directory(SAMPLES[:10, :10], Stored()), directory(SAMPLES[:5, :5], Stored())]
    photo = found(write_directories(pages))
    assert (photo.levels, photo.n_pages) == ((), 2)


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ((259, short(50000)), "Zstandard"),
        ((259, short(34925)), "LZMA"),
        ((259, short(6)), "old-style JPEG"),
        ((259, short(4711)), "number 4711"),
        ((262, short(4)), "PhotometricInterpretation 4"),
        ((258, short(8, 8, 16)), "BitsPerSample"),
        ((258, short(24, 24, 24)), "BitsPerSample"),
        ((339, short(5, 5, 5)), "SampleFormat"),
    ],
)
def test_what_is_not_decoded_is_refused_by_its_name(entry: tuple[int, Value], word: str) -> None:
    """The message says what was received and what would be accepted; libtiff is not asked."""
    with pytest.raises(UnsupportedFormatError, match=word):
        found(tiff_of(SAMPLES, Stored(others=(entry,))))


@pytest.mark.parametrize(
    ("extra", "alpha", "premultiplied"),
    [
        ((), None, False),
        ((0,), None, False),
        ((1,), 0, True),
        ((2,), 0, False),
        ((0, 0), None, False),
        ((0, 2), 1, False),
        ((2, 0), 0, False),
        ((0, 1, 0), 1, True),
    ],
)
def test_an_extra_sample_is_alpha_only_where_it_says_so(
    extra: tuple[int, ...], alpha: int | None, *, premultiplied: bool
) -> None:
    """ExtraSamples 0 is unspecified: an editor's mask."""
    samples = np.concatenate([SAMPLES, *[SAMPLES[:, :, :1]] * len(extra)], axis=2)
    picture = found(tiff_of(samples, Stored(extra=extra))).picture
    assert (picture.alpha, picture.premultiplied) == (alpha, premultiplied)


def test_counts_beyond_a_photos_are_refused() -> None:
    """A directory of 65,535 entries, and one entry of 4,000,000,000 values, are not believed."""
    data = bytearray(tiff_of(SAMPLES))
    first = opened(bytes(data)).first
    with pytest.raises(CorruptPhotoError):
        found(bytes(data[:first]) + b"\xff\xff" + bytes(12 * 65_535))
    place = data.index((273).to_bytes(2, "little"), first)
    data[place + 4 : place + 8] = (4_000_000_000).to_bytes(4, "little")
    with pytest.raises(CorruptPhotoError):
        found(bytes(data))


@given(
    change=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.integers(16, 6500),
    layout=st.sampled_from(LAYOUTS),
)
def test_whatever_the_bytes_it_is_found_or_rejected(
    change: list[tuple[int, int]], end: int, layout: Layout
) -> None:
    """No other exception, and no read beyond the file."""
    data = bytearray(tiff_of(SAMPLES, Stored(tile=16), layout))[:end]
    for at, value in change:
        if at < len(data):
            data[at] = value
    file = io.BytesIO(data)

    def read_at(at: int, length: int) -> bytes:
        assert 0 <= length <= 1 << 24
        file.seek(at)
        return file.read(length)

    with suppress(RejectedPhotoError):
        tiff = open_tiff(read_at, len(data))
        if tiff is not None:
            find_picture(tiff, 2000)
